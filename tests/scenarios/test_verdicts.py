"""Every verdict that exists is fired by a scenario that drives the program; a new one without a scenario fails here."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.world import START, Bar, World, outcomes
from trader_core.domain.clocktime import parse_utc
from trader_core.engine.cycle import CycleReport
from trader_core.rulebook.codes import Verdict

RISE = (100, 100, 100, 100, 100, 102, 104, 106)  # the averages cross on the sixth bar
Fired = tuple[list[CycleReport], str]


def ok(world: World) -> Fired:
    return world.market(BTC=RISE).run(), "BTC-USD"


def halted(world: World) -> Fired:
    """The kill file is seen once; deleting it gives no permission back."""
    world.market(BTC=RISE, ETH=(100, *RISE[:-1]))
    world.state.mkdir()
    kill = world.state / "KILL_SWITCH"
    kill.touch()
    first = world.run(limit=2)
    kill.unlink()
    later = world.run()
    assert outcomes([*first, *later], "BTC-USD").count("HALTED") == 1
    return later, "ETH-USD"


def unresolved(world: World) -> Fired:
    """Somebody takes money out of the account behind the program's back."""
    world.market(BTC=RISE)
    world.run(limit=1)
    with sqlite3.connect(world.state / "paper.venue.db") as venue:
        venue.execute("UPDATE balances SET available = available - 1 WHERE asset = 'USD'")
    venue.close()
    return world.run(), "BTC-USD"


def equity_unknown(world: World) -> Fired:
    return world.market(BTC=RISE).run(mode="DRY_RUN"), "BTC-USD"


def stale_data(world: World) -> Fired:
    """The rest of an entry falls due while the venue sends no bars."""
    world.market(BTC=(*RISE[:6], None, None, None, 110)).configured(policy__orders__maker_ttl_bars=3)
    return world.run(), "BTC-USD"


def day_loss(world: World) -> Fired:
    """BTC falls through its stop; when ETH rises on the same day, the day is over."""
    falling = (100, 100, 100, 100, 100, 102, 100, 80, 80, 80, 80)
    world.market(BTC=falling, ETH=(*[100] * 8, 102, 104, 106)).configured(policy__risk__max_day_loss_pct=0.2)
    return world.run(), "ETH-USD"


def cooldown(world: World) -> Fired:
    """Sold on a falling average, and rising again fifteen minutes later."""
    world.market(BTC=(*RISE[:6], 100, 96, 96, 100, 104)).configured(policy__risk__cooldown_after_exit_min=60)
    return world.run(), "BTC-USD"


def held(world: World) -> Fired:
    """The entry still rests below the market when the averages cross again."""
    resting = (*RISE[:6], 110, 104, 103, 103, 108, 109)
    return world.market(BTC=resting).configured(policy__orders__maker_ttl_bars=50).run(), "BTC-USD"


def max_positions(world: World) -> Fired:
    return world.market(BTC=RISE, ETH=RISE).configured(policy__risk__max_open_positions=1).run(), "ETH-USD"


def cash(world: World) -> Fired:
    """The first entry reserves all there is."""
    world.market(BTC=RISE, ETH=RISE).configured(
        policy__sizing__position_pct=100,
        policy__profile="NORMAL",
        policy__risk__max_per_asset_pct=100,
        policy__risk__max_total_at_risk_pct=100,
    )
    return world.run(), "ETH-USD"


def asset_cap(world: World) -> Fired:
    """Part of an entry fills, the price trebles, and the rest would be too much of one coin."""
    thin = Bar(102, 102.01, 100, 102, 10)
    world.market(BTC=(*RISE[:6], thin, 306, 306)).configured(
        policy__risk__max_per_asset_pct=5,
        policy__sizing__position_pct=5,
        policy__profile="NORMAL",
        policy__orders__maker_ttl_bars=2,
        app__paper__max_share_of_volume_pct=20,
        strategies__sma_cross__target_pct=1000,
    )
    return world.run(), "BTC-USD"


def total_exposure(world: World) -> Fired:
    world.market(BTC=RISE, ETH=RISE).configured(
        policy__sizing__position_pct=10,
        policy__profile="NORMAL",
        policy__risk__max_per_asset_pct=10,
        policy__risk__max_total_at_risk_pct=10,
    )
    return world.run(), "ETH-USD"


def cost(world: World) -> Fired:
    return world.market(BTC=RISE).configured(policy__orders__max_entry_cost_bps=1).run(), "BTC-USD"


def min_notional(world: World) -> Fired:
    return world.market(BTC=RISE).configured(app__paper__cash_quote=10).run(), "BTC-USD"


SCENARIOS: dict[Verdict, Callable[[World], Fired]] = {
    Verdict.OK: ok,
    Verdict.HALTED: halted,
    Verdict.UNRESOLVED: unresolved,
    Verdict.EQUITY_UNKNOWN: equity_unknown,
    Verdict.STALE_DATA: stale_data,
    Verdict.DAY_LOSS: day_loss,
    Verdict.COOLDOWN: cooldown,
    Verdict.HELD: held,
    Verdict.MAX_POSITIONS: max_positions,
    Verdict.CASH: cash,
    Verdict.ASSET_CAP: asset_cap,
    Verdict.TOTAL_EXPOSURE: total_exposure,
    Verdict.COST: cost,
    Verdict.MIN_NOTIONAL: min_notional,
}


@pytest.mark.parametrize("verdict", Verdict, ids=lambda one: one.name)
def test_every_verdict_fires_in_the_real_program_and_explains_itself(verdict: Verdict, tmp_path: Path) -> None:
    assert verdict in SCENARIOS, f"{verdict.name} is new: write the scenario that fires it"
    reports, symbol = SCENARIOS[verdict](World(tmp_path))
    assert verdict.name in outcomes(reports, symbol)
    report = next(r for r in reports if r.decision and verdict.name in outcomes([r], symbol))
    assert report.decision
    judged = next(j for j in report.decision.judgements if j.symbol == symbol)
    refusing = [row for row in judged.rows if row.verdict == verdict.name]
    assert refusing, "the trace names the gate"
    assert all(row.value is not None and row.limit is not None and row.margin is not None for row in refusing)
    bought = [o for o in report.decision.orders if o.symbol == symbol and o.role == "ENTRY"]
    assert bool(bought) == (verdict is Verdict.OK), "only OK buys"


def test_the_clock_of_a_scenario_starts_on_a_day_border() -> None:
    assert parse_utc(START) % 86_400_000 == 0
