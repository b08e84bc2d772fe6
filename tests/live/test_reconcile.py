"""Account against ledger: what differs is named by kind, a person books it, and nothing is bought, sold or invented."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from typing import Any

from tests.cli.program import Done, Inside
from tests.live.conftest import Stage
from tests.live.stage import Live
from tests.world import World
from trader_core.bootstrap import open_system
from trader_core.domain.facts import Filled
from trader_core.domain.ids import MARK
from trader_core.domain.order import Order, OrderReport
from trader_core.domain.values import replace
from trader_core.engine.reconciling import settle_up
from trader_core.ports import VenueReader
from trader_core.prove.checker import told_by
from trader_core.settings.options import Options
from trader_core.venues.wrappers import ReadOnly

LIMIT = {"base_size": "0.001", "limit_price": "30000.00", "post_only": True}


def reconciled(live: Live, *words: str | Path) -> Done:
    return live.inside("reconcile", "--json", *words)


def kinds(done: Done) -> list[str]:
    return [one["kind"] for one in done.data["differences"]]


def journal_rows(live: Live) -> int:
    with closing(sqlite3.connect(live.journal)) as db:
        found: int = db.execute("SELECT count(*) FROM journal").fetchone()[0]
        return found


def earned_and_paid_in(live: Live) -> tuple[Decimal, Decimal]:
    """(realised, deposits less withdrawals) of the ledger."""
    realised = live.inside("pnl", "--json").data["total"]["realised"]
    return Decimal(realised), told_by(live.journal).cash + traded_for(live)


def traded_for(live: Live) -> Decimal:
    """What trades took out of the cash."""
    fills = told_by(live.journal).fills.values()
    return -sum((value if side == "SELL" else -value) - fee for _, _, side, _, value, fee in fills) + Decimal(0)


def traded(live: Live) -> list[dict[str, Any]]:
    return [one for one in live.truth if one["kind"] in ("order", "fill")]


def test_an_account_that_agrees_is_told_so_and_nothing_is_written(bought: Live) -> None:
    rows = journal_rows(bought)
    done = bought("reconcile", "--json")
    assert (done.code, done.data["differences"]) == (0, [])
    assert journal_rows(bought) == rows
    assert reconciled(bought, "--apply").data["backup"] == []


def test_cash_that_came_or_went_is_booked_as_a_flow_and_never_as_profit(bought: Live, tmp_path: Path) -> None:
    realised, flows = earned_and_paid_in(bought)
    bought.sim.admin("deposit", currency="USD", amount="250.5")
    assert f"--plan {tmp_path} cannot be written" in reconciled(bought, "--plan", tmp_path).err
    told = reconciled(bought, "--plan", tmp_path / "plan.json")
    assert (told.code, kinds(told)) == (40, ["cash"])
    one = told.data["differences"][0]
    assert Decimal(one["venue"]) - Decimal(one["ledger"]) == Decimal("250.5")
    assert bought.cycle().code == 40
    drifted = reconciled(bought, "--apply", "--plan", tmp_path / "plan.json")
    assert (drifted.code, "cycles were run" in drifted.err) == (22, True)
    assert reconciled(bought, "--plan", tmp_path / "plan.json").code == 40
    bought.sim.admin("deposit", currency="USD", amount="1")
    other = reconciled(bought, "--apply", "--plan", tmp_path / "plan.json")
    assert (other.code, "new: cash USD" in other.err) == (22, True)
    assert not (bought.state / "backups").exists()
    reconciled(bought, "--plan", tmp_path / "plan.json")
    bought.sim.admin("withdraw", currency="USD", amount="251.5")
    gone = reconciled(bought, "--apply", "--plan", tmp_path / "plan.json")
    assert (gone.code, "gone: cash USD" in gone.err) == (22, True)
    bought.sim.admin("deposit", currency="USD", amount="251.5")
    orders = traded(bought)
    done = reconciled(bought, "--apply", "--plan", tmp_path / "plan.json", "--reason", "savings")
    assert (done.code, done.data["applied"]) == (0, ["booked a deposit of 251.5 USD"])
    assert bought.inside("status", "--json").data["discrepancies"] == {}
    assert traded(bought) == orders
    (copy,) = done.data["backup"]
    assert Path(copy).parent.parent == bought.state / "backups"
    with closing(sqlite3.connect(copy)) as kept, closing(sqlite3.connect(bought.journal)) as now:
        before, after = (db.execute("SELECT max(seq), hash FROM journal").fetchone() for db in (kept, now))
        assert before[0] < after[0]
        assert now.execute("SELECT hash FROM journal WHERE seq = ?", (before[0],)).fetchone()[0] == before[1]
    assert earned_and_paid_in(bought) == (realised, flows + Decimal("251.5"))
    bought.sim.admin("withdraw", currency="USD", amount="51.5")
    assert reconciled(bought, "--apply").data["applied"] == ["booked a withdrawal of 51.5 USD"]
    assert bought.cycle().code == 0
    assert earned_and_paid_in(bought) == (realised, flows + 200)


def test_dust_is_no_difference_and_is_its_owners_once_a_person_says_so(bought: Live, tmp_path: Path) -> None:
    """As much as can be sold is no dust, whatever the newest cycle has seen."""
    bought.sim.price("100.00")
    (left,) = bought("liquidate", "--yes", "--json").data["left"]
    assert left["is_dust"]
    assert reconciled(bought, "--dust").code == 0, "its stop rests: it is not left alone"
    bought("kill", "--all")
    bought.cycle()
    assert (reconciled(bought).code, kinds(reconciled(bought))) == (0, [])
    plan = tmp_path / "plan.json"
    told = reconciled(bought, "--dust", "--plan", plan)
    assert (told.code, kinds(told), told.data["differences"][0]["ledger"]) == (40, ["dust"], left["quantity"])
    silent = reconciled(bought, "--dust", "--apply")
    assert (silent.code, silent.data["applied"]) == (40, [])
    assert "BTC-USD is dust: a person has to say why" in silent.err
    bought.sim.price("95000.00")
    assert reconciled(bought, "--dust").code == 0
    gone = reconciled(bought, "--apply", "--plan", plan, "--reason", "too small to sell")
    assert (gone.code, "gone: dust BTC-USD" in gone.err) == (22, True)
    bought.sim.price("100.00")
    flows = earned_and_paid_in(bought)[1]
    done = reconciled(bought, "--apply", "--plan", plan, "--reason", "too small to sell")
    assert (done.code, done.data["applied"]) == (0, [f"gave {left['quantity']} of BTC-USD to its owner at 99.99"])
    assert bought.inside("positions", "--json").data["positions"] == []
    assert earned_and_paid_in(bought)[1] == flows, "its owner had the coins all the time"
    assert reconciled(bought, "--dust").code == 0


def test_missing_coins_are_written_down_only_with_a_reason(bought: Live) -> None:
    """By whole lots, and less than the smallest cash that counts is not booked with them."""
    stops = [one for one in bought.truth if one["kind"] == "order" and one["side"] == "SELL"]
    (held,) = bought.inside("positions", "--json").data["positions"]
    ours = Decimal(held["quantity"])
    assert bought("kill", "--all").code in (0, 50)
    half = (ours / 2).quantize(Decimal("0.00000001"), ROUND_FLOOR)
    bought.sim.admin("balances", BTC=str(half + Decimal("0.000000001")))
    bought.sim.admin("deposit", currency="USD", amount="0.009")
    told = reconciled(bought)
    assert (told.code, set(kinds(told))) == (40, {"missing coins", "lost order", "missing stop"})
    assert "3 differences found: entries stay closed" in bought.inside("reconcile").out
    silent = reconciled(bought, "--apply")
    assert (silent.code, set(kinds(silent))) == (40, {"missing coins", "missing stop"})
    assert "BTC is missing: a person has to say why" in silent.err
    assert not [one for one in silent.data["applied"] if one.startswith("booked")]
    done = reconciled(bought, "--apply", "--reason", "sent to the vault")
    assert done.data["applied"][0].startswith("wrote BTC-USD down by")
    assert (done.code, kinds(done)) == (40, ["missing stop"])
    (left,) = bought.inside("positions", "--json").data["positions"]
    assert Decimal(left["quantity"]) == half
    assert [one for one in bought.truth if one["kind"] == "order" and one["side"] == "SELL"] == stops
    assert abs(Decimal(bought.inside("pnl", "--json").data["total"]["realised"])) < 10
    bought.cycle()
    assert reconciled(bought).data["differences"] == []


def test_strangers_are_named_and_never_touched(bought: Live) -> None:
    name = f"{MARK}-1111-5111-8111-111111111111"
    order = {"client_order_id": name, "product_id": "BTC-USD", "side": "BUY"}
    bought.sim.admin("orders", **order, order_configuration={"limit_limit_gtc": LIMIT})
    told = reconciled(bought)
    assert (told.code, kinds(told), told.data["differences"][0]["subject"]) == (40, ["stranger"], name)
    done = reconciled(bought, "--apply", "--reason", "whoever it is")
    assert (done.code, kinds(done)) == (40, ["stranger"])
    assert name in [one["client_order_id"] for one in bought.sim.open_orders()]
    assert bought.checked(frozenset({name})).wrong == ()


def test_an_order_that_is_over_for_us_and_works_at_the_venue_is_canceled(stage: Stage) -> None:
    live = stage("BTC", policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    assert live.cycle().data["placed"] == 1
    (entry,) = live.sim.open_orders()
    name = entry["client_order_id"]
    _tell(live, "closed", [name, "REJECTED", "never arrived", 0])
    told = reconciled(live)
    assert (told.code, kinds(told), told.data["differences"][0]["subject"]) == (40, ["undead order"], name)
    done = reconciled(live, "--apply")
    assert (done.code, done.data["applied"]) == (0, [f"canceled {name}"]), done.err
    assert live.sim.open_orders() == []


def _tell(live: Live, kind: str, body: list[Any]) -> None:
    """A fact written into the journal as an earlier run would have."""
    from trader_core.domain.codec import from_json
    from trader_core.domain.facts import FACTS
    from trader_core.store.sqlite import SqliteStore

    store = SqliteStore.writing(live.journal, "")
    store.append(2, 0, [from_json(FACTS[kind], json.dumps(body))])
    store.close()


def test_what_was_filled_meanwhile_is_folded_and_a_lost_stop_is_named(bought: Live) -> None:
    (stop,) = bought.sim.open_orders()
    bought.sim.price("57500.00")
    told = reconciled(bought)
    assert told.code == 40
    assert "fill" in kinds(told)
    assert stop["client_order_id"] not in [one["client_order_id"] for one in bought.sim.open_orders()]
    done = reconciled(bought, "--apply")
    assert (done.code, kinds(done)) == (0, [])
    assert bought.inside("positions", "--json").data["positions"] == []
    assert bought.checked().wrong == ()


def test_without_a_network_nothing_is_known_and_nothing_is_changed(bought: Live) -> None:
    rows = journal_rows(bought)
    bought.sim.fault({"kind": "5xx_before"})
    done = reconciled(bought, "--apply")
    assert done.code == 30, done.err
    bought.sim.cleared()
    assert journal_rows(bought) == rows
    assert not (bought.state / "backups").exists()


def test_it_waits_for_nobody_who_holds_the_state(bought: Live) -> None:
    from trader_core.ops.lock import StateLock

    with StateLock(bought.state / "live.lock"):
        assert reconciled(bought, "--apply").code == 14


def test_on_paper_account_and_ledger_agree(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=[100.0] * 4 + [101.0 + n for n in range(9)])
    world.configured(policy__orders__maker_ttl_bars=0).run(6)
    own = ("--mode", "PAPER", "--venue", "simulated", "--state", world.state, "--config", world.config)
    before = world.facts()
    done = Inside(tmp_path)("reconcile", *own, "--data", world.data, "--json")
    assert (done.code, done.data["differences"]) == (0, [])
    assert world.facts() == before
    other = Inside(tmp_path)("reconcile", *own[2:], "--mode", "DRY_RUN", "--json")
    assert other.code == 13


def test_while_an_order_is_unknown_no_cash_is_booked_and_then_its_fill_is(stage: Stage) -> None:
    """The money is gone already, and no list says what for: booked as a withdrawal it would be counted twice."""
    live = stage("BTC")
    live.sim.fault({"kind": "5xx_after", "path": r"/orders$", "count": 1}, {"kind": "list_lag", "ms": 60_000})
    live.sim.risen()
    assert live.cycle().code == 41
    _, flows = earned_and_paid_in(live)
    done = reconciled(live, "--apply", "--reason", "a guess")
    assert (done.code, done.data["applied"]) == (40, [])
    assert {"unknown order", "cash"} <= set(kinds(done))
    assert "not booked while orders are unknown" in done.err
    live.sim.cleared()
    late = reconciled(live, "--apply", "--reason", "a guess")
    assert "fill" in [one["kind"] for one in late.data["before"]]
    assert (late.data["applied"], kinds(late)) == ([], ["missing stop"])
    assert earned_and_paid_in(live)[1] == flows
    live.cycle()
    assert live.checked().wrong == ()


class Stale(ReadOnly):
    """Balances as they are now, orders as they were a minute ago, and no fill since."""

    def __init__(self, venue: VenueReader, orders: dict[str, OrderReport]) -> None:
        super().__init__(venue)
        self._orders = orders

    def orders(self, asked: Sequence[Order]) -> dict[str, OrderReport]:
        return self._orders

    def fills(self, cursor: str) -> tuple[Filled, ...]:
        return ()

    def marked(self) -> tuple[OrderReport, ...]:
        return tuple(self._orders.values())


def test_what_the_venue_no_longer_holds_back_is_not_booked_as_gone(bought: Live) -> None:
    """The stop has fired and the lists are late: its coins are not missing, and its proceeds are no deposit."""
    _, flows = earned_and_paid_in(bought)
    with bought.at_home(), open_system(Options()) as system:
        asked = [one for one in system.journal.book.orders.values() if one.is_open]
        stale = Stale(system.ports.reader, system.ports.reader.orders(asked))
        bought.sim.price("57500.00")
        late = replace(system.ports, reader=stale)
        done = settle_up(late, system.journal, system.journal.book.closed_ms, "a guess")
        assert (done.done, [one.is_open for one in system.journal.book.orders.values()][-1]) == ((), True)
        assert "not booked while orders are unknown" in done.why_not[0]
    assert earned_and_paid_in(bought)[1] == flows
    assert reconciled(bought, "--apply", "--reason", "a guess").data["applied"] == []
    assert bought.checked().wrong == ()
