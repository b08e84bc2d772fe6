"""What a scene holds and owes, counted once more from the definitions, in Python's own exact integers and fractions."""

from fractions import Fraction
from math import ceil, floor, log10

from trader_core.rulebook.codes import ENTRY, EXIT, FILLED, KIND, LIMIT, LOTS, MAKER, STOP, STRATEGY
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Columns, Draft, Guard, State

DIMENSIONS = ("strategy", "asset", "theme", "tier", "total")
PPM = 10**6


def value(law: Law, i: int, lots: int, ticks: int) -> Fraction:
    """1e-8 quote, unrounded."""
    return Fraction(int(lots) * int(ticks) * int(law.instruments.num[i]), int(law.instruments.den[i]))


def cost(law: Law, i: int, lots: int, ticks: int) -> int:
    """The most a purchase can take out of the account."""
    paid = ceil(value(law, i, lots, ticks))
    return paid + ceil(Fraction(paid * int(max(law.costs.maker_fee_ppm, law.costs.taker_fee_ppm)), PPM))


def reserved(law: Law, state: State, i: int) -> int:
    order = state.orders[i, ENTRY]
    return cost(law, i, order[LOTS] - order[FILLED], order[LIMIT]) if order[KIND] else 0


def keys_of(law: Law, i: int, strategy: int) -> dict[str, int]:
    """Which asset, theme and tier an instrument is of, beside a strategy."""
    rows = law.instruments
    return {"strategy": strategy, "asset": int(rows.asset[i]), "theme": int(rows.theme[i]), "tier": int(rows.tier[i]),
            "total": 0}  # fmt: skip


def owner(state: State, i: int, proposer: int) -> int:
    """Whose budget a purchase uses: more of a position belongs to the strategy that has it."""
    return int(state.strategy[i]) if state.lots[i] > 0 else proposer


def at_risk(law: Law, guard: Guard, state: State, columns: Columns, t: int, dimension: str, key: int) -> int | float:
    """Holdings at the last close and working entries at their worst; endless where a coin has no price."""
    total: int | float = 0
    for i in range(len(state.lots)):
        holder, buyer = int(state.strategy[i]), owner(state, i, int(state.orders[i, ENTRY, STRATEGY]))
        lots = int(state.lots[i]) if keys_of(law, i, holder)[dimension] == key else 0
        if dimension in ("asset", "theme") and keys_of(law, i, 0)[dimension] == key and guard.foreign[i] > 0:
            lots += int(guard.foreign[i])
            total += 0 if columns.close[t, i] else float("inf")
        total += ceil(value(law, i, lots, int(columns.close[t, i])))
        if keys_of(law, i, buyer)[dimension] == key:
            total += reserved(law, state, i)
    return total


def cap(law: Law, columns: Columns, t: int, dimension: str, key: int) -> Fraction:
    """In force in this row's regime, as a fraction of equity."""
    risk = law.risk
    by_key = {"strategy": law.strategies.max_at_risk, "theme": risk.max_theme, "tier": risk.max_tier}
    written = {"asset": risk.max_asset, "total": risk.max_total}
    share = float(by_key[dimension][key]) if dimension in by_key else written[dimension]
    return Fraction(share) * min(Fraction(float(law.market.scale[columns.regime[t]])), Fraction(1))


def positions(law: Law, state: State, columns: Columns, t: int) -> list[bool]:
    """By instrument, whether it takes a slot."""
    return [
        bool(state.orders[i, ENTRY, KIND]) or (lots > 0 and not is_dust(law, state, columns, t, i))
        for i, lots in enumerate(state.lots)
    ]


def is_dust(law: Law, state: State, columns: Columns, t: int, i: int) -> bool:
    """Nothing of it rests, and it is known to be worth less than the venue's smallest order."""
    bid, rests = int(columns.bid[t, i]), state.orders[i, (STOP, EXIT), KIND].any()
    worst = max(floor(Fraction(bid * (PPM - int(law.orders.band_ppm)), PPM)), 1)
    return not rests and bid > 0 and floor(value(law, i, int(state.lots[i]), worst)) < law.instruments.min_notional[i]


def equity(law: Law, state: State, columns: Columns, t: int) -> int:
    """-1 where the cash or a held price is unknown."""
    held = [i for i in range(len(state.lots)) if state.lots[i] > 0]
    if not state.known[0] or any(columns.close[t, i] == 0 for i in held):
        return -1
    return max(int(state.cash[0]) + sum(int(value(law, i, state.lots[i], columns.close[t, i])) for i in held), 0)


def free_cash(law: Law, state: State) -> int:
    return int(state.cash[0]) - sum(reserved(law, state, i) for i in range(len(state.lots)))


def slippage(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> Fraction:
    """Expected distance of a taker's price from the middle, in ppm. A known book only."""
    if draft.kind == MAKER:
        return Fraction(0)
    bid, ask, depth = (int(each[t, draft.instrument]) for each in (columns.bid, columns.ask, columns.depth))
    into_the_book = Fraction(2_000 * ceil(value(law, draft.instrument, lots, draft.price)), depth)
    return Fraction(10**6 * (ask - bid), ask + bid) + into_the_book + modelled(law, columns, t, draft, lots)


def modelled(law: Law, columns: Columns, t: int, draft: Draft, lots: int) -> int:
    """What the fill model takes for an order of that size on such a day, in ppm."""
    i, model = draft.instrument, law.costs.slippage
    worth, ranged = ceil(value(law, i, lots, draft.price)), float(columns.day_range[columns.hour[t], i])
    large = 1 + model.per_decade * log10(worth / model.large) if worth > model.large > 0 else 1.0
    restless = max(ranged / model.restless_pct, 1.0) if ranged >= 0 else model.most_restless
    base = int(model.base_ppm[law.instruments.tier[i]])
    return ceil(base * min(large, model.most_large) * min(restless, model.most_restless) - 1e-9)


def floor_at_stop(law: Law, draft: Draft) -> Fraction:
    """What has to be bought for the rest of it to be an order that the venue takes when the stop is met."""
    return Fraction(int(law.instruments.min_notional[draft.instrument]) * 10_000, 10_000 - draft.stop_bps)
