"""`alerts.db`: what people are to be told, shared by every process on a state directory, also while a state is locked.

Telling is one short transaction of its own. What cannot be written is StateUnusable, and soon: it never ends a cycle.
"""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from msgspec import Struct

from trader_core.alerts.policy import Rules, acknowledged, due, is_closed, raised, resolved, told, wakes_ms
from trader_core.alerts.text import notice_of
from trader_core.domain.alert import Alarm, Alert, Delivery, Kept, Notice
from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import StateUnusable, UsageError
from trader_core.store.sqlite import file_at, make_private, remedy_of, transaction

NAME = "alerts.db"
SCHEMA = 1
TELLING_MS = 25  # how long a cycle waits for somebody else's transaction
PATIENCE_MS = 2_000  # how long everybody else does
RETRY_MAX_MS = 15 * 60_000  # from one try to the next
GIVE_UP_MS = 24 * 3_600_000  # what nobody has taken for so long is not sent any more
ALONE_MS, GRACE_MS = 3 * 3_600_000, 3_600_000  # nobody has looked for so long; what waits has so much longer then
KEEP_MS = 90 * 24 * 3_600_000  # what is over is known for so long
LINGER_MS = 3 * 60_000  # a drainer waits for what is due within this time, and ends where nothing is
BEAT, BEATEN = "beat", "beaten"  # rows: the newest sign of life, and the one that was passed on
CYCLE, RULES, WANTED = "cycle ", "rules", "wanted "  # rows: an account's newest cycle; what was in force; see telling
LOOKED = "looked"  # row: since when it was looked at again and again, and when last
STEPS_MAX = 8  # notices of one alert at once
_TABLES = (
    "CREATE TABLE IF NOT EXISTS alerts (id INTEGER PRIMARY KEY, account TEXT NOT NULL, fingerprint TEXT NOT NULL, "
    "is_live INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS alerts_named ON alerts (account, fingerprint)",
    "CREATE INDEX IF NOT EXISTS alerts_live ON alerts (is_live)",
    "CREATE TABLE IF NOT EXISTS notices (id INTEGER PRIMARY KEY, alert INTEGER NOT NULL REFERENCES alerts, "
    "made_ms INTEGER NOT NULL, is_waiting INTEGER NOT NULL, body TEXT NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS notices_waiting ON notices (is_waiting)",
    "CREATE TABLE IF NOT EXISTS deliveries (notice INTEGER NOT NULL REFERENCES notices, channel TEXT NOT NULL, "
    "tries INTEGER NOT NULL, next_ms INTEGER NOT NULL, taken_ms INTEGER, problem TEXT NOT NULL, "
    "PRIMARY KEY (notice, channel)) STRICT",
    "CREATE TABLE IF NOT EXISTS rows (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    "CREATE TABLE IF NOT EXISTS samples (account TEXT NOT NULL, name TEXT NOT NULL, at_ms INTEGER NOT NULL, "
    "total INTEGER NOT NULL, bad INTEGER NOT NULL) STRICT",
    "CREATE INDEX IF NOT EXISTS samples_named ON samples (account, name, at_ms)",
)
_STUCK = (
    "SELECT count(*) FROM notices WHERE is_waiting = 1 AND made_ms <= ? "
    "AND EXISTS (SELECT 1 FROM deliveries WHERE notice = notices.id AND tries > 0) "
    "AND NOT EXISTS (SELECT 1 FROM deliveries WHERE notice = notices.id AND taken_ms IS NOT NULL)"
)


class Job(Struct, frozen=True):
    """One notice that one channel is to take now."""

    notice_id: int
    channel: str
    tries: int
    made_ms: int
    notice: Notice


class Sample(Struct, frozen=True):
    """So many of a kind within a window, and how many of them went wrong."""

    total: int
    bad: int


class Outbox:
    """Open for one process. Every failure is StateUnusable."""

    def __init__(self, directory: Path, patience_ms: int = PATIENCE_MS) -> None:
        self.path, self._patience_ms = directory / NAME, patience_ms
        self._db: sqlite3.Connection | None = None
        self._file: int | None = None  # which one is open

    @property
    def exists(self) -> bool:
        return self.path.exists()

    def close(self) -> None:
        if self._db is not None:
            self._db.close()
            self._db = None

    # --- telling -----------------------------------------------------------------------------------------------------

    def tell(
        self, account: str, alarms: Sequence[Alarm], rules: Rules, now_ms: int, whole: bool,
        unasked: Collection[str] = (),
    ) -> None:  # fmt: skip
        """Raise these alarms of an account. Where they are the `whole` of what is wrong with it, whatever else was open
        is over, but codes that nobody could ask for. What is due of it becomes notices at once."""
        with self._changed() as db:
            live = {one.alert.alarm.fingerprint: one for one in _live(db, account) if not is_closed(one.alert)}
            for alarm in alarms:
                before = live.get(alarm.fingerprint)
                last = before or _newest(db, account, alarm.fingerprint)
                after = raised(last.alert if last else None, alarm, now_ms)
                _keep(db, account, before.number if before else None, after)
            gone = live.keys() - {one.fingerprint for one in alarms} if whole else set()
            for one in sorted(name for name in gone if live[name].alert.alarm.code not in unasked):
                _keep(db, account, live[one].number, resolved(live[one].alert, now_ms))
            _advance(db, self.path.parent, _live(db, account), rules, now_ms)

    def advance(self, rules: Rules, now_ms: int) -> None:
        """Make notices of whatever has become due by itself, of every account."""
        if any(due(one.alert, rules, now_ms) for one in self.live()):
            with self._changed() as db:
                _advance(db, self.path.parent, _live(db), rules, now_ms)

    def live(self) -> tuple[Kept, ...]:
        """Every alert of which something may still be told."""
        with self._read() as db:
            return _live(db)

    def wakes_ms(self, rules: Rules) -> int | None:
        """When something will be due by itself; None: nothing will."""
        return min((at for one in self.live() if (at := wakes_ms(one.alert, rules)) is not None), default=None)

    # --- what a person does --------------------------------------------------------------------------------------

    def all(self, most: int) -> tuple[Kept, ...]:
        """The newest alerts, whatever has become of them, newest first."""
        with self._read() as db:
            found = db.execute("SELECT id, account, body FROM alerts ORDER BY id DESC LIMIT ?", (most,)).fetchall()
            return tuple(_kept(row) for row in found)

    def acknowledge(self, number: int, now_ms: int, reason: str) -> Kept:
        """Raises UsageError where there is none of that number."""
        with self._changed() as db:
            row = db.execute("SELECT id, account, body FROM alerts WHERE id = ?", (number,)).fetchone()
            if row is None:
                raise UsageError(f"there is no alert {number}", safe="nothing was changed", remedy="trader alerts list")
            one = _kept(row)
            after = acknowledged(one.alert, now_ms, reason)
            _keep(db, one.account, number, after)
            return Kept(number, one.account, after)

    def deliveries(self, number: int) -> tuple[Delivery, ...]:
        """What became of each notice of an alert at each channel, oldest first."""
        asked = (
            "SELECT channel, tries, next_ms, taken_ms, problem FROM deliveries JOIN notices ON notices.id = notice "
            "WHERE alert = ? ORDER BY notice, channel"
        )
        with self._read() as db:
            return tuple(Delivery(*row) for row in db.execute(asked, (number,)))

    # --- delivery ----------------------------------------------------------------------------------------------------

    def jobs(self, channels: Collection[str], urgent: Collection[str], now_ms: int) -> tuple[Job, ...]:
        """What is to be sent now, oldest first. A notice is for each of the channels; one that is urgent for more. One
        that everybody has whom it is for waits no more. No try is further ahead than RETRY_MAX_MS: where one is, the
        clock went back."""
        if not channels and not urgent:
            return ()
        found, fresh, done = list[Job](), list[tuple[int, str, int]](), list[tuple[int]]()
        with self._read() as db:  # whoever tells something waits for what is changed, and not for this look
            tries = _tries(db)
            rows = db.execute("SELECT id, made_ms, body FROM notices WHERE is_waiting = 1 ORDER BY id").fetchall()
            for notice_id, made_ms, body in rows:
                notice, known = from_json(Notice, body), tries.get(notice_id, {})
                wanted = [*channels, *(urgent if notice.urgent else ())]
                fresh += [(notice_id, name, now_ms) for name in wanted if name not in known]
                left = {name: known.get(name, (0, now_ms, None)) for name in wanted}
                if all(taken_ms is not None for _, _, taken_ms in left.values()):
                    done.append((notice_id,))
                found += [
                    Job(notice_id, name, made, made_ms, notice)
                    for name, (made, next_ms, taken_ms) in left.items()
                    if taken_ms is None and not 0 < next_ms - now_ms <= RETRY_MAX_MS
                ]
            if fresh or done:
                with transaction(db):
                    db.executemany("INSERT INTO deliveries VALUES (?, ?, 0, ?, NULL, '')", fresh)
                    db.executemany("UPDATE notices SET is_waiting = 0 WHERE id = ?", done)
        return tuple(found)

    def delivered(self, job: Job, now_ms: int, problem: str, next_ms: int) -> None:
        """What came of a try; an empty problem is none."""
        taken = None if problem else now_ms
        with self._changed() as db:
            row = (job.tries + 1, next_ms, taken, problem, job.notice_id, job.channel)
            db.execute(
                "UPDATE deliveries SET tries = ?, next_ms = ?, taken_ms = ?, problem = ? "
                "WHERE notice = ? AND channel = ?", row,
            )  # fmt: skip

    def next_ms(self, channels: Collection[str]) -> int | None:
        """When the next try of anything is, 0 of what was never tried; None: nothing waits for these channels."""
        asked = (
            "SELECT channel, coalesce(next_ms, 0) FROM notices LEFT JOIN deliveries "
            "ON notices.id = notice WHERE is_waiting = 1 AND taken_ms IS NULL"
        )
        with self._read() as db:
            found = db.execute(asked).fetchall()
            return min((at_ms for name, at_ms in found if name is None or name in channels), default=None)

    def waiting(self) -> int:
        """How many notices not every channel has taken yet."""
        with self._read() as db:
            return int(db.execute("SELECT count(*) FROM notices WHERE is_waiting = 1").fetchone()[0])

    def oldest_ms(self) -> int | None:
        """When the oldest of them was made; None where nothing waits."""
        with self._read() as db:
            found: int | None = db.execute("SELECT min(made_ms) FROM notices WHERE is_waiting = 1").fetchone()[0]
            return found

    def stuck(self, until_ms: int) -> int:
        """How many notices made until then were tried in vain, and have reached nobody."""
        with self._read() as db:
            return int(db.execute(_STUCK, (until_ms,)).fetchone()[0])

    def silent(self, until_ms: int) -> dict[str, str]:
        """The channels that have not taken what was made until then, though they were asked; and what they said."""
        asked = (
            "SELECT channel, problem FROM deliveries JOIN notices ON notices.id = notice "
            "WHERE is_waiting = 1 AND taken_ms IS NULL AND tries > 0 AND made_ms <= ? ORDER BY notice"
        )
        with self._read() as db:
            return dict(db.execute(asked, (until_ms,)).fetchall())

    # --- what cycles leave for later ---------------------------------------------------------------------------------

    def value(self, key: str) -> str | None:
        with self._read() as db:
            found = db.execute("SELECT value FROM rows WHERE key = ?", (key,)).fetchone()
            return found[0] if found else None

    def values(self, prefix: str) -> dict[str, str]:
        with self._read() as db:
            found = db.execute("SELECT key, value FROM rows ORDER BY key").fetchall()
            return {key: value for key, value in found if key.startswith(prefix)}

    def put(self, values: dict[str, str]) -> None:
        with self._changed() as db:
            for key, value in values.items():
                _put(db, key, value)

    def count(self, account: str, counted: dict[str, Sample], now_ms: int) -> None:
        """Note what happened since the last time."""
        rows = [(account, name, now_ms, one.total, one.bad) for name, one in counted.items() if one.total]
        if rows:
            with self._changed() as db:
                db.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", rows)

    def counted(self, account: str, name: str, now_ms: int, minutes: int) -> Sample:
        """What was noted within so many minutes. What is of a time to come is of before the clock went back."""
        asked = "SELECT coalesce(sum(total), 0), coalesce(sum(bad), 0) FROM samples WHERE account = ? AND name = ? "
        span = account, name, now_ms - minutes * MINUTE_MS, now_ms
        with self._read() as db:
            return Sample(*db.execute(f"{asked} AND at_ms BETWEEN ? AND ?", span).fetchone())

    def prune(self, now_ms: int) -> None:
        """Forget what is over for long, and what nobody has taken. Where the clock was set or the machine was off, what
        waits is not as old as it seems."""
        with self._changed() as db:
            db.execute("DELETE FROM samples WHERE at_ms < ?", (now_ms - GIVE_UP_MS,))
            if now_ms - _looked_since(db, now_ms) < GRACE_MS:
                return
            db.execute("UPDATE notices SET is_waiting = 0 WHERE is_waiting = 1 AND made_ms < ?", (now_ms - GIVE_UP_MS,))
            old = "SELECT id FROM notices WHERE made_ms < ?"
            db.execute(f"DELETE FROM deliveries WHERE notice IN ({old})", (now_ms - KEEP_MS,))  # noqa: S608 - constant
            db.execute("DELETE FROM notices WHERE made_ms < ?", (now_ms - KEEP_MS,))
            db.execute("DELETE FROM alerts WHERE is_live = 0 AND id NOT IN (SELECT alert FROM notices) AND id < "
                       "(SELECT max(id) FROM alerts) - 10000")  # fmt: skip

    # --- the file ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        with self._as_state_error():
            db = self._opened()
            with transaction(db):
                yield db

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._as_state_error():
            yield self._opened()

    def _opened(self) -> sqlite3.Connection:
        if self._db is not None and file_at(self.path) != self._file:
            self.close()
        if self._db is None:
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            make_private(self.path)
            with ExitStack() as undo:
                db = sqlite3.connect(self.path, timeout=self._patience_ms / 1_000, isolation_level=None)
                undo.callback(db.close)
                self._prepare(db)
                undo.pop_all()
            self._db, self._file = db, file_at(self.path)
        return self._db

    def _prepare(self, db: sqlite3.Connection) -> None:
        """A crash of the program loses nothing; a power cut may lose the newest moments, and no file."""
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version > SCHEMA:
            raise StateUnusable(f"{self.path} was written by a newer trader", remedy="use the newer version")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("PRAGMA foreign_keys = ON")
        if version < SCHEMA:
            db.execute("PRAGMA journal_mode = WAL")
            with transaction(db):
                for table in _TABLES:
                    db.execute(table)
                db.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextmanager
    def _as_state_error(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError, ValueError, KeyError, TypeError) as failed:
            self.close()
            away = f"if it stays so, move {self.path} away; it holds alerts and nothing else"
            raise StateUnusable(
                f"{self.path} cannot be used: {failed}", safe="nothing of the trade depends on it",
                remedy=remedy_of(failed, self.path, away),
            ) from failed  # fmt: skip


def _kept(row: tuple[int, str, str]) -> Kept:
    return Kept(row[0], row[1], from_json(Alert, row[2]))


def _live(db: sqlite3.Connection, account: str | None = None) -> tuple[Kept, ...]:
    found = db.execute("SELECT id, account, body FROM alerts WHERE is_live = 1 ORDER BY id").fetchall()
    return tuple(_kept(row) for row in found if account is None or row[1] == account)


def _newest(db: sqlite3.Connection, account: str, fingerprint: str) -> Kept | None:
    asked = "SELECT id, account, body FROM alerts WHERE account = ? AND fingerprint = ? ORDER BY id DESC LIMIT 1"
    row = db.execute(asked, (account, fingerprint)).fetchone()
    return _kept(row) if row else None


def _keep(db: sqlite3.Connection, account: str, number: int | None, alert: Alert) -> None:
    is_live = int(alert.over_ms is None)
    if number is None:
        row = (account, alert.alarm.fingerprint, is_live, to_json(alert))
        db.execute("INSERT INTO alerts (account, fingerprint, is_live, body) VALUES (?, ?, ?, ?)", row)
    else:
        db.execute("UPDATE alerts SET is_live = ?, body = ? WHERE id = ?", (is_live, to_json(alert), number))


def _advance(db: sqlite3.Connection, state: Path, live: Iterable[Kept], rules: Rules, now_ms: int) -> None:
    for one in live:
        alert = one.alert
        for _ in range(STEPS_MAX):
            kind = due(alert, rules, now_ms)
            if kind is None:
                break
            alert, severity = told(alert, kind, now_ms)
            if severity.rank >= rules.least.rank:
                notice = notice_of(one.number, one.account, state, alert, kind, severity)
                row = (one.number, now_ms, to_json(notice))
                db.execute("INSERT INTO notices (alert, made_ms, is_waiting, body) VALUES (?, ?, 1, ?)", row)
        if alert != one.alert:
            _keep(db, one.account, one.number, alert)


def _tries(db: sqlite3.Connection) -> dict[int, dict[str, tuple[int, int, int | None]]]:
    """(how often, when next, when it was taken) by notice that waits, and by channel."""
    asked = (
        "SELECT notice, channel, tries, next_ms, taken_ms FROM deliveries JOIN notices ON notices.id = notice "
        "WHERE is_waiting = 1"
    )
    found: dict[int, dict[str, tuple[int, int, int | None]]] = {}
    for notice_id, name, *known in db.execute(asked):
        found.setdefault(notice_id, {})[name] = (known[0], known[1], known[2])
    return found


def _looked_since(db: sqlite3.Connection, now_ms: int) -> int:
    """Since when it was looked at, this time too, without a gap that tells nothing of the time that went by."""
    kept = db.execute("SELECT value FROM rows WHERE key = ?", (LOOKED,)).fetchone()
    since_ms, last_ms = json.loads(kept[0]) if kept else (now_ms, now_ms)
    since_ms = since_ms if 0 <= now_ms - last_ms <= ALONE_MS else now_ms
    _put(db, LOOKED, json.dumps([since_ms, now_ms]))
    return int(since_ms)


def _put(db: sqlite3.Connection, key: str, value: str) -> None:
    db.execute("INSERT INTO rows VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value))
