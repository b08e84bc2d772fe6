"""What happens to real accounts, one scenario at a time: a plug pulled, lists that fail, answers that never come, two
programs at once. LIVE mode, over HTTP, judged by the venue's own file and the journal's rows."""

import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.beside import is_asked
from tests.cli.program import Done
from tests.live.conftest import Stage
from tests.live.faults import PROVING
from tests.live.stage import BAR_MS, MINUTE_MS, PRICES, SETTLED_MS, Live, Venue, now_ms, rewritten, staged, venue_served
from tests.ops.ntp import NtpServer
from trader_core.domain.clocktime import HOUR_MS, EpochMs
from trader_core.domain.facts import Fact, Intended
from trader_core.domain.values import replace
from trader_core.keyring import client_of, key_in_force
from trader_core.prove.checker import told_by
from trader_core.settings.load import load
from trader_core.worlds.live import REAL

ORDERS, CANCELS, LISTS = r"/orders$", r"/orders/batch_cancel$", r"/orders/historical/batch$"
BTC = "BTC-USD"
UNSEEN_MS = REAL.unseen_ms
PROMPT_S = 1.0  # how soon a waiting loop sees the latch
LOST = {"kind": "hang_after", "method": "POST", "path": ORDERS, "count": 1}


def waited(what: Callable[[], Any], seconds: float) -> Any:
    """What it says, once that is something."""
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def holding(live: Live, *products: str) -> Live:
    """Positions in BTC, or in these, with their stops at the venue."""
    live.sim.risen(*products)
    done = live.cycle()
    assert (done.code, done.data["positions"], done.data["unprotected"]) == (0, len(products) or 1, []), done.err
    return live


def facts(journal: Path, kind: str) -> list[Any]:
    if not journal.exists():
        return []
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = 'journal'").fetchall():
            return []  # it is being made
        rows = db.execute("SELECT body FROM journal WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    return [json.loads(body) for (body,) in rows]


def roles(live: Live, role: str) -> list[str]:
    """Our ids of every order of that role that was ever intended."""
    return [one for one, terms in told_by(live.journal).intents.items() if terms[2] == role]


# --- a plug is pulled ------------------------------------------------------------------------------------------------


def test_t1_a_kill_file_while_three_entries_rest_and_the_loop_waits(stage: Stage) -> None:
    live = stage("BTC", "ETH", "SOL", policy__orders__maker_ttl_bars=9)
    live.sim.risen(BTC, "ETH-USD", "SOL-USD")
    running = live.start("run")
    try:
        assert waited(lambda: len(live.sim.open_orders()) == 3 and facts(live.journal, "cycle_closed"), 30)
        began = time.monotonic()
        (live.state / "KILL_SWITCH").touch()
        assert waited(lambda: facts(live.journal, "halt_changed"), 5)
        seen_s = time.monotonic() - began
        assert waited(lambda: live.sim.open_orders() == [], 10)
        assert waited(lambda: len(facts(live.journal, "cycle_closed")) > 1, 10)
        assert time.monotonic() - began < 10
    finally:
        running.send_signal(signal.SIGTERM)
        _, err = running.communicate(timeout=20)
    assert seen_s < PROMPT_S, err
    checked = live.checked()
    assert (checked.wrong, checked.working, checked.unresolved) == ((), {}, ())
    (live.state / "KILL_SWITCH").unlink()
    live.sim.risen(BTC, "ETH-USD", "SOL-USD")
    after = live.cycle()
    assert (after.code, after.data["halt_state"], after.data["placed"]) == (21, "KILLED", 0)


# --- lists that fail -------------------------------------------------------------------------------------------------


def test_t4_lists_that_fail_while_orders_work_close_entries_and_change_nothing(stage: Stage) -> None:
    live = holding(stage("BTC", "ETH"), BTC, "ETH-USD")
    working = live.checked().working
    assert len(working) == 2
    live.sim.fault({"kind": "5xx_before", "path": LISTS})
    done = live.cycle()
    assert (done.code, done.data["placed"]) == (30, 0)
    assert "503" in done.data["problem"]
    assert live.checked().working == working
    assert live.checked().wrong == ()
    live.sim.cleared()
    assert live.cycle().code == 0


# --- answers that never come -----------------------------------------------------------------------------------------


def test_v10_an_exit_that_met_a_503_is_looked_for_and_sent_once_more_byte_for_byte(stage: Stage) -> None:
    live = holding(stage())
    live.sim.price("95000.00")
    live.sim.fault(
        {"kind": "5xx_before", "method": "POST", "path": ORDERS, "count": 1},
        {"kind": "5xx_before", "method": "GET", "path": LISTS, "after": 2, "count": 2},
    )
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, 0), done.err
    assert live.sim.fired() == 3
    (exit_,) = roles(live, "EXIT")
    checked = live.checked()
    assert (checked.wrong, checked.venue_orders[exit_], told_by(live.journal).sends[exit_]) == ((), 1, 2)


def test_v10_nothing_is_sent_a_third_time_and_an_entry_not_even_twice(stage: Stage) -> None:
    live = holding(stage())
    live.sim.price("95000.00")
    live.sim.fault({"kind": "5xx_before", "method": "POST", "path": ORDERS})
    assert [live.cycle().code for _ in range(3)] == [41, 41, 41]
    assert live.sim.fired() == 2
    assert set(told_by(live.journal).sends.values()) == {1, 2}


def test_v10_an_entry_that_met_a_503_is_never_repeated(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.fault({"kind": "5xx_before", "method": "POST", "path": ORDERS, "count": 1})
    assert [live.cycle().code for _ in range(2)] == [41, 41]
    assert live.sim.fired() == 1
    assert live.checked().venue_orders == {}


def test_a_second_refusal_says_nothing_of_the_first_sending(stage: Stage) -> None:
    """The exit arrived, no list shows it, and the key is turned away when it is sent again: its fate stays unknown."""
    live = holding(stage())
    live.sim.price("95000.00")
    live.sim.fault(
        {"kind": "5xx_after", "method": "POST", "path": ORDERS, "nth": 1},
        {"kind": "429_json", "method": "POST", "path": ORDERS, "after": 1},
        {"kind": "list_lag", "ms": 60_000},
    )
    done = live.cycle()
    assert (done.code, [one["role"] for one in done.data["not_placed"]]) == (41, ["EXIT"]), done.data
    (exit_,) = roles(live, "EXIT")
    assert live.checked().unresolved == (exit_,)
    live.sim.cleared()
    assert live.settled().code == 0
    checked = live.checked()
    assert (checked.wrong, checked.unresolved, bool(checked.held[BTC])) == ((), (), False)


def cut_off_before_its_cancel(live: Live) -> str:
    """A position beside half a coin that is not ours. Whoever sells it is killed while the cancel of its stop has not
    arrived; the id of its exit."""
    holding(live).sim.admin("deposit", currency="BTC", amount="0.5")
    live.sim.price("95000.00")
    live.sim.fault({"kind": "hang_before", "method": "POST", "path": CANCELS})
    running = live.start("run-cycle")
    assert waited(lambda: roles(live, "EXIT") and live.sim.fired(), 20)
    running.kill()
    running.communicate(timeout=20)
    live.sim.cleared()
    assert [one["side"] for one in live.sim.open_orders()] == ["SELL"], "its stop"
    (exit_,) = roles(live, "EXIT")
    return exit_


def coins(live: Live) -> Decimal:
    """Of all that is in the account, ours or not."""
    (btc,) = [one for one in live.sim.state()["accounts"] if one["currency"] == "BTC"]
    return Decimal(btc["available_balance"]["value"]) + Decimal(btc["hold"]["value"])


def test_an_exit_that_was_cut_off_before_its_stop_was_canceled_cancels_it_first(stage: Stage) -> None:
    live = stage()
    exit_ = cut_off_before_its_cancel(live)
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, 0), done.err
    checked = live.checked()
    assert (checked.wrong, checked.working, checked.venue_orders[exit_]) == ((), {}, 1)
    assert (coins(live), told_by(live.journal).sends[exit_]) == (Decimal("0.5"), 2)


def test_an_exit_that_was_cut_off_stays_unsent_while_its_stop_cannot_be_canceled(stage: Stage) -> None:
    live = stage()
    exit_ = cut_off_before_its_cancel(live)
    before = coins(live)
    live.sim.fault({"kind": "5xx_before", "method": "POST", "path": CANCELS})
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (41, 1), done.err
    assert (live.checked().wrong, exit_ in live.checked().venue_orders, coins(live)) == ((), False, before)
    live.sim.cleared()
    assert (live.settled().code, live.checked().wrong, coins(live)) == (0, (), Decimal("0.5"))


def test_an_exit_that_was_cut_off_is_not_sent_again_where_its_stop_has_sold(stage: Stage) -> None:
    """What it would sell now is somebody else's."""
    live = stage()
    exit_ = cut_off_before_its_cancel(live)
    (stop,) = live.sim.open_orders()
    shape = stop["order_configuration"]["stop_limit_stop_limit_gtc"]
    live.sim.price(f"{(Decimal(shape['stop_price']) + Decimal(shape['limit_price'])) / 2:.2f}")
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (41, 0), done.err
    assert (live.checked().wrong, exit_ in live.checked().venue_orders, coins(live)) == ((), False, Decimal("0.5"))


def test_an_exit_that_was_cut_off_is_not_sent_again_after_a_kill(stage: Stage) -> None:
    """Its stop is canceled already; what is killed sells nothing but by a stop."""
    live = holding(stage())
    live.sim.price("95000.00")
    live.sim.fault({"kind": "hang_before", "method": "POST", "path": ORDERS})
    running = live.start("run-cycle")
    assert waited(lambda: roles(live, "EXIT") and live.sim.fired(), 20)
    running.kill()
    running.communicate(timeout=20)
    live.sim.cleared()
    (live.state / "KILL_SWITCH").touch()
    done = live.cycle()
    (exit_,) = roles(live, "EXIT")
    assert (done.code, done.data["positions"], exit_ in live.checked().venue_orders) == (41, 1, False), done.data
    assert (told_by(live.journal).sends[exit_], live.checked().wrong) == (1, ())


# --- part of an order ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not PROVING, reason="waits for a bar to close: make prove-faults")
def test_v12_of_an_entry_filled_to_89_percent_only_the_rest_is_ordered_again(stage: Stage) -> None:
    live = stage(policy__orders__maker_ttl_bars=1, policy__cycle__base_bar_min=1)
    live.sim.risen(bar_ms=MINUTE_MS)
    live.sim.fault({"kind": "partial_fill", "fraction": "0.89", "side": "BUY", "count": 1})
    assert live.cycle().data["positions"] == 1
    (entry,) = roles(live, "ENTRY")
    asked = Decimal(told_by(live.journal).intents[entry][4])
    part = live.checked()
    assert sorted(part.working.values()) == ["BUY", "SELL"]
    assert Decimal("0.889") * asked < part.held[BTC] <= Decimal("0.89") * asked
    while (now_ms() - SETTLED_MS) // MINUTE_MS == facts(live.journal, "cycle_closed")[-1][0] // MINUTE_MS:
        time.sleep(0.2)
    done = live.cycle()
    assert (done.code, done.data["unprotected"]) == (0, []), done.err
    _, child = roles(live, "ENTRY")
    assert Decimal(told_by(live.journal).intents[child][4]) == asked - part.held[BTC]
    whole = live.checked()
    assert (whole.wrong, whole.unresolved, whole.held[BTC], list(whole.working.values())) == ((), (), asked, ["SELL"])


# --- products and stops ----------------------------------------------------------------------------------------------


def test_t10_a_product_that_takes_only_cancels_gets_no_order_and_its_position_stays_as_it_is(stage: Stage) -> None:
    live = holding(stage())
    before = live.checked()
    live.sim.admin("product", product=BTC, flags={"cancel_only": True})
    live.sim.price("95000.00")
    for _ in range(2):
        done = live.cycle()
        assert (done.code, done.data["placed"]) == (30, 0)
        assert done.data["problem"] == "BTC-USD: it is held, and its market takes no order"
    after = live.checked()
    assert (after.wrong, after.venue_orders, after.working) == ((), before.venue_orders, before.working)
    live.sim.admin("product", product=BTC, flags={"cancel_only": False})
    assert (live.settled().code, bool(live.checked().held[BTC])) == (0, False)


def test_t10_a_product_that_takes_only_cancels_is_not_bought(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.admin("product", product=BTC, flags={"cancel_only": True})
    done = live.cycle()
    assert (done.data["placed"], live.checked().venue_orders) == (0, {})


def test_a_product_that_the_account_may_only_look_at_is_not_bought(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.admin("product", product=BTC, flags={"view_only": True})
    done = live.cycle()
    assert (done.code, done.data["placed"], live.checked().venue_orders) == (0, 0, {})
    assert told_by(live.journal).intents == {}, "the venue was not even tried"


def test_v13_a_position_whose_stop_is_refused_three_times_is_sold_and_its_coin_banned(stage: Stage) -> None:
    live = stage(policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    assert live.cycle().data["placed"] == 1
    live.sim.fault({"kind": "5xx_before", "status": 400, "method": "POST", "path": ORDERS, "side": "SELL"})
    live.sim.price("60500.00")
    codes = [live.cycle().code for _ in range(3)]
    assert set(codes) == {42}
    assert len(roles(live, "STOP")) == 3
    live.sim.cleared()
    done = live.cycle()
    assert done.data["positions"] == 0
    assert list(done.data["bans"]) == ["BTC"]
    assert {terms[7] for terms in told_by(live.journal).intents.values() if terms[2] == "EXIT"} == {"unprotected"}
    entries = roles(live, "ENTRY")
    live.sim.risen()
    assert live.cycle().data["placed"] == 0
    assert roles(live, "ENTRY") == entries
    assert live.checked().wrong == ()


# --- clocks ----------------------------------------------------------------------------------------------------------


def test_t15_a_clock_that_is_behind_closes_entries_and_leaves_stops(stage: Stage) -> None:
    live = stage()
    (live.state / "clock.json").unlink()
    for server in live.servers:
        server.skew_ms = -300.0
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["placed"]) == (12, 0)
    assert any("ms" in one for one in done.data["objections"])
    assert live.checked().venue_orders == {}


def test_t15_time_servers_that_are_silent_when_the_hour_is_over_close_entries(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader_core.ops.clock_drift.TIMEOUT_S", 0.5)
    live = stage()
    kept = json.loads((live.state / "clock.json").read_text())
    kept["reading"]["measured_ms"] -= 5 * HOUR_MS
    kept["began_ms"] -= 5 * HOUR_MS
    (live.state / "clock.json").write_text(json.dumps(kept))
    live.sim.risen()
    for server in live.servers:
        server.silent = True
    try:
        done = live.cycle()
    finally:
        for server in live.servers:
            server.silent = False
    assert (done.code, done.data["placed"]) == (12, 0)
    assert "the time is unknown" in str(done.data["objections"])


# --- another mode, and a process that dies ---------------------------------------------------------------------------


def test_t9_a_dry_run_between_two_live_runs_leaves_the_live_state_as_it_was(stage: Stage) -> None:
    live = holding(stage())
    before = _digest(live.journal)
    live.configured(mode="DRY_RUN")
    assert live("run-cycle", "--json").code == 0
    assert live.inside("preview").code == 0
    assert _digest(live.journal) == before
    assert not list(live.state.glob("live.db-*"))
    live.configured(mode="LIVE")
    assert live.cycle().code == 0
    assert live.checked().wrong == ()


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("after_s", [0.15, 0.45, 0.75, 1.05] if PROVING else [0.6])
def test_t17_a_program_killed_while_it_sends_knows_afterwards_what_became_of_it(stage: Stage, after_s: float) -> None:
    """Three entries, each with an answer that takes its time; the process dies somewhere in between."""
    live = stage("BTC", "ETH", "SOL")
    live.sim.risen(BTC, "ETH-USD", "SOL-USD")
    live.sim.fault({"kind": "latency", "ms": 400, "phase": "after", "method": "POST", "path": ORDERS})
    running = live.start("run-cycle", "--json")
    assert waited(lambda: facts(live.journal, "intended"), 30)
    time.sleep(after_s)
    running.kill()
    running.communicate(timeout=20)
    intended = set(told_by(live.journal).intents)
    live.sim.cleared()
    waited(lambda: len([one for one in live.truth if one["kind"] == "order"]) == 3, 1)
    done = live.cycle()
    assert done.code in (0, 41), done.err
    checked = live.checked()
    assert checked.wrong == ()
    assert intended <= set(told_by(live.journal).intents)
    assert not set(checked.unresolved) & set(checked.venue_orders)
    held = {product for product, size in checked.held.items() if size}
    assert len(checked.working) == len(held)
    assert set(checked.working.values()) <= {"SELL"}
    entries = set(roles(live, "ENTRY"))
    assert entries == entries & intended


# --- what nobody ever saw --------------------------------------------------------------------------------------------


def aged(live: Live, by_ms: int) -> None:
    """The same journal, its orders decided and written down so much earlier."""

    def earlier(fact: Fact) -> Fact:
        if not isinstance(fact, Intended):
            return fact
        return replace(fact, host_ms=EpochMs(fact.host_ms - by_ms), at_ms=EpochMs(fact.at_ms - by_ms))

    rewritten(live, earlier)


def test_an_entry_that_no_list_shows_is_over_when_the_lists_have_had_their_time(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.fault({"kind": "5xx_before", "method": "POST", "path": ORDERS, "count": 1})
    assert live.cycle().code == 41
    aged(live, UNSEEN_MS // 2)
    assert live.cycle().code == 41
    aged(live, UNSEEN_MS // 2)
    assert live.cycle().code == 0
    assert told_by(live.journal).notes == ["the venue never saw it"]
    assert live.checked().venue_orders == {}


def test_an_exit_sent_twice_is_waited_for_twice_as_long_and_then_made_anew(stage: Stage) -> None:
    live = holding(stage())
    live.sim.price("95000.00")
    live.sim.fault({"kind": "5xx_before", "method": "POST", "path": ORDERS})
    assert live.cycle().code == 41
    live.sim.cleared()
    aged(live, UNSEEN_MS)
    assert live.cycle().code == 41
    aged(live, UNSEEN_MS)
    code, found = live.cycle().code, live.checked(granted=False)  # its journal is older now than its grant
    assert (code, bool(found.held[BTC]), found.wrong) == (0, False, ())
    assert len(roles(live, "EXIT")) == 2


# --- quote-sized fills -----------------------------------------------------------------------------------------------


def test_t6_a_fill_told_in_quote_is_the_base_that_was_filled(stage: Stage, venue: Venue) -> None:
    """No order of ours is sized in quote; one of our mark that is, is read as what it filled."""
    live = stage()
    live.sim.price("60000.00")
    live.sim.fault({"kind": "fills_in_quote"})
    ours = "7adeca5e-0000-5000-8000-00000000000a"
    venue.admin("orders", client_order_id=ours, product_id=BTC, side="BUY",
                order_configuration={"market_market_ioc": {"quote_size": "500"}})  # fmt: skip
    with live.at_home():
        client = client_of(load(live.config), live.state, key_in_force(load(live.config), live.state))
        fills, strange = client.fills_since(EpochMs(now_ms() - MINUTE_MS))
    true = [one for one in live.truth if one["kind"] == "fill"]
    assert strange == ()
    assert [(str(one.quantity), str(one.price)) for one in fills] == [(one["size"], one["price"]) for one in true]
    assert sum(one.value + one.commission for one in fills) <= 500


# --- two at once -----------------------------------------------------------------------------------------------------


def test_t18_of_two_starts_in_one_second_one_trades(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    both = [live.start("run-cycle", "--json") for _ in range(2)]
    codes = sorted(one.wait(60) for one in both)
    for one in both:
        one.communicate()
    assert codes == [0, 14]
    checked = live.checked()
    assert (checked.wrong, len(roles(live, "ENTRY"))) == ((), 1)


def test_t18_two_hosts_with_one_key_see_each_other_and_both_stop_buying(stage: Stage, tmp_path: Path) -> None:
    """Both buy before the venue's lists show either of them the other's order; one cycle later both have stopped."""
    first = stage("BTC", "ETH", "SOL")
    second = first.twin(tmp_path / "other").armed()
    first.sim.fault({"kind": "list_lag", "ms": 60_000})
    first.sim.risen()
    for host in (first, second):
        assert host.cycle().data["placed"] >= 1
    first.sim.cleared()
    first.sim.risen("ETH-USD", "SOL-USD")
    for host in (first, second):
        done = host.cycle()
        assert done.code == 40
        assert "another one uses this account" in done.data["discrepancies"]["orders"]
        assert [one["role"] for one in done.data["orders"] if one["role"] == "ENTRY"] == []


def test_two_machines_that_run_copies_of_one_account_book_no_order_of_each_other(stage: Stage, tmp_path: Path) -> None:
    """Both number on from the same intent, so that the venue answers the second with the order of the first: of another
    coin, at a twentieth of the price of the one that it wanted. A person brings some of that."""
    first = stage("BTC", "ETH")
    first.sim.fault({"kind": "truncated_json", "path": "/products"})
    assert first.cycle().code == 30, "an account without a decision"
    (first.state / "buckets.db").unlink()  # and its breakers: the venue is well again
    second = first.twin(tmp_path / "other")
    second.configured()
    shutil.copytree(first.state, second.state)
    first.sim.fault({"kind": "list_lag", "ms": 60_000})
    for host, coin, other in ((first, "ETH-USD", BTC), (second, BTC, "ETH-USD")):
        flat, _ = PRICES[other]
        host.sim.admin("price", product=other, path=[{"after_ms": -7 * BAR_MS, "price": flat}])
        host.sim.risen(coin)
        entry, *_ = host.cycle().data["orders"]
        assert (entry["symbol"], entry["role"]) == (coin, "ENTRY")
    assert facts(second.journal, "acknowledged") == [], "nor may it ever cancel that one"
    first.sim.cleared()
    first.sim.admin("balances", BTC="2")
    for _ in range(2):
        done = second.cycle()
        assert (done.code, done.data["fills"], done.data["positions"], done.data["orders"]) == (41, [], 0, [])
        assert "another one uses this account" in done.data["discrepancies"]["orders"]
    told = second.inside("reconcile", "--json").data["differences"]
    assert any(one["kind"] == "stranger" for one in told)
    assert first.cycle().data["positions"] == 1, "and its own is looked after by the first"
    (order,) = first.sim.open_orders()
    assert (order["product_id"], order["side"]) == ("ETH-USD", "SELL")


# --- what is waited for beside all these -----------------------------------------------------------------------------

Begun = tuple[Live, "subprocess.Popen[str]"]
T5 = "test_t5_and_v11_an_order_whose_answer_is_lost_is_adopted_by_its_id"


@pytest.fixture(scope="module", autouse=True)
def losing(
    request: pytest.FixtureRequest, servers: list[NtpServer], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Begun | None]:
    """A cycle that waits ten seconds for an answer, on a venue of its own. None where its test is not asked for."""
    if not is_asked(request, T5):
        yield None
        return
    folder = tmp_path_factory.mktemp("losing")
    with venue_served(folder) as venue:
        (folder / "home").mkdir()
        live = staged(folder / "home", venue, servers)
        live.sim.risen()
        live.sim.fault(LOST)
        running = live.start("run-cycle", "--json")
        yield live, running
        running.communicate(timeout=30)


@pytest.fixture
def lost(losing: Begun) -> tuple[Live, Done]:
    """That account, and what its cycle said in the end."""
    live, running = losing
    out, err = running.communicate(timeout=30)
    return live, Done(running.returncode, out, err)


def test_t5_and_v11_an_order_whose_answer_is_lost_is_adopted_by_its_id(lost: tuple[Live, Done]) -> None:
    live, done = lost
    assert (done.code, done.data["positions"], done.data["unprotected"]) == (0, 1, []), done.err
    (entry,) = roles(live, "ENTRY")
    checked = live.checked()
    assert (checked.wrong, checked.unresolved, checked.venue_orders[entry]) == ((), (), 1)
    assert told_by(live.journal).sends[entry] == 1
    assert list(checked.working.values()) == ["SELL"]
