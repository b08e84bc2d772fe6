"""Every limit of the five files, with a scene that it stops, and a value of it that lets the same scene pass."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, cast

from tests.cli.program import Program
from tests.scenarios import scenes
from tests.scenarios.scenes import AGAINST, DIP, RARER, RISE, STOPPED, WIDER, Fired, Scene, hole
from tests.world import START, Bar, Series, World, at, outcomes, sent
from trader_core.domain.clocktime import EpochMs, parse_utc
from trader_core.domain.errors import Unreachable, VenueUnavailable
from trader_core.domain.facts import CoinsMoved
from trader_core.domain.fill import Side
from trader_core.domain.halt import HaltState
from trader_core.domain.market import TopOfBook
from trader_core.domain.money import Base
from trader_core.domain.order import ApprovedOrder, OrderReport, Role
from trader_core.domain.values import replace
from trader_core.engine.run import cycles
from trader_core.ports import VenueReader, VenueTrader

Check = Callable[[Fired], bool]


@dataclass(frozen=True)
class Limit:
    """Under the scene's own value of the key the check holds; under `free` it does not."""

    scene: Scene
    holds: Check
    free: Any


def said(verdict: str) -> Check:
    return lambda fired: verdict in outcomes(*fired)


def never_said(verdict: str) -> Check:
    return lambda fired: verdict not in outcomes(*fired)


def sent_for(reason: str) -> Check:
    return lambda fired: reason in {one[2] for one in sent(fired[0])}


def never_sent_for(reason: str) -> Check:
    return lambda fired: not sent_for(reason)(fired)


def sold_by_trailing(fired: Fired) -> bool:
    return [one.reason for one in fired[0][-1].book.exits.values()] == ["trailing"]


def is_flat(fired: Fired) -> bool:
    return not fired[0][-1].book.held


def bound_by(cap: str) -> Check:
    """Some size was cut by that cap, as `why` tells it."""

    def check(fired: Fired) -> bool:
        judged = [one for report in fired[0] if report.decision for one in report.decision.judgements]
        return any(row.gate == "size" and row.verdict == f"by_{cap}" for one in judged for row in one.rows)

    return check


def sold_at_first(share: str) -> Check:
    """Of what was bought, that share was sold in the first sale, to the hundredth."""

    def check(fired: Fired) -> bool:
        fills = [told.fill for one in fired[0] for told in one.fills]
        bought = sum(one.quantity for one in fills if one.side is Side.BUY)
        sold = next(one.quantity for one in fills if one.side is Side.SELL)
        return round(sold / bought, 2) == Decimal(share)

    return check


def stops_at(trigger: str) -> Check:
    """A stop stood there."""

    def check(fired: Fired) -> bool:
        orders = [order for one in fired[0] if one.decision for order in one.decision.orders]
        return Decimal(trigger) in {one.trigger for one in orders if one.role is Role.STOP}

    return check


def answered(code: int) -> Check:
    return lambda fired: fired[1] == str(code)


def rests_no_more(fired: Fired) -> bool:
    """No entry is at work at the end."""
    reports, symbol = fired
    return reports[-1].book.working(symbol, Role.ENTRY) is None


def given(scene: Scene, **edits: Any) -> Scene:
    """The scene in a configuration that differs from the calm one by more than the scene asks for."""
    return lambda world: scene(world.configured(**edits))


# --- scenes beyond those of the verdicts -----------------------------------------------------------------------------


def weather(world: World, btc: float, **edits: Any) -> Fired:
    """ETH rises in a regime that is read from BTC, which has moved once, in the hour before."""
    world.market(BTC=(100, 100, 100, *[btc] * 5), ETH=RISE).configured(**edits)
    return world.run(), "ETH-USD"


bull = partial(
    weather, btc=102, policy__regime__bull_scale_pct=0, signals__regime__bull_rise_pct=1,
    signals__regime__bull_volatility_pct=900,
)  # fmt: skip
bear = partial(weather, btc=98, policy__regime__bear_scale_pct=0, signals__regime__bear_fall_pct=1)
chop = partial(weather, btc=100, policy__regime__chop_scale_pct=0)


def two(world: World, first: str, second: str, **edits: Any) -> Fired:
    """Two coins rise at once; the first entry takes all the room there is."""
    rising: Any = {first: RISE, second: RISE}
    world.market(**rising).configured(policy__profile="NORMAL", **edits)
    return world.run(), f"{second}-USD"


tier_2 = partial(two, first="LTC", second="XRP", policy__risk__max_tier_2_pct=5)
tier_3 = partial(
    two, first="YYY", second="ZZZ", universe__tiers__tier_3_event_driven__bases=["YYY", "ZZZ"],
    policy__risk__max_tier_3_pct=5,
)  # fmt: skip


def sold_and_rising(world: World, series: Series, **rests: int) -> Fired:
    """Sold one way or another, and rising again within the hour."""
    named = {f"policy__pacing__cooldown_after_{how}_min": rests.get(how, 0) for how in ("win", "loss", "stop")}
    return world.market(BTC=series).configured(**named).run(), "BTC-USD"


after_win = partial(sold_and_rising, series=(*RISE[:6], DIP, 110, 112, 108, 104, 110, 114), win=60, loss=60, stop=60)
after_loss = partial(sold_and_rising, series=(*RISE[:6], DIP, 101, 99, 99, 102, 104), loss=60, stop=60)
after_stop = partial(sold_and_rising, series=(*STOPPED, 80, 82, 84), stop=120)


def resting(world: World, **edits: Any) -> Fired:
    """An entry below a market that does not come back to it."""
    world.market(BTC=(*RISE[:6], 110, 110.5, 111)).configured(**edits)
    return world.run(), "BTC-USD"


def immediate(world: World) -> Fired:
    """A taker whose limit is the quote itself: half the spread more, and nobody sells to it."""
    world.market(BTC=RISE).configured(policy__orders__maker_ttl_bars=0, policy__orders__limit_band_bps=0)
    return world.run(), "BTC-USD"


def trailed(world: World) -> Fired:
    """A rise by eight percent and a fall by two and by four, far from a stop that stands twenty below the entry."""
    world.market(BTC=(*RISE[:6], DIP, 106, 110, 108, 105.6, 105.7)).configured(
        strategies__sma_cross__stop_pct=20,
        policy__exits__use_trailing_stop=True,
        policy__exits__trailing_stop_pct=3,
    )
    return world.run(), "BTC-USD"


def taken_over(world: World, series: Series = (100,) * 8, limit: int | None = None, **edits: Any) -> Fired:
    """A coin that no strategy bought, at 100: it lies in the account, and a person hands it over to the bot."""
    world.market(BTC=series).configured(**edits).run(limit=1)
    hand_over(world, at(3))
    return world.run(limit=limit), "BTC-USD"


def hand_over(world: World, at_ms: EpochMs) -> None:
    """The venue's simulated account has the coin, and the ledger hears of it."""
    with closing(sqlite3.connect(world.state / "paper.venue.db")) as venue, venue:
        venue.execute("INSERT OR REPLACE INTO balances VALUES ('BTC', 100000000, 0)")
    world.tell(CoinsMoved("by hand", "BTC-USD", Side.BUY, Base(Decimal(1)), Decimal(100), at_ms, "a person"))


def watched(world: World) -> Fired:
    """Held for an hour with no order at the venue; what `status` ends with is told in place of a symbol."""
    world.market(BTC=(100,) * 8).configured(app__paper__cash_quote=10_000).run(limit=1)
    hour_ago = EpochMs(parse_utc(START))
    world.tell(CoinsMoved("by hand", "BTC-USD", Side.BUY, Base(Decimal(1)), Decimal(100), hour_ago, "a person"))
    done = Program(world.root)("status", "--state", world.state, "--config", world.config, "--mode", "PAPER")
    return [], str(done.code)


class Troubled(scenes.Silent):
    """A venue that tells no quote of anything."""

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        raise VenueUnavailable("no quote came")


def troubled(world: World, limit: int | None = None, **edits: Any) -> Fired:
    """Three cycles in a row whose venue tells no quotes; nothing is held, and nobody wants to buy."""
    world.wired = lambda ports: replace(ports, reader=cast(VenueReader, Troubled(ports.reader)))
    world.market(BTC=[100] * 8).configured(**{"policy__halt__max_venue_troubles": 3} | edits)
    return world.run(limit=limit), "BTC-USD"


def too_large(world: World, **edits: Any) -> Fired:
    """A coin of one percent of the account, in an asset that may be 0.8 percent of it."""
    small = {f"policy__sizing__tier_{n}_position_pct": 0.5 for n in (1, 2, 3)}
    caps = {"policy__risk__max_per_asset_pct": 0.8, "policy__exits__trim_above_cap_pct": 5}
    return taken_over(world, (100,) * 12, **{"app__paper__cash_quote": 10_000} | small | caps | edits)


def outcast(world: World, limit: int | None = None, **edits: Any) -> Fired:
    """A coin that a person hands over, and that the universe has no place for."""
    world.market(ETH=[100] * 14).configured(signals__regime__base="ETH", universe__tiers__tier_1_core__bases=["ETH"])
    return taken_over(world, (100,) * 14, limit, **{"policy__exits__purge_after_h": 1} | edits)


def broken_even(world: World) -> Fired:
    """A rise by six percent, and a fall back to cost: far above the stop, which stands twenty below."""
    world.market(BTC=(*RISE[:6], DIP, 106, 108.5, 106, 103, 102, 102)).configured(
        strategies__sma_cross__stop_pct=20, policy__exits__break_even_at_pct=5
    )
    return world.run(), "BTC-USD"


def parted(world: World) -> Fired:
    """A rise by eight percent, four of which sell a half."""
    world.market(BTC=(*RISE[:6], DIP, 106, 108, 110, 110)).configured(policy__exits__partial_target_pct=4)
    return world.run(), "BTC-USD"


def floored(world: World, coin: str = "BTC", **edits: Any) -> Fired:
    """One coin of 9.6 billions a day, a spread of 10 bps, and 48 millions near the middle."""
    rising: Any = {coin: RISE}
    return world.market(**rising).configured(**edits).run(), f"{coin}-USD"


of_tier_1 = partial(floored, coin="BTC")
of_tier_2 = partial(floored, coin="XRP", universe__near_threshold__max_spread_bps=5)
of_tier_3 = partial(floored, coin="ZZZ", universe__tiers__tier_3_event_driven__bases=["ZZZ"])
nearly = partial(
    floored, coin="XRP", universe__tiers__tier_2_rotational__min_day_volume_quote=10_000_000_000,
    universe__near_threshold__volume_pct=95, universe__near_threshold__max_spread_bps=30,
)  # fmt: skip


def thinning(world: World, floor: int, volumes: tuple[float, ...], **hysteresis: int) -> Fired:
    """BTC rises after bars of these volumes; a floor of what it traded in a day is near."""
    quiet = [Bar(100, 100.01, 99.99, 100, volume) for volume in volumes]
    world.market(BTC=(*quiet, 102, 104)).configured(
        universe__tiers__tier_1_core__min_day_volume_quote=floor,
        **{f"universe__hysteresis__{key}": value for key, value in ({"recall_h": 96} | hysteresis).items()},
    )
    return world.run(), "BTC-USD"


MILLION = 1_000_000
thin_of_late = partial(thinning, floor=9_550 * MILLION, volumes=(1e6, 1e6, 1e6, 0, 0))
thin_for_hours = partial(thinning, floor=9_550 * MILLION, volumes=(1e6, 1e6, 1e6, 0, *[1e6] * 9))
fat_of_late = partial(thinning, floor=10_000 * MILLION, volumes=(1e6, 1e6, 1e6, 1e7, 1e6))


def unlisted(world: World, **edits: Any) -> Fired:
    """Two coins that no tier names; the second trades half of the first."""
    world.market(YYY=[2 * price for price in RISE], ZZZ=RISE).configured(**edits)
    return world.run(), "ZZZ-USD"


def banned_by_command(world: World) -> Fired:
    """`bans add` without a length; the coin rises an hour later."""
    world.market(BTC=(*[100] * 9, 102, 104)).configured().run(limit=1)
    command(world, "bans", "add", "BTC", "--reason", "an exploit")
    return world.run(), "BTC-USD"


def acknowledged_by_command(world: World) -> Fired:
    """Tripped and acknowledged at once; the coin rises while the cooldown lasts."""
    world.market(BTC=RISE).configured(policy__halt__cooldown_min=60).run(limit=1)
    command(world, "halt", "trip", "--reason", "a drill")
    command(world, "halt", "ack")
    return world.run(), "BTC-USD"


def command(world: World, *words: str) -> None:
    done = Program(world.root)(*words, "--state", world.state, "--config", world.config, "--mode", "PAPER")
    assert done.code == 0, done.err


def reset_by_command(world: World) -> int:
    words = ("halt", "reset", "--user", "me", "--reason", "a drill, and no more", "--force")
    return Program(world.root)(*words, "--state", world.state, "--config", world.config, "--mode", "PAPER").code


def lost_at_a_stop(world: World, **edits: Any) -> Fired:
    """BTC falls through its stop, which costs a quarter percent of the account; ETH rises an hour later."""
    world.market(BTC=(*STOPPED, 80, 80, 80), ETH=(*[100] * 8, 102, 104, 106)).configured(**edits)
    return world.run(), "ETH-USD"


def lost_and_held(world: World, **edits: Any) -> Fired:
    """A tenth lower, far from a stop that stands twenty below the entry."""
    world.market(BTC=(*RISE[:6], DIP, 92, 92)).configured(strategies__sma_cross__stop_pct=20, **edits)
    return world.run(), "BTC-USD"


def lost_again_after_a_reset(world: World) -> Fired:
    """Each of two coins loses a quarter percent at its stop; after the first, a person has looked."""
    world.market(BTC=(*STOPPED, *[80] * 8), ETH=(*[100] * 4, *STOPPED, *[80] * 4)).configured(
        policy__halt__max_day_loss_pct=0.2, policy__halt__retrip_step_pct=0.1
    )
    world.run(until_ms=at(8))
    assert reset_by_command(world) == 0
    return world.run(), "ETH-USD"


class Deaf:
    """A venue that nobody reaches with a purchase."""

    def __init__(self, trader: VenueTrader) -> None:
        self._trader = trader
        self.payload, self.cancel = trader.payload, trader.cancel

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        if order.role is Role.ENTRY:
            raise Unreachable("no route to the venue")
        return self._trader.place(client_order_id, order, payload)


def unheard(world: World, **edits: Any) -> Fired:
    """Three purchases fail in one cycle."""
    world.market(BTC=RISE, ETH=RISE, SOL=RISE).configured(policy__halt__max_execution_errors=3, **edits)
    with world.system() as system:
        ports = replace(system.ports, trader=Deaf(system.ports.trader))
        return list(cycles(ports, system.policy, system.journal, lambda: False, None)), "BTC-USD"


def stopped_twice(world: World, later: int = 0, **edits: Any) -> Fired:
    """Two coins are stopped out, one so many bars after the other."""
    world.market(BTC=(*STOPPED, *[80] * 5), ETH=(*[100] * later, *STOPPED, *[80] * (5 - later))).configured(
        policy__halt__max_stop_hits=2, **edits
    )
    return world.run(), "ETH-USD"


def fed_no_more(world: World) -> Fired:
    """The venue sends no bar of what is held for an hour."""
    world.market(BTC=(*RISE[:6], DIP, 103, None, None, None, None), ETH=[100] * 12).configured(
        policy__halt__max_feed_age_min=30
    )
    return world.run(), "BTC-USD"


def resting_at_a_trip(world: World, **edits: Any) -> Fired:
    """BTC falls through its stop while an entry of ETH rests far below its market."""
    rests: Series = (*[100.0] * 5, 102, 110, 110, 110, 110, 110)
    world.market(BTC=(*STOPPED, 80, 80), ETH=rests).configured(
        **{"policy__halt__max_day_loss_pct": 0.2, "policy__orders__maker_ttl_bars": 50} | edits
    )
    return world.run(), "ETH-USD"


def reset_in_vain(world: World) -> Fired:
    """A person asks for it with all force."""
    world.market(BTC=(*STOPPED, 80, 80, 80)).configured(
        policy__halt__max_day_loss_pct=0.2, policy__halt__allow_manual_reset=False
    )
    world.run(until_ms=at(8))
    reset_by_command(world)
    return world.run(), "BTC-USD"


def tripped_by(cause: str, times: int = 1) -> Check:
    def holds(fired: Fired) -> bool:
        moves = [one.decision.halt for one in fired[0] if one.decision and one.decision.halt]
        return sum(cause in {each.name for each in one.causes} for one in moves) >= times

    return holds


def is_halved(fired: Fired) -> bool:
    """3.5 % of the account is wanted, less than 2 % is ordered."""
    orders = [order for one in fired[0] if one.decision for order in one.decision.orders]
    entry = next(one for one in orders if (one.symbol, one.role) == (fired[1], Role.ENTRY))
    return entry.quantity * entry.limit < 200


def ended_in(state: HaltState) -> Check:
    return lambda fired: fired[0][-1].book.halt.state is state


def budgeted(world: World, strategy: str, **edits: Any) -> Fired:
    """Two coins that one strategy wants to buy at once."""
    moves: Series = (*[100] * 5, 98, 98) if strategy == "mean_reversion" else RISE
    own = {f"strategies__{strategy}__{key}": value for key, value in (FREE_BUDGET | edits).items()}
    world.market(BTC=moves, ETH=moves).configured(
        policy__profile="NORMAL",
        strategies__momentum__window_h=2,
        strategies__momentum__min_rise_pct=1,
        strategies__momentum__min_share_pct=0,
        strategies__mean_reversion__entry_sigma=5,
        **{"strategies__sma_cross__enabled": False, f"strategies__{strategy}__enabled": True} | own,
    )
    return world.run(), "ETH-USD"


FREE_BUDGET = {"max_at_risk_pct": 100, "max_trades_per_cycle": 50, "min_conviction_pct": 0}


def budgets(strategy: str) -> dict[str, Limit]:
    def scene(**edits: Any) -> Scene:
        return partial(budgeted, strategy=strategy, **edits)

    return {
        f"strategies.{strategy}.max_at_risk_pct": Limit(scene(max_at_risk_pct=5), said("STRATEGY_CAP"), 100),
        f"strategies.{strategy}.max_trades_per_cycle": Limit(scene(max_trades_per_cycle=1), said("STRATEGY_TRADES"), 2),
        f"strategies.{strategy}.min_conviction_pct": Limit(scene(min_conviction_pct=100), said("CONVICTION"), 0),
    }


def unread(world: World) -> Fired:
    """Bars of a minute, and a policy store that turns to garbage after the first of them."""
    world.bar_min = 1
    world.market(before_bars=300, BTC=RISE).configured(policy__data__max_policy_age_s=60)
    with world.system() as system:
        told = cycles(system.ports, system.policy, system.journal, lambda: False)
        reports = [next(told)]
        for name in ("paper.policy.db", "paper.policy.json"):
            (world.state / name).write_text("what is this?")
        return [*reports, *told], "BTC-USD"


def measured(world: World, coin: Series, since: int, **edits: Any) -> Fired:
    """BTC alone, from that bar on."""
    world.market(before_bars=300, BTC=coin).configured(**edits)
    return world.run(since_ms=parse_utc(START) + since * world.bar_ms), "BTC-USD"


def by_minutes(world: World, coin: Series, since: int, **edits: Any) -> Fired:
    world.bar_min = 1
    return measured(world, coin, since, **edits)


THIN = Bar(110, 112, 110, 112, 1)  # hardly any volume
fallen_and_thin = partial(
    measured, coin=(130, *[110] * 4, THIN, 112), since=4, signals__guards__outlier_bars=20,
    signals__guards__outlier_deviation_pct=10, signals__guards__outlier_volume_pct=10,
)  # fmt: skip
WILD, CALM_DOWN = [Bar(100, 103, 97, 100)] * 8, [100.0] * 8
calmed_down = partial(
    measured, coin=(*WILD, *CALM_DOWN, 100.02, 100.03), since=16, signals__thresholds__chop__min_atr_ratio=0.5
)
ROUGH, QUIET = [100 - n % 2 for n in range(20)], [98 - n * 0.05 - n % 2 * 0.04 for n in range(14)]
rough_before = partial(
    by_minutes, coin=(*ROUGH, *QUIET, 97.9, 97.9), since=33, signals__guards__jump_bars=10,
    signals__guards__max_jump_sigma=6,
)  # fmt: skip


def hardly_moving(world: World, name: str, btc: float, **edits: Any) -> Fired:
    """ETH rises by two ticks in that regime, in which a market must move five times as much as it does."""
    world.market(BTC=(100, 100, 100, *[btc] * 5), ETH=(*RISE[:5], 100.02, 100.03)).configured(
        **{f"signals__thresholds__{name}__min_atr_ratio": 5}, **edits
    )
    return world.run(), "ETH-USD"


QUIET_IN = {
    "bull": partial(
        hardly_moving, name="bull", btc=102, signals__regime__bull_rise_pct=1, signals__regime__bull_volatility_pct=900
    ),
    "chop": partial(hardly_moving, name="chop", btc=100),
    "bear": partial(hardly_moving, name="bear", btc=98, signals__regime__bear_fall_pct=1),
    "crash": partial(hardly_moving, name="crash", btc=80),
}
NO_THEME_CAPS = dict.fromkeys(("LAYER1", "LAYER2", "MEME", "DEFI", "OTHER"), 100)
FELL_ONCE = (100, 100, 98, 98, 98, 98)


def floors(name: str, scene: Callable[..., Fired]) -> dict[str, Limit]:
    def of(key: str, value: Any) -> Scene:
        return partial(scene, **{f"universe__tiers__{name}__{key}": value})

    return {
        f"universe.tiers.{name}.min_day_volume_quote": Limit(
            of("min_day_volume_quote", 20_000 * MILLION), said("INELIGIBLE"), 0
        ),
        f"universe.tiers.{name}.asset_class": Limit(of("asset_class", "UNKNOWN"), said("CALENDAR"), "CRYPTO"),
        f"universe.tiers.{name}.max_spread_bps": Limit(of("max_spread_bps", 5), said("INELIGIBLE"), 1000),
        f"universe.tiers.{name}.min_depth_quote": Limit(of("min_depth_quote", 100 * MILLION), said("INELIGIBLE"), 0),
    }


LIMITS: dict[str, Limit] = {
    "policy.regime.bull_scale_pct": Limit(bull, said("REGIME"), 100),
    "policy.regime.chop_scale_pct": Limit(chop, said("REGIME"), 100),
    "policy.regime.bear_scale_pct": Limit(bear, said("REGIME"), 100),
    "policy.regime.crash_scale_pct": Limit(scenes.regime, said("REGIME"), 100),
    "policy.risk.max_total_at_risk_pct": Limit(scenes.total_exposure, said("TOTAL_EXPOSURE"), 25),
    "policy.risk.max_open_positions": Limit(scenes.max_positions, said("MAX_POSITIONS"), 2),
    "policy.risk.max_slot_wait_min": Limit(scenes.slot_wait, said("OK"), 0),
    "policy.risk.max_per_asset_pct": Limit(scenes.asset_cap, said("ASSET_CAP"), 10),
    "policy.risk.max_per_theme_pct": Limit(scenes.theme_cap, said("THEME_CAP"), NO_THEME_CAPS),
    "policy.risk.max_tier_1_pct": Limit(scenes.tier_cap, said("TIER_CAP"), 100),
    "policy.risk.max_tier_2_pct": Limit(tier_2, said("TIER_CAP"), 100),
    "policy.risk.max_tier_3_pct": Limit(tier_3, said("TIER_CAP"), 100),
    "policy.risk.max_day_loss_pct": Limit(scenes.day_loss, said("DAY_LOSS"), 3),
    "policy.risk.halve_at_day_loss_pct": Limit(
        partial(lost_at_a_stop, policy__risk__halve_at_day_loss_pct=0.2), is_halved, 1
    ),
    "policy.risk.max_week_loss_pct": Limit(scenes.week_loss, said("WEEK_LOSS"), 10),
    "policy.risk.max_drawdown_pct": Limit(scenes.drawdown, said("DRAWDOWN"), 10),
    "policy.risk.max_stop_loss_pct": Limit(
        partial(floored, policy__risk__max_stop_loss_pct=0.05), bound_by("stop_loss"), 100
    ),
    "policy.risk.cautious_day_stop_pct": Limit(scenes.day_stop, said("DAY_STOP"), 50),
    "policy.risk.cautious_day_target_pct": Limit(scenes.day_target, said("DAY_TARGET"), 100),
    "policy.risk.max_volatility_pct": Limit(scenes.volatility, said("VOLATILITY"), 10_000),
    "policy.risk.calm_range_pct": Limit(scenes.low_confidence, said("LOW_CONFIDENCE"), 100),
    "policy.risk.min_restless_conviction_pct": Limit(scenes.low_confidence, said("LOW_CONFIDENCE"), 0),
    "policy.portfolio.max_cluster_assets": Limit(scenes.cluster_assets, said("CLUSTER_ASSETS"), 2),
    "policy.portfolio.max_cluster_pct": Limit(scenes.cluster_cap, said("CLUSTER_CAP"), 100),
    "policy.portfolio.cluster_correlation_ratio": Limit(
        partial(scenes.cluster_assets, days=RARER, cluster_correlation_ratio=0.6), said("CLUSTER_ASSETS"), 0.62
    ),
    "policy.portfolio.cluster_window_days": Limit(
        partial(scenes.cluster_assets, days=RARER, cluster_window_days=2), said("CLUSTER_ASSETS"), 5
    ),
    "policy.portfolio.cluster_min_days": Limit(
        partial(scenes.cluster_assets, days=hole(AGAINST, 2), cluster_min_days=4), said("CLUSTER_ASSETS"), 3
    ),
    "policy.portfolio.max_var_pct": Limit(scenes.var, said("VAR"), 100),
    "policy.portfolio.var_confidence_pct": Limit(scenes.var, said("VAR"), 50),
    "policy.portfolio.var_window_days": Limit(partial(scenes.var, days=FELL_ONCE), said("VAR"), 2),
    "policy.portfolio.var_min_days": Limit(
        partial(scenes.var, days=hole(WIDER, 2), max_var_pct=100, var_min_days=4), said("VAR"), 3
    ),
    "policy.portfolio.var_stress_pct": Limit(scenes.young, said("VAR"), 0),
    "policy.portfolio.max_leverage_ratio": Limit(scenes.leverage, said("LEVERAGE"), 1),
    "policy.portfolio.max_concentration_pct": Limit(scenes.concentration, said("CONCENTRATION"), 100),
    "policy.pacing.cooldown_after_win_min": Limit(after_win, said("COOLDOWN"), 0),
    "policy.pacing.cooldown_after_loss_min": Limit(after_loss, said("COOLDOWN"), 0),
    "policy.pacing.cooldown_after_stop_min": Limit(after_stop, said("COOLDOWN"), 0),
    "policy.pacing.max_losing_streak": Limit(scenes.losing_streak, said("LOSING_STREAK"), 3),
    "policy.pacing.losing_streak_pause_min": Limit(scenes.losing_streak, said("LOSING_STREAK"), 0),
    "policy.pacing.min_spacing_s": Limit(scenes.spacing, said("SPACING"), 0),
    "policy.pacing.min_asset_spacing_s": Limit(scenes.asset_spacing, said("ASSET_SPACING"), 0),
    "policy.pacing.max_entries_per_cycle": Limit(scenes.cycle_entries, said("CYCLE_ENTRIES"), 2),
    "policy.pacing.max_entries_per_hour": Limit(scenes.hour_entries, said("HOUR_ENTRIES"), 2),
    "policy.pacing.max_entries_per_day": Limit(scenes.day_entries, said("DAY_ENTRIES"), 2),
    "policy.adds.allowed": Limit(partial(scenes.adding, policy__adds__allowed=False), said("HELD"), True),
    "policy.adds.min_spacing_min": Limit(scenes.add_spacing, said("ADD_SPACING"), 0),
    "policy.adds.max_per_day": Limit(scenes.adds_per_day, said("ADDS_PER_DAY"), 20),
    "policy.sizing.min_notional_quote": Limit(scenes.min_notional, said("MIN_NOTIONAL"), 0),
    "policy.data.max_data_age_s": Limit(scenes.stale_data, said("STALE_DATA"), 86_400),
    "policy.data.max_policy_age_s": Limit(unread, said("POLICY_STALE"), 600),
    "policy.orders.maker_ttl_bars": Limit(partial(resting, policy__orders__taker_fallback=False), rests_no_more, 50),
    "policy.orders.maker_max_reprices": Limit(resting, sent_for("fallback"), 10),
    "policy.orders.taker_fallback": Limit(
        partial(resting, policy__orders__taker_fallback=False), never_sent_for("fallback"), True
    ),
    "policy.orders.limit_band_bps": Limit(immediate, is_flat, 100),
    "policy.liquidity.max_spread_bps": Limit(scenes.spread, said("SPREAD"), 1000),
    "policy.liquidity.max_share_of_depth_pct": Limit(scenes.depth, said("DEPTH"), 100),
    "policy.liquidity.max_slippage_bps": Limit(scenes.slippage, said("SLIPPAGE"), 500),
    "policy.liquidity.max_entry_cost_bps": Limit(scenes.cost, said("COST"), 1000),
    "policy.liquidity.min_edge_over_cost_pct": Limit(scenes.edge, said("EDGE"), 0),
    "policy.exits.use_trailing_stop": Limit(trailed, sold_by_trailing, False),
    "policy.exits.trailing_stop_pct": Limit(trailed, sold_by_trailing, 20),
    "policy.exits.default_stop_pct": Limit(taken_over, stops_at("98"), 99),
    "policy.exits.default_target_pct": Limit(
        partial(taken_over, series=(*[100] * 6, 106, 106, 106)), sent_for("target"), 0
    ),
    "policy.exits.break_even_at_pct": Limit(broken_even, sent_for("break_even"), 0),
    "policy.exits.partial_target_pct": Limit(parted, sent_for("partial"), 0),
    "policy.exits.partial_share_pct": Limit(parted, sold_at_first("0.5"), 25),
    "policy.exits.trim_above_cap_pct": Limit(too_large, sent_for("trim"), 25),
    "policy.exits.purge_after_h": Limit(outcast, sent_for("purge"), 0),
    "policy.exits.max_naked_min": Limit(watched, answered(42), 1440),
    "policy.halt.enabled": Limit(scenes.ok, lambda fired: fired[0][-1].book.halt.state is HaltState.ARMED, False),
    "policy.halt.cooldown_min": Limit(acknowledged_by_command, said("HALTED"), 0),
    "policy.halt.max_day_loss_pct": Limit(
        partial(lost_at_a_stop, policy__halt__max_day_loss_pct=0.2), tripped_by("day_loss"), 1
    ),
    "policy.halt.max_open_loss_pct": Limit(
        partial(lost_and_held, policy__halt__max_open_loss_pct=0.2), tripped_by("open_loss"), 1
    ),
    "policy.halt.retrip_step_pct": Limit(lost_again_after_a_reset, tripped_by("day_loss"), 2),
    "policy.halt.max_execution_errors": Limit(unheard, tripped_by("execution_errors"), 4),
    "policy.halt.error_window_min": Limit(unheard, tripped_by("execution_errors"), 14),
    "policy.halt.max_stop_hits": Limit(stopped_twice, tripped_by("stop_hits"), 0),
    "policy.halt.stop_window_min": Limit(
        partial(stopped_twice, later=2, policy__halt__stop_window_min=60), tripped_by("stop_hits"), 15
    ),
    "policy.halt.max_feed_age_min": Limit(fed_no_more, tripped_by("feed_age"), 0),
    "policy.halt.max_venue_troubles": Limit(troubled, tripped_by("venue_troubles"), 0),
    "policy.halt.on_trip": Limit(resting_at_a_trip, rests_no_more, "hold"),
    "policy.halt.auto_rearm": Limit(
        partial(lost_at_a_stop, policy__halt__max_day_loss_pct=0.2, policy__halt__auto_rearm=True),
        ended_in(HaltState.COOLING_DOWN),
        False,
    ),
    "policy.halt.allow_manual_reset": Limit(reset_in_vain, ended_in(HaltState.TRIPPED), True),
    **floors("tier_1_core", of_tier_1),
    **floors("tier_2_rotational", of_tier_2),
    **floors("tier_3_event_driven", of_tier_3),
    "universe.near_threshold.volume_pct": Limit(
        partial(nearly, universe__near_threshold__volume_pct=99), said("INELIGIBLE"), 95
    ),
    "universe.near_threshold.max_spread_bps": Limit(
        partial(nearly, universe__near_threshold__max_spread_bps=5), said("INELIGIBLE"), 30
    ),
    "universe.hysteresis.enter_h": Limit(partial(fat_of_late, enter_h=3), said("INELIGIBLE"), 1),
    "universe.hysteresis.leave_h": Limit(partial(thin_of_late, leave_pct=100), said("INELIGIBLE"), 50),
    "universe.hysteresis.leave_pct": Limit(partial(thin_of_late, leave_pct=100), said("INELIGIBLE"), 50),
    "universe.hysteresis.recall_h": Limit(
        partial(thin_for_hours, leave_pct=50, recall_h=1),
        said("INELIGIBLE"),
        96,
    ),
    "universe.discovery.asset_class": Limit(
        partial(unlisted, universe__discovery__enabled=True, universe__discovery__asset_class="EQUITY"),
        said("CALENDAR"),
        "FX",
    ),
    "universe.discovery.enabled": Limit(partial(unlisted, universe__discovery__enabled=False), never_said("OK"), True),
    "universe.discovery.max_assets": Limit(
        partial(unlisted, universe__discovery__enabled=True, universe__discovery__max_assets=1), said("INELIGIBLE"), 2
    ),
    "universe.never_trade": Limit(
        partial(unlisted, universe__discovery__enabled=True, universe__never_trade=["ZZZ"]), never_said("OK"), []
    ),
    "universe.bans.default_h": Limit(banned_by_command, said("BANNED"), 1),
    "signals.guards.outlier_bars": Limit(fallen_and_thin, said("OUTLIER"), 2),
    "signals.guards.outlier_deviation_pct": Limit(scenes.outlier, said("OUTLIER"), 1000),
    "signals.guards.outlier_volume_pct": Limit(scenes.outlier, said("OUTLIER"), 0),
    "signals.guards.jump_bars": Limit(rough_before, said("JUMP"), 60),
    "signals.guards.max_jump_sigma": Limit(scenes.jump, said("JUMP"), 100),
    "signals.guards.atr_h": Limit(calmed_down, said("QUIET_MARKET"), 5),
    "signals.guards.atr_median_h": Limit(calmed_down, said("QUIET_MARKET"), 12),
    "signals.guards.volatility_h": Limit(
        given(scenes.volatility, policy__orders__taker_fallback=False), said("VOLATILITY"), 24
    ),
    **{
        f"signals.thresholds.{name}.min_atr_ratio": Limit(scene, said("QUIET_MARKET"), 0)
        for name, scene in QUIET_IN.items()
    },
    **budgets("rules"),
    **budgets("momentum"),
    **budgets("mean_reversion"),
    **budgets("sma_cross"),
    "strategies.sma_cross.min_conviction_pct": Limit(scenes.conviction, said("CONVICTION"), 0),
}
