"""Keys grow old and are changed without a gap, and the clock is checked; each setting of both does something."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.cli.program import Done
from tests.cli.rehearsal import Rehearsal, pieces
from trader_core.bootstrap import open_preview
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs
from trader_core.domain.grant import KeyActivated
from trader_core.keyring import client_of, clock_problem
from trader_core.ops.clock import host_ms
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.store.grants import Permits

ARM = ("arm", "--max-equity", "1000", "--yes")


def rotate(live: Rehearsal, *steps: str) -> Done:
    return live.inside("rotate-secrets", *(f"--{one}" for one in steps), "--json")


# --- rotation --------------------------------------------------------------------------------------------------------


def test_a_rotation_and_its_rollback_without_moving_a_file(live: Rehearsal) -> None:
    old = rotate(live, "stage", "verify", "activate").data["active"]
    assert live.inside(*ARM).code == 0
    fresh = live.new_key("fresh", ed25519=True)
    live.presenting(live.key, fresh)
    steps = [rotate(live, one) for one in ("stage", "verify", "activate")]
    assert [one.code for one in steps] == [0, 0, 0]
    new = steps[0].data["staged"]
    assert [one.data["active"] for one in steps] == [old, old, new]
    assert (steps[2].data["previous"], rotate(live).data["presented"]) == (old, {"in_use": old, "new": new})
    armed = live.inside(*ARM, "--json")
    assert armed.data["grant"]["key_fingerprint"] == new
    back = rotate(live, "rollback")
    assert (back.data["active"], back.data["previous"]) == (old, new)
    assert rotate(live).document["warnings"] == []
    assert live.inside(*ARM, "--json").data["grant"]["key_fingerprint"] == old
    live.presenting(fresh)
    assert "the key in force is" in rotate(live).document["warnings"][0]
    said = "".join(one.out + one.err for one in [*steps, armed, back]) + live.written()
    assert [one for one in [*pieces(live.key), *pieces(fresh)] if one in said] == []


def test_a_key_is_verified_at_the_venue_before_it_can_be_put_in_force(live: Rehearsal) -> None:
    old = rotate(live, "stage", "verify", "activate").data["active"]
    fresh = live.new_key("fresh")
    live.presenting(live.key, fresh)
    assert rotate(live, "stage").code == 0
    name = json.loads(fresh.read_text())["name"]

    def refused(step: str) -> tuple[int, str]:
        done = rotate(live, step)
        return done.code, done.data["error"]["what"]

    code, what = refused("activate")
    assert (code, "was not verified within the last hour" in what) == (20, True)
    live.sim.admin("faults", replace=[{"kind": "unauthorized_text", "path": "/accounts$"}])
    assert refused("verify")[0] == 11, "it may trade, they say, and cannot read the account"
    live.sim.admin("faults", clear=True)
    assert refused("activate")[0] == 20
    for wrong, right, words in (
        ({"can_transfer": True}, {"can_transfer": False}, "may transfer money"),
        ({"can_trade": False}, {"can_trade": True}, "may not trade"),
        ({"portfolio_uuid": "theirs"}, None, "what the bot holds is not there"),
    ):
        live.sim.permit(key=name, **wrong)
        code, what = refused("verify")
        assert (code, words in what) == (11, True), what
        if right:
            live.sim.permit(key=name, **right)
    live.servers[0].skew_ms = live.servers[1].skew_ms = live.servers[2].skew_ms = 1000
    assert refused("verify")[0] == 12
    live.presenting(live.key)
    assert "is not presented" in refused("verify")[1]
    assert rotate(live).data["active"] == old


def test_a_key_in_a_file_needs_leave_and_its_owners_mode(live: Rehearsal) -> None:
    fresh = live.new_key("fresh")
    words = ("rotate-secrets", "--stage", "--verify", "--file", fresh)
    assert live.inside(*words).code == 11
    live.configured(secrets__files_allowed=True)
    fresh.chmod(0o640)
    done = live.inside(*words)
    assert (done.code, f"chmod 600 {fresh}" in done.err) == (11, True)
    fresh.chmod(0o600)
    assert live.inside(*words).code == 0


def aged(live: Rehearsal, days: float) -> Done:
    """The status of the key in force if that had happened so long ago."""
    live.rotated()
    permits = Permits(live.state)
    (known,) = [fact for fact in permits.facts() if isinstance(fact, KeyActivated)]
    since = EpochMs(host_ms() - round(days * DAY_MS))
    permits.path.unlink()
    permits.append(KeyActivated(known.fingerprint, "", known.portfolio_uuid, since), since)
    return rotate(live, "status")


def test_the_status_ages_with_the_key(live: Rehearsal) -> None:
    unknown = rotate(live)
    assert (unknown.code, "counts as expired" in unknown.data["entries_closed"]) == (11, True)
    fine = aged(live, 82)
    assert (fine.code, fine.document["warnings"], fine.data["entries_closed"]) == (0, [], None)


def test_the_status_warns_and_then_fails(live: Rehearsal) -> None:
    warned = aged(live, 83)
    assert (warned.code, len(warned.document["warnings"])) == (0, 1)


def test_the_status_of_an_old_key_is_a_failure(live: Rehearsal) -> None:
    closed = aged(live, 90.1)
    assert (closed.code, closed.data["entries_closed"]) == (11, "the key is 90 days old, and may be 90")


@pytest.mark.parametrize("words", [("--status", "--stage"), ("--rollback", "--verify"), ("--file", "x")])
def test_steps_that_do_not_go_together_are_refused(live: Rehearsal, words: tuple[str, ...]) -> None:
    done = live.inside("rotate-secrets", *words)
    assert (done.code, live.state.exists()) == (2, False)


# --- the clock -------------------------------------------------------------------------------------------------------


def test_check_clock_tells_each_source_and_fails_where_the_time_is_not_known(live: Rehearsal) -> None:
    sound = live("check-clock", "--json")
    assert sound.code == 0, sound.err
    assert [one["source"] for one in sound.data["servers"]] == [one.name for one in live.servers]
    assert abs(sound.data["venue"]["offset_ms"]) <= sound.data["venue"]["uncertainty_ms"] + 1
    live.servers[0].skew_ms = live.servers[1].skew_ms = -700
    wrong = live.inside("check-clock", "--json")
    assert (wrong.code, wrong.document["exit_name"], wrong.document["ok"]) == (12, "CLOCK", False)
    assert "ahead of the time servers; 150 ms are allowed" in wrong.data["problem"]
    assert "ahead of the time servers" in wrong.err


def test_the_page_of_the_clock_says_nothing_of_what_is_not_there(live: Rehearsal) -> None:
    """No column without a name or a word in it, and no time that servers agree on where they do not."""
    head, rule, *_ = live.inside("check-clock").out.splitlines()[1:]
    assert head.split("  ")[-1] == "known to" and len(rule.split()) == 3
    for one in live.servers:
        one.silent = True
    try:
        page = live.inside("check-clock").out
    finally:
        for one in live.servers:
            one.silent = False
    assert page.startswith("clock: the time is unknown: 0 of 3 time servers answered and 0 agree; 2 are needed\n")
    assert page.count("no answer") == 3


def test_a_venue_in_virtual_time_has_no_clock_to_compare_with(live: Rehearsal) -> None:
    done = live.configured(mode="PAPER", exchange__venue="simulated").inside("check-clock", "--json")
    assert (done.code, done.data["venue"]) == (0, None)


def test_the_gate_asks_the_venue_and_the_servers_once_an_hour(live: Rehearsal) -> None:
    """What a cycle is told, by the reading that check-clock left behind, until it is too old."""
    live.inside("check-clock")
    policy, asked = load(live.config), live.servers[0].asked
    assert clock_problem(policy, live.state, client_of(policy, live.state, None)) == ""
    assert live.servers[0].asked == asked


# --- every setting ---------------------------------------------------------------------------------------------------


def _clock_code(live: Rehearsal) -> Any:
    live.servers[0].skew_ms = live.servers[1].skew_ms = 100
    return live.inside("check-clock").code


def _sources(live: Rehearsal) -> Any:
    return [one["source"] for one in live.inside("check-clock", "--json").data["servers"]]


def _asked_again(live: Rehearsal) -> Any:
    """Whether a reading of two minutes ago is read again."""
    live.configured(mode="PAPER", exchange__venue="simulated")
    live.inside("check-clock")
    path = live.state / "clock.json"
    document = json.loads(path.read_text())
    document["reading"]["measured_ms"] -= 2 * MINUTE_MS
    path.write_text(json.dumps(document))
    policy = load(live.config)
    clock_problem(policy, live.state, client_of(policy, live.state, None))
    return live.servers[0].asked


def _status(days: int) -> Callable[[Rehearsal], Any]:
    def told(live: Rehearsal) -> Any:
        done = aged(live, days)
        return done.code, len(done.document["warnings"])

    return told


def _from_file(live: Rehearsal) -> Any:
    live.presenting()
    live.given["COINBASE_API_KEY_FILE"] = str(live.key)
    return live.inside("rotate-secrets", "--stage").code


def _reached(live: Rehearsal) -> Any:
    return live.inside("check-clock").code


def _listed(live: Rehearsal) -> Any:
    """What the account may buy at the venue."""
    options = Options(state=live.state, config=live.config, mode="DRY_RUN")
    with live.at_home(), open_preview(options) as system:
        return [one.symbol for one in system.ports.reader.instruments()]


ENDS: dict[str, tuple[Any, Any, Callable[[Rehearsal], Any]]] = {
    "app.clock.servers": ([f"127.0.0.1:{n}" for n in (1, 2, 3)], [f"127.0.0.1:{n}" for n in (4, 5, 6)], _sources),
    "app.clock.max_drift_ms": (50, 150, _clock_code),
    "app.clock.recheck_min": (1, 60, _asked_again),
    "app.secrets.max_age_days": (80, 90, _status(85)),
    "app.secrets.warn_age_days": (10, 80, _status(20)),
    "app.secrets.files_allowed": (False, True, _from_file),
    "app.exchange.quote": ("USD", "EUR", _listed),
    "app.exchange.venue_url": ("http://127.0.0.1:9", None, _reached),
}  # fmt: skip


@pytest.mark.parametrize("key", ENDS)
def test_moving_a_key_changes_what_the_gate_answers(live: Rehearsal, key: str) -> None:
    low, high, answer = ENDS[key]
    told = []
    for number, value in enumerate((low, high)):
        one = Rehearsal(live.home / str(number), live.sim, live.servers, dict(live.given))
        one.home.mkdir()
        along = {"app.secrets.warn_age_days": 5} if key == "app.secrets.max_age_days" else {}
        one.edits.update({**along, key: live.sim.url if value is None else value})
        told.append(answer(one.configured()))
    assert told[0] != told[1], f"{key} has no consumer"
