"""The desk: what a person looks at and changes between the cycles of an account. Nothing can be sent from here."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from os import getuid
from pathlib import Path
from pwd import getpwuid

from trader_core.bootstrap import MODES, settings_of
from trader_core.candles import store as store
from trader_core.domain.account import Account
from trader_core.domain.book import Book
from trader_core.domain.breaker import BreakerSeen
from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.errors import GateClosed, StateUnusable, UsageError
from trader_core.domain.grant import BreakerReset
from trader_core.domain.halt import Trading
from trader_core.domain.money import from_grains, grains_down, plain
from trader_core.domain.order import OrderStatus
from trader_core.domain.values import replace
from trader_core.engine.journal import Journal
from trader_core.net.breaker import PREFIX, closed_again, named, seen
from trader_core.ops.clock import host_ms
from trader_core.ops.lock import WAIT_MS, StateLock, alone
from trader_core.policies import PolicyWatch
from trader_core.report.status import is_virtual
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.buckets import SharedRows
from trader_core.store.files import StateFiles, begun_in, newest, only
from trader_core.store.grants import Permits
from trader_core.store.policies import PolicyStore
from trader_core.store.sqlite import SqliteStore
from trader_core.venues.simulated.books import Books

A_MOMENT = "type this again when its cycle is over; at once: trader kill, trader policy set"


@dataclass(frozen=True)
class Brakes:
    """An account between its cycles: a person may write into its journal.

    `at_ms` is the account's own time: see `account_ms`.
    """

    journal: Journal
    files: StateFiles
    quote: str
    account: Account
    at_ms: EpochMs


@dataclass(frozen=True)
class Desk(Brakes):
    """The same, and the settings in force."""

    policy: Settings


@contextmanager
def open_brakes(options: Options, config_digest: str = "") -> Iterator[Brakes]:
    """The one state in the directory, ours between two cycles, for commands that change it. Who only stops needs no
    configuration, and is kept by none.

    Raises StateUnusable, UsageError where there are several and nobody says which, GateClosed before its first cycle,
    or StateLocked where somebody is at work on it for longer than a cycle takes.
    """
    files = only(options.state_directory, _modes(options))
    with (
        StateLock(files.turn, WAIT_MS, A_MOMENT),
        closing(SqliteStore.writing(files.state, config_digest)) as store,
    ):
        journal = Journal(store)
        if journal.book.closed_ms < 0:
            raise GateClosed(
                f"the {files.mode} account has not run a cycle yet, so it has no time of its own",
                safe="nothing was changed and nothing trades", remedy="trader run-cycle, then this again",
            )  # fmt: skip
        identity = store.identity()
        account = Account(files.mode, identity["venue"])
        yield Brakes(journal, files, identity["quote"], account, account_ms(store, journal.book))


@contextmanager
def open_desk(options: Options) -> Iterator[Desk]:
    """As `open_brakes`, for what needs the settings in force. Raises ConfigInvalid too."""
    written = settings_of(options)
    with open_brakes(options, digest(written)) as brakes:
        watch = PolicyWatch(PolicyStore(brakes.files.directory, brakes.files.mode))
        policy: Settings = watch.in_force(written, brakes.at_ms, brakes.journal.book.policy_version).settings
        yield Desk(**vars(brakes), policy=policy)


def account_ms(store: SqliteStore, book: Book) -> EpochMs:
    """What time it is for an account: by the wall clock now, however long nothing has run; by a virtual one that of its
    newest cycle, for there is no other."""
    return book.closed_ms if is_virtual(store.identity().get("clock", "")) else max(book.closed_ms, host_ms())


def oldest_unknown_min(book: Book) -> int:
    """For how many whole minutes of this machine's clock nobody has known what became of an order; 0 where all are
    known."""
    sent_ms = [one.sent_ms or one.placed_ms for one in book.orders.values() if one.status is OrderStatus.INTENDED]
    return max(host_ms() - min(sent_ms), 0) // MINUTE_MS if sent_ms else 0


def newest_state(options: Options) -> StateFiles:
    """The newest state in the directory. Raises StateUnusable."""
    return newest(options.state_directory, _modes(options))


@contextmanager
def open_state(options: Options) -> Iterator[tuple[SqliteStore, Account]]:
    """(the newest state in the directory for reading, whose it is). Raises StateUnusable."""
    files = newest_state(options)
    with files.reading() as store:
        yield store, Account(files.mode, store.identity().get("venue", "?"))


def breakers(directory: Path) -> tuple[BreakerSeen, ...]:
    """Every dependency that was ever asked from this state, and how well it is. Raises StateUnusable."""
    with closing(SharedRows(directory)) as rows:
        return tuple(seen(key, text, host_ms()) for key, text in rows.starting_with(PREFIX).items())


def reset_breaker(directory: Path, name: str, reason: str) -> BreakerSeen:
    """Close one breaker and return it as it was. What was done, by whom and why, is written down first.

    Raises UsageError where there is none of that name, and StateUnusable.
    """
    with closing(SharedRows(directory)) as rows:
        found = {named(key): (key, text) for key, text in rows.starting_with(PREFIX).items()}
        if name not in found:
            known = ", ".join(found) or "none"
            raise UsageError(f"there is no breaker {name}; known: {known}", remedy="trader breaker list")
        key, text = found[name]
        now_ms, before = host_ms(), seen(key, text, host_ms())
        fact = BreakerReset(name, before.condition, before.failures, reason, host_user(), now_ms)
        Permits(directory).append(fact, now_ms)
        rows.change(key, closed_again)
        return before


def host_user() -> str:
    """Whom the operating system takes the caller for, whatever the environment says."""
    try:
        return getpwuid(getuid()).pw_name
    except KeyError:
        return f"uid {getuid()}"


def move_cash(options: Options, amount: Decimal, note: str) -> Decimal:
    """Deposit (above zero) into the paper account or withdraw; returns its free cash. The next cycle reads the flow.

    Raises GateClosed where less is free than is to go out, UsageError where another account is asked for.
    """
    _refuse_another(options)
    with open_desk(replace(options, mode="PAPER")) as desk, closing(Books(desk.files.venue)) as books:
        free, _ = books.balance(desk.quote)
        left = free + grains_down(amount)
        if left < 0:
            told = f"only {plain(from_grains(free))} {desk.quote} are free"
            raise GateClosed(told, safe="nothing was moved", remedy="ask for less")
        with books.change():
            books.transfer(desk.quote, grains_down(amount), desk.at_ms, note)
        return from_grains(left)


def archive_paper(options: Options) -> Path:
    """Move the paper account into the archive and return the folder. Raises StateUnusable where there is none, and
    UsageError where another account is asked for."""
    _refuse_another(options)
    files = newest(options.state_directory, ("PAPER",))
    with alone(files.lock, files.turn, WAIT_MS), StateLock(files.moving, WAIT_MS), StateLock(files.changing, WAIT_MS):
        with files.reading() as store:
            halt = Journal(store).book.halt
        if halt.trading is not Trading.ACTIVE:
            raise GateClosed(
                f"the paper account is {halt.state} ({halt.reason}), and a new one would not be",
                safe="nothing was changed", remedy="trader halt reset --mode PAPER --user NAME --reason TEXT",
            )  # fmt: skip
        return files.archive()


def _refuse_another(options: Options) -> None:
    """Who names a mode means that account and no other; where none is on paper, naming another one helps nobody."""
    if "PAPER" not in _modes(options):
        raise UsageError(
            f"--mode {options.mode} is no paper account", safe="nothing was changed", remedy="leave --mode out"
        )
    begun = begun_in(options.state_directory)
    if begun and "PAPER" not in begun:
        StateFiles(options.state_directory, "PAPER").check_not_lost()
        raise StateUnusable(
            f"there is no PAPER account in {options.state_directory}, but one of {' and '.join(begun)}",
            safe="nothing was read or changed", remedy="name the place of the paper account with --state DIR",
        )  # fmt: skip


def _modes(options: Options) -> tuple[str, ...]:
    return tuple(one for one in MODES if options.mode in (None, one))
