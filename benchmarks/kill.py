"""What a kill costs: from the start of the process to the latch, and a whole one against a venue that does not want to.

Printed beside bare `python -c pass` in the same run. Each drill has fifty open orders of ours on a loopback venue.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.kill.scene import Scene, age_s, hook_into, id_of
from tests.loopback.served import Served, limit, serving, trader

LATCHES = 25
DRILLS = 5
ORDERS = 50
PRODUCT = "ETH-USD"
FAULTS: dict[str, Sequence[dict[str, Any]]] = {
    "no fault": (),
    "500 ms": ({"kind": "latency", "ms": 500},),
    "500 ms, 429 in half": ({"kind": "latency", "ms": 500}, {"kind": "429_json", "probability": 0.5}),
    "500 ms, 429 in 4 of 5": ({"kind": "latency", "ms": 500}, {"kind": "429_html", "probability": 0.8}),
    "2 s round trip": ({"kind": "latency", "ms": 2_000},),
}


def bare_ms() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.perf_counter() - began) * 1e3


def latch_ms(scene: Scene, turn: int) -> float:
    """By the time of the file itself, so that what comes after it does not count."""
    state, began = scene.home / f"state-{turn}", time.time()
    assert scene("kill", "--state", state).code == 50, "there is no account"
    return age_s(state / "KILL_SWITCH", began) * 1e3


def drill(scene: Scene, venue: Served, faults: Sequence[dict[str, Any]]) -> tuple[bool, float, float]:
    """(everything gone and verified, s in all, s to the alert)."""
    venue.admin("reset", {})
    bid = Decimal(venue.get("/product_book", product_id=PRODUCT, limit="1")["pricebook"]["bids"][0]["price"])
    for number in range(ORDERS):
        made = venue.create(id_of(number, 0), "BUY", limit("0.01", f"{bid * Decimal('0.8'):.2f}"), PRODUCT)
        assert isinstance(made, str), made
    scene.given["TRADER_ALERT_HOOK"], kept = hook_into(scene.home)
    venue.admin("faults", {"replace": list(faults)})
    began = time.time()
    done = scene.kill()
    is_clear = all(one["status"] == "CANCELLED" for one in venue.orders())
    return is_clear and done.code == 0, done.seconds, age_s(kept, began)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        scene = Scene(home)
        pairs = [(bare_ms(), latch_ms(scene, turn)) for turn in range(LATCHES)]
        bare, latch = (statistics.median(times) for times in zip(*pairs, strict=True))
        print(f"start to latch: median {latch:.0f} ms, bare python {bare:.0f} ms, ratio {latch / bare:.1f} (below 10)")
        assert trader("sim", "cert", home / "tls").returncode == 0
        scene.begun("paper")
        with serving(home / "tls", "--realtime") as venue:
            print(f"{ORDERS} open orders, {DRILLS} drills each:  clear  median s  worst s  alert worst s")
            for name, faults in FAULTS.items():
                done = [drill(scene.at(venue), venue, faults) for _ in range(DRILLS)]
                clear, spent, alerts = zip(*done, strict=True)
                figures = f"{statistics.median(spent):8.2f} {max(spent):8.2f} {max(alerts):14.2f}"
                print(f"  {name:34} {sum(clear)}/{DRILLS} {figures}")


if __name__ == "__main__":
    main()
