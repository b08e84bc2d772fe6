"""What is at risk: holdings at the last close, and working entries at their worst price with the higher fee."""

from typing import NamedTuple

from trader_core.rulebook import rule
from trader_core.rulebook.codes import ENTRY, EXIT, FILLED, KIND, LIMIT, LOTS, STOP, STRATEGY
from trader_core.rulebook.costs import worst_fee
from trader_core.rulebook.exits import is_sellable, lowest_sale
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import LIMIT as MONEY_MAX
from trader_core.rulebook.money import value_up
from trader_core.rulebook.orders import is_open
from trader_core.rulebook.state import Columns, Draft, Guard, State

UNCOUNTABLE = 2.0**62


class Exposures(NamedTuple):
    """1e-8 quote, each at most MONEY_MAX."""

    strategy: int
    asset: int
    theme: int
    tier: int
    total: int


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
def worth(law: Law, columns: Columns, t: int, i: int, lots: int) -> int:
    """What lots are worth at the last close, rounded up, at most MONEY_MAX."""
    if float(lots) * columns.close[t, i] >= UNCOUNTABLE:
        return MONEY_MAX
    return min(value_up(law.instruments, i, lots, columns.close[t, i]), MONEY_MAX)


@rule
def plus(total: int, part: int) -> int:
    """Their sum, at most MONEY_MAX; neither is more."""
    return MONEY_MAX if part >= MONEY_MAX - total else total + part


@rule
def exposures(law: Law, guard: Guard, state: State, columns: Columns, t: int, i: int, owner: int) -> Exposures:
    """Exposure to an instrument's asset, theme and tier, of a strategy, and of all, under every pair that trades it.

    Coins that the bot did not buy count for their asset and theme, never for the bot's own caps; those without a
    price are more than any cap allows.
    """
    kinds = law.instruments
    by_strategy, by_asset, by_theme, by_tier, total = 0, 0, 0, 0, 0
    for j in range(state.lots.shape[0]):
        lots, foreign = state.lots[j], guard.foreign[j]
        if lots != 0 or foreign > 0 or state.orders[j, ENTRY, KIND] != 0:
            held, ordered = worth(law, columns, t, j, lots), reserved(law, state, j)
            ours, everything = plus(held, ordered), plus(held, ordered)
            if foreign > 0:
                counted = MONEY_MAX if columns.close[t, j] == 0 else worth(law, columns, t, j, lots + foreign)
                everything = plus(counted, ordered)
            if state.strategy[j] == owner:
                by_strategy = plus(by_strategy, held)
            if (state.strategy[j] if lots > 0 else state.orders[j, ENTRY, STRATEGY]) == owner:
                by_strategy = plus(by_strategy, ordered)
            if kinds.asset[j] == kinds.asset[i]:
                by_asset = plus(by_asset, everything)
            if kinds.theme[j] == kinds.theme[i]:
                by_theme = plus(by_theme, everything)
            if kinds.tier[j] == kinds.tier[i]:
                by_tier = plus(by_tier, ours)
            total = plus(total, ours)
    return Exposures(by_strategy, by_asset, by_theme, by_tier, total)


@rule
def owner_of(state: State, draft: Draft) -> int:
    """Whose budget an entry uses: an add belongs to the strategy that has the position, whoever proposed it."""
    i = draft.instrument
    return state.strategy[i] if state.lots[i] > 0 and state.strategy[i] >= 0 else draft.strategy


@rule
def positions_without(law: Law, state: State, columns: Columns, t: int, skipped: int) -> int:
    """Instruments held or being bought, one of them left out."""
    count = 0
    for i in range(state.lots.shape[0]):
        if i != skipped and takes_slot(law, state, columns, t, i):
            count += 1
    return count


@rule
def takes_slot(law: Law, state: State, columns: Columns, t: int, i: int) -> bool:
    """Whether it is being bought, or held: dust is not, while no order of it rests; what has no price is no dust."""
    if is_open(state, i, ENTRY):
        return True
    if state.lots[i] == 0:
        return False
    if is_open(state, i, EXIT) or is_open(state, i, STOP):
        return True
    bid = columns.bid[t, i]
    return bool(bid == 0 or is_sellable(law, i, state.lots[i], lowest_sale(law, bid)))
