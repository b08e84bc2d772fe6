"""A LIVE account on a loopback venue whose market a test sets, minute by minute, and whose truth is kept in a file."""

import json
import re
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.cli.program import Done
from tests.cli.rehearsal import MAY, Rehearsal, Sim, pieces, sim_served
from tests.ops.ntp import NtpServer
from tests.world import QUICK
from trader_core.domain.codec import from_json
from trader_core.domain.facts import FACTS, Fact
from trader_core.prove.checker import Checked, check, truth_of
from trader_core.store.sqlite import SqliteStore, mark_of

LEAVE = ("permits.db", "clock.json")  # what a key's rotation and a grant leave in the state
ARM = ("arm", "--max-equity", "1000000", "--expires", "24h", "--yes")
PORTFOLIO = "11111111-1111-4111-8111-111111111111"  # of every account that the venue is made anew with
MINUTE_MS = 60_000
BAR_MS = 15 * MINUTE_MS  # of a scene, which is over before the next one closes; so long that few have to wait for that
SETTLED_MS = 3_000  # after its end the program has seen a bar
ROOM_MS = 9_000  # what a scene needs before the next bar closes
PRICES = {"BTC-USD": ("60000.00", "60600.00"), "ETH-USD": ("3000.00", "3030.00"), "SOL-USD": ("150.00", "151.50")}
OPENING = {"USD": "10000", "BTC": "0", "ETH": "0"}
CASH = 10_000
PLENTY = """
    DELETE FROM rows WHERE key LIKE 'bucket %' AND value LIKE '%, 0]';
    CREATE TRIGGER IF NOT EXISTS plenty AFTER INSERT ON rows WHEN NEW.key LIKE 'bucket %' AND NEW.value LIKE '%, 0]'
    BEGIN DELETE FROM rows WHERE key = NEW.key; END;
"""  # in buckets.db: every call finds a full bucket, unless the venue has asked for silence
TOKEN = re.compile(r"eyJ[\w-]{12,}")  # how a signed token begins


def live_policy(*bases: str, **edits: Any) -> dict[str, Any]:
    """Bars of BAR_MS, an entry that takes at once where nothing else is said, and no coin but these."""
    quick = {
        **QUICK,
        "policy.cycle.base_bar_min": BAR_MS // MINUTE_MS,
        "policy.orders.maker_ttl_bars": 0,
        "universe.tiers.tier_1_core.bases": list(bases),
        "universe.tiers.tier_2_rotational.bases": [],
    }
    return {**quick, **{key.replace("__", "."): value for key, value in edits.items()}}


@contextmanager
def venue_served(folder: Path, *words: str) -> Iterator["Venue"]:
    """`trader sim serve` in a process of its own, with its truth in a file."""
    truth = folder / "truth.jsonl"
    with sim_served(folder, "--truth", str(truth), *words) as sim:
        yield Venue(sim.url, sim.folder, truth)


@dataclass(frozen=True)
class Venue(Sim):
    truth: Path

    def fault(self, *rules: dict[str, Any]) -> None:
        """These rules from now on, and none else."""
        self.admin("faults", replace=list(rules))

    def cleared(self) -> None:
        self.admin("faults", clear=True)

    def anew(self, **balances: str) -> None:
        """An account of this much, and a market that goes its own way."""
        self.admin("reset")
        self.permit(**MAY, portfolio_uuid=PORTFOLIO)
        self.admin("balances", **{**OPENING, **balances})

    def fired(self) -> int:
        return sum(one["fired"] for one in self.asked("faults")["faults"])

    def state(self) -> dict[str, Any]:
        return self.asked("state")

    def open_orders(self) -> list[dict[str, Any]]:
        return [one for one in self.state()["orders"] if one["status"] == "OPEN"]

    def price(self, price: str, product: str = "BTC-USD") -> None:
        self.admin("price", product=product, price=price)

    def risen(self, *products: str, bar_ms: int = BAR_MS) -> None:
        """A market that stood still for six bars and rose in its last closed one: the strategy buys these and no other.

        Returns early enough in a bar for a scene to be over before its end.
        """
        at_ms = wait_for_room(bar_ms)
        begun_ms = at_ms // bar_ms * bar_ms
        for product, (flat, up) in PRICES.items():
            path = [
                {"after_ms": begun_ms - at_ms - 6 * bar_ms, "price": flat},
                {"after_ms": begun_ms - at_ms - bar_ms // 2, "price": up},
            ]
            self.admin("price", product=product, path=path if product in (products or ("BTC-USD",)) else path[:1])


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def wait_for_room(bar_ms: int) -> int:
    """Not so close to a bar's end that it closes in the middle of a scene."""
    while not SETTLED_MS < (now := now_ms()) % bar_ms < bar_ms - ROOM_MS:
        time.sleep(0.2)
    return now


@dataclass(frozen=True)
class Live(Rehearsal):
    """One account. `since` is where its truth begins in the venue's file."""

    sim: Venue
    since: int = 0
    cap_pct: int = 25

    def armed(self) -> "Live":
        self.configured().presenting(self.key).rotated()
        done = self.inside(*ARM)
        assert done.code == 0, done.err
        return self

    def inside(self, *words: str | Path) -> Done:
        """As if a while went by before every call: as many are allowed as ever. A scene would wait."""
        counts = self.state / "buckets.db"
        if counts.exists():
            with closing(sqlite3.connect(counts, isolation_level=None)) as db:
                db.executescript(PLENTY)
        return super().inside(*words)

    def cycle(self) -> Done:
        return self.inside("run-cycle", "--json")

    def settled(self, cycles: int = 3) -> Done:
        """Cycles until one has nothing more to say, or so many."""
        for _ in range(cycles):
            done = self.cycle()
            if done.code in (0, 21):
                break
        return done

    def checked(self, strangers: frozenset[str] = frozenset(), granted: bool = True) -> Checked:
        permits = self.state / "permits.db" if granted else None
        return check(self.journal, self.truth, CASH, strangers, permits=permits)

    @property
    def journal(self) -> Path:
        return self.state / "live.db"

    @property
    def truth(self) -> list[dict[str, Any]]:
        return truth_of(self.sim.truth, self.since)

    def twin(self, home: Path) -> "Live":
        """Another computer with the same key, allowed the same."""
        home.mkdir()
        made = Live(home, self.sim, self.servers, dict(self.given), dict(self.edits), since=self.since)
        return made


def staged(home: Path, venue: Venue, servers: list[NtpServer], *bases: str, **edits: Any) -> Live:
    """A new account on a venue made anew, with leave to trade."""
    venue.anew()
    live = Live(home, venue, servers, since=venue.truth.stat().st_size)
    live.edits.update(live_policy(*(bases or ("BTC",)), **edits))
    leave = venue.folder.parent / sha256(repr((servers, sorted(live.edits.items()))).encode()).hexdigest()
    if not leave.exists():
        live.armed()
        leave.mkdir()
        for name in LEAVE:
            shutil.copy(live.state / name, leave)
    elif not live.state.exists():  # the same key was given leave for the same policy before
        shutil.copytree(leave, live.state)
        live.configured().presenting(live.key)
    return live


def rewritten(live: Live, change: Callable[[Fact], Fact]) -> None:
    """The same journal with facts that differ so."""
    with closing(SqliteStore(live.journal, None)) as store:
        identity, rows = store.identity(), list(store.rows())
    live.journal.unlink()
    mark_of(live.journal).unlink()
    with closing(SqliteStore(live.journal, identity, rows[0].config_digest)) as store:
        for row in rows[1:]:
            store.append(row.cycle_id, row.at_ms, [change(from_json(FACTS[row.kind], row.body))])


def seen(live: Live, said: Iterable[Done | str]) -> list[str]:
    """The pieces of the key, and tokens made with it, that stand in what was said, or anywhere under the state."""
    text = "".join(one if isinstance(one, str) else one.out + one.err for one in said) + live.written()
    secret = json.loads(live.key.read_text())["privateKey"]
    wanted = [*pieces(live.key), secret, json.dumps(secret)[1:-1]]
    return [*(one for one in wanted if one in text), *TOKEN.findall(text)]
