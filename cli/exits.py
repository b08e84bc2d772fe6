"""How a command ends: one exit code from one table, the result on stdout, what went wrong on stderr.

The only broad `except` of the command line is here: whatever happens, the caller gets a code and a sentence.
"""

import json
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typer.exceptions import Abort, Exit, TyperException

from cli.options import Shared
from trader_core.domain.errors import ConfigInvalid, TraderError
from trader_core.net.redaction import redact
from trader_core.talk import PLAIN, TALK, Level, begin

if TYPE_CHECKING:
    from trader_core.domain.account import Account

EXITS: dict[int, str] = {
    0: "OK",
    1: "UNEXPECTED",
    2: "USAGE",
    10: "CONFIG",
    11: "SECRETS",
    12: "CLOCK",
    13: "STATE",
    14: "LOCKED",
    20: "GATE_CLOSED",
    21: "HALTED",
    22: "PLAN_DRIFTED",
    23: "STALE",
    30: "VENUE_UNREACHABLE",
    31: "RATE_LIMITED",
    32: "VENUE_REJECTED",
    40: "DISCREPANCY",
    41: "UNKNOWN_ORDER",
    42: "UNPROTECTED",
    50: "INCOMPLETE",
    60: "REGRESSION",
    61: "JOURNAL_BROKEN",
    70: "ALERT_UNDELIVERED",
    75: "TRY_AGAIN",
    129: "HUNG_UP",
    130: "INTERRUPTED",
    141: "PIPE_CLOSED",
    143: "TERMINATED",
}
UNDELIVERED = 70  # of alerts; the work itself is done
WORST_FIRST = (50, 42, 41, 40, 61)  # above every other code, in this order
TIMER_FINE = (20, 21, 23, 75)  # a healthy no: a timer need not call for help; below every other code


@dataclass(frozen=True)
class Result:
    """What a command found: `data` for --json, `text` for a person. Warnings have been told on stderr already. A code
    that means something else here than in the table has a name of its own. Where an `account` was looked at, the first
    line and the data say which."""

    data: Any
    text: str
    exit_code: int = 0
    warnings: Sequence[str] = field(default_factory=tuple)
    exit_name: str = ""
    account: "Account | None" = None


def worst(codes: Sequence[int]) -> int:
    """The one code that a command with several ends with."""
    ranked = [code for code in WORST_FIRST if code in codes]
    return ranked[0] if ranked else max(codes, default=0, key=_severity)


def _severity(code: int) -> tuple[bool, bool, int]:
    """That an alert was not delivered says that the work is done: whatever was not done is worse."""
    return code not in (0, *TIMER_FINE), code != UNDELIVERED, code


def ended(act: Callable[[], object], shared: Shared, asked_json: bool) -> int:
    """Run the command, tell its result, and return the exit code. Nothing escapes but an exit of the interpreter's."""
    begin()
    try:
        return _told(act(), shared)
    except BrokenPipeError:  # the reader has seen enough
        return 141
    except Exit as over:
        return over.exit_code
    except TraderError as error:
        return _failed(shared, asked_json, error.exit_code, error.what, error.safe, error.remedy, _problems(error))
    except TyperException as error:
        command = f"trader {shared.command}".strip()
        return _failed(shared, asked_json, 2, error.format_message(), "nothing was done", f"{command} --help")
    except OSError as refused:  # a file, a folder or the output itself
        where = f"{refused.filename}: " if refused.filename else ""
        what = f"{where}{refused.strerror or refused}"
        return _failed(shared, asked_json, 13, what, "what was recorded stays recorded", _let_in(refused))
    except (KeyboardInterrupt, Abort):
        return _failed(shared, asked_json, 130, "interrupted", "what was recorded stays recorded", "run it again")
    except Exception as error:  # noqa: BLE001 - the last resort
        note(traceback.format_exc().rstrip(), Level.ERROR)
        what = f"{type(error).__name__}: {error}"
        safe = "this is a bug; what was recorded stays recorded"
        return _failed(shared, asked_json, 1, what, safe, "trader status, and report the lines above")


def _let_in(refused: OSError) -> str:
    from trader_core.settings.owner import let_in

    return let_in(refused)


def _told(result: object, shared: Shared) -> int:
    if not isinstance(result, Result):
        return 0  # help was asked for, and has been given
    if shared.json:
        text = _envelope(shared.command, result.exit_code, _data(result), result.warnings, result.exit_name)
    else:
        text = f"{result.account}\n{result.text}" if result.account else result.text
    try:
        _print(text)
    except OSError:  # what the work found outranks a lost output
        if not result.exit_code:
            raise
    return result.exit_code


def _data(result: Result) -> Any:
    from cli.plain import jsonable

    data = jsonable(result.data)
    return {**jsonable(result.account), **data} if result.account else data


def _failed(
    shared: Shared, asked_json: bool, code: int, what: str, safe: str, remedy: str, problems: Sequence[str] = ()
) -> int:
    from cli.again import typed

    remedy = typed(remedy, shared)
    lines = [f"trader: {what}", f"  safe now: {safe}", f"  next: {remedy}" if remedy else ""]
    TALK.say("\n".join(line for line in lines if line), Level.ERROR, exit_code=str(code), exit_name=EXITS[code])
    if asked_json or shared.json:
        error = {"what": what, "safe": safe, "remedy": remedy, "problems": list(problems)}
        with suppress(OSError):  # a lost output changes nothing of what went wrong
            _print(_envelope(shared.command, code, {"error": error}, ()))
    return code


def _problems(error: TraderError) -> Sequence[str]:
    return error.problems if isinstance(error, ConfigInvalid) else ()


def _envelope(command: str, code: int, data: Any, warnings: Sequence[str], name: str = "") -> str:
    from cli.plain import jsonable

    document = {
        "schema": f"trader.{command.replace(' ', '.')}/v1" if command else "trader/v1",
        "ok": code == 0,
        "exit_code": code,
        "exit_name": name or EXITS.get(code, "UNEXPECTED"),
        "data": jsonable(data),
        "warnings": list(warnings),
    }
    return json.dumps(document, indent=2, allow_nan=False)


def _print(text: str) -> None:
    if text:
        sys.stdout.write(f"{redact(text)}\n")
    sys.stdout.flush()


def warned(lines: Sequence[str]) -> tuple[str, ...]:
    """Told on stderr, and handed back for the envelope."""
    for line in lines:
        TALK.say(f"warning: {line}" if TALK.form == PLAIN else line, Level.WARNING)
    return tuple(lines)


def note(text: str, level: Level = Level.INFO) -> None:
    """Talk, not data: to stderr or into a log, and no secret with it."""
    TALK.say(text, level)
