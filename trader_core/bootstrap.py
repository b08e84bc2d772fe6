"""The composition root: settings and a mode in, a wired world out. The only file that knows every adapter.

A mode is a line in WIRINGS, never a branch: what a mode must not do, it is not handed.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trader_core.candles.folder import open_folder
from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.errors import GateClosed, StateUnusable, VenueUnavailable
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.money import grains_down
from trader_core.engine.journal import Journal
from trader_core.engine.law import bar_ms_of, costs_of
from trader_core.ops.clock import host_ms
from trader_core.ops.halts import KillFile
from trader_core.ops.lock import StateLock
from trader_core.ports import CandleSource, Ports, Store
from trader_core.settings.digest import digest
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.files import StateFiles
from trader_core.store.memory import MemoryStore
from trader_core.store.sqlite import Identity, SqliteStore
from trader_core.venues.simulated.books import Books
from trader_core.venues.simulated.clock import VirtualClock
from trader_core.venues.simulated.sample import SampleMarket
from trader_core.venues.simulated.venue import SimulatedVenue
from trader_core.venues.wrappers import ReadOnly

LAST_CYCLES = 96  # of a data folder that is traded without --from
VENUE_FLOOR = Decimal(1)  # smallest order of the simulated venue, in quote
NEW_ACCOUNT = "restore it, or start a new account with --state DIR"
HISTORY_MS = 90 * DAY_MS  # of the sample market, behind its first decision


@dataclass(frozen=True)
class System:
    """One wired world, open until its context closes."""

    ports: Ports
    policy: Settings
    journal: Journal
    source: CandleSource
    mode: str
    state: Path


@dataclass(frozen=True)
class Wiring:
    """What a mode is given. A mode that trades has books on disk and a trader; another has neither."""

    trades: bool


def settings_of(options: Options) -> Settings:
    """The five files, validated. Raises ConfigInvalid."""
    return load(options.config_directory)


def source_of(policy: Settings, options: Options, began_ms: int = -1, watched: Collection[str] = ()) -> CandleSource:
    """The market that a simulated venue replays, for an account that began at `began_ms` and has `watched` open.

    Raises DataUnavailable.
    """
    bar_ms = bar_ms_of(policy)
    if options.data is None:
        return SampleMarket(options.seed, bar_ms, VENUE_FLOOR)
    since = options.since_ms if began_ms < 0 else began_ms
    return open_folder(options.data, bar_ms, VENUE_FLOOR, since, options.until_ms, watched)


def span_of(source: CandleSource, options: Options) -> tuple[int, int | None]:
    """(first decision, first one no more taken); without --from the last 96 of a folder, or a sample's first."""
    if options.since_ms is not None:
        return -(-options.since_ms // source.bar_ms) * source.bar_ms, options.until_ms
    if source.end_ms is None:
        return source.first_ms + HISTORY_MS, options.until_ms
    return max(source.end_ms - (LAST_CYCLES - 1) * source.bar_ms, source.first_ms + source.bar_ms), options.until_ms


@contextmanager
def open_system(options: Options) -> Iterator[System]:
    """Lock, state and venue of a mode, ready for cycles. Raises TraderError with nothing sent."""
    policy, files, wiring = _resolved(options)
    files.make_directory()
    with ExitStack() as until_closed:
        until_closed.enter_context(StateLock(files.lock))
        if wiring.trades:
            files.check_venue()
        begun, (began_ms, _) = files.begun, files.decided_ms()
        books = Books(files.venue) if wiring.trades and begun else Books(None)
        until_closed.callback(books.close)
        source = source_of(policy, options, began_ms, books.watched())
        store = SqliteStore(files.state, _identity(files.mode, source), digest(policy))
        until_closed.callback(store.close)
        if wiring.trades and not begun:  # the state comes first: books without one are refused
            books = Books(files.venue)
            until_closed.callback(books.close)
        yield _wired(policy, options, files, wiring, source, store, books)


@contextmanager
def open_preview(options: Options) -> Iterator[System]:
    """A copy of the state in memory: what happens there stays there."""
    policy, files, wiring = _resolved(options)
    store, books, (began_ms, _) = MemoryStore(), Books(None), files.decided_ms()
    if wiring.trades:
        files.check_venue()
        if files.venue.exists():
            books.close()
            books = Books.copied(files.venue)
    source = source_of(policy, options, began_ms, books.watched())
    if files.begun:
        with files.reading() as kept:
            kept.check_identity(_identity(files.mode, source))
            store = MemoryStore(kept.facts())
    with closing(books):
        yield _wired(policy, options, files, wiring, source, store, books)


@contextmanager
def memory_system(options: Options) -> Iterator[System]:
    """A world without a disk, for measurements."""
    policy, files, wiring = _resolved(options)
    with closing(Books(None)) as books:
        yield _wired(policy, options, files, wiring, source_of(policy, options), MemoryStore(), books)


def _resolved(options: Options) -> tuple[Settings, StateFiles, Wiring]:
    """Which mode, where, and what it may be handed. Raises GateClosed or VenueUnavailable where it may not be."""
    policy = settings_of(options)
    mode = options.mode or policy.app.mode
    wiring = WIRINGS[mode](policy)
    VENUES[options.venue or policy.app.exchange.venue]()
    return policy, StateFiles(options.state_directory, mode), wiring


def _wired(
    policy: Settings,
    options: Options,
    files: StateFiles,
    wiring: Wiring,
    source: CandleSource,
    store: Store,
    books: Books,
) -> System:
    journal, paper, (start_ms, until_ms) = Journal(store), policy.app.paper, span_of(source, options)
    if journal.book.closed_ms >= 0:
        if wiring.trades and books.now_ms() is None:
            raise StateUnusable(f"{files.venue} is empty, but {files.state.name} belongs to it", remedy=NEW_ACCOUNT)
        if options.since_ms is None:
            start_ms = 0  # go on where it stopped, however much has been appended since
    venue = SimulatedVenue(
        source, costs_of(policy), books, grains_down(paper.cash_quote), paper.holdings, policy.universe.tier_of
    )
    ports = Ports(
        reader=ReadOnly(venue),
        trader=venue if wiring.trades else None,
        store=store,
        clock=VirtualClock(venue, source, start_ms, until_ms, host_ms),
        halts=KillFile(files.directory),
        order_id=OrderIdsOf(f"{files.mode}-{options.seed}"),
        account_quote=source.quote,
        observed_equity=options.equity,
    )
    return System(ports, policy, journal, source, files.mode, files.directory)


def _live(policy: Settings) -> Wiring:
    """No grant can be valid before there is a venue to grant it for; everything missing is named."""
    missing = ["no live grant (nothing in this version can write one)"]
    if policy.app.exchange.read_only:
        missing.append("exchange.read_only is true")
    raise GateClosed(f"LIVE is closed: {'; '.join(missing)}", remedy="trader run --mode PAPER --venue simulated")


WIRINGS: dict[str, Callable[[Settings], Wiring]] = {
    "DRY_RUN": lambda policy: Wiring(trades=False),
    "LIVE": _live,
    "PAPER": lambda policy: Wiring(trades=True),
}


def _no_adapter() -> None:
    raise VenueUnavailable("this version has no adapter for the venue coinbase", remedy="add --venue simulated")


VENUES: dict[str, Callable[[], None]] = {"coinbase": _no_adapter, "simulated": lambda: None}


def _identity(mode: str, source: CandleSource) -> Identity:
    return {
        "mode": mode,
        "venue": "simulated",
        "quote": source.quote,
        "data": source.fingerprint,
        "clock": f"virtual, {source.bar_ms} ms",
    }
