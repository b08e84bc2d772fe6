"""Leave to trade real money, from the command line's words: the grant, the key, its rotation, and the clock.

What must hold before anything is signed is put together here: settings, the key that this process was given, the
permits of the state directory, and the venue's own word on the key. bootstrap asks `key_in_force` and `gate` of it.
"""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from secrets import SystemRandom
from time import sleep
from typing import TYPE_CHECKING

from trader_core.domain.clock_reading import ClockReading
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.credentials import Credentials
from trader_core.domain.errors import ClockUnsound, GateClosed, Halted, KeyUnusable
from trader_core.domain.grant import (
    Gate,
    Granted,
    LiveGrant,
    PermitFact,
    Revoked,
    Rotation,
    ever_granted,
    grant_state,
    grants_of,
)
from trader_core.domain.halt import Trading
from trader_core.domain.values import replace
from trader_core.net.calls import Told, untold
from trader_core.ops.clock import host_ms
from trader_core.ops.clock_drift import ClockRules, VenueTime, drift_problem, keep, measure
from trader_core.ops.halts import KillFile
from trader_core.ops.rotation import (
    activated,
    age_problem,
    check_permissions,
    rolled_back,
    rotation_of,
    staged,
    to_verify,
    verified,
)
from trader_core.policies import PolicyWatch
from trader_core.settings.coherence import keeps_from_live
from trader_core.settings.environment import process_environment
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.settings.ratchet import granted_digest, in_force, loosenings
from trader_core.settings.schema import Settings
from trader_core.settings.secrets import IN_USE, NEXT, find, read_key_file
from trader_core.store.files import StateFiles
from trader_core.store.grants import Permits
from trader_core.store.policies import PolicyStore

if TYPE_CHECKING:
    from trader_core.domain.book import Book
    from trader_core.venues.coinbase.client import CoinbaseClient
    from trader_core.venues.coinbase.sign import ApiKey

LIVE = "LIVE"
HAS_CLOCK = {"coinbase": True, "simulated": False}  # a venue on a virtual clock has none to compare with
RECORD = "trader rotate-secrets --stage --verify --activate"
_NOTHING = "nothing was armed and nothing was sent"


@dataclass(frozen=True)
class Terms:
    """What a grant would allow, everything about it verified, and the warnings that go with it."""

    grant: LiveGrant
    lasts_ms: int
    policy: Settings
    state: Path
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class KeyState:
    """The record of keys, and which of them this process was given; '' where a place holds none.

    `warning` and `closed` speak of the key in force, or, before the first one, of the key that was given. Where no
    order is ever signed, none is missed.
    """

    rotation: Rotation
    in_use: str
    next: str
    warning: str
    closed: str  # why the key's age closes entries


# --- the gate --------------------------------------------------------------------------------------------------------


def gate(
    policy: Settings, state: Path, fingerprint: str, portfolio: str, equity: Decimal | None, now_ms: EpochMs,
    policies: PolicyWatch,
) -> Gate:  # fmt: skip
    """What the grants allow this key now. Raises StateUnusable where they cannot be read, which allows nothing.

    A grant is for the files and for what loosened them then; what was loosened since, it does not cover.
    """
    grants = grants_of(Permits(state).facts())
    given = [one.granted_ms for one in grants if (one.key_fingerprint, one.portfolio_uuid) == (fingerprint, portfolio)]
    digest = policies.granted_digest(policy, given[-1] if given else None, now_ms)
    return grant_state(grants, digest, fingerprint, portfolio, equity, now_ms)


@dataclass(frozen=True)
class Leave:
    """Leave to trade with real money, as a state directory tells it: no key is shown and no venue is asked."""

    until_ms: EpochMs | None  # None: it was never given
    closed: str  # why no entry leaves by it now; '' where one may


def needs_leave(files: StateFiles) -> bool:
    """Whether the account has orders at a venue, and so trades by a grant alone."""
    return files.mode == LIVE


def leave_of(policy: Settings, files: StateFiles, book: "Book") -> Leave | None:
    """By the newest grant there is; None for an account that needs none. Raises StateUnusable."""
    if not needs_leave(files):
        return None
    grants = grants_of(Permits(files.directory).facts())
    if not grants:
        return Leave(None, "no grant was ever given")
    newest, watch, now_ms = grants[-1], PolicyWatch(PolicyStore(files.directory, files.mode)), EpochMs(host_ms())
    watch.in_force(policy, now_ms, book.policy_version)
    equity = book.equity if book.cycles else book.cash
    about = newest.key_fingerprint, newest.portfolio_uuid, equity, now_ms, watch
    return Leave(newest.expires_ms, gate(policy, files.directory, *about).reason)


def check_ever_granted(state: Path, fingerprint: str) -> None:
    """Before the first signed byte. Raises GateClosed where this key was never granted anything here."""
    if not ever_granted(grants_of(Permits(state).facts()), fingerprint):
        raise GateClosed(
            f"LIVE is closed: no grant was ever given to the key {fingerprint} in {state}",
            safe="nothing was signed and nothing was sent",
            remedy="trader arm --max-equity AMOUNT --expires 24h",
        )


def key_in_force(policy: Settings, state: Path) -> "ApiKey":
    """The key to sign with: the one that was put in force last, in whichever place it is presented; before the first
    rotation, the one that there is. Raises KeyUnusable."""
    from trader_core.venues.coinbase.sign import fingerprint

    active = active_key(state)
    given: list[str] = []
    for slot in (IN_USE, NEXT):
        key = _signing(find(slot, process_environment(), policy.app.secrets.files_allowed))
        if key is not None and active in ("", fingerprint(key)):
            return key
        given += [fingerprint(key)] if key is not None else []
    if not given:
        raise KeyUnusable(f"there is no key: {IN_USE.where}", remedy="give the key to this process, and run it again")
    raise KeyUnusable(
        f"the key in force is {active}, and this process was given {' and '.join(given)}",
        remedy=f"give it that key, or put the other one in force: {RECORD}",
    )


def active_key(state: Path) -> str:
    """The fingerprint of the key that was put in force last, '' before the first rotation. Raises StateUnusable."""
    return rotation_of(Permits(state).facts()).active


def key_in_view(policy: Settings) -> "ApiKey | None":
    """The key that this process was given, if any: to look with, where nothing can be sent."""
    return _signing(find(IN_USE, process_environment(), policy.app.secrets.files_allowed))


def age_of_key(policy: Settings, state: Path, fingerprint: str, now_ms: EpochMs) -> tuple[str, str]:
    """(warning, why entries are closed) by the key's age."""
    limits = policy.app.secrets
    rotation = rotation_of(Permits(state).facts())
    return age_problem(rotation, fingerprint, now_ms, limits.warn_age_days, limits.max_age_days)


def client_of(
    policy: Settings, state: Path, key: "ApiKey | None", told: Told = untold, total_s: float | None = None
) -> "CoinbaseClient":
    """The venue over HTTP, each request `told` of; without a key only what is public. All attempts of
    a call take `total_s` at most. Raises GateClosed for an address that must not be."""
    from trader_core.net.breaker import Breakers
    from trader_core.net.buckets import Buckets
    from trader_core.net.session import Http, Timeouts
    from trader_core.store.buckets import SharedRows
    from trader_core.venues.coinbase.client import OFFICIAL, RULES, CoinbaseClient

    authority, rows, chance = process_environment().get("CA_BUNDLE"), SharedRows(state), SystemRandom().random
    http = Http(
        policy.app.exchange.venue_url or OFFICIAL,
        ca_bundle=Path(authority) if authority else None,
        timeouts=Timeouts() if total_s is None else Timeouts(total_s=total_s),
        buckets=Buckets(RULES, rows, sleep, host_ms),
        breakers=Breakers(rows, host_ms, chance),
        pause=sleep,
        chance=chance,
        host_ms=host_ms,
        told=told,
    )
    return CoinbaseClient(http, key, lambda: host_ms() / 1e3)


# --- the clock -------------------------------------------------------------------------------------------------------


def clock_rules(policy: Settings) -> ClockRules:
    clock, named = policy.app.clock, policy.app.exchange.venue
    return ClockRules(clock.servers, named if HAS_CLOCK[named] else "", clock.max_drift_ms, clock.recheck_min)


def venue_time(client: "CoinbaseClient") -> VenueTime:
    return lambda: client.server_time().at_ms


def clock_problem(policy: Settings, state: Path, client: "CoinbaseClient") -> str:
    """Why this machine's clock closes entries, by a reading that may be an hour old; '' where it does not."""
    return drift_problem(state, clock_rules(policy), venue_time(client), host_ms, client.offset_ms)


def read_clock(options: Options) -> ClockReading:
    """A new reading of all sources, kept for the runs to come."""
    policy, state = load(options.config_directory), options.state_directory
    rules = clock_rules(policy)
    venue = venue_time(client_of(policy, state, None)) if rules.venue else None
    return keep(state, rules, measure(rules, venue, host_ms), host_ms)


def _check_clock(policy: Settings, state: Path, client: "CoinbaseClient") -> None:
    rules = clock_rules(policy)
    reading = keep(state, rules, measure(rules, venue_time(client), host_ms), host_ms)
    if reading.problem:
        raise ClockUnsound(reading.problem, remedy="let the system keep the time (NTP), then: trader check-clock")


# --- arm and disarm --------------------------------------------------------------------------------------------------


def terms_of(options: Options, max_equity: Decimal, lasts_ms: int) -> Terms:
    """Everything verified that can be verified before a grant is written. Raises TraderError, with nothing written."""
    policy, state = load(options.config_directory), options.state_directory
    venue = policy.app.exchange.venue
    against = keeps_from_live(policy, options.mode or policy.app.mode)
    against += () if options.venue in (None, venue) else (f"exchange.venue is {venue} and --venue {options.venue}",)
    if against:
        remedy = "set mode: LIVE and read_only: false in app.yaml, and look at: trader validate-config"
        raise GateClosed(f"cannot arm: {'; '.join(against)}", safe=_NOTHING, remedy=remedy)
    _check_halts(state)
    key = key_in_force(policy, state)
    fingerprint, now_ms = fingerprint_of(key), host_ms()
    warning, expired = age_of_key(policy, state, fingerprint, now_ms)
    if expired:
        raise KeyUnusable(f"cannot arm: {expired}", safe=_NOTHING, remedy=RECORD)
    client = client_of(policy, state, key)
    _check_clock(policy, state, client)
    permissions = client.permissions()
    check_permissions(permissions)
    versions = PolicyStore(state, LIVE).read().versions
    named = granted_digest(policy, loosenings(versions, now_ms))
    grant = LiveGrant(named, fingerprint, permissions.portfolio_uuid, max_equity, now_ms, EpochMs(now_ms + lasts_ms))
    return Terms(grant, lasts_ms, in_force(policy, versions, now_ms), state, (warning,) if warning else ())


def arm(terms: Terms) -> LiveGrant:
    """Write the grant. Its time runs from here: a person may have read the terms for a while."""
    _check_halts(terms.state)
    now_ms = host_ms()
    grant = replace(terms.grant, granted_ms=now_ms, expires_ms=EpochMs(now_ms + terms.lasts_ms))
    Permits(terms.state).append(Granted(grant), now_ms)
    return grant


def disarm(options: Options, reason: str) -> LiveGrant | None:
    """Revoke. Needs no configuration, no key and no network; returns the newest grant, None where there was none."""
    permits = Permits(options.state_directory)
    if not grants_of(permits.facts()):
        return None
    now_ms = host_ms()
    permits.append(Revoked(now_ms, reason), now_ms)
    return grants_of(permits.facts())[-1]


def _check_halts(state: Path) -> None:
    from trader_core.engine.journal import Journal

    files = StateFiles(state, LIVE)
    kill = KillFile(state).kill_requested() or files.latched()
    if kill:
        raise Halted(f"cannot arm: {kill}", safe=_NOTHING, remedy="trader halt show, then trader halt reset")
    if files.begun:
        with files.reading() as store:
            halt = Journal(store).book.halt
        if halt.trading is not Trading.ACTIVE:
            remedy = "trader halt show, then trader halt reset"
            raise Halted(f"cannot arm: the live account is {halt.state} ({halt.reason})", safe=_NOTHING, remedy=remedy)


# --- rotation --------------------------------------------------------------------------------------------------------


def key_state(options: Options) -> KeyState:
    """Which key is in force and how old it is, and what this process was given."""
    policy, state = load(options.config_directory), options.state_directory
    in_use, following = (_signing(find(slot, process_environment(), _files(policy))) for slot in (IN_USE, NEXT))
    rotation = rotation_of(Permits(state).facts())
    of = rotation.active or (fingerprint_of(in_use) if in_use else "")
    warning, closed = age_of_key(policy, state, of, host_ms())
    if not of and keeps_from_live(policy, options.mode or policy.app.mode):
        closed = ""
    given = [fingerprint_of(key) if key else "" for key in (in_use, following)]
    return KeyState(rotation, given[0], given[1], warning, closed)


def key_record(options: Options) -> Rotation:
    """The record alone. Needs no configuration and no key."""
    return rotation_of(Permits(options.state_directory).facts())


def stage_key(options: Options, file: Path | None = None) -> PermitFact:
    """Note the key that is to come: from the file, or presented as the next one, or the first there ever is."""
    policy, state = load(options.config_directory), options.state_directory
    permits = Permits(state)
    rotation = rotation_of(permits.facts())
    keys = {fingerprint_of(key): key for key in _offered(policy, file)}
    if not keys:
        raise KeyUnusable(f"there is no new key: {NEXT.where}", remedy="present the new key, and run it again")
    fingerprint = next((one for one in keys if one != rotation.active), next(iter(keys)))
    return _recorded(permits, staged(rotation, fingerprint, host_ms()))


def verify_key(options: Options, file: Path | None = None) -> PermitFact:
    """Try the staged key at the venue: the clock, its permissions and portfolio, a signed read."""
    policy, state = load(options.config_directory), options.state_directory
    permits = Permits(state)
    rotation = rotation_of(permits.facts())
    wanted = to_verify(rotation)
    key = next((key for key in _offered(policy, file) if fingerprint_of(key) == wanted), None)
    if key is None:
        raise KeyUnusable(f"the staged key {wanted} is not presented: {NEXT.where}", remedy="present it, and try again")
    client = client_of(policy, state, key)
    _check_clock(policy, state, client)
    found = verified(rotation, client.permissions(), host_ms())
    client.accounts()
    return _recorded(permits, replace(found, at_ms=host_ms()))


def activate_key(options: Options) -> PermitFact:
    """The staged key in force. Every grant before it is void: the new key needs one of its own. Needs no
    configuration and no network."""
    permits = Permits(options.state_directory)
    return _recorded(permits, activated(rotation_of(permits.facts()), host_ms()))


def roll_back(options: Options) -> PermitFact:
    """The key before, in force again. Needs no configuration and no network."""
    permits = Permits(options.state_directory)
    return _recorded(permits, rolled_back(rotation_of(permits.facts()), host_ms()))


def _recorded(permits: Permits, fact: PermitFact) -> PermitFact:
    permits.append(fact, host_ms())
    return fact


def _offered(policy: Settings, file: Path | None) -> list["ApiKey"]:
    """The keys that may be put in force, the likeliest first. A file that is named is the only one."""
    if file is not None:
        found = [read_key_file(file, _files(policy))]
    else:
        environ, allowed = process_environment(), _files(policy)
        found = [one for slot in (NEXT, IN_USE) if (one := find(slot, environ, allowed))]
    return [key for one in found if (key := _signing(one))]


def _files(policy: Settings) -> bool:
    return policy.app.secrets.files_allowed


def _signing(found: Credentials | None) -> "ApiKey | None":
    """The key with which can be signed. Raises KeyUnusable where it cannot."""
    from trader_core.venues.coinbase.sign import ApiKey

    return ApiKey(found.name, found.secret) if found else None


def fingerprint_of(key: "ApiKey") -> str:
    """By which a key is known: never the key."""
    from trader_core.venues.coinbase.sign import fingerprint

    return fingerprint(key)
