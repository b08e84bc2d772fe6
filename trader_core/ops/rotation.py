"""How old the key in force is, and how another one takes its place: staged, verified, activated, or rolled back.

Age counts from the first time that trader put a key in force; a key without that record counts as expired. The secret
itself is never written anywhere by us: what is recorded is which fingerprint must be presented from here on.
"""

from collections.abc import Iterable

from trader_core.domain.clocktime import DAY_MS, HOUR_MS, EpochMs, rfc3339
from trader_core.domain.credentials import KeyPermissions, why_unfit
from trader_core.domain.errors import GateClosed, KeyUnusable
from trader_core.domain.grant import KeyActivated, KeyStaged, KeyVerified, PermitFact, Rotation
from trader_core.domain.values import replace

VERIFIED_FOR_MS = HOUR_MS  # from --verify to --activate: what a key may do can change at the venue
_UNCHANGED = "nothing was changed; the key in force is what it was"
_RECORD = "trader rotate-secrets --stage --verify --activate"


def rotation_of(facts: Iterable[PermitFact]) -> Rotation:
    """The record as it stands. A key that comes back is as old as it was."""
    found = Rotation()
    for fact in facts:
        if isinstance(fact, KeyStaged):
            found = replace(found, staged=fact.fingerprint, staged_ms=fact.at_ms, verified=None)
        elif isinstance(fact, KeyVerified):
            found = replace(found, verified=fact)
        elif isinstance(fact, KeyActivated):
            known = found.since_ms(fact.fingerprint) is not None
            found = Rotation(
                active=fact.fingerprint,
                previous=fact.previous,
                portfolio_uuid=fact.portfolio_uuid,
                activated_ms=fact.at_ms,
                first_ms=found.first_ms if known else (*found.first_ms, (fact.fingerprint, fact.at_ms)),
            )
    return found


def age_problem(
    rotation: Rotation, fingerprint: str, host_ms: int, warn_age_days: int, max_age_days: int
) -> tuple[str, str]:
    """(warning, why entries are closed); '' where there is none. A missing record and a key from the future are both
    the worst case."""
    since_ms = rotation.since_ms(fingerprint)
    if since_ms is None:
        key = f"the key {fingerprint}".strip()
        return "", f"there is no record of when {key} was put in force: it counts as expired"
    if host_ms < since_ms:
        return "", f"the key was put in force at {rfc3339(since_ms)}, and this machine's clock is before that"
    days = (host_ms - since_ms) / DAY_MS
    if days > max_age_days:
        return "", f"the key is {days:.0f} days old, and may be {max_age_days}"
    warning = f"the key is {days:.0f} days old; past {max_age_days} days it closes entries: rotate it"
    return (warning if days >= warn_age_days else ""), ""


def staged(rotation: Rotation, fingerprint: str, at_ms: EpochMs) -> KeyStaged:
    """Raises GateClosed for the key that is in force."""
    if fingerprint == rotation.active:
        raise GateClosed(
            f"the key {fingerprint} is the one in force already",
            safe=_UNCHANGED,
            remedy="make a new one at the venue and present it beside the old one",
        )
    return KeyStaged(fingerprint, at_ms)


def to_verify(rotation: Rotation) -> str:
    """The fingerprint to try. Raises GateClosed where nothing is staged."""
    if not rotation.staged:
        raise GateClosed("no key is staged", safe=_UNCHANGED, remedy="trader rotate-secrets --stage")
    return rotation.staged


def verified(rotation: Rotation, permissions: KeyPermissions, at_ms: EpochMs) -> KeyVerified:
    """What the venue said of the staged key must fit. Raises KeyUnusable."""
    check_permissions(permissions)
    if rotation.portfolio_uuid and permissions.portfolio_uuid != rotation.portfolio_uuid:
        raise KeyUnusable(
            f"the new key belongs to the portfolio {permissions.portfolio_uuid}, the one in force to "
            f"{rotation.portfolio_uuid}: what the bot holds is not there",
            safe=_UNCHANGED,
            remedy="make a key for the same portfolio",
        )
    return KeyVerified(to_verify(rotation), permissions.portfolio_uuid, at_ms)


def activated(rotation: Rotation, at_ms: EpochMs) -> KeyActivated:
    """The staged key in force, if it was verified just now. Raises GateClosed."""
    fingerprint, seen = to_verify(rotation), rotation.verified
    if seen is None or seen.fingerprint != fingerprint or not 0 <= at_ms - seen.at_ms <= VERIFIED_FOR_MS:
        raise GateClosed(
            f"the staged key {fingerprint} was not verified within the last hour",
            safe=_UNCHANGED,
            remedy="trader rotate-secrets --verify --activate",
        )
    return KeyActivated(fingerprint, rotation.active, seen.portfolio_uuid, at_ms)


def rolled_back(rotation: Rotation, at_ms: EpochMs) -> KeyActivated:
    """The key before, in force again; the one that goes is what a further rollback returns to. Raises GateClosed."""
    if not rotation.previous:
        raise GateClosed("there is no key to roll back to", safe=_UNCHANGED, remedy="trader rotate-secrets --status")
    return KeyActivated(rotation.previous, rotation.active, rotation.portfolio_uuid, at_ms)


def check_permissions(permissions: KeyPermissions) -> None:
    """Raises KeyUnusable for a key that no bot should hold."""
    unfit = why_unfit(permissions)
    if unfit:
        raise KeyUnusable(
            f"the key is refused: {unfit}",
            safe="nothing was sent; " + _UNCHANGED,
            remedy="make a key at the venue that may view and trade, and nothing else; then: " + _RECORD,
        )
