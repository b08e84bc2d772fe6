"""T25: one fee, everywhere. T13: an account so small that fees and caps leave hardly any legal order."""

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.scenarios.checks import nothing_is_lost, shipped_values
from tests.scenarios.scenes import DIP, RISE
from tests.world import START, World, outcomes
from trader_core.bootstrap import settings_of
from trader_core.domain.fill import Side
from trader_core.engine.replay import Replayed, replay
from trader_core.settings.feasibility import bands, startup_warning
from trader_core.settings.schema import REGIMES
from trader_core.worlds.simulated import source_of

ROUND = (*RISE[:6], DIP, 103, 104, 101, 99, 98, 98)  # bought, and sold on a falling average


@dataclass(frozen=True)
class Told:
    """What one market came to under one taker fee."""

    bought: Decimal
    exposure_pct: float
    fee: Decimal  # of the sale
    value: Decimal
    realised: Decimal
    cash: Decimal
    backtest: Replayed


def told(root: Path, taker_bps: int) -> Told:
    """A position as large as its cap allows, bought by a maker for 60 bps and sold by a taker."""
    world = (
        World(root)
        .market(BTC=ROUND)
        .configured(app__paper__taker_fee_bps=taker_bps, policy__profile="NORMAL", policy__risk__max_tier_1_pct=5)
    )
    reports = world.run()
    entered = next(one for one in reports if "OK" in outcomes([one], "BTC-USD"))
    rows = {row.gate: row for row in world.why(entered.cycle_id, "BTC-USD").gates}
    fills = [told.fill for one in reports for told in one.fills]
    sale = next(fill for fill in fills if fill.side is Side.SELL)
    options, book = world.options(), reports[-1].book
    policy = settings_of(options)
    source = source_of(policy, options)
    backtest = replay(source, policy, options.since_ms or 0, source.end_ms or 0)
    exposure = rows["tier_cap"].value or 0.0
    return Told(fills[0].quantity, exposure, sale.fee, sale.value, book.realised, book.cash or Decimal(0), backtest)


def test_t25_sizing_caps_pnl_and_backtest_use_the_fee_that_the_venue_takes(tmp_path: Path) -> None:
    low, high = told(tmp_path / "low", 60), told(tmp_path / "high", 120)
    for one, fee in ((low, Decimal("0.006")), (high, Decimal("0.012"))):
        assert one.fee == (one.value * fee).quantize(Decimal("1e-8"), "ROUND_UP")
        worst = 500 / (1 + fee) / Decimal("101.94")
        assert worst - Decimal("1e-6") <= one.bought <= worst, "sizing leaves room for the higher fee"
        assert one.exposure_pct == pytest.approx(5 * (1 + float(fee)), abs=1e-4), "so does what a cap is asked"
        assert one.backtest.cash == one.cash == 10_000 + one.realised
        assert [fill.fee for fill in one.backtest.fills][-1] == one.fee
    assert high.bought < low.bought and high.realised < low.realised


@pytest.mark.parametrize(("taker_bps", "needed"), [(60, 260), (120, 380)])
def test_t25_a_target_below_the_cost_edge_is_refused_with_its_figures(
    taker_bps: int, needed: int, tmp_path: Path
) -> None:
    """60 in, the taker's fee and ten of spread and slippage out, twice over, against a target of three percent."""
    world = (
        World(tmp_path)
        .market(BTC=RISE)
        .configured(
            app__paper__taker_fee_bps=taker_bps,
            strategies__sma_cross__stop_pct=2,
            strategies__sma_cross__target_pct=3,
            policy__liquidity__min_edge_over_cost_pct=200,
        )
    )
    reports = world.run()
    assert outcomes(reports, "BTC-USD")[2] == ("EDGE" if needed > 300 else "OK")
    (edge,) = [row for row in world.why(3, "BTC-USD").gates if row.gate == "edge"]
    assert (edge.value, edge.limit, edge.margin, edge.unit) == (300, needed, 300 - needed, "bps")


# What a regime is read from: where BTC has gone, and what of the policy decides how much may be bought then.
BTC_AT = {"bull": 102, "chop": 100, "bear": 98, "crash": 80}
AS_SHIPPED = shipped_values("policy.sizing", "policy.regime", "policy.risk", "policy.profile", "policy.liquidity")
SEEN_AS = {
    "signals.regime.bull_rise_pct": 1, "signals.regime.bull_volatility_pct": 900, "signals.regime.bear_fall_pct": 1,
    "strategies.rules.enabled": False,
}  # fmt: skip


def small(root: Path, regime: str, cash: Decimal) -> World:
    """ETH rises in the hour after that regime came, in an account of that size, under the shipped sizes, caps and
    costs."""
    world = World(
        root,
        fixed={
            **AS_SHIPPED,
            **SEEN_AS,
            "policy.risk.max_volatility_pct": 10_000,
            "policy.risk.min_restless_conviction_pct": 0,
        },
    )
    btc = [100.0] * 3 + [float(BTC_AT[regime])] * 5
    return world.market(BTC=btc, ETH=RISE).configured(app__paper__cash_quote=float(cash))


@pytest.mark.parametrize("regime", REGIMES)
def test_t13_nothing_dies_between_sizing_and_validation(regime: str, tmp_path: Path) -> None:
    """At 250 and where the band opens: what start-up says can be bought is bought, what it says cannot is refused by
    a gate that names its reason."""
    policy = settings_of(small(tmp_path / "asked", regime, Decimal(250)).options())
    (band,) = [one for one in bands(policy, Decimal(250)) if (one.tier, one.regime) == (1, regime)]
    expected = {"open": "OK", "empty": "MIN_NOTIONAL", "closed": "REGIME"}
    equities = {Decimal(250): band.state} | ({band.open_from + 1: "open"} if band.open_from else {})
    assert set(equities.values()) == ({"closed"} if regime == "crash" else {"empty", "open"})
    for equity, state in equities.items():
        world = small(tmp_path / f"{equity}", regime, equity)
        reports = world.run()
        (judged,) = [one for one in outcomes(reports, "ETH-USD") if one in expected.values()][:1]
        assert judged == expected[state], equity
        nothing_is_lost(world.facts())
        warned = [line for line in startup_warning(policy, equity, regime) if line.startswith(f"tier 1 in {regime}:")]
        assert bool(warned) == (state == "empty")


def test_t13_start_up_says_that_no_order_fits(tmp_path: Path) -> None:
    world = small(tmp_path, "chop", Decimal(250))
    done = Program(tmp_path)(
        "run", "--json", "--cycles", "1", "--mode", "PAPER", "--venue", "simulated", "--state", world.state,
        "--config", world.config, "--data", world.data, "--from", START,
    )  # fmt: skip
    assert done.code == 0, done.err
    assert any("no order fits" in line for line in done.document["warnings"])
