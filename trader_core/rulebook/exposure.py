"""What is at risk: holdings at the last close, and working entries at their worst price with the higher fee."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import ENTRY, FILLED, KIND, LIMIT, LOTS
from trader_core.rulebook.costs import worst_fee
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import value_up
from trader_core.rulebook.state import Columns, State


@rule
def cost_with_fee(law: Law, i: int, lots: int, price: int) -> int:
    """The most that buying these lots can take out of the account, 1e-8 quote."""
    value = value_up(law.instruments, i, lots, price)
    return value + worst_fee(law.costs, value)


@rule
def reserved(law: Law, state: State, i: int) -> int:
    """What the instrument's working entry may still cost."""
    if state.orders[i, ENTRY, KIND] == 0:
        return 0
    rest = state.orders[i, ENTRY, LOTS] - state.orders[i, ENTRY, FILLED]
    return cost_with_fee(law, i, rest, state.orders[i, ENTRY, LIMIT])


@rule
def reserved_cash(law: Law, state: State) -> int:
    total = 0
    for i in range(state.lots.shape[0]):
        total += reserved(law, state, i)
    return total


@rule
def exposure(law: Law, state: State, columns: Columns, t: int, asset: int) -> int:
    """Exposure to one asset under every pair that trades it; asset -1 means all of them."""
    total = 0
    for i in range(state.lots.shape[0]):
        if asset < 0 or law.instruments.asset[i] == asset:
            if state.lots[i] > 0:
                total += value_up(law.instruments, i, state.lots[i], columns.close[t, i])
            total += reserved(law, state, i)
    return total


@rule
def positions_without(state: State, skipped: int) -> int:
    """Instruments held or being bought, one of them left out."""
    count = 0
    for i in range(state.lots.shape[0]):
        if i != skipped and (state.lots[i] > 0 or state.orders[i, ENTRY, KIND] != 0):
            count += 1
    return count
