"""Does anything that a backtest believes depend on bars that had not closed yet? Asked of every column and strategy.

The market is cut at a row, and everything is computed again: without the bars after it, with absurd ones in their
place, and with the real ones a bar early. Whatever was said at or before the cut must stay the same, to the last bit.
A peek shows only where the code that peeks has a say, so every row is cut where there is time for it, figures are
compared also where nothing enters, disabled strategies are asked too, and markets are made in which much happens.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import DAY_MS, HOUR_MS, EpochMs
from trader_core.domain.instrument import Instrument, base_of
from trader_core.domain.values import replace
from trader_core.engine.columns import Opinions, columns_of, lookback_of
from trader_core.engine.law import enabled_strategies
from trader_core.engine.replay import World
from trader_core.market.frame import Frame
from trader_core.market.returns import newest_returns
from trader_core.market.seen import Market
from trader_core.rulebook.limits import Floats, Ints
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Proposals

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

TRUNCATE, POISON, SHIFT = "truncate", "poison", "shift"
CANDLES = "candles"  # the market that was asked about; the others are made
ROWS = 1_024  # cut rows on the candles, where CELLS allows
CELLS = 12_000_000  # [row, instrument] of all windows that end in them; some 15 s
LONG_CELLS = 1 << 20  # of the longest part that is looked at in one piece
PASSAGE_ROWS, AHEAD_ROWS = 96, 24  # cut rows lie so near together in a passage; bars behind the last of them
WEATHER_ROWS, MIRROR_ROWS, MADE_COLUMNS = 192, 64, 16  # cut rows and instruments of made markets
PRICE, VOLUME = 1_000_000, 1_000_000  # where made bars begin, in ticks and lots
PRICE_MAX = 2**52
ABSURD = 1_000  # times the price

PARTS = ("open", "high", "low", "close", "volume", "present")
OF_HOUR = ("regime", "day_range")
OF_STRATEGY = ("enter", "leave", "conviction", "scale", "stop_bps", "target_bps", "hold_ms")
TERMS = OF_STRATEGY[2:]  # asked for where their strategy enters
# Asked for where some strategy enters.
MEASURES = ("eligible", "depth", "deviation", "jump", "volatility", "atr_ratio", "trading")

Progress = Callable[[int, int], None]  # cut rows done, of how many


class Finding(Struct, frozen=True):
    """A figure at or before the cut that changes with what comes after it. The first of each name and kind is told.

    `name` is a column, a strategy's figure ("momentum.stop_bps"), or a strategy that raised one way only.
    """

    name: str
    kind: str  # TRUNCATE, POISON or SHIFT
    market: str  # CANDLES, or the made market in which it shows
    row: int  # of that market's frame; the figure's own
    at_ms: EpochMs  # that row's close
    symbol: str  # "" where it speaks of no instrument
    cut_ms: EpochMs  # close of the last bar that both knew
    blind: str  # what was said without the future
    seeing: str  # and with the other one


@dataclass(frozen=True)
class _Passage:
    """A part of a market, its rows from `first` on to be compared, and the rows to cut it at."""

    market: str
    frame: Frame
    instruments: tuple[Instrument, ...]
    policy: "Settings"
    first: int
    cuts: tuple[int, ...]
    origin: int  # the frame's first row in its market


def check(
    world: World, policy: "Settings", *, rows: int = ROWS, seed: int = 0, progress: Progress | None = None
) -> tuple[Finding, ...]:
    """What depends on the future, in the order in which it was found; nothing, where all is well.

    At most `rows` rows of a market are cut: all of the world's, or those of entries, of hour and day borders and some
    that `seed` chooses. A peek in code that neither this market nor a made one comes to cannot be seen.
    """
    everything = policy.model_copy(update={"strategies": _switched_on(policy.strategies)})
    long = _long(world, everything)
    passages = [long, *_short(world, everything, _enters(long), rows, seed), *_made(world, everything, rows, seed)]
    done, of = 0, sum(len(one.cuts) for one in passages)
    findings: dict[tuple[str, str], Finding] = {}
    for passage in passages:
        for found in _examined(passage, thorough=passage is long):
            for each in found:
                findings.setdefault((each.name, each.kind), each)
            done += 1
            if progress is not None:
                progress(done, of)
    return tuple(findings.values())


# --- one passage ------------------------------------------------------------------------------------------------------


def _examined(passage: _Passage, thorough: bool) -> Iterator[list[Finding]]:
    """What each cut shows. Strategies are asked at every cut; every third one also asks the law for its columns, and
    meets a future that is not the real one. `thorough`, each meets them all.

    At the end the first cut is asked again: a strategy may have kept something of what it was shown since.
    """
    frame, cuts = passage.frame, passage.cuts
    for n, cut in enumerate(cuts):
        more = thorough or n % 3 == 0
        blind = _read(passage, _until(frame, cut), [cut], more)
        if n == 0:
            earliest, whole = blind, _read(passage, frame, cuts, True)
        found = [*_differences(passage, TRUNCATE, cut, blind, whole)]
        turn = n // 3 % len(FUTURES)
        for kind, future in FUTURES if thorough else FUTURES[turn : turn + more]:
            found += _differences(passage, kind, cut, blind, _read(passage, future(frame, cut), [cut], more))
        if n == len(cuts) - 1:
            again = _read(passage, _until(frame, cuts[0]), [cuts[0]], True)
            found += _differences(passage, TRUNCATE, cuts[0], earliest, again)
        yield found


class _Figure(NamedTuple):
    """One thing that was said, [row] or [row, instrument], and where it means anything."""

    name: str
    values: np.ndarray
    asked: np.ndarray | None = None  # everywhere


@dataclass(frozen=True)
class _Said:
    """Everything that was said from a passage's first row on, by the name of the strategy; "" is the market."""

    figures: dict[str, list[_Figure]]
    failures: dict[str, str]


def _read(passage: _Passage, frame: Frame, measured: Sequence[int], law: bool) -> _Said:
    """What strategies say of a frame, and what their opinions were measured by at those rows; `law`, also what it makes
    of them, and of the market."""
    opinions = columns_of(frame, passage.instruments, passage.policy, passage.first) if law else None
    market = opinions.market if opinions else Market(frame, passage.policy, passage.first)
    said = _Said({}, dict(opinions.failures) if opinions else {})
    for name in enabled_strategies(passage.policy):
        own = _opinion(market, name, measured)
        if isinstance(own, str):
            said.failures.setdefault(name, own)
        else:
            said.figures[name] = own
    if opinions:
        _add_columns(said, opinions, passage)
    return said


def _add_columns(said: _Said, opinions: Opinions, passage: _Passage) -> None:
    columns, first = opinions.columns, passage.first
    hour, asked_row = columns.hour[first:], columns.asked[first:]
    enters = columns.enter[:, asked_row] != 0
    for n, name in enumerate(enabled_strategies(passage.policy)):
        for each in OF_STRATEGY if name in said.figures else ():
            asked, own = enters[n] if each in TERMS else None, getattr(columns, each)[n]
            values = own[first:] if each == "leave" else own[asked_row]
            said.figures[name].append(_Figure(f"{name}.{each}", values, asked))
    cells = (each.ravel() for each in np.broadcast_arrays(hour[:, None], np.arange(enters.shape[2])))
    said.figures[""] = [_Figure("day_cents", opinions.hours.day_cents_at(*cells).reshape(enters.shape[1:]))]
    for name, values in columns._asdict().items():
        if name in MEASURES:
            said.figures[""].append(_Figure(name, values[asked_row], enters.any(axis=0)))
        elif name == "returns":
            said.figures[""].append(_Figure(name, newest_returns(columns)[first:]))
        elif name not in (*OF_STRATEGY, "asked", "first_day"):
            said.figures[""].append(_Figure(name, values[hour] if name in OF_HOUR else values[first:]))


def _opinion(market: Market, name: str, measured: Sequence[int]) -> list[_Figure] | str:
    """All that a strategy says, entering or not; or what went wrong."""
    try:
        proposals = STRATEGIES[name].columns(market, getattr(market.policy.strategies, name))
        return [_Figure(f"{name}.{figure}", *values) for figure, values in _spoken(market, proposals, measured)]
    except Exception as broken:  # noqa: BLE001
        return f"{type(broken).__name__}: {broken}"


def _spoken(
    market: Market, proposals: Proposals, measured: Sequence[int]
) -> Iterator[tuple[str, tuple[np.ndarray, np.ndarray | None]]]:
    enter, leave = (np.asarray(each)[market.first :] for each in (proposals.enter, proposals.leave))
    yield "enter", (enter, None)
    yield "leave", (leave, None)
    rows, columns = (each.ravel() for each in np.indices(enter.shape))
    for figure, value in vars(proposals.terms(rows + market.first, columns)).items():
        yield figure, (np.broadcast_to(value, rows.shape).reshape(enter.shape), None)
    by_row = [vars(proposals.measured(row)) for row in measured]
    for figure in by_row[0]:
        values, asked = np.zeros(enter.shape), np.zeros(enter.shape, np.bool_)
        for row, measures in zip(measured, by_row, strict=True):
            values[row - market.first], asked[row - market.first] = measures[figure], True
        yield figure, (values, asked)


def _differences(passage: _Passage, kind: str, cut: int, blind: _Said, seeing: _Said) -> Iterator[Finding]:
    """The first cell of each figure that is not the same at or before the cut. What a strategy that raises would have
    said is not known."""

    def finding(name: str, row: int, symbol: str, said: Sequence[str]) -> Finding:
        at_ms, cut_ms = (EpochMs(passage.frame.first_ms + (1 + each) * passage.frame.bar_ms) for each in (row, cut))
        return Finding(name, kind, passage.market, passage.origin + row, at_ms, symbol, cut_ms, said[0], said[1])

    pairs: list[tuple[_Figure, _Figure]] = []
    for name in ("", *STRATEGIES):
        texts = [each.failures.get(name, "") for each in (blind, seeing)]
        if _sort_of(texts[0]) != _sort_of(texts[1]):
            yield finding(name, cut, "", [text or "no failure" for text in texts])
        elif not any(texts):  # one of them may have been asked for more
            pairs += zip(blind.figures.get(name, ()), seeing.figures.get(name, ()), strict=False)
    for pair in pairs:
        cell = _first_difference(*pair, cut + 1 - passage.first)
        if cell:
            row, *column = cell
            symbol, said = "".join(passage.frame.symbols[i] for i in column), [str(one.values[*cell]) for one in pair]
            yield finding(pair[0].name, passage.first + row, symbol, said)


def _sort_of(failure: str) -> str:
    """The kind of exception: what it says may name shapes, which a cut changes."""
    return failure.partition(":")[0]


def _first_difference(one: _Figure, other: _Figure, rows: int) -> list[int]:
    """The first cell of so many rows in which they are not the same; of what is no number, one is like the other."""
    left, right = one.values[:rows], other.values[:rows]
    unlike = np.asarray(left != right)
    if unlike.any():
        unlike &= (left == left) | (right == right)
        if one.asked is not None and other.asked is not None:
            unlike &= one.asked[:rows] & other.asked[:rows]
    cells: list[list[int]] = np.argwhere(unlike).tolist() if unlike.any() else []
    return cells[0] if cells else []


# --- other futures ----------------------------------------------------------------------------------------------------


def _until(frame: Frame, cut: int) -> Frame:
    """The frame as it stood when that row's bar had closed."""
    return _part(frame, 0, cut + 1)


def _part(frame: Frame, start: int, end: int) -> Frame:
    parts = {name: getattr(frame, name)[start:end] for name in PARTS}
    return replace(frame, first_ms=frame.first_ms + start * frame.bar_ms, **parts)


def _surge(frame: Frame, cut: int) -> Frame:
    """A bar in every row, a thousand times as dear as the real one, in which nothing is traded."""
    return _with_future(frame, cut, lambda prices: np.minimum(prices, PRICE_MAX // ABSURD) * ABSURD, 0)


def _fall(frame: Frame, cut: int) -> Frame:
    """A bar in every row at a thousandth of the real price, in which a thousand times as much is traded."""
    return _with_future(frame, cut, lambda prices: np.maximum(prices // ABSURD, 1), ABSURD)


def _with_future(frame: Frame, cut: int, priced: Callable[[Ints], Ints], volume: int) -> Frame:
    later, present = slice(cut + 1, None), frame.present[cut + 1 :]
    close = np.maximum(frame.last_known[0][later], 1)
    prices = {name: priced(np.where(present, getattr(frame, name)[later], close)) for name in PARTS[:4]}
    traded = np.minimum(np.maximum(frame.volume[later], 1), PRICE_MAX // ABSURD) * volume
    return _rejoined(frame, cut, prices | {"volume": traded, "present": np.ones_like(present)})


def _silence(frame: Frame, cut: int) -> Frame:
    """No bar any more."""
    return _rejoined(frame, cut, {name: np.zeros_like(getattr(frame, name)[cut + 1 :]) for name in PARTS})


def _early(frame: Frame, cut: int) -> Frame:
    """Each bar at the time of the one before it, and none in the last row."""
    parts = [getattr(frame, name)[cut + 1 :] for name in PARTS]
    moved = [np.concatenate([one[1:], np.zeros_like(one[:1])]) for one in parts]
    return _rejoined(frame, cut, dict(zip(PARTS, moved, strict=True)))


def _rejoined(frame: Frame, cut: int, later: dict[str, np.ndarray]) -> Frame:
    parts: dict[str, Any] = {name: np.concatenate([getattr(frame, name)[: cut + 1], later[name]]) for name in PARTS}
    return replace(frame, **parts)


FUTURES = ((POISON, _surge), (SHIFT, _early), (POISON, _fall), (POISON, _silence))


# --- where to cut -----------------------------------------------------------------------------------------------------


def _long(world: World, policy: "Settings") -> _Passage:
    """The market in one piece, or as much of it as LONG_CELLS holds: a peek may reach further than any window."""
    columns, first = max(len(world.instruments), 1), world.first
    end = min(world.frame.rows, first + max(LONG_CELLS // columns, 2))
    cuts = sorted({first + (end - first) * n // 4 for n in (1, 2, 3)} & set(range(first, end - 1)))
    return _Passage(CANDLES, _part(world.frame, 0, end), world.instruments, policy, first, tuple(cuts), 0)


def _enters(passage: _Passage) -> Ints:
    """Rows in which some strategy enters."""
    return np.unique(columns_of(passage.frame, passage.instruments, passage.policy, passage.first).cells[:, 0])


def _short(world: World, policy: "Settings", enters: Ints, rows: int, seed: int) -> list[_Passage]:
    """The chosen rows, those near each other together, each passage with its window before and some bars after it."""
    window = lookback_of(policy)
    cells = (window + PASSAGE_ROWS) * max(len(world.instruments), 1)
    chosen = _chosen(world, enters, min(rows, max(CELLS // cells, 1)), seed)
    passages: list[_Passage] = []
    while len(chosen):
        near = chosen[chosen < chosen[0] + PASSAGE_ROWS]
        chosen, start = chosen[len(near) :], max(int(near[0]) - window + 1, 0)
        frame = _part(world.frame, start, min(int(near[-1]) + 1 + AHEAD_ROWS, world.frame.rows))
        cuts = tuple((near - start).tolist())
        passages.append(_Passage(CANDLES, frame, world.instruments, policy, cuts[0], cuts, start))
    return passages


def _chosen(world: World, enters: Ints, rows: int, seed: int) -> Ints:
    """At most `rows` rows that have a future: all, or a third each of entries, of borders, and of any."""
    each = np.arange(world.first, world.frame.rows - 1)
    if len(each) <= rows:
        return each
    closes_ms = world.frame.closes_ms[each]
    days, hours = each[closes_ms % DAY_MS == 0], each[closes_ms % HOUR_MS == 0]
    part = max(rows // 3, 1)
    some = [enters[np.isin(enters, each)], days, hours, each]
    counts = [part, part // 2, part - part // 2, rows - 2 * part]
    return np.unique(
        np.concatenate([_some(of, n, seed + k) for k, (of, n) in enumerate(zip(some, counts, strict=True))])
    )


def _some(of: Ints, count: int, seed: int) -> Ints:
    """So many of them, spread evenly: one by chance from each of as many parts."""
    if len(of) <= count:
        return of
    edges = np.arange(count + 1) * len(of) // max(count, 1)
    widths = np.diff(edges)
    return of[edges[:-1] + (_chance(seed, count) * widths).astype(np.int64)]


def _chance(seed: int, *shape: int) -> Floats:
    """Numbers from 0 to below 1, the same on every machine: a counter, mixed (splitmix64)."""
    counter = np.arange(int(np.prod(shape)), dtype=np.uint64) + np.uint64((seed * 1_000_003 + 1) % 2**64)
    mixed = counter * np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(11)).astype(np.float64).reshape(shape) / 2**53


# --- made markets -----------------------------------------------------------------------------------------------------

TEMPERS = ((0.0, 0.002, 0.03, 0.15), (0.0, 0.0, 0.0005, 0.004))  # largest move of a bar: in storms, in lulls
TRADED = (0.0, 0.3, 1.0, 3.5, 12.0)  # times the usual volume
HOLES, SILENCES = (0.0, 0.02, 0.12, 0.3), (0.0, 0.06)  # parts of the bars, and of the segments, that are absent
SEGMENT_ROWS = 12  # a temper lasts so long
BRISK: dict[str, Any] = {  # the market's own windows as short as they may be, so that every regime shows
    "signals": {
        "regime": {
            "trend_h": 2, "confirm_h": 1, "recall_h": 1, "bull_rise_pct": 1.0, "bear_fall_pct": 1.0,
            "bull_volatility_pct": 1_000.0, "crash_volatility_pct": 1_000.0,
        },
        "guards": {"atr_h": 2, "atr_median_h": 3, "volatility_h": 3},
        "triggers": {"breakout_h": 3, "volume_h": 3, "momentum_h": 12, "min_score_pct": 0.0},
    },
    "universe": {
        "hysteresis": {"enter_h": 1, "leave_h": 1, "recall_h": 8},
        "discovery": {"enabled": True, "max_assets": 2},
    },
}  # fmt: skip


def _made(world: World, policy: "Settings", rows: int, seed: int) -> list[_Passage]:
    """Weather, and the mirror image of the newest candles, under a policy of short windows: in them much happens that
    a span of real candles may not show, also in every regime."""
    brisk: Settings = _edited(policy, BRISK)
    window, columns = lookback_of(brisk), _columns(world, policy)
    some, instruments = _of_columns(world.frame, columns), tuple(world.instruments[i] for i in columns)
    newest = _part(some, max(some.rows - window - MIRROR_ROWS, 0), some.rows)
    beside = tuple(_stand_in(instruments[0], n) for n in range(MADE_COLUMNS - len(columns))) if columns else ()
    all_of_them = (*instruments, *beside)
    weather = _weather(world.frame, all_of_them, window + WEATHER_ROWS, seed)
    return [
        _Passage(name, frame, listed, brisk, window - 1, tuple(range(window - 1, frame.rows - 1)[:rows]), 0)
        for name, frame, listed in (("weather", weather, all_of_them), ("mirror", _mirrored(newest), instruments))
        if listed
    ]


def _columns(world: World, policy: "Settings") -> list[int]:
    """What the regime is read from, and some of the others."""
    base = policy.signals.regime.base
    first = [i for i, one in enumerate(world.instruments) if base_of(one.symbol) == base][:1]
    others = [i for i in range(len(world.instruments)) if i not in first]
    room = min(len(others), MADE_COLUMNS - len(first))
    return [*first, *(others[len(others) * n // room] for n in range(room))]


def _of_columns(frame: Frame, columns: list[int]) -> Frame:
    parts = {name: getattr(frame, name)[:, columns] for name in PARTS}
    return replace(frame, symbols=tuple(frame.symbols[i] for i in columns), **parts)


def _stand_in(like: Instrument, n: int) -> Instrument:
    """A pair of a coin that no policy names."""
    return replace(like, symbol=f"MADE{n}-{like.quote}", base=f"MADE{n}")


def _weather(frame: Frame, instruments: tuple[Instrument, ...], rows: int, seed: int) -> Frame:
    """Bars of every temper, some without volume, with much of it, or absent; half of the columns are quieter."""
    columns = np.arange(len(instruments))

    def chance(which: int, lasting: int = 1) -> Floats:
        return np.repeat(_chance(10 * seed + which, -(-rows // lasting), len(columns)), lasting, axis=0)[:rows]

    temper = np.array(TEMPERS)[columns % 2, (chance(0, SEGMENT_ROWS) * len(TEMPERS[0])).astype(np.int64)]
    walk = np.multiply.accumulate(1.0 + temper * (2.0 * chance(1) - 1.0), axis=0)
    close = np.rint(PRICE * np.clip(walk, 1e-3, 1e3)).astype(np.int64)
    before = np.concatenate([close[:1], close[:-1]])
    opened = np.where(chance(2) < 0.1, close, before)
    reach = np.rint(close * temper * chance(3)).astype(np.int64)
    times = np.array(TRADED)[(chance(4) * len(TRADED)).astype(np.int64)]
    there = chance(5) >= np.array(HOLES)[columns // 2 % len(HOLES)]
    present = there & (chance(6, SEGMENT_ROWS) >= np.array(SILENCES)[columns // 8 % len(SILENCES)])
    parts: dict[str, np.ndarray] = {
        "open": opened, "high": np.maximum(opened, close) + reach,
        "low": np.maximum(np.minimum(opened, close) - reach, 1), "close": close,
        "volume": np.rint(VOLUME * times * (0.5 + chance(7))).astype(np.int64),
    }  # fmt: skip
    bars: dict[str, Any] = {name: np.where(present, part, 0) for name, part in parts.items()}
    return Frame(tuple(one.symbol for one in instruments), frame.first_ms, frame.bar_ms, present=present, **bars)


def _mirrored(frame: Frame) -> Frame:
    """Each rise a fall and the last bar first: prices p become K/p, and time runs back."""
    middle = np.maximum(frame.close.max(axis=0, initial=1), 1).astype(np.float64) / 2.0
    sources = {"open": frame.close, "high": frame.low, "low": frame.high, "close": frame.open}
    turned = {
        name: np.maximum(np.rint(middle * (middle / np.maximum(part, 1))), 1).astype(np.int64)
        for name, part in sources.items()
    }
    parts: dict[str, Any] = {name: np.where(frame.present, part, 0)[::-1] for name, part in turned.items()}
    return replace(frame, volume=frame.volume[::-1], present=frame.present[::-1], **parts)


def _switched_on(block: Any) -> Any:
    """The settings with every switch in them on: also what is disabled must not peek."""
    inner = {name: _switched_on(value) for name, value in block if hasattr(value, "model_copy")}
    return block.model_copy(update=inner | {"enabled": True} if hasattr(block, "enabled") else inner)


def _edited(block: Any, edits: dict[str, Any]) -> Any:
    inner = {
        name: _edited(getattr(block, name), value) if isinstance(value, dict) else value
        for name, value in edits.items()
    }
    return block.model_copy(update=inner)
