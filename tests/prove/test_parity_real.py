"""Two thousand cycles of real candles: paper through the whole program and a compiled replay, one by one."""

from dataclasses import replace
from pathlib import Path

from tests.scenarios.crash import ALL_STRATEGIES, AUGUST_2024, CRASH_POLICY, options_in
from trader_core.domain.clocktime import parse_utc
from trader_core.prove.parity import parity

CYCLES = 2_000


def test_paper_and_replay_do_the_same_for_two_thousand_cycles(tmp_path: Path) -> None:
    """Every strategy and a policy that buys in a crash, so that much is refused, stopped, canceled and sold."""
    until = replace(AUGUST_2024, until_ms=parse_utc("2024-08-22"))
    found = parity(
        options_in(tmp_path, until, "coinbase", CRASH_POLICY, ALL_STRATEGIES), CYCLES, lambda: False, lambda *_: None
    )
    assert found.differences == () and found.differing_cycles == 0
    assert found.cycles == CYCLES
    counts = {one.kind: one.same for one in found.agreements}
    assert counts["verdict"] > 1_000 and counts["order"] > 80 and counts["fill"] > 40 and counts["cancel"] > 10
    assert {one.percent for one in found.agreements} == {100}
