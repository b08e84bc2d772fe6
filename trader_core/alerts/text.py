"""An alert in words: what, since when, exposure now, what was already done, what to type next."""

from pathlib import Path
from shlex import quote

from trader_core.domain.alert import Alert, Kind, Notice, Severity
from trader_core.domain.clocktime import MINUTE_MS, rfc3339

PART_MAX = 700  # characters of one part; with all of them a message stays below what the narrowest channel takes
_WORDS = {
    Kind.OPENED: "",
    Kind.WORSE: "it has become worse",
    Kind.ESCALATED: "ESCALATED: still there, and nobody has acknowledged it",
    Kind.REMINDED: "still there, and nobody has acknowledged it",
    Kind.OVER: "OVER",
}


def notice_of(number: int, account: str, state: Path, alert: Alert, kind: Kind, severity: Severity) -> Notice:
    """`account` is whose alert it is: the mode of a state, in that directory."""
    alarm = alert.alarm
    name = " ".join(one for one in (account, alarm.code, alarm.subject) if one)
    return Notice(
        kind=kind,
        severity=severity,
        title=_cut(f"{'OVER ' if kind is Kind.OVER else ''}{severity} trader {name}", 200),
        body="\n".join(_lines(number, state, alert, kind)),
        urgent=alert.escalated_ms is not None,
    )


def _lines(number: int, state: Path, alert: Alert, kind: Kind) -> list[str]:
    alarm = alert.alarm
    parts = [_WORDS[kind], _cut(alarm.what), f"since: {_since(alert)}"]
    parts += [f"exposure now: {_cut(alarm.exposure)}"] if alarm.exposure else []
    parts += [f"already done: {_cut(alarm.done)}"] if alarm.done else []
    if kind is Kind.OVER:
        return [one for one in parts if one]
    parts += [f"next: {_cut(alarm.remedy)}"] if alarm.remedy else []
    if not alarm.is_event:
        parts.append(f"acknowledge: trader alerts ack {number} --state {quote(str(state.absolute()))}")
    times = f", raised {alert.count} times" if alert.count > 1 else ""
    return [one for one in (*parts, f"alert {number}{times}") if one]


def _since(alert: Alert) -> str:
    """The account's own time, where it knows; a simulated one lives in another."""
    opened, since = alert.opened_ms, alert.alarm.since_ms
    seen = f"{rfc3339(opened // 1_000 * 1_000)}"
    if since is None or since < 0 or abs(since - opened) < MINUTE_MS:
        return seen
    return f"{rfc3339(since)}, first told of {seen}"


def _cut(text: str, most: int = PART_MAX) -> str:
    return text if len(text) <= most else f"{text[: most - 4]} ..."
