"""The seeded sample market: endless, and any window of it is computed on its own, without walking there.

A day is one block. Its log prices are smooth noise over several periods (the trends) plus a random walk that is
pinned to zero at both midnights (the noise), so neighbouring days join; half of both comes from one market factor.
Random bits are SHA-256 and SHAKE-128 of seed, name and day. Between the bits and the ticks stand only + - * /,
comparisons and rounding, which IEEE 754 fixes exactly, and no exp, log or sin: every platform computes the same
integers.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache
from typing import TypeVar, cast

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles
from trader_core.domain.money import E8, EXACT, GRAIN

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Move = TypeVar("Move", float, Floats)
Columns = tuple[Ints, Ints, Ints, Ints, Ints, Ints]  # open_ms, open, high, low, close, volume

GENERATOR = "sample market 1"  # a new number whenever one price or volume would change
FIRST_MS = EpochMs(1_704_067_200_000 - 90 * DAY_MS)  # 90 days of history before 2024-01-01
HELD_BARS_MAX = 32_768  # per instrument; a longer window is held as long as it is asked for
FACTOR_DAYS_MAX = 512  # days of the market factor kept, 12 KB each
MADE_BARS_MAX = 262_144  # of all instruments together, 48 bytes each
MARKETS_MAX = 2  # of which days are kept, for whoever looks at the same again
CLOSES_MAX = 8_192  # days' closes kept, of all instruments together
KNOTS_MAX = 4_096

_MINUTES = 1_440
_TRENDS = ((61 * _MINUTES, 0.120), (17 * _MINUTES, 0.090), (4 * _MINUTES, 0.065), (1_200, 0.032), (400, 0.0085))
_WALK_PER_MINUTE = 0.00044  # standard deviation of the noise, before the day's volatility
_VOLATILITY_MINUTES = 2_000  # period over which volatility changes
_MARKET = "market"
_MINUTE: Floats = np.arange(_MINUTES + 1, dtype=np.float64)


class Listing(Struct, frozen=True):
    """One coin: where its price hovers, its decimals, its share of the market's and of its own moves, its turnover."""

    base: str
    price: float
    digits: int
    market: float
    own: float
    quote_per_minute: float


LISTINGS = (
    Listing("BTC", 62_000.0, 2, 0.75, 0.60, 600_000.0),
    Listing("ETH", 3_100.0, 2, 0.85, 0.70, 400_000.0),
    Listing("SOL", 145.0, 2, 1.05, 1.00, 150_000.0),
    Listing("XRP", 0.56, 4, 0.85, 0.90, 90_000.0),
    Listing("ADA", 0.42, 4, 0.95, 0.90, 30_000.0),
    Listing("DOGE", 0.125, 5, 1.05, 1.05, 60_000.0),
    Listing("AVAX", 29.0, 2, 1.05, 1.00, 30_000.0),
    Listing("DOT", 6.4, 3, 0.95, 0.90, 30_000.0),
    Listing("LINK", 14.2, 3, 0.95, 0.95, 30_000.0),
    Listing("LTC", 76.0, 2, 0.80, 0.80, 25_000.0),
    Listing("BCH", 410.0, 2, 0.95, 0.95, 30_000.0),
    Listing("UNI", 8.1, 3, 0.95, 1.00, 22_000.0),
    Listing("ATOM", 7.2, 3, 0.90, 0.90, 20_000.0),
    Listing("XLM", 0.105, 6, 0.80, 0.85, 18_000.0),
    Listing("SHIB", 0.0000185, 8, 1.00, 1.05, 30_000.0),
    Listing("MATIC", 0.58, 4, 0.95, 0.95, 25_000.0),
)


class SampleMarket:
    """A CandleSource without an end. The same seed is the same market, whichever window or base bar is asked for."""

    def __init__(self, seed: int, bar_ms: int, min_notional: Decimal) -> None:
        if bar_ms <= 0 or bar_ms % MINUTE_MS or DAY_MS % bar_ms:
            raise ValueError(f"a base bar of {bar_ms} ms is not whole minutes, or does not divide a day")
        self.bar_ms = bar_ms
        self.quote = "USD"
        self.fingerprint = hashlib.sha256(f"{GENERATOR}|{seed}".encode()).hexdigest()
        self.first_ms: EpochMs = FIRST_MS
        self.end_ms: EpochMs | None = None
        self.warnings: tuple[str, ...] = ()
        self._generator = generator_of(seed, bar_ms)
        self._instruments = tuple(_instrument(listing, self.quote, min_notional) for listing in LISTINGS)
        self._held = {
            instrument.symbol: _Held(listing, self._generator)
            for instrument, listing in zip(self._instruments, LISTINGS, strict=True)
        }

    def instruments(self) -> tuple[Instrument, ...]:
        return self._instruments

    def exclusions(self) -> tuple[Exclusion, ...]:
        return ()

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        """Bars that open in [since_ms, until_ms), oldest first, as read-only views; none before `first_ms`."""
        first = -(-max(since_ms, FIRST_MS) // self.bar_ms)
        views = self._held[symbol].window(first, max(first, -(-until_ms // self.bar_ms)))
        return Candles(*(cast("Sequence[int]", column) for column in views))

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        return self._held[symbol].closes(days)


class _Held:
    """The days of one instrument computed last, joined, so that a sliding window is six slices."""

    def __init__(self, listing: Listing, generator: "_Generator") -> None:
        self._listing, self._generator = listing, generator
        self._first = self._end = 0  # bars since the epoch, whole days
        self._columns: Columns = _read_only(tuple(np.zeros(0, np.int64) for _ in range(6)))

    def window(self, first: int, end: int) -> Columns:
        """Bars first..end-1, counted from the epoch."""
        if not self._first <= first <= end <= self._end:
            self._reach(first, end)
        return self._slices(first, end)

    def closes(self, days: range) -> list[int]:
        """The last close of each day since the epoch; 0 for one before the market began."""
        return [self._generator.close(self._listing, day) if day * DAY_MS >= FIRST_MS else 0 for day in days]

    def _slices(self, first: int, end: int) -> Columns:
        a, b = max(first - self._first, 0), max(end - self._first, 0)
        opens, open_, high, low, close, volume = self._columns
        return opens[a:b], open_[a:b], high[a:b], low[a:b], close[a:b], volume[a:b]

    def _reach(self, first: int, end: int) -> None:
        """Hold the days of first..end-1, and of the days held before what adjoins and is not too much."""
        a_day = self._generator.bars_per_day
        low, high = first // a_day * a_day, max(end - 1, first) // a_day * a_day + a_day
        if self._first <= high and low <= self._end:
            joined = min(low, self._first), max(high, self._end)
            if joined[1] - joined[0] <= max(HELD_BARS_MAX, 2 * (high - low)):
                low, high = joined
        kept = max(low, self._first), min(high, self._end)
        if kept[0] >= kept[1]:
            kept = low, low
        pieces = [*self._days(low, kept[0]), self._slices(*kept), *self._days(kept[1], high)]
        self._columns = _read_only(tuple(np.concatenate(column) for column in zip(*pieces, strict=True)))
        self._first, self._end = low, high

    def _days(self, first: int, end: int) -> list[Columns]:
        a_day = self._generator.bars_per_day
        return [self._generator.day(self._listing, day) for day in range(first // a_day, end // a_day)]


class _Generator:
    """Seed, coin and day to bars; a pure function with a memory."""

    def __init__(self, seed: int, bar_ms: int) -> None:
        self._seed, self._bar_ms = seed, bar_ms
        self.bars_per_day = DAY_MS // bar_ms
        self.day = lru_cache(max(MADE_BARS_MAX // self.bars_per_day, 1))(self._day)
        self.close = lru_cache(CLOSES_MAX)(self._close)
        self._market = lru_cache(FACTOR_DAYS_MAX)(self._factor)
        self._knot = lru_cache(KNOTS_MAX)(self._hash)

    def _day(self, listing: Listing, day: int) -> Columns:
        """The bars of one UTC day, made from its minutes, so that every base bar shows the same market."""
        volatility = self._volatility(listing.base, day)
        own = self._path(listing.base, day, volatility)
        prices = _grown(listing.price, listing.market * self._market(day) + listing.own * own)
        dice = self._dice(f"{listing.base}|bars", day) / 65_536.0
        return _read_only(self._bars(day, *_minutes(listing, prices, volatility, dice)))

    def _close(self, listing: Listing, day: int) -> int:
        """The last close of that day: the walk is back at 0 at midnight, so the trends alone make it."""
        log_move = listing.market * self._midnight(_MARKET, day) + listing.own * self._midnight(listing.base, day)
        return max(round(_grown(listing.price, log_move) * 10.0**listing.digits), 1)

    def _midnight(self, series: str, day: int) -> float:
        """The log price at that day's end."""
        path = 0.0
        for period, amplitude in _TRENDS:
            path += amplitude * self._noise_at_end(f"{series}|{period}", day, period)
        return path

    def _bars(self, day: int, open_: Ints, high: Ints, low: Ints, close: Ints, volume: Ints) -> Columns:
        count = self.bars_per_day
        opens = (day * count + np.arange(count, dtype=np.int64)) * self._bar_ms
        highs, lows = high.reshape(count, -1).max(axis=1), low.reshape(count, -1).min(axis=1)
        volumes = volume.reshape(count, -1).sum(axis=1)
        first, last = open_.reshape(count, -1)[:, 0].copy(), close.reshape(count, -1)[:, -1].copy()
        return opens, first, highs, lows, last, volumes

    def _factor(self, day: int) -> Floats:
        return self._path(_MARKET, day, self._volatility(_MARKET, day))

    def _path(self, series: str, day: int, volatility: Floats) -> Floats:
        """Log price at each minute of the day and at the next midnight: the trends plus the pinned walk."""
        path = self._walk(series, day, volatility)
        for period, amplitude in _TRENDS:
            path += amplitude * self._noise(f"{series}|{period}", day, period)
        return path

    def _walk(self, series: str, day: int, volatility: Floats) -> Floats:
        """A random walk from 0 back to 0. A step adds four 16-bit numbers: nearly normal, and bounded."""
        first, second, third, fourth = self._dice(f"{series}|walk", day)
        normal = (first + second + third + fourth - 131_070.0) / 37_837.0
        walk = np.zeros(_MINUTES + 1)
        np.cumsum(_WALK_PER_MINUTE * volatility * normal, out=walk[1:])
        walk -= walk[-1] * (_MINUTE / _MINUTES)
        return walk

    def _volatility(self, series: str, day: int) -> Floats:
        """Between a third and three times the usual, per minute of the day."""
        swing = self._noise(f"{series}|volatility", day, _VOLATILITY_MINUTES)[:-1]
        return np.asarray(np.where(swing > 0, 1.0 + 2.0 * swing, 1.0 / (1.0 - 2.0 * swing)))

    def _noise(self, name: str, day: int, period: int) -> Floats:
        """Smooth noise in (-1, 1) at each minute: hashed knots every `period` minutes, a cubic between them."""
        start = day * _MINUTES + self._hash(f"{name}|phase", 0) % period
        out = np.empty(_MINUTES + 1)
        first, last = start // period, (start + _MINUTES) // period
        knots = [self._hash(name, k) / 2**63 - 1.0 for k in range(first, last + 2)]
        for k in range(first, last + 1):
            a, b = max(k * period - start, 0), min((k + 1) * period - start, _MINUTES + 1)
            share = (_MINUTE[a:b] + float(start - k * period)) / period
            left, right = knots[k - first], knots[k - first + 1]
            out[a:b] = left + (right - left) * (share * share * (3.0 - 2.0 * share))
        return out

    def _noise_at_end(self, name: str, day: int, period: int) -> float:
        """The last of `_noise`."""
        at = (day + 1) * _MINUTES + self._knot(f"{name}|phase", 0) % period
        k, minutes = divmod(at, period)
        left, right = (self._knot(name, n) / 2**63 - 1.0 for n in (k, k + 1))
        share = minutes / period
        return left + (right - left) * (share * share * (3.0 - 2.0 * share))

    def _hash(self, name: str, index: int) -> int:
        return int.from_bytes(hashlib.sha256(self._name(name, index)).digest()[:8], "little")

    def _dice(self, name: str, day: int) -> Floats:
        """Four rows of whole numbers in 0..65535, one column per minute of the day."""
        bits = hashlib.shake_128(self._name(name, day)).digest(8 * _MINUTES)
        return np.frombuffer(bits, "<u2").reshape(4, _MINUTES).astype(np.float64)

    def _name(self, name: str, index: int) -> bytes:
        return f"{GENERATOR}|{self._seed}|{name}|{index}".encode()


generator_of = lru_cache(MARKETS_MAX)(_Generator)


def _minutes(listing: Listing, prices: Floats, volatility: Floats, dice: Floats) -> tuple[Ints, Ints, Ints, Ints, Ints]:
    """Open, high, low, close in ticks and volume in lots, per minute, from the prices at its ends and four dice."""
    scale = 10.0**listing.digits
    reach = _WALK_PER_MINUTE * volatility
    opens = prices[:-1] * (1.0 + 0.4 * reach * (dice[0] - 0.5))  # the small gap to the last close
    open_ = np.maximum(np.rint(opens * scale), 1.0)
    close = np.maximum(np.rint(prices[1:] * scale), 1.0)
    wick_up, wick_down = (reach * 1.2 * dice[k] * dice[k] for k in (1, 2))
    high = np.floor(np.maximum(open_, close) * (1.0 + wick_up))
    low = np.maximum(np.ceil(np.minimum(open_, close) * (1.0 - wick_down)), 1.0)
    move = np.abs(prices[1:] - prices[:-1]) / (prices[:-1] * _WALK_PER_MINUTE)
    turnover = listing.quote_per_minute * (0.15 + dice[3] * dice[3]) * volatility * (0.6 + 0.4 * move)
    lots = np.floor(turnover * E8 / close)  # one tick times one lot is 1e-8 quote
    as_ints = [np.asarray(column, np.int64) for column in (open_, high, low, close, lots)]
    return as_ints[0], as_ints[1], as_ints[2], as_ints[3], as_ints[4]


def _grown(price: float, log_move: Move) -> Move:
    """`price` times (1 + x/256)^256: exp by eight squarings, which is the same on every machine."""
    factor = 1.0 + log_move / 256.0
    for _ in range(8):
        factor = factor * factor
    return price * factor


def _instrument(listing: Listing, quote: str, min_notional: Decimal) -> Instrument:
    tick = Decimal(1).scaleb(-listing.digits)
    lot = EXACT.divide(GRAIN, tick)
    return Instrument(f"{listing.base}-{quote}", listing.base, quote, tick, lot, min_notional)


def _read_only(columns: tuple[Ints, ...]) -> Columns:
    for column in columns:
        column.setflags(write=False)
    return cast("Columns", columns)
