"""Checks that run beside each other, each with a time of its own. One that cannot run has failed: it proved nothing."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from threading import Thread
from time import monotonic

from msgspec import Struct

from trader_core.domain.errors import TraderError
from trader_core.domain.values import replace
from trader_core.settings.owner import let_in

ALLOWED_S = 5.0


class Status(StrEnum):
    OK = "OK"
    WARN = "WARN"  # good for now
    FAIL = "FAIL"
    NOT_APPLICABLE = "NOT_APPLICABLE"  # there is no such thing in this mode, or on this venue


class Finding(Struct, frozen=True):
    """What a check saw; `remedy` is what to type where that is not well."""

    status: Status
    detail: str
    remedy: str = ""


class Checked(Struct, frozen=True):
    name: str
    finding: Finding
    took_ms: int


Check = Callable[[], Finding]


def ok(detail: str) -> Finding:
    return Finding(Status.OK, detail)


def warn(detail: str, remedy: str) -> Finding:
    return Finding(Status.WARN, detail, remedy)


def fail(detail: str, remedy: str) -> Finding:
    return Finding(Status.FAIL, detail, remedy)


def without(detail: str) -> Finding:
    return Finding(Status.NOT_APPLICABLE, detail)


def examined(checks: Sequence[tuple[str, Check]], allowed_s: float = ALLOWED_S) -> tuple[Checked, ...]:
    """Every check in its order, none longer than that after the start. What hangs is left behind."""
    began_s = monotonic()
    runs = [_Run(name, check) for name, check in checks]
    for run in runs:
        run.join(max(0.0, began_s + allowed_s - monotonic()))
    return tuple(run.checked(allowed_s) for run in runs)


class _Run:
    """One check in a thread of its own."""

    def __init__(self, name: str, check: Check) -> None:
        self._name, self._check = name, check
        self._finding: Finding | None = None
        self._began_s, self._took_s = monotonic(), 0.0
        self._thread = Thread(target=self._work, name=f"doctor: {name}", daemon=True)
        self._thread.start()

    def join(self, seconds: float) -> None:
        self._thread.join(seconds)

    def checked(self, allowed_s: float) -> Checked:
        late = fail(f"it did not end within {allowed_s:g} s", "look at the machine's load and disk, then again")
        ended = self._finding
        broke = fail("it broke off: a bug", "report the lines above")
        finding = ended or (late if self._thread.is_alive() else broke)
        return Checked(self._name, finding, round(1e3 * (self._took_s if ended else allowed_s)))

    def _work(self) -> None:
        try:
            found = self._check()
        except TraderError as failed:
            found = fail(failed.what, failed.remedy or "mend it, then again")
        except OSError as failed:
            found = fail(f"{failed.filename or ''}: {failed.strerror or failed}".lstrip(": "), let_in(failed))
        self._took_s = monotonic() - self._began_s
        self._finding = replace(found)
