"""The generated market: the same seed is the same market, candles agree with each other, and it stays quiet."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader_core.loopback.market import DAY_MS, MINUTE_MS, Feed, Generated, Pin, Rows, resampled
from trader_core.loopback.products import listed

DAY = 19_700
NOW_MS = DAY * DAY_MS + 7 * 3_600_000 + 13 * MINUTE_MS + 21_000
STEPS_MIN = (5, 15, 30, 60, 120, 360, 1_440)


def feed(seed: int = 1, product: str = "ETH-USD") -> Feed:
    return Feed(Generated(seed, listed()[product], NOW_MS - 90 * DAY_MS))


def same(a: Rows, b: Rows) -> bool:
    names = ("ts", "open", "high", "low", "close", "volume")
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)


def test_the_same_seed_is_the_same_market() -> None:
    def digest(seed: int) -> str:
        rows = feed(seed).candles(MINUTE_MS, NOW_MS - DAY_MS, NOW_MS, NOW_MS)
        return hashlib.sha256(b"".join(column.tobytes() for column in (rows.open, rows.close, rows.volume))).hexdigest()

    assert digest(1) == digest(1) != digest(2)


def test_the_first_seed_is_what_it_has_always_been() -> None:
    rows = feed(1, "BTC-USD").candles(3_600_000, DAY * DAY_MS, DAY * DAY_MS + 1, NOW_MS)
    first = [int(column[0]) for column in (rows.open, rows.high, rows.low, rows.close, rows.volume)]
    assert first == [6226009, 6226736, 6220137, 6224064, 53152350973]


@pytest.mark.parametrize("minutes", STEPS_MIN)
def test_every_candle_is_made_of_minutes(minutes: int) -> None:
    one, step = feed(), minutes * MINUTE_MS
    since = (NOW_MS - 4 * DAY_MS) // step * step
    wide = one.candles(step, since, NOW_MS, NOW_MS)
    assert same(wide, resampled(one.candles(MINUTE_MS, since, NOW_MS, NOW_MS), step))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 3 * DAY_MS), st.sampled_from((1, *STEPS_MIN)), st.booleans())
def test_a_finished_candle_never_changes(later_ms: int, minutes: int, pinned: bool) -> None:
    one, step = feed(), minutes * MINUTE_MS
    if pinned:
        one.pin(Pin(NOW_MS - 2_000, 300_000))
    closed = NOW_MS // step * step
    now, then = (one.candles(step, closed - 3 * step, closed, at_ms) for at_ms in (NOW_MS, NOW_MS + later_ms))
    assert len(now) == 3 and same(now, then)


def test_the_newest_candle_ends_at_the_price_of_now() -> None:
    one = feed()
    for at_ms in range(NOW_MS, NOW_MS + 120_000, 7_000):
        newest = one.candles(MINUTE_MS, at_ms - 120_000, at_ms, at_ms)
        assert int(newest.ts[-1]) == at_ms // MINUTE_MS * MINUTE_MS
        assert int(newest.close[-1]) == one.price(at_ms)


def test_ninety_days_lie_behind_it_and_nothing_before() -> None:
    one = feed()
    rows = one.candles(DAY_MS, NOW_MS - 200 * DAY_MS, NOW_MS, NOW_MS)
    assert len(rows) == 91 and np.all(np.diff(rows.ts) == DAY_MS)
    assert one.price(int(rows.ts[0]) - 1) is None


@pytest.mark.parametrize("product", [name for name, one in listed().items() if not one.alias])
def test_it_stays_quiet(product: str) -> None:
    """Never through 0.8 of a bid or 1.5 of an ask, whenever one starts; and minutes join without a jump."""
    rows = feed(3, product).candles(3_600_000, NOW_MS - 12 * DAY_MS, NOW_MS, NOW_MS)
    lowest, highest = int(rows.low.min()), int(rows.high.max())
    one = listed()[product]
    assert lowest > 0.8 * highest and highest < 1.5 * lowest
    assert abs(lowest / 10**one.price_digits / one.price - 1) < 0.06
    assert np.array_equal(rows.open[1:-1], rows.close[:-2])
    assert np.all(rows.low <= np.minimum(rows.open, rows.close)) and np.all(rows.volume > 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 200_000), st.integers(1, 10**6)), max_size=6), st.integers(0, 200_000))
def test_bars_join_whatever_was_pinned(pins: list[tuple[int, int]], until_ms: int) -> None:
    one = feed()
    for after_ms, price in sorted(pins):
        one.pin(Pin(NOW_MS + after_ms, price))
    bars = one.bars(NOW_MS, NOW_MS + until_ms)
    assert [bar.open for bar in bars] == [one.price(NOW_MS), *(bar.close for bar in bars[:-1])][: len(bars)]
    assert [bar.end_ms for bar in bars] == sorted({bar.end_ms for bar in bars})
    assert not bars or bars[-1].end_ms <= NOW_MS + until_ms
    assert (bars[-1].close if bars else one.price(NOW_MS)) == one.price(NOW_MS + until_ms)
