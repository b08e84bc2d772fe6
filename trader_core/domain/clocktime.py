"""Time is an integer: milliseconds since the epoch, UTC. Text exists only at the edges."""

import re
from datetime import UTC, datetime, timedelta
from typing import NewType

EpochMs = NewType("EpochMs", int)

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
_LAST_YEAR = 2199
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DATE = re.compile(r"\d{4}-\d\d-\d\d([T ]([01]\d|2[0-3]):\d\d(:\d\d(\.\d{1,3})?)?(Z|\+00:00)?)?", re.ASCII)


def day_index(at_ms: int) -> int:
    """Whole UTC days since the epoch; a loss day starts at 00:00 UTC."""
    return at_ms // DAY_MS


def week_index(at_ms: int) -> int:
    """Whole weeks since 1970-01-05; a loss week starts on Monday at 00:00 UTC."""
    return (at_ms - 4 * DAY_MS) // (7 * DAY_MS)


def rfc3339(at_ms: int) -> str:
    """RFC 3339 text in UTC: '2024-08-05T00:15:00Z', with milliseconds only where there are any."""
    moment = _EPOCH + timedelta(milliseconds=int(at_ms))
    spec = "milliseconds" if at_ms % SECOND_MS else "seconds"
    return moment.replace(tzinfo=None).isoformat(timespec=spec) + "Z"


def short(at_ms: int) -> str:
    """'2024-08-05 00:15', for tables that a person reads."""
    return rfc3339(at_ms)[:16].replace("T", " ")


def parse_utc(text: str) -> EpochMs:
    """A UTC date or time as text to epoch ms. Raises ValueError on anything else, other zones included."""
    if not _DATE.fullmatch(text.strip()):
        raise ValueError(f"'{text}' is not a UTC date or time; write 2024-08-01 or 2024-08-01T12:00:00Z")
    try:
        moment = datetime.fromisoformat(text.strip().removesuffix("Z").removesuffix("+00:00")).replace(tzinfo=UTC)
    except ValueError as wrong:
        raise ValueError(f"there is no '{text}': {wrong}") from wrong
    if not _EPOCH.year <= moment.year <= _LAST_YEAR:
        raise ValueError(f"'{text}' is outside the years {_EPOCH.year} to {_LAST_YEAR}")
    return EpochMs((moment - _EPOCH) // timedelta(milliseconds=1))
