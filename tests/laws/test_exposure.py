"""What is at risk, of ones and twos: each holding, order and coin counts once, for whom it belongs to."""

from math import ceil

import numpy as np
import pytest
from hypothesis import given

from tests.laws import oracle
from tests.laws.budget import examples
from tests.laws.test_gate_independence import base
from tests.laws.worlds import COUNT, STRATEGY_COUNT, Dice, Scene, dice, open_guard
from trader_core.rulebook import codes
from trader_core.rulebook.codes import ENTRY, EXIT, STOP
from trader_core.rulebook.exposure import (
    cost_with_fee,
    effective_cap,
    exposures,
    owner_of,
    positions_without,
    reserved,
    reserved_cash,
    worth,
)
from trader_core.rulebook.orders import step_place
from trader_core.rulebook.state import empty_state

MOST = 1 << 62


def few(die: Dice) -> Scene:
    """Of each instrument nothing, one lot or two, in every place where lots can be; prices are known, or not."""
    scene, guard, state = base(), open_guard(), empty_state(COUNT, COUNT, STRATEGY_COUNT)
    for i in range(COUNT):
        state.lots[i] = die.between(0, 2)
        state.strategy[i] = die.between(codes.NEVER, STRATEGY_COUNT - 1) if state.lots[i] else codes.NEVER
        guard.foreign[i] = die.one_of((0, 0, 1, 2))
        scene.columns.close[0, i] = die.one_of((0, 1, 150, 10**5)) if guard.foreign[i] or not state.lots[i] else 150
        scene.columns.bid[0, i] = die.one_of((0, 1, 150))
        scene.law.instruments.min_notional[i] = die.one_of((0, 1, 150, 151, 300, 301))
        if die.often():
            step_place(state, i, die.one_of((STOP, EXIT)), 1, 1, 1, 0, 0, 0, codes.BY_STOP, 0, 0, 0, 0, 0)
        if die.often():
            terms = (die.between(1, 2), die.between(1, 3), die.between(1, 10**5), 0, 0, 0, codes.BY_SIGNAL)
            step_place(state, i, ENTRY, *terms, die.between(0, STRATEGY_COUNT - 1), 0, 0, 0, 0)
            state.orders[i, ENTRY, codes.FILLED] = die.between(0, int(state.orders[i, ENTRY, codes.LOTS]) - 1)
    return scene._replace(guard=guard, state=state)


@given(dice)
@examples(150)
def test_every_lot_is_at_risk_for_its_asset_theme_and_tier_and_for_the_strategy_that_has_it(die: Dice) -> None:
    law, guard, state, columns, t, _, _ = few(die)
    for i in range(COUNT):
        for owner in range(STRATEGY_COUNT):
            found = exposures(law, guard, state, columns, t, i, owner)._asdict()
            keys = oracle.keys_of(law, i, owner)
            expected = {name: oracle.at_risk(law, guard, state, columns, t, name, key) for name, key in keys.items()}
            assert found == {name: min(one, MOST) for name, one in expected.items()}
        assert reserved(law, state, i) == oracle.reserved(law, state, i)
        taken = oracle.positions(law, state, columns, t)
        assert positions_without(law, state, columns, t, i) == sum(taken) - taken[i]
    assert reserved_cash(law, state) == sum(oracle.reserved(law, state, i) for i in range(COUNT))


@given(dice)
@examples(100)
def test_a_purchase_costs_its_value_and_the_higher_fee_each_rounded_up(die: Dice) -> None:
    law, i = die.law(), die.between(0, COUNT - 1)
    lots, price = (die.between(0, 10 ** die.between(0, 7)) for _ in range(2))
    assert cost_with_fee(law, i, lots, price) == oracle.cost(law, i, lots, price)


@pytest.mark.parametrize(
    ("lots", "holder", "proposer", "owner"),
    [(0, codes.NEVER, 1, 1), (1, 0, 1, 0), (1, 1, 0, 1), (1, 1, codes.NEVER, 1), (1, codes.NEVER, 1, 1)],
)
def test_more_of_a_position_is_of_the_budget_of_who_has_it_where_that_is_known(
    lots: int, holder: int, proposer: int, owner: int
) -> None:
    scene = base()
    i = scene.draft.instrument
    scene.state.lots[i], scene.state.strategy[i] = lots, holder
    assert owner_of(scene.state, scene.draft._replace(strategy=proposer)) == owner


def test_lots_times_ticks_that_fill_sixty_two_bits_cannot_be_counted_and_what_is_less_can() -> None:
    """Of the coin whose lot at a tick is a hundredth of a grain."""
    scene = base()
    scene.columns.close[0, 0] = 2**20
    found = [worth(scene.law, scene.columns, 0, 0, lots) for lots in (2**42, 2**42 - 1)]
    assert found == [MOST, ceil(oracle.value(scene.law, 0, 2**42 - 1, 2**20))]


def test_a_cap_is_narrowed_by_its_regime_and_never_widened() -> None:
    assert [effective_cap(0.5, scale) for scale in (0.0, 0.5, 1.0, 1.5)] == [0.0, 0.25, 0.5, 0.5]


def test_a_book_without_anything_is_at_no_risk_and_holds_nothing() -> None:
    scene = base()
    state = empty_state(COUNT, COUNT, STRATEGY_COUNT)
    for i in range(COUNT):
        assert not np.any(exposures(scene.law, open_guard(), state, scene.columns, 0, i, 0))
        assert positions_without(scene.law, state, scene.columns, 0, i) == reserved(scene.law, state, i) == 0
