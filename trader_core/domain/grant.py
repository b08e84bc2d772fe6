"""The live grant: a person's leave to trade real money, bounded in money and time, and what is left of it now.

Also what is known of keys: which one was put in force and when. Everything here is host time; a replay has none of it.
"""

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.money import plain
from trader_core.domain.values import replace


class LiveGrant(Struct, frozen=True):
    """Real money may be traded with this configuration, this key, in this portfolio, up to this equity, until then."""

    config_digest: str
    key_fingerprint: str
    portfolio_uuid: str
    max_equity: Decimal
    granted_ms: EpochMs
    expires_ms: EpochMs
    revoked_ms: EpochMs | None = None
    note: str = ""  # why it was revoked


class Granted(Struct, frozen=True):
    """`trader arm` wrote a grant. It takes the place of all before it."""

    grant: LiveGrant


class Revoked(Struct, frozen=True):
    """`trader disarm`: no grant before it opens anything any more."""

    at_ms: EpochMs
    reason: str


class KeyStaged(Struct, frozen=True):
    """A key was presented that may become the one in force."""

    fingerprint: str
    at_ms: EpochMs


class KeyVerified(Struct, frozen=True):
    """The staged key was tried at the venue: its permissions, its portfolio, a signed read; and the clock was right."""

    fingerprint: str
    portfolio_uuid: str
    at_ms: EpochMs


class KeyActivated(Struct, frozen=True):
    """This key is the one in force from here on; `previous` is the one before it, '' for the first."""

    fingerprint: str
    previous: str
    portfolio_uuid: str
    at_ms: EpochMs


class BreakerReset(Struct, frozen=True):
    """A person has closed a breaker: from here on its dependency is asked again."""

    name: str
    condition: str  # before
    failures: int
    reason: str
    host_user: str
    at_ms: EpochMs


PermitFact = Granted | Revoked | KeyStaged | KeyVerified | KeyActivated | BreakerReset
PERMIT_FACTS: dict[str, type[PermitFact]] = {
    "breaker_reset": BreakerReset,
    "granted": Granted,
    "key_activated": KeyActivated,
    "key_staged": KeyStaged,
    "key_verified": KeyVerified,
    "revoked": Revoked,
}
PERMIT_KIND_OF = {fact: kind for kind, fact in PERMIT_FACTS.items()}


class Rotation(Struct, frozen=True):
    """What the record says of keys, by fingerprint; '' and None where there is none."""

    active: str = ""
    previous: str = ""
    portfolio_uuid: str = ""  # of the key in force
    activated_ms: EpochMs | None = None
    staged: str = ""
    staged_ms: EpochMs | None = None
    verified: KeyVerified | None = None  # of the staged key
    first_ms: tuple[tuple[str, EpochMs], ...] = ()  # when each key was first put in force

    def since_ms(self, fingerprint: str) -> EpochMs | None:
        return dict(self.first_ms).get(fingerprint)


class Permission(StrEnum):
    NEVER = "NEVER"  # no grant was ever valid for this key and this state: nothing is signed
    REDUCING = "REDUCING"  # one was: no entry; exits, stops and cancels go on until everything is flat
    OPEN = "OPEN"


class Gate(Struct, frozen=True):
    """What the grants allow at a moment, and why not more."""

    permission: Permission
    reason: str  # '' where it is open


def grants_of(facts: Iterable[PermitFact]) -> tuple[LiveGrant, ...]:
    """All grants ever written, oldest first. A revocation, and a key put in force, end every one before it."""
    grants: tuple[LiveGrant, ...] = ()
    for fact in facts:
        if isinstance(fact, Granted):
            grants += (fact.grant,)
        elif isinstance(fact, Revoked):
            grants = _ended(grants, fact.at_ms, fact.reason)
        elif isinstance(fact, KeyActivated):
            grants = _ended(grants, fact.at_ms, "another key was put in force")
    return grants


def _ended(grants: tuple[LiveGrant, ...], at_ms: EpochMs, reason: str) -> tuple[LiveGrant, ...]:
    return tuple(
        one if one.revoked_ms is not None else replace(one, revoked_ms=at_ms, note=reason) for one in grants
    )  # fmt: skip


def ever_granted(grants: Iterable[LiveGrant], fingerprint: str) -> bool:
    """Whether this key may sign anything at all here. Asked before the first signed byte, so the venue is not asked."""
    return any(one.key_fingerprint == fingerprint for one in grants)


def grant_state(
    grants: Iterable[LiveGrant],
    digest: str,
    fingerprint: str,
    portfolio: str,
    equity: Decimal | None,
    host_ms: int,
) -> Gate:
    """What the newest grant of this key in this portfolio allows. An unknown equity is more than any ceiling.

    A grant for another portfolio is none: what the ledger holds is not there, and must not be sold there.
    """
    ours = [one for one in grants if (one.key_fingerprint, one.portfolio_uuid) == (fingerprint, portfolio)]
    if not ours:
        return Gate(Permission.NEVER, "no grant was ever given to this key in this portfolio")
    reasons = tuple(_against(ours[-1], digest, equity, host_ms))
    return Gate(Permission.REDUCING if reasons else Permission.OPEN, "; ".join(reasons))


def _against(grant: LiveGrant, digest: str, equity: Decimal | None, host_ms: int) -> Iterable[str]:
    if grant.revoked_ms is not None:
        yield f"the grant was revoked at {rfc3339(grant.revoked_ms)}: {grant.note}"
    if host_ms < grant.granted_ms:
        yield f"this machine's clock is before the grant, which was given at {rfc3339(grant.granted_ms)}"
    if host_ms >= grant.expires_ms:
        yield f"the grant expired at {rfc3339(grant.expires_ms)}"
    if digest != grant.config_digest:
        told = "arm it, or start a loop anew that was started before the files changed"
        yield f"the configuration is {digest[:12]}, and the grant is for {grant.config_digest[:12]}: {told}"
    if equity is None:
        yield f"the equity is unknown, and the grant ends at {plain(grant.max_equity)}"
    elif equity > grant.max_equity:
        yield f"the equity {plain(equity)} is above the grant's {plain(grant.max_equity)}"
