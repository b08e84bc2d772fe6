"""What cycles, their stages and the venue's answers take, and which of it is over its budget."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from trader_core.domain.clocktime import SECOND_MS
from trader_core.domain.telemetry import CALL, CYCLE, STAGE, Histogram

if TYPE_CHECKING:
    from trader_core.settings.schema import App

DIGITS = 3  # of a millisecond
P95_SAMPLES, P99_SAMPLES = 20, 100  # fewer say nothing of the slowest twentieth, or hundredth


class Latency(Struct, frozen=True):
    """One operation, in ms: how often it was ever measured, and figures of its newest samples. `over` says in which way
    it is over its budget; empty where it is not."""

    operation: str
    count: int
    mean_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float
    budget_ms: int
    over: str


def percentile(ordered: Sequence[float], share: float) -> float:
    """Between the two samples next to that share of the way, in proportion. They come in order, and there is one."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def latency_of(operation: str, count: int, newest: Sequence[float], budgets: "App") -> Latency:
    """Of one operation that was measured, its newest sample first."""
    ordered = sorted(newest)
    return Latency(
        operation=operation,
        count=count,
        mean_ms=round(sum(ordered) / len(ordered), DIGITS),
        p50_ms=round(percentile(ordered, 0.50), DIGITS),
        p95_ms=round(percentile(ordered, 0.95), DIGITS),
        p99_ms=round(percentile(ordered, 0.99), DIGITS),
        max_ms=round(ordered[-1], DIGITS),
        budget_ms=budget_ms(operation, budgets),
        over=over_budget(operation, newest, budgets),
    )


def budget_ms(operation: str, budgets: "App") -> int:
    """What one cycle, one stage or one answer may take. A class of calls without a budget of its own has that of the
    others."""
    kind, _, name = operation.partition(" ")
    if kind == CYCLE:
        return budgets.alerts.max_cycle_s * SECOND_MS
    found = getattr({STAGE: budgets.latency.stages, CALL: budgets.latency.calls}[kind], f"{name}_ms", None)
    return found if isinstance(found, int) else budgets.latency.calls.other_ms


def over_budget(operation: str, newest: Sequence[float], budgets: "App") -> str:
    """Why this operation is over its budget, in words; '' where it is not. One slow answer is no trouble: so many in a
    row are, and of cycles the slowest twentieth and hundredth. The newest sample comes first."""
    budget, row = budget_ms(operation, budgets), newest[: budgets.latency.over_in_a_row]
    if len(row) == budgets.latency.over_in_a_row and min(row) > budget:
        return f"the newest {len(row)} took {min(row):.0f} ms or more, and {budget} are allowed"
    if operation != CYCLE:
        return ""
    ordered = sorted(newest)
    for share, least, allowed in (
        (0.95, P95_SAMPLES, budgets.latency.cycle_p95_ms),
        (0.99, P99_SAMPLES, budgets.latency.cycle_p99_ms),
    ):
        if len(ordered) >= least and percentile(ordered, share) > allowed:
            return f"p{100 * share:.0f} is {percentile(ordered, share):.0f} ms, and {allowed} are allowed"
    return ""


def latencies(
    durations: Mapping[str, Histogram], newest: Mapping[str, Sequence[float]], budgets: "App"
) -> tuple[Latency, ...]:
    """The cycle first, then its stages and the calls, each by name."""
    order = (CYCLE, STAGE, CALL)
    names = sorted(durations, key=lambda one: (order.index(one.partition(" ")[0]), one))
    return tuple(latency_of(one, durations[one].count, newest[one], budgets) for one in names if newest.get(one))
