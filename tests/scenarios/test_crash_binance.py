"""May 2021 under a policy that buys in a crash, with every strategy enabled."""

from collections import Counter

import pytest

from tests.scenarios.checks import nothing_is_lost
from tests.scenarios.crash import (
    ALL_STRATEGIES,
    CRASH_POLICY,
    MAY_2021,
    Ran,
    assert_the_same,
    options_in,
    ran,
    replayed,
)
from trader_core.domain.clocktime import day_index, parse_utc
from trader_core.domain.order import Role
from trader_core.domain.values import replace

DAY_STOPS = replace(MAY_2021, until_ms=parse_utc("2021-05-21T12:00:00Z"))  # the day stop closes on three of these days


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    root = tmp_path_factory.mktemp("may")
    return ran(options_in(root, DAY_STOPS, "binance", CRASH_POLICY, ALL_STRATEGIES))


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
