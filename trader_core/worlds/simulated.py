"""Worlds on a simulated venue: a folder of candles or the sample market, on a clock that never waits."""

from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from decimal import Decimal

from trader_core.candles.folder import open_folder
from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.errors import GateClosed, StateUnusable, UsageError
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.money import grains_down
from trader_core.engine.journal import Journal
from trader_core.engine.law import bar_ms_of, costs_of
from trader_core.ops.clock import host_ms
from trader_core.ports import CandleSource, Ports, Store
from trader_core.settings.coherence import keeps_from_live
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.files import StateFiles
from trader_core.store.memory import MemoryStore
from trader_core.store.sqlite import Identity, SqliteStore, make_private
from trader_core.venues.simulated.books import Books
from trader_core.venues.simulated.clock import VirtualClock
from trader_core.venues.simulated.sample import SampleMarket
from trader_core.venues.simulated.venue import SimulatedVenue
from trader_core.venues.wrappers import ReadOnly
from trader_core.worlds.system import NEW_ACCOUNT, System, World, halts_of, watch_of

LAST_CYCLES = 96  # of a data folder that is traded without --from
VENUE_FLOOR = Decimal(1)  # smallest order of the simulated venue, in quote
HISTORY_MS = 90 * DAY_MS  # of the sample market, behind its first decision


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
    """(first decision, first one no more taken); without --from the last 96 of a folder, or a sample's first. Nothing
    is decided before the market's first candle."""
    if options.since_ms is not None:
        return max(-(-options.since_ms // source.bar_ms) * source.bar_ms, source.first_ms), options.until_ms
    if source.end_ms is None:
        return source.first_ms + HISTORY_MS, options.until_ms
    return max(source.end_ms - (LAST_CYCLES - 1) * source.bar_ms, source.first_ms + source.bar_ms), options.until_ms


def period_of(source: CandleSource, options: Options) -> tuple[int, int]:
    """(first decision, end of the decisions) that a run would take, a day of an endless market: what is decided before
    an end between two closes is decided before the later one. Raises UsageError where there is no decision."""
    start_ms, until_ms = span_of(source, options)
    ends = [] if until_ms is None else [-(-until_ms // source.bar_ms) * source.bar_ms]
    ends += [] if source.end_ms is None else [source.end_ms + source.bar_ms]
    end_ms = min(ends, default=start_ms + LAST_CYCLES * source.bar_ms)
    if end_ms <= start_ms:
        raise UsageError("the period is empty", remedy="choose --from and --to inside the data")
    return start_ms, end_ms


def _simulated(trades: bool) -> World:
    @contextmanager
    def opened(policy: Settings, options: Options, files: StateFiles, waits: bool) -> Iterator[System]:
        with ExitStack() as until_closed:
            if trades:
                files.check_venue()
            begun, (began_ms, _) = files.begun, files.decided_ms()
            books = Books(files.venue) if trades and begun else Books(None)
            until_closed.callback(books.close)
            source = source_of(policy, options, began_ms, books.watched())
            store = SqliteStore(files.state, _identity(files.mode, source), digest(policy))
            until_closed.callback(store.close)
            if trades and not begun:  # the state comes first: books without one are refused
                make_private(files.venue)
                books = Books(files.venue)
                until_closed.callback(books.close)
            yield _wired(policy, options, files, trades, source, store, books)

    @contextmanager
    def previewed(policy: Settings, options: Options, files: StateFiles) -> Iterator[System]:
        store, books, (began_ms, _) = MemoryStore(), Books(None), files.decided_ms()
        if trades:
            files.check_venue()
            if files.venue.exists():
                books.close()
                books = Books.copied(files.venue)
        source = source_of(policy, options, began_ms, books.watched())
        if files.begun:
            with files.reading() as kept:
                kept.check_identity(_identity(files.mode, source))
                store = MemoryStore(kept.facts(judged=False))
        with closing(books):
            yield _wired(policy, options, files, trades, source, store, books)

    return World(opened, previewed)


def _wired(
    policy: Settings,
    options: Options,
    files: StateFiles,
    trades: bool,
    source: CandleSource,
    store: Store,
    books: Books,
) -> System:
    journal, paper, (start_ms, until_ms) = Journal(store), policy.app.paper, span_of(source, options)
    if journal.book.closed_ms >= 0:
        if trades and books.now_ms() is None:
            raise StateUnusable(f"{files.venue} is empty, but {files.state.name} belongs to it", remedy=NEW_ACCOUNT)
        if options.since_ms is None:
            start_ms = 0  # go on where it stopped, however much has been appended since
    venue = SimulatedVenue(
        source, costs_of(policy), books, grains_down(paper.cash_quote), paper.holdings, policy.universe.tier_of
    )
    watch = watch_of(files)
    ports = Ports(
        reader=ReadOnly(venue),
        trader=venue if trades else None,
        store=store,
        clock=VirtualClock(venue, source, start_ms, until_ms, host_ms),
        halts=halts_of(files, store),
        order_id=OrderIdsOf(f"{files.mode}-{options.seed}"),
        account_quote=source.quote,
        observed_equity=options.equity,
        policies=watch,
    )
    market = f"candles of {options.data}" if options.data else f"sample market, seed {options.seed}"
    return System(ports, policy, journal, source, files.mode, files.directory, f"the simulated venue, {market}", watch)


def _identity(mode: str, source: CandleSource) -> Identity:
    return {
        "mode": mode,
        "venue": "simulated",
        "quote": source.quote,
        "data": source.fingerprint,
        "clock": f"virtual, {source.bar_ms} ms",
    }


def _closed(policy: Settings, options: Options, files: StateFiles, *_: bool) -> AbstractContextManager[System]:
    """Real money is not traded on a simulated venue; everything else that is missing is named too."""
    against = keeps_from_live(policy, files.mode)
    what = "; ".join(dict.fromkeys(("the venue is simulated", *against)))
    raise GateClosed(f"LIVE is closed: {what}", remedy="trader run --mode PAPER --venue simulated")


@contextmanager
def in_memory(policy: Settings, options: Options, files: StateFiles) -> Iterator[System]:
    """A world without a disk, for measurements."""
    with closing(Books(None)) as books:
        yield _wired(policy, options, files, True, source_of(policy, options), MemoryStore(), books)


LOOKING, ON_PAPER, CLOSED = _simulated(trades=False), _simulated(trades=True), World(_closed, _closed)
