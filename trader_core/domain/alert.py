"""What people are told of. An alarm is what is wrong now; an alert is what is known of it over time; a notice is one
message about it. Times are of this machine's clock, but where an alarm says since when in the market's own time."""

from enum import StrEnum

from msgspec import Struct


class Severity(StrEnum):
    """In rising order."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"

    @property
    def rank(self) -> int:
        return _RISING.index(self)

    @property
    def boosted(self) -> "Severity":
        """One level higher, where there is one."""
        return _RISING[min(self.rank + 1, len(_RISING) - 1)]


_RISING = tuple(Severity)


class Alarm(Struct, frozen=True):
    """One thing that is wrong now. Code and subject say what it is; every number in the words may change."""

    code: str
    subject: str  # a symbol, a breaker, a strategy; empty where there is one of it
    severity: Severity
    what: str
    since_ms: int | None  # in the account's own time; None where nobody knows but the alert itself
    exposure: str
    done: str  # what the tool has already done about it
    remedy: str  # what to type next
    is_event: bool = False  # it happened, and is over by itself
    escalates: bool = True

    @property
    def fingerprint(self) -> str:
        return f"{self.code} {self.subject}".strip()


class Alert(Struct, frozen=True):
    """An alarm over time. It is open until it is resolved, and over once that was told too."""

    alarm: Alarm  # as it was raised last
    opened_ms: int
    seen_ms: int  # raised last
    count: int = 1  # how often it was raised
    quiet_ms: int | None = None  # when the alert before it, of the same fingerprint, was told last
    quiet: Severity | None = None  # the highest of that one that was told, escalation apart
    told: Severity | None = None  # the alarm's highest that was told, escalation apart; None: nobody knows of it yet
    first_ms: int | None = None  # when it was told first, at its severity: escalation counts from here
    notified_ms: int | None = None  # and last
    escalated_ms: int | None = None
    acked_ms: int | None = None
    resolved_ms: int | None = None
    over_ms: int | None = None  # when it was told that it is over, or was clear that nobody needs to know
    reason: str = ""  # what whoever acknowledged it said


class Kind(StrEnum):
    """Why there is a notice."""

    OPENED = "OPENED"
    WORSE = "WORSE"
    ESCALATED = "ESCALATED"
    REMINDED = "REMINDED"
    OVER = "OVER"


class Notice(Struct, frozen=True):
    """One message of an alert, as it is sent: `urgent` also to those whom only escalations reach."""

    kind: Kind
    severity: Severity
    title: str
    body: str
    urgent: bool


class Kept(Struct, frozen=True):
    """An alert in the outbox, under its number; `account` is the mode of the state that it is of."""

    number: int
    account: str
    alert: Alert


class Delivery(Struct, frozen=True):
    """What became of a notice at a channel; None: it has not taken it yet."""

    channel: str
    tries: int
    next_ms: int
    taken_ms: int | None
    problem: str
