"""The policy in force, put together: the written settings, the account's policy store, and the account's own time.

Each mode has a store of its own, beside its journal: a simulated account lives in another time than a real one, and
what ends at a moment ends by the account's clock.
"""

import os
import pwd
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from trader_core.domain.book import Book
from trader_core.domain.clocktime import MINUTE_MS, EpochMs, rfc3339
from trader_core.domain.errors import ClockUnsound, ConfigInvalid, GateClosed, Halted, StateUnusable, UsageError
from trader_core.domain.halt import HaltState
from trader_core.domain.policy import WRITTEN, InForce, PolicyAge, PolicyChange, PolicyVersion
from trader_core.domain.values import replace
from trader_core.engine.journal import Journal
from trader_core.engine.law import bar_ms_of
from trader_core.ops.clock import host_ms
from trader_core.ops.halts import KillFile
from trader_core.ops.lock import WAIT_MS, StateLock
from trader_core.settings.digest import digest
from trader_core.settings.direction import is_movable
from trader_core.settings.document import NUMBER_CHARS_MAX
from trader_core.settings.edit import Value, edited, new_clashes, value_at
from trader_core.settings.load import load, problem_of
from trader_core.settings.options import Options
from trader_core.settings.ratchet import (
    Held,
    changes_in_force,
    digest_for,
    effective,
    in_force,
    is_loosened,
    is_looser,
    standing,
    value_of,
    words_of,
)
from trader_core.settings.schema import Settings
from trader_core.store.files import StateFiles, newest
from trader_core.store.policies import PolicyStore, Reading

LIVE = "LIVE"
MODES = ("DRY_RUN", "PAPER", LIVE)
LASTS_MS_MAX = 31 * 24 * 3_600_000
_NOTHING = "nothing was changed"
_TOGETHER = "other values, or more keys together; the files are sound: trader policy show --effective"


def reading_of(store: PolicyStore, known: int) -> Reading:
    """The store as it is. Raises StateUnusable, also where the account has seen a newer version: it is lost."""
    found = store.read()
    if found.version < known:
        raise StateUnusable(
            f"the policy store is at version {found.version}, and the account has seen version {known}",
            safe="entries are refused; exits and stops go on",
            remedy=store.way_back,
        )
    return found


# --- for a run -------------------------------------------------------------------------------------------------------


@dataclass
class PolicyWatch:
    """The policy of each decision time, read again for each. What cannot be read leaves the last reading in force,
    which grows old; before the first there is only what is written, as old as time."""

    store: PolicyStore
    reading: Reading | None = None
    problem: str = ""
    now_ms: int = -1  # of what was asked for last
    _read_ms: int = 0
    _made: dict[tuple[Any, ...], tuple[Settings, str]] = field(default_factory=dict)

    def in_force(self, written: Settings, at_ms: EpochMs, known: int, seen_ms: int = 0) -> InForce:
        self.now_ms = now_ms = max(at_ms, seen_ms)
        try:
            found = reading_of(self.store, max(known, self.reading.version if self.reading else known))
            changes = changes_in_force(written, found.versions, now_ms)
            made = self._settings(written, changes)
            self.reading, self.problem, self._read_ms = found, "", at_ms
        except (StateUnusable, ConfigInvalid) as broken:
            self.problem = broken.what
            versions = self.reading.versions if self.reading else ()
            made = self._settings(written, changes_in_force(written, versions, now_ms))
        return InForce(made[0], self.reading.version if self.reading else known, made[1])

    def notes(self, known: int) -> tuple[str, ...]:
        """What is wrong with the store or its backup now, in words."""
        try:
            note = reading_of(self.store, known).note
        except StateUnusable as broken:
            note = broken.what
        return (note,) if note else ()

    def age(self, at_ms: EpochMs) -> PolicyAge:
        return PolicyAge(max(at_ms - self._read_ms, 0), self.problem)

    def granted_digest(self, written: Settings, granted_ms: int | None, now_ms: int) -> str:
        """What a grant of that time must name to be good now, by the newest reading."""
        return digest_for(written, self.reading.versions if self.reading else (), granted_ms, now_ms)

    def _settings(self, written: Settings, changes: Mapping[str, Value]) -> tuple[Settings, str]:
        """Made once for as long as nothing changes."""
        key = tuple(changes.items())
        if key not in self._made:
            made = edited(written, changes, coherent=False) if changes else written
            self._made = {key: (made, digest(made))}
        return self._made[key]


# --- for a look ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """One account's policy as it stands now. `now_ms` is the account's time; None where it has none yet."""

    written: Settings
    files: StateFiles
    store: PolicyStore
    reading: Reading
    now_ms: EpochMs | None
    halt: HaltState | None  # None where no account was begun
    is_virtual: bool = False  # whether it lives by a market's own time

    @property
    def in_force(self) -> Settings:
        return in_force(self.written, self.reading.versions, self.at_ms)

    @property
    def at_ms(self) -> int:
        return -1 if self.now_ms is None else self.now_ms

    @property
    def held(self) -> dict[str, Held]:
        return standing(self.reading.versions, self.at_ms)


def place_of(options: Options, changing: bool = False, written: Settings | None = None) -> Place:
    """The policy of the account that is meant: the newest there is, or the one that the configuration would begin.

    Raises ConfigInvalid, StateUnusable, and UsageError where several could be changed, that of real money among them
    before it has begun, and nobody says which.
    """
    written = written or load(options.config_directory)
    begun = [one for one in MODES if StateFiles(options.state_directory, one).begun and options.mode in (None, one)]
    to_begin = LIVE if options.mode is None and written.app.mode == LIVE and LIVE not in begun else ""
    if changing and (len(begun) > 1 or (begun and to_begin)):
        told = f"{options.state_directory} holds the account{'s' if begun[1:] else ''} of {' and '.join(begun)}"
        told += f", and the files are of {to_begin}" if to_begin else ""
        raise UsageError(told, safe=_NOTHING, remedy=f"say which one: --mode {to_begin or begun[-1]}")
    files = StateFiles(options.state_directory, options.mode or written.app.mode)
    if begun:
        files = newest(options.state_directory, tuple(begun))
        with files.reading() as kept:
            return place_at(written, files, kept.identity().get("clock", ""), Journal(kept).book)
    simulated = (options.venue or written.app.exchange.venue) in _VIRTUAL
    store = PolicyStore(files.directory, files.mode)
    return Place(written, files, store, store.read(), None if simulated else host_ms(), None)


def place_beside(options: Options, mode: str, clock: str, book: Book) -> Place:
    """The policy of an account whose book somebody has in hand. Raises ConfigInvalid and StateUnusable."""
    return place_at(load(options.config_directory), StateFiles(options.state_directory, mode), clock, book)


def place_at(written: Settings, files: StateFiles, clock: str, book: Book) -> Place:
    """The same of an account that is open already. A real venue's account lives by the wall clock, and is never before
    its newest cycle. Raises StateUnusable."""
    store = PolicyStore(files.directory, files.mode)
    own_ms = book.closed_ms if book.closed_ms >= 0 else None
    reading = reading_of(store, book.policy_version)
    is_virtual = clock.startswith("virtual")
    now_ms = own_ms if is_virtual else EpochMs(max(book.closed_ms, host_ms()))
    return Place(written, files, store, reading, now_ms, book.halt.state, is_virtual)


_VIRTUAL = ("simulated",)  # venues on a clock of their own


# --- for a change ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    """What a person wants, and says of it. A loosening ends after a while (`lasts_ms`) or at a moment."""

    reason: str
    user: str | None = None
    lasts_ms: int | None = None
    until_ms: int | None = None
    expected: int | None = None


@dataclass(frozen=True)
class Changed:
    """What was made of it, and what a person should know."""

    made: PolicyVersion
    place: Place
    warnings: tuple[str, ...]


def named(written: Settings, name: str) -> str:
    """A key with its file before it; that of policy.yaml may be left out. Raises UsageError with what was meant."""
    told = []
    for key in (name, f"policy.{name}"):
        try:
            value_at(written, key)
        except LookupError as unknown:
            told.append(str(unknown))
        else:
            return key
    known = movable_keys(written)
    last = {key.rpartition(".")[2]: key for key in reversed(known)}
    near = get_close_matches(name.rpartition(".")[2], last, n=1)
    meant = f"; did you mean {last[near[0]]}?" if near else ""
    raise UsageError(next((one for one in told if "did you mean" in one or "not a single" in one),
                          f"{name} is not a known key{meant}"),
                     safe=_NOTHING, remedy="trader policy show --effective lists the keys")  # fmt: skip


def change(options: Options, edits: Mapping[str, str], asked: Asked) -> Changed:
    """Move keys of the policy in force. A tightening is there at the next cycle; a loosening needs an end.

    Raises UsageError for what makes no sense, Halted for a loosening while the halt machine is not armed, GateClosed,
    PlanDrifted where somebody else was first, and ConfigInvalid.
    """
    place = place_of(options, changing=True)
    wanted = dict[str, Value]()
    for name, text in edits.items():
        key = named(place.written, name)
        if key in wanted:
            what = f"'{name}={text}' is the second value of that key"
            raise UsageError(what, safe=_NOTHING, remedy=f"trader policy set {key}=VALUE --reason TEXT")
        if len(text) > NUMBER_CHARS_MAX:
            raise UsageError(f"the value of {key} has more than {NUMBER_CHARS_MAX} characters", safe=_NOTHING,
                             remedy=f"trader policy set {key}=VALUE --reason TEXT")  # fmt: skip
        wanted[key] = value_of(text.strip())
    for key in wanted:
        if not is_movable(key):
            raise UsageError(f"{key} cannot be changed here", safe=_NOTHING, remedy=_by_hand(key))
    return _changed(place, _sound(place, wanted), asked)


def _by_hand(key: str) -> str:
    file, _, rest = key.partition(".")
    return f"change {rest} in {file}.yaml; it is no limit that can be moved without a new look at the rest"


def _sound(place: Place, wanted: Mapping[str, Value]) -> dict[str, Value]:
    """The values as the schema has them. Raises UsageError out of range, or where nothing would change."""
    now, typed = place.in_force, dict[str, Value]()
    for key, value in wanted.items():
        problem = problem_of(place.written, key, value)
        if problem:
            raise UsageError(f"{key} {problem}", safe=_NOTHING, remedy=f"trader policy set {key}=VALUE --reason TEXT")
        typed[key] = value_at(edited(now, {key: value}, coherent=False), key)
        before = value_at(now, key)
        if _is_as(key, typed[key], before) and not _is_loosened(place, key):
            raise UsageError(f"{key} is {words_of(before)} already", safe=_NOTHING, remedy="trader policy show")
    return typed


def _is_as(key: str, value: Value, other: Value) -> bool:
    return not is_looser(key, value, other) and not is_looser(key, other, value)


def _is_loosened(place: Place, key: str) -> bool:
    return is_loosened(key, value_at(place.written, key), place.held.get(key, Held()))


def _changed(place: Place, values: Mapping[str, Value], asked: Asked) -> Changed:
    if not asked.reason.strip():
        raise UsageError("the reason is empty", safe=_NOTHING, remedy="--reason 'why this is right now'")
    now = place.in_force
    longer = [key for key, value in values.items() if _is_as(key, value, value_at(now, key))]
    loose = [key for key, value in values.items() if key in longer or is_looser(key, value, value_at(now, key))]
    until_ms = _until(place, asked, loose)
    _check_longer(place, longer, until_ms)
    if loose:
        _check_armed(place, loose)
    problems = new_clashes(now, edited(now, values, coherent=False))
    if loose and problems:
        raise ConfigInvalid(problems, remedy=_TOGETHER)
    expected = place.reading.version if asked.expected is None else asked.expected
    changes = tuple(
        PolicyChange(
            key, words_of(value_at(now, key)), words_of(value), until_ms if key in loose else None,
            words_of(value_at(place.written, key)),
        )
        for key, value in values.items()
    )  # fmt: skip
    at_ms = EpochMs(place.at_ms)
    made = PolicyVersion(expected + 1, at_ms, host_ms(), _author(asked.user), asked.reason.strip(), changes)
    place.files.make_directory()
    with StateLock(place.files.changing, WAIT_MS, "type this again when that is over"):
        unwritten = place.store.append(made)
    told = (*problems, *(one for one in (unwritten, place.reading.note, _in_vain(place, until_ms)) if one))
    after = replace(place, reading=place.store.read())
    return Changed(made, after, (*told, *_kept_by_profile(place, after, values)))


def _kept_by_profile(before: Place, after: Place, values: Mapping[str, Value]) -> list[str]:
    """Where the profile is tighter than what was moved, nothing changes while it is the one in force."""
    then = {row.key: row.effective for row in key_rows(before)}
    return [
        f"{row.key} stays {words_of(row.effective)} in force: profile {after.in_force.policy.profile} is tighter"
        for row in key_rows(after)
        if row.key in values and row.binds == "profile" and row.effective == then[row.key]
    ]


def _in_vain(place: Place, until_ms: EpochMs | None) -> str:
    """Said of a loosening that is over when the next decision is taken; empty where it is not."""
    bar_ms = bar_ms_of(place.written)
    next_ms = (place.at_ms // bar_ms + 1) * bar_ms
    if until_ms is None or until_ms > next_ms:
        return ""
    return f"nothing is decided under this: the next decision is at {rfc3339(next_ms)}, and by then it is over"


def _until(place: Place, asked: Asked, loose: list[str]) -> EpochMs | None:
    """When the loosening ends, by the account's time. Raises UsageError where it has no end, or none to come, and
    ClockUnsound."""
    given = asked.lasts_ms is not None or asked.until_ms is not None
    if not loose:
        if given:
            raise UsageError("a tightening has no end: it lasts until it is loosened", safe=_NOTHING,
                             remedy="leave --expires out")  # fmt: skip
        return None
    if not given:
        raise UsageError(
            f"this loosens {', '.join(loose)}, which needs an end", safe=_NOTHING, remedy="--expires 24h, 30m or 7d"
        )
    if place.now_ms is None:
        raise GateClosed("the account has not run a cycle yet, so it has no time of its own to count from",
                         safe=_NOTHING, remedy="trader run-cycle, then this again")  # fmt: skip
    _check_clock(place)
    until = asked.until_ms if asked.until_ms is not None else place.now_ms + (asked.lasts_ms or 0)
    if not place.now_ms < until <= place.now_ms + LASTS_MS_MAX:
        told = f"--expires {rfc3339(until)} is not within 31 days after {rfc3339(place.now_ms)}, the account's time"
        raise UsageError(told, safe=_NOTHING, remedy="--expires 24h, 30m or 7d")
    return EpochMs(until)


def _check_longer(place: Place, keys: list[str], until_ms: EpochMs | None) -> None:
    """What was loosened for longer would go on beyond an end that is sooner. Raises UsageError."""
    for key in keys:
        ends_ms = place.held[key].until_ms
        if until_ms is not None and until_ms <= ends_ms:
            told = f"{key} is {words_of(value_at(place.in_force, key))} until {rfc3339(ends_ms)} already"
            remedy = f"a later --expires; what is tighter ends it sooner: trader policy set {key}=VALUE --reason TEXT"
            raise UsageError(told, safe=_NOTHING, remedy=remedy)


def _check_clock(place: Place) -> None:
    """What ends must end by the true time, as far as anybody has measured it. Raises ClockUnsound."""
    from trader_core.ops.clock_drift import kept_offset_ms

    offset_ms = kept_offset_ms(place.files.directory) or 0.0
    if not place.is_virtual and abs(offset_ms) > MINUTE_MS:
        found = f"{abs(offset_ms) / 1e3:,.0f} s {'behind' if offset_ms > 0 else 'ahead'}"
        raise ClockUnsound(
            f"this machine's clock was found to be {found}: nobody can say when this would end",
            safe=_NOTHING, remedy="let the system keep the time, then: trader check-clock, then this again",
        )  # fmt: skip


def _check_armed(place: Place, loose: list[str]) -> None:
    kill = KillFile(place.files.directory).kill_requested() or place.files.latched()
    if kill or place.halt not in (None, HaltState.ARMED):
        raise Halted(
            f"{', '.join(loose)} cannot be loosened: {kill or f'the halt machine is {place.halt}'}", safe=_NOTHING,
            remedy="trader halt show; a tightening is possible at any time",
        )  # fmt: skip


def _author(user: str | None) -> str:
    """Who the system says it is, and who they say they are."""
    try:
        name = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        name = str(os.getuid())
    return f"{name} ({user.strip()})" if user and user.strip() else name


def roll_back(options: Options, version: int, asked: Asked) -> Changed:
    """A new version under which the store holds what it held at that one, as far as that has not lapsed."""
    place = place_of(options, changing=True)
    then = settings_at(place, version)
    values: dict[str, Value] = {}
    keys = {change.key for one in place.reading.versions for change in one.changes} & set(movable_keys(place.written))
    for key in sorted(keys):
        before, after = value_at(place.in_force, key), value_at(then, key)
        if not _is_as(key, before, after):
            values[key] = after
    if not values:
        raise UsageError(f"what was in force at version {version} is in force now", safe=_NOTHING,
                         remedy="trader policy diff")  # fmt: skip
    return _changed(place, values, asked)


def settings_at(place: Place, version: int) -> Settings:
    """The settings as they would be in force now with no version after that one. Raises UsageError."""
    if not WRITTEN <= version <= place.reading.version:
        raise UsageError(f"there is no version {version}; there are {WRITTEN} to {place.reading.version}",
                         safe=_NOTHING, remedy="trader policy history")  # fmt: skip
    return in_force(place.written, place.reading.versions[: version - WRITTEN], place.at_ms)


# --- key by key ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class KeyRow:
    """One key: what is written, what the store and the profile make of it, what is in force, and who says so."""

    key: str
    written: Value
    stored: Value | None
    profile: Value | None
    effective: Value
    binds: str  # "written", "store", "loosened", "profile", "spot"
    version: int | None
    until_ms: EpochMs | None


def key_rows(place: Place) -> tuple[KeyRow, ...]:
    """Every key that the store may move, and what the profile alone says."""
    now, held = place.in_force, place.held
    profile = now.policy.active_profile.model_dump()
    rows = [_row(place, key, held.get(key, Held()), profile) for key in movable_keys(place.written)]
    return (*rows, *_of_profile(now, profile, {row.key.removeprefix("policy.risk.") for row in rows}))


def _row(place: Place, key: str, held: Held, profile: Mapping[str, Any]) -> KeyRow:
    written = value_at(place.written, key)
    value = effective(key, written, held)
    loosened = is_loosened(key, written, held)
    stored = held.loose if loosened else held.lasting
    binds = "loosened" if loosened else "store" if stored is not None and is_looser(key, written, value) else "written"
    version = (held.loose_since if loosened else held.since) if stored is not None else None
    block, _, name = key.rpartition(".")
    own = profile.get(name) if block == "policy.risk" else None
    if own is not None and is_looser(key, value, own):
        loosened = is_looser(key, own, effective(key, written, replace(held, loose=None)))
        return KeyRow(key, written, stored, own, own, "profile", version, EpochMs(held.until_ms) if loosened else None)
    return KeyRow(key, written, stored, own, value, binds, version, EpochMs(held.until_ms) if loosened else None)


def _of_profile(now: Settings, profile: Mapping[str, Any], shown: set[str]) -> list[KeyRow]:
    """What stands in the profile alone."""
    rows = []
    for name, value in profile.items():
        if name not in shown:
            key = f"policy.profiles.{now.policy.profile}.{name}"
            spot = name == LEVERAGE
            rows.append(KeyRow(key, value, None, value, SPOT if spot else value, "spot" if spot else "written", None,
                               None))  # fmt: skip
    return rows


LEVERAGE = "max_leverage_ratio"
SPOT = 1  # leverage of an account to which nobody lends


def notes_of(settings: Settings) -> tuple[str, ...]:
    """Where the profile asks for more than it gets."""
    policy = settings.policy
    profile, risk = policy.active_profile, policy.risk
    found = [
        f"profile {policy.profile}: {name} {words_of(asked)} is clipped to {words_of(limit)} by risk.{name}"
        for name, limit in risk.model_dump().items()
        if name != LEVERAGE and (asked := getattr(profile, name, None)) is not None and asked > limit
    ]
    if profile.max_leverage_ratio > SPOT:
        found.append(
            f"profile {policy.profile}: max_leverage_ratio {words_of(profile.max_leverage_ratio)} is clipped to 1: "
            "on spot nobody lends"
        )
    return tuple(found)


def moved_keys(place: Place) -> tuple[KeyRow, ...]:
    """The keys of which the store says something else than the files."""
    moved = (one for one in key_rows(place) if one.stored is not None)
    return tuple(one for one in moved if one.binds == "store" or one.until_ms is not None)


def movable_keys(settings: Settings) -> tuple[str, ...]:
    """In the order of files; what stands in a mapping by itself."""
    return tuple(key for key in _leaves(settings.model_dump(), "") if is_movable(key))


def _leaves(values: Mapping[str, Any], at: str) -> list[str]:
    found: list[str] = []
    for name, value in values.items():
        key = f"{at}.{name}" if at else name
        found += _leaves(value, key) if isinstance(value, Mapping) else [key]
    return found


def running_loosenings(place: Place) -> tuple[tuple[str, Value, EpochMs], ...]:
    """What is looser than it will be again: key, value, until when."""
    return tuple((one.key, one.effective, one.until_ms) for one in key_rows(place) if one.until_ms is not None)
