"""Sell what the bot owns, because a person wants it: cycle after cycle through the same judge, until all is flat.

Entries are refused from the first byte on: a trip stands in the journal before anything is sent, and stays there.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from trader_core.domain.account import Balance
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import DataUnavailable, GateClosed, TooManyPages, VenueUnavailable
from trader_core.domain.facts import CoinsMoved, HaltChanged
from trader_core.domain.fill import Fill, Side
from trader_core.domain.halt import HaltState, tripped
from trader_core.domain.instrument import Instrument
from trader_core.domain.money import Base, plain
from trader_core.engine.cycle import CycleReport, guard, look, run_cycle
from trader_core.engine.journal import Journal
from trader_core.engine.observe import Snapshot
from trader_core.engine.policies import policy_in_force
from trader_core.engine.settle import settle
from trader_core.engine.stages import Stages
from trader_core.execution.flatten import Sale, on_their_way, sales, whole_lots
from trader_core.execution.reconcile import foreign_to
from trader_core.ports import Ports

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

REASON = "liquidation"
ROUNDS_MAX = 24
FRUITLESS_MAX = 5  # rounds in a row in which nothing moved
HOPELESS_MAX = 2  # such rounds where nothing that is left can be sold now
NEXT_BAR = "what was ordered meets the next bar: run it again then"
TAKEN_OVER, HANDED_BACK = "taken over to be sold", "handed back: not sold"


@dataclass(frozen=True)
class Coins:
    """Coins in the account that the bot did not buy, as far as they can be sold."""

    symbol: str
    quantity: Decimal
    bid: Decimal


@dataclass(frozen=True)
class Survey:
    """What is there to be sold, before anything is."""

    decision_ms: EpochMs
    sales: tuple[Sale, ...]
    foreign: tuple[Coins, ...]  # those that were asked for
    entries: tuple[str, ...]  # symbols of purchases that rest, and will be canceled
    problem: str  # what could not be read


@dataclass(frozen=True)
class Liquidation:
    """What became of it. Flat is what was verified to be flat."""

    rounds: int
    sold: tuple[Fill, ...]
    left: tuple[Sale, ...]  # dust among them
    pending: tuple[str, ...]  # symbols with an order that may still fill
    unsure: str  # why nobody can say what is left
    stopped: str  # why it ended before its time
    book: Book

    @property
    def is_flat(self) -> bool:
        return not self.unsure and not self.pending and not any(one.is_open for one in self.left)


@dataclass
class _Watch:
    """Says to every pass of a cycle what is to be sold, and remembers what that pass saw."""

    band_bps: float
    seen: Snapshot | None = None

    def __call__(self, book: Book, snapshot: Snapshot) -> frozenset[str]:
        self.seen = snapshot
        return frozenset(one.symbol for one in self.left(book) if one.is_open)

    def left(self, book: Book) -> tuple[Sale, ...]:
        if self.seen is None:
            return sales(book, (), {}, (), self.band_bps)
        return sales(book, self.seen.instruments, self.seen.quotes, self.seen.frozen, self.band_bps)


def survey(ports: Ports, policy: "Settings", journal: Journal, assets: Sequence[str] = ()) -> Survey:
    """Look at account and market as a cycle does, and send nothing.

    Raises VenueUnavailable, DataUnavailable at the end of the market, and GateClosed where coins that were asked for
    are not there, or cannot be sold.
    """
    decision_ms = ports.clock.next_decision_ms(journal.book.closed_ms)
    if decision_ms is None:
        raise DataUnavailable("the market has ended: nothing can be sold any more", safe="nothing was sent")
    policy = policy_in_force(ports, policy, journal, decision_ms)
    guard(ports, journal, decision_ms)
    view = look(ports, policy, journal, decision_ms, Stages())
    seen, book = view.snapshot, journal.book
    listed, watch = {one.base: one for one in ports.reader.instruments()}, _Watch(policy.policy.orders.limit_band_bps)
    watch(book, seen)
    entries = [one.approved for one in book.orders.values() if one.is_open]
    return Survey(
        decision_ms=decision_ms,
        sales=watch.left(book),
        foreign=tuple(_coins(ports, one, listed.get(one), view.balances, book) for one in dict.fromkeys(assets)),
        entries=tuple(one.symbol for one in entries if one.side is Side.BUY),
        problem=seen.problem,
    )


def _coins(
    ports: Ports, asset: str, instrument: Instrument | None, balances: Sequence[Balance], book: Book
) -> Coins:  # fmt: skip
    safe, quote = "nothing was sent and nothing was changed", ports.account_quote
    if instrument is None:
        raise GateClosed(f"{asset} cannot be sold for {quote}: the venue does not list it", safe=safe)
    quantity = whole_lots(foreign_to(book, balances, quote).get(asset, Decimal(0)), instrument.lot)
    top = ports.reader.quotes([instrument.symbol]).get(instrument.symbol)
    if quantity <= 0 or top is None or quantity * top.bid < instrument.min_notional:
        told = f"{plain(quantity)} {asset}" if quantity > 0 else f"no {asset}"
        what = f"the account has {told} that is not ours, which is less than the venue trades"
        raise GateClosed(what if top or quantity <= 0 else f"nobody bids for {asset}", safe=safe)
    return Coins(instrument.symbol, quantity, top.bid)


def liquidate(
    ports: Ports,
    policy: "Settings",
    journal: Journal,
    found: Survey,
    pause: Callable[[int], None],
    stop: Callable[[], bool],
) -> Liquidation:
    """Sell what `found` has. `pause` is called with the number of rounds in which nothing moved, where time does not
    move by itself. A kill that comes in between ends it; one that was there before does not.
    """
    at_ms = EpochMs(max(found.decision_ms, journal.book.closed_ms))
    _trip(journal, at_ms)
    watch, foreign = _Watch(policy.policy.orders.limit_band_bps), _Foreign(found.foreign)
    reports, stopped = _rounds(ports, policy, journal, watch, foreign, pause, stop)
    fills = [one.fill for report in reports for one in report.fills]
    unsure, at_ms = "", EpochMs(max(at_ms, journal.book.closed_ms))
    try:
        late, _ = settle(ports, journal, at_ms)
        fills += [one.fill for one in late]
    except (VenueUnavailable, TooManyPages) as gap:
        unsure = f"the account could not be read at the end: {gap.what}"
    foreign.take_over(journal, (journal.book.held - journal.book.dust).union(on_their_way(journal.book)), at_ms)
    left = watch.left(journal.book)  # also of what is handed back: it was to be sold
    _hand_back(journal, foreign.taken, at_ms)
    sold = tuple(one for one in fills if one.side is Side.SELL)
    return Liquidation(len(reports), sold, left, on_their_way(journal.book), unsure, stopped, journal.book)


def _trip(journal: Journal, at_ms: EpochMs) -> None:
    """Nothing is bought back by the next cycle. A kill allows even less, and stays."""
    halt = journal.book.halt
    if halt.state is HaltState.KILLED or (halt.state is HaltState.TRIPPED and REASON in halt.reason):
        return
    journal.record(at_ms, [HaltChanged(tripped(halt, REASON, at_ms))])


def _rounds(
    ports: Ports, policy: "Settings", journal: Journal, watch: _Watch, foreign: "_Foreign",
    pause: Callable[[int], None], stop: Callable[[], bool],
) -> tuple[list[CycleReport], str]:  # fmt: skip
    """(the cycles that were run, why they ended before the positions did)."""
    reports: list[CycleReport] = []
    fruitless, killed = 0, ports.halts.kill_requested() is not None
    busy = frozenset((*journal.book.held, *on_their_way(journal.book)))
    for _ in range(ROUNDS_MAX):
        if stop():
            return reports, "somebody asked to stop"
        if not killed and ports.halts.kill_requested() is not None:
            return reports, "a kill came in between"
        decision_ms = ports.clock.next_decision_ms(journal.book.closed_ms)
        if decision_ms is None:
            return reports, "the market has ended"
        moves, before = decision_ms > journal.book.closed_ms, _standing(journal.book)
        foreign.take_over(journal, busy, decision_ms)
        with journal.acted_on():
            reports.append(run_cycle(ports, policy, journal, decision_ms, closing=watch))
        book = journal.book
        waits, left = on_their_way(book), [one for one in watch.left(book) if one.is_open]
        busy = frozenset((*waits, *(one.symbol for one in left)))
        if not busy and not foreign.rest:
            return reports, ""
        fruitless = fruitless + 1 if _standing(book) == before else 0
        if fruitless and not moves and ports.patience.passes == 1:
            return reports, NEXT_BAR
        hopeless = not waits and all(one.why_not for one in left)
        if fruitless >= (HOPELESS_MAX if hopeless else FRUITLESS_MAX):
            return reports, f"nothing moved in {fruitless} rounds"
        if fruitless and not moves:
            pause(fruitless)
    return reports, f"{ROUNDS_MAX} rounds were not enough"


def _standing(book: Book) -> object:
    held = {symbol: book.holdings[symbol].quantity for symbol in book.held}
    return held, {name: one.status for name, one in book.orders.items() if one.is_open}


# --- coins that the bot did not buy ----------------------------------------------------------------------------------


@dataclass
class _Foreign:
    """They become the bot's, as a deposit in kind at the bid: so they are sold like everything else. Not before what
    the bot bought of the same is gone: what was paid for that is not what they are worth."""

    rest: tuple[Coins, ...]  # not taken over yet
    taken: dict[str, CoinsMoved] = field(default_factory=dict)

    def take_over(self, journal: Journal, busy: Collection[str], at_ms: EpochMs) -> None:
        """All that are not of these symbols. A name counts once, so every try has its own."""
        names = f"coins-{journal.rows}-{at_ms}"
        facts = {
            one.symbol: CoinsMoved(
                f"{names}-{one.symbol}", one.symbol, Side.BUY, Base(one.quantity), one.bid, at_ms, TAKEN_OVER
            )
            for one in self.rest if one.symbol not in busy
        }  # fmt: skip
        journal.record(at_ms, tuple(facts.values()))
        self.taken |= facts
        self.rest = tuple(one for one in self.rest if one.symbol in busy)


def _hand_back(journal: Journal, taken: Mapping[str, CoinsMoved], at_ms: EpochMs) -> None:
    """What was not sold of them is nobody's but their owner's. What an order may still sell stays ours until then."""
    book, facts = journal.book, list[CoinsMoved]()
    for symbol, one in taken.items():
        left = min(book.holdings[symbol].quantity, one.quantity)
        if left > 0 and symbol not in on_their_way(book):
            name = f"{one.name}-back"
            facts.append(CoinsMoved(name, symbol, Side.SELL, Base(left), one.price, at_ms, HANDED_BACK))
    journal.record(at_ms, facts)
