"""What doctor looks at: the real configuration, state, key, clock and venue, as the next cycle would find them.

Nothing is written, nothing is ordered, and only what is asked of the venue by reading is signed.
"""

import shutil
import stat
from contextlib import closing
from functools import cached_property
from shlex import quote
from typing import TYPE_CHECKING

from trader_core import keyring
from trader_core.alerts.outbox import Outbox
from trader_core.bootstrap import MODES, settings_of
from trader_core.desk import breakers
from trader_core.domain.book import Book
from trader_core.domain.breaker import Condition
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, rfc3339
from trader_core.domain.errors import ConfigInvalid, JournalBroken, StateUnusable, VenueUnavailable
from trader_core.domain.grant import Permission
from trader_core.domain.halt import HaltState, Trading
from trader_core.domain.order import OrderStatus
from trader_core.domain.values import replace
from trader_core.domain.words import count
from trader_core.engine.journal import Journal
from trader_core.engine.law import bar_ms_of
from trader_core.ops.clock import host_ms
from trader_core.ops.doctor import ALLOWED_S, Check, Checked, Finding, examined, fail, ok, warn, without
from trader_core.ops.halts import KillFile
from trader_core.ops.lock import holder_of
from trader_core.ops.rotation import check_permissions
from trader_core.policies import PolicyWatch, place_of
from trader_core.report.positions import naked_minutes
from trader_core.report.status import is_virtual
from trader_core.settings.coherence import keeps_from_live, warnings
from trader_core.settings.digest import digest
from trader_core.settings.load import exposed
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.backups import FOLDER, backups_in
from trader_core.store.chain import verified
from trader_core.store.files import StateFiles, begun_in, newest
from trader_core.store.policies import PolicyStore
from trader_core.strategies import STRATEGIES
from trader_core.telling import addresses_of

if TYPE_CHECKING:
    from trader_core.venues.coinbase.client import CoinbaseClient
    from trader_core.venues.coinbase.sign import ApiKey

FREE_BYTES = 500 * 1_000_000
NEWEST_ROWS = 2_000  # of the journal; `trader audit verify` walks all of them
MISSED_BARS = 2
BACKUP_H = 26
VENUE_S = 4.0  # of the time of a check
OTHERS = stat.S_IRWXG | stat.S_IRWXO
HAS_BOOKS = ("PAPER",)  # modes with a simulated venue's books beside the state, wherever their candles come from
NOT_BEGUN = "there is no account yet"
Look = Checked  # for the command line


def checkup(options: Options, allowed_s: float = ALLOWED_S) -> tuple[Checked, ...]:
    """Every check, beside each other. What one of them needs of another it reads for itself: none hides behind one
    that fails."""
    return examined(Clinic(options).checks(), allowed_s)


class Clinic:
    """The account as its next cycle would find it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._said = options.words

    def checks(self) -> tuple[tuple[str, Check], ...]:
        return (
            ("configuration", self.configuration),
            ("policy store", self.policy_store),
            ("state directory", self.directory),
            ("disk", self.disk),
            ("state", self.state),
            ("journal", self.journal),
            ("lock", self.lock),
            ("kill switch", self.kill_switch),
            ("halt", self.halt),
            ("orders", self.orders),
            ("ledger", self.ledger),
            ("stops", self.stops),
            ("cycle", self.cycle),
            ("strategies", self.strategies),
            ("breakers", self.breakers),
            ("clock", self.clock),
            ("venue", self.venue),
            ("key", self.key),
            ("permissions", self.permissions),
            ("grant", self.grant),
            ("alerts", self.alerts),
            ("backup", self.backup),
        )

    # --- what is written ---------------------------------------------------------------------------------------------

    def configuration(self) -> Finding:
        name = digest(self._settings)[:12]
        told = (*exposed(self._options.config_directory), *warnings(self._settings))
        if told:
            return warn(f"digest {name}; {told[0]}", f"trader validate-config{self._said}")
        return ok(f"digest {name}, from {self._options.config_directory}")

    def policy_store(self) -> Finding:
        place = place_of(replace(self._options, mode=self._mode), written=self._settings)
        store, reading = place.store, place.reading
        if reading.note:
            return fail(reading.note, f"restore {store.path.name} or {store.backup.name} from a copy")
        if reading.alone:
            return warn(
                f"version {reading.version}, and {reading.alone}",
                f"trader policy set KEY=VALUE --reason TEXT{self._said}: it writes both anew",
            )
        return ok(f"version {reading.version}, profile {place.in_force.policy.profile}")

    def strategies(self) -> Finding:
        enabled = [name for name in STRATEGIES if getattr(self._settings.strategies, name).enabled]
        if not enabled:
            return warn("none is enabled: nothing proposes an entry", "enable one in strategies.yaml")
        return ok(", ".join(enabled))

    # --- where it is kept --------------------------------------------------------------------------------------------

    def directory(self) -> Finding:
        place = self._files.directory
        if not place.exists():
            return fail(f"there is no {place}", "trader init, or name another with --state DIR")
        status = place.stat()
        if not stat.S_ISDIR(status.st_mode):
            return fail(f"{place} is no directory", "name another with --state DIR")
        if status.st_mode & OTHERS:
            return fail(
                f"{place} is open to others ({stat.filemode(status.st_mode)})", f"chmod 700 {quote(str(place))}"
            )
        return ok(str(place))

    def disk(self) -> Finding:
        place = self._files.directory
        free = shutil.disk_usage(place if place.exists() else place.anchor).free
        told = f"{free / 1e9:,.1f} GB free"
        if free < FREE_BYTES:
            return fail(f"{told}, at least {FREE_BYTES / 1e9:g} are wanted", "make room, or move the state")
        return ok(told)

    def state(self) -> Finding:
        try:
            self._files.check_not_lost()
            if self._mode in HAS_BOOKS:
                self._files.check_venue()
        except StateUnusable as lost:
            return fail(lost.what, lost.remedy)
        if not self._files.begun:
            if others := begun_in(self._files.directory):
                told = f"there is no {self._mode} account, but one of {' and '.join(others)}"
                return warn(told, f"trader doctor{replace(self._options, mode=others[-1]).words}")
            return warn(NOT_BEGUN, f"trader run-cycle{self._said}")
        with self._files.reading() as store:
            ((told,),) = store.query("PRAGMA quick_check(1)")
            ((cycles,),) = store.query("SELECT count(*) FROM cycles")
        if told != "ok":
            return fail(f"{self._files.state.name} is damaged: {told}", f"trader restore BACKUP{self._said}")
        return ok(f"{self._files.state.name}, {count(cycles, 'cycle')}")

    def journal(self) -> Finding:
        if not self._files.begun:
            return without(NOT_BEGUN)
        try:
            with self._files.reading() as store:
                ((last,),) = store.query("SELECT coalesce(max(seq), 0) FROM journal")
                after = max(last - NEWEST_ROWS, 0)
                before = next(store.rows(after - 1, after), None) if after else None
                walked = sum(1 for _ in verified(store.rows(after), before))
        except JournalBroken as broken:
            return fail(broken.what, f"trader audit verify{self._said}, then trader restore BACKUP{self._said}")
        return ok(f"the newest {walked} of {count(last, 'row')} hold together")

    def lock(self) -> Finding:
        if not self._files.directory.is_dir():
            return without(NOT_BEGUN)
        holder = holder_of(self._files.lock)
        return ok(f"held by process {holder}" if holder else "free")

    def backup(self) -> Finding:
        if not self._files.begun:
            return without(NOT_BEGUN)
        shelf, remedy = self._files.directory / FOLDER, f"trader backup{self._said}, and enable its timer"
        made = [one.made_ms for one in backups_in(shelf).copies if one.mode == self._files.mode]
        if not made:
            return warn(f"none in {shelf}; copies in another place are not looked at", remedy)
        now_ms = host_ms()
        dated = [one for one in made if one <= now_ms]
        if not dated:
            return fail(f"the newest is of {rfc3339(max(made) // 1_000 * 1_000)}, which is yet to come", remedy)
        age_h = (now_ms - max(dated)) / HOUR_MS
        if age_h > BACKUP_H:
            return fail(f"the newest is {age_h:,.0f} hours old, {BACKUP_H} are allowed", remedy)
        return ok(f"of {rfc3339(max(dated) // 1_000 * 1_000)}")

    # --- whether it may trade ----------------------------------------------------------------------------------------

    def kill_switch(self) -> Finding:
        remedy = f"trader halt show{self._said}, then trader halt reset{self._said} --user NAME --reason TEXT"
        asked = KillFile(self._files.directory).kill_requested() or self._files.latched()
        return fail(asked, remedy) if asked else ok("not set")

    def halt(self) -> Finding:
        halt = self._book.halt
        if halt.state is HaltState.DISABLED:
            return warn("DISABLED: nothing trips by itself", "set halt.enabled: true in policy.yaml")
        if halt.trading is not Trading.ACTIVE:
            remedy = f"trader halt show{self._said}, then trader halt reset{self._said} --user NAME --reason TEXT"
            early = "" if halt.state is HaltState.KILLED else "; before the cooldown is over with --force"
            return fail(f"{halt.state}: {halt.reason}", f"{remedy}{early}")
        return ok(str(halt.state))

    def orders(self) -> Finding:
        orders = [one for one in self._book.orders.values() if one.is_open]
        unknown = sorted({one.approved.symbol for one in orders if one.status is OrderStatus.INTENDED})
        if unknown:
            told = f"nobody knows what became of orders in {' '.join(unknown)}"
            return fail(told, f"trader run-cycle{self._said}, then: trader reconcile{self._said}")
        return ok(f"{len(orders)} open, none unknown")

    def ledger(self) -> Finding:
        found = self._book.discrepancies
        if not self._book.cycles:
            return without(NOT_BEGUN)
        if found:
            subject, detail = next(iter(found.items()))
            return fail(
                f"{count(len(found), 'discrepancy', 'discrepancies')}, of {subject}: {detail}",
                f"trader reconcile{self._said}",
            )
        return ok("agreed with the venue at the newest cycle")

    def stops(self) -> Finding:
        naked = naked_minutes(self._book)
        if naked:
            told = ", ".join(f"{symbol} for {minutes} min" for symbol, minutes in sorted(naked.items()))
            return fail(
                f"no stop at the venue: {told}",
                f"trader run-cycle{self._said}; if it stays: trader liquidate{self._said}",
            )
        return ok(
            f"{count(len(self._book.held), 'position')}, each with its stop" if self._book.held else "nothing is held"
        )

    def cycle(self) -> Finding:
        book = self._book
        if not book.cycles:
            return warn("none yet", f"trader run-cycle{self._said}")
        if self._is_virtual:
            return without("this market has a time of its own")
        age_ms, longest_ms = host_ms() - book.closed_ms, (MISSED_BARS + 1) * bar_ms_of(self._settings)
        if age_ms < -longest_ms:
            told = f"cycle {book.cycles} is of {rfc3339(book.closed_ms)}, and this machine's clock is before that"
            return fail(told, f"let the system keep the time (NTP), then: trader check-clock{self._said}")
        told = f"cycle {book.cycles} was {age_ms / MINUTE_MS:,.0f} min ago"
        if age_ms > longest_ms:
            return fail(f"{told}: the timer or the service does not run", "systemctl status trader-run-cycle.timer")
        return ok(told)

    def breakers(self) -> Finding:
        found = breakers(self._files.directory)
        bad = [one for one in found if one.condition is not Condition.CLOSED]
        if bad:
            told = ", ".join(f"{one.name} is {one.condition}" for one in bad)
            return fail(told, f"trader breaker list{self._said}; it closes by itself once the venue answers")
        return ok(f"{len(found)} closed" if found else "nothing was asked yet")

    def alerts(self) -> Finding:
        rules = self._settings.app.alerts
        with closing(Outbox(self._files.directory)) as outbox:
            stuck = outbox.stuck(host_ms() - rules.undelivered_min * MINUTE_MS) if outbox.exists else 0
        if stuck:
            return fail(
                f"{count(stuck, 'has', 'have')} reached nobody for {rules.undelivered_min} min",
                f"trader alerts test{self._said}",
            )
        if not addresses_of().are_any:
            return warn("nobody is told of anything: there is no address", "set TRADER_ALERT_URLS, then: alerts test")
        return ok("somebody is told")

    # --- the world ---------------------------------------------------------------------------------------------------

    def clock(self) -> Finding:
        if not self._has_venue:
            return without("this market has a time of its own")
        reading = keyring.read_clock(self._options)
        if reading.problem:
            return fail(reading.problem, f"let the system keep the time (NTP), then: trader check-clock{self._said}")
        return ok("within what is allowed")

    def venue(self) -> Finding:
        if not self._has_venue:
            return without("simulated")
        client = self._client(None)
        try:
            client.server_time()
        except VenueUnavailable as gap:
            return fail(gap.what, f"look at the network, then: trader check-clock{self._said}")
        return ok("it answers")

    def key(self) -> Finding:
        if not self._is_live:
            return without("this mode sends no order")
        key = keyring.key_in_force(self._settings, self._files.directory)
        name = keyring.fingerprint_of(key)
        warning, expired = keyring.age_of_key(self._settings, self._files.directory, name, host_ms())
        if expired:
            return fail(expired, keyring.RECORD)
        return warn(warning, f"trader rotate-secrets{self._said}") if warning else ok(f"{name}, young enough")

    def permissions(self) -> Finding:
        if not self._is_live:
            return without("this mode sends no order")
        key = keyring.key_in_force(self._settings, self._files.directory)
        check_permissions(self._client(key).permissions())
        return ok("view and trade, and no transfer")

    def grant(self) -> Finding:
        if not self._is_live:
            return without("this mode sends no order")
        files, book = self._files, self._book
        key = keyring.key_in_force(self._settings, files.directory)
        portfolio = keyring.client_of(self._settings, files.directory, key).permissions().portfolio_uuid
        watch = PolicyWatch(PolicyStore(files.directory, files.mode))
        watch.in_force(self._settings, host_ms(), book.policy_version)
        equity = book.equity if book.cycles else book.cash
        name = keyring.fingerprint_of(key)
        found = keyring.gate(self._settings, files.directory, name, portfolio, equity, host_ms(), watch)
        if found.permission is not Permission.OPEN and (book.cycles or found.permission is Permission.NEVER):
            return fail(found.reason, f"trader arm{self._said} --max-equity AMOUNT --expires 24h")
        return ok("in force")

    # --- what they look at -------------------------------------------------------------------------------------------

    def _client(self, key: "ApiKey | None") -> "CoinbaseClient":
        """It gives up before its check is given up: what it says is better than that it said nothing."""
        return keyring.client_of(self._settings, self._files.directory, key, total_s=VENUE_S)

    @cached_property
    def _settings(self) -> Settings:
        return settings_of(self._options)

    @cached_property
    def _mode(self) -> str:
        """Beside files that cannot be read it is that of the account which was written last."""
        try:
            return self._options.mode or self._settings.app.mode
        except ConfigInvalid:
            if not begun_in(self._options.state_directory):
                raise
            return newest(self._options.state_directory, MODES).mode

    @property
    def _files(self) -> StateFiles:
        return StateFiles(self._options.state_directory, self._mode)

    @cached_property
    def _book(self) -> Book:
        """Of an account that has not begun: empty."""
        if not self._files.begun:
            return Book()
        with self._files.reading() as store:
            return Journal(store).book

    @property
    def _is_virtual(self) -> bool:
        with self._files.reading() as store:
            return is_virtual(store.identity().get("clock", ""))

    @property
    def _has_venue(self) -> bool:
        return keyring.HAS_CLOCK[self._options.venue or self._settings.app.exchange.venue]

    @property
    def _is_live(self) -> bool:
        return not keeps_from_live(self._settings, self._mode)
