"""The book as a whole: clusters, value at risk, leverage and concentration, told once more in other words."""

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.laws import oracle
from tests.laws.budget import examples
from tests.laws.make import AXES
from tests.laws.test_gate_independence import BTC, EQUITY, ETH, PRICE, base
from tests.laws.troubles import scenes
from tests.laws.worlds import COUNT, NOON_MS, Array, Scene, copied, ints
from trader_core.domain.clocktime import DAY_MS
from trader_core.report.risk import correlations, value_at_risk
from trader_core.rulebook import codes
from trader_core.rulebook.codes import GATE_COUNT, Verdict
from trader_core.rulebook.gates.book import correlation, days_until, note_weights
from trader_core.rulebook.judge import judge
from trader_core.rulebook.state import NO_RETURN, empty_desk

SHIB = 3
UP, DOWN = [0.01, -0.02, 0.03, -0.01, 0.02] * 6, [-0.01, 0.02, -0.03, 0.01, -0.02] * 6
FLAT = [0.03, 0.02, 0.01, -0.01, 0.0] * 6  # correlates with neither


def trace_of(scene: Scene) -> tuple[int, int, Array]:
    trace = np.zeros((GATE_COUNT, 3))
    law, guard, state, columns, t, draft, entered = scene
    code, lots = judge(law, guard, copied(state), columns, t, draft, entered, empty_desk(COUNT), trace)
    return int(code), int(lots), trace


def row_of(scene: Scene, verdict: Verdict) -> tuple[float, float, int]:
    value, limit, code = trace_of(scene)[2][verdict - 1]
    return float(value), float(limit), int(code)


def book_of(
    returns: dict[int, list[float]], held: tuple[int, ...], candidate: int, share: Fraction, **limits: Any
) -> Scene:
    """A draft of that share of the equity, which costs no fee, beside positions of a hundredth each; every other limit
    is wide. Who is not said to have returns has none."""
    scene = base()
    law, state, days = scene.law, copied(scene.state), max(map(len, returns.values()))
    found = np.full((days, COUNT), NO_RETURN)
    for i, one in returns.items():
        found[days - len(one) :, i] = one
    columns = scene.columns._replace(
        returns=found, first_day=ints(NOON_MS // DAY_MS - days), depth=np.full_like(scene.columns.depth, 100 * EQUITY)
    )
    state.lots[:], state.strategy[:], state.cash[0] = 0, codes.NEVER, EQUITY
    for i in held:
        num, den = (int(one[i]) for one in (law.instruments.num, law.instruments.den))
        state.lots[i], state.strategy[i] = EQUITY // 100 * den // (num * PRICE), 0
    num, den = (int(one[candidate]) for one in (law.instruments.num, law.instruments.den))
    lots = int(share * EQUITY * den / (num * PRICE))
    risk = law.risk._replace(
        max_total=1.0, max_asset=1.0, max_theme=np.ones(3), max_tier=np.ones(codes.TIER_COUNT), max_positions=9
    )
    portfolio = law.portfolio._replace(
        cluster_assets=9, max_cluster=1.0, cluster_days=30, cluster_min_days=20, max_var=1.0, var_days=60,
        var_min_days=30, max_concentration=1.0,
    )._replace(**limits)  # fmt: skip
    costs = law.costs._replace(maker_fee_ppm=0, taker_fee_ppm=0)
    strategies = law.strategies._replace(max_at_risk=np.ones(2))
    market = law.market._replace(scale=np.ones(5))
    law = law._replace(risk=risk, portfolio=portfolio, costs=costs, strategies=strategies, market=market)
    draft = scene.draft._replace(instrument=candidate, price=PRICE, lots=lots)
    return scene._replace(law=law, state=state, columns=columns, draft=draft)


@pytest.mark.parametrize(("share", "passes"), [("0.25", True), ("0.2501", False), ("0.2500001", False)])
def test_v30_a_quarter_in_one_asset_passes_and_a_little_more_is_refused(share: str, passes: bool) -> None:
    scene = book_of({ETH: UP}, (), ETH, Fraction(share), max_concentration=0.25)
    value, limit, code = row_of(scene, Verdict.CONCENTRATION)
    assert value == pytest.approx(100 * float(Fraction(share)))
    assert limit == 25.0
    assert code == (Verdict.OK if passes else Verdict.CONCENTRATION)
    _, lots, _ = trace_of(scene)
    assert lots == (scene.draft.lots if passes else 0), "refused, not made smaller"


def test_leverage_counts_all_and_a_cash_account_may_use_all_of_it() -> None:
    whole = book_of({ETH: UP, BTC: UP}, (BTC,), ETH, Fraction("0.99"), max_leverage=1.0)
    assert row_of(whole, Verdict.LEVERAGE) == (1.0, 1.0, Verdict.OK)
    less = book_of({ETH: UP, BTC: UP}, (BTC,), ETH, Fraction("0.99"), max_leverage=0.99)
    assert row_of(less, Verdict.LEVERAGE)[2] == Verdict.LEVERAGE


def days(*worst: float, count: int) -> list[float]:
    return [*worst, *[0.01] * (count - len(worst))]


def test_v32_the_third_worst_of_sixty_days_and_the_mean_of_the_three() -> None:
    returns = {ETH: days(-0.05, -0.04, -0.06, count=60)}
    for max_var, expected in ((0.04, Verdict.OK), (0.0399, Verdict.VAR)):
        scene = book_of(returns, (), ETH, Fraction(1), max_var=max_var)
        assert row_of(scene, Verdict.VAR) == (4.0, 100 * max_var, expected), "exactly at the limit passes"
    scene.state.lots[ETH] = scene.draft.lots
    told = value_at_risk(scene.law, scene.state, scene.columns, 0, AXES, EQUITY)
    assert (told.var_pct, told.shortfall_pct, told.days, told.quality) == (4.0, 5.0, 60, "good")


def test_v32_of_29_days_nobody_knows_which_refuses_whatever_the_limit() -> None:
    for count, code in ((29, Verdict.VAR), (30, Verdict.OK)):
        scene = book_of({ETH: days(count=count)}, (), ETH, Fraction("0.01"))
        assert row_of(scene, Verdict.VAR)[2] == code
    assert row_of(book_of({BTC: days(count=60)}, (), ETH, Fraction("0.01")), Verdict.VAR)[2] == Verdict.VAR


@pytest.mark.parametrize(
    ("count", "ppm", "tail"), [
        (60, 50_000, 3), (59, 50_000, 3), (30, 50_000, 2), (41, 50_000, 3), (40, 50_000, 2), (100, 50_000, 5),
        (100, 10_000, 1), (100, 10_001, 2), (101, 9_901, 2), (100, 1, 1),
    ],
)  # fmt: skip
def test_the_tail_is_its_part_of_the_days_rounded_up(count: int, ppm: int, tail: int) -> None:
    worst = [-0.20 + 0.01 * n for n in range(count)]
    scene = book_of({ETH: worst[::-1]}, (), ETH, Fraction(1), var_days=101, var_tail_ppm=ppm)
    assert row_of(scene, Verdict.VAR)[0] == pytest.approx(-100 * worst[tail - 1])


def test_v33_days_that_only_rose_cost_nothing() -> None:
    assert row_of(book_of({ETH: days(count=60)}, (), ETH, Fraction(1), max_var=0.0), Verdict.VAR) == (0.0, 0.0, 0)


def test_a_day_counts_once_it_has_closed_and_no_sooner() -> None:
    columns = base().columns
    for later, rows in ((1, 0), (0, 0), (-1, 1), (-2, 2), (-len(columns.returns), len(columns.returns)), (-99, 4)):
        there = columns._replace(first_day=ints(NOON_MS // DAY_MS + later))
        assert days_until(there, 0) == rows == min(rows, len(columns.returns))


def test_a_day_on_which_all_was_lost_is_a_day() -> None:
    """Of a coin that fell to nothing nobody says that its return is unknown, nor that it was stressed a little."""
    gone = days(-1.0, count=60)
    assert row_of(book_of({ETH: gone}, (), ETH, Fraction("0.5"), var_tail_ppm=1), Verdict.VAR)[0] == 50.0
    only = book_of({ETH: [-1.0] * 30}, (), ETH, Fraction("0.5"))
    assert row_of(only, Verdict.VAR) == (50.0, 100.0, Verdict.OK), "thirty such days are thirty days"
    apart = book_of({BTC: [*UP[:-1], -1.0], ETH: [*DOWN[:-1], -1.0]}, (BTC,), ETH, Fraction("0.01"))
    assert row_of(apart, Verdict.CLUSTER_ASSETS)[0] == 2.0, "what fell to nothing together moves together"


def test_an_asset_without_a_day_lost_the_stress_on_it_where_another_has_one() -> None:
    scene = book_of({BTC: days(count=60), ETH: days(count=59)}, (BTC,), ETH, Fraction("0.5"), var_tail_ppm=1)
    assert row_of(scene, Verdict.VAR)[0] == pytest.approx(100 * (0.5 * 0.15 - 0.01 * 0.01))


def test_the_weight_is_today_s_with_the_candidate_among_them() -> None:
    scene = book_of({BTC: days(-0.5, count=60), ETH: days(0.1, count=60)}, (BTC,), ETH, Fraction("0.1"), var_tail_ppm=1)
    assert row_of(scene, Verdict.VAR) == (0.0, 100.0, Verdict.OK), "what one loses the other has won"
    alone = book_of({BTC: days(-0.5, count=60), ETH: days(0.1, count=60)}, (BTC,), ETH, Fraction(0), var_tail_ppm=1)
    assert row_of(alone, Verdict.VAR)[0] == pytest.approx(0.5)


def test_v34_of_three_that_move_together_the_third_is_refused_and_a_hedge_never_counts() -> None:
    together = book_of({BTC: UP, ETH: UP, SHIB: UP}, (BTC, ETH), SHIB, Fraction("0.01"), cluster_assets=2)
    assert row_of(together, Verdict.CLUSTER_ASSETS) == (3.0, 2.0, Verdict.CLUSTER_ASSETS)
    hedge = book_of({BTC: UP, ETH: UP, SHIB: DOWN}, (BTC, ETH), SHIB, Fraction("0.01"), cluster_assets=2)
    assert row_of(hedge, Verdict.CLUSTER_ASSETS) == (1.0, 2.0, Verdict.OK)
    told = correlations(hedge.law, hedge.state, hedge.columns, 0, AXES, EQUITY, True)
    pair = next(one for one in told.pairs if {one.one, one.other} == {"BTC-USD", "SHIB-USD"})
    assert (pair.correlation, pair.days, pair.together) == (-1.0, 30, False)
    assert [one.symbols for one in told.clusters] == [("BTC-USD", "ETH-USD")]


def test_a_cluster_reaches_through_others_and_a_coin_under_two_pairs_is_one() -> None:
    one, other = np.array(UP), np.array(FLAT)
    between = (one / one.std() + other / other.std()).tolist()
    near = [0.01 * day for day in between]
    chain = book_of({BTC: UP, ETH: near, SHIB: FLAT}, (BTC, ETH), SHIB, Fraction("0.01"), min_correlation=0.6)
    assert row_of(chain, Verdict.CLUSTER_ASSETS)[0] == 3.0
    apart = book_of({BTC: UP, ETH: near, SHIB: FLAT}, (BTC,), SHIB, Fraction("0.01"), min_correlation=0.6)
    assert row_of(apart, Verdict.CLUSTER_ASSETS)[0] == 1.0
    pair = book_of({BTC: UP, 1: UP, ETH: DOWN}, (BTC, ETH), 1, Fraction("0.01"), cluster_assets=1)
    assert row_of(pair, Verdict.CLUSTER_ASSETS) == (1.0, 1.0, Verdict.OK)
    assert row_of(pair, Verdict.CLUSTER_CAP)[0] == pytest.approx(2.0), "both positions in it count"


@pytest.mark.parametrize("known", [19, 20])
def test_with_too_few_common_days_two_count_as_moving_together(known: int) -> None:
    scene = book_of({BTC: UP, ETH: DOWN[:known]}, (BTC,), ETH, Fraction("0.01"))
    assert row_of(scene, Verdict.CLUSTER_ASSETS)[0] == (2.0 if known < 20 else 1.0)
    still = book_of({BTC: UP, ETH: [0.0] * 30}, (BTC,), ETH, Fraction("0.01"))
    assert row_of(still, Verdict.CLUSTER_ASSETS)[0] == 2.0, "of what never moves nobody knows"


def test_the_cluster_s_cap_clips_to_what_the_regime_leaves() -> None:
    scene = book_of({BTC: UP, ETH: UP}, (BTC,), ETH, Fraction("0.5"), max_cluster=0.1)
    scene.law.market.scale[codes.CHOP] = 0.8
    code, lots, trace = trace_of(scene)
    assert code == Verdict.OK
    assert trace[Verdict.CLUSTER_CAP - 1, 1] == pytest.approx(8.0), "the regime scales every cap by 0.8"
    assert lots * PRICE == pytest.approx(0.07 * EQUITY)


returns = st.lists(
    st.tuples(*[st.sampled_from([NO_RETURN, -1.0, -0.5, -0.03, -0.01, 0.0, 0.01, 0.03, 0.5])] * 2), max_size=40
)


@given(found=returns, least=st.integers(0, 12), window=st.integers(1, 45))
@example(found=[(0.01, 0.01), (-0.03, -0.03)] * 2, least=1, window=9)  # whose quotient is a little more than 1
@example(found=[(0.01, -0.01), (-0.03, 0.03)] * 2, least=1, window=9)
@examples(300)
def test_a_correlation_is_pearson_s_or_1_where_nobody_knows_it(
    found: list[tuple[float, float]], least: int, window: int
) -> None:
    scene = book_of({BTC: [0.0], ETH: [0.0]}, (), ETH, Fraction(1, 100), cluster_min_days=least, cluster_days=window)
    rows = np.full((len(found), COUNT), NO_RETURN)
    rows[:, [BTC, ETH]] = np.array(found).reshape(-1, 2)
    columns = scene.columns._replace(returns=rows, first_day=ints(NOON_MS // DAY_MS - len(found)))
    pairs = np.array([pair for pair in found[-window:] if min(pair) >= -1.0]).reshape(-1, 2)
    known = len(pairs) >= max(least, 1) and (np.ptp(pairs, axis=0) > 0.0).all()
    expected = np.corrcoef(pairs.T)[0, 1] if known else 1.0
    told = correlation(scene.law, columns, 0, BTC, ETH)
    assert told == pytest.approx(expected, abs=1e-9)
    assert -1.0 <= told <= 1.0


@pytest.mark.parametrize(("move", "expected"), [(2.5e-8, -1.0), (2.4e-8, 1.0)])
def test_what_moves_no_more_than_floats_are_off_by_does_not_move(move: float, expected: float) -> None:
    """Sixteen squares of the larger add up to 1e-14. Of what does not move nobody knows."""
    for one, other in ((move, 0.01), (0.01, move)):
        scene = book_of({BTC: [one, -one] * 8, ETH: [-other, other] * 8}, (), ETH, Fraction(1, 100), cluster_min_days=1)
        assert correlation(scene.law, scene.columns, 0, BTC, ETH) == pytest.approx(expected)


def test_where_no_day_is_known_and_none_is_asked_for_a_bad_day_is_the_stress() -> None:
    nothing = {BTC: [NO_RETURN] * 3, ETH: [NO_RETURN] * 3}
    scene = book_of(nothing, (BTC,), ETH, Fraction(1, 10), var_min_days=0, var_stress=0.15)
    lost, _, code = row_of(scene, Verdict.VAR)
    assert lost == pytest.approx(0.15 * 0.11 * 100, abs=1e-6) and code == Verdict.OK


def test_of_an_unknown_equity_nothing_weighs_anything() -> None:
    desk = empty_desk(COUNT)
    desk.rows[0], desk.book[0, :2], desk.weights[0] = 1, (ETH, EQUITY), 7.0
    for equity, weight in ((-1, 0.0), (0, 0.0), (EQUITY * 4, 0.5)):
        note_weights(desk, EQUITY, equity)
        assert desk.weights[0] == weight


def test_another_asset_does_not_concentrate_this_one() -> None:
    scene = book_of({BTC: UP, ETH: FLAT}, (BTC,), ETH, Fraction(1, 10), max_concentration=0.1)
    value, limit, code = row_of(scene, Verdict.CONCENTRATION)
    assert value == pytest.approx(10.0, abs=1e-3) and (limit, code) == (10.0, Verdict.OK)


# --- against a count in other words ----------------------------------------------------------------------------------


def known_days(scene: Scene, window: int) -> Array:
    """The rows of the returns that the law may look at."""
    columns, t = scene.columns, scene.t
    closed = int(columns.at_ms[0] + t * (columns.at_ms[1] - columns.at_ms[0])) // DAY_MS - int(columns.first_day[0])
    end = min(max(closed, 0), len(columns.returns))
    return columns.returns[max(end - window, 0) : end]


def linked(scene: Scene, i: int, j: int) -> bool | None:
    """None where it is too near to tell."""
    law = scene.law
    if law.instruments.asset[i] == law.instruments.asset[j]:
        return True
    both = known_days(scene, law.portfolio.cluster_days)[:, [i, j]]
    both = both[(both >= -1).all(axis=1)]
    if len(both) < max(law.portfolio.cluster_min_days, 1) or not (np.ptp(both, axis=0) > 1e-9).all():
        return True
    rho = float(np.corrcoef(both.T)[0, 1])
    return None if abs(rho - law.portfolio.min_correlation) < 1e-9 else rho > law.portfolio.min_correlation


@given(scenes)
@examples(250)
def test_the_figures_are_what_a_count_in_other_words_finds(scene: Scene) -> None:
    law, _, state, columns, t, draft, _ = scene
    _, _, trace = trace_of(scene)
    book = [i for i in range(COUNT) if state.lots[i] or state.orders[i, codes.ENTRY, codes.KIND]]
    nodes = {draft.instrument, *book}
    links = {(i, j): linked(scene, i, j) for i in nodes for j in nodes if i != j}
    if None in links.values() or draft.equity <= 0 or (columns.close[t] == 0).any():
        return
    cluster = {draft.instrument}
    for _ in nodes:
        cluster |= {j for (i, j), link in links.items() if link and i in cluster}
    assets = {int(law.instruments.asset[i]) for i in cluster}
    assert trace[Verdict.CLUSTER_ASSETS - 1, 0] == len(assets)
    at_risk = {
        i: ceil(oracle.value(law, i, state.lots[i], columns.close[t, i])) + oracle.reserved(law, state, i)
        for i in nodes
    }
    cap_row = trace[Verdict.CLUSTER_CAP - 1]
    used = sum(at_risk[i] for i in cluster)
    assert cap_row[0] >= 100 * used / draft.equity * (1 - 1e-12)
    spent = trace[Verdict.LEVERAGE - 1, 0] - sum(at_risk.values()) / draft.equity  # what the draft itself adds
    weights = {i: at_risk[i] / draft.equity + (spent if i == draft.instrument else 0.0) for i in nodes}
    lost: list[float] = []
    for day in known_days(scene, law.portfolio.var_days):
        if any(day[i] >= -1 for i in nodes):
            lost.append(-sum(w * (day[i] if day[i] >= -1 else -law.portfolio.var_stress) for i, w in weights.items()))
    if len(lost) < law.portfolio.var_min_days:
        assert trace[Verdict.VAR - 1, 0] == -1.0 and trace[Verdict.VAR - 1, 2] == Verdict.VAR
    elif lost:
        tail = max(ceil(Fraction(len(lost) * law.portfolio.var_tail_ppm, 10**6)), 1)
        assert trace[Verdict.VAR - 1, 0] == pytest.approx(100 * max(sorted(lost)[-tail], 0.0), abs=1e-9)
