"""A backtest's report: the integer fold is the ledger's, every figure adds up, and the same replay is the same text."""

import json
from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.laws.make import FOUR
from tests.report.replays import AXES, CASH, START, Tale, days, tales
from trader_core.domain.book import Book, Holding
from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.fill import Fill
from trader_core.domain.money import E8, Base, Quote, from_grains, plain
from trader_core.domain.values import as_dict
from trader_core.engine.replay import Executed
from trader_core.ledger.fold import apply
from trader_core.report.backtest import (
    Measured,
    Metadata,
    Setting,
    candle_digests,
    document,
    measured,
    silences,
    summary,
)
from trader_core.report.costs import costs
from trader_core.report.curve import curve_of, monthly, points_of, series, step_h_of
from trader_core.report.exposure import exposure
from trader_core.report.performance import Tried, performance
from trader_core.report.rounds import folded, open_records, trade_records
from trader_core.report.trades import Open, Step, Trade, pct, positions_of, ratio
from trader_core.report.written import ratio_text, text_of
from trader_core.research.chance import stream
from trader_core.rulebook import codes

THEMES = {one.base: f"theme of {one.base}" for one in FOUR}


def ledgered(fills: Sequence[Executed]) -> tuple[Book, tuple[Trade, ...], tuple[Open, ...]]:
    """Every fill folded by the ledger's own rule."""
    book = apply(Book(), CashFlow(Quote(from_grains(CASH)), EpochMs(0), "initial", ""))
    steps: list[Step] = []
    for number, one in enumerate(fills):
        before = book.holdings.get(one.symbol, Holding())
        fill = Fill(
            f"{number}", "", one.symbol, one.side, one.price, Base(one.quantity), Quote(one.value), Quote(one.fee),
            one.at_ms,
        )  # fmt: skip
        book = apply(book, Filled(fill, str(number)))
        steps.append(Step(one, before, book.holdings[one.symbol]))
    return book, *positions_of(steps)


def words(of: Trade | Open) -> dict[str, str]:
    return {
        name.replace("_ms", "_time"): rfc3339(value) if name.endswith("_ms") else
        plain(value) if isinstance(value, Decimal) else value
        for name, value in as_dict(of).items()
    }  # fmt: skip


def unsigned(text: object) -> object:
    """There is one zero."""
    return "0" if text == "-0" else text


@settings(max_examples=80, deadline=None)
@given(tales())
def test_the_integer_fold_is_the_ledgers_fold(tale: Tale) -> None:
    told = tale.told()
    book, trades, left = ledgered(told.fills)
    found = folded(told)
    ours = trade_records(told, found.trades)
    theirs = [{name: unsigned(value) for name, value in words(one).items()} for one in trades]
    assert [{name: one[name] for name in theirs[0]} for one in ours] == theirs if theirs else ours == []
    assert open_records(told, found.left) == [words(one) for one in left]
    figures, pnls = summary(measured(told, CASH)), [one.pnl for one in trades]
    won, lost = sum(one for one in pnls if one > 0), -sum(one for one in pnls if one <= 0)
    assert figures.realised == book.realised
    assert figures.fees == sum(one.fee for one in told.fills)
    assert figures.win_rate == pct(Decimal(sum(one > 0 for one in pnls)), Decimal(len(pnls)))
    assert figures.profit_factor == (ratio(Decimal(won), Decimal(lost)) if lost else None)
    winners = [one.pnl_pct for one in trades if one.pnl > 0]
    assert figures.average_win_pct == ratio(sum(winners, Decimal(0)), Decimal(len(winners)))


@given(st.integers(-(10**6), 10**6), st.integers(-2_000, 2_000))
@example(1, 20_000)
@example(3, 20_000)
@example(-1, 20_000)
def test_ratios_are_rounded_as_the_ledgers_are(part: int, whole: int) -> None:
    """Halves to even."""
    assert Decimal(ratio_text(part, whole)) == ratio(Decimal(part), Decimal(whole))


def test_a_trade_says_what_its_stop_put_at_risk_and_the_regime_it_was_decided_in() -> None:
    tale = Tale(regime=codes.BULL).fill(3, 0, codes.ENTRY, 10, 100, 1000 * E8, 6 * E8, stop_bps=200)
    tale.fill(9, 0, codes.STOP, 10, 90, 950 * E8, 4 * E8, reason=codes.BY_STOP)
    (one,) = trade_records(tale.told(), folded(tale.told()).trades)
    assert (one["pnl"], one["r"], one["regime"]) == ("-60", -3.0, "bull")
    assert one["exit_reason"] == "stop"


# --- the curve -------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-1, 10**14), min_size=1, max_size=60), st.integers(1, 10**14))
def test_the_drawdown_is_the_plain_one_to_the_last_digit(worths: list[int], initial: int) -> None:
    """As by going through the equities one by one; times of unknown worth are passed over."""
    high, deepest = Decimal(0), Decimal(0)
    for one in worths:
        if one >= 0:
            high = max(high, Decimal(one))
            deepest = max(deepest, pct(high - one, high))
    told = Tale(rows=len(worths), worth=dict(enumerate(worths))).told()
    assert Decimal(curve_of(told, initial).deepest_fall).scaleb(-4) == deepest


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(1, 10**13), min_size=2, max_size=30), st.integers(1, 90), st.data())
def test_a_flow_is_neither_gain_nor_loss(tenths: list[int], tenth: int, data: st.DataObject) -> None:
    """Whatever is added or taken at a row, the index tells of the same trading as without."""
    row, worths = data.draw(st.integers(1, len(tenths) - 1)), [10 * one for one in tenths]
    moved = [*worths[:row], *(one * tenth for one in tenths[row:])]
    flows = [(row, moved[row] - worths[row])]
    plainly = curve_of(Tale(rows=len(worths), worth=dict(enumerate(worths))).told(), worths[0])
    flowed = curve_of(Tale(rows=len(worths), worth=dict(enumerate(moved)), flows=flows).told(), worths[0])
    assert flowed.growth == plainly.growth
    assert flowed.index.tolist() == pytest.approx(plainly.index.tolist(), rel=1e-12)
    assert flowed.flows == flows[0][1]


def test_money_that_lies_idle_earns_nothing_whatever_comes_and_goes() -> None:
    flows = [(0, 500 * E8), (30, 100 * E8), (30, 200 * E8), (40, -10_000 * E8)]
    worth = {0: CASH + 500 * E8, 30: CASH + 800 * E8, 40: 800 * E8}
    of = measured(Tale(flows=flows, worth=worth, cash=800 * E8).told(), CASH)
    figures = summary(of)
    assert {figures.total_pnl, figures.total_pnl_pct, figures.max_drawdown_pct, figures.unrealised} == {Decimal(0)}
    assert figures.flows == -9_200
    assert set(of.curve.daily().tolist()) == {0.0}


@settings(max_examples=30, deadline=None)
@example(1_600)
@given(st.integers(1, 30_000))
def test_a_deposit_to_an_account_that_trades_nothing_leaves_no_figure(amount: int) -> None:
    """1,600 to 10,000 once rounded to a loss of 1e-16, and from that came a Sharpe ratio of -7."""
    grains = amount * E8
    of = measured(Tale(rows=240, flows=[(30, grains)], worth={30: CASH + grains}).told(), CASH)
    assert of.curve.index.tolist() == [CASH] * 240
    found = performance(of.curve, of.trades, None, stream(1, 1))
    assert [found[name]["value"] for name in ("sharpe", "sortino", "calmar")] == [None] * 3
    assert found["under_water"] == {"longest_hours": 0.0, "share_pct": 0.0}


def test_daily_returns_start_from_what_was_there_and_months_compound_to_the_whole() -> None:
    curve = curve_of(days(10_100, 10_100, 9_999, 10_499).told(), CASH)
    assert curve.daily().tolist() == pytest.approx([0.01, 0.0, -0.01, 10_499 / 9_999 - 1])
    long = curve_of(days(*range(10_000, 10_090)).told(), CASH)
    months = monthly(long)
    assert [one["month"] for one in months] == ["2024-03", "2024-04", "2024-05", "2024-06"]
    grown = 1.0
    for one in months:
        grown *= 1 + one["return_pct"] / 100
    assert grown == pytest.approx(float(long.growth), rel=1e-9)


def test_what_is_unknown_at_the_end_is_said_and_not_guessed() -> None:
    figures = summary(measured(Tale(worth={40: -1}).told(), CASH))
    assert (figures.final_equity, figures.total_pnl, figures.total_pnl_pct, figures.unrealised) == (None,) * 4


def test_a_series_shows_every_step_and_the_depth_between() -> None:
    told = Tale(rows=24 * 60, worth={0: CASH, 100: CASH // 2, 101: CASH}).told()
    curve = curve_of(told, CASH)
    points = series(curve, points_of(curve))["points"]
    assert step_h_of(told) == 4
    assert len(points) == len({one["time"] for one in points}) == 24 * 60 // 4 + 1
    assert [one["equity"] for one in points if one["drawdown_pct"] == 50.0] == ["5000"]
    assert points[-1]["time"] == rfc3339(int(told.at_ms[-1]))


def test_a_long_series_has_few_points() -> None:
    tale = Tale(rows=4_000 * 24)
    assert 900 <= len(points_of(curve_of(tale.told(), CASH))) <= 1_001


# --- costs and exposure ----------------------------------------------------------------------------------------------


def test_costs_are_taken_apart_by_where_each_fill_began() -> None:
    """BTC: a lot at a tick of a cent is a hundredth of a grain. Half a spread of 1 % around the opening of 200."""
    lots = 10**10
    tale = Tale(close=190).fill(2, 0, codes.ENTRY, lots, 203, 203 * 10**8, 5, opens=True)
    tale.fill(5, 0, codes.STOP, lots // 2, 148, 74 * 10**8, 3, kind=codes.STOP_MARKET, trigger=170)
    tale.fill(6, 0, codes.STOP, lots // 4, 168, 42 * 10**8, kind=codes.STOP_MARKET, trigger=172)
    tale.fill(8, 0, codes.ENTRY, lots, 188, 188 * 10**8, 1, kind=codes.MAKER)
    told = tale.told()
    opens = np.array([200, 150, 180, 999], np.int64)
    bought, sold = (203 + 188) * 10**8, (74 + 42) * 10**8
    tale.cash = CASH - bought + sold - 9 - 77
    found = costs(tale.told(), folded(told).fills, opens, 10_000, CASH)
    assert found["spread"] == plain(from_grains(2 * 10**8 - 2 * 10**8)), "the taker paid 2, the maker saved 2"
    assert found["slippage"] == plain(from_grains(3 * 10**8)), "1 of 200, 2 of 150 on half, 4 of 172 on a quarter"
    assert found["drift"] == plain(from_grains(10 * 10**8 + 10 * 10**8)), "190 to 200, and 170 to 150 on half"
    assert (found["fees"], found["entry_fees"], found["exit_fees"]) == ("0.00000009", "0.00000006", "0.00000003")
    assert found["funding"] == "0.00000077"
    assert found["total"] == plain(from_grains(3 * 10**8 + 9 + 77))


def test_exposure_is_what_was_held_at_each_point() -> None:
    lots = 10**10  # at 10,000 ticks worth 1e12 grains: 1 % ... of 1e12 cash all of it
    tale = Tale(worth={0: 4 * 10**12}).fill(2, 0, codes.ENTRY, lots, 10_000, 10**12)
    tale.fill(4, 2, codes.ENTRY, 10**8, 10_000, 10**12).fill(6, 0, codes.EXIT, lots, 10_000, 10**12)
    told = tale.told()
    found, points = folded(told), np.arange(8)
    shares = exposure(told, found.fills, found.left, points, THEMES)
    assert shares["by_asset"]["BTC"] == [0.0, 0.0, 25.0, 25.0, 25.0, 25.0, 0.0, 0.0]
    assert shares["by_asset"]["ETH"] == [0.0] * 4 + [25.0] * 4
    assert shares["by_theme"]["theme of ETH"] == shares["by_asset"]["ETH"]


def test_what_was_written_off_is_held_no_more_even_if_it_comes_back() -> None:
    told = Tale(worth={0: 4 * 10**12}).fill(1, 0, codes.ENTRY, 10**10, 10_000, 10**12).told()
    told.close[5:7, 0] = 0
    found = folded(told)
    shares = exposure(told, found.fills, found.left, np.arange(9), THEMES)
    assert shares["by_asset"]["BTC"] == [0.0] + [25.0] * 4 + [0.0] * 4


def test_a_silent_venue_delists_nothing() -> None:
    told = Tale(worth={0: 4 * 10**12}).fill(1, 0, codes.ENTRY, 10**10, 10_000, 10**12).told()
    told.close[5:7] = 0
    found = folded(told)
    assert exposure(told, found.fills, found.left, np.array([8]), THEMES)["by_asset"]["BTC"] == [25.0]


# --- the whole document ----------------------------------------------------------------------------------------------


def report(of: Measured, seed: int = 1, full: bool = False) -> dict[str, object]:
    about = Metadata(
        "1", "law", 2, None, seed, START, START, 60, "data", candle_digests(of.told), "config", "USD",
        tuple(one.symbol for one in FOUR), (), silences(of.told),
    )  # fmt: skip
    setting = Setting(THEMES, 500, of.told.filled[:, 4])
    return document(of, about, setting, Tried(1, ()), stream(seed, 1), trades=True, full=full)


@settings(max_examples=8, deadline=None)
@given(tales(), st.booleans())
def test_a_report_is_json_the_same_again_and_its_parts_add_up(tale: Tale, full: bool) -> None:
    told = report(measured(tale.told(), CASH), full=full)
    text = text_of(told)
    assert text == text_of(report(measured(tale.told(), CASH), full=full))
    found = json.loads(text)
    assert found == json.loads(json.dumps(told, allow_nan=False))
    for part in found["breakdown"].values():
        assert sum(one["trades"] for one in part.values()) == len(found["trades"])
        assert sum(Decimal(one["pnl"]) for one in part.values()) == sum(Decimal(one["pnl"]) for one in found["trades"])
    points = len(found["series"]["points"])
    assert all(len(column) == points for part in found["exposure"].values() for column in part.values())
    assert ("fills" in found) == full


def test_verdicts_are_counted_by_name_and_by_strategy() -> None:
    ok, held, cash = codes.Verdict.OK, codes.Verdict.HELD, codes.Verdict.CASH
    judged = [(0, 0, 0, ok), (1, 0, 0, held), (1, 2, 1, held), (2, 0, 1, cash)]
    found = report(measured(Tale(judged=judged).told(), CASH))
    assert found["verdict_counts"] == {"CASH": 1, "HELD": 2, "OK": 1}
    assert found["verdicts_by_strategy"] == {"one": {"HELD": 1, "OK": 1}, "two": {"CASH": 1, "HELD": 1}}


def test_what_was_unknown_is_a_warning() -> None:
    told = Tale(worth={3: -1, 5: CASH}).told()
    told.regime[:6] = codes.UNKNOWN
    regime, worth = silences(told)
    assert "first 6 hours" in regime and "unknown at 2 of 48 decisions" in worth


def test_another_candle_is_another_digest() -> None:
    told, other = Tale().told(), Tale().told()
    other.close[7, 1] += 1
    changed = {one for one, digest in candle_digests(told).items() if candle_digests(other)[one] != digest}
    assert changed == {AXES.instruments[1].symbol}
