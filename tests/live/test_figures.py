"""A LIVE account measures its venue: every class of call, what came of it and how long it took; and no key is in any
of it."""

import json
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.rehearsal import Rehearsal
from tests.figures.test_text import read
from tests.live.conftest import Stage
from tests.live.stage import seen
from tests.tampering import altered
from trader_core.net.calls import ERRORS


def test_calls_are_measured_and_the_key_is_in_no_log_metric_or_file(stage: Stage, tmp_path: Path) -> None:
    textfile = tmp_path / "trader.prom"
    live = stage("BTC", app__metrics__textfile=str(textfile))
    live.given["TRADER_LOG"] = "json"
    live.sim.risen("BTC-USD")
    counts = live.state / "buckets.db"
    if counts.exists():  # they are to be seen as they are, not as plenty
        altered(counts)
    first = Rehearsal.inside(live, "run-cycle", "--json")
    said = [json.loads(line) for line in first.err.splitlines()]
    assert [one["cycle_id"] for one in said if one.get("event") == "cycle"] == ["1"]
    found = read(textfile.read_text())
    asked = {dict(labels)["endpoint"] for (name, labels), _ in found.items() if name == "trader_api_requests_total"}
    assert {"accounts", "orders", "fills", "products", "place"} <= asked
    assert "other" not in asked
    for endpoint in asked:
        times = found["trader_api_request_duration_seconds_count", (("endpoint", endpoint),)]
        made = sum(
            value
            for (name, labels), value in found.items()
            if name == "trader_api_requests_total" and ("endpoint", endpoint) in labels
        )
        assert times == made
    assert found["trader_api_consecutive_errors", ()] == 0
    assert found["trader_breaker_open", (("breaker", "coinbase-orders-entries"),)] == 0
    assert 0 < found["trader_rate_budget_used_ratio", (("bucket", "private"),)] <= 1
    assert ("trader_secret_age_seconds", ()) in found
    assert ("trader_clock_offset_seconds", ()) in found
    assert any(name == "trader_data_age_seconds" for name, _ in found)
    live.sim.fault({"kind": "5xx_before", "path": "/accounts$", "count": 1})
    second = live.cycle()
    live.sim.cleared()
    found = read(textfile.read_text())
    failed = {dict(labels)["outcome"] for (name, labels) in found if name == "trader_api_requests_total"} & set(ERRORS)
    assert failed == {"server_error"}
    assert found["trader_cycles_total", (("outcome", "ok"),)] == 2
    told = live.inside("status", "--latency")
    assert "call accounts" in told.out
    assert seen(live, [first, second, told, live.inside("metrics", "--json"), textfile.read_text()]) == []


def test_what_was_ordered_and_filled_beside_a_cycle_counts_too(stage: Stage) -> None:
    """A stop that a cycle places when it goes round, and the sales of a liquidation."""
    live = stage("BTC")
    live.sim.risen("BTC-USD")
    assert live.cycle().code == 0
    found = read(live.inside("metrics").out)
    steps = {step: found["trader_cycle_orders", (("step", step),)] for step in ("proposed", "approved", "placed")}
    assert steps == {"proposed": 1, "approved": 2, "placed": 2}, "the entry, and its stop once it was filled"
    for sold, (act, code) in enumerate([(("run-cycle", "--json"), 0), (("liquidate", "--yes", "--json"), 0)]):
        assert live.inside(*act).code == code
        live.cycle()
        found, fills = read(live.inside("metrics").out), live.inside("export", "--csv", "-").out.splitlines()[1:]
        counted = sum(value for (name, _), value in found.items() if name == "trader_fills_total")
        assert counted == len(fills) == 1 + sold
        fees = live.inside("pnl", "--json").data["total"]["fees"]
        assert found["trader_fees_quote_total", ()] == pytest.approx(float(fees))
        orders = Counter(one["role"] for one in live.inside("orders", "--all", "--json").data["orders"])
        told = Counter[str]()
        for (name, labels), value in found.items():
            if name == "trader_orders_total":
                told[dict(labels)["role"]] += int(value)
        assert told == orders and told["STOP"] == 1


def test_what_ended_beside_a_cycle_and_a_halt_by_hand_count_too(stage: Stage) -> None:
    """Under a timer every cycle is a process of its own."""
    live = stage("BTC")
    live.sim.risen("BTC-USD")
    live.cycle()
    assert live.inside("liquidate", "--yes", "--json").code == 0
    assert live.inside("halt", "reset", "--user", "me", "--reason", "everything is sold", "--force").code == 0
    assert live.inside("halt", "trip", "--reason", "a drill").code == 0
    assert live.cycle().code == 21
    found = read(live.inside("metrics").out)
    ended = Counter[tuple[str, str]]()
    for (name, labels), value in found.items():
        if name == "trader_orders_closed_total":
            ended[dict(labels)["role"], dict(labels)["status"]] += int(value)
    orders = live.inside("orders", "--all", "--json").data["orders"]
    assert ended == Counter((one["role"], one["status"]) for one in orders) and ended["EXIT", "FILLED"] == 1
    trips = live.inside("halt", "show", "--json").data["trips"]
    assert found["trader_halt_trips_total", ()] == trips >= 1
