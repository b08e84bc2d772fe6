"""`buckets.db` holds counts and nothing else: without it nothing is bought, and what is held is cared for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.program import Done
from tests.cli.rehearsal import Rehearsal
from tests.live.conftest import Stage
from tests.live.stage import Live, Venue
from tests.live.test_rare import TARGET

SPOILS: dict[str, Callable[[Path], object]] = {
    "a directory": Path.mkdir,
    "no database": lambda file: file.write_bytes(b"no database at all" * 300),
}


def spoilt(live: Live, how: str) -> Path:
    for one in live.state.glob("buckets.db*"):
        one.unlink()
    SPOILS[how](file := live.state / "buckets.db")
    return file


def cycle(live: Live) -> Done:
    """Without a look into the counts."""
    return Rehearsal.inside(live, "run-cycle", "--json")


@pytest.mark.parametrize("how", SPOILS)
def test_what_is_held_is_sold_at_its_target_and_the_file_is_named(stage: Stage, venue: Venue, how: str) -> None:
    live = stage("BTC", "ETH", **TARGET)
    venue.risen("BTC-USD")
    assert (bought := live.cycle()).data["positions"] == 1, bought.err
    file = spoilt(live, how)
    (live.state / "candles/coinbase/ETH-USD/15m.parquet").unlink()  # as after a bar has closed
    venue.price("69000.00")
    done = cycle(live)
    assert (done.code, done.data["positions"], done.data["placed"]) == (30, 0, 1), done.data
    assert [(one["role"], one["reason"]) for one in done.data["orders"]] == [("EXIT", "target")]
    assert f"{file} cannot be used" in done.data["problem"]
    sides = [(one["side"], one["status"]) for one in venue.state()["orders"]]
    assert sides == [("BUY", "FILLED"), ("SELL", "CANCELLED"), ("SELL", "FILLED")]


@pytest.mark.parametrize("how", SPOILS)
def test_what_filled_meanwhile_gets_its_stop(stage: Stage, venue: Venue, how: str) -> None:
    live = stage("BTC", policy__orders__maker_ttl_bars=9)
    venue.risen("BTC-USD")
    assert live.cycle().data["placed"] == 1
    spoilt(live, how)
    venue.price("60500.00")
    done = cycle(live)
    assert done.data["unprotected"] == [] and done.data["positions"] == 1, done.data
    assert [one["side"] for one in venue.open_orders()] == ["SELL"]


@pytest.mark.parametrize("how", SPOILS)
def test_nothing_is_bought_where_every_candle_is_kept_already(stage: Stage, venue: Venue, how: str) -> None:
    live = stage("BTC")
    venue.risen("BTC-USD")
    assert live.inside("preview", "--json").data["orders"]
    file = spoilt(live, how)
    done = cycle(live)
    assert (done.code, done.data["positions"], venue.state()["orders"]) == (30, 0, [])
    (told,) = done.data["not_placed"]
    assert f"{file} cannot be used" in told["why_not"]
