"""What a cycle leaves for people to be told. Nothing here waits for a network, and nothing here ends a cycle.

`cycle` is called once after every cycle of a system that is open for work, `failed` where a start or a cycle broke off.
Neither raises: what could not be told stands in `problem`, and becomes an exit code. A process of its own delivers.
"""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trader_core.alerts.addresses import Addresses, addresses
from trader_core.alerts.outbox import BEAT, CYCLE, LINGER_MS, RULES, TELLING_MS, WANTED, Outbox, Sample
from trader_core.alerts.policy import Rules
from trader_core.alerts.start import buried, is_drained, start_drainer
from trader_core.domain.alert import Alarm, Severity
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, SECOND_MS, short
from trader_core.domain.errors import ConfigInvalid, StateUnusable, TraderError
from trader_core.domain.halt import HaltState
from trader_core.domain.order import OrderStatus
from trader_core.domain.telemetry import QUIET_MS
from trader_core.domain.values import replace
from trader_core.domain.words import count
from trader_core.net.redaction import redact
from trader_core.ops.clock import host_ms
from trader_core.report.alarms import addressed, alarm_of, alarms_of, exposure_of, unasked
from trader_core.report.trouble import Around, Rate
from trader_core.settings.environment import process_environment
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.settings.ratchet import in_force, loosened
from trader_core.settings.secrets import ALERTS, ESCALATIONS, HEARTBEAT, urls, without_keys
from trader_core.store.buckets import NAME as BUCKETS

if TYPE_CHECKING:
    from trader_core.domain.book import Book
    from trader_core.domain.breaker import BreakerSeen
    from trader_core.engine.cycle import CycleReport
    from trader_core.settings.schema import Alerts, Settings
    from trader_core.worlds.system import System

MEGABYTE = 1_000_000
IDLE = ("HELD", "ADD_SPACING", "ADDS_PER_DAY", "MAX_POSITIONS")  # refusals of more than what is held
PERMITS = "permits.db"
CALLED, ORDERED, BROKEN = "calls", "orders", "exceptions"  # samples
LIVE = "LIVE"  # its cycles are expected whatever the files say now


class Voice:
    """The outbox of a state directory, and who is told from this process. What cannot be told is a `problem`."""

    def __init__(self, directory: Path, config: Path) -> None:
        self.outbox, self.problem = Outbox(directory, TELLING_MS), ""
        self._directory, self._config, self._drainer = directory, config.absolute(), 0
        self._to: Addresses | None = None
        self._forgot_ms = -1

    @contextmanager
    def speaking(self) -> Iterator[None]:
        """Whatever goes wrong with alerts goes wrong in here, and is a word about it afterwards."""
        try:
            self.problem = ""
            yield
        except Exception as failed:  # noqa: BLE001 - no cycle ends because nobody can be told of it
            what = failed.what if isinstance(failed, TraderError) else f"{type(failed).__name__}: {failed}"
            self.problem = redact(f"the alerts could not be told: {what}")

    def deliver(self, rules: "Alerts", now_ms: int) -> None:
        """See that somebody takes what is due to where it goes; say so where nobody could for too long."""
        if self._drainer and buried(self._drainer):
            self._drainer = 0
        stuck = self.outbox.stuck(now_ms - rules.undelivered_min * MINUTE_MS)
        if stuck:
            told = count(stuck, "alert has", "alerts have")
            self.problem = f"{told} reached nobody for {rules.undelivered_min} min: trader alerts test"
        if not self.to.are_any:
            self._forget(now_ms)
        elif self._is_due(rules, now_ms) and not is_drained(self._directory):
            self._drainer = start_drainer(self._directory, self._config, without_keys(process_environment()))

    def _forget(self, now_ms: int) -> None:
        """What is over for long, as who delivers does where somebody is to be told."""
        if not 0 <= now_ms - self._forgot_ms < HOUR_MS:
            with suppress(StateUnusable):  # somebody else is at work on it: the next cycle does
                self.outbox.prune(now_ms)
                self._forgot_ms = now_ms

    @property
    def to(self) -> Addresses:
        if self._to is None:
            self._to = addresses_of()
        return self._to

    def _is_due(self, rules: "Alerts", now_ms: int) -> bool:
        if self.to.heartbeat or self.outbox.waiting():
            return True
        wakes = self.outbox.wakes_ms(rules_of(rules))
        return wakes is not None and wakes <= now_ms + LINGER_MS


class Telling:
    """One account's voice, from the opening of its system on."""

    def __init__(self, system: "System", options: Options) -> None:
        from trader_core.metering import meter_of

        self._system, self._rules, self._account = system, system.policy.app.alerts, system.mode
        self._voice, self._words = Voice(system.state, options.config_directory), _words(options, system.mode)
        self._intents, self._rejected = system.journal.book.intents, _rejected(system.journal.book)
        self._calls, self._orders = Rate(0, 0), Rate(0, 0)  # since they were written down
        self._meter, self._over = meter_of(system, self._voice.outbox), tuple[tuple[str, str], ...]()
        self._wanted: tuple[int, int] | None = None  # decision times: since when entries are wanted, and when last
        self._around = Around(0, 0, Rate(0, 0), Rate(0, 0))
        self._looked_ms = -1
        self._said: frozenset[tuple[str, Severity]] = frozenset()
        self._unsaid: tuple[Alarm, ...] = ()  # events that could not be written down
        self._last: tuple[CycleReport, int] | None = None

    @property
    def problem(self) -> str:
        return self._voice.problem

    def cycle(self, report: "CycleReport", took_ms: int) -> None:
        """Of a cycle that ran to its end, and how long it took by this machine's clock."""
        self._last, pace = (report, took_ms), self._meter.cycle(report)
        self._over = tuple(pace.over.items())
        self._calls = Rate(self._calls.total + pace.calls, self._calls.bad + pace.errors)
        with self._voice.speaking():
            now_ms = host_ms()
            self._cycle(report, took_ms, now_ms, not 0 <= now_ms - self._looked_ms < QUIET_MS)

    def ended(self) -> None:
        """Of a loop that ended as it should: nobody expects another cycle."""
        if self._last is not None:
            self._meter.ended()
            with self._voice.speaking():
                self._cycle(*self._last, host_ms(), True, is_last=True)

    def _cycle(self, report: "CycleReport", took_ms: int, now_ms: int, looks: bool, is_last: bool = False) -> None:
        self._count(report.book)
        if looks:
            with suppress(StateUnusable):  # what cannot be looked up now is as it was; what happened must be told
                self._look(now_ms)
        self._want(report)
        wanted = self._wanted[0] if self._wanted else None
        around = replace(self._around, now_ms=now_ms, took_ms=took_ms, over=self._over, wanted_ms=wanted)
        exposure = exposure_of(report, self._system.source.quote)
        found = addressed(alarms_of(report, around, self._in_force, exposure), self._words)
        if is_last:  # of what happened in it was told when it was the newest
            found = tuple(one for one in found if not one.is_event)
        said = frozenset((one.fingerprint, one.severity) for one in found)
        if looks or said != self._said or self._unsaid or any(one.is_event for one in found):
            self._tell(found, now_ms, unasked(report))
            self._said = said
            self._leave(report, exposure, now_ms, is_last)
            self._voice.deliver(self._rules, now_ms)

    def _tell(self, found: Sequence[Alarm], now_ms: int, unknown: frozenset[str]) -> None:
        """Everything that is wrong, and what could not be written down before."""
        older = tuple(one for one in self._unsaid if one.fingerprint not in {new.fingerprint for new in found})
        self._unsaid = (*older, *(one for one in found if one.is_event))
        alarms, rules = (*older, *found), rules_of(self._rules)
        self._voice.outbox.tell(self._account, alarms, rules, now_ms, whole=True, unasked=unknown)
        self._unsaid = ()

    def _leave(self, report: "CycleReport", exposure: str, now_ms: int, is_last: bool) -> None:
        """What others need to know of this cycle when it is the newest."""
        bar_ms = self._system.source.bar_ms
        is_of_now = abs(now_ms - report.decision_ms) < 2 * bar_ms  # a simulated market lives in another time
        is_written = self._system.policy.app.mode == self._account
        newest = {
            "at_ms": now_ms, "bar_ms": bar_ms, "expected": is_of_now and not is_last, "exposure": exposure,
            "killed": report.book.halt.state is HaltState.KILLED, "as_written": is_written and self._account != LIVE,
        }  # fmt: skip
        rows = {
            CYCLE + self._account: json.dumps(newest),
            BEAT: json.dumps({"at_ms": now_ms, "well": not report.problem}),
            RULES: self._rules.model_dump_json(),
        }
        if self._wanted:
            rows[WANTED + self._account] = json.dumps(self._wanted)
        self._voice.outbox.put(rows)

    # --- what a cycle does not know of itself ------------------------------------------------------------------------

    def _look(self, now_ms: int) -> None:
        """Once a second at most."""
        rules, outbox = self._rules, self._voice.outbox
        counted = {CALLED: Sample(*self._calls), ORDERED: Sample(*self._orders)}
        outbox.count(self._account, counted, now_ms)
        self._calls = self._orders = Rate(0, 0)
        calls = outbox.counted(self._account, CALLED, now_ms, rules.api_window_min)
        orders = outbox.counted(self._account, ORDERED, now_ms, rules.rejected_window_min)
        if self._looked_ms < 0:
            kept = json.loads(outbox.value(WANTED + self._account) or "null")
            self._wanted = (kept[0], kept[1]) if kept else None
        self._looked_ms = now_ms
        self._around = Around(
            now_ms, 0, Rate(calls.total, calls.bad), Rate(orders.total, orders.bad),
            breakers=_breakers(self._system.state, now_ms), loosened=self._loosened,
            key_age=_key_age(self._system.policy, self._system.state, now_ms), free_mb=_free_mb(self._system.state),
        )  # fmt: skip

    def _count(self, book: "Book") -> None:
        """Orders of this cycle, and those that were found to be rejected in it."""
        rejected = _rejected(book)
        more, bad = max(book.intents - self._intents, 0), len(rejected - self._rejected)
        self._orders = Rate(self._orders.total + more, self._orders.bad + bad)
        self._intents, self._rejected = book.intents, rejected

    def _want(self, report: "CycleReport") -> None:
        """Since when strategies want entries and get none. One that was made, or a long silence, ends that."""
        now_ms, patience_ms = report.decision_ms, self._rules.no_trade_h * HOUR_MS
        if self._wanted and (
            report.book.pacing.entered_ms >= self._wanted[0] or now_ms - self._wanted[1] >= patience_ms
        ):
            self._wanted = None
        refusals = report.decision.refusals if report.decision else ()
        if any(one.outcome not in IDLE for one in refusals):
            self._wanted = (self._wanted[0] if self._wanted else now_ms, now_ms)

    @property
    def _in_force(self) -> "Settings":
        """What the cycle was judged by: of the time that it asked for."""
        policies, policy = self._system.policies, self._system.policy
        return in_force(policy, policies.reading.versions, policies.now_ms) if policies.reading else policy

    @property
    def _loosened(self) -> tuple[str, ...]:
        policies = self._system.policies
        reading = policies.reading
        return loosened(self._system.policy, reading.versions, policies.now_ms) if reading else ()


def rules_of(alerts: "Alerts") -> Rules:
    return Rules(
        alerts.dedupe_s * SECOND_MS, alerts.escalate_s * SECOND_MS, alerts.remind_min * MINUTE_MS,
        Severity(alerts.min_severity),
    )  # fmt: skip


def addresses_of() -> Addresses:
    """Whom this process may tell. Raises KeyUnusable on a credential that is badly kept."""
    environ = process_environment()
    heartbeat = urls(HEARTBEAT, environ)
    return addresses(urls(ALERTS, environ), urls(ESCALATIONS, environ), heartbeat[0] if heartbeat else "")


def _rejected(book: "Book") -> frozenset[str]:
    return frozenset(name for name, one in book.orders.items() if one.status is OrderStatus.REJECTED)


def _breakers(state: Path, now_ms: int) -> "tuple[BreakerSeen, ...]":
    """How well everything is that was ever asked from this state. What cannot be read has its own objection."""
    if not (state / BUCKETS).exists():
        return ()
    from trader_core.net.breaker import PREFIX, seen
    from trader_core.store.buckets import SharedRows

    try:
        with closing(SharedRows(state, TELLING_MS)) as rows:
            return tuple(seen(key, text, now_ms) for key, text in rows.starting_with(PREFIX).items())
    except StateUnusable:
        return ()


def _key_age(policy: "Settings", state: Path, now_ms: int) -> str:
    """What is to be said of the age of the key that is in force, before it closes entries."""
    if not (state / PERMITS).exists():
        return ""
    from trader_core.ops.rotation import age_problem, rotation_of
    from trader_core.store.grants import Permits

    try:
        rotation = rotation_of(Permits(state).facts())
    except StateUnusable:
        return ""
    limits = policy.app.secrets
    active = rotation.active
    return age_problem(rotation, active, now_ms, limits.warn_age_days, limits.max_age_days)[0] if active else ""


def _free_mb(state: Path) -> int | None:
    try:
        found = os.statvfs(state)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize // MEGABYTE


# --- where there was no cycle that could tell -------------------------------------------------------------------------


def broke_off(options: Options, error: Exception) -> None:
    """Of a start or a cycle that ended with `error`. What was in force last tells what to do where the settings
    themselves cannot be read."""
    from trader_core.metering import count_failure

    voice = Voice(options.state_directory, options.config_directory)
    with voice.speaking():
        rules, account, textfile = _kept_rules(options, voice.outbox)
        now_ms = host_ms()
        count_failure(options.state_directory, account, textfile)
        voice.outbox.count(account, {BROKEN: Sample(1, 1)}, now_ms)
        times = voice.outbox.counted(account, BROKEN, now_ms, rules.exception_window_min).total
        severity = Severity.CRITICAL if times >= rules.max_exceptions else None
        what = redact(error.what if isinstance(error, TraderError) else f"{type(error).__name__}: {error}")
        told = f"a start or a cycle broke off: {what}; {count(times, 'time')} within {rules.exception_window_min} min"
        alarm = alarm_of("exception", told, exposure_kept(voice.outbox, account), severity=severity)
        voice.outbox.tell(account, addressed([alarm], _words(options, account)), rules_of(rules), now_ms, whole=False)
        voice.outbox.put({BEAT: json.dumps({"at_ms": now_ms, "well": False})})
        voice.deliver(rules, now_ms)
    voice.outbox.close()


def reported(options: Options, what: str, subject: str) -> str:
    """Something outside of the program is wrong, and somebody says so; returns why it could not be told, '' else."""
    voice = Voice(options.state_directory, options.config_directory)
    with voice.speaking():
        rules, account, _ = _kept_rules(options, voice.outbox)
        account = options.mode or _newest_account(voice.outbox) or account
        alarm = alarm_of("reported", redact(what), exposure_kept(voice.outbox, account), subject)
        now_ms = host_ms()
        voice.outbox.tell(account, addressed([alarm], _words(options, account)), rules_of(rules), now_ms, whole=False)
        voice.deliver(rules, now_ms)
    voice.outbox.close()
    return voice.problem


def _kept_rules(options: Options, outbox: Outbox) -> "tuple[Alerts, str, str]":
    """(the rules, whose alerts they are, the collector's text file): as the settings say, else as the newest cycle did,
    and no text file. Raises ConfigInvalid."""
    try:
        policy = load(options.config_directory)
        return policy.app.alerts, options.mode or policy.app.mode, policy.app.metrics.textfile
    except ConfigInvalid:
        rules = rules_kept(outbox)
        if rules is None:
            raise
        return rules, options.mode or _newest_account(outbox), ""


def _words(options: Options, account: str) -> str:
    """Which account it is, as it is typed from any folder."""
    state, config = options.state_directory.absolute(), options.config_directory.absolute()
    return replace(options, mode=account or options.mode, state=state, config=config).words


def _newest_account(outbox: Outbox) -> str:
    """Whose cycle was the last one; '' before the first."""
    at_ms = {key.removeprefix(CYCLE): json.loads(text)["at_ms"] for key, text in outbox.values(CYCLE).items()}
    return max(at_ms, key=lambda account: at_ms[account], default="")


def rules_kept(outbox: Outbox) -> "Alerts | None":
    """Those of the newest cycle; None before the first."""
    from trader_core.settings.schema import Alerts

    text = outbox.value(RULES)
    return None if text is None else Alerts.model_validate_json(text, strict=False)


def exposure_kept(outbox: Outbox, account: str) -> str:
    """As the newest cycle left it."""
    text = outbox.value(CYCLE + account)
    if text is None:
        return "unknown: no cycle has told of it yet"
    newest: dict[str, Any] = json.loads(text)
    return f"{newest['exposure']}, as of {short(newest['at_ms'])} UTC"
