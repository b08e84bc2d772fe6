"""Selling everything because a person wants it: stops first, in slices, flat or told why not, nothing bought back."""

import os
import pty
import shlex
import sqlite3
import subprocess
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.cli.program import START, Done, Inside
from tests.live.conftest import Stage
from tests.live.stage import Live, Venue
from tests.live.test_scenarios import waited
from tests.world import World
from trader_core.domain.halt import HaltState
from trader_core.engine import liquidate as selling
from trader_core.hand import liquidated

ORDERS = r"/orders$"


def sold(live: Live, *words: str | Path) -> Done:
    return live.inside("liquidate", *words, "--json")


def exits(live: Live) -> list[dict[str, Any]]:
    """Accepted orders that sell at once, as the venue's own file has them."""
    return [one for one in live.truth if one["kind"] == "order" and "sor_limit_ioc" in one["order_configuration"]
            and one["side"] == "SELL"]  # fmt: skip


# --- LIVE ------------------------------------------------------------------------------------------------------------


def test_everything_is_sold_the_stop_first_and_nothing_is_bought_back(bought: Live) -> None:
    (stop,) = bought.sim.open_orders()
    done = bought("liquidate", "--yes", "--json")
    assert (done.code, done.data["flat"], done.data["left"]) == (0, True, []), done.err
    assert [one["symbol"] for one in done.data["sold"]] == ["BTC-USD"]
    assert (done.data["halt_state"], done.data["halt_reason"], done.data["trading"]) == (
        "TRIPPED", "liquidation", "REDUCING",
    )  # fmt: skip
    assert bought.sim.open_orders() == []
    over = [one["client_order_id"] for one in bought.truth if one["kind"] == "state" and one["state"] == "cancelled"]
    lines = [one for one in bought.truth if one["client_order_id"] in (stop["client_order_id"], *_ids(bought))]
    canceled = next(n for n, one in enumerate(lines) if one["client_order_id"] in over and one["kind"] == "state")
    ordered = next(n for n, one in enumerate(lines) if one["client_order_id"] in _ids(bought))
    assert canceled < ordered
    bought.sim.risen()
    after = bought.cycle()
    assert (after.code, after.data["placed"], after.data["positions"]) == (21, 0, 0)
    assert bought.checked().wrong == ()
    assert [one["exit_reason"] for one in bought.inside("trades", "--json").data["trades"]] == ["liquidation"]


def _ids(live: Live) -> list[str]:
    return [one["client_order_id"] for one in exits(live)]


def test_a_thin_book_is_sold_in_slices(bought: Live) -> None:
    bought.sim.fault({"kind": "partial_fill", "fraction": "0.4", "count": 2})
    done = sold(bought, "--yes")
    assert (done.code, done.data["flat"]) == (0, True), done.err
    assert len(exits(bought)) == 3
    assert bought.checked().wrong == ()


@pytest.mark.parametrize("killed", [False, True])
def test_it_sells_whatever_closes_entries(bought: Live, killed: bool) -> None:
    if killed:
        (bought.state / "KILL_SWITCH").touch()
    else:
        assert bought.inside("disarm").code == 0
        assert bought.inside("halt", "trip", "--reason", "a look").code == 0
    done = sold(bought, "--yes")
    assert (done.code, done.data["flat"]) == (0, True), done.err
    assert done.data["halt_state"] == ("KILLED" if killed else "TRIPPED")
    assert killed or done.data["halt_reason"] == "a look; liquidation"
    assert bought.checked().wrong == ()


def test_what_the_venue_refuses_is_told_and_not_insisted_on(bought: Live) -> None:
    bought.sim.admin("product", product="BTC-USD", flags={"cancel_only": True})
    done = sold(bought, "--yes")
    assert (done.code, done.document["exit_name"], done.data["flat"]) == (50, "INCOMPLETE", False)
    assert "BTC-USD: the market takes no order now" in done.err
    assert "nothing moved in" in done.data["stopped"]
    assert [one["symbol"] for one in done.data["left"]] == ["BTC-USD"]
    assert exits(bought) == []
    bought.sim.admin("product", product="BTC-USD", flags={"cancel_only": False})
    assert sold(bought, "--yes").code == 0
    assert bought.checked().wrong == ()


def test_an_order_whose_answer_is_lost_is_sold_once(bought: Live) -> None:
    bought.sim.fault({"kind": "5xx_after", "path": ORDERS, "count": 1})
    done = sold(bought, "--yes")
    assert (done.code, done.data["flat"]) == (0, True), done.err
    assert len(exits(bought)) == 1
    assert bought.checked().wrong == ()


@pytest.fixture
def unanswered(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Live:
    """Orders arrive, their answers do not, and no list shows them. Nobody waits long for what does not move."""
    monkeypatch.setattr(selling, "FRUITLESS_MAX", 1)
    live = stage("BTC")
    live.sim.risen()
    live.sim.fault({"kind": "5xx_after", "path": ORDERS}, {"kind": "list_lag", "ms": 60_000})
    return live


def test_a_purchase_of_which_nobody_knows_leaves_the_account_not_flat(unanswered: Live) -> None:
    """Nothing is held, by all that is known."""
    assert unanswered.cycle().code == 41
    done = sold(unanswered, "--yes")
    assert (done.code, done.data["flat"], done.data["left"], done.data["pending"]) == (50, False, [], ["BTC-USD"])
    unanswered.sim.cleared()
    done = sold(unanswered, "--yes")
    assert (done.code, done.data["flat"]) == (0, True), done.err
    assert unanswered.checked().wrong == ()


def test_a_decision_is_exported_once_nothing_can_come_of_it_any_more(stage: Stage, tmp_path: Path) -> None:
    """What is ordered between two bars stands in the newest decision's record, which had no order until then."""
    live = stage("BTC")
    live.sim.price("60000.00")
    assert live.cycle().code == 0

    def exported() -> Done:
        return live.inside("decisions", "export", tmp_path / "out", "--json")

    assert exported().data["left"] == 1
    live.sim.admin("deposit", currency="ETH", amount="2")
    assert sold(live, "--yes", "--asset", "ETH").code == 0
    again = exported()
    assert (again.code, again.data["written"], again.data["left"]) == (0, 0, 1), again.err


def test_coins_that_may_still_be_sold_are_not_handed_back(unanswered: Live) -> None:
    """Handed back, what their sale brings would be of coins that the ledger never had."""
    unanswered.sim.admin("deposit", currency="ETH", amount="2")
    done = sold(unanswered, "--yes", "--asset", "ETH")
    assert (done.code, done.data["pending"]) == (50, ["ETH-USD"]), done.err
    assert len(exits(unanswered)) == 1
    unanswered.sim.cleared()
    after = unanswered.cycle()
    assert (after.code, after.data["discrepancies"], after.data["positions"]) == (21, {}, 0), after.err


def test_a_sale_that_breaks_off_after_an_order_does_not_say_that_nothing_was_sent(
    bought: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader_core.store.sqlite.BUSY_TIMEOUT_MS", 200)
    bought.sim.fault({"kind": "latency", "ms": 2_000, "phase": "after", "path": ORDERS, "count": 1})
    over = Event()

    def hold() -> None:
        assert waited(lambda: exits(bought), 20)
        with closing(sqlite3.connect(bought.journal, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            over.wait(20)

    holder = Thread(target=hold)
    holder.start()
    done = sold(bought, "--yes")
    over.set()
    holder.join()
    assert done.code == 14 and "may have been sent" in done.data["error"]["safe"], done.err
    assert bought.settled().code == 21 and bought.checked().wrong == ()


def test_coins_that_are_not_ours_are_sold_by_name_alone(bought: Live, tmp_path: Path) -> None:
    own = Decimal(bought.inside("positions", "--json").data["positions"][0]["quantity"])
    bought.sim.admin("deposit", currency="BTC", amount="0.02")
    bought.sim.admin("deposit", currency="ETH", amount="2")
    flat = sold(bought, "--yes")
    assert (flat.code, [Decimal(one["quantity"]) for one in flat.data["sold"]]) == (0, [own])
    planned = sold(bought, "--plan", tmp_path / "plan.json", "--asset", "eth").data["foreign"]
    assert [(one["symbol"], one["quantity"]) for one in planned] == [("ETH-USD", "2")]
    done = sold(bought, "--yes", "--asset", "eth")
    assert (done.code, [(one["symbol"], one["quantity"]) for one in done.data["sold"]]) == (0, [("ETH-USD", "2")])
    left = {one["currency"]: one["available_balance"]["value"] for one in bought.sim.state()["accounts"]}
    assert [Decimal(left["BTC"]), Decimal(left["ETH"])] == [Decimal("0.02"), 0]
    pnl = bought.inside("pnl", "--by", "symbol", "--json").data
    of_eth = next(one for one in pnl["rows"] if one["key"] == "ETH-USD")
    assert Decimal(of_eth["realised"]) < 0  # the fee and the spread: what the coins were worth is no gain
    assert abs(Decimal(of_eth["realised"])) < Decimal(of_eth["fees"]) * 2
    assert bought.inside("reconcile").code == 0
    gone = sold(bought, "--yes", "--asset", "ETH")
    assert (gone.code, "no ETH" in gone.err) == (20, True)


def test_coins_that_were_handed_back_are_taken_over_again_by_the_next_try(bought: Live) -> None:
    """Within the same bar, and with nothing sent in between. What was asked for and not sold is not flat."""
    bought.sim.admin("deposit", currency="ETH", amount="2")
    assert sold(bought, "--yes").code == 0
    bought.sim.admin("product", product="ETH-USD", flags={"cancel_only": True})
    done = sold(bought, "--yes", "--asset", "ETH")
    assert (done.code, done.data["flat"], done.data["sold"]) == (50, False, [])
    assert [(one["symbol"], one["quantity"]) for one in done.data["left"]] == [("ETH-USD", "2")]
    assert bought.inside("positions", "--json").data["positions"] == []
    bought.sim.admin("product", product="ETH-USD", flags={"cancel_only": False})
    done = sold(bought, "--yes", "--asset", "ETH")
    assert (done.code, [(one["symbol"], one["quantity"]) for one in done.data["sold"]]) == (0, [("ETH-USD", "2")])


def test_coins_of_the_bot_are_sold_before_those_of_the_same_kind_that_are_not_ours(bought: Live) -> None:
    """What was paid for the one is no part of what the other was worth, also where nothing can be sold."""
    own = bought.inside("positions", "--json").data["positions"]
    bought.sim.admin("deposit", currency="BTC", amount="0.02")
    bought.sim.admin("product", product="BTC-USD", flags={"cancel_only": True})
    done = sold(bought, "--yes", "--asset", "BTC")
    assert (done.code, done.data["flat"], done.data["sold"]) == (50, False, []), done.err
    (left,) = bought.inside("positions", "--json").data["positions"]
    assert all(left[name] == own[0][name] for name in ("quantity", "cost", "fees"))
    assert bought.inside("pnl", "--json").data["total"]["realised"] == "0"
    bought.sim.admin("product", product="BTC-USD", flags={"cancel_only": False})
    done = sold(bought, "--yes", "--asset", "BTC")
    assert (done.code, [one["quantity"] for one in done.data["sold"]]) == (0, [own[0]["quantity"], "0.02"]), done.err
    trades = bought.inside("trades", "--json").data["trades"]
    assert [(one["quantity"], one["strategy"]) for one in trades] == [(own[0]["quantity"], "sma_cross"), ("0.02", "")]
    assert bought.inside("reconcile").code == 0


def test_dust_is_named_and_left(bought: Live) -> None:
    bought.sim.price("100.00")
    done = sold(bought, "--yes")
    assert (done.code, done.data["flat"], done.data["sold"]) == (0, True, []), done.err
    (left,) = done.data["left"]
    assert (left["symbol"], left["is_dust"]) == ("BTC-USD", True)
    assert "BTC-USD: dust: less than the venue's smallest order of 1 USD" in done.err


# --- plans -----------------------------------------------------------------------------------------------------------


def test_a_plan_is_only_kept_as_long_as_it_holds(bought: Live, tmp_path: Path) -> None:
    plan = tmp_path / "sell.json"
    nowhere = sold(bought, "--plan", tmp_path)
    assert (nowhere.code, f"--plan {tmp_path} cannot be written" in nowhere.err) == (2, True), nowhere.err
    written = sold(bought, "--plan", plan)
    assert (written.code, written.data["positions"][0]["symbol"]) == (0, "BTC-USD")
    assert exits(bought) == []
    bought.sim.price("59000.00")
    fallen = sold(bought, "--plan", plan, "--yes")
    assert (fallen.code, "BTC-USD is bid at" in fallen.err) == (22, True)
    assert bought.inside("halt", "show", "--json").data["state"] == "ARMED"
    plan.write_text(plan.read_text().replace('"quantity": "0', '"quantity": "9'))
    changed = sold(bought, "--plan", plan, "--yes")
    assert (changed.code, "changed after it was written" in changed.err) == (2, True)
    bought.sim.price("60600.00")
    bought.sim.admin("deposit", currency="ETH", amount="1")
    assert sold(bought, "--plan", plan, "--asset", "ETH").code == 0
    done = sold(bought, "--plan", plan, "--yes")
    assert (done.code, sorted(one["symbol"] for one in done.data["sold"])) == (0, ["BTC-USD", "ETH-USD"])
    again = sold(bought, "--plan", plan, "--yes")
    assert (again.code, "cycles were run" in again.err) == (22, True)
    assert bought.inside("reconcile").code == 0


def test_a_person_is_asked_on_a_terminal_and_nobody_elsewhere(bought: Live) -> None:
    told = sold(bought)
    assert (told.code, "there is no terminal to ask on" in told.err) == (2, True)
    assert "BTC-USD" in told.err
    answers = [_answered(bought, word) for word in ("n", "y")]
    assert [one.code for one in answers] == [20, 0]
    assert "Sell all of this now?" in answers[0].err
    assert bought.checked().held["BTC-USD"] == 0


def _answered(live: Live, word: str) -> Done:
    """The command on a terminal of its own."""
    outer, inner = pty.openpty()
    running = subprocess.Popen(
        [*START, "liquidate"], stdin=inner, stdout=inner, stderr=inner, env=live.environment, cwd=live.home
    )
    os.close(inner)
    os.write(outer, f"{word}\n".encode())
    told = b""
    try:
        while chunk := os.read(outer, 4096):
            told += chunk
    except OSError:  # the other end has hung up
        pass
    os.close(outer)
    return Done(running.wait(60), "", told.decode())


def test_without_leave_and_without_an_account_nothing_is_sent(stage: Stage, venue: Venue) -> None:
    live = stage("BTC")
    (live.state / "permits.db").unlink()
    assert live.inside("liquidate", "--yes").code in (11, 20)
    dry = live.inside("liquidate", "--yes", "--mode", "DRY_RUN", "--venue", "simulated")
    assert (dry.code, "DRY_RUN has no account" in dry.err) == (20, True)
    assert [one for one in live.truth if one["kind"] == "order"] == []


# --- PAPER -----------------------------------------------------------------------------------------------------------

RISE = [100.0] * 4 + [101.0 + n for n in range(36)]


@pytest.fixture
def paper(tmp_path: Path) -> World:
    world = World(tmp_path).market(BTC=RISE).configured(policy__orders__maker_ttl_bars=0)
    reports = world.run(6)
    assert reports[-1].book.held == {"BTC-USD"}
    return world


def on_paper(world: World, command: str, *words: str | Path) -> Done:
    own = ("--mode", "PAPER", "--venue", "simulated", "--state", world.state, "--config", world.config)
    return Inside(world.root)(command, *own, "--data", world.data, "--json", *words)


@pytest.mark.parametrize("command", ["liquidate", "close-all-positions"])
def test_on_paper_the_sale_meets_the_next_bar(paper: World, command: str) -> None:
    before = paper.facts()
    done = on_paper(paper, command, "--yes")
    assert (done.code, done.data["flat"], done.data["rounds"]) == (0, True, 2), done.err
    assert done.data["halt_reason"] == "liquidation"
    assert len(paper.facts()) > len(before)
    report = paper.run(1)[-1]
    assert (report.book.held, report.placed) == (frozenset(), 0)


def test_what_to_type_next_sells_this_account_as_it_is_copied(paper: World, tmp_path: Path) -> None:
    """Without what was said it would sell the account that happens to be the usual one."""
    own = ("--mode", "PAPER", "--venue", "simulated", "--state", paper.state, "--config", paper.config)
    inside, plan = Inside(tmp_path), tmp_path / "my plan.json"
    told = inside("liquidate", *own, "--data", paper.data, "--plan", plan).out
    assert shlex.join(["trader", "halt", "reset", *map(str, own)]) in told
    done = inside(*shlex.split(told.partition("to sell: trader ")[2]), "--json")
    assert (done.code, done.data["flat"]) == (0, True), done.out + done.err


def test_a_kill_that_comes_in_between_ends_it_and_one_before_does_not(paper: World) -> None:
    def kills() -> bool:
        (paper.state / "KILL_SWITCH").touch()
        return False

    options = paper.options(since_ms=None)
    done = liquidated(options, (), None, kills)
    assert (done.is_flat, done.rounds, done.stopped) == (False, 0, "a kill came in between")
    again = liquidated(options, (), None, lambda: False)
    assert (again.is_flat, again.book.halt.state) == (True, HaltState.KILLED)


def test_whoever_asks_to_stop_is_heard_between_rounds(paper: World) -> None:
    asked = iter((False, True))
    done = liquidated(paper.options(since_ms=None), (), None, lambda: next(asked))
    assert (done.is_flat, done.rounds, done.pending) == (False, 1, ("BTC-USD",))
    assert done.stopped == "somebody asked to stop"


def test_on_a_real_venue_s_candles_a_resting_purchase_is_canceled_at_once(stage: Stage, tmp_path: Path) -> None:
    live = stage("BTC")
    live.configured(mode="PAPER")
    live.sim.risen()
    assert live.cycle().data["placed"] == 1
    planned = sold(live, "--plan", tmp_path / "plan.json").data["cancels"]
    assert planned == ["BTC-USD"]
    done = sold(live, "--yes")
    assert (done.code, done.data["flat"], done.data["halt_reason"]) == (0, True, "liquidation"), done.err
    assert live.inside("orders", "--json").data["orders"] == []
    assert [one for one in live.truth if one["kind"] == "order"] == []


def test_at_the_end_of_a_market_nothing_can_be_sold_any_more(paper: World) -> None:
    paper.run()
    done = on_paper(paper, "liquidate", "--yes")
    assert (done.code, "the market has ended" in done.err) == (23, True)


def test_coins_that_paper_cannot_sell_are_handed_back(tmp_path: Path) -> None:
    world = (
        World(tmp_path)
        .market(BTC=RISE, ETH=[50.0] * 40)
        .configured(app__paper__holdings={"ETH": 3}, policy__orders__maker_ttl_bars=0)
    )
    world.run(6)
    done = on_paper(world, "liquidate", "--yes", "--asset", "ETH")
    assert [one["symbol"] for one in done.data["sold"]] == ["BTC-USD"]
    assert world.run(1)[-1].book.held == frozenset()
    assert on_paper(world, "reconcile").code == 0
