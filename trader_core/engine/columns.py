"""Everything that depends on the market alone, computed for all rows of a frame and read at one."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np

from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.instrument import Instrument
from trader_core.domain.market import MARK_BARS
from trader_core.engine.law import costs_of, enabled_strategies
from trader_core.market.frame import Frame
from trader_core.market.guards import UNKNOWN, deviations_at, guards_lookback, jumps_at, outliers
from trader_core.market.hours import Hours, hours_of
from trader_core.market.regime import regime_lookback
from trader_core.market.seen import Market
from trader_core.market.universe import volume_lookback
from trader_core.rulebook.costs import depth_of
from trader_core.rulebook.limits import Flags, Floats, Ints
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import NO_TICKS, Columns
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Measured, Proposals, Terms

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

Made = TypeVar("Made")
Given = TypeVar("Given")
TILE_CELLS = 1 << 16  # of rows and instruments that strategies look at together: what one core's cache holds
LOOKBACKS_IN_TILE = 4  # a tile is at least so many lookbacks long, which it computes beside its own rows
PARTS_WORTH_THREADS = 16
KEPT_MAX = 9  # results that a memo keeps, three for each policy
PRODUCT_MAX = 1 << 62
TERMS = {"conviction": np.float64, "scale": np.float64, "stop_bps": np.int64, "target_bps": np.int64,
         "hold_ms": np.int64}  # fmt: skip


@dataclass(frozen=True)
class Opinions:
    """The columns of the law, and beside them what they were made of, for `why`."""

    columns: Columns
    measured: dict[str, Measured]  # by strategy, at the last row; of a live window only
    failures: dict[str, str]  # strategy -> what went wrong; it proposes nothing
    market: Market
    day_cents: Ints  # [hour, instrument], traded in the last 24 hours, 1/100 quote
    busy: Ints  # [n], rows in which some strategy enters, in order


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


@dataclass
class Wanted:
    """What the enabled strategies want: [strategy, row, instrument]."""

    enter: Flags
    leave: Flags
    constants: list[dict[str, float]]  # by strategy, the terms that are the same in all its cells
    terms: dict[str, np.ndarray]  # the others, where they are asked for
    measured: dict[str, Measured]
    failures: dict[str, tuple[int, str]]  # the first row of the part it broke in, and what went wrong


def lookback_of(policy: "Settings") -> int:
    """Rows that must stand before and at a decision for it to be the same as with all of history."""
    by_hour = regime_lookback(policy), volume_lookback(policy)
    return max(MARK_BARS, guards_lookback(policy), *by_hour, _own_lookback(policy))


def _own_lookback(policy: "Settings") -> int:
    """Rows that the strategies need, beside what is told by the hour."""
    names = enabled_strategies(policy)
    return max((STRATEGIES[one].lookback(getattr(policy.strategies, one), policy) for one in names), default=1)


def columns_of(
    frame: Frame, instruments: tuple[Instrument, ...], policy: "Settings", first: int = 0, memo: Memo | None = None
) -> Opinions:
    """Rows before `first` need not be right. `instruments` are the frame's, in its order.

    Bid, ask and depth are those that the cost model assumes around the last known close and for the last day's
    volume; a live cycle puts the book there. Where `first` is the last row, all is told of it, for `why`.
    """
    market, kept, shape = Market(frame, policy, first), memo or Memo(), frame.close.shape
    costs, (close, age_ms) = costs_of(policy), frame.last_known
    hours = _hours(market, instruments, kept)
    wanted = _wanted(market)
    asked = _asked(market, wanted.enter)
    deviation, jump = _doubts(market, asked, kept)
    rows, columns = _cells(asked, 0)
    hours.ask(market.hour[rows], columns)
    made = Columns(
        at_ms=frame.closes_ms,
        hour=market.hour,
        funding_ppm=np.broadcast_to(np.int64(0), shape),
        close=close,
        bid=_around(close, PPM - costs.half_spread_ppm, 0, frame.highest_close),
        ask=_around(close, PPM + costs.half_spread_ppm, PPM - 1, frame.highest_close),
        depth=depth_of(costs, hours.day_cents.astype(np.float64)).astype(np.int64),
        age_ms=age_ms,
        regime=hours.regime,
        eligible=hours.eligible,
        deviation=deviation,
        outlier=_outliers(market, kept),
        jump=jump,
        volatility=hours.volatility,
        atr_ratio=hours.atr_ratio,
        day_range=hours.day_range,
        enter=wanted.enter,
        leave=wanted.leave,
        **{what: _term(wanted, what, kind) for what, kind in TERMS.items()},
    )
    busy = np.flatnonzero(wanted.enter.any(axis=(0, 2)))
    failures = {name: what for name, (_, what) in wanted.failures.items()}
    return Opinions(made, wanted.measured, failures, market, hours.day_cents, busy)


def _hours(market: Market, instruments: tuple[Instrument, ...], memo: Memo) -> Hours:
    units = tuple(float(one.grains_per_unit) for one in instruments)
    signals = market.signals
    key = (market.frame, units, signals.regime, signals.guards, signals.windows, market.policy.universe)
    return memo.of(key, lambda: hours_of(market, np.array(units)))


def _outliers(market: Market, memo: Memo) -> Flags:
    signals = market.signals.guards
    doubts = (signals.outlier_bars, signals.outlier_deviation_pct, signals.outlier_volume_pct, market.missing)

    def made() -> Flags:
        found = _by_instrument(market.frame.close.shape, np.int8)

        def write(part: Market) -> None:
            found[part.start + part.first : part.start + part.frame.rows] = outliers(part)

        _on_all_cores(write, list(_parts(market, signals.outlier_bars + 1, TILE_CELLS * 16)))
        return found

    return memo.of((market.frame, market.first, *doubts), made)


def _asked(market: Market, enter: Flags) -> np.ndarray:
    """[row, instrument], where a draft may be judged: where a strategy enters, and, as often as a maker may be
    repriced and then taken, whenever the one that was placed there has had its time. Of a live window its last row."""
    orders = market.policy.policy.orders
    entered = np.asarray(enter.any(axis=0))
    asked = np.copy(entered)
    if _is_live(market):
        asked[market.first] = True
    for tries in range(1, orders.maker_max_reprices + 2 if orders.maker_ttl_bars else 1):
        later = tries * orders.maker_ttl_bars
        asked[later:] |= entered[: max(len(asked) - later, 0)]
    return asked


def _doubts(market: Market, asked: np.ndarray, memo: Memo) -> tuple[Floats, Floats]:
    """(deviation, jump) where they are asked for, now or by a replay before. Elsewhere a jump is unknown, which closes.

    Only bars of a minute show a jump. Of a live window no more is looked at than the last row needs.
    """
    frame, guards = market.frame, market.signals.guards
    key = (frame, guards.outlier_bars, guards.jump_bars, market.missing)
    deviation, jump = memo.of(key, lambda: _nothing_asked(frame))
    needed = max(guards.outlier_bars + 1, guards.jump_bars + 2 + MARK_BARS)
    start = max(frame.rows - needed, 0) if _is_live(market) else 0
    part = market.part(start, frame.rows, market.first) if start else market
    rows, columns = _cells(asked[start:], 0)
    deviation[rows + start, columns] = deviations_at(part, rows, columns)
    if frame.bar_ms == MINUTE_MS:
        jump[rows + start, columns] = jumps_at(part, rows, columns)
    return deviation, jump


def _nothing_asked(frame: Frame) -> tuple[Floats, Floats]:
    shape = frame.close.shape
    if frame.bar_ms != MINUTE_MS:
        return _by_instrument(shape, np.float64), np.broadcast_to(NO_TICKS, shape)
    jump = _by_instrument(shape, np.float64)
    jump[:] = UNKNOWN
    return _by_instrument(shape, np.float64), jump


def _around(close: Ints, ppm: int, up: int, highest: int) -> Ints:
    """floor((close * ppm + up) / 1e6), exact also where the product would not fit into 64 bits."""
    if ppm == PPM:
        return close
    if highest * ppm < PRODUCT_MAX:
        return np.asarray((close * ppm + up) // PPM, np.int64)
    return np.asarray(close // PPM * ppm + (close % PPM * ppm + up) // PPM, np.int64)


# --- what strategies want ------------------------------------------------------------------------------------------


def _wanted(market: Market) -> Wanted:
    """What each strategy wants, and what went wrong in those that broke: one that breaks stops itself alone."""
    names, shape = enabled_strategies(market.policy), market.frame.close.shape
    enter, leave = (_by_instrument((len(names), *shape), np.int8) for _ in range(2))
    wanted = Wanted(enter, leave, [{} for _ in names], {}, {}, {})
    parts = list(_parts(market, _own_lookback(market.policy), TILE_CELLS))
    _on_all_cores(lambda part: _propose(part, names, wanted), parts)
    for n, name in enumerate(names):
        if name in wanted.failures:
            wanted.enter[n], wanted.leave[n], wanted.constants[n] = 0, 0, {}
            wanted.measured.pop(name, None)
            for term in wanted.terms.values():
                term[n] = 0
    return wanted


def _propose(part: Market, names: tuple[str, ...], wanted: Wanted) -> None:
    """Every strategy over the rows of one part, which no other part writes to."""
    for n, name in enumerate(names):
        try:
            proposals = STRATEGIES[name].columns(part, getattr(part.policy.strategies, name))
            _note(part, proposals, n, name, wanted)
        except Exception as broken:  # noqa: BLE001
            told = part.start, f"{type(broken).__name__}: {broken}"
            wanted.failures[name] = min(told, wanted.failures.get(name, told))


def _note(part: Market, proposals: Proposals, n: int, name: str, wanted: Wanted) -> None:
    """Take the exits and the entries with their terms. Of a live window all of the last row are asked for."""
    wrong = [what for what in ("enter", "leave") if getattr(proposals, what).shape != part.frame.close.shape]
    if wrong:
        raise ValueError(f"the shape of {', '.join(wrong)}")
    enter, begin, end = proposals.enter[part.first :], part.start + part.first, part.start + part.frame.rows
    rows, columns = _cells(np.ones(enter.shape, np.bool_) if _is_live(part) else enter, part.first)
    terms = proposals.terms(rows, columns)
    _check(terms, proposals.enter[rows, columns] != 0)
    if _is_live(part):
        wanted.measured[name] = proposals.measured(part.first)
    for what, kind in TERMS.items():
        figures = getattr(terms, what)
        if np.ndim(figures) == 0:
            wanted.constants[n][what] = figures
        else:
            if what not in wanted.terms:
                wanted.terms.setdefault(what, _by_instrument(wanted.enter.shape, kind))
            wanted.terms[what][n, rows + part.start, columns] = figures
    wanted.enter[n, begin:end], wanted.leave[n, begin:end] = enter, proposals.leave[part.first :]


def _check(terms: Terms, enters: np.ndarray) -> None:
    """A comparison with a figure that is none would open a gate, so such a figure is a failure; so is an entry that
    nothing would protect."""
    if not (np.isfinite(terms.conviction).all() and np.isfinite(terms.scale).all()):
        raise ValueError("a conviction or a scale is no number")
    if np.any(enters & (np.asarray(terms.stop_bps) <= 0)):
        raise ValueError("an entry without a stop")


def _term(wanted: Wanted, what: str, kind: type) -> np.ndarray:
    """[strategy, row, instrument] of one term: a number for each strategy where they all have but one."""
    constants = [one.get(what) for one in wanted.constants]
    if what not in wanted.terms:
        numbers: np.ndarray = np.array([one or 0 for one in constants], kind)
        return np.broadcast_to(numbers[:, None, None], wanted.enter.shape)
    for n, constant in enumerate(constants):
        if constant is not None:
            wanted.terms[what][n][wanted.enter[n] != 0] = constant
    return wanted.terms[what]


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
    whole = market.whole or market
    return whole.first == whole.frame.rows - 1


def _parts(market: Market, lookback: int, cells: int) -> Iterator[Market]:
    """The rows from `market.first` on in parts, each with its lookback in front. Windows are exact: no seam shows."""
    rows = market.frame.rows
    length = max(cells // max(len(market.frame.symbols), 1), LOOKBACKS_IN_TILE * lookback)
    for begin in range(market.first, rows, length):
        yield market.part(max(begin + 1 - lookback, 0), min(begin + length, rows), begin)


def _on_all_cores(work: Callable[[Given], None], parts: Sequence[Given]) -> None:
    """Do each part. Threads share what numpy computes without the interpreter; a few parts are not worth them."""
    cores = len(os.sched_getaffinity(0))
    if cores == 1 or len(parts) < PARTS_WORTH_THREADS:
        for part in parts:
            work(part)
        return
    with ThreadPoolExecutor(cores) as pool:
        for _ in pool.map(work, parts):
            pass


def with_quotes(columns: Columns, row: int, bid: Ints, ask: Ints, depth: Ints, age_ms: Ints) -> Columns:
    """The columns with one row's book replaced by the real one."""
    bids, asks, depths, ages = (each.copy() for each in (columns.bid, columns.ask, columns.depth, columns.age_ms))
    bids[row], asks[row], ages[row] = bid, ask, np.maximum(ages[row], age_ms)
    depths[columns.hour[row]] = depth
    return columns._replace(bid=bids, ask=asks, depth=depths, age_ms=ages)
