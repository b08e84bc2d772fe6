"""The backtest's driver: the same law, walked bar by bar over a State that goes on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles
from trader_core.domain.money import from_grains, grains_down
from trader_core.domain.order import ApprovedOrder
from trader_core.domain.values import replace
from trader_core.engine.columns import Memo, lookback_of
from trader_core.engine.compiled import Progress, Walk, compiled_walk, look_ahead, told_by
from trader_core.engine.decide import approved_order
from trader_core.engine.law import bar_ms_of, enabled_strategies, law_of
from trader_core.engine.legs import Broken, Legs
from trader_core.engine.memory import keep_freed_memory
from trader_core.engine.observe import closes_of, watched_universe
from trader_core.ledger.integers import Axes, lots_of
from trader_core.market.frame import Frame, build
from trader_core.market.returns import days_before
from trader_core.market.seen import Market
from trader_core.ports import CandleSource
from trader_core.rulebook import account, codes
from trader_core.rulebook.limits import Ints
from trader_core.rulebook.state import Guard, Journey, Tape, empty_guard, empty_plan, empty_state, empty_tape
from trader_core.rulebook.walk import step_walk

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

ROWS_TOLD = 1 << 16  # between two words of progress
Flow = tuple[int, Decimal]  # when, and what came in or, below zero, went out


class Verdicted(Struct, frozen=True):
    """One proposal's verdict."""

    decision_ms: EpochMs
    symbol: str
    verdict: str


class Placed(Struct, frozen=True):
    decision_ms: EpochMs
    order: ApprovedOrder


class Executed(Struct, frozen=True):
    """One simulated fill, in the ledger's terms."""

    at_ms: EpochMs
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee: Decimal
    reason: str
    strategy: str


class Halted(Struct, frozen=True):
    """One move of the halt machine."""

    decision_ms: EpochMs
    state: str
    causes: tuple[str, ...]
    until_ms: EpochMs | None


@dataclass(frozen=True)
class Replayed:
    """Everything a replay did, in order: as integers, and in the ledger's terms where somebody asks.

    `row` in the integers is one of `at_ms`. Their fields: rulebook.codes, JUDGED_FIELDS, ASKED_FIELDS, FILL_FIELDS.
    """

    axes: Axes
    exclusions: tuple[Exclusion, ...]
    bar_ms: int
    at_ms: Ints  # [row], the decisions
    worth: Ints  # [row], equity at each in 1e-8 quote, -1 unknown
    close: Ints  # [row, instrument], last known closes in ticks, 0 unknown
    hour: Ints  # [row], which of `regimes` is in force
    regimes: Ints
    judged: Ints  # [n, JUDGED_FIELDS]
    asked: Ints  # [n, ASKED_FIELDS]
    filled: Ints  # [n, 1 + FILL_FIELDS]
    flows: Ints  # [n, 2]: row, 1e-8 quote
    halted: Ints  # [n, HALTED_FIELDS], where the halt machine moved
    cash_grains: int
    failures: Mapping[str, str] = field(default_factory=dict)  # by strategy, what broke it; it proposed nothing

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        return self.axes.instruments

    @cached_property
    def regime(self) -> Ints:
        """[row], the one in force."""
        return self.regimes[self.hour]

    @property
    def cash(self) -> Decimal:
        return from_grains(self.cash_grains)

    @cached_property
    def verdicts(self) -> tuple[Verdicted, ...]:
        symbols, at_ms = [one.symbol for one in self.instruments], self.at_ms.tolist()
        return tuple(
            Verdicted(EpochMs(at_ms[t]), symbols[i], codes.Verdict(verdict).name)
            for t, i, _, verdict in self.judged.tolist()
        )

    @cached_property
    def orders(self) -> tuple[Placed, ...]:
        at_ms, instruments, head = self.at_ms.tolist(), self.instruments, codes.ASKED_FIELDS - codes.ORDER_FIELDS
        return tuple(
            Placed(EpochMs(at_ms[row[0]]), approved_order(instruments[row[2]], row[3], row[head:], self.axes))
            for row in self.asked[self.asked[:, 1] == codes.PLACE].tolist()
        )

    @cached_property
    def fills(self) -> tuple[Executed, ...]:
        return tuple(_executed(row[1:], self.axes) for row in self.filled.tolist())

    @property
    def halts(self) -> tuple[Halted, ...]:
        return tuple(
            Halted(
                EpochMs(int(self.at_ms[row])),
                codes.HALT_STATES[state],
                tuple(name for n, name in enumerate(codes.CAUSES) if causes >> n & 1),
                None if until < 0 else EpochMs(until),
            )
            for row, state, causes, until in self.halted[:, :4].tolist()
        )

    @cached_property
    def equity(self) -> tuple[tuple[EpochMs, Decimal | None], ...]:
        pairs = zip(self.at_ms.tolist(), self.worth.tolist(), strict=True)
        return tuple((EpochMs(at), None if worth < 0 else from_grains(worth)) for at, worth in pairs)


@dataclass(frozen=True)
class World:
    """A market in memory, over which policies can be replayed: decisions from row `first` on."""

    instruments: tuple[Instrument, ...]
    exclusions: tuple[Exclusion, ...]
    frame: Frame
    first: int


def prepare(policy: "Settings", progress: Progress | None = None) -> None:
    """See that the law is compiled; `progress` hears of it only where it has to be."""
    nowhere = Instrument("NONE-NONE", "NONE", "NONE", Decimal(1), Decimal(1), Decimal(0))
    rows, bar_ms = lookback_of(policy), bar_ms_of(policy)
    frame = build({nowhere.symbol: Candles((), (), (), (), (), ())}, 0, rows * bar_ms, bar_ms)
    told_by(progress)
    replay_world(World((nowhere,), (), frame, rows - 1), policy)


def replay(
    source: CandleSource,
    policy: "Settings",
    start_ms: int,
    end_ms: int,
    *,
    interpreted: bool = False,
    flows: Sequence[Flow] = (),
) -> Replayed:
    """Decisions at every bar's close in [start_ms, end_ms); candles before `start_ms` only fill windows.

    Interpreted, each row is walked step by step by the functions that live runs; the result is the same.
    """
    return replay_world(world_of(source, policy, start_ms, end_ms), policy, interpreted=interpreted, flows=flows)


def world_of(
    source: CandleSource, policy: "Settings", start_ms: int, end_ms: int, others: Sequence["Settings"] = ()
) -> World:
    """The candles that a replay under this policy looks at, on its grid, with as much history as `others` ask for."""
    instruments, exclusions = watched_universe(source.instruments(), source.exclusions(), policy, ())
    bar_ms, rows = bar_ms_of(policy), max(lookback_of(one) for one in (policy, *others))
    first_ms, last_ms = start_ms - rows * bar_ms, end_ms - bar_ms
    candles = {one.symbol: source.candles(one.symbol, first_ms, last_ms) for one in instruments}
    days = max((days_before(one, first_ms, start_ms) for one in (policy, *others)), key=len)
    before = closes_of(days, [source.day_closes(one.symbol, days) if days else () for one in instruments])
    return World(instruments, exclusions, build(candles, first_ms, last_ms, bar_ms, before), rows - 1)


def replay_world(
    world: World,
    policy: "Settings",
    *,
    interpreted: bool = False,
    flows: Sequence[Flow] = (),
    memo: Memo | None = None,
    progress: Progress | None = None,
) -> Replayed:
    """The same over a market that is in memory already. A flow comes before the first decision at or after it.

    Replays that share a memo share what their columns have in common; `progress` hears of rows done, of how many.
    """
    keep_freed_memory()
    market, failures = Market(world.frame, policy, world.first), dict[str, str]()
    walk = step_walk if interpreted else compiled_walk()
    while True:
        try:
            told = partial(look_ahead, walk)
            legs = Legs(market, world.instruments, memo, failures, is_one=interpreted, told=told)
            return replace(_walked(world, legs, walk, flows, progress), failures=failures)
        except Broken as broken:
            failures |= broken.failures


def _walked(world: World, legs: Legs, walk: Walk, flows: Sequence[Flow], progress: Progress | None) -> Replayed:
    """Leg by leg over one State."""
    frame, first, instruments, policy = world.frame, world.first, world.instruments, legs.market.policy
    axes = Axes(instruments, enabled_strategies(policy))
    law, guard, moved = law_of(policy, axes), _guard(axes, world.exclusions), _rows_of(flows, frame.closes_ms)
    strategies, close = len(axes.strategies), frame.last_known[0]
    state, plan = empty_state(len(instruments), len(axes.assets), strategies), empty_plan(len(instruments), strategies)
    account.step_cash(state, grains_down(policy.app.paper.cash_quote))
    flips, listed = _listings(frame, close)
    foreign, held = _foreign(axes, policy.app.paper.holdings), np.zeros((len(instruments), 4), np.int64)
    tape, worth, following = empty_tape(len(instruments), 0), np.empty(frame.rows, np.int64), np.zeros(5, np.int64)
    reels: tuple[list[Ints], ...] = ([], [], [], [])
    regimes: Ints = np.zeros(0, np.int64)  # of no rows
    for leg in legs:
        regimes = leg.opinions.columns.regime
        start, t, rows = leg.start, leg.first, len(leg.bars.open)
        journey = Journey(
            first=first - start,
            coasts=0 if legs.is_one else 1,
            busy=leg.opinions.cells,
            flips=flips - start,
            listed=listed - start,
            foreign=foreign,
            flows=moved - np.array([start, 0], np.int64),
            next=following,
            held=held,
        )
        tape = tape._replace(equity=worth[start : start + rows])
        following[[codes.BUSY, codes.QUIET, codes.HELD]] = 0, codes.NEVER, codes.NEVER
        while t < rows:
            end = min(t + ROWS_TOLD, rows) if progress else rows
            t = walk(law, guard, state, leg.opinions.columns, leg.bars, journey, plan, tape, t, end)
            if t < end:
                tape = _emptied(tape, reels)
            if progress:
                progress(start + t - first, frame.rows - first)
    _emptied(tape, reels)
    judged, asked, filled, halted = (_joined(reel) for reel in reels)
    return Replayed(
        axes=axes,
        exclusions=world.exclusions,
        bar_ms=frame.bar_ms,
        at_ms=frame.closes_ms[first:],
        close=close[first:],
        hour=legs.market.hour[first:],
        regimes=regimes,
        worth=worth[first:],
        judged=judged,
        asked=asked,
        filled=filled,
        flows=moved - np.array([first, 0], np.int64),
        halted=halted,
        cash_grains=int(state.cash[0]),
    )


def _emptied(tape: Tape, reels: tuple[list[Ints], ...]) -> Tape:
    """What the tape holds goes to the reels. Returns a new one."""
    for used, reel, written in zip(tape.used.tolist(), reels, _parts(tape), strict=True):
        reel.append(written[:used])
    return empty_tape(len(tape.bar) // 3, 0)._replace(equity=tape.equity)


def _parts(tape: Tape) -> tuple[Ints, ...]:
    return tape.judged, tape.asked, tape.filled, tape.halted


def _joined(reel: list[Ints]) -> Ints:
    return np.concatenate(reel) if len(reel) > 1 else reel[0]


def _rows_of(flows: Sequence[Flow], at_ms: Ints) -> Ints:
    """[n, 2]: row and 1e-8 quote of each flow that has one."""
    pairs = [
        (int(np.searchsorted(at_ms, when)), grains_down(amount))
        for when, amount in sorted(flows, key=lambda one: one[0])
    ]
    return np.array([pair for pair in pairs if pair[0] < len(at_ms)], np.int64).reshape(-1, 2)


def _listings(frame: Frame, close: Ints) -> tuple[Ints, Ints]:
    """Rows in which some instrument's price comes or goes; the row of each one's first, past the last without one."""
    if frame.is_whole:
        return np.zeros(0, np.int64), np.zeros(len(frame.symbols), np.int64)
    priced = close > 0
    flips = np.flatnonzero((priced[1:] != priced[:-1]).any(axis=1)) + 1
    return flips, np.where(priced.any(axis=0), priced.argmax(axis=0), len(close)).astype(np.int64)


def _guard(axes: Axes, exclusions: Sequence[Exclusion]) -> Guard:
    """What stands against entries from the start: what the universe has no place for."""
    guard, excluded = empty_guard(len(axes.instruments)), {one.symbol for one in exclusions}
    barred = np.array([one.symbol in excluded for one in axes.instruments], np.int64)
    return guard._replace(barred=barred, foreign=guard.foreign.copy())


def _foreign(axes: Axes, holdings: Mapping[str, Decimal]) -> Ints:
    """Lots in the account that are not ours, once for each coin."""
    lots = np.zeros(len(axes.instruments), np.int64)
    for asset, quantity in holdings.items():
        if asset in axes.assets:
            i = axes.first_of(asset)
            lots[i] = lots_of(axes.instruments[i], quantity)
    return lots


def _executed(fill: list[int], axes: Axes) -> Executed:
    i, slot, lots, ticks, value, fee, at_ms, reason, strategy = fill
    instrument = axes.instruments[i]
    return Executed(
        at_ms=EpochMs(at_ms),
        symbol=instrument.symbol,
        side=Side.BUY if slot == codes.ENTRY else Side.SELL,
        price=ticks * instrument.tick,
        quantity=lots * instrument.lot,
        value=from_grains(value),
        fee=from_grains(fee),
        reason=codes.REASONS[reason],
        strategy=axes.strategies[strategy],
    )
