"""Walk-forward: no row is trained on that a test could know of, and the tests make one account."""

from decimal import Decimal
from itertools import pairwise
from math import sqrt
from pathlib import Path
from statistics import mean, stdev

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.research.make import FAST, SLOW, START, candidates, changed, policy, scored_over, study
from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.errors import UsageError
from trader_core.engine.columns import lookback_of
from trader_core.research.sweep import Tried, best_first, merit, worlds_of
from trader_core.research.walk_forward import Fold, Plan, folds_of, purge_of, walked

BAR_MS = 900_000


@given(
    days=st.integers(1, 60), train=st.integers(1, 20), test=st.integers(1, 9), anchored=st.booleans(),
    purge=st.integers(0, 400), embargo=st.integers(0, 400),
)  # fmt: skip
def test_no_row_of_a_training_is_within_purge_and_embargo_of_its_test(
    days: int, train: int, test: int, anchored: bool, purge: int, embargo: int
) -> None:
    end_ms, plan = START + days * DAY_MS, Plan(train, test, anchored, purge, embargo)
    need_ms = (train + test) * DAY_MS + (purge + embargo) * BAR_MS
    if end_ms - START < need_ms:
        with pytest.raises(UsageError, match="not one fold fits"):
            folds_of(START, end_ms, BAR_MS, plan)
        return
    folds = folds_of(START, end_ms, BAR_MS, plan)
    for fold in folds:
        last_row = fold.train[1] - BAR_MS
        assert (fold.test[0] - last_row) // BAR_MS - 1 >= purge + embargo
        assert START <= fold.train[0] < fold.train[1] and fold.test[1] <= end_ms
        assert fold.test[1] - fold.test[0] == test * DAY_MS
        assert fold.train[0] == START if anchored else fold.train[1] - fold.train[0] == train * DAY_MS
    assert folds[0].train == (START, START + train * DAY_MS)
    assert all(one.test[1] == two.test[0] for one, two in pairwise(folds))
    assert end_ms - folds[-1].test[1] < test * DAY_MS


def test_the_purge_is_the_longest_window_or_holding_time() -> None:
    held = changed(policy(), {"strategies.sma_cross.max_hold_h": 100})
    assert purge_of([held], BAR_MS) == 400
    assert purge_of([held, changed(policy(), {"strategies.sma_cross.max_hold_h": 101})], BAR_MS) == 404
    brief = changed(policy(), {"strategies.sma_cross.max_hold_h": 1, "strategies.sma_cross.slow_bars": 900})
    assert purge_of([brief], BAR_MS) == lookback_of(brief) >= 900
    rules = changed(
        brief,
        {
            "strategies.rules.enabled": True,
            "strategies.rules.breakout.max_hold_h": 8000,
            "strategies.rules.momentum.max_hold_h": 7000,
            "strategies.rules.breakout.enabled": False,
        },
    )
    assert purge_of([rules], BAR_MS) == 28_000


def test_the_best_of_each_training_is_judged_on_what_came_after(tmp_path: Path) -> None:
    of = study(tmp_path, count=9)
    found = candidates(of, fast_bars=(2, 4, 60), slow_bars=(9, 20))
    folds = folds_of(START, START + 9 * DAY_MS, BAR_MS, Plan(3, 2, True, 96, 0))
    done = walked(of, found, folds, "total_pnl_pct")
    assert len(done.judged) == 2
    level = 100.0
    for one in done.judged:
        ranked = [
            (merit(scored_over(of, each, *one.fold.train).figures, "total_pnl_pct"), each)
            for each in found
            if each.policy is not None
        ]
        best = max(ranked, key=lambda pair: pair[0])[1]
        test = scored_over(of, best, *one.fold.test)
        assert (one.parameters, one.config_digest, one.test) == (dict(best.edits), best.digest, test.figures)
        level *= test.closes[-1] / test.initial
    assert done.equity[-1].worth == pytest.approx(level, rel=1e-9)
    assert abs(done.total.total_pnl_pct - (Decimal(repr(level)) - 100)) < Decimal("0.0001")
    assert done.total.total_trades == sum(one.test.total_trades for one in done.judged if one.test) > 0
    assert done.total.degradation == pytest.approx((done.total.train_sharpe or 0) - (done.total.test_sharpe or 0))
    assert [len(done.trained), done.total.folds] == [8, 2]
    assert [point.at_ms for point in done.equity] == sorted({point.at_ms for point in done.equity})


@pytest.mark.parametrize("purge", [96, 40])
def test_a_day_on_which_one_test_ends_and_the_next_begins_is_one_day_of_the_account(tmp_path: Path, purge: int) -> None:
    """Tests that begin at ten o'clock meet inside a day: it has one end, and one return."""
    of = study(tmp_path, count=11)
    found = candidates(of, fast_bars=(2,), slow_bars=(9,))
    done = walked(of, found, folds_of(START, START + 11 * DAY_MS, BAR_MS, Plan(3, 2, True, purge, 0)), "total_pnl_pct")
    first, last = done.judged[0].fold.test[0] // DAY_MS, (done.judged[-1].fold.test[1] - 1) // DAY_MS
    assert [point.at_ms // DAY_MS - 1 for point in done.equity] == list(range(first, last + 1))
    level, ends = 100.0, dict[int, float]()
    for one in done.judged:
        test = scored_over(of, found[0], *one.fold.test)
        ends |= {day: level * close / test.initial for day, close in zip(test.days, test.closes, strict=True)}
        level = ends[test.days[-1]]
    worths = [100.0, *ends.values()]
    assert [point.worth for point in done.equity] == pytest.approx(worths[1:])
    returns = [after / before - 1 for before, after in pairwise(worths)]
    assert done.total.sharpe == pytest.approx(mean(returns) / stdev(returns) * sqrt(365), rel=1e-6)


def test_no_day_is_left_out_because_there_are_many() -> None:
    plan = Plan(1, 1, False, 0, 0)
    assert len(folds_of(START, START + 1_001 * DAY_MS, BAR_MS, plan)) == 1_000
    with pytest.raises(UsageError, match="1001 folds are more than 1000"):
        folds_of(START, START + 1_002 * DAY_MS, BAR_MS, plan)


def test_what_won_and_lost_nothing_has_the_best_profit_factor(tmp_path: Path) -> None:
    """Nothing to divide by: no gains at all are no such figure, gains without a loss are the highest there is."""
    of, train = study(tmp_path, count=12), (START + 6 * DAY_MS, START + 8 * DAY_MS)
    pairs = candidates(of, fast_bars=(20, 30), slow_bars=(50, 150))
    market = worlds_of(of, pairs)[pairs[0].edits]
    found = {one.edits: scored_over(of, one, *train).figures for one in pairs}
    tried = [Tried(one, market, found[one.edits]) for one in pairs]
    ranked = [one.figures for one in best_first(tried, "profit_factor") if one.figures]
    known = [(one.total_trades, one.profit_factor) for one in ranked]
    assert known == [(3, None), (4, Decimal("2.1449")), (0, None), (0, None)]
    (judged,) = walked(of, pairs, [Fold(train, (train[1], train[1] + DAY_MS))], "profit_factor").judged
    assert judged.parameters == {FAST: 30, SLOW: 50}


def test_where_nothing_is_known_to_be_better_nothing_is_traded(tmp_path: Path) -> None:
    """A policy that never trades has no profit factor, so there is nothing to choose by."""
    of = study(tmp_path, of=changed(policy(), {"policy.liquidity.max_spread_bps": 0}), count=6)
    done = walked(
        of, candidates(of, fast_bars=(2,)), folds_of(START, START + 6 * DAY_MS, BAR_MS, Plan(2, 2, False, 0, 0)),
        "profit_factor",
    )  # fmt: skip
    assert [(one.parameters, one.test) for one in done.judged] == [(None, None)] * 2
    assert done.total.degradation is None
    assert done.total.total_pnl_pct == done.total.traded_folds == 0
    assert [(point.at_ms, point.worth) for point in done.equity] == [
        (START + day * DAY_MS, 100.0) for day in range(3, 7)
    ]


def test_a_test_in_which_nothing_is_traded_is_days_of_the_account(tmp_path: Path) -> None:
    """Else the ratio of all tests as one account is that of the busy ones alone, and the curve jumps over the rest."""
    of = study(tmp_path, count=12)
    folds = folds_of(START, START + 12 * DAY_MS, BAR_MS, Plan(1, 1, False, 0, 0))
    done = walked(of, candidates(of, fast_bars=(30,), slow_bars=(150,)), folds, "profit_factor")
    assert {one.test is None for one in done.judged} == {True, False}
    assert [point.at_ms for point in done.equity] == [one.test[1] for one in folds]
    returns = [after / before - 1 for before, after in pairwise([100.0, *(point.worth for point in done.equity)])]
    idle = [one == 0 for one, of in zip(returns, done.judged, strict=True) if of.test is None]
    assert all(idle)
    assert done.total.sharpe == pytest.approx(mean(returns) / stdev(returns) * sqrt(365), rel=1e-6)
