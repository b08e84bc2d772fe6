"""Where each gate's edge is, and what it tells there: its value and its limit, in the unit that codes.GATES names.

Every line is a scene that differs by little from one in which nothing is wrong: it stands right at a limit, or the
smallest step beyond it.
"""

import pytest

from tests.laws.test_gate_independence import (
    CHOP,
    EQUITY,
    ETH,
    HERE,
    THEIRS,
    Change,
    base,
    both,
    drafted,
    guarded,
    limit,
    put,
)
from tests.laws.test_gates import judged
from tests.laws.worlds import NOON_MS
from trader_core.domain.clocktime import DAY_MS, HOUR_MS
from trader_core.domain.money import E8
from trader_core.rulebook import codes
from trader_core.rulebook.account import week_of
from trader_core.rulebook.codes import GATES, Verdict
from trader_core.rulebook.gates.losses import loss_scale
from trader_core.rulebook.state import NO_TICKS, NOBODY_KNOWS, SHUT

YES, NO, NOT_ASKED = "yes", "no", "not asked"
Edge = tuple[Change, float, float, str]  # value and limit as they are told
NOTHING = both()
COMPLETING = drafted("reason", codes.BY_FALLBACK)
MAKER = drafted("kind", codes.MAKER)
NEW = put("state", "lots", ETH, 0)
SOLD = put("state", "exit_ms", THEIRS, NOON_MS)
GONE = both(NEW, COMPLETING, drafted("strategy", codes.NEVER))
OLD_HOUR, OLD_DAY, OLD_WEEK = NOON_MS // HOUR_MS - 1, NOON_MS // DAY_MS - 1, week_of(NOON_MS) - 1
COST = 2_026_024_000  # grains: 20,000 lots at 100,100, and 1.2 % of that
ONE_LOT = 101_302
HELD = 200_000  # a lot of ETH, and as much of BTC, which is of another theme, tier and cluster
ANOTHER = 3
WIDE = both(
    limit("market", "scale", 1.0, CHOP), limit("risk", "max_total", 1.0), limit("risk", "max_asset", 1.0),
    limit("risk", "max_theme", 1.0, 1), limit("risk", "max_tier", 1.0, 2), limit("strategies", "max_at_risk", 1.0, 0),
    limit("portfolio", "max_cluster", 1.0), limit("portfolio", "max_leverage", 0.5),
)  # fmt: skip


def marked(name: int, value: int) -> Change:
    return put("state", "clock", name, value)


def since(group: str, key: int, pause: str) -> list[Edge]:
    """A pause of NOON and a second is over a second after noon where it began with the epoch, and is none where it
    never began. It has passed to the millisecond."""
    at = [put("state", group, key, ms) for ms in (0, codes.NEVER, HOUR_MS - 1, HOUR_MS, HOUR_MS + 1)]
    long, short = limit("pacing", pause, NOON_MS + 1_000), limit("pacing", pause, NOON_MS - HOUR_MS)
    return [
        (NOTHING, 0, 0, YES), (both(at[0], long), 1, 0, NO), (both(at[1], long), 0, 0, YES),
        (both(at[2], short), 0, 0, YES), (both(at[3], short), 0, 0, YES), (both(at[4], short), 0.001, 0, NO),
        (both(at[4], short, COMPLETING), 0, 0, NOT_ASKED),
    ]  # fmt: skip


def lost(opening: int, window: int, old: int, lowest: int, most: str) -> list[Edge]:
    """A tenth closes, and stays when it is won again. Where a mark is missing nothing was lost since, which is no
    loss either where none is allowed."""
    tenth, less = drafted("equity", EQUITY * 9 // 10), drafted("equity", EQUITY * 9 // 10 + 1)
    return [
        (NOTHING, 0, 10, YES), (tenth, 10, 10, NO), (less, 10, 10, YES), (drafted("equity", 0), 100, 10, NO),
        (drafted("equity", -1), 0, 10, YES), (both(marked(opening, 0), tenth), 0, 10, YES),
        (both(marked(opening, 1), drafted("equity", 0)), 100, 10, NO),
        (marked(lowest, EQUITY * 9 // 10), 10, 10, NO), (marked(lowest, 0), 100, 10, NO),
        (both(marked(lowest, codes.NEVER), drafted("equity", 2 * EQUITY)), -100, 10, YES),
        (both(marked(window, old), tenth), 0, 10, YES),
        (limit("risk", most, 0.0), 0, 0, NO), (both(limit("risk", most, 0.0), marked(opening, 0)), 0, 0, YES),
        (both(limit("risk", most, 0.0), drafted("equity", -1)), 0, 0, YES),
    ]  # fmt: skip


def capped(none: Change, held: int) -> list[Edge]:
    """What is held and the draft with its fee may be 0.8 of a half in this regime. Of no equity there is no share."""
    return [
        (NOTHING, 100 * (held + COST) / EQUITY, 40, YES), (none, 100 * (held + COST) / EQUITY, 0, NO),
        (drafted("equity", 0), 0, 40, YES), (drafted("equity", -1), 0, 40, YES),
        (drafted("equity", 1), 100 * (held + COST), 40, NO),
    ]  # fmt: skip


EDGES: dict[Verdict, list[Edge]] = {
    Verdict.HALTED: [
        (NOTHING, 0, 0, YES), (guarded("halted", codes.REDUCING), 1, 0, NO),
        (guarded("halted", codes.STANDING), 2, 0, NO),
    ],
    Verdict.PAUSED: [(NOTHING, 0, 0, YES), (guarded("paused", 1), 1, 0, NO)],
    Verdict.UNRESOLVED: [
        (NOTHING, 0, 0, YES), (both(put("guard", "unknown", ETH, 1), put("guard", "differs", ETH, 2)), 3, 0, NO),
        (both(put("guard", "unknown", ETH, 1), put("guard", "differs", ETH, 1)), 2, 0, NO),
    ],
    Verdict.POLICY_STALE: [
        (NOTHING, 0, 600, YES), (guarded("policy_ms", 600_000), 600, 600, YES),
        (guarded("policy_ms", 600_001), 600.001, 600, NO),
    ],
    Verdict.EQUITY_UNKNOWN: [
        (NOTHING, 1e6, 1e-8, YES), (drafted("equity", 1), 1e-8, 1e-8, YES), (drafted("equity", 0), 0, 1e-8, NO),
        (drafted("equity", -1), -1e-8, 1e-8, NO),
    ],
    Verdict.INPUT_MISSING: [(NOTHING, 1, 1, YES), (put("guard", "unquoted", ETH, 1), 0, 1, NO)],
    Verdict.INELIGIBLE: [
        (NOTHING, 1, 1, YES), (put("guard", "barred", ETH, 1), 0, 1, NO),
        (put("columns", "eligible", HERE, 0), 0, 1, NO),
        (limit("tiers", "max_spread_ppm", 1_000, 2), 1, 1, YES), (limit("tiers", "max_spread_ppm", 999, 2), 0, 1, NO),
        (put("columns", "depth", HERE, E8), 1, 1, YES), (put("columns", "depth", HERE, E8 - 1), 0, 1, NO),
        (limit("tiers", "near_spread_ppm", 1_000), 1, 1, YES), (limit("tiers", "near_spread_ppm", 999), 0, 1, NO),
        (both(limit("tiers", "near_spread_ppm", 999), put("columns", "eligible", HERE, 1)), 1, 1, YES),
    ],
    Verdict.BANNED: [
        (NOTHING, 0, 0, YES), (put("guard", "banned_ms", ETH, NOON_MS), 0, 0, YES),
        (put("guard", "banned_ms", ETH, NOON_MS + 1), 0.001, 0, NO),
    ],
    Verdict.REGIME: [
        (NOTHING, 80, 0.01, YES), (limit("market", "scale", 0.0001, CHOP), 0.01, 0.01, YES),
        (limit("market", "scale", 0.00009, CHOP), 0.009, 0.01, NO),
        (put("columns", "regime", 0, codes.UNKNOWN), 0, 0.01, NO),
    ],
    Verdict.CALENDAR: [
        (NOTHING, 1, 1, YES), (put("columns", "trading", HERE, SHUT), 0, 1, NO),
        (put("columns", "trading", HERE, NOBODY_KNOWS), -1, 1, NO),
    ],
    Verdict.STALE_DATA: [
        (NOTHING, 0, 1_800, YES), (put("columns", "age_ms", HERE, 1_800_000), 1_800, 1_800, YES),
        (put("columns", "age_ms", HERE, 1_800_001), 1_800.001, 1_800, NO),
        (put("columns", "close", HERE, 1), 0, 1_800, YES), (put("columns", "close", HERE, 0), 0, 1_800, NO),
    ],
    Verdict.OUTLIER: [(NOTHING, 1, 10, YES), (put("columns", "outlier", HERE, 1), 1, 10, NO)],
    Verdict.JUMP: [
        (NOTHING, 1, 6, YES), (put("columns", "jump", HERE, 6.0), 6, 6, YES),
        (put("columns", "jump", HERE, 0.0), 0, 6, YES), (put("columns", "jump", HERE, 6.001), 6.001, 6, NO),
        (put("columns", "jump", HERE, -1.0), -1, 6, NO),
        (put("columns", "jump", HERE, NO_TICKS), 0, 6, NOT_ASKED),
    ],
    Verdict.DAY_LOSS: lost(codes.DAY_OPEN, codes.DAY, OLD_DAY, codes.DAY_LOW, "max_day_loss"),
    Verdict.WEEK_LOSS: lost(codes.WEEK_OPEN, codes.WEEK, OLD_WEEK, codes.WEEK_LOW, "max_week_loss"),
    Verdict.DRAWDOWN: [
        (NOTHING, 0, 10, YES), (drafted("equity", EQUITY * 9 // 10), 10, 10, NO),
        (drafted("equity", EQUITY * 9 // 10 + 1), 10, 10, YES), (marked(codes.HIGH, codes.NEVER), 0, 10, YES),
    ],
    Verdict.DAY_STOP: [
        (NOTHING, 0, 60, YES), (drafted("equity", EQUITY * 2 // 5), 60, 60, NO),
        (drafted("equity", EQUITY * 2 // 5 + 1), 60, 60, YES), (drafted("equity", 0), 100, 60, NO),
        (drafted("equity", -1), 0, 60, YES), (marked(codes.DAY_LOW, EQUITY * 2 // 5), 60, 60, NO),
        (limit("risk", "day_stop", 0.0), 0, 0, NO), (limit("risk", "day_stop", -1.0), 0, 0, NOT_ASKED),
        (marked(codes.DAY, OLD_DAY), 0, 60, NO), (marked(codes.DAY_OPEN, codes.NEVER), 0, 60, NO),
        (both(marked(codes.DAY_OPEN, 1), drafted("equity", 1)), 0, 60, YES),
        (both(marked(codes.DAY_OPEN, 1), drafted("equity", 0)), 100, 60, NO),
    ],
    Verdict.DAY_TARGET: [
        (NOTHING, 0, 10, YES), (drafted("equity", EQUITY * 11 // 10), 10, 10, NO),
        (drafted("equity", EQUITY * 11 // 10 - 1), 10, 10, YES), (drafted("equity", EQUITY // 2), 0, 10, YES),
        (marked(codes.DAY_HIGH, EQUITY * 11 // 10), 10, 10, NO),
        (limit("risk", "day_target", 0.0), 0, 0, NO), (limit("risk", "day_target", -1.0), 0, 0, NOT_ASKED),
        (marked(codes.DAY, OLD_DAY), 0, 10, NO), (marked(codes.DAY_OPEN, codes.NEVER), 0, 10, NO),
        (both(marked(codes.DAY_OPEN, 1), marked(codes.DAY_HIGH, 1), drafted("equity", 1)), 0, 10, YES),
        (both(marked(codes.DAY_OPEN, 1), marked(codes.DAY_HIGH, 1), drafted("equity", 2)), 100, 10, NO),
    ],
    Verdict.COOLDOWN: [
        *since("exit_ms", THEIRS, "cooldown_loss_ms"), (SOLD, 3_600, 0, NO),
        (both(SOLD, put("state", "exit_won", THEIRS, 1)), 600, 0, NO),
        (both(SOLD, put("state", "exit_reason", THEIRS, codes.BY_STOP)), 7_200, 0, NO),
    ],
    Verdict.LOSING_STREAK: [
        (NOTHING, 0, 0, YES), (marked(codes.STREAK, 3), 1_800, 0, NO), (marked(codes.STREAK, 4), 1_800, 0, NO),
        (both(marked(codes.STREAK, 3), marked(codes.LOSS_MS, NOON_MS - HOUR_MS)), 0, 0, YES),
        (both(marked(codes.STREAK, 3), marked(codes.LOSS_MS, NOON_MS - HOUR_MS + 1)), 0.001, 0, NO),
        (both(marked(codes.STREAK, 3), COMPLETING), 0, 0, NOT_ASKED),
    ],
    Verdict.SPACING: [
        *since("clock", codes.ENTERED_MS, "spacing_ms"), (marked(codes.ENTERED_MS, NOON_MS - 1), 59.999, 0, NO),
        (marked(codes.ENTERED_MS, NOON_MS), 0, 0, YES),
    ],
    Verdict.ASSET_SPACING: since("entry_ms", THEIRS, "asset_spacing_ms"),
    Verdict.HOUR_ENTRIES: [
        (NOTHING, 3, 3, YES), (marked(codes.HOUR_ENTRIES, 3), 4, 3, NO), (marked(codes.HOUR, OLD_HOUR), 1, 3, YES),
        (COMPLETING, 0, 3, NOT_ASKED),
    ],
    Verdict.DAY_ENTRIES: [
        (NOTHING, 9, 9, YES), (marked(codes.DAY_ENTRIES, 9), 10, 9, NO), (marked(codes.ENTRY_DAY, OLD_DAY), 1, 9, YES),
        (COMPLETING, 0, 9, NOT_ASKED),
    ],
    Verdict.CYCLE_ENTRIES: [
        (NOTHING, 3, 3, YES), (limit("pacing", "per_cycle", 2), 3, 2, NO), (COMPLETING, 0, 3, NOT_ASKED),
    ],
    Verdict.STRATEGY_TRADES: [
        (NOTHING, 2, 3, YES), (limit("strategies", "max_trades", 2, 1), 2, 2, YES),
        (limit("strategies", "max_trades", 1, 1), 2, 1, NO), (COMPLETING, 0, 0, NOT_ASKED),
    ],
    Verdict.CONVICTION: [
        (NOTHING, 50, 30, YES), (drafted("conviction", 0.3), 30, 30, YES), (drafted("conviction", 0.299), 29.9, 30, NO),
        (COMPLETING, 0, 0, NOT_ASKED),
    ],
    Verdict.VOLATILITY: [
        (NOTHING, 80, 150, YES), (put("columns", "volatility", HERE, 150.0), 150, 150, YES),
        (put("columns", "volatility", HERE, 0.0), 0, 150, YES),
        (put("columns", "volatility", HERE, 150.001), 150.001, 150, NO),
        (put("columns", "volatility", HERE, -1.0), -1, 150, NO),
    ],
    Verdict.QUIET_MARKET: [
        (NOTHING, 1.5, 1.05, YES), (put("columns", "atr_ratio", HERE, 1.05), 1.05, 1.05, YES),
        (put("columns", "atr_ratio", HERE, 1.049), 1.049, 1.05, NO),
        (both(limit("market", "min_atr_ratio", 0.0, CHOP), put("columns", "atr_ratio", HERE, 0.0)), 0, 0, YES),
        (both(limit("market", "min_atr_ratio", -2.0, CHOP), put("columns", "atr_ratio", HERE, -1.0)), -1, -2, NO),
    ],
    Verdict.LOW_CONFIDENCE: [
        (NOTHING, 50, 0, YES), (put("columns", "day_range", HERE, 5.0), 50, 0, YES),
        (put("columns", "day_range", HERE, 0.0), 50, 0, YES), (put("columns", "day_range", HERE, 5.001), 50, 80, NO),
        (put("columns", "day_range", HERE, -1.0), 50, 80, NO), (COMPLETING, 0, 0, NOT_ASKED),
        (both(put("columns", "day_range", HERE, 5.001), drafted("conviction", 0.8)), 80, 80, YES),
    ],
    Verdict.HELD: [
        (NOTHING, 0, 0, YES), (limit("pacing", "adds_allowed", 0), 1, 0, NO),
        (both(limit("pacing", "adds_allowed", 0), COMPLETING), 0, 0, YES),
        (both(limit("pacing", "adds_allowed", 0), NEW), 0, 0, YES),
        (both(
            limit("pacing", "adds_allowed", 0), put("state", "orders", (ETH, codes.ENTRY, codes.KIND), codes.MAKER),
            put("state", "orders", (ETH, codes.EXIT, codes.KIND), codes.TAKER),
        ), 3, 0, NO),
    ],
    Verdict.ADD_SPACING: [*since("entry_ms", THEIRS, "add_spacing_ms"), (NEW, 0, 0, NOT_ASKED)],
    Verdict.ADDS_PER_DAY: [
        (NOTHING, 2, 2, YES), (put("state", "adds", THEIRS, 2), 3, 2, NO),
        (put("state", "add_day", THEIRS, OLD_DAY), 1, 2, YES), (NEW, 0, 2, NOT_ASKED), (COMPLETING, 0, 2, NOT_ASKED),
    ],
    Verdict.MAX_POSITIONS: [
        (NOTHING, 2, 2, YES), (limit("risk", "max_positions", 1), 2, 1, NO), (NEW, 2, 2, YES),
        (put("state", "orders", (ANOTHER, codes.ENTRY, codes.KIND), codes.MAKER), 3, 2, NO),
    ],
    Verdict.CASH: [
        (NOTHING, 20.26024, 500_000, YES), (put("state", "cash", 0, COST), 20.26024, 20.26024, YES),
        (put("state", "cash", 0, ONE_LOT), 20.26024, 0.00101302, YES),
        (put("state", "cash", 0, ONE_LOT - 1), 20.26024, 0.00101301, NO),
    ],
    Verdict.STRATEGY_CAP: [
        *capped(limit("strategies", "max_at_risk", 0.0, 0), HELD),
        # The rest of an entry of a strategy that is no more has the budget of all.
        (both(GONE, limit("risk", "max_total", 0.25)), 100 * (HELD // 2 + COST) / EQUITY, 20, YES),
        (both(GONE, limit("risk", "max_total", 0.0)), 100 * (HELD // 2 + COST) / EQUITY, 0, NO),
    ],
    Verdict.ASSET_CAP: capped(limit("risk", "max_asset", 0.0), HELD // 2),
    Verdict.THEME_CAP: capped(limit("risk", "max_theme", 0.0, 1), HELD // 2),
    Verdict.TIER_CAP: capped(limit("risk", "max_tier", 0.0, 2), HELD // 2),
    Verdict.TOTAL_EXPOSURE: capped(limit("risk", "max_total", 0.0), HELD),
    Verdict.CLUSTER_CAP: capped(limit("portfolio", "max_cluster", 0.0), HELD // 2),
    Verdict.CLUSTER_ASSETS: [
        (NOTHING, 1, 1, YES), (limit("portfolio", "min_correlation", 0.2), 2, 1, NO),
        # Of too few days nobody knows whether two move together, however alike they would have to be.
        (both(limit("portfolio", "min_correlation", 1.0), limit("portfolio", "cluster_min_days", 5)), 2, 1, NO),
    ],
    Verdict.VAR: [
        (drafted("equity", 10**12), 0.006078172, 50, YES), (limit("portfolio", "var_min_days", 5), -1, 50, NO),
        (both(limit("portfolio", "var_min_days", 5), drafted("equity", 0)), 0, 50, YES),
        (drafted("equity", -1), 0, 50, YES), (drafted("equity", 1), 6_078_172_000, 50, NO),
    ],
    Verdict.LEVERAGE: [
        (NOTHING, (HELD + COST) / EQUITY, 1, YES), (both(WIDE, drafted("equity", 2 * (HELD + COST))), 0.5, 0.5, YES),
        (both(WIDE, drafted("equity", 2 * (HELD + COST) - 1)), 0.5, 0.5, NO),
        (drafted("equity", 0), 0, 1, YES), (drafted("equity", -1), 0, 1, YES),
        (drafted("equity", 1), HELD + COST, 1, NO),
    ],
    Verdict.CONCENTRATION: [
        (NOTHING, 100 * (HELD // 2 + COST) / EQUITY, 50, YES),
        (both(WIDE, drafted("equity", HELD + 2 * COST)), 50, 50, YES),
        (both(WIDE, drafted("equity", HELD + 2 * COST - 1)), 50, 50, NO),
        (drafted("equity", 0), 0, 50, YES), (drafted("equity", -1), 0, 50, YES),
        (drafted("equity", 1), 100 * (HELD // 2 + COST), 50, NO),
    ],
    Verdict.SPREAD: [
        (NOTHING, 10, 50, YES), (limit("liquidity", "max_spread_ppm", 1_000), 10, 10, YES),
        (limit("liquidity", "max_spread_ppm", 999), 10, 9.99, NO),
        (put("columns", "bid", HERE, 0), 10_000, 50, NO), (put("columns", "ask", HERE, 0), 10_000, 50, NO),
        (both(put("columns", "bid", HERE, 1), put("columns", "ask", HERE, 1)), 0, 50, YES),
    ],
    Verdict.DEPTH: [
        (NOTHING, 20.02, 500_000, YES), (put("columns", "depth", HERE, 2 * 100_100), 20.02, 0.001001, YES),
        (put("columns", "depth", HERE, 2 * 100_100 - 1), 20.02, 0.00100099, NO),
        (put("columns", "depth", HERE, 0), 20.02, 0, NO),
    ],
    Verdict.SLIPPAGE: [
        (NOTHING, 10, 60, YES), (limit("liquidity", "max_slippage_ppm", 1_000), 10, 10, YES),
        (limit("liquidity", "max_slippage_ppm", 999), 10, 9.99, NO), (MAKER, 0, 60, NOT_ASKED),
        (put("columns", "depth", HERE, 0), 10, 60, YES), (put("columns", "depth", HERE, 1), 10_005, 60, NO),
    ],
    Verdict.COST: [
        (NOTHING, 130, 200, YES), (limit("liquidity", "max_cost_ppm", 13_000), 130, 130, YES),
        (limit("liquidity", "max_cost_ppm", 12_999), 130, 129.99, NO), (MAKER, 60, 200, YES),
    ],
    Verdict.EDGE: [
        (NOTHING, 2_000, 520, YES), (drafted("target_bps", 520), 520, 520, YES),
        (drafted("target_bps", 519), 519, 520, NO), (drafted("target_bps", 0), 0, 520, NO),
        (MAKER, 2_000, 380, YES),
    ],
    Verdict.MIN_NOTIONAL: [
        (NOTHING, 19.77976, 10, YES), (limit("liquidity", "min_notional", 1_977_976_000), 19.77976, 19.77976, YES),
        (limit("liquidity", "min_notional", 1_977_976_001), 19.77976, 19.77976001, NO),
        (limit("instruments", "min_notional", 1_879_077_200, ETH), 19.77976, 19.77976, YES),
        (limit("instruments", "min_notional", 1_879_077_201, ETH), 19.77976, 19.77976002, NO),
        (both(limit("liquidity", "min_notional", 0), drafted("lots", 1)), 0.00098898, 0, YES),
        (both(limit("liquidity", "min_notional", 0), drafted("lots", 0)), 0, 0, NO),
    ],
}  # fmt: skip


def test_every_gate_has_its_edges() -> None:
    assert {*EDGES} == {gate.verdict for gate in GATES}


@pytest.mark.parametrize("verdict", EDGES, ids=lambda one: one.name)
def test_right_at_its_limit_a_gate_lets_pass_beyond_it_closes_and_it_tells_both(verdict: Verdict) -> None:
    said = {YES: Verdict.OK, NO: verdict, NOT_ASKED: Verdict.NOT_APPLICABLE}
    for n, (change, value, most, says) in enumerate(EDGES[verdict]):
        _, _, trace = judged(change(base()))
        told, there, code = trace[verdict - 1]
        assert (told, there) == pytest.approx((value, most), rel=1e-9, abs=1e-12), n
        assert code == said[says], n


FEWER, THEIR_COST = 15_000, 1_519_518_000


def share(held: int) -> float:
    """A cap that in this regime leaves what fewer lots cost beside what is held, and less than one lot's price more."""
    return (held + THEIR_COST + 1_000) / EQUITY / 0.8


@pytest.mark.parametrize("cap", [
    put("state", "cash", 0, THEIR_COST), limit("strategies", "max_at_risk", share(HELD), 0),
    limit("risk", "max_asset", share(HELD // 2)), limit("risk", "max_theme", share(HELD // 2), 1),
    limit("risk", "max_tier", share(HELD // 2), 2), limit("risk", "max_total", share(HELD)),
    limit("portfolio", "max_cluster", share(HELD // 2)), put("columns", "depth", HERE, 2 * FEWER * 100_100),
])  # fmt: skip
def test_a_cap_alone_shrinks_the_order_to_what_it_leaves_and_who_comes_after_it_measures_that(cap: Change) -> None:
    code, lots, trace = judged(cap(base()))
    assert (code, lots) == (Verdict.OK, FEWER)
    assert trace[Verdict.MIN_NOTIONAL - 1, 0] == pytest.approx((2 * FEWER * 100_100 - THEIR_COST) / E8)


def test_a_day_that_has_lost_as_much_as_halves_positions_halves_them_until_it_is_over() -> None:
    scene = base()
    law = limit("risk", "halve_at_day_loss", 0.1)(scene).law
    for now_ms, lowest, equity, scale in (
        (NOON_MS, EQUITY, EQUITY, 1.0), (NOON_MS, EQUITY, EQUITY * 9 // 10 + 1, 1.0),
        (NOON_MS, EQUITY, EQUITY * 9 // 10, 0.5), (NOON_MS, EQUITY * 9 // 10, EQUITY, 0.5),
        (NOON_MS + DAY_MS, EQUITY * 9 // 10, EQUITY, 1.0), (NOON_MS, EQUITY, -1, 1.0),
    ):  # fmt: skip
        scene.state.clock[codes.DAY_LOW] = lowest
        assert loss_scale(law, scene.state, now_ms, equity) == scale
