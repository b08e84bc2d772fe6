"""Leave to trade that ended or that nobody can be sure of, and an account that is not ours alone: nothing is bought."""

from collections.abc import Callable

import pytest

from tests.live.conftest import Stage
from tests.live.stage import Live
from tests.ops.ntp import NtpServer
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.grant import KeyActivated
from trader_core.domain.ids import MARK
from trader_core.domain.values import replace
from trader_core.ops.clock import host_ms
from trader_core.store.grants import Permits


def disarmed(live: Live) -> None:
    assert live.inside("disarm").code == 0


def aged(live: Live, days: int = 91) -> None:
    """The key was put in force so long ago; its grant is as it was."""
    permits, since = Permits(live.state), EpochMs(host_ms() - days * DAY_MS)
    facts = permits.facts()
    permits.path.unlink()
    for one in facts:
        permits.append(replace(one, at_ms=since) if isinstance(one, KeyActivated) else one, since)


def unread(live: Live) -> None:
    live.sim.fault({"kind": "truncated_json", "path": "/key_permissions$"})


ENDS = [
    (disarmed, 20, "HALTED", "revoked"),
    (aged, 11, "UNRESOLVED", "the key is 91 days old"),
    (unread, 30, "UNRESOLVED", "permissions are unknown"),
]


@pytest.mark.parametrize(("ends", "code", "verdict", "why"), ENDS, ids=[one[0].__name__ for one in ENDS])
def test_without_leave_nothing_is_bought(
    stage: Stage, ends: Callable[[Live], None], code: int, verdict: str, why: str
) -> None:
    live = stage("BTC")
    live.sim.fault({"kind": "truncated_json", "path": "/products$"})
    assert live.cycle().data["equity"] is None, "the account is begun, and nothing was decided"
    live.sim.cleared()
    live.sim.risen()
    ends(live)
    done = live.cycle()
    assert (done.code, [one["verdict"] for one in done.data["refusals"]]) == (code, [verdict]), done.data
    assert any(why in one for one in done.data["objections"]), done.data["objections"]
    assert live.sim.state()["orders"] == []
    live.sim.cleared()


def test_leave_that_is_taken_back_takes_back_what_rests(stage: Stage) -> None:
    live = stage("BTC", policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    assert live.cycle().data["placed"] == 1
    disarmed(live)
    assert live.cycle().code == 20
    assert live.sim.open_orders() == []


def test_a_key_near_its_end_is_told_before_it_closes_anything(stage: Stage) -> None:
    live = stage("BTC")
    aged(live, 84)
    done = live.cycle()
    assert done.code == 0 and any("the key is 84 days old" in one for one in done.document["warnings"]), done.err


def test_another_trader_on_the_account_closes_the_entries_of_every_coin(stage: Stage) -> None:
    """What differs is of no coin of ours."""
    live = stage("BTC")
    order = {"client_order_id": f"{MARK}-1111-5111-8111-111111111111", "product_id": "ETH-USD", "side": "BUY"}
    limit = {"base_size": "0.01", "limit_price": "100.00"}
    live.sim.admin("orders", **order, order_configuration={"limit_limit_gtc": limit})
    live.sim.risen()
    done = live.cycle()
    assert (done.code, list(done.data["discrepancies"])) == (40, ["orders"]), done.data
    assert [one["verdict"] for one in done.data["refusals"]] == ["UNRESOLVED"]
    assert len(live.sim.state()["orders"]) == 1, "that of the other one"


def test_the_status_tells_what_closed_entries_at_the_newest_cycle_and_no_longer(
    stage: Stage, servers: list[NtpServer]
) -> None:
    """A clock that is wrong stands in no other line of it."""
    live = stage("BTC")
    for one in servers:
        one.skew_ms = 400.0
    live.inside("check-clock")
    assert live.cycle().code == 12
    told = live.inside("status", "--json").data["problem"]
    assert told.endswith("ms behind the time servers; 150 ms are allowed")
    assert f"entries closed at the newest cycle: {told}" in " ".join(live.inside("status").out.split())
    assert "halt ARMED, ENTRIES CLOSED, armed until " in live.inside("status", "--oneline").out
    for one in servers:
        one.skew_ms = 0.0
    live.inside("check-clock")
    assert live.cycle().code == 0
    assert live.inside("status", "--json").data["problem"] == ""
    assert "entries" not in live.inside("status").out + live.inside("status", "--oneline").out.lower()


def test_the_status_tells_until_when_an_account_is_armed_and_why_it_is_not(stage: Stage) -> None:
    """On the page, in the one line, and as JSON; nobody is asked for the key."""
    live = stage("BTC")
    assert live.cycle().code == 0
    until = live.inside("status", "--json").data["armed"]
    assert (until["until_time"][:2], until["why_not"]) == ("20", "")
    shown = until["until_time"][:16].replace("T", " ")
    assert f"armed     until {shown} UTC" in live.inside("status").out
    assert f"halt ARMED, armed until {shown} UTC, restart safe" in live.inside("status", "--oneline").out
    disarmed(live)
    assert "revoked" in live.inside("status", "--json").data["armed"]["why_not"]
    assert "armed     NO: the grant was revoked at " in live.inside("status").out
    assert "halt ARMED, armed NO, restart safe" in live.inside("status", "--oneline").out
    live.edits["policy.exits.max_naked_min"] = 7
    live.configured()
    assert "and the grant is for" in live.inside("status", "--json").data["armed"]["why_not"]
    (live.state / "permits.db").unlink()
    assert live.inside("status", "--json").data["armed"] == {"until_time": None, "why_not": "no grant was ever given"}
