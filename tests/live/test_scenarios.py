"""What happens to real accounts, one scenario at a time: a plug pulled, lists that fail, answers that never come, two
programs at once. LIVE mode, over HTTP, judged by the venue's own file and the journal's rows."""

import hashlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.live.checker import told_by
from tests.live.conftest import Stage
from tests.live.stage import MINUTE_MS, Live, Venue, now_ms

ORDERS, LISTS = r"/orders$", r"/orders/historical/batch$"
BTC = "BTC-USD"
PROMPT_S = 1.0  # how soon a waiting loop sees the latch
LOST = {"kind": "hang_after", "method": "POST", "path": ORDERS, "count": 1}


def waited(what: Callable[[], Any], seconds: float) -> Any:
    """What it says, once that is something."""
    until = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < until:
        time.sleep(0.02)
    return found


def holding(live: Live) -> Live:
    """A position in BTC with its stop at the venue."""
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["positions"], done.data["unprotected"]) == (0, 1, []), done.err
    return live


def facts(journal: Path, kind: str) -> list[Any]:
    if not journal.exists():
        return []
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
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
    live = holding(stage("BTC", "ETH"))
    working = live.checked().working
    live.sim.fault({"kind": "5xx_before", "path": LISTS})
    live.sim.admin("price", product="ETH-USD", path=[{"after_ms": -MINUTE_MS, "price": "3000.00"}])
    done = live.cycle()
    assert (done.code, done.data["placed"]) == (30, 0)
    assert "503" in done.data["problem"]
    assert live.checked().working == working
    assert live.checked().wrong == ()
    live.sim.cleared()
    assert live.cycle().code == 0


# --- answers that never come -----------------------------------------------------------------------------------------


def test_t5_and_v11_an_order_whose_answer_is_lost_is_adopted_by_its_id(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.fault(LOST)
    done = live.cycle()
    assert (done.code, done.data["positions"], done.data["unprotected"]) == (0, 1, []), done.err
    (entry,) = roles(live, "ENTRY")
    checked = live.checked()
    assert (checked.wrong, checked.unresolved, checked.venue_orders[entry]) == ((), (), 1)
    assert told_by(live.journal).sends[entry] == 1
    assert list(checked.working.values()) == ["SELL"]


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
    assert done.code == 41, done.data
    (exit_,) = roles(live, "EXIT")
    assert live.checked().unresolved == (exit_,)
    live.sim.cleared()
    assert live.settled().code == 0
    checked = live.checked()
    assert (checked.wrong, checked.unresolved, checked.held[BTC]) == ((), (), 0)


# --- products and stops ----------------------------------------------------------------------------------------------


def test_t10_a_product_that_takes_only_cancels_gets_no_order_and_its_position_stays_as_it_is(stage: Stage) -> None:
    live = holding(stage())
    before = live.checked()
    live.sim.admin("product", product=BTC, flags={"cancel_only": True})
    live.sim.price("95000.00")
    for _ in range(2):
        assert live.cycle().data["placed"] == 0
    after = live.checked()
    assert (after.wrong, after.venue_orders, after.working) == ((), before.venue_orders, before.working)
    live.sim.admin("product", product=BTC, flags={"cancel_only": False})
    time.sleep(0)
    assert (live.settled().code, live.checked().held[BTC]) == (0, 0)


def test_t10_a_product_that_takes_only_cancels_is_not_bought(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.admin("product", product=BTC, flags={"cancel_only": True})
    done = live.cycle()
    assert (done.data["placed"], live.checked().venue_orders) == (0, {})


def test_v13_a_position_whose_stop_is_refused_three_times_is_sold_and_its_coin_banned(stage: Stage) -> None:
    live = stage(policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    assert live.cycle().data["placed"] == 1
    live.sim.admin("product", product=BTC, flags={"post_only": True})
    live.sim.price("60500.00")
    codes = [live.cycle().code for _ in range(3)]
    assert set(codes) == {42}
    assert len(roles(live, "STOP")) == 3
    live.sim.admin("product", product=BTC, flags={"post_only": False})
    done = live.cycle()
    assert done.data["positions"] == 0
    assert list(done.data["bans"]) == ["BTC"]
    assert [terms[6] for terms in told_by(live.journal).intents.values() if terms[2] == "EXIT"] == ["unprotected"]
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


def test_t15_time_servers_that_are_gone_when_the_reading_is_old_close_entries(stage: Stage) -> None:
    live = holding(stage("BTC", "ETH"))
    reading = json.loads((live.state / "clock.json").read_text())
    print(reading)


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
