"""Markets and accounts made to cross one limit each. A scene says which coin must be refused; the rest of the policy is
calm. Every scene runs in one process or, where the world restarts, in one process per cycle."""

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, cast

from tests.world import START, Bar, Series, World, at, outcomes
from trader_core.domain.clocktime import DAY_MS, EpochMs, parse_utc
from trader_core.domain.facts import Banned, Paused
from trader_core.domain.market import TopOfBook
from trader_core.domain.values import replace
from trader_core.engine.cycle import CycleReport
from trader_core.policies import Asked, change
from trader_core.ports import VenueReader
from trader_core.rulebook.codes import Verdict

Fired = tuple[list[CycleReport], str]
Scene = Callable[[World], Fired]

RISE = (100, 100, 100, 100, 100, 102, 104, 106)  # the averages cross on the sixth bar, and nothing falls to the bid
NEXT: Series = (100, *RISE[:-1])  # the same one bar later
DIP = Bar(102, 102.01, 101, 102)  # trades through the bid of 102, so the resting entry fills
STOPPED: Series = (*RISE[:6], DIP, Bar(102, 102, 80, 80), 80)  # bought, and sold by its stop in the eighth bar
NOW = EpochMs(parse_utc(START))


def ok(world: World) -> Fired:
    return world.market(BTC=RISE).run(), "BTC-USD"


def halted(world: World) -> Fired:
    """The kill file is seen once; deleting it gives no permission back."""
    world.market(BTC=RISE, ETH=NEXT)
    world.state.mkdir()
    kill = world.state / "KILL_SWITCH"
    kill.touch()
    first = world.run(limit=2)
    kill.unlink()
    later = world.run()
    assert outcomes([*first, *later], "BTC-USD").count("HALTED") == 1
    return later, "ETH-USD"


def paused(world: World) -> Fired:
    world.market(BTC=RISE).run(limit=1)
    world.tell(Paused("lunch", NOW))
    return world.run(), "BTC-USD"


def unresolved(world: World) -> Fired:
    """Somebody takes money out of the account behind the program's back."""
    world.market(BTC=RISE)
    world.run(limit=1)
    with sqlite3.connect(world.state / "paper.venue.db") as venue:
        venue.execute("UPDATE balances SET available = available - 1 WHERE asset = 'USD'")
    venue.close()
    return world.run(), "BTC-USD"


def policy_stale(world: World) -> Fired:
    """A limit was tightened and a cycle has seen it; then the store is gone, and its backup with it."""
    world.market(BTC=RISE).run(limit=1)
    change(world.options(), {"risk.max_open_positions": "4"}, Asked("a drill"))
    world.run(limit=1)
    for name in ("paper.policy.db", "paper.policy.json"):
        (world.state / name).unlink()
    return world.run(), "BTC-USD"


def equity_unknown(world: World) -> Fired:
    return world.market(BTC=RISE).run(mode="DRY_RUN"), "BTC-USD"


class Silent:
    """A venue that tells no quote of BTC."""

    def __init__(self, reader: VenueReader) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        return {symbol: one for symbol, one in self._reader.quotes(symbols).items() if symbol != "BTC-USD"}


def input_missing(world: World) -> Fired:
    world.wired = lambda ports: replace(ports, reader=cast(VenueReader, Silent(ports.reader)))
    return world.market(BTC=RISE).run(), "BTC-USD"


def ineligible(world: World) -> Fired:
    """It trades for 9.6 billions a day, and ten are asked for."""
    world.market(BTC=RISE).configured(universe__tiers__tier_1_core__min_day_volume_quote=10_000_000_000)
    return world.run(), "BTC-USD"


def banned(world: World) -> Fired:
    world.market(BTC=RISE).run(limit=1)
    world.tell(Banned("BTC", "an exploit", NOW, EpochMs(NOW + DAY_MS)))
    return world.run(), "BTC-USD"


def regime(world: World) -> Fired:
    """ETH rises in the hour after the one in which BTC has lost a fifth."""
    world.market(BTC=(100, 100, 100, *[80] * 5), ETH=RISE).configured(policy__regime__crash_scale_pct=0)
    return world.run(), "ETH-USD"


def calendar(world: World) -> Fired:
    """Four in the morning in New York is no hour for shares."""
    world.market(BTC=RISE).configured(universe__tiers__tier_1_core__asset_class="EQUITY")
    return world.run(), "BTC-USD"


def stale_data(world: World) -> Fired:
    """The rest of an entry falls due while the venue sends no bars."""
    world.market(BTC=(*RISE[:6], None, None, None, 110)).configured(policy__orders__maker_ttl_bars=3)
    return world.run(), "BTC-USD"


def outlier(world: World) -> Fired:
    """Fifteen percent higher, on hardly any volume."""
    world.market(BTC=(*RISE[:5], Bar(100, 115, 100, 115, 1), 115)).configured(
        signals__guards__outlier_deviation_pct=10, signals__guards__outlier_volume_pct=10
    )
    return world.run(), "BTC-USD"


def jump(world: World) -> Fired:
    """Minute bars: a quiet fall, and then one percent up within one of them."""
    quiet = [100 - n * 0.05 - n % 2 * 0.04 for n in range(14)]
    world.bar_min = 1
    world.market(before_bars=300, BTC=(*quiet, 100.5, 100.6)).configured(signals__guards__max_jump_sigma=6)
    return world.run(since_ms=parse_utc(START) + 14 * world.bar_ms), "BTC-USD"


def day_loss(world: World) -> Fired:
    """BTC falls through its stop; when ETH rises on the same day, the day is over."""
    world.market(BTC=(*STOPPED, 80, 80), ETH=(*[100] * 8, 102, 104, 106)).configured(policy__risk__max_day_loss_pct=0.2)
    return world.run(), "ETH-USD"


def week_loss(world: World) -> Fired:
    """A stop on Monday and one on Tuesday: each day's loss is allowed, both together are not."""
    quiet = [80.0] * (96 - len(STOPPED))
    tuesday: Series = (80, 82, Bar(82, 82, 81, 82), Bar(82, 82, 60, 60), 60, 60)
    world.market(BTC=(*STOPPED, *quiet, *tuesday), ETH=(*[100] * 101, 102, 104)).configured(
        policy__risk__max_day_loss_pct=0.35, policy__risk__max_week_loss_pct=0.4
    )
    monday = world.run(until_ms=at(9))
    return monday + world.run(since_ms=at(95)), "ETH-USD"


def drawdown(world: World) -> Fired:
    world.market(BTC=(*STOPPED, 80, 80), ETH=(*[100] * 8, 102, 104, 106)).configured(policy__risk__max_drawdown_pct=0.2)
    return world.run(), "ETH-USD"


def day_stop(world: World) -> Fired:
    """BTC falls through its stop; in profile CAUTIOUS a tenth of a percent of the account is enough for the day."""
    world.market(BTC=(*STOPPED, 80, 80), ETH=(*[100] * 8, 102, 104, 106)).configured(
        policy__profile="CAUTIOUS", policy__risk__cautious_day_stop_pct=0.1, policy__risk__max_day_loss_pct=3
    )
    return world.run(), "ETH-USD"


def day_target(world: World) -> Fired:
    """BTC is bought and rises by a tenth, and falls again: the day's target was reached, and ETH has to wait."""
    world.market(BTC=(*RISE[:6], DIP, 112, 112, 103, 103), ETH=(*[100] * 9, 102, 104, 106)).configured(
        policy__profile="CAUTIOUS", policy__risk__cautious_day_target_pct=0.2
    )
    return world.run(), "ETH-USD"


def cooldown(world: World) -> Fired:
    """Sold on a falling average, and rising again half an hour later."""
    world.market(BTC=(*RISE[:6], DIP, 101, 99, 99, 102, 104)).configured(policy__pacing__cooldown_after_loss_min=60)
    return world.run(), "BTC-USD"


def losing_streak(world: World) -> Fired:
    """Two coins are stopped out, and the third one waits for an hour."""
    world.market(BTC=STOPPED, ETH=STOPPED, SOL=(*[100] * 8, 102, 104)).configured(
        policy__pacing__max_losing_streak=2, policy__pacing__losing_streak_pause_min=60
    )
    return world.run(), "SOL-USD"


def spacing(world: World) -> Fired:
    world.market(BTC=RISE, ETH=NEXT).configured(
        policy__pacing__min_spacing_s=3600, policy__pacing__min_asset_spacing_s=3600
    )
    return world.run(), "ETH-USD"


def asset_spacing(world: World) -> Fired:
    """An entry that nobody filled is let go, and the averages cross again an hour later."""
    world.market(BTC=(*RISE[:6], 103, 99, 99, 103, 104)).configured(
        policy__pacing__min_asset_spacing_s=7200, policy__orders__taker_fallback=False
    )
    return world.run(), "BTC-USD"


def hour_entries(world: World) -> Fired:
    """Both in the clock hour from 01:00."""
    world.market(BTC=RISE, ETH=NEXT).configured(
        policy__pacing__max_entries_per_cycle=1, policy__pacing__max_entries_per_hour=1
    )
    return world.run(), "ETH-USD"


def day_entries(world: World) -> Fired:
    """One in the hour from 01:00, one in that from 02:00."""
    world.market(BTC=RISE, ETH=(*[100] * 8, 102, 104)).configured(
        policy__pacing__max_entries_per_cycle=1,
        policy__pacing__max_entries_per_hour=1,
        policy__pacing__max_entries_per_day=1,
    )
    return world.run(), "ETH-USD"


def cycle_entries(world: World) -> Fired:
    world.market(BTC=RISE, ETH=RISE).configured(policy__pacing__max_entries_per_cycle=1)
    return world.run(), "ETH-USD"


def strategy_trades(world: World) -> Fired:
    world.market(BTC=RISE, ETH=RISE).configured(strategies__sma_cross__max_trades_per_cycle=1)
    return world.run(), "ETH-USD"


def conviction(world: World) -> Fired:
    """The averages are hardly apart."""
    world.market(BTC=(*RISE[:5], 100.05, 100.06)).configured(strategies__sma_cross__min_conviction_pct=50)
    return world.run(), "BTC-USD"


def volatility(world: World) -> Fired:
    """Two percent in an hour after two hours of nothing; it is bought as the hour ends."""
    return world.market(BTC=(*RISE[2:], 108, 110)).configured(policy__risk__max_volatility_pct=50).run(), "BTC-USD"


def quiet_market(world: World) -> Fired:
    """A rise by two ticks, in a market that never moves more."""
    world.market(BTC=(*RISE[:5], 100.02, 100.03)).configured(signals__thresholds__chop__min_atr_ratio=5)
    return world.run(), "BTC-USD"


def low_confidence(world: World, **edits: Any) -> Fired:
    """An hour of two percent on every day that is looked at, and a conviction of a quarter."""
    rough = [Bar(100, 112, 88, 100)] * 8
    world.market(before_bars=300, BTC=(*rough, 100, 100, 100, 100.05, 100.06)).configured(
        **{"policy__risk__calm_range_pct": 1, "policy__risk__min_restless_conviction_pct": 99} | edits
    )
    return world.run(), "BTC-USD"


def held(world: World) -> Fired:
    """The entry still rests below the market when the averages cross again."""
    resting = (*RISE[:6], 110, 104, 103, 103, 108, 109)
    return world.market(BTC=resting).configured(policy__orders__maker_ttl_bars=50).run(), "BTC-USD"


def adding(world: World, later: Series = (), **edits: Any) -> Fired:
    """A strategy that would buy every bar of a rise, where buying more is allowed."""
    falls_to_bid = [Bar(102 + n, 103 + n, 101 + n, 103 + n) for n in range(5)]
    world.market(BTC=(*RISE[:6], *falls_to_bid, *later)).configured(
        strategies__sma_cross__enabled=False,
        strategies__momentum__enabled=True,
        strategies__momentum__window_h=2,
        strategies__momentum__min_share_pct=0,
        strategies__momentum__min_rise_pct=1,
        strategies__momentum__target_pct=50,
        policy__profile="CAUTIOUS",
        **{"policy__adds__allowed": True, "policy__adds__min_spacing_min": 15, "policy__adds__max_per_day": 20} | edits,
    )
    return world.run(), "BTC-USD"


def add_spacing(world: World) -> Fired:
    return adding(world, policy__adds__min_spacing_min=600)


def adds_per_day(world: World) -> Fired:
    return adding(world, policy__adds__max_per_day=1)


def max_positions(world: World) -> Fired:
    return world.market(BTC=RISE, ETH=RISE).configured(policy__risk__max_open_positions=1).run(), "ETH-USD"


def slot_wait(world: World) -> Fired:
    """ETH rises one bar before the stop of BTC makes room for it."""
    world.market(BTC=(*STOPPED, 80, 80), ETH=(*NEXT, 108, 110, 112))
    return world.configured(policy__risk__max_open_positions=1, policy__risk__max_slot_wait_min=15).run(), "ETH-USD"


def filled_up(world: World, **edits: Any) -> Fired:
    """The first entry takes all the room there is: less than one lot is left for the second."""
    world.market(BTC=RISE, ETH=RISE).configured(policy__profile="NORMAL", **edits)
    return world.run(), "ETH-USD"


def strategy_cap(world: World) -> Fired:
    return filled_up(world, strategies__sma_cross__max_at_risk_pct=5)


def asset_cap(world: World) -> Fired:
    """Most of an entry fills, the price rises by a third, and the rest would be too much of one coin."""
    thin = Bar(102, 102.01, 100, 102, 20)
    world.market(BTC=(*RISE[:6], thin, 136, 136)).configured(
        policy__risk__max_per_asset_pct=5,
        policy__profile="NORMAL",
        policy__orders__maker_ttl_bars=2,
        app__paper__max_share_of_volume_pct=20,
    )
    return world.run(), "BTC-USD"


def theme_cap(world: World) -> Fired:
    caps = {"LAYER1": 5, "LAYER2": 100, "MEME": 100, "DEFI": 100, "OTHER": 100}
    return filled_up(world, policy__risk__max_per_theme_pct=caps, policy__risk__max_per_asset_pct=5)


def tier_cap(world: World) -> Fired:
    return filled_up(world, policy__risk__max_tier_1_pct=5)


def total_exposure(world: World) -> Fired:
    return filled_up(world, policy__risk__max_total_at_risk_pct=5, policy__risk__max_per_asset_pct=5)


TURNS, RARER = (100, 101, 100, 101, 100, 101), (100, 101, 102, 103, 102, 103)  # they correlate by 0.61
WIDER, AGAINST = (100, 102, 100, 102, 100, 102), (101, 100, 101, 100, 101, 100)
Days = Sequence[float | None]


def of_days(world: World, coins: dict[str, Days], **edits: Any) -> Fired:
    """Coins with these closes on six days, None where the venue sends nothing for a day, that rise at once on the
    seventh. The last is the one that is refused."""
    series: dict[str, Any] = {
        coin: [price for day in days for price in (day,) * 96] + [price * (days[-1] or 100) / 100 for price in RISE]
        for coin, days in coins.items()
    }
    rests = {"cluster_window_days": 5, "cluster_min_days": 1, "var_window_days": 5, "var_min_days": 1}
    world.market(before_bars=192, **series).configured(
        policy__profile="NORMAL", **{f"policy__portfolio__{key}": value for key, value in (rests | edits).items()}
    )
    return world.run(since_ms=at(6 * 96 + 3)), f"{list(coins)[-1]}-USD"


def hole(days: Days, *missing: int) -> Days:
    return [None if day in missing else close for day, close in enumerate(days)]


def cluster_assets(world: World, days: Days = WIDER, **edits: Any) -> Fired:
    """ETH moves with BTC, in which there is an entry already."""
    return of_days(world, {"BTC": TURNS, "ETH": days}, **{"max_cluster_assets": 1} | edits)


def cluster_cap(world: World) -> Fired:
    """Both together may be as much as one position."""
    return of_days(world, {"BTC": TURNS, "ETH": WIDER}, max_cluster_pct=5)


def var(world: World, days: Days = WIDER, **edits: Any) -> Fired:
    """A day costs it two percent, and it is a twentieth of the equity."""
    return of_days(world, {"BTC": days}, **{"max_var_pct": 0.05} | edits)


def young(world: World) -> Fired:
    """Two days of ETH are unknown, on which BTC gained or lost a percent."""
    return of_days(world, {"BTC": TURNS, "ETH": hole(WIDER, 2)}, max_var_pct=0.5)


def leverage(world: World) -> Fired:
    return of_days(world, {"BTC": TURNS, "ETH": WIDER}, max_leverage_ratio=0.06)


def concentration(world: World) -> Fired:
    return of_days(world, {"BTC": TURNS}, max_concentration_pct=4)


def cash(world: World) -> Fired:
    """The first entry reserves all there is."""
    return filled_up(
        world,
        policy__sizing__tier_1_position_pct=100,
        policy__risk__max_per_asset_pct=100,
        policy__risk__max_total_at_risk_pct=100,
    )


def spread(world: World) -> Fired:
    return world.market(BTC=RISE).configured(policy__liquidity__max_spread_bps=5).run(), "BTC-USD"


def depth(world: World) -> Fired:
    """A coin that nobody trades: a hundredth of a percent of its book is less than a lot."""
    world.market(volume=0.01, BTC=RISE).configured(policy__liquidity__max_share_of_depth_pct=0.01)
    return world.run(), "BTC-USD"


def slippage(world: World) -> Fired:
    world.market(BTC=RISE).configured(policy__orders__maker_ttl_bars=0, policy__liquidity__max_slippage_bps=5)
    return world.run(), "BTC-USD"


def cost(world: World) -> Fired:
    return world.market(BTC=RISE).configured(policy__liquidity__max_entry_cost_bps=1).run(), "BTC-USD"


def edge(world: World) -> Fired:
    """Coming and going costs 1.9 percent; a target of ten is not ten times that."""
    world.market(BTC=RISE).configured(
        strategies__sma_cross__target_pct=10, policy__liquidity__min_edge_over_cost_pct=1000
    )
    return world.run(), "BTC-USD"


def min_notional(world: World) -> Fired:
    return world.market(BTC=RISE).configured(app__paper__cash_quote=200).run(), "BTC-USD"


SCENES: dict[Verdict, Scene] = {
    Verdict.OK: ok,
    Verdict.HALTED: halted,
    Verdict.PAUSED: paused,
    Verdict.UNRESOLVED: unresolved,
    Verdict.POLICY_STALE: policy_stale,
    Verdict.EQUITY_UNKNOWN: equity_unknown,
    Verdict.INPUT_MISSING: input_missing,
    Verdict.INELIGIBLE: ineligible,
    Verdict.BANNED: banned,
    Verdict.REGIME: regime,
    Verdict.CALENDAR: calendar,
    Verdict.STALE_DATA: stale_data,
    Verdict.OUTLIER: outlier,
    Verdict.JUMP: jump,
    Verdict.DAY_LOSS: day_loss,
    Verdict.WEEK_LOSS: week_loss,
    Verdict.DRAWDOWN: drawdown,
    Verdict.COOLDOWN: cooldown,
    Verdict.LOSING_STREAK: losing_streak,
    Verdict.SPACING: spacing,
    Verdict.ASSET_SPACING: asset_spacing,
    Verdict.HOUR_ENTRIES: hour_entries,
    Verdict.DAY_ENTRIES: day_entries,
    Verdict.CYCLE_ENTRIES: cycle_entries,
    Verdict.STRATEGY_TRADES: strategy_trades,
    Verdict.DAY_STOP: day_stop,
    Verdict.DAY_TARGET: day_target,
    Verdict.CONVICTION: conviction,
    Verdict.VOLATILITY: volatility,
    Verdict.QUIET_MARKET: quiet_market,
    Verdict.LOW_CONFIDENCE: low_confidence,
    Verdict.HELD: held,
    Verdict.ADD_SPACING: add_spacing,
    Verdict.ADDS_PER_DAY: adds_per_day,
    Verdict.MAX_POSITIONS: max_positions,
    Verdict.STRATEGY_CAP: strategy_cap,
    Verdict.ASSET_CAP: asset_cap,
    Verdict.THEME_CAP: theme_cap,
    Verdict.TIER_CAP: tier_cap,
    Verdict.TOTAL_EXPOSURE: total_exposure,
    Verdict.CLUSTER_ASSETS: cluster_assets,
    Verdict.CLUSTER_CAP: cluster_cap,
    Verdict.VAR: var,
    Verdict.LEVERAGE: leverage,
    Verdict.CONCENTRATION: concentration,
    Verdict.CASH: cash,
    Verdict.SPREAD: spread,
    Verdict.DEPTH: depth,
    Verdict.SLIPPAGE: slippage,
    Verdict.COST: cost,
    Verdict.EDGE: edge,
    Verdict.MIN_NOTIONAL: min_notional,
}
