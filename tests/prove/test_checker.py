"""The checker against a good run with one thing planted in it: exactly the rule that this breaks speaks."""

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import CASH, Live, staged, venue_served
from tests.ops.ntp import ntp_servers
from trader_core.prove.checker import GENESIS, RULES, check

BTC, ETH = "BTC-USD", "ETH-USD"
TABLES = {"head": 3, "cycles": 6, "latches": 5, "segments": 7}  # how many columns each has


@dataclass
class Run:
    """One recorded run, to be changed and written down anew."""

    rows: list[list[Any]]  # cycle, at, kind, fact, config digest
    permits: list[list[Any]]
    tables: dict[str, list[tuple[Any, ...]]]
    truth: list[dict[str, Any]]
    torn: list[int] = field(default_factory=list)  # rows whose hash is of something else

    def kinds(self, kind: str) -> list[int]:
        return [place for place, row in enumerate(self.rows) if row[2] == kind]

    def one(self, kind: str, *words: str) -> int:
        """The first row of that kind that says all of this."""
        return next(n for n in self.kinds(kind) if all(word in json.dumps(self.rows[n][3]) for word in words))

    def line(self, kind: str, *words: str) -> int:
        """The first line of the venue of that kind that says all of this."""
        lines = enumerate(self.truth)
        return next(n for n, one in lines if one["kind"] == kind and all(word in json.dumps(one) for word in words))

    def wrong(self, folder: Path) -> tuple[str, ...]:
        journal, permits = folder / "live.db", folder / "permits.db"
        chained = _chained(self.rows, self.torn)
        self.tables["head"] = self.tables["head"] or [(1, chained[-1][0], chained[-1][7])]
        _write(journal, {"journal": chained, **self.tables})
        _write(permits, {"permits": _chained(self.permits, [])})
        return check(journal, self.truth, CASH, permits=permits).wrong


def _chained(rows: list[list[Any]], torn: list[int]) -> list[tuple[Any, ...]]:
    made, before = list[tuple[Any, ...]](), GENESIS
    for seq, (cycle, at_ms, kind, fact, digest) in enumerate(rows, start=1):
        row = (seq, cycle, at_ms, kind, json.dumps(fact), digest, before)
        before = sha256("\x1f".join(map(str, row)).encode()).hexdigest()
        made.append((*row[:4], row[4] + " " * (seq - 1 in torn), *row[5:], before))
    return made


def _write(path: Path, tables: dict[str, list[tuple[Any, ...]]]) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        for name, rows in tables.items():
            width = TABLES.get(name, 8)
            db.execute(f"CREATE TABLE {name} ({', '.join(f'c{n}' for n in range(width))})")
            db.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * width)})", rows)  # noqa: S608


def _read(path: Path, table: str) -> list[list[Any]]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (table,)).fetchone():
            return []
        return [list(one) for one in db.execute(f"SELECT * FROM {table} ORDER BY 1")]  # noqa: S608


def _facts(path: Path, table: str) -> list[list[Any]]:
    return [[cycle, at, kind, json.loads(body), digest] for _, cycle, at, kind, body, digest, *_ in _read(path, table)]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Two positions are opened, one meets its target, and a kill sells the other."""
    folder = tmp_path_factory.mktemp("recorded")
    with venue_served(folder) as venue, ntp_servers(0, 0, 0) as servers:
        live = staged(tmp_path_factory.mktemp("home"), venue, servers, "BTC", "ETH")
        venue.risen(BTC, ETH)
        assert live.cycle().data["positions"] == 2
        venue.price("95000.00")
        assert live.settled().data["positions"] == 1
        assert live("kill", "--flatten", "--json").code == 0
        assert live.settled().data["positions"] == 0
        yield live


@pytest.fixture
def run(recorded: Live) -> Run:
    rows, permits = _facts(recorded.journal, "journal"), _facts(recorded.state / "permits.db", "permits")
    tables = {name: [tuple(one) for one in _read(recorded.journal, name)] for name in TABLES if name != "head"}
    return Run(rows, permits, {"head": [], **tables}, deepcopy(recorded.truth))


def test_a_good_run_has_nothing_wrong(run: Run, tmp_path: Path) -> None:
    assert run.wrong(tmp_path) == ()


# --- plants: each breaks one rule ------------------------------------------------------------------------------------


def second_order(run: Run) -> None:
    """The venue took one purchase twice."""
    place = run.line("order", '"BUY"')
    run.truth.insert(place + 1, {**run.truth[place], "order_id": "another"})


def purchase_sent_again(run: Run) -> None:
    place = run.one("intended", '"ENTRY"')
    cycle, at, _, fact, digest = run.rows[place]
    run.rows.insert(place + 1, [cycle, at, "resent", [fact[0], at], digest])


def order_of_nobody(run: Run) -> None:
    line = run.truth[run.line("order", '"BUY"')]
    tiny = {"limit_limit_gtc": {"base_size": "0.0001", "limit_price": "100"}}
    stray = {**line, "client_order_id": "nobody", "order_configuration": tiny}
    over = {"kind": "state", "state": "cancelled", "client_order_id": "nobody", "at": line["at"]}
    run.truth += [{**stray, "at": run.truth[0]["at"]}, over]


def another_order_than_intended(run: Run) -> None:
    line = run.truth[run.line("order", '"SELL"')]
    (name,) = line["order_configuration"]
    line["order_configuration"][name]["limit_price"] = "1"


def forgotten_end(run: Run) -> None:
    """A stop is canceled at the venue, and the ledger takes it for one that works."""
    del run.rows[run.kinds("closed")[0]]


def entry_while_killed(run: Run) -> None:
    """The kill is written down before the entries, and nobody notices."""
    place = run.kinds("halt_changed")[0]
    row = run.rows.pop(place)
    run.rows.insert(run.one("decided"), [1, *row[1:]])


def halt_forgotten(run: Run) -> None:
    """Armed again, and no person did it."""
    place = run.kinds("halt_changed")[-1]
    cycle, at, kind, fact, digest = run.rows[place]
    run.rows.insert(place + 1, [cycle, at, kind, [["ARMED", "", *fact[0][2:]]], digest])


def purchase_after_the_latch(run: Run) -> None:
    """The row of a kill stands in the file for seconds, and a purchase arrives all the same."""
    one = run.tables["latches"][0]
    run.tables["latches"] = [(one[0], one[1], run.rows[1][1] - 86_400_000, None, None)]


def refused_and_bought(run: Run) -> None:
    """A gate said no, and the order is there."""
    judgement = next(one for one in run.rows[run.one("decided")][3][2] if one[0] == BTC)
    judgement[1] = "TOTAL_AT_RISK"


def bought_beside_an_unknown(run: Run) -> None:
    """The fate of an order in the same product was not known when the next was decided."""
    place = run.one("intended", '"ENTRY"', BTC)
    cycle, at, _, fact, digest = deepcopy(run.rows[place])
    before = run.one("decided")
    run.rows.insert(before, [cycle, at, "intended", ["lost", fact[1], *fact[2:]], digest])
    fact_lost = run.rows[before][3]
    fact_lost[1][12] = 7
    run.rows.append([run.rows[-1][0] + 1, at, "closed", ["lost", "REJECTED", "never seen", at], digest])


def grant_over(run: Run) -> None:
    place = next(n for n, row in enumerate(run.permits) if row[2] == "granted")
    run.permits[place][3][0][5] = run.permits[place][3][0][4] + 1


def grant_too_small(run: Run) -> None:
    place = next(n for n, row in enumerate(run.permits) if row[2] == "granted")
    run.permits[place][3][0][3] = "5000"


def no_grant(run: Run) -> None:
    run.permits = [row for row in run.permits if row[2] != "granted"]


def beyond_the_cap(run: Run) -> None:
    _larger(run, "0.9")


def beyond_the_cap_of_one_asset(run: Run) -> None:
    """A sixteenth of the account: less than all together may be."""
    _larger(run, "0.01")


def _larger(run: Run, size: str) -> None:
    """The order is as it was written down, and larger than it may be; it never filled."""
    place = run.one("intended", '"ENTRY"', BTC)
    cycle, at, kind, fact, digest = deepcopy(run.rows[place])
    payload = json.loads(fact[3])
    (terms,) = payload["order_configuration"].values()
    terms["base_size"], fact[1][4], fact[1][12], fact[0] = size, size, 7, "large"
    payload["client_order_id"], fact[3] = "large", json.dumps(payload)
    run.rows.insert(place + 1, [cycle, at, kind, fact, digest])
    run.rows.insert(place + 2, [cycle, at, "closed", ["large", "CANCELED", "", at], digest])
    line = deepcopy(run.truth[run.line("order", '"BUY"', BTC)])
    line |= {"client_order_id": "large", "order_configuration": payload["order_configuration"]}
    over = {"kind": "state", "state": "cancelled", "client_order_id": "large", "at": line["at"]}
    run.truth[0:0] = [line, over]


def sold_before_its_stop_was_canceled(run: Run) -> None:
    """The venue let both stand, since the stop was for next to nothing."""
    sale = run.line("order", '"sor_limit_ioc"', '"SELL"', ETH)
    row = run.one("intended", '"STOP"', ETH)
    stop, fact = run.rows[row][3][0], run.rows[row][3]
    payload = json.loads(fact[3])
    (meant,) = payload["order_configuration"].values()
    meant["base_size"] = "0"
    fact[3] = json.dumps(payload)
    run.truth[run.line("order", stop)]["order_configuration"] = payload["order_configuration"]
    run.truth.insert(sale, run.truth.pop(run.line("state", stop, '"cancelled"')))


def fill_twice_in_the_ledger(run: Run) -> None:
    place = run.kinds("filled")[0]
    run.rows.insert(place + 1, deepcopy(run.rows[place]))


def fill_of_nothing(run: Run) -> None:
    """Two fills of the same size: one is told under a name that the venue never used, and the real one is not."""
    run.rows[run.kinds("filled")[0]][3][0][0] = "never"


def money_from_nowhere(run: Run) -> None:
    place = run.kinds("cash_flow")[0]
    run.rows[place][3][0] = str(CASH + 1)
    for mark in run.kinds("marked"):
        run.rows[mark][3][1] = str(Decimal(run.rows[mark][3][1]) + 1)


def fee_left_out_of_the_worth(run: Run) -> None:
    mark = run.kinds("marked")[0]
    run.rows[mark][3][1] = str(Decimal(run.rows[mark][3][1]) + Decimal("0.01"))


def torn_row(run: Run) -> None:
    run.torn = [5]


def lost_tail(run: Run) -> None:
    run.tables["head"] = [(1, len(run.rows) + 1, "f" * 64)]


def cycle_twice(run: Run) -> None:
    place = run.kinds("cycle_closed")[0]
    run.rows.insert(place + 1, deepcopy(run.rows[place]))


def cycle_not_listed(run: Run) -> None:
    run.tables["cycles"].pop()


PLANTS: dict[Callable[[Run], None], str] = {
    second_order: "one order per intent",
    purchase_sent_again: "one order per intent",
    order_of_nobody: "every order owned",
    another_order_than_intended: "every order owned",
    forgotten_end: "every order owned",
    entry_while_killed: "no entry while halted",
    halt_forgotten: "no entry while halted",
    purchase_after_the_latch: "no purchase after a halt",
    refused_and_bought: "no entry against a verdict",
    bought_beside_an_unknown: "no entry against a verdict",
    grant_over: "no entry without grant",
    grant_too_small: "no entry without grant",
    no_grant: "no entry without grant",
    beyond_the_cap: "exposure capped",
    beyond_the_cap_of_one_asset: "exposure capped",
    sold_before_its_stop_was_canceled: "cancel before flatten",
    fill_twice_in_the_ledger: "every fill once",
    fill_of_nothing: "every fill once",
    money_from_nowhere: "cash conserved",
    fee_left_out_of_the_worth: "worth as filled",
    torn_row: "chain intact",
    lost_tail: "chain intact",
    cycle_twice: "every cycle once",
    cycle_not_listed: "every cycle once",
}


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.__name__)
def test_a_plant_is_seen_by_its_rule(run: Run, tmp_path: Path, plant: Callable[[Run], None]) -> None:
    plant(run)
    wrong = run.wrong(tmp_path)
    assert {one.partition(":")[0] for one in wrong} == {PLANTS[plant]}, wrong


def test_every_rule_has_a_plant() -> None:
    assert set(PLANTS.values()) == set(RULES)
