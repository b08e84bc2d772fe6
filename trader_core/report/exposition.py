"""The text in which Prometheus reads what was measured: version 0.0.4, each metric with its help and type, no times."""

from collections.abc import Iterable, Iterator, Mapping

from trader_core.domain.telemetry import BOUNDS_MS, CALL, CYCLE, STAGE, Histogram, Labels, Measured, Series
from trader_core.report.metrics import METRICS, OUTCOMES, series

_TIMED = {CYCLE: ("trader_cycle_duration_seconds", ""), STAGE: ("trader_stage_duration_seconds", "stage"),
          CALL: ("trader_api_request_duration_seconds", "endpoint")}  # fmt: skip


def exposition(measured: Measured) -> str:
    """The text of everything that was measured, in the order of the table; a metric without a value is left out."""
    values: dict[str, list[tuple[Labels, float]]] = {}
    for (name, labels), value in sorted({**measured.counts, **measured.levels, **_derived(measured)}.items()):
        values.setdefault(name, []).append((labels, value))
    timed: dict[str, list[tuple[Labels, Histogram]]] = {}
    for operation, histogram in sorted(measured.durations.items()):
        kind, _, what = operation.partition(" ")
        name, label = _TIMED[kind]
        timed.setdefault(name, []).append((((label, what),) if label else (), histogram))
    lines: list[str] = []
    for metric in METRICS:
        found = list(_lines(metric.name, values.get(metric.name, ()))) + list(_spread(metric.name, timed))
        if found:
            lines += [f"# HELP {metric.name} {metric.about}", f"# TYPE {metric.name} {metric.kind}", *found]
    return "".join(f"{line}\n" for line in lines)


def _derived(measured: Measured) -> dict[Series, float]:
    cycles = {outcome: measured.counts.get(series("trader_cycles_total", outcome=outcome), 0) for outcome in OUTCOMES}
    if not sum(cycles.values()):
        return {}
    return {series("trader_degraded_cycles_ratio"): 1 - cycles["ok"] / sum(cycles.values())}


def _lines(name: str, values: Iterable[tuple[Labels, float]]) -> Iterator[str]:
    for labels, value in values:
        yield f"{name}{_told(labels)} {_number(value)}"


def _spread(name: str, timed: Mapping[str, list[tuple[Labels, Histogram]]]) -> Iterator[str]:
    for labels, histogram in timed.get(name, ()):
        so_far = 0
        for bound_ms, count in zip((*BOUNDS_MS, None), histogram.counts, strict=True):
            so_far += count
            le = "+Inf" if bound_ms is None else _number(bound_ms / 1_000)
            yield f"{name}_bucket{_told((*labels, ('le', le)))} {so_far}"
        yield f"{name}_sum{_told(labels)} {_number(histogram.total_ms / 1_000)}"
        yield f"{name}_count{_told(labels)} {so_far}"


def _told(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    """Whole numbers without a point, others to the last bit."""
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
