"""The phases of `kill`: latch, then at the same time the alert and the venue, then the truth about all of it.

Nothing that is not of the standard library is loaded before the latch stands. After it, whoever does not answer in
time is left behind: the report comes within BUDGET_S, and says so.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from trader_core.domain.errors import TraderError
from trader_core.kill.latch import Part, one_line, write_file, write_rows
from trader_core.kill.report import ALERT_UNDELIVERED, INCOMPLETE, Report
from trader_core.settings.environment import process_environment, read_environment, state_directory

if TYPE_CHECKING:
    from trader_core.kill.hook import Delivery

BUDGET_S = 9.0  # with the interpreter's own start and end, a kill is told about within ten
FLATTEN_S = 10.0  # more, where positions are to be sold and the venue answers
ROWS_S = 1.0  # how long the databases are waited for
LOOK_S = 0.05  # so often it is looked whether somebody ended it
NO_REASON = "killed by hand"


@dataclass(frozen=True)
class Wish:
    """The command line. Empty where nothing was said."""

    state: str = ""
    config: str = ""
    offline: str = ""  # the mode that was named, where it has no orders at a venue
    live: bool = False  # LIVE was named
    reason: str = ""
    flatten: bool = False
    everything: bool = False
    unknown: tuple[str, ...] = ()


@dataclass
class Progress:
    """What has been done at the venue so far. Written by the thread that does it, read when the time is over."""

    stage: str = "starting"
    url: str = ""
    account: bool = False  # whether there is anything at a venue
    why_not: str = ""  # why nobody was asked
    canceled: list[dict[str, str]] = field(default_factory=list)
    kept: list[dict[str, str]] = field(default_factory=list)
    left: list[dict[str, str]] = field(default_factory=list)
    foreign: int = 0
    sold: list[dict[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    phases: list[tuple[str, int]] = field(default_factory=list)
    verified: bool = False
    selling: bool = False  # the orders are gone, and positions are being sold: more time is given
    ended: bool = False


@dataclass
class Rows:
    parts: tuple[Part, ...] = ()
    ended: bool = False


def _nobody() -> str:
    return ""


def kill(wish: Wish, say: Callable[[str], None], ended_by: Callable[[], str] = _nobody) -> Report:
    """Never raises for what the world does; `say` is told of the latch at once. After it, nothing more is waited for
    once `ended_by` names what ended it."""
    began_s = monotonic()
    reason = one_line(wish.reason) or NO_REASON
    state, file = _latched_file(wish, reason)
    phases = [("latch file", _ms(began_s))]
    rows, rows_s = Rows(), monotonic()
    writing = _started("rows", lambda: _write_rows(state, reason, rows))
    writing.join(ROWS_S)
    phases.append(("latch rows", _ms(rows_s)))
    say(_latch_line(file, rows.parts))
    delivery = _alerted(wish, state, reason, began_s)
    progress = Progress()
    _at_the_venue(wish, state, progress, began_s, ended_by)
    _awaited(delivery.wait, began_s + BUDGET_S, ended_by)
    if ended := ended_by():  # what is under way may still be loading modules: see _deliver
        progress.problems.append(
            f"ended by {ended}: what is not told as done may be undone, alerts may not be delivered"
        )
    else:
        _started("alerts", lambda: _deliver(state, wish.config)).join(ROWS_S)
    phases += [*progress.phases, ("alert", delivery.took_ms), ("in all", _ms(began_s))]
    return _report(wish, state, reason, file, rows, progress, delivery, phases)


def _latched_file(wish: Wish, reason: str) -> tuple[Path | None, Part]:
    try:
        state = state_directory(Path(wish.state) if wish.state else None, read_environment())
    except TraderError as nowhere:
        return None, Part("KILL_SWITCH", False, nowhere.what)
    try:
        return state, write_file(state, reason)
    except ValueError as impossible:  # a path with a null in it
        return None, Part(str(state), False, f"{impossible}")


def _write_rows(state: Path | None, reason: str, rows: Rows) -> None:
    rows.parts = write_rows(state, reason) if state else ()
    rows.ended = True


def _alerted(wish: Wish, state: Path | None, reason: str, began_s: float) -> "Delivery":
    from trader_core.kill.hints import hints_of
    from trader_core.kill.hook import Delivery
    from trader_core.settings.secrets import without_keys

    environ = process_environment()
    hook = environ.get("TRADER_ALERT_HOOK") or hints_of(wish.config).hook
    document = {"event": "kill", "reason": reason, "state": str(state or "")}
    delivery = Delivery(hook, document, began_s, without_keys(environ))
    if hook:
        _started("alert", delivery.work)
    return delivery


def _deliver(state: Path | None, config: str) -> None:
    """Who delivers alerts finds the latch by itself; where nobody is at work, somebody is started. It comes last: two
    threads that load modules at once can each wait for what the other loads, and then one of them breaks off."""
    from trader_core.alerts.start import is_drained, start_drainer
    from trader_core.settings.locate import config_directory
    from trader_core.settings.secrets import ALERTS, urls, without_keys

    with suppress(OSError, TraderError):
        environ = process_environment()
        if state and urls(ALERTS, environ) and not is_drained(state):
            place = config_directory(Path(config) if config else None, read_environment())
            start_drainer(state, place.absolute(), without_keys(environ))


def _at_the_venue(
    wish: Wish, state: Path | None, progress: Progress, began_s: float, ended_by: Callable[[], str]
) -> None:
    """Until it is done, the time is over, or somebody ends it. What goes wrong there unforeseen ends that
    thread, not this one."""
    from trader_core.kill.reach.account import clear_account

    until_s = began_s + BUDGET_S
    working = _started("venue", lambda: clear_account(wish, state, progress, until_s, FLATTEN_S))
    _awaited(_end_of(working), until_s, ended_by)
    if progress.selling:
        _awaited(_end_of(working), monotonic() + FLATTEN_S, ended_by)
    if not progress.ended:
        late = f"it was cut short by {ended_by()}" if ended_by() else "it did not end in time"
        progress.problems.append(
            f"{progress.stage}: {late if working.is_alive() else 'it broke off: a bug, see above'}"
        )


def _awaited(wait: Callable[[float], bool], until_s: float, ended_by: Callable[[], str]) -> None:
    """`wait` waits so long, and says whether it is over."""
    while not ended_by() and (left_s := until_s - monotonic()) > 0:
        if wait(min(left_s, LOOK_S)):
            return


def _end_of(thread: threading.Thread) -> Callable[[float], bool]:
    def wait(seconds: float) -> bool:
        thread.join(seconds)
        return not thread.is_alive()

    return wait


def _started(name: str, work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, name=f"kill: {name}", daemon=True)
    thread.start()
    return thread


def _ms(since_s: float) -> int:
    return round((monotonic() - since_s) * 1_000)


def _latch_line(file: Part, rows: tuple[Part, ...]) -> str:
    standing = [one.place for one in (file, *rows) if one.stands]
    return f"trader: LATCHED in {', '.join(standing)}" if standing else f"trader: NOT LATCHED: {file.note}"


def _report(
    wish: Wish,
    state: Path | None,
    reason: str,
    file: Part,
    rows: Rows,
    progress: Progress,
    delivery: "Delivery",
    phases: list[tuple[str, int]],
) -> Report:
    not_done = [*_latch_problems(state, file, rows), *_no_account(state, rows), *_venue_problems(progress)]
    not_done += [f"not understood, and not done: {' '.join(wish.unknown)}"] if wish.unknown else []
    code = INCOMPLETE if not_done else ALERT_UNDELIVERED if delivery.problem else 0
    not_done += [f"the alert hook was not reached: {delivery.problem}"] if delivery.problem else []
    data: dict[str, Any] = {
        "reason": reason,
        "latch": {
            "state": str(state) if state else None,
            "file": vars(file),
            "rows": [vars(one) for one in rows.parts],
        },
        "venue": {
            "url": progress.url or None,
            "why_not_asked": progress.why_not or None,
            "verified": progress.verified,
            "canceled": list(progress.canceled),
            "kept": list(progress.kept),
            "left": list(progress.left),
            "foreign_open": progress.foreign,
            "sold": list(progress.sold),
            "notes": list(progress.notes),
        },
        "alert": {"hook": delivery.told, "delivered": delivery.delivered, "problem": delivery.problem or None},
        "not_done": list(not_done),
        "phases_ms": dict(phases),
    }
    return Report(
        code, data, _lines(progress, delivery), not_done, _next(wish, state, file, rows, progress, code), phases
    )


def _latch_problems(state: Path | None, file: Part, rows: Rows) -> list[str]:
    found = [] if file.stands else [f"the latch file {file.place}: {file.note}"]
    found += [f"the latch row in {one.place}: {one.note}" for one in rows.parts if not one.stands]
    return found if rows.ended or state is None else [*found, "the latch rows: the databases did not answer in time"]


def _no_account(state: Path | None, rows: Rows) -> list[str]:
    """A latch stops the loops of its own directory alone. Where there is no account, there is no loop either."""
    if state is None or rows.parts or not rows.ended:
        return []
    return [f"there is no account in {state}, so no running loop was stopped there: is this the right --state?"]


def _venue_problems(progress: Progress) -> list[str]:
    left = [f"may still be open: {_told(one)}" for one in progress.left]
    return [*progress.problems, *left]


def _lines(progress: Progress, delivery: "Delivery") -> list[str]:
    if progress.why_not:
        return [f"venue: {progress.why_not}", *_alert_line(delivery)]
    state = "verified by two clean looks" if progress.verified else "NOT verified"
    lines = [f"venue {progress.url}: {len(progress.canceled)} canceled, {len(progress.kept)} kept, {state}"]
    lines += [f"  canceled {_told(one)}" for one in progress.canceled]
    lines += [f"  kept     {_told(one)}" for one in progress.kept]
    lines += [f"  sold     {' '.join(one.values())}" for one in progress.sold]
    stay = "open order is not ours and stays" if progress.foreign == 1 else "open orders are not ours and stay"
    lines += [f"  {progress.foreign} {stay}; --all cancels all"] * (progress.foreign > 0)
    return [*lines, *(f"  {one}" for one in progress.notes), *_alert_line(delivery)]


def _alert_line(delivery: "Delivery") -> list[str]:
    return [f"alert: {'delivered' if delivery.delivered else delivery.problem}" if delivery.told else "alert: no hook"]


def _told(order: dict[str, str]) -> str:
    return " ".join(one for one in order.values() if one)


def _next(wish: Wish, state: Path | None, file: Part, rows: Rows, progress: Progress, code: int) -> list[str]:
    """As it can be copied, and with the configuration that was named: another one is another venue."""
    from shlex import quote

    config = f" --config {quote(wish.config)}" if wish.config else ""
    where = f" --state {quote(str(state))}{config}" if state else f" --state DIR{config}"
    asked = "".join([" --mode LIVE" * wish.live, " --flatten" * wish.flatten, " --all" * wish.everything])
    steps = []
    if not file.stands:
        made = ", or make the file KILL_SWITCH in its state directory" if state is None else ""
        steps.append(f"stop the loop by hand: end its process{made}")
    if _no_account(state, rows):
        steps.append(f"trader kill --state DIR{config}{asked}   (the directory in which the loop runs)")
    if code == INCOMPLETE and progress.account and (progress.problems or not progress.verified):
        by_hand = "sell what is left" if progress.selling else "cancel the orders"
        steps.append(f"trader kill{where}{asked}   (again: it is safe), or {by_hand} at the venue by hand")
    back = f"trader halt reset{where} --user NAME --reason TEXT"
    steps.append(f"trader halt show{where}   (then: {back}, which is the way back)")
    return steps
