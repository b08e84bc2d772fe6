"""The composition root: settings and a mode in, a wired world out. The only file that knows every adapter.

A mode is a line in WIRINGS, never a branch: what a mode must not do, it is not handed.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
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
from trader_core.ports import CandleSource, Ports, Store, VenueTrader
from trader_core.settings.digest import digest
from trader_core.settings.environment import Environment, read_environment, state_directory
from trader_core.settings.load import load
from trader_core.settings.locate import config_directory
from trader_core.settings.schema import Settings
from trader_core.store.memory import MemoryStore
from trader_core.store.queries import SUFFIX, last_decision_ms, newest_state
from trader_core.store.sqlite import Identity, SqliteStore
from trader_core.venues.simulated.books import Books
from trader_core.venues.simulated.clock import VirtualClock
from trader_core.venues.simulated.sample import SampleMarket
from trader_core.venues.simulated.venue import SimulatedVenue
from trader_core.venues.wrappers import ReadOnly

LAST_CYCLES = 96  # of a data folder that is traded without --from
SAMPLE_SEED = 7
VENUE_FLOOR = Decimal(1)  # smallest order of the simulated venue, in quote
HISTORY_MS = 90 * DAY_MS  # of the sample market, behind its first decision


def _as_it_is(trader: VenueTrader) -> VenueTrader:
    return trader


@dataclass(frozen=True)
class Options:
    """What the command line says; None where it says nothing."""

    state: Path | None = None
    config: Path | None = None
    mode: str | None = None
    venue: str | None = None
    data: Path | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    seed: int = SAMPLE_SEED
    equity: Decimal | None = None
    through: Callable[[VenueTrader], VenueTrader] = _as_it_is  # a view on the trader, for drills
    environment: Environment = field(default_factory=read_environment)


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
    return load(config_directory(options.config, options.environment))


def state_of(options: Options) -> Path:
    return state_directory(options.state, options.environment)


def source_of(policy: Settings, options: Options, continued_ms: int = -1) -> CandleSource:
    """The market that a simulated venue replays. Raises DataUnavailable."""
    bar_ms = bar_ms_of(policy)
    if options.data is None:
        return SampleMarket(options.seed, bar_ms, VENUE_FLOOR)
    since = options.since_ms
    if continued_ms >= 0:
        since = max(since or 0, continued_ms - bar_ms)  # the bar that was decided on last is there for certain
    return open_folder(options.data, bar_ms, VENUE_FLOOR, since, options.until_ms)


def span_of(source: CandleSource, options: Options) -> tuple[int, int | None]:
    """(first decision, first one no more taken); without --from the last 96 of a folder, or a sample's first."""
    if options.since_ms is not None:
        return options.since_ms, options.until_ms
    if source.end_ms is None:
        return source.first_ms + HISTORY_MS, options.until_ms
    return max(source.end_ms - (LAST_CYCLES - 1) * source.bar_ms, source.first_ms + source.bar_ms), options.until_ms


@contextmanager
def open_system(options: Options) -> Iterator[System]:
    """Lock, state and venue of a mode, ready for cycles. Raises TraderError with nothing sent."""
    policy = settings_of(options)
    mode = options.mode or policy.app.mode
    wiring = WIRINGS[mode](policy)
    VENUES[options.venue or policy.app.exchange.venue]()
    directory = state_of(options)
    _make(directory)
    with ExitStack() as open_until_closed:
        open_until_closed.enter_context(StateLock(directory / f"{mode.lower()}.lock"))
        path = directory / f"{mode.lower()}{SUFFIX}"
        books_path = path.with_name(f"{mode.lower()}.venue{SUFFIX}") if wiring.trades else None
        continued_ms = _continued(path)
        if books_path:
            _both_or_neither(path, books_path, continued_ms)
        source = source_of(policy, options, continued_ms)
        store = SqliteStore(path, _identity(mode, source), digest(policy))
        open_until_closed.callback(store.close)
        books = Books(books_path)
        open_until_closed.callback(books.close)
        yield _wire(policy, options, wiring, mode, directory, source, store, books)


@contextmanager
def open_preview(options: Options) -> Iterator[System]:
    """A copy of the state in memory, one step ahead and without a trader: what happens there stays there."""
    policy = settings_of(options)
    mode = options.mode or policy.app.mode
    wiring = WIRINGS[mode](policy)
    VENUES[options.venue or policy.app.exchange.venue]()
    directory = state_of(options)
    path = directory / f"{mode.lower()}{SUFFIX}"
    source = source_of(policy, options, _continued(path))
    store, books = MemoryStore(), Books(None)
    if path.exists():
        with _reading(path) as kept:
            kept.check_identity(_identity(mode, source))
            store = MemoryStore(kept.facts())
        books_path = path.with_name(f"{mode.lower()}.venue{SUFFIX}")
        books = Books(books_path).copy() if wiring.trades and books_path.exists() else books
    yield _wire(policy, options, wiring, mode, directory, source, store, books)


def memory_system(options: Options) -> System:
    """A world without a disk, for measurements."""
    policy = settings_of(options)
    mode = options.mode or policy.app.mode
    source = source_of(policy, options)
    return _wire(policy, options, WIRINGS[mode](policy), mode, state_of(options), source, MemoryStore(), Books(None))


@contextmanager
def open_state(options: Options) -> Iterator[tuple[SqliteStore, str]]:
    """(the newest state in the directory for reading, its mode). Raises StateUnusable."""
    path = newest_state(state_of(options), tuple(WIRINGS) if options.mode is None else (options.mode,))
    with _reading(path) as store:
        yield store, path.stem.upper()


def _wire(
    policy: Settings,
    options: Options,
    wiring: Wiring,
    mode: str,
    directory: Path,
    source: CandleSource,
    store: Store,
    books: Books,
) -> System:
    venue = SimulatedVenue(
        source, costs_of(policy), books, policy.app.paper.holdings
    )
    start_ms, until_ms = span_of(source, options)
    venue.open_account(grains_down(policy.app.paper.cash_quote), start_ms)
    ports = Ports(
        reader=ReadOnly(venue),
        trader=options.through(venue) if wiring.trades else None,
        store=store,
        clock=VirtualClock(venue, source, start_ms, until_ms, host_ms),
        halts=KillFile(directory),
        order_id=OrderIdsOf(f"{mode}-{options.seed}"),
        account_quote=source.quote,
        observed_equity=options.equity,
    )
    return System(ports, policy, Journal(store), source, mode, directory)


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


def _both_or_neither(path: Path, books_path: Path, continued_ms: int) -> None:
    """The account and the simulated venue's books belong together; one without the other is not a new start."""
    missing, other = (books_path, path) if path.exists() else (path, books_path)
    begun = continued_ms >= 0 if path.exists() else books_path.exists()
    if begun and not missing.exists():
        raise StateUnusable(
            f"{missing} is missing, but {other.name} belongs to it",
            remedy="restore it, or start a new account with --state DIR",
        )


def _continued(path: Path) -> int:
    if not path.exists():
        return -1
    with _reading(path) as store:
        return last_decision_ms(store)


@contextmanager
def _reading(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path, None)
    try:
        yield store
    finally:
        store.close()


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as failed:
        raise StateUnusable(
            f"the state directory {directory} cannot be made: {failed.strerror}", remedy="name another with --state DIR"
        ) from failed
