"""`trader kill` from the words to the exit code, in the standard library alone.

Nothing on the command line keeps it from latching: what it does not understand it says afterwards. It asks nothing.
"""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trader_core.kill.report import Report
    from trader_core.kill.run import Wish

WITH_VALUE = ("--state", "--config", "--mode", "--venue", "--log", "--reason")
MODES = {"": "", "LIVE": "", "DRY_RUN": "DRY_RUN", "PAPER": "PAPER"}  # each, and which has nothing at a venue
FLAGS = ("--flatten", "--all", "--json")
HELP = "--help"
ENDS = (signal.SIGINT, signal.SIGTERM)
NAMES = {0: "OK", 50: "INCOMPLETE", 70: "ALERT_UNDELIVERED"}


def kills(arguments: Sequence[str]) -> bool:
    """Whether the command is `kill`, wherever options stand, and not a question about it."""
    words = iter(arguments)
    for word in words:
        if word in WITH_VALUE:
            next(words, None)
        elif not word.startswith("-"):
            return word == "kill" and HELP not in arguments
    return False


def wish_of(arguments: Sequence[str]) -> "tuple[Wish, bool]":
    """What is asked for, and whether in JSON. An option without its value, and a word that is none, are unknown."""
    from trader_core.kill.run import Wish

    said: dict[str, str] = {}
    flags, unknown, is_over, words = set(), [], True, list(arguments)
    while words:
        word = words.pop(0)
        name, equals, value = word.partition("=")
        if name in WITH_VALUE and equals:
            said[name] = value
        elif word in WITH_VALUE and words and words[0] not in (*WITH_VALUE, *FLAGS):
            said[word] = words.pop(0)
        elif word in FLAGS:
            flags.add(word)
        elif word == "kill" and is_over:
            is_over = False
        else:
            unknown.append(word)
    asked = said.get("--mode", "")
    unknown += [] if asked in MODES else [f"--mode {asked}"]
    wish = Wish(
        state=said.get("--state", ""),
        config=said.get("--config", ""),
        offline=MODES.get(asked, ""),
        live=asked == "LIVE",
        reason=said.get("--reason", ""),
        flatten="--flatten" in flags,
        everything="--all" in flags,
        unknown=tuple(unknown),
    )
    return wish, "--json" in flags


class Ending:
    """Ctrl-C, and being told to end. Before the latch neither does anything; then the first ends the waiting, so that
    what stands is told, and a second one ends everything at once."""

    def __init__(self) -> None:
        self._name = ""
        self._is_latched = False

    def listen(self) -> None:
        """To those that whoever started us has not switched off."""
        for number in ENDS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._came)

    def latched(self, text: str) -> None:
        self._is_latched = True
        note(text)

    def name(self) -> str:
        return self._name

    def _came(self, number: int, _: object) -> None:
        if self._is_latched:
            self._name = signal.Signals(number).name
            for one in ENDS:
                signal.signal(one, signal.SIG_DFL)


def emergency(arguments: Sequence[str]) -> int:
    """Kill, tell, and return the exit code. A terminal that goes away, or a reader that has gone, ends nothing."""
    ending = Ending()
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        ending.listen()
    from trader_core.kill.run import kill

    wish, as_json = wish_of(arguments)
    report = kill(wish, ending.latched, ending.name)
    _write(sys.stdout, document_of(report) if as_json else text_of(report))
    return report.exit_code


def document_of(report: "Report") -> str:
    document = {
        "schema": "trader.kill/v1",
        "ok": report.exit_code == 0,
        "exit_code": report.exit_code,
        "exit_name": NAMES[report.exit_code],
        "data": report.data,
        "warnings": list(report.not_done),
    }
    return json.dumps(document, indent=2, allow_nan=False)


def text_of(report: "Report") -> str:
    """For a person in a hurry: what stands, what is gone, what is left, what to type."""
    lines = [*report.lines]
    if report.not_done:
        lines += ["NOT DONE", *(f"  {one}" for one in report.not_done)]
    lines += ["next", *(f"  {one}" for one in report.next)]
    lines.append("took " + ", ".join(f"{name} {ms} ms" for name, ms in report.phases))
    return "\n".join(lines)


def note(text: str) -> None:
    _write(sys.stderr, text)


def _write(stream: object, text: str) -> None:
    """What cannot be said is not said; nothing of the work hangs on it."""
    with contextlib.suppress(OSError, ValueError):
        encoded = text.encode(errors="backslashreplace").decode()
        print(encoded, file=stream, flush=True)  # type: ignore[call-overload]
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # type: ignore[attr-defined]
