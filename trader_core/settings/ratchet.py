"""The ratchet: what is written, and the versions of the policy store over it, as settings at a moment. Pure.

A tightening stays until it is loosened or tightened further. A loosening ends by itself; then whatever was tightest
without it holds again. Nothing in the store is ever wider than a key's range, and a key that the store may not move is
never read from it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from hashlib import sha256

from msgspec import Struct

from trader_core.domain.policy import PolicyChange, PolicyVersion
from trader_core.domain.values import replace
from trader_core.settings.digest import digest
from trader_core.settings.direction import is_movable, more_of
from trader_core.settings.document import shown
from trader_core.settings.edit import Value, edited, value_at
from trader_core.settings.schema import PROFILES, Settings

PROFILE = "policy.profile"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")


class Held(Struct, frozen=True):
    """What the store holds of one key: the tightest value that lasts, and one that loosens it for a while."""

    lasting: Value | None = None
    since: int = 0  # the version that it comes from
    loose: Value | None = None
    loose_since: int = 0
    until_ms: int = 0
    under: Value | None = None  # what was written when it was loosened


def value_of(text: str) -> Value:
    """A value as a person writes it, and as `shown` writes it."""
    if text in ("true", "false"):
        return text == "true"
    if not _NUMBER.fullmatch(text):
        return text
    return Decimal(text) if "." in text else int(text)


def is_looser(key: str, value: Value, than: Value) -> bool:
    """Whether it allows more risk. Between what cannot be compared nothing is looser."""
    return more_of(key) * (_size(value) - _size(than)) > 0


def tighter_of(key: str, one: Value, other: Value) -> Value:
    return other if is_looser(key, one, other) else one


def _size(value: Value) -> Decimal:
    return Decimal(PROFILES.index(value)) if isinstance(value, str) else Decimal(str(value + 0))


def standing(versions: Iterable[PolicyVersion], now_ms: int) -> dict[str, Held]:
    """What the store holds of each key at that moment."""
    held: dict[str, Held] = {}
    for version in versions:
        for change in version.changes:
            if is_movable(change.key):
                before, value = held.get(change.key, Held()), value_of(change.value)
                held[change.key] = _moved(before, change, value, version.version, now_ms)
    return held


def _moved(before: Held, change: PolicyChange, value: Value, version: int, now_ms: int) -> Held:
    key = change.key
    if change.expires_ms is not None:
        over = now_ms >= change.expires_ms
        under = value_of(change.written) if change.written else None
        loosened = replace(before, loose=value, loose_since=version, until_ms=change.expires_ms, under=under)
        return before if over else loosened
    lasts = before.lasting is None or is_looser(key, before.lasting, value)
    after = replace(before, lasting=value, since=version) if lasts else before
    if before.loose is not None and is_looser(key, before.loose, value):
        after = replace(after, loose=value, loose_since=version)
    return after


def effective(key: str, written: Value, held: Held) -> Value:
    """What is in force of a key: the tighter of what is written and what was tightened, but what loosens it for now.
    Where the files were made tighter since, that is no looser than they are."""
    lasting = written if held.lasting is None else tighter_of(key, written, held.lasting)
    if held.loose is None:
        return lasting
    tightened = held.under is not None and is_looser(key, held.under, written)
    loose = tighter_of(key, held.loose, written) if tightened else held.loose
    return loose if is_looser(key, loose, lasting) else lasting


def is_loosened(key: str, written: Value, held: Held) -> bool:
    """Whether it is looser than it will be again."""
    return is_looser(key, effective(key, written, held), effective(key, written, replace(held, loose=None)))


def _held_of(
    written: Settings, versions: Sequence[PolicyVersion], now_ms: int
) -> Iterator[tuple[str, Value, Held]]:  # fmt: skip
    """(key, what is written, what the store holds of it); a key that is no more is not there."""
    for key, held in standing(versions, now_ms).items():
        try:
            before = value_at(written, key)
        except LookupError:
            continue
        yield key, before, held


def changes_in_force(written: Settings, versions: Sequence[PolicyVersion], now_ms: int) -> dict[str, Value]:
    """Every key whose value is not the written one, with it."""
    found: dict[str, Value] = {}
    for key, before, held in _held_of(written, versions, now_ms):
        value = effective(key, before, held)
        if is_looser(key, value, before) or is_looser(key, before, value):
            found[key] = value
    return found


def in_force(written: Settings, versions: Sequence[PolicyVersion], now_ms: int) -> Settings:
    """The settings of a decision time: a function of what is written, the versions and that time, and of nothing
    else."""
    changes = changes_in_force(written, versions, now_ms)
    return edited(written, changes, coherent=False) if changes else written


def loosened(written: Settings, versions: Sequence[PolicyVersion], now_ms: int) -> tuple[str, ...]:
    """Each key that is looser than it will be again, by version, key and value; also where that is the written one."""
    return tuple(
        f"{held.loose_since} {key}={shown(effective(key, before, held))}"
        for key, before, held in _held_of(written, versions, now_ms)
        if is_loosened(key, before, held)
    )


def loosenings(versions: Iterable[PolicyVersion], now_ms: int, since_ms: int | None = None) -> tuple[str, ...]:
    """Each loosening that is not over at `now_ms`, by version, key and value; of those made until `since_ms`."""
    return tuple(
        f"{version.version} {change.key}={change.value}"
        for version in versions
        if since_ms is None or version.host_ms <= since_ms
        for change in version.changes
        if change.expires_ms is not None and now_ms < change.expires_ms
    )


def granted_digest(written: Settings, loose: Sequence[str]) -> str:
    """What a grant names: the files, and what loosens them. A tightening is not in it."""
    files = digest(written)
    return sha256("\n".join((files, *loose)).encode()).hexdigest() if loose else files


def digest_for(written: Settings, versions: Sequence[PolicyVersion], granted_ms: int | None, now_ms: int) -> str:
    """What a grant of that time must name to be good now. A loosening that has lapsed since voids nothing; one that
    was made since does."""
    now = loosenings(versions, now_ms)
    then = now if granted_ms is None else loosenings(versions, granted_ms, granted_ms)
    return granted_digest(written, then if set(now) <= set(then) else now)


def words_of(value: Value | float) -> str:
    """As the store keeps it."""
    return shown(value)
