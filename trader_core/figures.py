"""What was measured, for whoever looks: as text, as a table of what takes how long, and on a port of this machine."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.halt import Trading
from trader_core.domain.telemetry import Series
from trader_core.ops.clock import host_ms
from trader_core.ops.halts import KillFile
from trader_core.report.exposition import exposition
from trader_core.report.latency import Latency, latencies
from trader_core.report.metrics import series
from trader_core.store.telemetry import TelemetryStore

if TYPE_CHECKING:
    from trader_core.ops.scrape import Answer, Page
    from trader_core.settings.schema import Settings


def text_of(directory: Path, mode: str) -> str:
    """What was measured of a mode, as Prometheus reads it. Raises StateUnusable."""
    with closing(TelemetryStore(directory)) as store:
        return exposition(store.measured(mode))


def figures_of(directory: Path, mode: str) -> tuple[tuple[Series, float], ...]:
    """Counts and levels by name and labels. Raises StateUnusable."""
    with closing(TelemetryStore(directory)) as store:
        measured = store.measured(mode)
    return tuple(sorted({**measured.counts, **measured.levels}.items()))


def latencies_of(directory: Path, mode: str, policy: "Settings") -> tuple[Latency, ...]:
    """Every operation that was ever measured, against its budget. Raises StateUnusable."""
    with closing(TelemetryStore(directory)) as store:
        durations = store.measured(mode).durations
        return latencies(durations, {one: store.newest(mode, one) for one in durations}, policy.app)


# --- for a collector -------------------------------------------------------------------------------------------------


class Health(Struct, frozen=True):
    """Whether the loop lives and may trade, and in words why not."""

    is_well: bool
    words: str


def pages_of(directory: Path, mode: str, policy: "Settings") -> "dict[str, Page]":
    """What a run shows of itself, read anew for each look and by no thread of the cycle's."""

    def figures() -> "Answer":
        return 200, text_of(directory, mode)

    def health() -> "Answer":
        with closing(TelemetryStore(directory)) as store:
            measured = store.measured(mode)
        cycle = policy.policy.cycle.base_bar_min * MINUTE_MS
        longest_ms = policy.app.metrics.max_cycle_age_bars * cycle
        states = (one for one in Trading if measured.levels.get(series("trader_trading", state=one.value)))
        killed = KillFile(directory).kill_requested() or (
            "a kill is latched" if measured.levels.get(series("trader_kill_latch")) else None
        )
        found = health_of(measured.at_ms, host_ms(), longest_ms, next(states, Trading.ACTIVE), killed)
        return (200 if found.is_well else 503), f"{found.words}\n"

    return {"/metrics": figures, "/healthz": health}


def health_of(at_ms: int, now_ms: int, longest_ms: int, trading: Trading, killed: str | None) -> Health:
    """`at_ms` is when the newest cycle was over; 0: none was. One that is well ahead of now is of no known age."""
    against = [
        killed or "",
        "" if trading is Trading.ACTIVE else f"trading is {trading.value}",
        "" if at_ms else "no cycle yet",
        f"the newest cycle was over {_ago(now_ms - at_ms)}" if at_ms and abs(now_ms - at_ms) > longest_ms else "",
    ]
    told = "; ".join(one for one in against if one)
    return Health(not told, told or "ok")


def _ago(age_ms: int) -> str:
    return f"{age_ms // 1_000} s ago" if age_ms >= 0 else f"{-age_ms // 1_000} s after now: the clock was set back"


@contextmanager
def served(port: int, directory: Path, mode: str, policy: "Settings") -> Iterator[str]:
    """/metrics and /healthz on this machine while the context is open; hands out the address. Raises UsageError."""
    from trader_core.ops.scrape import HOST, scraped

    with scraped(port, pages_of(directory, mode, policy)) as listening:
        yield f"http://{HOST}:{listening}"
