"""Gates judge one draft: they may shrink it, never enlarge it, touch nothing, and a wider limit never says no.

Every test of all gates counts what it has seen: a gate that never was the deciding one would prove nothing.
"""

from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from math import ceil

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.laws import oracle
from tests.laws.budget import examples
from tests.laws.test_gate_independence import base
from tests.laws.troubles import TROUBLES, scenes, troubled_by
from tests.laws.worlds import COUNT, Scene, bytes_of, changed, copied, edited, instrument_rows, laws
from trader_core.rulebook import codes
from trader_core.rulebook.codes import GATE_COUNT, GATES, Verdict
from trader_core.rulebook.exposure import exposures, plus, reserved_cash, worth
from trader_core.rulebook.gates.caps import Bought, fit
from trader_core.rulebook.gates.note import shrunk
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Law
from trader_core.rulebook.orders import step_place
from trader_core.rulebook.state import NO_TICKS, Draft, empty_desk

SCENES = 1_000  # in the suite; ten times as many when the laws are proved
UNTOUCHED = -7.5
EVERY_VERDICT = {*Verdict} - {Verdict.NOT_APPLICABLE}


def judged(scene: Scene) -> tuple[int, int, np.ndarray]:
    trace = np.full((GATE_COUNT, 3), UNTOUCHED)
    law, guard, state, columns, t, draft, entered = scene
    code, lots = judge(law, guard, state, columns, t, draft, entered, empty_desk(COUNT), trace)
    return int(code), int(lots), trace


def test_every_gate_has_its_trouble() -> None:
    assert list(TROUBLES) == [gate.verdict for gate in GATES]
    assert [gate.verdict for gate in GATES] == list(range(1, GATE_COUNT + 1))


def test_a_judge_shrinks_touches_nothing_says_all_and_lets_pass_only_what_keeps_every_limit() -> None:
    decided: Counter[int] = Counter()
    approved: Counter[str] = Counter()

    @given(scenes)
    @examples(SCENES)
    def holds(scene: Scene) -> None:
        before = bytes_of(scene)
        code, lots, trace = judged(scene)
        assert bytes_of(scene) == before
        assert 0 <= lots <= scene.draft.lots
        assert (lots > 0) == (code == Verdict.OK)
        assert code == first_no(scene, trace)
        decided[code] += 1
        if code == Verdict.OK:
            assert_within_caps(placed(scene, lots))
            assert_within_costs(scene, lots)
            approved["shrunk" if lots < scene.draft.lots else "whole"] += 1
            approved[codes.REGIMES[regime(scene)]] += 1

    holds()
    assert set(decided) == EVERY_VERDICT, f"never decided: {EVERY_VERDICT - set(decided)}"
    assert decided[Verdict.OK] > 0.1 * decided.total()
    assert {"shrunk", "whole", *codes.REGIMES[1:]} == set(approved), f"hardly tried: {approved}"


def first_no(scene: Scene, trace: np.ndarray) -> int:
    """The deciding verdict of a trace that is written whole, in which each gate speaks for itself alone."""
    assert not (trace == UNTOUCHED).any()
    assert np.isfinite(trace).all()
    here, verdicts = applicable(scene), [int(one) for one in trace[:, 2]]
    for verdict, gate in zip(verdicts, GATES, strict=True):
        legal = (Verdict.OK, gate.verdict) if gate.verdict in here else (Verdict.NOT_APPLICABLE,)
        assert verdict in legal, gate.name
    return next((one for one in verdicts if one not in (Verdict.OK, Verdict.NOT_APPLICABLE)), Verdict.OK)


PACED = {
    Verdict.COOLDOWN, Verdict.LOSING_STREAK, Verdict.SPACING, Verdict.ASSET_SPACING, Verdict.HOUR_ENTRIES,
    Verdict.DAY_ENTRIES, Verdict.CYCLE_ENTRIES, Verdict.STRATEGY_TRADES, Verdict.CONVICTION, Verdict.LOW_CONFIDENCE,
}  # fmt: skip
OF_ADDS = {Verdict.ADD_SPACING, Verdict.ADDS_PER_DAY}


def applicable(scene: Scene) -> set[Verdict]:
    """The gates that have something to measure in this draft."""
    draft, found = scene.draft, {gate.verdict for gate in GATES}
    if draft.reason != codes.BY_SIGNAL:
        found -= PACED | OF_ADDS
    if scene.state.lots[draft.instrument] == 0:
        found -= OF_ADDS
    if scene.columns.jump[scene.t, draft.instrument] == NO_TICKS:
        found.remove(Verdict.JUMP)
    if draft.kind == codes.MAKER:
        found.remove(Verdict.SLIPPAGE)
    if scene.law.risk.day_stop < 0:
        found.remove(Verdict.DAY_STOP)
    if scene.law.risk.day_target < 0:
        found.remove(Verdict.DAY_TARGET)
    return found


def placed(scene: Scene, lots: int) -> Scene:
    """The scene with what was approved as a working order."""
    state, draft = copied(scene.state), scene.draft
    step_place(
        state, draft.instrument, codes.ENTRY, draft.kind, lots, draft.price, 0, 0, 0, draft.reason, draft.strategy,
        0, 0, 0, 0,
    )  # fmt: skip
    return scene._replace(state=state)


def assert_within_caps(after: Scene) -> None:
    law, guard, state, columns, t, draft, _ = after
    buyer = oracle.owner(state, draft.instrument, draft.strategy)
    for dimension, key in oracle.keys_of(law, draft.instrument, buyer).items():
        if key >= 0:
            limit = oracle.cap(law, columns, t, dimension, key) * draft.equity * (1 + Fraction(1, 2**50))
            assert oracle.at_risk(law, guard, state, columns, t, dimension, key) <= limit, dimension
    assert oracle.free_cash(law, state) >= 0
    assert sum(oracle.positions(law, state, columns, t)) <= law.risk.max_positions


def assert_within_costs(scene: Scene, lots: int) -> None:
    law, _, _, columns, t, draft, _ = scene
    i, limits = draft.instrument, law.liquidity
    worth = oracle.value(law, i, lots, draft.price)
    net = 2 * int(worth) - oracle.cost(law, i, lots, draft.price)
    assert net >= max(Fraction(limits.min_notional), oracle.floor_at_stop(law, draft))
    assert worth <= Fraction(int(columns.depth[t, i]) * limits.max_depth_ppm, 10**6)
    lost = oracle.slippage(law, columns, t, draft, lots)  # the law counts whole ppm
    assert lost < limits.max_slippage_ppm + 1
    fee = law.costs.maker_fee_ppm if draft.kind == codes.MAKER else law.costs.taker_fee_ppm
    assert fee + lost < limits.max_cost_ppm + 1
    modelled = oracle.modelled(law, columns, t, draft, lots)
    leaving = law.costs.taker_fee_ppm + law.costs.half_spread_ppm + modelled
    assert 100 * draft.target_bps > Fraction(limits.min_edge_ppm, 10**6) * (fee + lost + leaving - 1) - 1


@given(scenes)
@examples(300)
def test_exposure_is_what_a_count_in_fractions_finds(scene: Scene) -> None:
    law, guard, state, columns, t, draft, _ = scene
    owner = max(draft.strategy, 0)
    found = exposures(law, guard, state, columns, t, draft.instrument, owner)
    for dimension, key in oracle.keys_of(law, draft.instrument, owner).items():
        exact = oracle.at_risk(law, guard, state, columns, t, dimension, key)
        assert getattr(found, dimension) == min(exact, 1 << 62)
    assert reserved_cash(law, state) == state.cash[0] - oracle.free_cash(law, state)


def test_closed_is_where_not_one_lot_is_left_of_some() -> None:
    """And what is refused is not shrunk as well."""
    found = {(lots, left): shrunk(lots, left, 7.0, 8.0) for lots, left in ((9, 1), (1, 1), (1, 0), (9, 0), (0, 0))}
    assert {lots: one[:2] for lots, one in found.items()} == {
        (9, 1): (codes.PASS, 1), (1, 1): (codes.PASS, 1), (1, 0): (codes.CLOSED, 1), (9, 0): (codes.CLOSED, 9),
        (0, 0): (codes.PASS, 0),
    }  # fmt: skip
    assert {one[2:] for one in found.values()} == {(7.0, 8.0)}


def test_more_than_can_be_counted_is_as_much_as_can_be() -> None:
    """A coin of which somebody has beyond all measure closes its caps, and overflows nothing."""
    scene = base()
    most = 1 << 62
    for lots in (most, most - 1, 2 * most // int(scene.columns.close[0, 0])):
        assert worth(scene.law, scene.columns, 0, 0, lots) == most
    few = most // (2 * int(scene.columns.close[0, 0]))
    assert worth(scene.law, scene.columns, 0, 0, few) == ceil(
        oracle.value(scene.law, 0, few, int(scene.columns.close[0, 0]))
    )
    assert (plus(most - 1, 1), plus(most - 2, 1), plus(most, most), plus(0, 0)) == (most, most - 1, most, 0)


# --- a wider limit never says no -----------------------------------------------------------------------------

Wider = Callable[[Law, Scene, float], Law]


def widened(group: str, name: str, key: Callable[[Scene], int] | None = None, down: bool = False) -> Wider:
    """A limit moved by a share of itself and a little: upwards where a value must stay below it, else downwards."""

    def wider(law: Law, scene: Scene, by: float) -> Law:
        limits = getattr(law, group)
        now = getattr(limits, name)
        value = now if key is None else now[key(scene)]
        exact = isinstance(value, int | np.int64)
        more = value + (-1 if down else 1) * (int(by * 1e12) if exact else by * 1e2)
        more = min(max(more, 0), 10**10) if exact else max(more, 0.0)
        return edited(law, group, edited(limits, name, more if key is None else changed(now, key(scene), more)))

    return wider


def loosened(name: str) -> Wider:
    """A limit that not every profile has."""
    return lambda law, scene, by: law if getattr(law.risk, name) < 0 else widened("risk", name)(law, scene, by)


def row(name: str) -> Callable[[Scene], int]:
    """Which theme, tier or the like the draft's instrument is of."""
    return lambda scene: int(getattr(scene.law.instruments, name)[scene.draft.instrument])


def regime(scene: Scene) -> int:
    return int(scene.columns.regime[scene.t])


def strategy(scene: Scene) -> int:
    return scene.draft.strategy


def owner(scene: Scene) -> int:
    return oracle.owner(scene.state, scene.draft.instrument, scene.draft.strategy)


WIDER: list[tuple[Verdict, Wider]] = [
    (Verdict.INELIGIBLE, widened("tiers", "max_spread_ppm", row("tier"))),
    (Verdict.INELIGIBLE, widened("tiers", "min_depth", row("tier"), down=True)),
    (Verdict.INELIGIBLE, widened("tiers", "near_spread_ppm")),
    (Verdict.REGIME, widened("market", "scale", regime)),
    (Verdict.POLICY_STALE, widened("market", "max_policy_age_ms")),
    (Verdict.STALE_DATA, widened("market", "max_age_ms")),
    (Verdict.JUMP, widened("market", "max_jump")),
    (Verdict.DAY_LOSS, widened("risk", "max_day_loss")),
    (Verdict.WEEK_LOSS, widened("risk", "max_week_loss")),
    (Verdict.DRAWDOWN, widened("risk", "max_drawdown")),
    (Verdict.DAY_STOP, loosened("day_stop")),
    (Verdict.DAY_TARGET, loosened("day_target")),
    (Verdict.COOLDOWN, widened("pacing", "cooldown_win_ms", down=True)),
    (Verdict.COOLDOWN, widened("pacing", "cooldown_loss_ms", down=True)),
    (Verdict.COOLDOWN, widened("pacing", "cooldown_stop_ms", down=True)),
    (Verdict.LOSING_STREAK, widened("pacing", "max_streak")),
    (Verdict.LOSING_STREAK, widened("pacing", "streak_pause_ms", down=True)),
    (Verdict.SPACING, widened("pacing", "spacing_ms", down=True)),
    (Verdict.ASSET_SPACING, widened("pacing", "asset_spacing_ms", down=True)),
    (Verdict.HOUR_ENTRIES, widened("pacing", "per_hour")),
    (Verdict.DAY_ENTRIES, widened("pacing", "per_day")),
    (Verdict.CYCLE_ENTRIES, widened("pacing", "per_cycle")),
    (Verdict.STRATEGY_TRADES, widened("strategies", "max_trades", strategy)),
    (Verdict.CONVICTION, widened("strategies", "min_conviction", strategy, down=True)),
    (Verdict.VOLATILITY, widened("market", "max_volatility")),
    (Verdict.QUIET_MARKET, widened("market", "min_atr_ratio", regime, down=True)),
    (Verdict.LOW_CONFIDENCE, widened("market", "calm_range")),
    (Verdict.LOW_CONFIDENCE, widened("market", "min_restless_conviction", down=True)),
    (Verdict.HELD, widened("pacing", "adds_allowed")),
    (Verdict.ADD_SPACING, widened("pacing", "add_spacing_ms", down=True)),
    (Verdict.ADDS_PER_DAY, widened("pacing", "adds_per_day")),
    (Verdict.MAX_POSITIONS, widened("risk", "max_positions")),
    (Verdict.STRATEGY_CAP, widened("strategies", "max_at_risk", owner)),
    (Verdict.ASSET_CAP, widened("risk", "max_asset")),
    (Verdict.THEME_CAP, widened("risk", "max_theme", row("theme"))),
    (Verdict.TIER_CAP, widened("risk", "max_tier", row("tier"))),
    (Verdict.TOTAL_EXPOSURE, widened("risk", "max_total")),
    (Verdict.CLUSTER_ASSETS, widened("portfolio", "cluster_assets")),
    (Verdict.CLUSTER_ASSETS, widened("portfolio", "min_correlation")),
    (Verdict.CLUSTER_CAP, widened("portfolio", "max_cluster")),
    (Verdict.VAR, widened("portfolio", "max_var")),
    (Verdict.VAR, widened("portfolio", "var_min_days", down=True)),
    (Verdict.LEVERAGE, widened("portfolio", "max_leverage")),
    (Verdict.CONCENTRATION, widened("portfolio", "max_concentration")),
    (Verdict.SPREAD, widened("liquidity", "max_spread_ppm")),
    (Verdict.DEPTH, widened("liquidity", "max_depth_ppm")),
    (Verdict.SLIPPAGE, widened("liquidity", "max_slippage_ppm")),
    (Verdict.COST, widened("liquidity", "max_cost_ppm")),
    (Verdict.EDGE, widened("liquidity", "min_edge_ppm", down=True)),
    (Verdict.MIN_NOTIONAL, widened("liquidity", "min_notional", down=True)),
]
NO_LIMIT = {  # a flag, a count of questions, a time somebody has set, or what we own
    Verdict.HALTED, Verdict.PAUSED, Verdict.UNRESOLVED, Verdict.EQUITY_UNKNOWN, Verdict.BANNED, Verdict.OUTLIER,
    Verdict.CASH, Verdict.CALENDAR, Verdict.INPUT_MISSING,
}  # fmt: skip
MUCH = 1e4
OF_SIZE = {  # what a larger order meets, and a smaller one does not
    Verdict.SLIPPAGE, Verdict.COST, Verdict.EDGE, Verdict.VAR, Verdict.LEVERAGE, Verdict.CONCENTRATION,
}  # fmt: skip


def test_every_gate_with_a_limit_is_widened() -> None:
    assert {verdict for verdict, _ in WIDER} | NO_LIMIT == {gate.verdict for gate in GATES}


@pytest.mark.parametrize("verdict", dict.fromkeys(verdict for verdict, _ in WIDER), ids=lambda one: one.name)
def test_a_wider_limit_never_turns_a_yes_into_a_no(verdict: Verdict) -> None:
    troubled, opened = troubled_by(verdict), 0

    @given(troubled | troubled | scenes, st.sampled_from([1e-12, 1e-9, 1e-6, 0.1, MUCH, MUCH]))
    @examples(40)
    def holds(scene: Scene, by: float) -> None:
        nonlocal opened
        code, lots, trace = judged(scene)
        for wider in (each for one, each in WIDER if one is verdict):
            wide_code, wide_lots, wide = judged(scene._replace(law=wider(scene.law, scene, by)))
            was, now = (each[verdict - 1, 2] == verdict for each in (trace, wide))
            assert was or not now
            opened += was and not now
            if code == Verdict.OK and wide_code not in OF_SIZE:
                assert wide_code == Verdict.OK
                assert wide_lots >= lots

    holds()
    assert opened, "a limit without an example in which it matters could not fail here"


# --- one by one ----------------------------------------------------------------------------------------------

FREE = base().law._replace(costs=base().law.costs._replace(maker_fee_ppm=0, taker_fee_ppm=0))
# Prices from below a hundredth of a grain per lot to a thousand quote, in every kind of unit.
UNIT_ROWS = [(1, 1), (1, 100), (15, 2), (7, 1_000_000), (60, 1)]


@given(
    law=laws,
    i=st.integers(0, 4),
    price=st.one_of(st.integers(1, 20), st.integers(1, 10**9)),
    lots=st.one_of(st.integers(0, 50), st.integers(0, 10**9)),
    room=st.one_of(st.integers(-5, 50), st.integers(0, 10**9), st.integers(0, 10**17)),
)
@example(law=FREE, i=1, price=1, lots=9, room=0)
@examples(300)
def test_what_fits_is_paid_by_the_room_and_one_lot_more_would_not_be(
    law: Law, i: int, price: int, lots: int, room: int
) -> None:
    law = law._replace(instruments=instrument_rows(UNIT_ROWS))
    draft = Draft(i, 0, codes.TAKER, price, lots, codes.BY_SIGNAL, 0, 0, 1.0, 0, 0, 0)
    fitted = int(fit(law, draft, Bought(lots, min(oracle.cost(law, i, lots, price), 1 << 62)), room))
    assert 0 <= fitted <= lots
    assert fitted == 0 or oracle.cost(law, i, fitted, price) <= room
    assert fitted == lots or oracle.cost(law, i, fitted + 1, price) > room


@given(scenes, st.integers(0, COUNT - 1), st.sampled_from(["unknown", "differs", "banned_ms", "barred"]))
@examples(150)
def test_a_question_about_an_instrument_closes_its_entries_and_no_other(scene: Scene, asked: int, of: str) -> None:
    guard, nothing = scene.guard, np.zeros(COUNT, np.int64)
    guard = guard._replace(unknown=nothing, differs=nothing, banned_ms=nothing, barred=nothing)
    scene = scene._replace(guard=guard)
    _, _, trace = judged(scene)
    verdict = {"banned_ms": Verdict.BANNED, "barred": Verdict.INELIGIBLE}.get(of, Verdict.UNRESOLVED)
    doubt = changed(nothing, asked, 2**60 if of == "banned_ms" else 1)
    _, _, doubted = judged(scene._replace(guard=edited(guard, of, doubt)))
    expected = verdict if asked == scene.draft.instrument else trace[verdict - 1, 2]
    assert doubted[verdict - 1, 2] == expected
    assert np.array_equal(np.delete(doubted, verdict - 1, 0), np.delete(trace, verdict - 1, 0))


@pytest.mark.parametrize("scale", [0.0, 0.3, 1.0, 2.0])
def test_no_regime_makes_a_cap_wider_than_it_is_written(scale: float) -> None:
    """The trace shows the cap in force: of a bull market the written one, of a bear market a part of it."""

    @given(scenes)
    @examples(30)
    def holds(scene: Scene) -> None:
        scales = changed(scene.law.market.scale, regime(scene), scale)
        law = scene.law._replace(market=scene.law.market._replace(scale=scales))
        _, _, trace = judged(scene._replace(law=law))
        assert trace[Verdict.TOTAL_EXPOSURE - 1, 1] == pytest.approx(100 * law.risk.max_total * min(scale, 1.0))
        assert trace[Verdict.ASSET_CAP - 1, 1] == pytest.approx(100 * law.risk.max_asset * min(scale, 1.0))

    holds()
