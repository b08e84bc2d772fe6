"""What is at risk: holdings at the last close, and working entries at their worst price with the higher fee."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import ENTRY, FILLED, KIND, LIMIT, LOTS, STRATEGY
from trader_core.rulebook.costs import worst_fee
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import LIMIT as MONEY_MAX
from trader_core.rulebook.money import value_up
from trader_core.rulebook.state import Columns, Draft, Guard, State

ALL, OF_ASSET, OF_THEME, OF_TIER, OF_STRATEGY = range(5)


@rule
def effective_cap(cap: float, scale: float) -> float:
    """A cap in a regime: sizing, gates and validation all ask here. No regime makes a cap wider than it is written."""
    return cap * min(scale, 1.0)


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
def belongs(law: Law, i: int, kind: int, key: int) -> bool:
    """Whether an instrument is of that asset, theme or tier."""
    if kind == OF_ASSET:
        return bool(law.instruments.asset[i] == key)
    if kind == OF_THEME:
        return bool(law.instruments.theme[i] == key)
    return kind == ALL or bool(law.instruments.tier[i] == key)


@rule
def exposure(law: Law, guard: Guard, state: State, columns: Columns, t: int, kind: int, key: int) -> int:
    """Exposure to one asset, theme, tier or strategy, or all of it, under every pair that trades it.

    Coins that the bot did not buy count for their asset and theme, never for the bot's own caps; those without a
    price are more than any cap allows.
    """
    total = 0
    for i in range(state.lots.shape[0]):
        if kind == OF_STRATEGY:
            held = state.strategy[i] == key
            ordered = held if state.lots[i] > 0 else state.orders[i, ENTRY, STRATEGY] == key
        else:
            held = belongs(law, i, kind, key)
            ordered = held
        lots = state.lots[i] if held else 0
        if guard.foreign[i] > 0 and kind in (OF_ASSET, OF_THEME) and held:
            if columns.close[t, i] == 0:
                return MONEY_MAX
            lots += guard.foreign[i]
        if lots > MONEY_MAX // max(columns.close[t, i], 1):
            return MONEY_MAX
        if lots > 0:
            total += value_up(law.instruments, i, lots, columns.close[t, i])
        if ordered:
            total += reserved(law, state, i)
    return min(int(total), MONEY_MAX)


@rule
def owner_of(state: State, draft: Draft) -> int:
    """Whose budget an entry uses: an add belongs to the strategy that has the position, whoever proposed it."""
    i = draft.instrument
    return state.strategy[i] if state.lots[i] > 0 and state.strategy[i] >= 0 else draft.strategy


@rule
def positions_without(state: State, skipped: int) -> int:
    """Instruments held or being bought, one of them left out."""
    count = 0
    for i in range(state.lots.shape[0]):
        if i != skipped and (state.lots[i] > 0 or state.orders[i, ENTRY, KIND] != 0):
            count += 1
    return count
