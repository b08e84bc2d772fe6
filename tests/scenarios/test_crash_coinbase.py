"""August 2024 under a policy that buys in a crash, with every strategy enabled; then paper and replay of two thousand
cycles, beside each other."""

from collections import Counter

import pytest

from tests.scenarios.checks import nothing_is_lost
from tests.scenarios.crash import (
    ALL_STRATEGIES,
    AUGUST_2024,
    CRASH_POLICY,
    Ran,
    assert_the_same,
    options_in,
    ran,
    replayed,
)
from trader_core.domain.clocktime import day_index, parse_utc
from trader_core.domain.order import Role
from trader_core.domain.values import replace
from trader_core.prove import account
from trader_core.prove.parity import parity
from trader_core.store.files import StateFiles

CYCLES = 2_000


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """In a directory in which a comparison may go on."""
    options = options_in(tmp_path_factory.mktemp("august"), AUGUST_2024, "coinbase", CRASH_POLICY, ALL_STRATEGIES)
    account.claim(StateFiles(options.state_directory, "PAPER"))
    return ran(options)


def test_the_backtest_does_the_same_one_by_one(paper: Ran) -> None:
    assert_the_same(paper, replayed(paper.options))
    assert len(paper.fills()) > 30


def test_stops_sell_and_the_strategies_leave(paper: Ran) -> None:
    why = Counter(reason for _, reason in paper.sales())
    assert why["stop"] and why["signal"]


def test_the_day_stop_closes_entries_for_the_day_and_exits_go_on(paper: Ran) -> None:
    """However prices recover: no entry on the rest of that day. What is held is sold, and another day buys again."""
    closed = {at_ms for at_ms, _, verdict in paper.outcomes() if verdict == "DAY_LOSS"}
    first = {day_index(at_ms): at_ms for at_ms in sorted(closed, reverse=True)}
    entered = [at_ms for at_ms, _ in paper.orders(Role.ENTRY)]
    assert first and not [at_ms for at_ms in entered if at_ms >= first.get(day_index(at_ms), at_ms + 1)]
    assert [at_ms for at_ms, _ in paper.sales() if at_ms > first.get(day_index(at_ms), at_ms)]
    assert [at_ms for at_ms in entered if at_ms > min(closed)]


def test_nothing_is_lost_between_a_proposal_and_the_venue(paper: Ran) -> None:
    nothing_is_lost(paper.facts)


def test_paper_and_replay_do_the_same_for_two_thousand_cycles(paper: Ran) -> None:
    """The same account lives on for a fortnight; much is refused, stopped, canceled and sold."""
    lived = len(paper.regimes)
    until = replace(paper.options, until_ms=parse_utc("2024-08-22"))
    found = parity(until, CYCLES - lived, lambda: False, lambda *_: None)
    assert found.differences == () and found.differing_cycles == 0
    assert found.cycles == CYCLES > lived
    counts = {one.kind: one.same for one in found.agreements}
    assert counts["verdict"] > 1_000 and counts["order"] > 80 and counts["fill"] > 40 and counts["cancel"] > 10
    assert {one.percent for one in found.agreements} == {100}
