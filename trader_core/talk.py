"""The one sink of everything that is said beside a result: every line passes here, and loses its secrets here.

Who listens decides how it is said. A person reads plain words on stderr, as they were meant. `--log json` and
`--log text` (or TRADER_LOG) make a log of it, a record a line on stderr, each with its time, its level and the number
of the cycle. Under systemd, where stderr is the journal, records go there with fields of their own, so that
`journalctl CYCLE_ID=17` finds a cycle; where that socket is not to be had, with a priority before each line.
"""

import json
import logging
import os
import sys
import threading
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from types import TracebackType

from trader_core.domain.clocktime import rfc3339
from trader_core.net.redaction import redact
from trader_core.ops.clock import host_ms
from trader_core.settings.environment import log_environment

NAME = "trader"
JOURNAL = Path("/run/systemd/journal/socket")
STDERR = 2
PLAIN, TEXT, JSON, SYSTEMD = "plain", "text", "json", "systemd"
CHOICES = (TEXT, JSON)


class Level(IntEnum):
    """As syslog counts them."""

    ERROR = 3
    WARNING = 4
    INFO = 6


LEVELS = {logging.CRITICAL: Level.ERROR, logging.ERROR: Level.ERROR, logging.WARNING: Level.WARNING}


@dataclass
class Talk:
    """How this process speaks. `cycle` is the one that is under way; every record carries it."""

    form: str = PLAIN
    cycle: int | None = None
    mode: str = ""

    def say(self, text: str, level: Level = Level.INFO, **fields: str) -> None:
        """To whoever listens, in whichever form."""
        _write(self.form, redact(text), level, self._about(fields))

    def log(self, text: str, level: Level = Level.INFO, **fields: str) -> None:
        """Only where a log is kept: a person sees the same on stdout."""
        if self.form != PLAIN:
            self.say(text, level, **fields)

    def _about(self, fields: Mapping[str, str]) -> dict[str, str]:
        known = {"cycle_id": "" if self.cycle is None else str(self.cycle), "mode": self.mode}
        return {name: redact(value) for name, value in {**known, **fields}.items() if value}


TALK = Talk()


def begin(form: str | None = None) -> None:
    """Speak as the command line says, else the environment, else as the place wants it that stderr leads to."""
    asked, journal = log_environment()
    TALK.form = form or (asked if asked in CHOICES else SYSTEMD if _is_ours(journal) else PLAIN)
    TALK.cycle, TALK.mode = None, ""
    if asked and asked not in CHOICES and form is None:
        told = f"TRADER_LOG is '{asked}', not {' or '.join(CHOICES)}, and counts as unset"
        TALK.say(f"warning: {told}" if TALK.form == PLAIN else told, Level.WARNING)


def guard() -> None:
    """What libraries log, and exceptions that nobody caught in whichever thread, are said here too."""
    root = logging.getLogger()
    if not any(isinstance(one, _Handler) for one in root.handlers):
        root.addHandler(_Handler(logging.WARNING))
    sys.excepthook = _uncaught
    threading.excepthook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)
    sys.unraisablehook = lambda told: _uncaught(told.exc_type, told.exc_value, told.exc_traceback)


class _Handler(logging.Handler):
    """Of the library's logger, for what is said where no command is near."""

    def emit(self, record: logging.LogRecord) -> None:
        level = LEVELS.get(record.levelno, Level.INFO)
        text = self.format(record)
        TALK.say(f"warning: {text}" if TALK.form == PLAIN and level is Level.WARNING else text, level)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    TALK.say("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"), Level.ERROR)


def _is_ours(journal: str) -> bool:
    """Whether stderr is the stream that systemd says leads to its journal, and not one that was redirected since."""
    try:
        found = os.fstat(STDERR)
    except OSError:
        return False
    return bool(journal) and journal == f"{found.st_dev}:{found.st_ino}"


# --- forms -----------------------------------------------------------------------------------------------------------


def _write(form: str, text: str, level: Level, fields: Mapping[str, str]) -> None:
    if form == SYSTEMD and sent(JOURNAL, text, level, fields):
        return
    with suppress(OSError):  # a disk that is full or a reader that went ends no work
        sys.stderr.write(worded(form, text, level, fields))
        sys.stderr.flush()


def worded(form: str, text: str, level: Level, fields: Mapping[str, str]) -> str:
    """One record as text, its end of line with it."""
    if form == JSON:
        record = {"time": rfc3339(host_ms()), "level": level.name.lower(), **fields, "message": text}
        return f"{json.dumps(record, ensure_ascii=False)}\n"
    number = f"cycle={fields['cycle_id']} " if "cycle_id" in fields else ""
    if form == TEXT:
        return f"{rfc3339(host_ms())} {level.name} {number}" + text.replace("\n", "\n  ") + "\n"
    if form == SYSTEMD:
        return "".join(f"<{level.value}>{number}{line}\n" for line in text.splitlines() or [""])
    return f"{text}\n"


def sent(journal: Path, text: str, level: Level, fields: Mapping[str, str]) -> bool:
    """Into systemd's journal, each field under its own name. False where it did not take the record."""
    import socket

    told = {"MESSAGE": text, "PRIORITY": str(level.value), "SYSLOG_IDENTIFIER": NAME}
    told |= {name.upper(): value for name, value in fields.items()}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.setblocking(False)
        try:
            line.sendto(b"".join(_field(name, value) for name, value in told.items()), str(journal))
        except OSError:
            return False
    return True


def _field(name: str, value: str) -> bytes:
    """A value of several lines goes with its length before it, so that none can pass for another field."""
    data = value.encode(errors="backslashreplace")
    if b"\n" in data:
        return name.encode() + b"\n" + len(data).to_bytes(8, "little") + data + b"\n"
    return name.encode() + b"=" + data + b"\n"
