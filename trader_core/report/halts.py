"""Everything that ever halted an account or a replay, in the order in which it happened."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from msgspec import Struct

from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.facts import Fact, HaltChanged, HaltReset
from trader_core.domain.halt import ARMED, Halt, Measure
from trader_core.report.written import times_text
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Ints

PPM_A_PERCENT = 10_000
UNITS = {codes.DAY_LOSS_PPM: "pct", codes.OPEN_LOSS_PPM: "pct", codes.FEED_AGE_MS: "min", codes.NAKED_MS: "min"}
SCALES = {"pct": PPM_A_PERCENT, "min": MINUTE_MS}
_SUFFIX = {"pct": "_pct", "min": "_min", "count": ""}
SAID = {
    "day_loss": "loss of the day", "open_loss": "loss of open positions", "execution_errors": "failures in a row",
    "stop_hits": "stops hit", "feed_age": "age of a held price",
    "naked": "time without a stop", "venue_troubles": "cycles in a row that could not read the venue",
}  # fmt: skip


class Told(Protocol):
    @property
    def at_ms(self) -> Ints: ...
    @property
    def halted(self) -> Ints: ...


def measure(n: int, value: int, limit: int) -> Measure:
    """What the n-th evaluator measured, in its own unit; without a figure what is unknown, and a limit that is off."""
    unit = UNITS.get(n, "count")
    scale = SCALES.get(unit, 1)
    return Measure(codes.CAUSES[n], None if value < 0 else value / scale, limit / scale if limit else None, unit)


def causes_of(causes: int, measures: Sequence[Measure]) -> tuple[Measure, ...]:
    """Those of a set of bits; a trip by hand has nothing measured."""
    return tuple(one for n, one in enumerate(measures) if causes >> n & 1)


def told(causes: Sequence[Measure]) -> str:
    """'loss of the day 5.02 % of 5 %; failures in a row 5 of 5'."""
    return "; ".join(_told(one) for one in causes)


def _told(one: Measure) -> str:
    if one.value is None:
        return one.name
    unit = {"pct": " %", "min": " min"}.get(one.unit, "")
    limit = "" if one.limit is None else f" of {one.limit:.6g}{unit}"
    return f"{SAID[one.name]} {one.value:.6g}{unit}{limit}"


def replayed(of: Told) -> list[dict[str, Any]]:
    """Every move of the halt machine in a replay: when, to what, why, and all that was measured then."""
    out = []
    for time, record in zip(times_text(of.at_ms[of.halted[:, 0]]), of.halted.tolist(), strict=True):
        _, state, causes, until, *measured = record
        measures = [measure(n, value, 0) for n, value in enumerate(measured)]
        found = causes_of(causes, measures)
        out.append(
            {
                "time": time, "state": codes.HALT_STATES[state], "causes": [one.name for one in found],
                "reason": told(found), "until": None if until < 0 else times_text(np.array([until]))[0],
                "measured": {f"{one.name}{_SUFFIX[one.unit]}": one.value for one in measures},
            }
        )  # fmt: skip
    return out


class HaltEvent(Struct, frozen=True):
    """One move of the halt machine. `by` is the person who armed it; a trip and a kill say who in their reason."""

    at_ms: EpochMs
    state: str
    previous: str
    reason: str
    by: str
    host_user: str
    forced: bool
    until_ms: EpochMs | None
    causes: tuple[Measure, ...]
    measures: tuple[Measure, ...]  # all that was measured at a reset
    config_digest: str


class JournalRow(Protocol):
    """When a fact was written down."""

    @property
    def at_ms(self) -> int: ...


def history_of(told: Iterable[tuple[JournalRow, Fact]]) -> tuple[HaltEvent, ...]:
    """Oldest first."""
    return tuple(_events(told))


def _events(told: Iterable[tuple[JournalRow, Fact]]) -> Iterator[HaltEvent]:
    halt: Halt = ARMED
    for row, fact in told:
        if isinstance(fact, HaltChanged | HaltReset):
            reset = fact if isinstance(fact, HaltReset) else None
            after = fact.halt
            yield HaltEvent(
                at_ms=EpochMs(row.at_ms),
                state=after.state,
                previous=halt.state,
                reason=reset.reason if reset else after.reason,
                by=reset.user if reset else "",
                host_user=reset.host_user if reset else "",
                forced=reset.forced if reset else False,
                until_ms=after.until_ms,
                causes=reset.previous.causes if reset else after.causes,
                measures=reset.measures if reset else (),
                config_digest=reset.config_digest if reset else "",
            )
            halt = after
