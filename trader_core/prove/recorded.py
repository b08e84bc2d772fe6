"""The parity campaign: a paper account lives on real candles that it reads over real HTTP, bar after bar, from a
loopback venue that replays them; then a compiled replay walks what was recorded, and all of it is compared.

Three questions, each with an answer of its own: whether what was recorded is what the files say (read here again, by
nothing of the program); whether every decision, order, fill and equity is the same; and whether the money that the
journal's own rows add up to is the money that both ended with.
"""

import json
import subprocess
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pyarrow.parquet as pq

from trader_core.candles.fetched import FetchedCandles
from trader_core.domain.clocktime import DAY_MS, EpochMs, rfc3339
from trader_core.domain.errors import GateClosed
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.money import grains_down
from trader_core.engine.journal import Journal
from trader_core.engine.law import bar_ms_of, costs_of
from trader_core.engine.run import cycles
from trader_core.net.breaker import Breakers
from trader_core.net.buckets import Buckets, Rule
from trader_core.net.rows import LocalRows
from trader_core.net.session import Http, Timeouts
from trader_core.ops.clock import host_ms
from trader_core.ports import Ports
from trader_core.prove import account
from trader_core.prove.checker import told_by
from trader_core.prove.parity import Parity, Stop, compared
from trader_core.prove.proved import Figure, Proved, Violation
from trader_core.prove.stage import START, kept_environment
from trader_core.settings.digest import digest
from trader_core.settings.load import load
from trader_core.settings.schema import Settings
from trader_core.settings.variant import write_variant
from trader_core.store.files import CANDLES, StateFiles
from trader_core.store.sqlite import SqliteStore
from trader_core.strategies import STRATEGIES
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.products import Products
from trader_core.venues.simulated.books import Books
from trader_core.venues.simulated.venue import SimulatedVenue
from trader_core.venues.wrappers import ReadOnly
from trader_core.worlds.live import HISTORY_MS, fetch_of
from trader_core.worlds.system import System, halts_of, watch_of

CLAIM = "What is done bar by bar over HTTP is what its replay says, to the order and to the cent."
LEG_CYCLES = 1_000  # between two copies of the account
SETTLED_MS = 5_000  # after its end a bar is asked for
PLENTY = {name: Rule(rate=100_000, burst=100_000) for name in ("private", "public")}
EDITS = {f"strategies.{name}.enabled": True for name in STRATEGIES}
PRICES = ("open", "high", "low", "close")


@dataclass
class Replaying:
    """A venue that replays a folder of candles, and stands still until it is told to go on. `asked` counts the answers
    to what was asked of it, by endpoint."""

    url: str
    now_ms: int = 0
    asked: Counter[str] = field(default_factory=Counter)

    def heard(self, endpoint: str, outcome: str, ms: float) -> None:
        self.asked[f"{endpoint} {outcome}"] += 1

    def go_on(self, to_ms: int) -> None:
        if to_ms > self.now_ms:
            request = urllib.request.Request(f"{self.url}/admin/clock", json.dumps({"set_ms": to_ms}).encode())  # noqa: S310
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - loopback
                self.now_ms = int(json.load(answer)["now_ms"])


@dataclass(frozen=True)
class Driven:
    """Decision times one bar apart; the venue's own time is set to each before it is taken."""

    replaying: Replaying
    paper: SimulatedVenue  # the account, whose time goes with it
    start_ms: int
    until_ms: int
    bar_ms: int
    host_ms: Callable[[], EpochMs] = host_ms

    @property
    def seen_ms(self) -> Callable[[], EpochMs]:
        return lambda: EpochMs(self.paper.now_ms)

    def next_decision_ms(
        self, after_ms: int, given_up: Callable[[], bool] = lambda: False, is_due: Callable[[], bool] = lambda: False
    ) -> EpochMs | None:
        following = self.start_ms if after_ms < 0 else after_ms + self.bar_ms
        if following >= self.until_ms:
            return None
        self.replaying.go_on(following + SETTLED_MS)
        self.paper.advance(following)
        return EpochMs(following)


def recorded(
    config: Path, data: Path, work: Path, since_ms: int, count: int, stop: Stop, told: Callable[[int, int], object]
) -> Proved:
    """Live so many cycles from `since_ms` on, or those that are left, and compare. Raises UsageError."""
    began_s, lived, found = monotonic(), 0, None
    work.mkdir(parents=True, exist_ok=True)
    write_variant(config, work / "config", EDITS)
    policy, files = load(work / "config"), StateFiles((work / "state").absolute(), "PAPER")
    bar_ms = bar_ms_of(policy)
    account.claim(files)
    with replaying(data, since_ms, since_ms + (count + 1) * bar_ms) as venue:
        while found is None:
            with wired(policy, files, venue, since_ms, since_ms + count * bar_ms) as system:
                before = system.journal.book.cycles
                for _ in cycles(system.ports, policy, system.journal, stop, min(LEG_CYCLES, count - before)):
                    lived += 1
                    told(before + lived, count)
                done = system.journal.book.cycles
                if done >= count or stop():
                    found = compared(system, count - done)
            if found is None:
                account.keep(files, done)
    return judged(found, files, data, since_ms, venue, lived, monotonic() - began_s)


@contextmanager
def replaying(data: Path, since_ms: int, until_ms: int) -> Iterator[Replaying]:
    span = ["--from", rfc3339(since_ms), "--to", rfc3339(until_ms)]
    words = [*START, "sim", "serve", "--data", str(data), *span, "--speed", "0", "--port", "0"]
    with subprocess.Popen(  # noqa: S603 - our own program
        words, env=kept_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as served:
        try:
            line = served.stdout.readline() if served.stdout else ""
            if not line:
                said = served.stderr.read().strip() if served.stderr else ""
                raise GateClosed(f"the replaying venue did not start: {said}", remedy="pip install 'trader[sim]'")
            yield Replaying(json.loads(line)["url"])
        finally:
            served.terminate()


@contextmanager
def wired(policy: Settings, files: StateFiles, venue: Replaying, since_ms: int, until_ms: int) -> Iterator[System]:
    """A paper account on a venue's candles, as `trader run` has it, with the venue's time for a clock."""
    quote, bar_ms, rows = policy.app.exchange.quote, bar_ms_of(policy), LocalRows()
    http = Http(
        venue.url, ca_bundle=None, timeouts=Timeouts(), buckets=Buckets(PLENTY, rows, sleep, host_ms),
        breakers=Breakers(rows, host_ms, lambda: 0.5), pause=sleep, chance=lambda: 0.5, host_ms=host_ms,
        told=venue.heard,
    )  # fmt: skip
    client = CoinbaseClient(http, None, lambda: venue.now_ms / 1_000)
    venue.go_on(since_ms + SETTLED_MS)
    products, directory = Products(client, quote, lambda: venue.now_ms), files.directory / CANDLES

    def candles(step_ms: int, days: FetchedCandles | None) -> FetchedCandles:
        first_ms = EpochMs(since_ms - HISTORY_MS)
        fetch = fetch_of(client, step_ms)
        return FetchedCandles(step_ms, quote, "the replayed venue", first_ms, directory, fetch, products, days)

    source, watch = candles(bar_ms, candles(DAY_MS, None)), watch_of(files)
    identity = {"mode": "PAPER", "venue": "coinbase", "quote": quote, "data": source.fingerprint, "clock": "driven"}
    with ExitStack() as until_closed:
        store = SqliteStore(files.state, identity, digest(policy))
        until_closed.callback(store.close)
        books = Books(files.venue)
        until_closed.callback(books.close)
        paper = policy.app.paper
        cash = grains_down(paper.cash_quote)
        simulated = SimulatedVenue(source, costs_of(policy), books, cash, paper.holdings, policy.universe.tier_of)
        ports = Ports(
            reader=ReadOnly(simulated), trader=simulated, store=store,
            clock=Driven(venue, simulated, since_ms, until_ms, bar_ms), halts=halts_of(files, store),
            order_id=OrderIdsOf("recorded"), account_quote=quote, observed_equity=None, policies=watch,
        )  # fmt: skip
        yield System(ports, policy, Journal(store), source, "PAPER", files.directory, "a replayed venue", watch)


# --- what is said of it ----------------------------------------------------------------------------------------------


def judged(
    found: Parity, files: StateFiles, data: Path, since_ms: int, venue: Replaying, lived: int, took_s: float
) -> Proved:
    again = f"trader prove parity --data {data} --from {rfc3339(since_ms)} --cycles {found.cycles}"
    rows, unlike = read_again(files.directory / CANDLES, data, found.from_ms, found.to_ms)
    violations = [Violation(f"cycle {one.cycle}", f"{one.kind} {one.symbol}: {one.paper}, replayed {one.replay}; cause:"
                            f" {one.cause}", again) for one in found.differences]  # fmt: skip
    violations += [Violation("candles", words, again) for words in unlike]
    cash = told_by(files.state).cash
    if not cash == found.cash == found.cash_replayed:
        words = f"cash is {cash} by the rows, {found.cash} by the ledger, {found.cash_replayed} replayed"
        violations.append(Violation("the end", words, again))
    refused = sum(count for name, count in venue.asked.items() if not name.endswith(" ok"))
    figures: dict[str, Figure] = {
        "cycles": found.cycles,
        "from": rfc3339(found.from_ms),
        "to": rfc3339(found.to_ms),
        "http_answers": sum(venue.asked.values()),
        "of_them_not_ok": refused,
        "candles_read_again": rows,
        "candles_unlike": len(unlike),
        **{f"{one.kind}_same": f"{one.same} of {max(one.paper, one.replay)}" for one in found.agreements},
        "cash_at_the_end": str(found.cash),
        "differing_cycles": found.differing_cycles,
        "cycles_a_second": round(lived / took_s, 1),
    }
    done = not found.cycles_left
    return Proved("parity", CLAIM, figures, violations, round(took_s, 1), finished=done)


def read_again(recorded: Path, data: Path, since_ms: int, until_ms: int) -> tuple[int, list[str]]:
    """How many recorded bars were compared with the files that the venue replayed, and those that are not the same:
    prices as they are written, volumes to the last digit that the venue tells."""
    compared, unlike = 0, list[str]()
    for path in sorted(recorded.glob("*/15m.parquet")):
        ours, theirs = _columns(path), _columns(data / path.parent.name / path.name)
        lot = _lot(float(np.median(theirs["close"])))
        inside = (ours["ts"] >= since_ms) & (ours["ts"] < until_ms)
        place = {int(ts): row for row, ts in enumerate(theirs["ts"])}
        for row in np.flatnonzero(inside):
            ts = int(ours["ts"][row])
            at = place.get(ts)
            compared += 1
            if at is None:
                unlike.append(f"{path.parent.name} {rfc3339(ts)}: the file has no such bar")
                continue
            same = all(abs(ours[name][row] - theirs[name][at]) <= 1e-9 * theirs[name][at] for name in PRICES)
            volume = theirs["volume"][at]
            if not same or abs(ours["volume"][row] - volume) > lot / 2 + 1e-12 * volume:
                unlike.append(f"{path.parent.name} {rfc3339(ts)}: recorded otherwise than the file has it")
        newest = int(ours["ts"].max())  # the bar of the last decision itself has not closed
        missing = {ts for ts in place if since_ms <= ts < newest} - {int(ts) for ts in ours["ts"][inside]}
        unlike += [f"{path.parent.name} {rfc3339(ts)}: not recorded" for ts in sorted(missing)]
    return compared, unlike


def _lot(price: float) -> float:
    """The smallest volume that the replaying venue tells of a coin that costs so much: it rounds to that."""
    return 1e-8 if price >= 1 else 1e-4 if price >= 0.001 else 1.0


def _columns(path: Path) -> dict[str, Any]:
    table = pq.read_table(path)
    return {"ts": table["ts"].cast("int64").to_numpy()} | {name: table[name].to_numpy() for name in (*PRICES, "volume")}
