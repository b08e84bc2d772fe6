"""The sample market is endless, and the same whichever window of it is asked for."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, parse_utc
from trader_core.domain.market import Candles
from trader_core.venues.simulated.sample import FIRST_MS, LISTINGS, MARKETS_MAX, SampleMarket, generator_of

M15 = 15 * MINUTE_MS
START = parse_utc("2024-01-01")
PINNED = [(6033789, 6043937, 6022234, 6025382, 45160611), (6025655, 6033395, 6010529, 6027223, 67106066)]
SYMBOLS = [f"{listing.base}-USD" for listing in LISTINGS]


def market(seed: int = 1, bar_ms: int = M15) -> SampleMarket:
    """One that makes its days itself, whatever was made before."""
    generator_of.cache_clear()
    return known(seed, bar_ms)


def known(seed: int = 1, bar_ms: int = M15) -> SampleMarket:
    return SampleMarket(seed, bar_ms, Decimal(1))


def columns(candles: Candles) -> list[list[int]]:
    names = ("open_ms", "open", "high", "low", "close", "volume")
    return [np.asarray(getattr(candles, name)).tolist() for name in names]


def days(source: SampleMarket, symbol: str, count: int, since_ms: int = START) -> Candles:
    return source.candles(symbol, since_ms, since_ms + count * DAY_MS)


@settings(max_examples=40, deadline=None)
@given(
    windows=st.lists(st.tuples(st.integers(0, 8 * 96), st.integers(0, 3 * 96)), min_size=1, max_size=6),
    symbol=st.sampled_from(SYMBOLS),
    seed=st.integers(0, 2**63),
)
def test_any_window_is_a_slice_of_a_larger_one(windows: list[tuple[int, int]], symbol: str, seed: int) -> None:
    whole = columns(days(market(seed), symbol, 12))
    piecewise = market(seed)
    for first, count in windows:
        window = piecewise.candles(symbol, START + first * M15, START + (first + count) * M15)
        assert columns(window) == [column[first : first + count] for column in whole]


def test_windows_far_apart_and_backwards_agree_with_fresh_ones() -> None:
    reader = market()
    for day in (400, 3, 399, 0, 2_000, 401):
        assert columns(days(reader, "ETH-USD", 2, START + day * DAY_MS)) == columns(
            days(market(), "ETH-USD", 2, START + day * DAY_MS)
        )


def test_markets_that_are_looked_at_in_turn_are_each_as_if_alone() -> None:
    """Also where more are looked at than are kept, and nobody can write into what others look at."""
    asked = [(seed, bar_ms) for seed in range(MARKETS_MAX) for bar_ms in (M15, 2 * M15)]
    alone = {one: columns(days(market(*one), "ETH-USD", 3)) for one in asked}
    for one in asked * 2:
        seen, a_day, first = known(*one), DAY_MS // one[1], START // DAY_MS
        assert columns(days(seen, "ETH-USD", 3)) == alone[one]
        assert seen.day_closes("ETH-USD", range(first, first + 3)) == alone[one][4][a_day - 1 :: a_day]
        assert not np.asarray(days(seen, "ETH-USD", 1).close).flags.writeable


def test_a_window_is_half_open_off_the_grid_too() -> None:
    candles = market().candles("BTC-USD", START + 1, START + 2 * M15 + 1)
    assert columns(candles)[0] == [START + M15, START + 2 * M15]
    assert columns(market().candles("BTC-USD", START + M15, START)) == [[]] * 6


def test_the_seed_is_the_market() -> None:
    assert columns(days(market(7), "SOL-USD", 2)) == columns(days(market(7), "SOL-USD", 2))
    assert columns(days(market(7), "SOL-USD", 2)) != columns(days(market(8), "SOL-USD", 2))
    assert market(7).fingerprint == market(7, MINUTE_MS).fingerprint != market(8).fingerprint


def test_the_first_bars_of_seed_one_are_these() -> None:
    """Fixed numbers: a change of the generator needs a new GENERATOR name, because states carry its fingerprint."""
    candles = market().candles("BTC-USD", START, START + 2 * M15)
    assert list(zip(*columns(candles)[1:], strict=True)) == PINNED


@pytest.mark.parametrize("symbol", ["BTC-USD", "SHIB-USD"])
def test_coarser_bars_are_the_same_market(symbol: str) -> None:
    fine = [np.array(column).reshape(-1, 15) for column in columns(days(market(bar_ms=MINUTE_MS), symbol, 1))]
    expected = [fine[0][:, 0], fine[1][:, 0], fine[2].max(1), fine[3].min(1), fine[4][:, -1], fine[5].sum(1)]
    assert columns(days(market(), symbol, 1)) == [column.tolist() for column in expected]


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_days_close_is_that_of_its_last_bar_though_nothing_but_the_trends_was_looked_at(symbol: str) -> None:
    source, first = market(7), FIRST_MS // DAY_MS
    bars = days(source, symbol, 40, FIRST_MS)
    assert list(source.day_closes(symbol, range(first - 2, first + 40))) == [0, 0, *list(bars.close)[95::96]]


def test_it_has_90_days_of_history_and_no_end() -> None:
    source = market()
    assert (source.first_ms, source.end_ms, source.quote) == (parse_utc("2023-10-03"), None, "USD")
    assert columns(source.candles("BTC-USD", 0, source.first_ms + M15))[0] == [source.first_ms]
    assert len(days(source, "BTC-USD", 3, parse_utc("2040-02-28")).open_ms) == 3 * 96


def test_sixteen_instruments_count_in_grains() -> None:
    instruments = market().instruments()
    assert [instrument.symbol for instrument in instruments] == SYMBOLS
    assert len(set(SYMBOLS)) == 16
    assert all(i.grains_per_unit == 1 and i.quote == "USD" and i.min_notional == 1 for i in instruments)
    assert market().exclusions() == ()


def test_bars_are_sound_joined_and_traded() -> None:
    source = market()
    for symbol, listing in zip(SYMBOLS, LISTINGS, strict=True):
        _, open_, high, low, close, volume = map(np.array, columns(days(source, symbol, 20)))
        assert np.all((low > 0) & (low <= np.minimum(open_, close)) & (high >= np.maximum(open_, close)))
        assert np.all(np.abs(open_[1:] - close[:-1]) <= 0.002 * close[:-1] + 1)
        turnover = close * volume / 1e8
        assert 10_000 < np.quantile(turnover, 0.01) < np.quantile(turnover, 0.99) < 30_000_000
        assert listing.price / 3 < np.median(close) / 10**listing.digits < listing.price * 3


def log_returns(source: SampleMarket, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    closes = [np.asarray(days(source, symbol, count).close, np.float64) for symbol in SYMBOLS]
    return np.diff(np.log(np.array(closes)))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_coins_move_together_by_half_and_by_a_few_percent_a_day(seed: int) -> None:
    returns = log_returns(market(seed), 60)
    correlation = np.asarray(np.corrcoef(returns))[np.triu_indices(16, 1)].mean()
    daily = returns[:, : 59 * 96].reshape(16, 59, 96).sum(axis=2).std()
    assert 0.35 < correlation < 0.65
    assert 0.02 < daily < 0.06


def crosses(close: Sequence[int]) -> list[int]:
    fast, slow = (np.convolve(close, np.ones(n) / n, "valid") for n in (10, 50))
    above = fast[40:] > slow
    return (np.flatnonzero(above[1:] & ~above[:-1]) + 50).tolist()


def test_a_trend_follower_has_work_stops_and_targets() -> None:
    source, entries, stops, targets = market(), 0, 0, 0
    for symbol in SYMBOLS:
        _, _, high, low, close, _ = map(np.array, columns(days(source, symbol, 30)))
        for at in crosses(close.tolist()):
            entries += 1
            ahead = slice(at + 1, at + 1 + 5 * 96)
            stopped = np.flatnonzero(low[ahead] <= close[at] * 0.95)[:1].tolist() or [10**9]
            reached = np.flatnonzero(high[ahead] >= close[at] * 1.10)[:1].tolist() or [10**9]
            stops += stopped < reached
            targets += reached < stopped
    assert 5 < entries / 30 < 40
    assert stops > entries / 20
    assert targets > entries / 40


def test_views_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="read-only"):
        days(market(), "BTC-USD", 1).close[0] = 1  # type: ignore[index]


@pytest.mark.parametrize("bar_ms", [0, -M15, 1_000, 7 * MINUTE_MS])
def test_a_base_bar_must_divide_a_day(bar_ms: int) -> None:
    with pytest.raises(ValueError, match="base bar"):
        market(bar_ms=bar_ms)
