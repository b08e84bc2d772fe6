"""What is measured of a cycle that is over, and where it goes: `telemetry.db`, and the text file of a collector.

A cycle is one process under a timer, so figures outlive processes. Nothing here raises for want of a file: a cycle
that cannot be measured has been a cycle all the same, and what was wrong is told once.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path
from shutil import disk_usage
from typing import TYPE_CHECKING

from msgspec import Struct

from trader_core.alerts.outbox import Outbox
from trader_core.domain.alert import Severity
from trader_core.domain.breaker import Condition
from trader_core.domain.clocktime import SECOND_MS
from trader_core.domain.errors import StateUnusable
from trader_core.domain.facts import Fact
from trader_core.domain.telemetry import CALL, CYCLE, NEWEST, QUIET_MS, STAGE, Batch, Sample, Series, operation
from trader_core.engine.cycle import CycleReport
from trader_core.ledger.fold import fold
from trader_core.net.breaker import PREFIX, seen
from trader_core.net.buckets import PREFIX as BUCKET
from trader_core.net.buckets import used_shares
from trader_core.net.calls import ERRORS, THROTTLED, Call
from trader_core.ops.clock import host_ms
from trader_core.ops.clock_drift import kept_offset_ms
from trader_core.ops.rotation import rotation_of
from trader_core.report.exposition import exposition
from trader_core.report.latency import over_budget
from trader_core.report.levels import Cycle, Figures, counts_of, levels_of
from trader_core.report.metrics import series
from trader_core.store.buckets import SharedRows
from trader_core.store.files import StateFiles
from trader_core.store.grants import Permits
from trader_core.store.sqlite import SqliteStore
from trader_core.store.telemetry import TelemetryStore

if TYPE_CHECKING:
    from trader_core.domain.book import Book
    from trader_core.ports import Halts
    from trader_core.settings.schema import Settings
    from trader_core.worlds.system import System

_LOG = logging.getLogger("trader.metrics")
_OPEN = {Condition.CLOSED: 0.0, Condition.HALF_OPEN: 0.5, Condition.OPEN: 1.0, Condition.UNREADABLE: 1.0}


class Pace(Struct, frozen=True):
    """How fast this account is, and how well the venue answers: which operations are over their budget and why, and how
    many requests were made since the cycle before, how many of them in vain."""

    over: Mapping[str, str]
    calls: int
    errors: int


@dataclass(frozen=True)
class About:
    """Whose figures they are."""

    files: StateFiles
    venue: str
    quote: str


class Meter:
    """Of one mode's state that is open for work."""

    def __init__(self, about: About, system: "System", outbox: Outbox) -> None:
        self._about, self._system, self._outbox = about, system, outbox
        self._book = system.journal.book  # before the cycle that is to come
        self._opened, self._read = system.journal.rows, -1  # rows of the journal that were there, and that are counted
        self._store = TelemetryStore(about.files.directory)
        self._problem = ""
        self._over: Mapping[str, str] = {}  # operations that are over their budget, and why
        self._counts, self._samples, self._calls = Counter[Series](), list[Sample](), list[Call]()  # not written yet
        self._last: tuple[CycleReport, Cycle] | None = None
        self._before: Figures = {}  # what the newest cycle added
        self._written_ms = -1

    def cycle(self, report: CycleReport) -> Pace:
        """Of a cycle that ran to its end."""
        made = self._system.calls.taken()
        sent = [one for one in made if one.outcome != THROTTLED]
        with self._measuring():
            now_ms, news = host_ms(), self._news()
            cycle = _cycle_of(self._book, report, news)
            counts = counts_of(cycle) | _asked(made)
            is_quiet, self._before = counts == self._before, counts
            self._counts.update(counts)
            self._samples += _samples(report, made, now_ms)
            self._calls += made
            self._last = report, cycle
            if not (is_quiet and 0 <= now_ms - self._written_ms < QUIET_MS):
                self._write(now_ms)
        self._book = report.book
        return Pace(self._over, len(sent), sum(one.outcome in ERRORS for one in sent))

    def ended(self) -> None:
        """Of a loop that ended as it should: what was not written yet is."""
        with self._measuring():
            self._write(host_ms())

    def _news(self) -> tuple[Fact, ...]:
        """What was written down since the last time, also beside the cycles: a liquidation, a reconciliation. Where
        nothing was ever measured, since the account was opened. What was so before it is the book before the cycle."""
        store = self._system.ports.store
        if self._read < 0:
            counted = self._store.levels(self._about.files.mode).get(series("trader_journal_rows"), self._opened)
            self._read = min(int(counted), self._opened)
            if self._read < self._opened:
                self._book = fold(islice(store.facts(judged=False), self._read))
        facts = tuple(store.facts(self._read, judged=False))
        self._read += len(facts)
        return facts

    @contextmanager
    def _measuring(self) -> Iterator[None]:
        try:
            yield
        except Exception as failed:  # noqa: BLE001 - no cycle ends because it cannot be measured
            problem = failed.what if isinstance(failed, StateUnusable) else f"{type(failed).__name__}: {failed}"
            if problem != self._problem:
                _LOG.warning("not measured: %s", problem)
            self._over, self._problem = {}, problem

    def _write(self, now_ms: int) -> None:
        """All since the last time: cycles that are alike may come faster than anybody looks."""
        if self._last is None:
            return
        system, mode, (report, cycle) = self._system, self._about.files.mode, self._last
        counts, samples, calls = self._counts, self._samples, tuple(self._calls)
        self._counts, self._samples, self._calls, self._last = Counter(), [], [], None
        self._written_ms = now_ms
        before = self._store.levels(mode)
        force = system.policies.in_force(
            system.policy, report.decision_ms, report.book.policy_version, system.policies.now_ms
        )
        policy: Settings = force.settings
        levels = levels_of(cycle, policy, now_ms)
        levels |= _wired(self._about, policy, force.digest) | _marks(before, now_ms, bool(report.problem))
        levels |= _surroundings(self._about.files.directory, now_ms, system.ports.halts)
        levels |= _told(self._outbox, mode, now_ms)
        levels[series("trader_api_consecutive_errors")] = _in_a_row(before, calls)
        levels[series("trader_journal_rows")] = self._read
        self._over = dict(self._slow(samples, policy))
        levels |= {series("trader_over_budget", operation=one): 1.0 for one in self._over}
        self._store.add(mode, Batch(now_ms, {**counts, **_trips(before, levels)}, samples, levels))
        if policy.app.metrics.textfile:
            write_whole(Path(policy.app.metrics.textfile), exposition(self._store.measured(mode)))
        self._problem = ""

    def _slow(self, samples: list[Sample], policy: "Settings") -> Iterator[tuple[str, str]]:
        """Of what was measured just now, with what was measured before: of cycles the slowest hundredth counts."""
        for name in dict.fromkeys(one.operation for one in samples):
            fresh = [one.ms for one in reversed(samples) if one.operation == name]
            looked_at = NEWEST if name == CYCLE else policy.app.latency.over_in_a_row
            old = self._store.newest(self._about.files.mode, name, looked_at)
            why = over_budget(name, [*fresh, *old], policy.app)
            if why:
                yield name, why


def meter_of(system: "System", outbox: Outbox) -> Meter:
    store, files = system.ports.store, StateFiles(system.state, system.mode)
    venue = store.identity()["venue"] if isinstance(store, SqliteStore) else ""
    return Meter(About(files, venue, system.source.quote), system, outbox)


def _cycle_of(before: "Book", report: CycleReport, told: tuple[Fact, ...]) -> Cycle:
    return Cycle(
        before, report.book, report.decision, report.placed, told, report.prices, report.problem,
        report.objections, report.ages_ms,
    )  # fmt: skip


# --- what the cycle does not know ------------------------------------------------------------------------------------


def _wired(about: About, policy: "Settings", config: str) -> Figures:
    budgets = policy.app.latency
    build = series(
        "trader_build_info", version=version(), mode=about.files.mode, venue=about.venue, quote=about.quote,
        config=config[:12],
    )  # fmt: skip
    found = {build: 1.0, series("trader_bar_seconds"): policy.policy.cycle.base_bar_min * 60.0}
    of = {"each": policy.app.alerts.max_cycle_s * SECOND_MS, "p95": budgets.cycle_p95_ms, "p99": budgets.cycle_p99_ms}
    found |= {series("trader_cycle_budget_seconds", of=one): ms / 1_000 for one, ms in of.items()}
    for name, ms in budgets.stages.model_dump().items():
        found[series("trader_stage_budget_seconds", stage=name.removesuffix("_ms"))] = ms / 1_000
    return found


@cache
def version() -> str:
    """The installed version; a checkout that was never installed has none."""
    from importlib.metadata import PackageNotFoundError
    from importlib.metadata import version as installed

    try:
        return installed("trader")
    except PackageNotFoundError:
        return "uninstalled"


def _marks(before: Figures, now_ms: int, troubled: bool) -> Figures:
    found = {series("trader_last_run_timestamp_seconds"): now_ms / 1_000}
    success = series("trader_last_success_timestamp_seconds")
    if not troubled:
        found[success] = now_ms / 1_000
    elif success in before:
        found[success] = before[success]
    return found


def _surroundings(state: Path, now_ms: int, halts: "Halts") -> Figures:
    """What stands beside the account. What cannot be read is not there."""
    found = {series("trader_kill_latch"): float(halts.kill_requested() is not None)}
    with suppress(OSError):
        found[series("trader_disk_free_bytes")] = float(disk_usage(state).free)
    offset_ms = kept_offset_ms(state)
    if offset_ms is not None:
        found[series("trader_clock_offset_seconds")] = offset_ms / 1_000
    with suppress(StateUnusable):
        record = rotation_of(Permits(state).facts())
        since_ms = record.since_ms(record.active)
        if since_ms is not None:
            found[series("trader_secret_age_seconds")] = (now_ms - since_ms) / 1_000
    with suppress(StateUnusable), closing(SharedRows(state)) as rows:
        for key, text in rows.starting_with(PREFIX).items():
            one = seen(key, text, now_ms)
            found[series("trader_breaker_open", breaker=one.name)] = _OPEN[one.condition]
        for bucket, share in _used(rows.starting_with(BUCKET), now_ms).items():
            found[series("trader_rate_budget_used_ratio", bucket=bucket)] = share
    return found


def _told(outbox: Outbox, account: str, now_ms: int) -> Figures:
    """What people were told before this cycle, and whether it has reached them."""
    found: Figures = {}
    with suppress(StateUnusable):
        live = [one.alert.alarm.severity for one in outbox.live() if one.account == account]
        found = {series("trader_alerts_open", severity=one.name): float(live.count(one)) for one in Severity}
        oldest_ms = outbox.oldest_ms()
        waited_ms = 0 if oldest_ms is None else max(now_ms - oldest_ms, 0)
        found[series("trader_alert_outbox_oldest_seconds")] = waited_ms / 1_000
    return found


def _used(rows: Mapping[str, str], now_ms: int) -> dict[str, float]:
    """Only where a venue was ever asked are its rules loaded."""
    if not rows:
        return {}
    from trader_core.venues.coinbase.client import RULES

    return used_shares(rows, RULES, now_ms)


def _trips(before: Figures, levels: Figures) -> Figures:
    opened = [one for one, level in levels.items() if one[0] == "trader_breaker_open" and level]
    fresh = [one for one in opened if not before.get(one)]
    return {series("trader_breaker_trips_total", **dict(labels)): 1.0 for _, labels in fresh}


# --- calls and durations ---------------------------------------------------------------------------------------------


def _samples(report: CycleReport, calls: tuple[Call, ...], now_ms: int) -> list[Sample]:
    """Oldest first. What never left took no time of the venue's."""
    found = [Sample(operation(CALL, one.endpoint), one.ms, one.at_ms) for one in calls if one.outcome != THROTTLED]
    found += [Sample(operation(STAGE, stage), ms, now_ms) for stage, ms in report.spent_ms.items()]
    if report.spent_ms:
        found.append(Sample(CYCLE, sum(report.spent_ms.values()), now_ms))
    return found


def _asked(calls: tuple[Call, ...]) -> Figures:
    found: dict[Series, float] = {}
    for one in calls:
        key = series("trader_api_requests_total", endpoint=one.endpoint, outcome=one.outcome)
        found[key] = found.get(key, 0) + 1
    return found


def _in_a_row(before: Figures, calls: tuple[Call, ...]) -> float:
    """Failed requests to the newest; those of earlier cycles too, where none went well since."""
    made = [one.outcome in ERRORS for one in calls if one.outcome != THROTTLED]
    if False in made:
        return float(made[::-1].index(False))
    return before.get(series("trader_api_consecutive_errors"), 0.0) + len(made)


def count_failure(directory: Path, mode: str, textfile: str) -> None:
    """Of a start or a cycle that broke off, for a collector too; what stood before it still stands."""
    failed, ended = series("trader_cycles_total", outcome="failed"), series("trader_last_run_timestamp_seconds")
    with suppress(StateUnusable, OSError), closing(TelemetryStore(directory)) as store:
        before = store.measured(mode)
        levels = {**before.levels, ended: host_ms() / 1_000}
        store.add(mode, Batch(before.at_ms, {failed: 1}, (), levels))
        if textfile:
            write_whole(Path(textfile), exposition(store.measured(mode)))


# --- the text --------------------------------------------------------------------------------------------------------


def write_whole(path: Path, text: str) -> None:
    """The new file in place of the old one, at once; readable for whoever collects. Raises OSError."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o644)
        fresh.replace(path)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
        raise
