"""Candles of a live market: only what is new is asked for, what is kept stays, and nothing is made up."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trader_core.candles.fetched import CALL_BARS, FetchedCandles
from trader_core.candles.files import Rows
from trader_core.candles.folder import open_folder
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs
from trader_core.domain.errors import DataUnavailable, VenueUnavailable
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.values import replace

BAR_MS = 15 * MINUTE_MS
START = 1_700_000_100_000 // BAR_MS * BAR_MS
BTC = Instrument("BTC-USD", "BTC", "USD", Decimal("0.01"), Decimal("0.00000001"), Decimal(1))


@dataclass(frozen=True)
class Listing:
    instruments: tuple[Instrument, ...] = (BTC,)
    exclusions: tuple[Exclusion, ...] = ()


@dataclass
class Market:
    """A venue with some bars; it answers for at most one call's worth, and counts what it is asked."""

    absent: frozenset[int] = frozenset()
    calls: list[tuple[int, int]] = field(default_factory=list)
    silent: bool = False
    step_ms: int = BAR_MS
    born_ms: int = 0

    def fetch(self, symbol: str, since_ms: int, until_ms: int) -> Rows:
        if self.silent:
            raise VenueUnavailable("nobody answers")
        assert symbol == "BTC-USD"
        assert 0 < until_ms - since_ms <= CALL_BARS * self.step_ms
        self.calls.append((since_ms, until_ms))
        times = [at for at in range(since_ms, until_ms, self.step_ms) if (at - START) // BAR_MS not in self.absent]
        times = [at for at in times if at + self.step_ms > self.born_ms]
        closes = np.array([close_of(at) for at in times])
        return Rows(np.array(times, np.int64), closes, closes + 1, closes - 1, closes, np.full(len(times), 2.5))


def close_of(at_ms: int) -> float:
    return 60_000.0 + (at_ms - START) // BAR_MS % 100 / 100


def source_of(folder: Path, market: Market, since_ms: int = START) -> FetchedCandles:
    return FetchedCandles(BAR_MS, "USD", "somewhere", EpochMs(since_ms), folder, market.fetch, Listing)


def times(bars: Iterable[int]) -> list[int]:
    return [START + n * BAR_MS for n in bars]


def test_ticks_and_lots_are_the_venues_own(tmp_path: Path) -> None:
    found = source_of(tmp_path, Market()).candles("BTC-USD", START, START + 2 * BAR_MS)
    assert list(found.close) == [6_000_000, 6_000_001]
    assert list(found.high) == [6_000_100, 6_000_101]
    assert list(found.volume) == [250_000_000, 250_000_000]


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 700)), min_size=1, max_size=5),
    st.sets(st.integers(0, 1_600), max_size=30),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_asked_is_what_the_venue_has(
    tmp_path_factory: pytest.TempPathFactory, asked: Sequence[tuple[int, int]], absent: set[int], restarts: bool
) -> None:
    """Time goes on from question to question. A restart finds on disk what was there before."""
    folder, market = tmp_path_factory.mktemp("candles"), Market(frozenset(absent))
    source = source_of(folder, market)
    for begin, length in sorted(asked, key=lambda one: one[0] + one[1]):
        found = source.candles("BTC-USD", *times((begin, begin + length)))
        assert list(found.open_ms) == times(n for n in range(begin, begin + length) if n not in absent)
        if restarts:
            source = source_of(folder, market)


def test_what_is_kept_is_not_asked_for_again(tmp_path: Path) -> None:
    market = Market()
    source_of(tmp_path, market).candles("BTC-USD", *times((0, 700)))
    assert market.calls == [tuple(times((600, 700))), tuple(times((300, 600))), tuple(times((0, 300)))], "newest first"
    del market.calls[:]
    again = source_of(tmp_path, market)
    again.candles("BTC-USD", *times((0, 700)))
    assert market.calls == []
    again.candles("BTC-USD", *times((1, 701)))
    again.candles("BTC-USD", *times((1, 701)))
    assert market.calls == [tuple(times((700, 701)))]


def test_a_bar_that_comes_late_is_taken_in(tmp_path: Path) -> None:
    market = Market(frozenset({9}))
    source = source_of(tmp_path, market)
    assert len(source.candles("BTC-USD", *times((0, 10))).close) == 9
    market.absent = frozenset()
    assert len(source.candles("BTC-USD", *times((0, 10))).close) == 10


def test_a_bar_that_is_kept_never_changes(tmp_path: Path) -> None:
    market = Market()
    source = source_of(tmp_path, market)
    before = list(source.candles("BTC-USD", *times((0, 10))).close)
    honest = market.fetch

    def lying(symbol: str, since_ms: int, until_ms: int) -> Rows:
        rows = honest(symbol, since_ms - BAR_MS, until_ms)
        return Rows(rows.ts, rows.open * 2, rows.high * 2, rows.low * 2, rows.close * 2, rows.volume)

    source.fetch = lying
    after = list(source.candles("BTC-USD", *times((0, 11))).close)
    assert after[:10] == before


def test_what_was_fetched_before_the_line_died_is_kept(tmp_path: Path) -> None:
    market = Market()
    source = source_of(tmp_path, market)
    source.candles("BTC-USD", *times((0, 300)))
    market.silent = True
    with pytest.raises(VenueUnavailable, match="nobody answers"):
        source.candles("BTC-USD", *times((0, 400)))
    assert len(source.candles("BTC-USD", *times((0, 300))).close) == 300


def test_a_bar_that_opens_before_the_end_is_in(tmp_path: Path) -> None:
    found = source_of(tmp_path, Market()).candles("BTC-USD", START - 1, START + BAR_MS + 1)
    assert list(found.open_ms) == times((0, 1))


def test_a_young_coin_is_not_asked_again_for_what_it_never_had(tmp_path: Path) -> None:
    market = Market(frozenset(range(650)))
    assert len(source_of(tmp_path, market).candles("BTC-USD", *times((0, 700))).close) == 50
    del market.calls[:]
    assert len(source_of(tmp_path, market).candles("BTC-USD", *times((0, 700))).close) == 50
    assert market.calls == []


def test_what_somebody_else_has_fetched_meanwhile_is_kept(tmp_path: Path) -> None:
    """A loop runs, and a fetch beside it takes in all that there is of a young coin."""
    market = Market(frozenset(range(150)))
    loop, beside = source_of(tmp_path, market), source_of(tmp_path, market)
    loop.candles("BTC-USD", *times((900, 950)))
    beside.candles("BTC-USD", *times((100, 950)))
    loop.candles("BTC-USD", *times((900, 960)))
    for one in (source_of(tmp_path, market), beside, loop):
        assert list(one.candles("BTC-USD", *times((100, 960))).open_ms) == times(range(150, 960))


def test_of_a_file_that_was_moved_away_everything_is_asked_for_again(tmp_path: Path) -> None:
    market = Market(frozenset(range(50)))
    source_of(tmp_path, market).candles("BTC-USD", *times((0, 700)))
    (file,) = tmp_path.glob("BTC-USD/*.parquet")
    file.rename(tmp_path / "away")
    source_of(tmp_path, market).candles("BTC-USD", *times((600, 700)))
    assert list(source_of(tmp_path, market).candles("BTC-USD", *times((0, 700))).open_ms) == times(range(50, 700))


def with_days(folder: Path, market: Market, days: Market) -> FetchedCandles:
    of_days = FetchedCandles(DAY_MS, "USD", "somewhere", EpochMs(START), folder, days.fetch, Listing)
    return replace(source_of(folder, market), days=of_days)


@pytest.mark.parametrize("first", [0, 7, 95, 96])
def test_closes_of_days_come_from_the_bars_that_are_kept_else_from_the_venues_days(tmp_path: Path, first: int) -> None:
    """A day is a bar's close of the market below, so it can be told from a candle of the day."""
    today = START // DAY_MS + 30
    market, days = Market(), Market(step_ms=DAY_MS)
    source = with_days(tmp_path, market, days)
    since_ms = (today - 3) * DAY_MS + first * BAR_MS
    source.candles("BTC-USD", since_ms, today * DAY_MS)
    asked = range(today - 9, today)
    whole = -(-since_ms // DAY_MS)
    expected = [round(close_of((day + 1) * DAY_MS - BAR_MS) * 100) for day in asked]
    expected[: whole - asked.start] = [round(close_of(day * DAY_MS) * 100) for day in range(asked.start, whole)]
    assert list(source.day_closes("BTC-USD", asked)) == expected
    assert days.calls == [(asked.start * DAY_MS, (since_ms // DAY_MS + 1) * DAY_MS)][: len(days.calls)]
    assert len(days.calls) == 1
    for again in (source, with_days(tmp_path, market, days)):
        assert list(again.day_closes("BTC-USD", asked)) == expected
    source.candles("BTC-USD", since_ms, (today + 1) * DAY_MS)
    source.day_closes("BTC-USD", range(today - 8, today + 1))
    assert len(days.calls) == 1, "a new day is among the bars"


def test_a_young_coins_days_are_asked_for_once(tmp_path: Path) -> None:
    today = START // DAY_MS + 30
    born = (today - 2) * DAY_MS + 3 * BAR_MS
    market, days = Market(born_ms=born), Market(born_ms=born, step_ms=DAY_MS)
    source, asked = with_days(tmp_path, market, days), range(today - 20, today)
    source.candles("BTC-USD", (today - 9) * DAY_MS, today * DAY_MS)
    for again in (source, with_days(tmp_path, market, days)):
        closes = again.day_closes("BTC-USD", asked)
        assert [close > 0 for close in closes] == [False] * 18 + [True] * 2
    assert len(days.calls) == 1


def test_without_an_answer_the_closes_are_not_made_up(tmp_path: Path) -> None:
    today = START // DAY_MS + 30
    market, days = Market(), Market(silent=True)
    source = with_days(tmp_path, market, days)
    source.candles("BTC-USD", (today - 2) * DAY_MS, today * DAY_MS)
    with pytest.raises(VenueUnavailable):
        source.day_closes("BTC-USD", range(today - 5, today))
    assert len(source.day_closes("BTC-USD", range(today - 2, today))) == 2


def test_the_folder_serves_a_backtest(tmp_path: Path) -> None:
    source_of(tmp_path, Market()).candles("BTC-USD", *times((0, 500)))
    folder = open_folder(tmp_path, BAR_MS, Decimal(1), START, START + 500 * BAR_MS)
    assert [one.symbol for one in folder.instruments()] == ["BTC-USD"]
    assert len(folder.candles("BTC-USD", START, START + 500 * BAR_MS).close) == 500


def test_what_the_venue_does_not_list_has_no_candles(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="does not list ETH-USD"):
        source_of(tmp_path, Market()).candles("ETH-USD", START, START + BAR_MS)
