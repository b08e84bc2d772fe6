"""A world on a real venue, from settings, key and state: what a mode may do there, and what stands against entries.

Real money needs everything at once: the configuration, a key that may trade and nothing more, a grant, a sound clock.
"""

from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from time import sleep

import numpy as np

from trader_core.candles.fetched import Fetch, FetchedCandles
from trader_core.candles.files import Rows
from trader_core.domain.clocktime import DAY_MS, SECOND_MS, EpochMs
from trader_core.domain.emergency import Emergencies, no_emergency
from trader_core.domain.errors import GateClosed, KeyUnusable, StateUnusable, TraderError, VenueUnavailable
from trader_core.domain.facts import Intended
from trader_core.domain.grant import Permission
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.money import grains_down
from trader_core.domain.objection import Objection
from trader_core.engine.journal import Journal
from trader_core.engine.law import bar_ms_of, costs_of
from trader_core.keyring import (
    active_key,
    age_of_key,
    check_ever_granted,
    client_of,
    clock_problem,
    gate,
    key_in_force,
    key_in_view,
)
from trader_core.kill.sales import Sale, sales
from trader_core.net.calls import Calls
from trader_core.ops.clock import WallClock, host_ms
from trader_core.ops.rotation import check_permissions
from trader_core.policies import PolicyWatch
from trader_core.ports import Halts, Patience, Ports, Store, VenueTrader, nothing_objected
from trader_core.settings.coherence import keeps_from_live
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.files import CANDLES, StateFiles
from trader_core.store.memory import MemoryStore
from trader_core.store.sqlite import Identity, SqliteStore, make_private
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.products import Products
from trader_core.venues.coinbase.sign import ApiKey, fingerprint
from trader_core.venues.coinbase.venue import CoinbaseVenue
from trader_core.venues.coinbase.words import Granularity
from trader_core.venues.simulated.books import Books
from trader_core.venues.simulated.clock import Paced
from trader_core.venues.simulated.venue import SimulatedVenue
from trader_core.venues.wrappers import Mute, ReadOnly
from trader_core.worlds.system import NEW_ACCOUNT, System, World, halts_of, watch_of

HISTORY_MS = 90 * DAY_MS  # of candles, behind now
WORKERS = 16  # calls beside each other
ANSWER_S = 3.0  # how long a look waits for the venue's word on the key
REAL = Patience(passes=4, looks=3, unseen_ms=90 * SECOND_MS, cash=Decimal("0.01"))
LATER = (  # loaded while the venue is waited for
    "trader_core.engine.run", "pyarrow.parquet", "trader_core.telling", "trader_core.metering",
)  # fmt: skip


@dataclass(frozen=True)
class Connection:
    """One venue, seen with a key or without."""

    client: CoinbaseClient
    venue: CoinbaseVenue
    source: FetchedCandles
    policy: Settings
    files: StateFiles
    policies: PolicyWatch
    calls: Calls

    def listed(self) -> None:
        """Read what the venue lists ahead of who will need it."""
        self.venue.products()

    def clock(self, options: Options, halts: Halts, waits: bool) -> WallClock:
        return WallClock(
            bar_ms=self.source.bar_ms,
            host_ms=host_ms,
            seen_ms=self.client.venue_ms,
            alarmed=lambda: halts.kill_requested() is not None,
            waits=waits,
            monitor_ms=self.policy.policy.cycle.monitor_s * SECOND_MS,
            until_ms=options.until_ms,
            ask=self.client.server_time,
            know=self.client.know_time,
        )


@contextmanager
def kept_beside(files: StateFiles) -> Iterator[Path]:
    """Where counts and candles go. Who only looks makes no directory, and what was learnt is forgotten with it."""
    if files.directory.exists():
        yield files.directory
    else:
        with TemporaryDirectory(prefix="trader-") as place:
            yield Path(place)


@contextmanager
def connected(policy: Settings, options: Options, files: StateFiles, key: ApiKey | None) -> Iterator[Connection]:
    """Nothing is asked of the venue yet."""
    calls, exchange = Calls(host_ms), policy.app.exchange
    with kept_beside(files) as place, ThreadPoolExecutor(WORKERS) as pool:
        client = client_of(policy, place, key, calls)
        products = Products(client, exchange.quote, host_ms)
        for name in LATER:
            pool.submit(import_module, name)
        directory = options.data or place / CANDLES / exchange.venue

        def candles(bar_ms: int, days: FetchedCandles | None) -> FetchedCandles:
            return FetchedCandles(
                bar_ms=bar_ms,
                quote=exchange.quote,
                fingerprint=exchange.venue_url or "coinbase",
                first_ms=EpochMs((host_ms() - HISTORY_MS) // bar_ms * bar_ms),
                directory=directory,
                fetch=fetch_of(client, bar_ms),
                listed=products,
                days=days,
            )

        source = candles(bar_ms_of(policy), candles(DAY_MS, None))
        venue = CoinbaseVenue(
            client=client,
            source=source,
            products=products,
            pool=pool,
            band_ppm=round(policy.policy.orders.limit_band_bps * 100),
            since_ms=began_ms(files),
            pause=sleep,
        )
        yield Connection(client, venue, source, policy, files, watch_of(files), calls)


def fetch_of(client: CoinbaseClient, bar_ms: int) -> Fetch:
    """Closed candles of that length, from the public calls: no key is needed. Closed is what the venue's clock says:
    what is kept before its bar is over stays so for ever."""

    def fetch(symbol: str, since_ms: int, until_ms: int) -> Rows:
        client.know_time()
        found = client.candles(symbol, Granularity(bar_ms // 1_000), since_ms // 1_000, until_ms // 1_000, public=True)
        columns = [[float(getattr(one, name)) for one in found] for name in ("open", "high", "low", "close", "volume")]
        return Rows(np.array([int(one.open_ms) for one in found], np.int64), *(np.array(one) for one in columns))

    return fetch


def live_key(policy: Settings, mode: str, state: Path) -> ApiKey:
    """The key to trade with. Raises GateClosed before anything is signed, where one condition is missing."""
    against = keeps_from_live(policy, mode)
    if against:
        remedy = "set mode: LIVE and read_only: false in app.yaml, then: trader arm"
        raise GateClosed(f"LIVE is closed: {'; '.join(against)}", safe="nothing was signed", remedy=remedy)
    key = key_in_force(policy, state)
    check_ever_granted(state, fingerprint(key))
    return key


@dataclass
class Licence:
    """What was verified of the key when this process began, or as soon after it as the venue told; the rest is asked
    again at every cycle."""

    policy: Settings
    state: Path
    fingerprint: str
    portfolio: str
    client: CoinbaseClient
    policies: PolicyWatch
    pool: Executor
    unread: Objection | None = None  # why nobody knows what the key may do
    _is_of_the_start: bool = True  # what `unread` says
    _asked: "Future[Objection | None] | None" = None

    def __call__(self, equity: Decimal | None) -> tuple[Objection, ...]:
        """What cannot be read allows no entry; exits go on."""
        now_ms = host_ms()
        try:
            granted = gate(self.policy, self.state, self.fingerprint, self.portfolio, equity, now_ms, self.policies)
            _, expired = age_of_key(self.policy, self.state, self.fingerprint, now_ms)
            active = active_key(self.state)
        except StateUnusable as broken:
            return (Objection(broken.what, broken.exit_code, reduces=True),)
        clock = clock_problem(self.policy, self.state, self.client)
        other = active not in ("", self.fingerprint)
        signs = f"the key in force is {active}, and this process signs with {self.fingerprint}: start it anew"
        found = (
            Objection(signs, KeyUnusable.exit_code, reduces=True) if other else None,
            Objection(granted.reason, GateClosed.exit_code, reduces=True) if granted.reason else None,
            self._permissions(),
            Objection(expired, 11) if expired else None,
            Objection(clock, 12) if clock else None,
        )
        return tuple(one for one in found if one)

    def _permissions(self) -> Objection | None:
        """Asked beside the cycle, which does not wait long for it: an exit may be due."""
        if self.unread is not None and not self._is_of_the_start:
            self._asked = self._asked or self.pool.submit(unfit, self.client, self.portfolio)
            with suppress(TimeoutError):
                self.unread, self._asked = self._asked.result(ANSWER_S), None
        self._is_of_the_start = False
        return self.unread


def unfit(client: CoinbaseClient, portfolio: str) -> Objection | None:
    """What speaks against the key by the venue's own word; None where nothing does."""
    try:
        permissions = client.permissions()
    except TraderError as gap:
        return unknown_permissions(gap)
    try:
        check_permissions(permissions)
    except KeyUnusable as refused:
        return Objection(refused.what, refused.exit_code, reduces=True)
    if permissions.portfolio_uuid != portfolio:
        told = f"the key is of the portfolio {permissions.portfolio_uuid}, and the account of {portfolio}"
        return Objection(told, KeyUnusable.exit_code, reduces=True)
    return None


def unknown_permissions(gap: TraderError) -> Objection:
    return Objection(f"the key's permissions are unknown: {gap.what}", gap.exit_code)


def licence_of(connection: Connection, key: ApiKey) -> Licence:
    """Look at the key's permissions, and by the way at the venue's time. A venue that does not answer keeps nobody from
    caring for what is held: the portfolio is then the one of the state, and it is asked again.

    Raises KeyUnusable for a key that may move money, and GateClosed where no grant was ever given to it in this
    portfolio.
    """
    policy, state, policies = connection.policy, connection.files.directory, connection.policies
    start = connection.venue.pool.submit
    time, asked, _ = (
        start(connection.client.server_time),
        start(connection.client.permissions),
        start(connection.listed),
    )
    try:
        time.result()
        permissions = asked.result()
    except VenueUnavailable as gap:
        known = known_identity(connection.files).get("data", "")
        if not known:
            raise
        unread, pool = unknown_permissions(gap), connection.venue.pool
        return Licence(policy, state, fingerprint(key), known, connection.client, policies, pool, unread)
    check_permissions(permissions)
    portfolio, pool = permissions.portfolio_uuid, connection.venue.pool
    licence = Licence(policy, state, fingerprint(key), portfolio, connection.client, policies, pool)
    granted = gate(policy, state, licence.fingerprint, licence.portfolio, None, host_ms(), policies)
    if granted.permission is Permission.NEVER:
        raise GateClosed(
            f"LIVE is closed: {granted.reason}", safe="nothing was sent",
            remedy="trader arm --max-equity AMOUNT --expires 24h",
        )  # fmt: skip
    return licence


def warnings_of(policy: Settings, files: StateFiles, key: ApiKey) -> tuple[str, ...]:
    """What nears its end."""
    warning, _ = age_of_key(policy, files.directory, fingerprint(key), host_ms())
    return (warning,) if warning else ()


def identity_of(connection: Connection, mode: str, account: str) -> Identity:
    """A live account's instance is drawn once: no other may ever use its order ids."""
    known = known_identity(connection.files)
    return {
        "mode": mode,
        "venue": connection.policy.app.exchange.venue,
        "quote": connection.source.quote,
        "data": account,
        "clock": f"wall, {connection.source.bar_ms} ms",
        "instance": known.get("instance") or token_hex(16),
    }


def known_identity(files: StateFiles) -> Identity:
    if not files.begun:
        return {}
    with files.reading() as store:
        return store.identity()


def observed_cash(connection: Connection, key: ApiKey | None, options: Options) -> Decimal | None:
    """Without a ledger: what a view key shows of the account's currency, else what the operator said."""
    if key is None or options.equity is not None:
        return options.equity
    quote = connection.source.quote
    found = connection.venue.balances("").balances
    return sum((one.total for one in found if one.asset == quote), Decimal(0))


def began_ms(files: StateFiles) -> EpochMs:
    """When something was first written down of the account, whether or not that cycle came to its end; else now."""
    if files.begun:
        with files.reading() as store:
            ((first,),) = store.query("SELECT min(at_ms) FROM journal WHERE at_ms > 0")
        if isinstance(first, int):
            return EpochMs(first)
    return host_ms()


def copied(connection: Connection, mode: str, account: str) -> MemoryStore:
    """The state as it stands, where there is one. Raises StateUnusable where no cycle could go on with it."""
    files = connection.files
    if not files.begun:
        return MemoryStore()
    with files.reading() as kept:
        kept.check_identity(identity_of(connection, mode, account))
        return MemoryStore(kept.facts(judged=False))


class Unadopted:
    """What kills have sold that the store does not have. It is read through only where there is one that was not there
    before."""

    def __init__(self, state: Path, store: Store) -> None:
        self._state, self._store = state, store
        self._known: frozenset[str] = frozenset()

    def __call__(self) -> tuple[Sale, ...]:
        written = sales(self._state)
        if all(one.client_order_id in self._known for one in written):
            return ()
        facts = self._store.facts(judged=False)
        self._known = frozenset(one.client_order_id for one in facts if isinstance(one, Intended))
        return tuple(one for one in written if one.client_order_id not in self._known)


# --- worlds ----------------------------------------------------------------------------------------------------------


def looking(connection: Connection, options: Options, store: Store, equity: Decimal | None, waits: bool) -> System:
    """Decisions on real quotes, and nothing to send with."""
    return _system(connection, options, store, None, waits, equity=equity)


def trading(
    connection: Connection, options: Options, store: Store, licence: Licence, instance: str, waits: bool
) -> System:
    """What an emergency sold is taken into the ledger first, and what one sells beside it at every look."""
    beside = Unadopted(connection.files.directory, store)
    system = _system(
        connection, options, store, connection.venue, waits, licence=licence, instance=instance, emergencies=beside
    )  # fmt: skip
    sold = beside()
    if sold:
        from trader_core.engine.adopt import adopt

        adopt(system.journal, sold, EpochMs(max(system.journal.book.closed_ms, 0)) or host_ms())
    return system


def in_thought(connection: Connection, options: Options, store: Store, licence: Licence) -> System:
    """What a live cycle would do. Its trader can write an order down and send nothing."""
    return _system(connection, options, store, Mute(connection.venue), False, licence=licence)


def on_paper(connection: Connection, options: Options, store: Store, books: Books, waits: bool, begun: bool) -> System:
    """A simulated account over real candles, as they close."""
    policy, files, source = connection.policy, connection.files, connection.source
    if begun and books.now_ms() is None:
        raise StateUnusable(f"{files.venue} is empty, but {files.state.name} belongs to it", remedy=NEW_ACCOUNT)
    paper, tier_of = policy.app.paper, policy.universe.tier_of
    venue = SimulatedVenue(source, costs_of(policy), books, grains_down(paper.cash_quote), paper.holdings, tier_of)
    halts = halts_of(files, store)
    clock = connection.clock(options, halts, waits)
    ports = Ports(
        reader=ReadOnly(venue),
        trader=venue,
        store=store,
        clock=Paced(clock, venue),
        halts=halts,
        order_id=OrderIdsOf(f"{files.mode}-{source.fingerprint}"),
        account_quote=source.quote,
        observed_equity=None,
        policies=connection.policies,
    )
    about = files.mode, files.directory, _market(connection), connection.policies
    return System(ports, policy, Journal(store), source, *about, calls=connection.calls)


def _system(
    connection: Connection, options: Options, store: Store, trader: VenueTrader | None, waits: bool, *,
    equity: Decimal | None = None, licence: Licence | None = None, instance: str = "",
    emergencies: Emergencies = no_emergency,
) -> System:  # fmt: skip
    files, source, halts = connection.files, connection.source, halts_of(connection.files, store)
    ports = Ports(
        reader=ReadOnly(connection.venue),
        trader=trader,
        store=store,
        clock=connection.clock(options, halts, waits),
        halts=halts,
        order_id=OrderIdsOf(instance),
        account_quote=source.quote,
        observed_equity=equity,
        objections=licence or nothing_objected,
        patience=REAL,
        policies=connection.policies,
        emergencies=emergencies,
    )
    about = files.mode, files.directory, _market(connection), connection.policies
    return System(ports, connection.policy, Journal(store), source, *about, calls=connection.calls)


def _market(connection: Connection) -> str:
    url = connection.policy.app.exchange.venue_url
    return f"the {connection.policy.app.exchange.venue} venue{f', rehearsed at {url}' if url else ''}"


@contextmanager
def _looking(policy: Settings, options: Options, files: StateFiles, waits: bool) -> Iterator[System]:
    """Real quotes and candles, and nothing to send with."""
    key = key_in_view(policy)
    with connected(policy, options, files, key) as connection:
        identity = identity_of(connection, files.mode, connection.source.fingerprint)
        with closing(SqliteStore(files.state, identity, digest(policy))) as store:
            yield looking(connection, options, store, observed_cash(connection, key, options), waits)


@contextmanager
def _looked_at(policy: Settings, options: Options, files: StateFiles) -> Iterator[System]:
    key = key_in_view(policy)
    with connected(policy, options, files, key) as connection:
        store = copied(connection, files.mode, connection.source.fingerprint)
        yield looking(connection, options, store, observed_cash(connection, key, options), False)


@contextmanager
def _on_paper(policy: Settings, options: Options, files: StateFiles, waits: bool) -> Iterator[System]:
    """Real candles as they close, and a simulated account on them."""
    with connected(policy, options, files, None) as connection, ExitStack() as until_closed:
        files.check_venue()
        begun, identity = files.begun, identity_of(connection, files.mode, connection.source.fingerprint)
        store = SqliteStore(files.state, identity, digest(policy))
        until_closed.callback(store.close)
        make_private(files.venue)
        books = Books(files.venue)
        until_closed.callback(books.close)
        yield on_paper(connection, options, store, books, waits, begun)


@contextmanager
def _on_paper_previewed(policy: Settings, options: Options, files: StateFiles) -> Iterator[System]:
    with connected(policy, options, files, None) as connection:
        files.check_venue()
        store = copied(connection, files.mode, connection.source.fingerprint)
        with closing(Books.copied(files.venue) if files.venue.exists() else Books(None)) as books:
            yield on_paper(connection, options, store, books, False, files.begun)


@contextmanager
def _trading(policy: Settings, options: Options, files: StateFiles, waits: bool) -> Iterator[System]:
    """Real money: every condition is looked at before anything is signed."""
    key = live_key(policy, files.mode, files.directory)
    with connected(policy, options, files, key) as connection:
        licence = licence_of(connection, key)
        connection.source.warnings = warnings_of(policy, files, key)
        identity = identity_of(connection, files.mode, licence.portfolio)
        with closing(SqliteStore(files.state, identity, digest(policy))) as store:
            yield trading(connection, options, store, licence, identity["instance"], waits)


@contextmanager
def _traded_in_thought(policy: Settings, options: Options, files: StateFiles) -> Iterator[System]:
    """The account is read, and there is nothing to send with."""
    key = live_key(policy, files.mode, files.directory)
    with connected(policy, options, files, key) as connection:
        licence = licence_of(connection, key)
        yield in_thought(connection, options, copied(connection, files.mode, licence.portfolio), licence)


LOOKING, ON_PAPER, TRADING = (
    World(_looking, _looked_at), World(_on_paper, _on_paper_previewed), World(_trading, _traded_in_thought)
)  # fmt: skip
