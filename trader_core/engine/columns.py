"""Everything that depends on the market alone, computed for all rows of a frame and read at one."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.instrument import Instrument
from trader_core.domain.market import MARK_BARS
from trader_core.engine.law import costs_of, enabled_strategies
from trader_core.market.calendar import hours_open, known_shut
from trader_core.market.frame import Frame
from trader_core.market.guards import UNKNOWN, deviations_at, guards_lookback, jumps_at, outliers, outliers_lead
from trader_core.market.hours import Hours, hours_of
from trader_core.market.regime import regime_lookback
from trader_core.market.seen import Market
from trader_core.market.universe import OUT, volume_lookback
from trader_core.rulebook.costs import depth_of
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import NO_TICKS, Columns
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Measured, Proposals, Terms

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

Made = TypeVar("Made")
TILE_CELLS = 1 << 17  # of rows and instruments that strategies look at together: what one core's cache holds
LOOKBACKS_IN_TILE = 4  # a tile is at least so many lookbacks long, which it computes beside its own rows
KEPT_MAX = 9  # results that a memo keeps, three for each policy
PRODUCT_MAX = 1 << 62
NOWHERE: Ints = np.zeros((0, 2), np.int64)  # no cells
TERMS = {"conviction": np.float64, "scale": np.float64, "stop_bps": np.int64, "target_bps": np.int64,
         "hold_ms": np.int64}  # fmt: skip


@dataclass(frozen=True)
class Opinions:
    """The columns of the law, and beside them what they were made of, for `why`."""

    columns: Columns
    measured: dict[str, Measured]  # by strategy, at the last row; of a live window only
    failures: dict[str, str]  # strategy -> what went wrong; it proposes nothing
    market: Market
    hours: Hours
    cells: Ints  # [n, 2]: row and instrument of each cell in which some strategy enters, in order


@dataclass
class Memo:
    """What replays over one frame have in common, by what it was made of. Two threads may share one."""

    kept: list[tuple[tuple[object, ...], object]] = field(default_factory=list)

    def of(self, key: tuple[object, ...], make: Callable[[], Made]) -> Made:
        """What was made of that before, or is now."""
        for known, value in self.kept:
            if known == key:
                return cast(Made, value)
        made = make()
        self.kept = [*self.kept[1 - KEPT_MAX :], (key, made)]
        return made


@dataclass(frozen=True)
class Entries:
    """What one strategy enters in one part, by cell, and what it measured in a live window's last row."""

    rows: Ints
    columns: Ints
    enters: Flags  # of a live window all of the last row are told
    terms: Terms
    measured: Measured | None


@dataclass(frozen=True)
class Wanted:
    """What the enabled strategies want. One that broke wants nothing."""

    leave: Flags  # [strategy, row, instrument]
    entries: list[list[Entries]]  # by strategy, in the order of rows
    measured: dict[str, Measured]
    failures: dict[str, str]


@dataclass(frozen=True)
class Asked:
    """The rows in which a draft may be judged, and the cells of those."""

    row: Ints  # [row], its number among them, from 1 on; 0 is not
    count: int  # of them, row 0 included
    rows: Ints  # [cell], in order
    columns: Ints
    numbers: Ints  # [cell], that of its row


def lookback_of(policy: "Settings") -> int:
    """Rows that must stand before and at a decision for it to be the same as with all of history; beside them the
    closes of market.returns.days_before."""
    by_hour = regime_lookback(policy), volume_lookback(policy)
    return max(MARK_BARS, guards_lookback(policy), *by_hour, _own_lookback(policy))


def rows_before(policy: "Settings") -> int:
    """Rows that must stand before a decision, those at the front with a price as old as one may be."""
    guards = policy.signals.guards
    return MARK_BARS + max(guards.outlier_bars + 1, guards.jump_bars + 2, _own_lookback(policy))


def _own_lookback(policy: "Settings") -> int:
    """Rows that the strategies need, beside what is told by the hour."""
    names = enabled_strategies(policy)
    return max((STRATEGIES[one].lookback(getattr(policy.strategies, one), policy) for one in names), default=1)


def columns_of(
    frame: Frame, instruments: tuple[Instrument, ...], policy: "Settings", first: int = 0, memo: Memo | None = None
) -> Opinions:
    """Rows before `first` need not be right. `instruments` are the frame's, in its order."""
    return opinions_of(Market(frame, policy, first), instruments, memo or Memo())


def opinions_of(
    market: Market,
    instruments: tuple[Instrument, ...],
    memo: Memo,
    before: Ints = NOWHERE,
    silent: Collection[str] = (),
) -> Opinions:
    """`before` are cells, counted in this market's rows, in which a strategy has entered before its first one; nothing
    is asked of strategies that are `silent`.

    Bid, ask and depth are those that the cost model assumes around the last known close and for the last day's
    volume; a live cycle puts the book there. Where `first` is the last row, all is told of it, for `why`.
    """
    frame, policy = market.frame, market.policy
    costs, (close, age_ms), width = costs_of(policy), frame.last_known, len(frame.symbols)
    wanted, hours, outlier = _wanted(market, silent), _hours(market.root, instruments, memo), _outliers(market, memo)
    cells = _entered(wanted, width)
    asked = _asked(market, np.concatenate([before, cells]) if len(before) else cells)
    deviation, jump = _doubts(market, asked)
    there = market.hour[asked.rows], asked.columns
    wild, quiet = hours.restless_at(*there)
    made = Columns(
        at_ms=frame.closes_ms,
        hour=market.hour,
        asked=asked.row,
        funding_ppm=np.broadcast_to(np.int64(0), close.shape),
        close=close,
        bid=_around(close, PPM - costs.half_spread_ppm, 0, frame.highest_close),
        ask=_around(close, PPM + costs.half_spread_ppm, PPM - 1, frame.highest_close),
        depth=_told(asked, depth_of(costs, hours.day_cents_at(*there).astype(np.float64)), 0, width, np.int64),
        age_ms=age_ms,
        regime=hours.regime,
        eligible=_told(asked, hours.eligible[there], OUT, width, np.int8),
        deviation=deviation,
        outlier=outlier,
        jump=jump,
        volatility=_told(asked, wild, UNKNOWN, width),
        atr_ratio=_told(asked, quiet, UNKNOWN, width),
        day_range=hours.day_range,
        trading=hours_open(instruments, policy.universe, _when(market, asked)),
        shut=known_shut(instruments, policy.universe, frame.closes_ms),
        first_day=hours.daily[0],
        returns=hours.daily[1],
        leave=wanted.leave,
        enter=_entering(wanted, asked, width),
        **{what: _term(wanted, asked, what, kind, width) for what, kind in TERMS.items()},
    )
    return Opinions(made, wanted.measured, wanted.failures, market, hours, cells)


def _hours(market: Market, instruments: tuple[Instrument, ...], memo: Memo) -> Hours:
    units = tuple(float(one.grains_per_unit) for one in instruments)
    signals = market.signals
    key = (market.frame, units, signals.regime, signals.guards, signals.windows, market.policy.universe)
    return memo.of(key, lambda: hours_of(market, np.array(units)))


def _outliers(market: Market, memo: Memo) -> Flags:
    signals, root = market.signals.guards, market.root
    doubts = (signals.outlier_bars, signals.outlier_deviation_pct, signals.outlier_volume_pct, market.missing)
    known: dict[tuple[int, int, int], Flags] = memo.of((root.frame, *doubts), dict)
    place = market.start, market.first, market.frame.rows
    if place not in known:
        found = _by_instrument(market.frame.close.shape, np.int8)
        for part in _parts(market, outliers_lead(signals.outlier_bars) + 1, TILE_CELLS * 16):
            found[part.start + part.first : part.start + part.frame.rows] = outliers(part)
        known[place] = found
    return known[place]


def _entered(wanted: Wanted, width: int) -> Ints:
    """[n, 2]: row and instrument of each cell in which some strategy enters, in order."""
    places = [one.rows[one.enters] * width + one.columns[one.enters] for each in wanted.entries for one in each]
    return np.stack(np.divmod(_in_order(places, len(wanted.entries)), max(width, 1)), axis=1)


def _in_order(places: list[Ints], kinds: int) -> Ints:
    """Each place once. Those of one part and strategy are no two the same."""
    together = np.sort(np.concatenate([np.zeros(0, np.int64), *places]), kind="stable")
    is_new = np.ones(len(together), np.bool_)
    if kinds > 1:
        is_new[1:] = together[1:] != together[:-1]
    return together[is_new]


def _asked(market: Market, cells: Ints) -> Asked:
    """Where a draft may be judged: where a strategy enters, so long after it as it may wait for a slot, and, as often
    as a maker may be repriced and then taken, whenever the one that was placed there has had its time. Of a live
    window its last row."""
    count, width = market.frame.close.shape
    entered = cells[:, 0] * width + cells[:, 1]
    places = [entered + bars * width for bars in bars_later(market.policy)]
    if _is_live(market):
        places.append(np.arange((count - 1) * width, count * width))
    every = _in_order(places, len(places)) if len(places) > 1 else places[0]
    begin, end = np.searchsorted(every, [market.first * width, count * width])
    rows, columns = np.divmod(every[begin:end], max(width, 1))
    numbers, row = np.cumsum(np.diff(rows, prepend=-1) != 0), np.zeros(count, np.int64)
    row[rows] = numbers
    return Asked(row, int(numbers[-1]) + 1 if len(rows) else 1, rows, columns, numbers)


def bars_later(policy: "Settings") -> list[int]:
    """How long after an entry a draft of it may be judged."""
    orders, waits = policy.policy.orders, policy.policy.risk.max_slot_wait_min // policy.policy.cycle.base_bar_min
    worked = orders.maker_ttl_bars * (orders.maker_max_reprices + 1)
    lives = range(0, worked + 1, max(orders.maker_ttl_bars, 1))
    return sorted({waited + lived for waited in range(waits + 1) for lived in lives})


def _when(market: Market, asked: Asked) -> Ints:
    """[asked], when that row closes; of row 0 nobody asks."""
    found: Ints = np.zeros(asked.count, np.int64)
    found[asked.numbers] = market.frame.closes_ms[asked.rows]
    return found


def _told(asked: Asked, figures: np.ndarray, unknown: float, width: int, kind: type = np.float64) -> np.ndarray:
    """[asked, instrument] of what is told by cell."""
    found: np.ndarray = np.full((asked.count, width), unknown, kind)
    found[asked.numbers, asked.columns] = figures
    return found


def _doubts(market: Market, asked: Asked) -> tuple[Floats, Floats]:
    """(deviation, jump) where they are asked for. Only bars of a minute show a jump.

    Of a live window no more is looked at than the last row needs.
    """
    frame, guards, width = market.frame, market.signals.guards, len(market.frame.symbols)
    needed = max(guards.outlier_bars + 1, guards.jump_bars + 2 + MARK_BARS)
    start = max(frame.rows - needed, 0) if _is_live(market) else 0
    part = market.part(start, frame.rows, market.first) if start else market
    rows, columns = asked.rows - start, asked.columns
    deviation = _told(asked, deviations_at(part, rows, columns), 0.0, width)
    if frame.bar_ms != MINUTE_MS:
        return deviation, np.broadcast_to(NO_TICKS, deviation.shape)
    return deviation, _told(asked, jumps_at(part, rows, columns), UNKNOWN, width)


def _around(close: Ints, ppm: int, up: int, highest: int) -> Ints:
    """floor((close * ppm + up) / 1e6), exact also where the product would not fit into 64 bits."""
    if ppm == PPM:
        return close
    if highest * ppm < PRODUCT_MAX:
        return np.asarray((close * ppm + up) // PPM, np.int64)
    return np.asarray(close // PPM * ppm + (close % PPM * ppm + up) // PPM, np.int64)


# --- what strategies want ------------------------------------------------------------------------------------------


def _wanted(market: Market, silent: Collection[str]) -> Wanted:
    """What each strategy wants, and what went wrong in those that broke: one that breaks stops itself alone."""
    names = enabled_strategies(market.policy)
    leave = _by_instrument((len(names), *market.frame.close.shape), np.int8)
    asked = [(n, name) for n, name in enumerate(names) if name not in silent]
    told: list[list[Entries | str]] = [[] for _ in names]
    for part in _parts(market, _own_lookback(market.policy), TILE_CELLS):
        for n, name in asked:
            told[n].append(_propose(part, name, leave[n]))
    wanted = Wanted(leave, [], {}, {})
    for n, (name, entries) in enumerate(zip(names, told, strict=True)):
        broken = next((one for one in entries if isinstance(one, str)), None)
        if broken is not None:
            wanted.failures[name], leave[n], entries = broken, 0, []
        wanted.entries.append([one for one in entries if isinstance(one, Entries)])
        for one in wanted.entries[n]:
            if one.measured:
                wanted.measured[name] = one.measured
    return wanted


def _propose(part: Market, name: str, leave: Flags) -> Entries | str:
    """What a strategy wants in the rows of one part, which no other part writes to; or what went wrong."""
    try:
        return _entries(part, STRATEGIES[name].columns(part, getattr(part.policy.strategies, name)), leave)
    except Exception as broken:  # noqa: BLE001
        return f"{type(broken).__name__}: {broken}"


def _entries(part: Market, proposals: Proposals, leave: Flags) -> Entries:
    """Take the exits and the entries with their terms. Of a live window all of the last row are asked for."""
    wrong = [what for what in ("enter", "leave") if getattr(proposals, what).shape != part.frame.close.shape]
    if wrong:
        raise ValueError(f"the shape of {', '.join(wrong)}")
    enter = proposals.enter[part.first :]
    rows, columns = _cells(np.ones(enter.shape, np.bool_) if _is_live(part) else enter, part.first)
    terms, enters = proposals.terms(rows, columns), proposals.enter[rows, columns] != 0
    _check(terms, enters)
    leave[part.start + part.first : part.start + part.frame.rows] = proposals.leave[part.first :]
    measured = proposals.measured(part.first) if _is_live(part) else None
    return Entries(rows + part.start, columns, enters, terms, measured)


def _check(terms: Terms, enters: np.ndarray) -> None:
    """A comparison with a figure that is none would open a gate, so such a figure is a failure; so is an entry that
    nothing would protect."""
    if not (np.isfinite(terms.conviction).all() and np.isfinite(terms.scale).all()):
        raise ValueError("a conviction or a scale is no number")
    if np.any(enters & (np.asarray(terms.stop_bps) <= 0)):
        raise ValueError("an entry without a stop")


def _entering(wanted: Wanted, asked: Asked, width: int) -> Flags:
    """[strategy, asked, instrument], who enters."""
    found: Flags = np.zeros((len(wanted.entries), asked.count, width), np.int8)
    for n, entries in enumerate(wanted.entries):
        for one in entries:
            found[n, asked.row[one.rows], one.columns] = one.enters
    return found


def _term(wanted: Wanted, asked: Asked, what: str, kind: type, width: int) -> np.ndarray:
    """[strategy, asked, instrument] of one term: a number for each strategy where they all have but one."""
    figures = [[getattr(one.terms, what) for one in entries] for entries in wanted.entries]
    shape = (len(figures), asked.count, width)
    if all(np.ndim(one) == 0 for each in figures for one in each):
        numbers: np.ndarray = np.array([each[0] if each else 0 for each in figures], kind)
        return np.broadcast_to(numbers[:, None, None], shape)
    found: np.ndarray = np.zeros(shape, kind)
    for n, entries in enumerate(wanted.entries):
        for one, figure in zip(entries, figures[n], strict=True):
            found[n, asked.row[one.rows], one.columns] = figure
    return found


# --- how it is computed --------------------------------------------------------------------------------------------


def _by_instrument(shape: tuple[int, ...], kind: type) -> np.ndarray:
    """[..., row, instrument] of zeros, an instrument's rows side by side. What is never written to costs nothing."""
    return np.zeros((*shape[:-2], shape[-1], shape[-2]), kind).swapaxes(-1, -2)


def _cells(flags: np.ndarray, first: int) -> tuple[Ints, Ints]:
    """(rows, instruments) where something is set, rows counted from `first`."""
    columns, rows = np.divmod(np.flatnonzero(flags.view(np.bool_).T), max(len(flags), 1))
    return rows + first, columns


def _is_live(market: Market) -> bool:
    """Whether nothing is asked for but the last row there is."""
    return market.root.first == market.root.frame.rows - 1


def _parts(market: Market, lookback: int, cells: int) -> Iterator[Market]:
    """The rows from `market.first` on in parts, each with its lookback in front. Windows are exact: no seam shows."""
    rows, width = market.frame.rows, len(market.frame.symbols)
    count = max(round((rows - market.first) * width / cells), 1)
    length = max(-(-(rows - market.first) // count), LOOKBACKS_IN_TILE * lookback)
    for begin in range(market.first, rows, length):
        yield market.part(max(begin + 1 - lookback, 0), min(begin + length, rows), begin)


def with_quotes(columns: Columns, row: int, bid: Ints, ask: Ints, depth: Ints, age_ms: Ints) -> Columns:
    """The columns with one row's book replaced by the real one."""
    bids, asks, depths, ages = (each.copy() for each in (columns.bid, columns.ask, columns.depth, columns.age_ms))
    bids[row], asks[row], ages[row] = bid, ask, np.maximum(ages[row], age_ms)
    depths[columns.asked[row]] = depth
    return columns._replace(bid=bids, ask=asks, depth=depths, age_ms=ages)
