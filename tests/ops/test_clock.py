"""The clock check, against real NTP servers on loopback that tell the truth, lie, stammer or say nothing."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.ops.ntp import NtpServer, ntp_servers
from trader_core.domain.clock_reading import ClockAnswer
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, EpochMs
from trader_core.domain.errors import VenueUnavailable
from trader_core.domain.values import replace
from trader_core.ops import clock_drift
from trader_core.ops.clock import host_ms
from trader_core.ops.clock_drift import ClockRules, ask_server, combined, drift_problem, keep, measure

RIGHT = 5.0  # ms that an exchange on loopback may be off on a busy machine


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is a matter of a moment here."""
    monkeypatch.setattr(clock_drift, "TIMEOUT_S", 0.3)
    monkeypatch.setattr(clock_drift, "ANSWERS_S", 1.0)


def rules(servers: list[NtpServer], venue: str = "") -> ClockRules:
    return ClockRules(tuple(one.name for one in servers), venue, 150, 60)


# --- one server ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("skew_ms", [0, 40, -5_000, 86_400_000 * 400])
def test_an_exchange_measures_the_offset_and_how_sure_it_is(skew_ms: int) -> None:
    with ntp_servers(skew_ms) as (server,):
        answer = ask_server(server.name, host_ms)
    assert answer.problem == ""
    assert answer.offset_ms is not None and answer.uncertainty_ms is not None
    assert abs(answer.offset_ms - skew_ms) <= answer.uncertainty_ms + 1.5  # a millisecond is the grain of both clocks


def test_a_slow_answer_is_as_unsure_as_half_of_its_way() -> None:
    """The server waits before it reads its clock: all of that is round trip."""
    with ntp_servers(0) as (server,):
        server.delay_s = 0.2
        answer = ask_server(server.name, host_ms)
    assert answer.uncertainty_ms is not None and 100 <= answer.uncertainty_ms < 140
    assert answer.offset_ms is not None and abs(answer.offset_ms) <= answer.uncertainty_ms + 1.5


def test_what_a_server_says_of_its_own_error_is_believed() -> None:
    with ntp_servers(0) as (server,):
        server.root_dispersion_ms = 400
        answer = ask_server(server.name, host_ms)
    assert answer.uncertainty_ms is not None and 400 <= answer.uncertainty_ms < 400 + RIGHT


WRONG: dict[str, tuple[Callable[[NtpServer], None], str]] = {
    "silent": (lambda server: setattr(server, "silent", True), "no answer"),
    "cut short": (lambda server: setattr(server, "cut_at", 40), "no NTP"),
    "to another's question": (lambda server: setattr(server, "forget_cookie", True), "not to what was asked"),
    "a client itself": (lambda server: setattr(server, "flags", 0b00_100_011), "not to what was asked"),
    "not synchronised": (lambda server: setattr(server, "flags", 0b11_100_100), "does not know the time"),
    "the kiss of death": (lambda server: setattr(server, "stratum", 0), "does not know the time"),
    "stratum 16": (lambda server: setattr(server, "stratum", 16), "does not know the time"),
    "gone": (lambda server: server.close(), "not reached"),
}


@pytest.mark.parametrize("how", WRONG)
def test_an_answer_that_is_none_is_unknown(how: str) -> None:
    spoil, words = WRONG[how]
    with ntp_servers(0) as (server,):
        spoil(server)
        answer = ask_server(server.name, host_ms)
    assert (answer.offset_ms, answer.uncertainty_ms) == (None, None)
    assert words in answer.problem


@pytest.mark.parametrize("name", ["no.such.host.invalid", "127.0.0.1:99999", "a..b"])
def test_a_server_that_cannot_be_reached_is_unknown(name: str) -> None:
    assert ask_server(name, host_ms).offset_ms is None


# --- several ---------------------------------------------------------------------------------------------------------


def test_the_majority_outvotes_a_liar() -> None:
    with ntp_servers(0, 60_000, 1) as servers:
        reading = measure(rules(servers), None, host_ms)
    assert reading.problem == ""
    assert reading.offset_ms is not None and abs(reading.offset_ms) < RIGHT


@pytest.mark.parametrize(
    ("skews", "silent", "words"),
    [
        ((-300, -300, -300), 0, "300 ms ahead of the time servers; 150 ms are allowed"),
        ((300, 300, 300), 0, "300 ms behind the time servers; 150 ms are allowed"),
        ((0, 0, 0, 0), 2, "2 of 4 time servers answered and 2 agree; 3 are needed"),
        ((0, 0, 0), 3, "0 of 3 time servers answered"),
        ((0, 500, 1000), 0, "the time is unknown"),
    ],
)
def test_too_far_and_unknown_both_speak_against_real_money(skews: tuple[float, ...], silent: int, words: str) -> None:
    with ntp_servers(*skews) as servers:
        for server in servers[:silent]:
            server.silent = True
        reading = measure(rules(servers), None, host_ms)
    assert re.sub(r"\b(29[5-9]|30[0-5]) ms", "300 ms", reading.problem).count(words) == 1


def test_a_time_that_is_known_too_roughly_is_not_known() -> None:
    with ntp_servers(0, 0, 0) as servers:
        for server in servers:
            server.root_dispersion_ms = 400
        assert "is known to 40" in measure(rules(servers), None, host_ms).problem


def test_the_venues_clock_counts_as_well() -> None:
    def away() -> int:
        raise VenueUnavailable("the venue is away")

    with ntp_servers(0, 0, 0) as servers:
        of_venue = rules(servers, "coinbase")
        assert measure(of_venue, host_ms, host_ms).problem == ""
        assert "400 ms ahead of the venue" in measure(of_venue, lambda: host_ms() - 400, host_ms).problem
        assert "the venue's time is unknown: the venue is away" in measure(of_venue, away, host_ms).problem
        assert "nobody to ask" in measure(of_venue, None, host_ms).problem


answers = st.builds(
    ClockAnswer, st.just("s"), st.none() | st.floats(-1e4, 1e4, allow_nan=False), st.floats(0, 300, allow_nan=False)
)


@given(st.lists(answers, min_size=1, max_size=7))
def test_a_combined_time_is_one_that_most_of_all_asked_stand_by(told: list[ClockAnswer]) -> None:
    offset_ms, uncertainty_ms, problem = combined(told)
    assert (offset_ms is None) == (uncertainty_ms is None) == bool(problem)
    if offset_ms is None or uncertainty_ms is None:
        return
    near = [
        abs(one.offset_ms - offset_ms) + one.uncertainty_ms for one in told
        if one.offset_ms is not None and one.uncertainty_ms is not None
        and abs(one.offset_ms - offset_ms) <= 50 + one.uncertainty_ms
    ]  # fmt: skip
    assert len(near) > len(told) / 2
    assert uncertainty_ms == min(near)


@given(
    st.lists(st.tuples(st.floats(-40, 40), st.floats(0, 90)), min_size=3, max_size=7),
    st.lists(st.floats(-1e6, 1e6), max_size=3),
    st.integers(-500, 500),
)
def test_a_lying_minority_cannot_move_the_time_out_of_what_the_truthful_say(
    truthful: list[tuple[float, float]], lying: list[float], at: int
) -> None:
    """Each truthful answer is wrong by 40 ms at most, around a true offset of `at`."""
    told = [ClockAnswer(f"t{n}", at + wrong, about) for n, (wrong, about) in enumerate(truthful)]
    lies = [ClockAnswer(f"l{n}", offset, 0.0) for n, offset in enumerate(lying[: (len(told) - 1) // 2])]
    offset_ms, _, problem = combined([*told, *lies])
    assert problem or (offset_ms is not None and abs(offset_ms - at) <= 40 + 1e-6)


# --- the gate over time ----------------------------------------------------------------------------------------------


class Hand:
    """This machine's clock, moved by hand; its steady clock goes on by itself."""

    def __init__(self) -> None:
        self.moved_ms = 0

    def __call__(self) -> EpochMs:
        return EpochMs(host_ms() + self.moved_ms)


def test_a_sound_reading_is_good_for_an_hour_across_processes(tmp_path: Path) -> None:
    with ntp_servers(0, 0, 0) as servers:
        asked = rules(servers)
        assert [drift_problem(tmp_path, asked, None, host_ms) for _ in range(3)] == [""] * 3
        assert [one.asked for one in servers] == [1, 1, 1]
        age(tmp_path, HOUR_MS - MINUTE_MS)
        drift_problem(tmp_path, asked, None, host_ms)
        assert servers[0].asked == 1
        age(tmp_path, MINUTE_MS)
        servers[0].silent = servers[1].silent = True
        assert "unknown" in drift_problem(tmp_path, asked, None, host_ms)


def age(state: Path, by_ms: int) -> None:
    """The reading was taken that much earlier than it was."""
    path = state / "clock.json"
    document = json.loads(path.read_text())
    document["reading"]["measured_ms"] -= by_ms
    path.write_text(json.dumps(document))


def test_a_clock_that_is_set_is_asked_about_at_once(tmp_path: Path) -> None:
    """Minus 300 ms at hour 5: no step waits for the hour to be over."""
    with ntp_servers(0, 0, 0) as servers:
        hand = Hand()
        assert drift_problem(tmp_path, rules(servers), None, hand) == ""
        hand.moved_ms = -300
        assert "behind the time servers" in drift_problem(tmp_path, rules(servers), None, hand)
        hand.moved_ms = 0
        assert drift_problem(tmp_path, rules(servers), None, hand) == ""


def test_a_bad_reading_is_asked_again_after_a_minute(tmp_path: Path) -> None:
    with ntp_servers(900, 900, 900) as servers:
        assert "behind" in drift_problem(tmp_path, rules(servers), None, host_ms)
        for server in servers:
            server.skew_ms = 0
        assert "behind" in drift_problem(tmp_path, rules(servers), None, host_ms)
        age(tmp_path, MINUTE_MS)
        assert drift_problem(tmp_path, rules(servers), None, host_ms) == ""


def test_a_reading_by_other_rules_or_in_pieces_is_no_reading(tmp_path: Path) -> None:
    with ntp_servers(0, 0, 0) as servers:
        asked = rules(servers)
        drift_problem(tmp_path, asked, None, host_ms)
        drift_problem(tmp_path, replace(asked, max_drift_ms=100), None, host_ms)
        assert servers[0].asked == 2
        for content in ("", "[]", "{}", '{"rules": null, "reading": 1}', "\x00"):
            (tmp_path / "clock.json").write_text(content)
            assert drift_problem(tmp_path, asked, None, host_ms) == ""
        assert servers[0].asked == 7


def test_a_reading_that_cannot_be_kept_is_still_one(tmp_path: Path) -> None:
    (tmp_path / "clock.json").mkdir()
    with ntp_servers(0, 0, 0) as servers:
        assert drift_problem(tmp_path, rules(servers), None, host_ms) == ""
        assert keep(tmp_path, rules(servers), measure(rules(servers), None, host_ms), host_ms).problem == ""
    assert [one.name for one in tmp_path.iterdir()] == ["clock.json"]
