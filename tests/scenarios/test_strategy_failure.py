"""A strategy that cannot be computed stops alone: it proposes nothing, the others trade, and the journal says so."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.scenarios.scenes import DIP, RISE
from tests.world import Series, World, at, outcomes, sent
from trader_core.domain.facts import StrategyFailed, StrategyRecovered
from trader_core.domain.values import replace
from trader_core.market.seen import Market
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Proposals
from trader_core.strategies.sma_cross import sma_cross

Spoil = Callable[[Proposals], Proposals]


@dataclass
class Flawed:
    """Crosses averages, as another strategy does, and has a flaw that shows at the close of some bars only."""

    spoil: Spoil
    bars: frozenset[int]
    unit = "bps"

    def lookback(self, parameters: Any, policy: Any) -> int:
        return 100

    def columns(self, market: Market, parameters: Any) -> Proposals:
        own = sma_cross.columns(market, market.policy.strategies.sma_cross)
        shows = int(market.frame.closes_ms[-1]) in {at(bar) for bar in self.bars}
        return self.spoil(own) if shows else own


def divides(own: Proposals) -> Proposals:
    return replace(own, leave=own.leave * (1 // 0))


def with_terms(own: Proposals, **wrong: Any) -> Proposals:
    return replace(own, terms=lambda rows, columns: replace(own.terms(rows, columns), **wrong))


def has_no_figure(own: Proposals) -> Proposals:
    return with_terms(own, conviction=np.nan)


def has_no_size(own: Proposals) -> Proposals:
    return with_terms(own, scale=np.inf)


def loses_a_row(own: Proposals) -> Proposals:
    return replace(own, enter=own.enter[1:])


WHAT: dict[Spoil, str] = {
    divides: "ZeroDivisionError: integer division or modulo by zero",
    has_no_figure: "ValueError: a conviction or a scale is no number",
    has_no_size: "ValueError: a conviction or a scale is no number",
    loses_a_row: "ValueError: the shape of enter",
}
BTC: Series = (*RISE[:6], DIP, 103, 104, 98, 97)
BOTH = {"strategies__mean_reversion__enabled": True, "strategies__sma_cross__enabled": True}
ALONE = {"strategies__mean_reversion__enabled": True, "strategies__sma_cross__enabled": False}


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("spoil", WHAT, ids=lambda one: one.__name__)
def test_it_proposes_nothing_while_it_fails_and_is_told_of_once(
    spoil: Spoil, restarts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails from the fifth to the seventh bar, and the averages cross at the sixth."""
    monkeypatch.setitem(STRATEGIES, "mean_reversion", Flawed(spoil, frozenset({4, 5, 6})))
    world = World(tmp_path, restarts=restarts).market(BTC=BTC).configured(**ALONE)
    reports = world.run()
    assert outcomes(reports, "BTC-USD")[2] == "warming_up" and not sent(reports)
    told = [fact for fact in world.facts() if isinstance(fact, StrategyFailed | StrategyRecovered)]
    assert told == [StrategyFailed("mean_reversion", WHAT[spoil], at(4)), StrategyRecovered("mean_reversion", at(7))]
    assert [bool(one.book.failures) for one in reports] == [False, True, True, True, *[False] * (len(reports) - 4)]
    assert not any(one.problem for one in reports), "the cycle itself is healthy"


@pytest.mark.parametrize("spoil", WHAT, ids=lambda one: one.__name__)
def test_the_others_trade_as_if_it_were_not_there(
    spoil: Spoil, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STRATEGIES, "mean_reversion", Flawed(spoil, frozenset(range(20))))
    alone, beside = World(tmp_path / "alone").market(BTC=BTC), World(tmp_path / "beside").market(BTC=BTC)
    expected = alone.run()
    reports = beside.configured(**BOTH).run()
    assert sent(reports) == sent(expected) and sent(expected)
    assert outcomes(reports, "BTC-USD") == outcomes(expected, "BTC-USD")
    assert [one.book.cash for one in reports] == [one.book.cash for one in expected]


def test_what_it_holds_keeps_its_stop_and_is_sold_by_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "mean_reversion", Flawed(divides, frozenset(range(7, 20))))
    world = World(tmp_path).market(BTC=(*RISE[:6], DIP, 103, 104, 80, 80)).configured(**ALONE)
    reports = world.run()
    assert reports[-3].book.failures and reports[-3].book.held == {"BTC-USD"}
    assert reports[-1].book.held == frozenset() and reports[-1].book.exits["BTC"].reason == "stop"


def test_another_failure_of_the_same_strategy_is_told_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path).market(BTC=BTC).configured(**ALONE)
    for spoil in (divides, loses_a_row, divides):
        monkeypatch.setitem(STRATEGIES, "mean_reversion", Flawed(spoil, frozenset(range(20))))
        world.run(limit=2)
    told = [fact.detail for fact in world.facts() if isinstance(fact, StrategyFailed)]
    assert told == [WHAT[divides], WHAT[loses_a_row], WHAT[divides]]
