"""What a person does with alerts, and what takes them to where they go: `trader alerts`. No cycle comes here."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import sleep
from typing import Any

from trader_core.alerts.addresses import Addresses
from trader_core.alerts.channels import beat, send
from trader_core.alerts.drain import Drained, Drainer, tried
from trader_core.alerts.outbox import CYCLE, LINGER_MS, Outbox
from trader_core.alerts.policy import Rules, is_closed
from trader_core.alerts.start import LOCK
from trader_core.domain.alert import Delivery, Kept, Kind, Notice, Severity
from trader_core.domain.clocktime import MINUTE_MS, SECOND_MS, rfc3339, short
from trader_core.domain.errors import ConfigInvalid, GateClosed, StateLocked, StateUnusable
from trader_core.ops.clock import host_ms
from trader_core.ops.halts import KillFile
from trader_core.ops.lock import StateLock
from trader_core.report.alarms import alarm_of
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.settings.schema import Alerts
from trader_core.telling import addresses_of, exposure_kept, rules_kept, rules_of

LOOK_MS = SECOND_MS  # how often it is looked for what no cycle tells of
UNDELIVERED = "undelivered"
LOCK_MS = 1_000  # somebody who only looks holds it for less
LISTED_MAX = 200
TURNS_MAX = 1_000  # how often one drainer begins anew
HEARTBEAT = "heartbeat"
NONE_REMEDY = "set TRADER_ALERT_URLS, or the credential alert_urls, to Apprise URLs"


@dataclass(frozen=True)
class Tried:
    """What became of a message at one channel."""

    channel: str
    problem: str
    took_ms: int


def tested(options: Options) -> tuple[Tried, ...]:
    """Send a message to every channel now, those of escalations too, and a sign of life. Raises GateClosed where
    nobody is to be told."""
    to, rules = addresses_of(), load(options.config_directory).app.alerts
    if not to.are_any:
        raise GateClosed("nobody is to be told: there is no address", safe="nothing was sent", remedy=NONE_REMEDY)
    stamp = rfc3339(host_ms() // SECOND_MS * SECOND_MS)
    body = f"This is a test: alerts of trader arrive here.\nsince: {stamp}\nnext: nothing is to be done"
    notice = Notice(Kind.OPENED, Severity.INFO, "INFO trader test", body, urgent=True)
    timeout_s = float(rules.timeout_s)
    done = tried((*to.channels, *to.urgent), lambda one: send(one, notice, timeout_s), timeout_s)
    found = [Tried(name, problem, took_ms) for name, (problem, took_ms) in done.items()]
    if to.heartbeat:
        began_ms = host_ms()
        problem = beat(to.heartbeat, well=True)
        found.append(Tried(HEARTBEAT, problem, host_ms() - began_ms))
    return tuple(found)


def listed(options: Options, everything: bool) -> tuple[tuple[Kept, tuple[Delivery, ...]], ...]:
    """(alert, what became of its notices), newest first; where asked for `everything`, the newest LISTED_MAX of
    those that are over too."""
    outbox = Outbox(options.state_directory)
    if not outbox.exists:
        return ()
    found = {one.number: one for one in (*outbox.live(), *(outbox.all(LISTED_MAX) if everything else ()))}
    return tuple((found[number], outbox.deliveries(number)) for number in sorted(found, reverse=True))


def acknowledged(options: Options, number: int, reason: str) -> Kept:
    """Raises UsageError where there is no such alert."""
    outbox = Outbox(options.state_directory)
    if not outbox.exists:
        raise StateUnusable(f"nothing was ever told in {options.state_directory}", remedy="name another with --state")
    return outbox.acknowledge(number, host_ms(), reason)


def drained(options: Options, stop: Callable[[], bool], once: bool = False) -> Drained | None:
    """Deliver until nothing is due for a while, or where it is `once`, now; None where another drainer is at work."""
    directory, to = options.state_directory, addresses_of()
    outbox = Outbox(directory)
    if not outbox.exists:
        return Drained()
    (rules, named), found = _rules(options, outbox), Drained()
    linger_ms = max(LINGER_MS, (rules.escalate_s + 60) * SECOND_MS) if to.are_any and not once else 0
    for _ in range(TURNS_MAX):
        try:
            with StateLock(directory / LOCK, LOCK_MS):
                look = _watch(outbox, rules, named, KillFile(directory))
                drainer = Drainer(outbox, to, rules_of(rules), rules.timeout_s, host_ms, look)
                drainer.run(sleep, stop, linger_ms)
        except StateLocked:
            return None
        found.add(drainer.done)
        if stop() or not _is_left(outbox, to, rules_of(rules)):
            break
    return found


def _is_left(outbox: Outbox, to: Addresses, rules: Rules) -> bool:
    """Whether somebody told something after the last look and before the lock was free: they saw a drainer at work."""
    names = [one.name for one in (*to.channels, *to.urgent)]
    ahead = [outbox.next_ms(names) if names else None, outbox.wakes_ms(rules)]
    return any(at is not None and at <= host_ms() for at in ahead)


def _rules(options: Options, outbox: Outbox) -> tuple[Alerts, str | None]:
    """(the rules, whose account the files name) as the settings say, else the rules of the newest cycle and None.
    Raises ConfigInvalid."""
    try:
        app = load(options.config_directory).app
        return app.alerts, app.mode
    except ConfigInvalid:
        kept = rules_kept(outbox)
        if kept is None:
            raise
        return kept, None


def _watch(outbox: Outbox, rules: Alerts, named: str | None, kill: KillFile) -> Callable[[int], None]:
    """Looks now and then for what no cycle can tell of: that there is none, a kill that none has seen yet, and a
    channel that takes nothing."""
    looked_ms = -LOOK_MS

    def look(now_ms: int) -> None:
        nonlocal looked_ms
        if 0 <= now_ms - looked_ms < LOOK_MS:
            return
        looked_ms = now_ms
        open_ = {(one.account, one.alert.alarm.fingerprint) for one in outbox.live() if not is_closed(one.alert)}
        for key, text in outbox.values(CYCLE).items():
            account = key.removeprefix(CYCLE)
            newest, exposure = json.loads(text), exposure_kept(outbox, account)
            if newest.get("as_written") and named not in (None, account):  # the files have moved on to another account
                newest["expected"] = False
            for code, told in _unseen(newest, kill.kill_requested(), rules, now_ms):
                if (account, code) not in open_:
                    outbox.tell(account, [alarm_of(code, told, exposure)], rules_of(rules), now_ms, whole=False)
        silent = outbox.silent(now_ms - rules.undelivered_min * MINUTE_MS)
        if {("", f"{UNDELIVERED} {name}") for name in silent} != {one for one in open_ if one[0] == ""}:
            alarms = [alarm_of(UNDELIVERED, f"{name}: {why}", "", name) for name, why in silent.items()]
            outbox.tell("", alarms, rules_of(rules), now_ms, whole=True)

    return look


def _unseen(newest: dict[str, Any], killed: str | None, rules: Alerts, now_ms: int) -> Iterator[tuple[str, str]]:
    """(code, what) of an account whose newest cycle said that of itself."""
    if killed and not newest["killed"]:
        yield "kill", f"a kill is in force, and no cycle has seen it yet: {killed}"
    if newest["expected"] and abs(now_ms - newest["at_ms"]) > rules.missing_bars * newest["bar_ms"]:
        at, minutes = f"{short(newest['at_ms'])} UTC", newest["bar_ms"] // MINUTE_MS
        since = f"since {at}" if newest["at_ms"] < now_ms else f"since the clock was set back from {at} or later"
        yield "cycle_missing", f"there was no cycle {since}; one is due every {minutes} min"
