"""Kill the program at random moments, start it again, and check what it left: `python -m tests.prove_sigkill`."""

import argparse
import json
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from trader_core.desk import open_state
from trader_core.domain.facts import CycleClosed, Fact, Filled
from trader_core.domain.money import from_grains
from trader_core.domain.order import OrderStatus
from trader_core.ledger.fold import fold
from trader_core.ledger.laws import broken_laws
from trader_core.settings.options import Options

ROOT = Path(__file__).parents[1]
TRADER = [sys.executable, "-c", "from cli.main import main; main()"]
BAR_MS = 15 * 60_000


def command(state: Path, cycles: int) -> list[str]:
    where = ["--mode", "PAPER", "--venue", "simulated", "--state", str(state), "--config", str(ROOT / "config")]
    return [*TRADER, "run", "--json", "--cycles", str(cycles), *where]


def kill_once(state: Path, rng: random.Random) -> int:
    """Start a long run, kill it somewhere, and return how many cycles it had closed by then."""
    running = subprocess.Popen(
        command(state, 100_000), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    before, deadline = closed_cycles(state), time.monotonic() + 60
    while closed_cycles(state) <= before and time.monotonic() < deadline:  # it is trading
        time.sleep(0.01)
    time.sleep(rng.random() * 0.4)
    running.send_signal(signal.SIGKILL)
    _, talk = running.communicate()
    assert running.returncode == -signal.SIGKILL, talk
    return closed_cycles(state) - before


def closed_cycles(state: Path) -> int:
    path = state / "paper.db"
    if not path.exists():
        return 0
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return int(db.execute("SELECT count(*) FROM cycles").fetchone()[0])
    except sqlite3.OperationalError:
        return 0  # not even the schema yet
    finally:
        db.close()


def resume(state: Path) -> None:
    """The next run takes up where the dead one was."""
    before = closed_cycles(state)
    done = subprocess.run(command(state, 1), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["data"]["cycles"] == 1
    assert closed_cycles(state) == before + 1


def check(state: Path) -> int:
    """Chain, laws, one record per cycle, every fill once, ledger = venue. Returns the number of fills."""
    with open_state(Options(state=state)) as (store, _):
        facts: list[Fact] = list(store.facts())
    book = fold(facts)
    assert not broken_laws(book), broken_laws(book)
    assert not book.discrepancies, book.discrepancies
    times = [fact.decision_ms for fact in facts if isinstance(fact, CycleClosed)]
    assert times == list(range(times[0], times[0] + len(times) * BAR_MS, BAR_MS)), "a cycle is missing or doubled"
    told = Counter(fact.fill.trade_id for fact in facts if isinstance(fact, Filled))
    assert set(told.values()) <= {1}, told
    assert not [order for order in book.orders.values() if order.status is OrderStatus.INTENDED]
    compare(state, book.cash, {f.fill.trade_id for f in facts if isinstance(f, Filled)})
    return len(told)


def compare(state: Path, cash: object, ours: set[str]) -> None:
    """The venue's own file is the witness."""
    db = sqlite3.connect(state / "paper.venue.db")
    try:
        ((available, hold),) = db.execute("SELECT available, hold FROM balances WHERE asset = 'USD'").fetchall()
        theirs = {f"sim-{number}" for (number,) in db.execute("SELECT number FROM fills")}
    finally:
        db.close()
    assert from_grains(available + hold) == cash
    assert theirs == ours, "every fill of the venue is in the ledger"


def campaign(kills: int, seed: int, root: Path) -> int:
    """Kill, resume, check, `kills` times on one state. Returns the fills that survived it all."""
    rng, state, fills = random.Random(seed), root / "state", 0
    for n in range(kills):
        closed = kill_once(state, rng)
        resume(state)
        fills = check(state)
        print(f"kill {n + 1}: {closed} cycles before it, {fills} fills in all", file=sys.stderr)
    return fills


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--kills", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as root:
        fills = campaign(chosen.kills, chosen.seed, Path(root))
    print(f"prove-sigkill: {chosen.kills} kills, {fills} fills, 0 violations")


if __name__ == "__main__":
    main()
