"""The rules: which trigger they buy, how convinced, with which exits, and how many at once."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.strategies.make import LIVELY, PARTS, PRICE, WICKS, Opinion, frames, opinion, policy, steady, valley
from trader_core.domain.clocktime import HOUR_MS
from trader_core.domain.values import replace
from trader_core.market.frame import Frame
from trader_core.market.seen import Market
from trader_core.rulebook.codes import BEAR, CRASH
from trader_core.settings.schema import Settings
from trader_core.strategies.rules import rules

KINDS = ("price_move", "volume_spike", "breakout", "reversal", "momentum")
SIX = ("ADA-USD", "BTC-USD", "DOT-USD", "ETH-USD", "SOL-USD", "XRP-USD")
SHIPPED = policy()
FLAT = [PRICE] * 120


def only(*kinds: str, **edits: Any) -> Settings:
    """The shipped rules with these triggers alone."""
    return policy(**{f"strategies__rules__{kind}__enabled": kind in kinds for kind in KINDS}, **edits)


def proposed(frame: Frame, settings: Settings) -> Opinion:
    market = Market(frame, settings, 0)
    return opinion(rules.columns(market, settings.strategies.rules), market)


def up(pct: float) -> int:
    return round(PRICE * (1 + pct / 100))


@pytest.mark.parametrize(("path", "conviction"), [([3.51], 0.51), ([3, 5, 6.9, 7.01], 0.575), ([1, 2, 3, 7.01], 0.655)])
def test_conviction_weighs_strength_and_confidence_and_a_core_asset(path: list[float], conviction: float) -> None:
    closes = FLAT + [up(pct) for pct in path]
    one = proposed(steady([closes, closes], ["BTC-USD", "XRP-USD"]), only("price_move"))
    assert one.enter[-1].tolist() == [1, 1]
    assert one.conviction[-1] == pytest.approx([conviction + 0.02, conviction])


@pytest.mark.parametrize(
    ("kind", "stop_bps", "target_bps", "hold_h", "scale"),
    [
        ("price_move", 600, 1200, 48, 1.0),
        ("volume_spike", 800, 1500, 72, 1.0),
        ("breakout", 600, 2000, 120, 1.2),
        ("reversal", 1200, 2500, 48, 0.8),
        ("momentum", 800, 1500, 72, 1.0),
    ],
)
def test_each_trigger_has_its_own_exits_and_size(
    kind: str, stop_bps: int, target_bps: int, hold_h: int, scale: float
) -> None:
    frame = steady([FLAT + [up(pct) for pct in (1, 2, 3, 7.01)]], ["XRP-USD"])
    volumes = frame.volume.copy()
    volumes[-4:] = 9_000
    frame, settings = replace(frame, volume=volumes), only(kind)
    if kind == "momentum":
        frame = steady([[up(0.04 * n) for n in range(140)]], ["XRP-USD"])
    if kind == "reversal":
        frame, settings = valley(["XRP-USD"], WICKS), only(kind, signals__triggers__breakout_h=48)
    one = proposed(frame, settings)
    assert (one.enter[-1, 0], one.leave[-1, 0]) == (1, 0)
    exits = (one.stop_bps[-1, 0], one.target_bps[-1, 0], one.hold_ms[-1, 0] // HOUR_MS, one.scale[-1, 0])
    assert exits == (stop_bps, target_bps, hold_h, scale)


def test_the_trigger_with_the_highest_score_is_bought() -> None:
    """A breakout scores 0.56; a move within both times 0.68."""
    both = proposed(steady([[*FLAT, up(1)], [*FLAT, up(8)]], ["DOT-USD", "XRP-USD"]), SHIPPED)
    assert both.value[-1] == pytest.approx([56.0, 68.0])
    assert both.target_bps[-1].tolist() == [2000, 1200]


@pytest.mark.parametrize(("floor_pct", "enters"), [(56.0, 1), (56.01, 0)])
def test_a_weak_score_is_not_bought(floor_pct: float, enters: int) -> None:
    settings = policy(signals__triggers__min_score_pct=floor_pct)
    one = proposed(steady([[*FLAT, up(1)]], ["DOT-USD"]), settings)
    assert one.enter[-1, 0] == enters
    assert (one.value[-1, 0], one.limit[-1, 0]) == (pytest.approx(56.0), floor_pct)


@pytest.mark.parametrize(("wicks", "least", "enters"), [((), 2, 1), ((), 3, 0), (WICKS, 3, 1), (WICKS, 4, 0)])
def test_a_reversal_needs_enough_qualifiers(wicks: tuple[int, ...], least: int, enters: int) -> None:
    """Two hold without the wicks, three with them."""
    edits = {"signals__triggers__breakout_h": 48, "signals__triggers__reversal_min_qualifiers": least}
    one = proposed(valley(["XRP-USD"], wicks), only("reversal", **edits, signals__triggers__min_score_pct=20.0))
    assert one.enter[-1, 0] == enters
    if enters:
        assert one.conviction[-1, 0] == pytest.approx(0.5 * 0.35 + 0.3 * 0.6 + 0.04 * (2 + bool(wicks)), abs=1e-4)


def test_no_reversal_is_bought_in_a_crash_while_others_are() -> None:
    edits: dict[str, Any] = {
        "signals__triggers__breakout_h": 48,
        "signals__regime__trend_h": 2,
        "signals__regime__confirm_h": 1,
        "signals__regime__recall_h": 0,
        "signals__regime__crash_volatility_pct": 1000.0,
    }
    calm = valley(["XRP-USD"], WICKS)
    for fall, enters in ((0.95, 1), (0.85, 0)):
        base = np.full(calm.rows, PRICE, np.int64)
        base[-4:] = round(PRICE * fall)
        columns: dict[str, Any] = {part: np.column_stack([base, getattr(calm, part)]) for part in PARTS}
        columns["present"] = columns["present"] > 0
        both = replace(calm, symbols=("BTC-USD", "XRP-USD"), **columns)
        assert Market(both, policy(**edits), 0).regime[-1] == (BEAR if enters else CRASH)
        assert proposed(both, only("reversal", **edits)).enter[-1].tolist() == [0, enters]
        assert proposed(both, only("momentum", **edits)).enter[-1].tolist() == [0, 1]


@pytest.mark.parametrize("most", range(1, 7))
def test_only_the_best_triggers_of_a_bar_are_bought(most: int) -> None:
    """Three score 0.56 and three 0.68: the better ones first, of equals the first columns."""
    columns = [[*FLAT, up(pct)] for pct in (1, 8, 1, 8, 1, 8)]
    one = proposed(steady(columns, SIX), policy(signals__triggers__max_triggers_per_cycle=most))
    in_order = (1, 3, 5, 0, 2, 4)
    assert np.flatnonzero(one.enter[-1]).tolist() == sorted(in_order[:most])


@pytest.mark.parametrize("way", ["untiered", "never"])
def test_what_may_not_be_bought_takes_no_place_among_the_best(way: str) -> None:
    """It is watched, for it is held or the regime is read from it, and its trigger is the better one."""
    tiers: dict[str, Any] = {
        "universe__tiers__tier_1_core__bases": ("ETH",), "universe__tiers__tier_2_rotational__bases": (),
    }  # fmt: skip
    never: dict[str, Any] = {"universe__discovery__enabled": True, "universe__never_trade": ("BTC",)}
    edits = tiers | (never if way == "never" else {})
    seen = steady([[*FLAT, up(8)], [*FLAT, up(1)]], ["BTC-USD", "ETH-USD"])
    one = proposed(seen, policy(signals__triggers__max_triggers_per_cycle=1, **edits))
    assert one.value[-1, 0] > one.value[-1, 1]
    assert one.enter[-1].tolist() == [0, 1]


def test_of_many_equals_the_first_columns_are_bought() -> None:
    many = [f"X{n}-USD" for n in range(60)]
    frame = steady([[*FLAT, up(1 if n % 3 else 8)] for n in range(60)], many)
    one = proposed(frame, policy(signals__triggers__max_triggers_per_cycle=30, universe__discovery__enabled=True))
    best, rest = range(0, 60, 3), [n for n in range(60) if n % 3]
    assert np.flatnonzero(one.enter[-1]).tolist() == sorted([*best, *rest[:10]])


def test_a_bar_that_is_not_there_is_not_bought() -> None:
    """Its last known close is still 8 % above that of an hour ago, so the trigger stands."""
    frame = steady([[*FLAT, up(8), up(8)]], ["XRP-USD"])
    parts: dict[str, Any] = {part: getattr(frame, part).copy() for part in PARTS}
    for part in parts.values():
        part[-1] = 0
    for seen, enters in ((frame, 1), (replace(frame, **parts), 0)):
        one = proposed(seen, SHIPPED)
        assert one.known[-1, 0] and one.value[-1, 0] > one.limit[-1, 0] and one.enter[-1, 0] == enters


@given(frames(bars=240, symbols=SIX), st.integers(1, 6))
@examples(20)
def test_the_cap_takes_the_lowest_scores_away_and_nothing_else(frame: Frame, most: int) -> None:
    edits: dict[str, Any] = LIVELY | {"signals__triggers__max_triggers_per_cycle": 50}
    free = proposed(frame, policy(**edits))
    capped = proposed(frame, policy(**edits | {"signals__triggers__max_triggers_per_cycle": most}))
    assert (capped.enter.sum(axis=1) == np.minimum(free.enter.sum(axis=1), most)).all()
    assert (capped.enter <= free.enter).all()
    out = (free.enter == 1) & (capped.enter == 0)
    best_out = np.where(out, free.value, -1.0).max(axis=1)
    worst_in = np.where(capped.enter == 1, free.value, 101.0).min(axis=1)
    assert (best_out <= worst_in).all()


@pytest.mark.parametrize("kind", KINDS)
@given(frame=frames(bars=240))
@examples(12)
def test_what_is_bought_points_up(kind: str, frame: Frame) -> None:
    edits: dict[str, Any] = LIVELY | {f"strategies__rules__{one}__enabled": one == kind for one in KINDS}
    market = Market(frame, policy(**edits), 0)
    bought = rules.columns(market, market.policy.strategies.rules).enter == 1
    assert (market.triggers.kinds[kind].fired[bought] == 1).all()
    assert (market.triggers.kinds[kind].change[bought] > 0).all()


def test_rules_without_triggers_buy_nothing() -> None:
    one = proposed(steady([[*FLAT, up(8)]], ["XRP-USD"]), only())
    assert not one.enter.any() and not one.value.any() and one.known[-1, 0]
