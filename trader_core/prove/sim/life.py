"""One seed's life: the program as it is wired for work, on a market, in a weather and under an operator of that seed.

Everything is real but time, the venue behind the weather and this machine's clock. What must hold is judged after it,
from the venue's own notes and the journal's rows.
"""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from traceback import format_exception
from typing import cast

from trader_core.bootstrap import open_system
from trader_core.domain.book import Book
from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.errors import StateUnusable, TraderError
from trader_core.domain.halt import Trading
from trader_core.domain.order import Role
from trader_core.domain.values import names_of
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles, nobody
from trader_core.ports import VenueTrader
from trader_core.prove import witness
from trader_core.prove.checker import check
from trader_core.prove.sim import operator
from trader_core.prove.sim.drawn import OPERATOR, Drawn, drawn, write_settings
from trader_core.prove.sim.faults import SENT_BARS, Died, Weather, in_weather
from trader_core.prove.sim.market import Market, write_market
from trader_core.settings.environment import Environment, process_environment
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles
from trader_core.store.sqlite import SqliteStore
from trader_core.telling import addresses_of
from trader_core.venues.simulated.venue import SimulatedVenue

QUIET_CYCLES = 8  # at the end, in which nothing happens any more: the account settles
WINDOWS = ("high", "day", "day_open", "day_low", "day_high", "week", "week_open", "week_low", "last")  # of loss limits
DEATHS_MAX = 200
ACTS_APART = (12, 160)  # cycles between two acts of the operator
RESTARTS_APART = 9
HALTED_MAX = 25  # cycles in a row; then somebody arms the account again
TWINS = 0.15  # of the seeds are lived twice
OTHER_ORDERS = 1_000  # of sets
WITHOUT_BOUND = 10**9
PAGES_LEFT = 3  # of a full disk


@dataclass
class Lived:
    """What came of it. `wrong` are violations, in words; `head` is the hash of the journal's last row."""

    seed: int
    wrong: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    head: str = ""


class Life:
    """With `restarts` the program is closed and opened again at every turn, which must change nothing."""

    def __init__(self, one: Drawn, place: Path, restarts: bool) -> None:
        self._one, self._place, self._restarts = one, place, restarts
        self._weather = Weather(one.dice, one.features, one.bar_min * MINUTE_MS)
        self._lived, self._book, self._touched = Lived(one.seed), Book(), set[str]()
        self._strangers, self._killed = set[str](), list[list[float]]()
        self._market, self._is_full = Market(place / "data", 0, 0, {}), False
        self._halted = 0  # cycles in a row

    def live(self) -> Lived:
        """All of it, and the judgement."""
        one, place = self._one, self._place
        write_settings(place / "config", one.settings)
        thin, holes = "thin markets" in one.features, "holes" in one.features
        self._market = write_market(place / "data", one.dice, one.bases, one.bar_min, one.cycles + 1, thin, holes)
        try:
            self._all_of_it()
        except TraderError as failed:
            self._wrong(f"it ended with {type(failed).__name__}: {failed.what}")
        except Exception as broken:  # noqa: BLE001 - whatever comes out of a cycle is what is looked for
            told = "".join(format_exception(broken))
            self._wrong(f"it broke off with {told}")
        self.judge()
        self._lived.counts.update(self._weather.happened)
        return self._lived

    @property
    def _options(self) -> Options:
        place = self._place
        return Options(
            state=place / "state", config=place / "config", mode="PAPER", venue="simulated", data=self._market.data,
            since_ms=self._market.since_ms, seed=self._one.seed, environment=Environment(None, None, True),
        )  # fmt: skip

    def _wrong(self, words: str) -> None:
        self._lived.wrong.append(f"cycle {self._book.cycles + 1}: {words}")

    # --- the course of it --------------------------------------------------------------------------------------------

    def _all_of_it(self) -> None:
        last = self._one.cycles - QUIET_CYCLES
        for at, acts in sorted({**turns(self._one, last, self._restarts), last: []}.items()):
            while self._run(at):
                self._act("resets", 0)
            for act, n in acts:
                self._act(act, n)
        self._weather.quiet = True
        if self._strangers:
            self._act("adopt", 0)
        self._run(self._one.cycles)

    def _run(self, until: int) -> bool:
        """To that cycle, through as many deaths as it takes; whether it stands halted for so long before it that it is
        time for somebody to arm it again."""
        for _ in range(DEATHS_MAX):
            if self._book.cycles >= until or self._waits:
                return self._book.cycles < until
            try:
                self._leg(until)
            except Died:
                self._lived.counts["deaths"] += 1
            except StateUnusable as full:
                if "full" not in full.what or not self._is_full:
                    raise
                self._is_full = False
                self._lived.counts["full disk"] += 1
        self._wrong(f"it did not come to cycle {until} in {DEATHS_MAX} starts")
        return False

    @property
    def _waits(self) -> bool:
        return self._halted >= HALTED_MAX and not self._weather.quiet

    def _leg(self, until: int) -> None:
        with open_system(self._options) as system:
            self._lived.counts["starts"] += 1
            self._compare(system.journal.book)
            if not self._book.cycles:
                witness.begin(StateFiles(self._place / "state", "PAPER").venue)
            if self._is_full and isinstance(system.ports.store, SqliteStore):
                ((pages,),) = system.ports.store.query("PRAGMA page_count")
                system.ports.store.query(f"PRAGMA max_page_count = {pages + PAGES_LEFT}")
            ports = in_weather(system.ports, cast("VenueTrader", system.ports.trader), self._weather)
            tell = system.telling.cycle if "telling" in self._one.features and not addresses_of().are_any else nobody
            try:
                left = until - self._book.cycles
                for report in cycles(ports, system.policy, system.journal, lambda: False, left, tell):
                    self._count(report)
                    if self._waits:
                        break
            finally:
                self._book, self._touched = system.journal.book, set()

    def _compare(self, book: Book) -> None:
        """What was known when the program ended is known when it begins: all of it, where nobody wrote since."""
        before = self._book
        if not self._touched and before.cycles and book != before:
            named = [name for name in names_of(Book) if getattr(book, name) != getattr(before, name)]
            self._wrong(f"a restart changed {', '.join(named)}")
        if "adopt" not in self._touched and before.cycles:
            lost = [one for one in WINDOWS if getattr(book, one) != getattr(before, one)]
            if lost:
                self._wrong(f"a restart forgot {', '.join(lost)}")

    def _count(self, report: CycleReport) -> None:
        counts, decision = self._lived.counts, report.decision
        counts["cycles"] += 1
        counts["fills"] += len(report.fills)
        counts["orders"] += len(decision.orders) if decision else 0
        counts["entries"] += sum(one.role is Role.ENTRY for one in decision.orders) if decision else 0
        counts["problems"] += bool(report.problem)
        self._halted = self._halted + 1 if report.book.halt.trading is not Trading.ACTIVE else 0
        counts["halted cycles"] += self._halted > 0

    def _act(self, act: str, n: int) -> None:
        self._lived.counts[act] += 1
        options, dice = self._options, self._one.dice
        if act == "full disk":
            self._is_full = True
        elif act == "manual trades":
            self._trade_by_hand(n)
        elif act != "restarts":
            self._touched.add(act)
            operator.ACTS[act](operator.Hand(options, self._one.settings, dice, n))
        if act == "kills":
            self._killed.append([self._book.closed_ms, inf])
        if act == "resets":
            self._halted = 0
            for span in self._killed:
                span[1] = min(span[1], self._book.closed_ms)

    def _trade_by_hand(self, n: int) -> None:
        """Somebody buys on the same account, past the program."""
        with open_system(self._options) as system:
            venue, ours = system.ports.trader, f"by-hand-{n}"
            if isinstance(venue, SimulatedVenue):
                symbol = f"{self._one.dice.one_of(self._one.bases, 'by hand', n)}-USD"
                venue.buy_for(ours, symbol, operator.amount_by_hand(self._one.dice, n))
                self._strangers.add(ours)

    # --- the judgement -----------------------------------------------------------------------------------------------

    def judge(self) -> None:
        one, files = self._one, StateFiles(self._place / "state", "PAPER")
        if not files.begun or not files.venue.exists():
            return
        moved = not one.features.isdisjoint(("cash", "manual trades"))
        cap_pct = WITHOUT_BOUND if moved else one.cap_pct
        sent_ms = SENT_BARS * self._market.bar_ms if "late sends" in one.features else 0
        late_ms = WITHOUT_BOUND * 1_000 if "clock" in one.features else max(sent_ms, self._market.bar_ms) + 1_000
        strangers = frozenset(self._strangers)
        truth = witness.truth(files.venue, self._market.closes, strangers)
        asset_cap_pct = WITHOUT_BOUND if moved else one.asset_cap_pct
        found = check(files.state, truth, 0, strangers, cap_pct, late_ms=late_ms, asset_cap_pct=asset_cap_pct)
        self._lived.wrong += found.wrong
        self._lived.counts["venue orders"] += len(found.venue_orders)
        self._lived.wrong += witness.bought_while_killed(truth, self._killed, sent_ms)
        if not moved:
            risk, loose = one.settings.policy.risk_in_force, 1.4 if "policy" in one.features else 1.0
            limits = risk.max_day_loss_pct, risk.max_week_loss_pct, risk.max_drawdown_pct
            self._lived.wrong += witness.bought_after_a_loss(files.state, *(each * loose for each in limits))
        with files.reading() as store:
            self._lived.head = str(store.query("SELECT hash FROM journal ORDER BY seq DESC LIMIT 1")[0][0])


def turns(one: Drawn, last: int, restarts: bool) -> dict[int, list[tuple[str, int]]]:
    """What a person does after which cycle. What was halted is armed again some cycles later."""
    dice, found = one.dice, dict[int, list[tuple[str, int]]]()
    acts = [act for act in OPERATOR if act in one.features and act not in ("crashes", "clock")]
    at = n = 0
    while acts and at < last:
        act, at, n = dice.one_of(acts, "act", n), at + dice.whole(*ACTS_APART, "apart", n), n + 1
        found.setdefault(at, []).append((act, n))
        if act in operator.ENDS:
            after = at + dice.whole(1, ACTS_APART[0], "after", n)
            found.setdefault(after, []).extend((end, n) for end in operator.ENDS[act])
    if restarts:
        for often in range(RESTARTS_APART, last, RESTARTS_APART):
            found.setdefault(often, []).append(("restarts", 0))
    return {at: acts for at, acts in found.items() if at < last}


def lived(seed: int, cycles_: int, config: Path, place: Path) -> Lived:
    """One seed. Where nothing in it counts starts, it is lived again with many more of them, by a process in which sets
    have another order, and must be the same."""
    one = drawn(seed, cycles_, config)
    found = Life(one, place / "life", restarts=False).live()
    if one.dice.falls(TWINS, "twin") and one.features.isdisjoint(("crashes", "full disk", "telling")):
        twin = _twin(seed, cycles_, config, place / "twin")
        found.counts["twins"] += 1
        found.counts["cycles"] += twin.counts["cycles"]
        found.wrong += [f"with restarts: {words}" for words in twin.wrong]
        if twin.head != found.head:
            found.wrong.append("with restarts it is another journal")
    return found


def _twin(seed: int, cycles_: int, config: Path, place: Path) -> Lived:
    asked = json.dumps([seed, cycles_, str(config), str(place)])
    environment = {**process_environment(), "PYTHONHASHSEED": str(1 + seed % OTHER_ORDERS)}
    words = [sys.executable, "-c", f"from {__name__} import tell_twin; tell_twin()"]
    done = subprocess.run(words, input=asked, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        return Lived(seed, [f"the process ended with {done.returncode}: {done.stderr[-800:]}"])
    wrong, counts, head = json.loads(done.stdout)
    return Lived(seed, wrong, Counter(counts), head)


def tell_twin() -> None:
    """The work of that process: asked on stdin, told on stdout."""
    seed, cycles_, config, place = json.load(sys.stdin)
    found = Life(drawn(seed, cycles_, Path(config)), Path(place), restarts=True).live()
    json.dump([found.wrong, found.counts, found.head], sys.stdout)
