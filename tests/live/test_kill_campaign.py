"""A few kills of the campaign on a venue of the suite; and its judge finds what is planted in a venue's log."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cli.forked import run
from tests.cli.program import Inside
from tests.live.conftest import Stage as Stages
from tests.live.stage import Live, Venue
from trader_core.domain.values import as_dict, replace
from trader_core.prove import kills
from trader_core.prove.aftermath import accepted_after, cleared_ms, open_at, purchases
from trader_core.prove.conditions import CONDITIONS
from trader_core.prove.stage import Done, Stage, listening

BY_NAME = {one.name: one for one in CONDITIONS}
LONG_S = 60.0


@dataclass(frozen=True)
class Quick(Stage):
    """Its programs need not start from nothing; the kill itself does."""

    log: Path = Path()

    @property
    def truth(self) -> Path:
        return self.log

    def program(self, *words: str) -> Done:
        return Done(*run(list(words), self.folder, dict(self.environment), LONG_S))


@pytest.fixture
def killable(stage: Stages, venue: Venue) -> Iterator[Quick]:
    live: Live = stage("BTC", "ETH", policy__orders__maker_ttl_bars=9)
    (live.home / "tls").symlink_to(venue.folder)
    live.state.rename(live.home / kills.KEPT)
    heard: list[int] = []
    with listening(heard) as hook:
        yield Quick(live.home, venue.url, {**live.environment, "TRADER_ALERT_HOOK": hook}, heard, venue.truth)


@pytest.mark.parametrize(("name", "code"), [("locked database", 50), ("broken configuration", 0)])
def test_a_kill_in_a_broken_world(killable: Quick, name: str, code: int) -> None:
    killed = kills.killed_once(killable, BY_NAME[name], 0)
    assert killed.wrong == ()
    assert (killed.code, killed.orders, killed.after) == (code, 2, kills.HALTED)
    assert killed.latch is not None
    assert killed.cancel is not None
    assert killed.verified is not None
    assert killed.alert is not None
    assert killed.latch < killed.verified


def test_the_judge_reads_the_venue_s_log_and_nothing_else(tmp_path: Path) -> None:
    def order(name: str, side: str, second: int) -> str:
        told = {"kind": "order", "order_id": name, "side": side, "at": f"2026-01-01T00:00:0{second}.000000Z"}
        return json.dumps(told) + "\n"

    def over(name: str, second: int, state: str = "cancelled") -> str:
        told = {"kind": "state", "order_id": name, "state": state, "at": f"2026-01-01T00:00:0{second}.000000Z"}
        return json.dumps(told) + "\n"

    log = tmp_path / "truth.jsonl"
    log.write_text(
        order("early", "BUY", 0) + order("a", "BUY", 1) + order("stop", "SELL", 1) + order("b", "BUY", 2)
        + over("a", 4) + over("stop", 4) + over("b", 5, "triggered") + over("b", 6) + order("late", "BUY", 8)
    )  # fmt: skip
    lines = purchases(log, len(order("early", "BUY", 0)))
    begun = lines[0].at_ms - 1_000
    assert open_at(lines, begun + 3_000) == {"a", "b"}
    assert cleared_ms(lines, begun + 3_000, begun + 7_000) == begun + 6_000
    assert cleared_ms(lines, begun + 3_000, begun + 5_000) is None, "one stayed"
    assert accepted_after(lines, begun + 7_000) == ["late"]
    assert accepted_after(lines, begun + 8_000) == []


def test_what_was_done_before_is_not_done_again(tmp_path: Path) -> None:
    sound = kills.Killed(0, "nothing wrong", 0, 5, 80.0, 900.0, 2_000.0, 150.0, 2_000.0, kills.HALTED, ())
    slow = replace(sound, number=1, condition="storm", code=50, cancel=None, verified=None)
    bad = replace(sound, number=2, alert=None, wrong=("nobody was alerted",))
    log = tmp_path / "kills.jsonl"
    log.write_text("".join(f"{json.dumps(as_dict(one))}\n" for one in (sound, slow, bad)) + '{"number": 3, "cond')
    words = ("prove", "kills", "--work", tmp_path, "--json")
    done = Inside(tmp_path)(*words, "--kills", "2")
    assert (done.code, done.data["figures"]["kills"], done.data["violations"]) == (0, 2, [])
    done = Inside(tmp_path)(*words, "--only", "2")
    assert (done.code, done.data["violations"][0]["words"]) == (60, "nobody was alerted")


def test_what_a_kill_did_is_told_by_condition_with_what_was_wrong() -> None:
    sound = kills.Killed(0, "storm", 0, 5, 80.0, 900.0, 2_000.0, 150.0, 2_000.0, kills.HALTED, ())
    slow = replace(sound, number=8, code=50, cancel=None, verified=None, wrong=("the latch does not stand",))
    proved = kills.judged([sound, slow], 1.0)
    assert [one.at for one in proved.violations] == ["kill 8, storm"]
    assert (proved.figures["kills"], proved.figures["verified"], proved.figures["said_incomplete_50"]) == (2, 1, 1)
    assert proved.table[1][:5] == ["storm", "2", "80 / 80 / 80", "900 / 900 / 900", "2,000 / 2,000 / 2,000"]
