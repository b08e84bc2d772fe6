"""Fills that the venue tells late, or as something else than a fill: ours are read whatever stands beside them."""

from tests.live.conftest import Stage
from tests.live.stage import MINUTE_MS, Live, rewritten
from trader_core.domain.facts import Fact, Filled
from trader_core.domain.values import replace

LATE_MS = 11 * MINUTE_MS  # more than what is read again behind the newest fill


def bought(live: Live, *products: str) -> Live:
    live.sim.risen(*products)
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, len(products)), done.err
    return live


def test_a_stop_whose_fill_is_told_long_after_that_of_another_coin_is_over(stage: Stage) -> None:
    """The newest fill that is known is of another coin, and 11 minutes younger."""
    live = bought(stage("BTC"), "BTC-USD")

    def newest(fact: Fact) -> Fact:
        return replace(fact, cursor=str(int(fact.cursor) + LATE_MS)) if isinstance(fact, Filled) else fact

    rewritten(live, newest)
    live.sim.price("57400.00")
    done, found = live.cycle(), live.checked()
    assert (done.code, done.data["positions"], done.data["placed"]) == (0, 0, 0), done.err
    assert (found.working, found.wrong) == ({}, ())


def test_an_order_of_which_only_a_fill_tells_is_not_over(stage: Stage) -> None:
    """The purchase rests half filled, its answer was lost, and no list of orders shows it yet."""
    live = stage(policy__orders__maker_ttl_bars=9)
    live.sim.risen()
    live.sim.fault(
        {"kind": "partial_fill", "fraction": "0.5", "side": "BUY", "count": 1},
        {"kind": "5xx_after", "method": "POST", "path": r"/orders$", "nth": 1},
        {"kind": "list_lag", "ms": 60_000, "path": r"/orders/historical/batch$"},
    )
    for _ in range(2):
        done, found = live.cycle(), live.checked()
        assert (done.code, done.data["positions"], found.wrong) == (0, 1, ()), done.err
        assert sorted(found.working.values()) == ["BUY", "SELL"]


def test_a_correction_of_somebody_elses_trade_keeps_nothing_of_ours_from_being_read(stage: Stage) -> None:
    live = bought(stage("BTC"), "BTC-USD")
    by_hand = {"client_order_id": "by-hand", "product_id": "ETH-USD", "side": "BUY"}
    live.sim.admin("orders", **by_hand, order_configuration={"market_market_ioc": {"quote_size": "500"}})
    live.sim.fault({"kind": "strange_fills", "product": "ETH-USD"})
    live.sim.price("57400.00")
    done, found = live.cycle(), live.checked(frozenset({"by-hand"}))
    assert (done.code, done.data["positions"], list(done.data["discrepancies"])) == (40, 0, ["USD"]), done.err
    assert (done.data["problem"], found.working) == ("", {})


def test_a_correction_of_ours_is_for_a_person_and_closes_entries_and_nothing_else(stage: Stage) -> None:
    live = bought(stage("BTC", "ETH"), "BTC-USD", "ETH-USD")
    live.sim.fault({"kind": "strange_fills", "product": "BTC-USD"})
    live.sim.price("2860.00", "ETH-USD")
    done = live.cycle()
    assert (done.code, done.data["positions"], list(done.data["discrepancies"])) == (40, 1, ["fills"]), done.err
    assert "CORRECTION BUY: look at it by hand" in done.data["discrepancies"]["fills"]
    told = live.inside("reconcile", "--apply", "--reason", "a guess", "--json")
    assert (told.code, [one["kind"] for one in told.data["differences"]]) == (40, ["strange fill"])
    assert told.data["applied"] == []
    live.sim.cleared()
    done = live.cycle()
    assert (done.code, done.data["discrepancies"], live.checked().wrong) == (0, {}, ())


def test_an_alert_of_a_sale_in_two_parts_tells_all_that_was_sold(stage: Stage) -> None:
    """Half of it finds a buyer at once, and the rest in the same cycle."""
    live = bought(stage("BTC", policy__exits__break_even_at_pct=1), "BTC-USD")
    held = live.checked().held["BTC-USD"]
    live.sim.price("61500.00")
    assert live.cycle().code == 0
    live.sim.fault({"kind": "partial_fill", "fraction": "0.5", "side": "SELL", "count": 1})
    live.sim.price("60000.00")
    done = live.cycle()
    assert (done.code, done.data["positions"], len(done.data["fills"])) == (0, 0, 2), done.err
    (alert,) = live.inside("alerts", "list", "--all", "--json").data["alerts"]
    assert alert["what"].endswith(f": {held.normalize():f} at {done.data['fills'][0]['price']}")


def test_what_one_cycle_did_is_told_in_the_order_in_which_it_did_it(stage: Stage) -> None:
    """What was bought at once has its stop from a further round of the same cycle."""
    live = stage("BTC")
    live.sim.risen()
    told = live.inside("run-cycle").out
    words = ["enter BTC-USD", "bought BTC-USD", "stop BTC-USD at"]
    assert sorted(words, key=told.index) == words and "would" not in told, told
