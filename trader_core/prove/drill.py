"""Drills: guards fired through the real program on a rehearsal venue, each timed against what it may take.

Nothing of the operator's is touched: keys, state and venue are made for the drill and thrown away after it. What is
drilled are the operator's own settings, with the few changes that let the guard fire at once.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import TraderError
from trader_core.domain.halt import HaltState
from trader_core.domain.ids import OrderIdsOf
from trader_core.engine.journal import Journal
from trader_core.ops.clock import host_ms
from trader_core.ops.lock import holder_of
from trader_core.prove.stage import Stage, kept_environment, places, staged
from trader_core.settings.variant import write_variant
from trader_core.store.files import StateFiles

ORDERS = 10  # that rest at the venue when it is killed
PRODUCT, PRICE, FAR_BELOW = "ETH-USD", Decimal("3000.00"), Decimal("0.8")  # what rests lies so far below
CANCEL_MS, ALERT_MS, DETECT_MS = 10_000, 5_000, 3_000
SAMPLE_CYCLES = 16  # of the sample market: in so many somebody wants to buy
LOOK_S = 0.05
WAIT_S = 30.0


class Drilled(Struct, frozen=True):
    """One guard. `took_ms` is None where it did not fire; `allowed_ms` None where no time was promised."""

    name: str
    passed: bool
    took_ms: int | None
    allowed_ms: int | None
    detail: str


def drilled(config: Path, told: Callable[[str], object]) -> tuple[Drilled, ...]:
    """Every drill, one after the other. One that cannot run has failed."""
    found: list[Drilled] = []
    with _folder() as folder:
        told("kill, stale data, breaker: a live account on a rehearsal venue")
        found += _tried(("kill", "stale data", "breaker"), lambda: _at_the_venue(folder / "live", config))
        told("oversize, slot limit: a paper account on the sample market")
        found += _tried(("oversize", "slot limit"), lambda: _on_paper(folder / "paper", config))
    return tuple(found)


def _tried(names: tuple[str, ...], drills: Callable[[], Iterator[Drilled]]) -> list[Drilled]:
    found: list[Drilled] = []
    try:
        found.extend(drills())
    except (TraderError, OSError, TimeoutError) as failed:
        what = failed.what if isinstance(failed, TraderError) else str(failed)
        known = {one.name.partition(":")[0] for one in found}
        found += [Drilled(name, False, None, None, what) for name in names if name not in known]
    return found


@contextmanager
def _folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix="trader-drill-"))
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


# --- at the venue ----------------------------------------------------------------------------------------------------


def _at_the_venue(folder: Path, config: Path) -> Iterator[Drilled]:
    folder.mkdir()
    with staged(folder, config) as stage:
        stage.must("rotate-secrets", "--stage", "--verify", "--activate")
        stage.must("arm", "--max-equity", "100000000", "--expires", "1h", "--yes")
        stage.program("run-cycle")
        yield from _stale(stage)
        yield from _kill(stage)


def _stale(stage: Stage) -> Iterator[Drilled]:
    """The venue tells no price any more: the cycle says so and decides no entry. After a few such answers it is not
    asked any more."""
    stage.admin("faults", replace=[{"kind": "5xx_before", "path": "/(product_book|candles)"}])
    began_ms = host_ms()
    told = stage.program("run-cycle", "--json").document["data"]
    bought = [one for one in told["orders"] if one["role"] == "ENTRY"]
    detail = f"{len(bought)} entries: {told['problem']}" if told["problem"] else "the cycle saw nothing wrong"
    yield Drilled("stale data", bool(told["problem"]) and not bought, _since(began_ms), None, detail)
    opened = _open_breakers(stage)
    took_ms = _since(began_ms) if opened else None
    yield Drilled("breaker", bool(opened), took_ms, None, f"{' '.join(opened) or 'no breaker'} opened")
    stage.admin("faults", clear=True)
    for name in opened:
        stage.must("breaker", "reset", name, "--reason", "the drill is over")


def _open_breakers(stage: Stage) -> list[str]:
    found = stage.must("breaker", "list", "--json").document["data"]["breakers"]
    return [one["name"] for one in found if one["state"] == "OPEN"]


def _kill(stage: Stage) -> Iterator[Drilled]:
    """Orders rest, a loop runs, and somebody says kill."""
    ids = OrderIdsOf("drill")
    price = _resting_price(stage)
    for number in range(ORDERS):
        resting = {"limit_limit_gtc": {"base_size": "0.01", "limit_price": price, "post_only": True}}
        body = {"client_order_id": ids(number, 0), "product_id": PRODUCT, "side": "BUY"}
        stage.admin("orders", **body, order_configuration=resting)
    files = StateFiles(stage.state, "LIVE")
    with stage.running("run"):
        _waited(lambda: stage.program("status", "--json").code in (0, 42) and _held(files))
        stage.heard.clear()
        began_ms = host_ms()
        with ThreadPoolExecutor(1) as beside:
            killing = beside.submit(lambda: (stage.program("kill", "--reason", "a drill", "--json"), host_ms()))
            seen_ms = _waited(lambda: _killed(files))
            done, ended_ms = killing.result()
    told = done.document["data"]
    left = stage.open_purchases()  # a stop of what is held stays
    verified = bool(told["venue"]["verified"]) and left == 0
    canceled = len(told["venue"]["canceled"])
    told_it = f"{canceled} orders canceled, {left} purchases left, {'verified' if verified else 'not verified'}"
    yield _timed("kill: cancel", ended_ms - began_ms if verified else None, CANCEL_MS, told_it)
    alert_ms = stage.heard[0] - began_ms if stage.heard else None
    yield _timed("kill: alert", alert_ms, ALERT_MS, "received" if stage.heard else "never received")
    detected = None if seen_ms is None else max(seen_ms - began_ms, 0)
    yield _timed("kill: detect", detected, DETECT_MS, "the loop has halted" if detected is not None else "it goes on")


def _timed(name: str, took_ms: int | None, allowed_ms: int, detail: str) -> Drilled:
    return Drilled(name, took_ms is not None and took_ms <= allowed_ms, took_ms, allowed_ms, detail)


def _resting_price(stage: Stage) -> str:
    stage.admin("price", product=PRODUCT, price=str(PRICE))
    return str(PRICE * FAR_BELOW)


def _waited(is_so: Callable[[], bool]) -> EpochMs | None:
    """When it was so; None where it never came to that."""
    until_s = monotonic() + WAIT_S
    while monotonic() < until_s:
        if is_so():
            return host_ms()
        sleep(LOOK_S)
    return None


def _held(files: StateFiles) -> bool:
    return bool(holder_of(files.lock))


def _killed(files: StateFiles) -> bool:
    with files.reading() as store:
        return Journal(store).book.halt.state is HaltState.KILLED


def _since(began_ms: int) -> int:
    return host_ms() - began_ms


# --- on paper --------------------------------------------------------------------------------------------------------


def _on_paper(folder: Path, config: Path) -> Iterator[Drilled]:
    """A cap that the third position does not fit below, and a house with one slot."""
    cases: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
        ("oversize", {"policy.risk.max_total_at_risk_pct": 5}, ("TOTAL_EXPOSURE", "MIN_NOTIONAL")),
        ("slot limit", {"policy.risk.max_open_positions": 1}, ("MAX_POSITIONS",)),
    )
    for name, edits, verdicts in cases:
        yield _refused(folder / name.replace(" ", "-"), config, name, edits, verdicts)


def _refused(folder: Path, config: Path, name: str, edits: dict[str, Any], verdicts: tuple[str, ...]) -> Drilled:
    write_variant(config, folder / "config", {"app.mode": "PAPER", "app.exchange.venue": "simulated", **edits})
    stage = Stage(folder, "", {**kept_environment(), **places(folder)}, [])
    began_ms = host_ms()
    told = stage.program("run", "--cycles", str(SAMPLE_CYCLES), "--json").document["data"]
    counted = told.get("refusals_by_verdict", {})
    fired = sum(int(counted.get(one, 0)) for one in verdicts)
    detail = f"{fired} entries refused ({', '.join(one for one in verdicts if counted.get(one))})" if fired else "never"
    return Drilled(name, fired > 0, _since(began_ms) if fired else None, None, detail)
