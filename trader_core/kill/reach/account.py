"""The venue's side of a kill: find the key and the ledger, clear the orders, and if asked sell what is ours."""

import sys
import threading
import traceback
from pathlib import Path
from secrets import SystemRandom
from threading import Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

from trader_core.domain.errors import KeyRefused, KeyUnusable, StateUnusable, TraderError
from trader_core.kill.hints import Hints, hints_of
from trader_core.kill.run import Progress, Wish
from trader_core.settings.environment import process_environment
from trader_core.settings.secrets import IN_USE, NEXT, find

if TYPE_CHECKING:
    from trader_core.kill.reach.ledger import Ledger
    from trader_core.kill.reach.sweep import Sweep
    from trader_core.venues.coinbase.client import CoinbaseClient
    from trader_core.venues.coinbase.sign import ApiKey

OFFLINE = ("DRY_RUN", "PAPER")  # modes that have no orders at a venue
CONNECT_S, READ_S, CALL_S = 2.0, 3.0, 4.0  # a call with all its attempts takes CALL_S at most
LEDGER_S = 3.0  # how long the ledger is waited for
RESERVE_S = 0.2  # of the time there is, to end in
SELLING = "selling what the ledger holds"
FREED_S = 2.0  # so long after the last cancel the venue may take to free what it held
POLL_S = 0.25
SETTLED_S = 1.5  # from here on; what the loop had begun to send before the latch is listed by then


def clear_account(wish: Wish, state: Path | None, progress: Progress, until_s: float, flatten_s: float) -> None:
    """Everything there is to do at the venue. What cannot be done stands in `progress`, never in an exception."""
    try:
        _clear(wish, state, progress, until_s - RESERVE_S, flatten_s - RESERVE_S)
    except TraderError as failed:
        progress.problems.append(f"{progress.stage}: {failed.what}")
    progress.ended = True


def _clear(wish: Wish, state: Path | None, progress: Progress, until_s: float, flatten_s: float) -> None:
    began_s = monotonic()
    if wish.offline:
        progress.why_not = f"not asked: {wish.offline} has no orders at a venue"
        return
    progress.stage, progress.account = "finding the key", state is not None and _has_account(state)
    hints = hints_of(wish.config)
    if hints.mode in OFFLINE and not progress.account and not wish.live:
        progress.why_not = f"not asked: app.yaml says {hints.mode}, and there is no live account in this directory"
        return
    keys, problems = _keys(hints)
    if not keys and not problems and not progress.account:
        progress.why_not = "not asked: there is no live account in this state directory, and no key"
        return
    progress.account = True
    if not keys:
        raise KeyUnusable(problems[0] if problems else f"there is none: {IN_USE.where}")
    progress.notes += [f"a key cannot be used, so the other one is tried: {one}" for one in problems]
    threading.excepthook = _told_without_secrets
    reading = _Reading(state)
    clients = [_client(hints, one, progress) for one in keys]
    ledger = reading.result(progress)
    progress.phases.append(("prepare", round((monotonic() - began_s) * 1_000)))
    client, sweep = _swept(clients, ledger, wish, progress, until_s)
    if wish.flatten:
        _flattened(client, ledger, state, sweep, progress, flatten_s)


def _has_account(state: Path) -> bool:
    """Also where nobody may look: what cannot be known may be there."""
    try:
        return (state / "live.db").is_file()
    except OSError:
        return True


def _swept(
    clients: "list[CoinbaseClient]", ledger: "Ledger | None", wish: Wish, progress: Progress, until_s: float
) -> "tuple[CoinbaseClient, Sweep]":
    """(the client whose key the venue took, what it has swept); a rotation may be half done."""
    from trader_core.kill.reach.sweep import Sweep

    settled_s = monotonic() + SETTLED_S
    sweeps = [Sweep(one, ledger, progress, until_s, settled_s) for one in clients]
    for client, sweep in zip(clients[:-1], sweeps, strict=False):
        try:
            sweep.run(wish.everything, stops_too=wish.flatten)
            return client, sweep
        except KeyRefused as refused:
            progress.notes.append(f"the key in use was refused, so the new one is tried: {refused.what}")
    sweeps[-1].run(wish.everything, stops_too=wish.flatten)
    return clients[-1], sweeps[-1]


def _flattened(
    client: "CoinbaseClient", ledger: "Ledger | None", state: Path | None, sweep: "Sweep", progress: Progress,
    flatten_s: float,
) -> None:  # fmt: skip
    """By the ledger as it is now: what a loop had begun to send before the latch is in it. A loop keeps what it holds
    protected, also under a kill: a stop that it has placed anew is canceled, and the rest is sold then. What a canceled
    order held may be free a moment later only; of what is not free as a whole by then, the part that is gets sold."""
    from trader_core.kill.reach.flatten import Flattening
    from trader_core.kill.reach.owned import owned

    progress.stage, progress.selling = SELLING, True
    if ledger is None or state is None:
        raise StateUnusable("nothing was sold, because what is ours is not known")
    began_s = monotonic()
    until_s, freed_s, last = began_s + flatten_s, began_s + FREED_S, range(0)
    while monotonic() < until_s:
        late = monotonic() >= min(freed_s, until_s - FREED_S)
        ledger, told = _Reading(state).found() or ledger, len(progress.problems)
        selling, progress.stage = Flattening(client, state, progress, until_s), SELLING
        selling.run(owned(client, ledger, state, sweep.ended, progress, until_s), in_part=late)
        progress.problems += selling.unsold
        del progress.problems[last.start : last.stop]  # of the try before this one, which was the last word until now
        last = range(told - len(last), len(progress.problems))
        if selling.unwritten or not selling.not_free:
            break
        if sweep.again(until_s):
            freed_s = monotonic() + FREED_S
        elif late:
            break
        sleep(POLL_S)
    progress.phases.append(("flatten", round((monotonic() - began_s) * 1_000)))


def _keys(hints: Hints) -> tuple[list["ApiKey"], list[str]]:
    """The key in use, and the one that is to come: what is badly kept or cannot sign is told, and the other tried."""
    from trader_core.venues.coinbase.sign import ApiKey

    found, problems = list[ApiKey](), list[str]()
    for slot in (IN_USE, NEXT):
        try:
            key = find(slot, process_environment(), hints.files_allowed)
            found += [ApiKey(key.name, key.secret)] if key else []
        except KeyUnusable as unusable:
            problems.append(unusable.what)
    return found, problems


def _client(hints: Hints, key: "ApiKey", progress: Progress) -> "CoinbaseClient":
    """It counts its requests alone: neither a drained bucket nor a locked file slows it, and together with the loop's
    they stay below what the venue allows."""
    from trader_core.net.breaker import Breakers
    from trader_core.net.buckets import Buckets, Urgency
    from trader_core.net.rows import LocalRows
    from trader_core.net.session import Http, Timeouts
    from trader_core.ops.clock import host_ms
    from trader_core.venues.coinbase.client import OFFICIAL, RULES, CoinbaseClient

    authority, rows, chance = process_environment().get("CA_BUNDLE"), LocalRows(), SystemRandom().random
    progress.url = hints.venue_url or OFFICIAL
    http = Http(
        progress.url,
        ca_bundle=Path(authority) if authority else None,
        timeouts=Timeouts(CONNECT_S, READ_S, CALL_S),
        buckets=Buckets(RULES, rows, sleep, host_ms),
        breakers=Breakers(rows, host_ms, chance),
        pause=sleep,
        chance=chance,
        host_ms=host_ms,
    )
    return CoinbaseClient(http, key, lambda: host_ms() / 1_000, Urgency.KILL)


def _told_without_secrets(failed: threading.ExceptHookArgs) -> None:
    """A bug in one of the threads: its trace, as every text that leaves the program."""
    from trader_core.net.redaction import redact

    lines = traceback.format_exception(failed.exc_type, failed.exc_value, failed.exc_traceback)
    sys.stderr.write(redact("".join(lines)))


class _Reading:
    """The ledger, read while the rest is made ready; a long one must not keep the venue waiting."""

    def __init__(self, state: Path | None) -> None:
        self._state, self._until_s = state, monotonic() + LEDGER_S
        self._found: Ledger | None = None
        self._why = "reading it takes too long"
        self._thread = Thread(target=self._read, name="kill: ledger", daemon=True)
        self._thread.start()

    def _read(self) -> None:
        from trader_core.kill.reach.ledger import read_ledger

        try:
            self._found = read_ledger(self._state)
        except TraderError as unreadable:
            self._why = unreadable.what

    def found(self) -> "Ledger | None":
        self._thread.join(max(0.0, self._until_s - monotonic()))
        return self._found

    def result(self, progress: Progress) -> "Ledger | None":
        if self.found() is None:
            progress.notes.append(f"the ledger is not known ({self._why}): sales that bear our mark are left alone")
        return self._found
