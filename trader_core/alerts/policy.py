"""What is told of an alert, and when. Pure: a function of what is known of it and of this machine's time.

An alert has the fingerprint of its alarm, so that a hundred alarms with other numbers are one alert. It is told at most
once within `dedupe_ms`, but at once when it has become worse, also where it was over in between. Unresolved and not
acknowledged for `escalate_ms` it is told again, one severity higher, without being raised again; then every
`remind_ms`. That it is over is told once.
"""

from msgspec import Struct

from trader_core.domain.alert import Alarm, Alert, Kind, Severity
from trader_core.domain.values import replace

BACKWARDS_MS = 60_000  # a moment that lies further ahead than this was written before the clock went back


class Rules(Struct, frozen=True):
    """All in ms; a reminder of 0 is none. Nothing below the least severity is sent."""

    dedupe_ms: int
    escalate_ms: int
    remind_ms: int
    least: Severity


def raised(before: Alert | None, alarm: Alarm, now_ms: int) -> Alert:
    """The alert with that alarm in it: the one that is open, else a new one, which knows when the last one was told."""
    if before is None:
        return Alert(alarm, now_ms, now_ms)
    if is_closed(before):
        is_silent = before.told is None
        last_ms, last = (before.quiet_ms, before.quiet) if is_silent else (before.notified_ms, before.told)
        return Alert(alarm, now_ms, now_ms, quiet_ms=last_ms, quiet=last)
    worse = before.told is not None and alarm.severity.rank > before.told.rank
    return replace(
        before, alarm=alarm, seen_ms=now_ms, count=before.count + 1, acked_ms=None if worse else before.acked_ms
    )


def is_closed(alert: Alert) -> bool:
    """An event is over with being told; the rest with being resolved."""
    return alert.resolved_ms is not None or (alert.alarm.is_event and alert.told is not None)


def resolved(alert: Alert, now_ms: int) -> Alert:
    """What nobody was told of is over without a word. An event stays until it was told."""
    if is_closed(alert) or alert.alarm.is_event:
        return alert
    return replace(alert, resolved_ms=now_ms, over_ms=now_ms if alert.told is None else None)


def acknowledged(alert: Alert, now_ms: int, reason: str = "") -> Alert:
    """Somebody has it: no escalation and no reminder, unless it becomes worse."""
    return alert if alert.acked_ms is not None else replace(alert, acked_ms=now_ms, reason=reason)


def due(alert: Alert, rules: Rules, now_ms: int) -> Kind | None:
    """What is to be told now; of several the most urgent."""
    return next((one.kind for one in _steps(alert, rules) if one.is_due(now_ms)), None)


def wakes_ms(alert: Alert, rules: Rules) -> int | None:
    """When something will be due that is not raised again; 0 where it is due whatever the time."""
    return min((one.at_ms for one in _steps(alert, rules)), default=None)


def told(alert: Alert, kind: Kind, now_ms: int) -> tuple[Alert, Severity]:
    """The alert after that was told, and how severe it is said to be."""
    if kind is Kind.OVER:
        return replace(alert, over_ms=now_ms), _level(alert)
    if kind is Kind.WORSE:  # it begins anew
        alert = replace(alert, first_ms=None, escalated_ms=None)
    elif kind is Kind.ESCALATED:
        alert = replace(alert, escalated_ms=now_ms)
    actual = alert.alarm.severity
    after = replace(
        alert,
        told=actual if alert.told is None or actual.rank > alert.told.rank else alert.told,
        first_ms=now_ms if alert.first_ms is None else alert.first_ms,
        notified_ms=now_ms,
        over_ms=now_ms if alert.alarm.is_event else None,
    )
    return after, _level(after)


class _Step(Struct, frozen=True):
    """What may come next of an alert: `wait_ms` after a moment, at once where that is None."""

    kind: Kind
    since_ms: int | None = None
    wait_ms: int = 0

    @property
    def at_ms(self) -> int:
        return 0 if self.since_ms is None else self.since_ms + self.wait_ms

    def is_due(self, now_ms: int) -> bool:
        """Also where the moment lies ahead: then the clock went back, and nobody knows how long ago it was."""
        return now_ms >= self.at_ms or (self.since_ms is not None and self.since_ms - now_ms > BACKWARDS_MS)


def _steps(alert: Alert, rules: Rules) -> list[_Step]:
    """The most urgent first."""
    if alert.over_ms is not None:
        return []
    if alert.told is None:
        is_worse = alert.quiet is not None and alert.alarm.severity.rank > alert.quiet.rank
        return [_Step(Kind.OPENED, None if is_worse else alert.quiet_ms, rules.dedupe_ms)]
    if alert.resolved_ms is not None:
        return [_Step(Kind.OVER)]
    found = [_Step(Kind.WORSE)] if alert.alarm.severity.rank > alert.told.rank else []
    if alert.acked_ms is None:
        if alert.alarm.escalates and alert.escalated_ms is None:
            found.append(_Step(Kind.ESCALATED, alert.first_ms, rules.escalate_ms))
        elif rules.remind_ms:
            found.append(_Step(Kind.REMINDED, alert.notified_ms, rules.remind_ms))
    return found


def _level(alert: Alert) -> Severity:
    """As it is told: once escalated, a level higher."""
    severity = alert.alarm.severity
    return severity.boosted if alert.escalated_ms is not None else severity
