"""What is written down of an account beside its journal: incidents, from first to last, and how far it has been let go
on the way to real money; and a bundle of all that somebody who helps would ask for.
"""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from trader_core.bootstrap import MODES, settings_of
from trader_core.desk import host_user
from trader_core.domain.book import Book
from trader_core.domain.clocktime import DAY_MS, EpochMs, rfc3339
from trader_core.domain.errors import StateUnusable, TraderError, UsageError
from trader_core.domain.facts import (
    CycleClosed,
    Delisted,
    DiscrepancyFound,
    DiscrepancyGone,
    Fact,
    HaltChanged,
    HaltReset,
    Paused,
    Restored,
    Resumed,
    SendFailed,
    StrategyFailed,
)
from trader_core.domain.incident import (
    STAGES,
    Incident,
    IncidentClosed,
    IncidentNoted,
    IncidentStarted,
    LogFact,
    Promoted,
    incidents,
    open_incident,
    stage_of,
)
from trader_core.domain.order import OrderKind, Role
from trader_core.hindsight import replayed
from trader_core.net.redaction import redact
from trader_core.ops.clock import host_ms
from trader_core.report.promotion import Criterion, Lived, criteria
from trader_core.report.status import is_virtual
from trader_core.report.trades import history
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.files import StateFiles
from trader_core.store.logbook import Logbook
from trader_core.store.sqlite import SqliteStore

TOLD = (
    HaltChanged, HaltReset, Paused, Resumed, Restored, DiscrepancyFound, DiscrepancyGone, Delisted, StrategyFailed,
    SendFailed,
)  # fmt: skip
MODE_OF = {"DRY_RUN": "DRY_RUN", "PAPER": "PAPER", "TINY_LIVE": "LIVE", "LIVE": "LIVE"}
BUNDLED_ROWS = 500  # of the journal, the newest


# --- incidents -------------------------------------------------------------------------------------------------------


def started(options: Options, title: str) -> Incident:
    log, now_ms = _log(options), host_ms()

    def start(known: tuple[LogFact, ...]) -> IncidentStarted:
        return IncidentStarted(len(incidents(known)) + 1, title, host_user(), now_ms)

    return _incident(log, log.append(start, now_ms).number)


def noted(options: Options, number: int | None, text: str) -> Incident:
    """Raises UsageError where it is not clear which one is meant."""
    log, now_ms = _log(options), host_ms()

    def note(known: tuple[LogFact, ...]) -> IncidentNoted:
        return IncidentNoted(open_incident(incidents(known), number).number, text, host_user(), now_ms)

    return _incident(log, log.append(note, now_ms).number)


def closed(options: Options, number: int | None, text: str) -> Incident:
    """Raises UsageError where it is not clear which one is meant."""
    log, now_ms = _log(options), host_ms()

    def close(known: tuple[LogFact, ...]) -> IncidentClosed:
        return IncidentClosed(open_incident(incidents(known), number).number, text, host_user(), now_ms)

    return _incident(log, log.append(close, now_ms).number)


def all_incidents(options: Options) -> tuple[Incident, ...]:
    return incidents(_log(options).facts())


class Moment(Struct, frozen=True):
    """One line of what happened. `who` is a person, or the account by its mode."""

    at_ms: EpochMs
    who: str
    what: str


def timeline(options: Options, number: int | None) -> tuple[Incident, tuple[Moment, ...]]:
    """What was said, and what the accounts' journals tell of that time; the newest incident where none is named.

    Raises UsageError where there is none.
    """
    found = {one.number: one for one in all_incidents(options)}
    if number is None and found:
        number = max(found)
    if number is None or number not in found:
        raise UsageError(f"there is no incident {number or ''}".rstrip(), remedy="trader incident start TITLE")
    one = found[number]
    until_ms = one.ended_ms if one.ended_ms is not None else host_ms()
    moments = [Moment(at_ms, who, text) for at_ms, who, text in one.said]
    moments.append(Moment(one.started_ms, one.by, f"started: {one.title}"))
    for mode in MODES:
        files = StateFiles(options.state_directory, mode)
        if files.begun:
            with files.reading() as store:
                if not is_virtual(store.identity().get("clock", "")):
                    moments += _told_of(store, mode, one.started_ms - DAY_MS // 24, until_ms)
    return one, tuple(sorted(moments, key=lambda each: each.at_ms))


def _told_of(store: SqliteStore, mode: str, since_ms: int, until_ms: int) -> list[Moment]:
    found = []
    for row, fact in store.told():
        if since_ms <= row.at_ms <= until_ms and isinstance(fact, TOLD):
            found.append(Moment(EpochMs(row.at_ms), mode, f"{row.kind}: {_words(fact)}"))
    return found


def _words(fact: Fact) -> str:
    for name in ("reason", "detail", "what", "note", "backup", "symbol"):
        text = getattr(fact, name, "")
        if text:
            return str(text)
    halt = getattr(fact, "halt", None)
    return f"{halt.state} {halt.reason}".strip() if halt else ""


def _log(options: Options) -> Logbook:
    place = options.state_directory
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as failed:
        raise StateUnusable(f"{place} cannot be made: {failed.strerror}", remedy="--state DIR") from failed
    return Logbook(place)


def _incident(log: Logbook, number: int) -> Incident:
    return next(one for one in incidents(log.facts()) if one.number == number)


# --- promotion -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Promotion:
    """Where the account stands, where it would go, and what speaks for it."""

    stage: str
    following: str  # '' after the last
    criteria: tuple[Criterion, ...]
    recorded: bool = False

    @property
    def passed(self) -> bool:
        return bool(self.criteria) and all(one.passed for one in self.criteria)


def promotion(options: Options, backtest: Path | None, told: Callable[[int, int], None]) -> Promotion:
    """What the stage after the present one asks for, measured on the account of the present one. Nothing is written."""
    stage = stage_of(_log(options).facts())
    if stage == STAGES[-1]:
        return Promotion(stage, "", ())
    following = STAGES[STAGES.index(stage) + 1]
    files = StateFiles(options.state_directory, MODE_OF[stage])
    if not files.begun:
        raise StateUnusable(
            f"there is no {files.mode} account in {files.directory} to look at", safe="nothing was recorded",
            remedy=f"trader run-cycle --mode {files.mode}, for as long as the stage asks",
        )  # fmt: skip
    lived = _lived(options, files, told)
    named = digest(settings_of(options))
    return Promotion(stage, following, criteria(following, lived, _report(backtest), named))


def promoted(options: Options, found: Promotion) -> Promotion:
    """Write it down. Raises UsageError where one criterion is not met: there is no way around it."""
    if not found.passed:
        missing = ", ".join(one.name for one in found.criteria if not one.passed) or "nothing comes after this stage"
        raise UsageError(f"not promoted: {missing}", safe="nothing was recorded", remedy="trader promote")
    evidence = tuple((one.name, one.found) for one in found.criteria)
    now_ms = host_ms()
    fact = Promoted(found.following, evidence, digest(settings_of(options)), host_user(), now_ms)
    _log(options).append(lambda _: fact, now_ms)
    return Promotion(found.stage, found.following, found.criteria, recorded=True)


def stage(options: Options) -> str:
    return stage_of(_log(options).facts())


def _lived(options: Options, files: StateFiles, told: Callable[[int, int], None]) -> Lived:
    with files.reading() as store:
        facts, identity = list(store.facts()), store.identity()
        altered = _altered(store, settings_of(options), told)
    past, cycles = history(facts), [one for one in facts if isinstance(one, CycleClosed)]
    known = all_incidents(options)
    ended = [host_ms() if one.ended_ms is None else one.ended_ms for one in known]
    span_ms = cycles[-1].decision_ms - cycles[0].decision_ms if cycles else 0
    entries = [one for one in past.orders if one.role == Role.ENTRY and not one.is_open]
    filled = [one for one in entries if one.filled > 0]
    book = past.book
    return Lived(
        days=0.0 if is_virtual(identity.get("clock", "")) else span_ms / DAY_MS,
        cycles=len(cycles),
        troubled=sum(one.troubled for one in cycles),
        halts=book.halt.trips,
        discrepancies=len(book.discrepancies),
        equity=None if book.equity is None else float(book.equity),
        earned=_earned(book),
        trades=len(past.trades),
        maker_pct=_share(sum(one.kind == OrderKind.MAKER for one in filled), len(filled)),
        filled_pct=_share(len(filled), len(entries)),
        altered=altered,
        incidents_open=sum(one.ended_ms is None for one in known),
        quiet_days=(host_ms() - max(ended)) / DAY_MS if ended else None,
    )


def _altered(store: SqliteStore, settings: Settings, told: Callable[[int, int], None]) -> int | None:
    """Decisions that come out otherwise today; None where not one was recorded with what it was taken from, or where
    today's bars are others."""
    try:
        return len(replayed(store, None, settings, told).differing)
    except (StateUnusable, UsageError):
        return None


def _earned(book: Book) -> float | None:
    return None if book.equity is None else float(book.equity - book.flows)


def _share(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None


def _report(path: Path | None) -> Mapping[str, Any] | None:
    """Raises UsageError where the file is no report of a backtest."""
    if path is None:
        return None
    try:
        found: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if not {"metadata", "summary", "performance", "breakdown", "trades"} <= found.keys():
            raise ValueError
    except (OSError, ValueError, AttributeError):
        raise UsageError(f"{path} is no report of a backtest", remedy="trader backtest --out FILE") from None
    return found


# --- for somebody who helps ------------------------------------------------------------------------------------------


def bundle(options: Options, parts: Mapping[str, Callable[[], str]]) -> bytes:
    """A compressed archive of these texts, of the configuration, and of the journals' newest rows. Whatever cannot be
    had is in there as the reason why; whatever is secret, or looks like it, is not."""
    texts: dict[str, str] = {}
    for name, part in parts.items():
        texts[name] = _tried(part)
    for file in sorted(options.config_directory.glob("*.yaml")):
        texts[f"config/{file.name}"] = _tried(lambda file=file: file.read_text(encoding="utf-8"))  # type: ignore[misc]
    for mode in MODES:
        files = StateFiles(options.state_directory, mode)
        if files.state.exists():
            texts[f"journal/{mode.lower()}.jsonl"] = _tried(lambda files=files: _newest_rows(files))  # type: ignore[misc]
    names = sorted(one.name for one in options.state_directory.iterdir()) if options.state_directory.is_dir() else []
    texts["files.txt"] = "".join(f"{name}\n" for name in names)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in texts.items():
            content = redact(text).encode()
            member = tarfile.TarInfo(f"trader-support/{name}")
            member.size, member.mode, member.mtime = len(content), 0o600, host_ms() // 1_000
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def _tried(part: Callable[[], str]) -> str:
    try:
        return part()
    except (TraderError, OSError, ValueError) as failed:
        return f"it could not be had: {getattr(failed, 'what', failed)}\n"


def _newest_rows(files: StateFiles) -> str:
    with files.reading() as store:
        ((last,),) = store.query("SELECT coalesce(max(seq), 0) FROM journal")
        rows = list(store.rows(max(last - BUNDLED_ROWS, 0)))
    told = ({**row._asdict(), "at": rfc3339(max(row.at_ms, 0))} for row in rows)
    return "".join(json.dumps(one, sort_keys=True) + "\n" for one in told)
