"""What would all of it be together? Who moves with whom, what a bad day costs, how much of the equity is at work.

Judged is what the bot holds and has ordered after the trade, working entries and the draft at their worst. Coins that
it did not buy are no part of it: the caps of their asset and theme have them.
"""

from math import sqrt
from typing import NamedTuple

from trader_core.rulebook import rule
from trader_core.rulebook.account import DAY_MS, moment
from trader_core.rulebook.codes import CLOSED, ENTRY, KIND, NEVER, PASS, Verdict
from trader_core.rulebook.exposure import plus, reserved, worth
from trader_core.rulebook.gates.caps import bought, gate_cap, less_of
from trader_core.rulebook.gates.note import Judged, note
from trader_core.rulebook.limits import Floats, Law
from trader_core.rulebook.money import PPM
from trader_core.rulebook.sizing import regime_scale
from trader_core.rulebook.state import Columns, Desk, Draft, State

INSTRUMENT, WORTH, LINK = range(3)  # of Desk.book
STILL = 1e-14  # squared returns that add up to less are no moves but what a sum of floats is off by
APART, FOUND, FOLLOWED = range(3)  # a link: to nobody, to the draft's, and so are those that move with it


class Together(NamedTuple):
    """What stands on the desk. Amounts are 1e-8 quote, each at most MONEY_MAX, without the draft."""

    assets: int  # that move with the draft's, itself included
    cluster: int
    asset: int
    total: int


@rule
def judge_book(
    law: Law, state: State, columns: Columns, t: int, draft: Draft, desk: Desk, lots: int, trace: Floats
) -> int:  # fmt: skip
    note_book(law, state, columns, t, draft.instrument, desk)
    note_links(law, columns, t, desk)
    now, scale = together(law, desk), regime_scale(law, columns, t)
    lots = note(trace, Verdict.CLUSTER_ASSETS, gate_cluster_assets(law, now.assets, lots))
    buys = bought(law, draft, lots)
    judged = gate_cap(law, draft, buys, now.cluster, law.portfolio.max_cluster, scale)
    lots, cost = less_of(law, draft, buys, note(trace, Verdict.CLUSTER_CAP, judged))
    note_weights(desk, cost, draft.equity)
    lots = note(trace, Verdict.VAR, gate_var(law, draft, note_days(law, columns, t, desk), desk, lots))
    lots = note(trace, Verdict.LEVERAGE, gate_leverage(law, draft, plus(now.total, cost), lots))
    return note(trace, Verdict.CONCENTRATION, gate_concentration(law, draft, plus(now.asset, cost), lots))


# --- who moves with whom ---------------------------------------------------------------------------------------------


@rule
def note_book(law: Law, state: State, columns: Columns, t: int, i: int, desk: Desk) -> None:
    """List instrument `i`, and beside it every other in which something is held or ordered."""
    rows = 0
    for n in range(-1, state.lots.shape[0]):
        j = i if n < 0 else n
        if n < 0 or (j != i and (state.lots[j] != 0 or state.orders[j, ENTRY, KIND] != 0)):
            at_risk = plus(worth(law, columns, t, j, state.lots[j]), reserved(law, state, j))
            desk.book[rows, INSTRUMENT], desk.book[rows, WORTH], desk.book[rows, LINK] = j, at_risk, APART
            rows += 1
    desk.book[0, LINK], desk.rows[0] = FOUND, rows


@rule
def note_links(law: Law, columns: Columns, t: int, desk: Desk) -> None:
    """Follow from the first row to all that move with it, directly or through others."""
    count = desk.rows[0]
    for _ in range(count):
        at = NEVER
        for n in range(count):
            if desk.book[n, LINK] == FOUND:
                at = n
                break
        if at == NEVER:
            break
        desk.book[at, LINK] = FOLLOWED
        for n in range(count):
            i, j = desk.book[at, INSTRUMENT], desk.book[n, INSTRUMENT]
            if desk.book[n, LINK] == APART and moves_with(law, columns, t, i, j):
                desk.book[n, LINK] = FOUND


@rule
def moves_with(law: Law, columns: Columns, t: int, i: int, j: int) -> bool:
    """Whether both are one asset, or rise and fall together, as far as anybody knows. What falls as the other rises is
    a hedge, and no part of a cluster."""
    if law.instruments.asset[i] == law.instruments.asset[j]:
        return True
    return correlation(law, columns, t, i, j) >= law.portfolio.min_correlation


@rule
def days_until(columns: Columns, t: int) -> int:
    """How many rows of the daily returns have closed."""
    closed = moment(columns, t) // DAY_MS - columns.first_day[0]
    return int(min(max(closed, 0), columns.returns.shape[0]))


@rule
def correlation(law: Law, columns: Columns, t: int, i: int, j: int) -> float:
    """Pearson's, of the returns on the days on which both have one. Of too few of these, or of one that never moves,
    nobody knows: 1."""
    end = days_until(columns, t)
    first, days = max(end - law.portfolio.cluster_days, 0), 0
    one, two = 0.0, 0.0
    for day in range(first, end):
        x, y = columns.returns[day, i], columns.returns[day, j]
        if x >= -1.0 and y >= -1.0:
            one, two, days = one + x, two + y, days + 1
    if days < max(law.portfolio.cluster_min_days, 1):
        return 1.0
    one, two = one / days, two / days
    both, of_one, of_two = 0.0, 0.0, 0.0
    for day in range(first, end):
        x, y = columns.returns[day, i], columns.returns[day, j]
        if x >= -1.0 and y >= -1.0:
            both += (x - one) * (y - two)
            of_one += (x - one) * (x - one)
            of_two += (y - two) * (y - two)
    if of_one < STILL or of_two < STILL:
        return 1.0
    return min(max(both / (sqrt(of_one) * sqrt(of_two)), -1.0), 1.0)


@rule
def together(law: Law, desk: Desk) -> Together:
    """Assets that move together are one bet; a coin under two pairs is one asset."""
    assets, cluster, same, total = 0, 0, 0, 0
    for n in range(desk.rows[0]):
        asset, at_risk = law.instruments.asset[desk.book[n, INSTRUMENT]], desk.book[n, WORTH]
        total = plus(total, at_risk)
        if asset == law.instruments.asset[desk.book[0, INSTRUMENT]]:
            same = plus(same, at_risk)
        if desk.book[n, LINK] != APART:
            cluster, new = plus(cluster, at_risk), 1
            for before in range(n):
                if law.instruments.asset[desk.book[before, INSTRUMENT]] == asset:
                    new = 0
            assets += new
    return Together(assets, cluster, same, total)


@rule
def gate_cluster_assets(law: Law, assets: int, lots: int) -> Judged:
    limit = law.portfolio.cluster_assets
    return (CLOSED if assets > limit else PASS), lots, float(assets), float(limit)


# --- what a bad day costs --------------------------------------------------------------------------------------------


@rule
def note_weights(desk: Desk, cost: int, equity: int) -> None:
    """Fractions of equity; of an unknown equity there are none."""
    for n in range(desk.rows[0]):
        at_risk = plus(desk.book[n, WORTH], cost if n == 0 else 0)
        desk.weights[n] = at_risk / equity if equity > 0 else 0.0


@rule
def note_days(law: Law, columns: Columns, t: int, desk: Desk) -> int:
    """What each of the newest days would have done to this book; how many there are. A day of which nobody in it has
    a return is none; who has none on another's day lost the stress there."""
    end, count, worst = days_until(columns, t), 0, 0.0
    for n in range(desk.rows[0]):
        worst -= desk.weights[n] * law.portfolio.var_stress
    desk.days[0] = worst
    for day in range(max(end - law.portfolio.var_days, 0), end):
        total, known = 0.0, False
        for n in range(desk.rows[0]):
            found = columns.returns[day, desk.book[n, INSTRUMENT]]
            known = known or found >= -1.0
            total += desk.weights[n] * (found if found >= -1.0 else -law.portfolio.var_stress)
        if known:
            desk.days[count] = total
            count += 1
    return count


@rule
def note_worst(law: Law, desk: Desk, days: int) -> int:
    """Put the worst days first, the worst of them foremost; how many the tail has: its part of all, rounded up."""
    tail = max((days * law.portfolio.var_tail_ppm + PPM - 1) // PPM, 1)
    for n in range(tail):
        for day in range(n + 1, days):
            if desk.days[day] < desk.days[n]:
                desk.days[day], desk.days[n] = desk.days[n], desk.days[day]
    return int(tail)


@rule
def gate_var(law: Law, draft: Draft, days: int, desk: Desk, lots: int) -> Judged:
    """Historical value at risk: the mildest day of the worst tail. Of too few days it is unknown, which closes."""
    tail, limit = note_worst(law, desk, days), law.portfolio.max_var
    if draft.equity <= 0:
        return PASS, lots, 0.0, 100.0 * limit  # a share of nothing: the equity gate has said no
    if days < law.portfolio.var_min_days:
        return CLOSED, lots, -1.0, 100.0 * limit
    lost = max(-desk.days[tail - 1], 0.0)
    return (CLOSED if lost > limit else PASS), lots, 100.0 * lost, 100.0 * limit


@rule
def expected_shortfall(desk: Desk, tail: int) -> float:
    """Mean of the worst days, once they stand first; below zero it is a loss."""
    total = 0.0
    for day in range(tail):
        total += desk.days[day]
    return total / tail


# --- how much is at work ---------------------------------------------------------------------------------------------


@rule
def gate_leverage(law: Law, draft: Draft, after: int, lots: int) -> Judged:
    """All exposure after the trade over equity. Nothing is shrunk to it: who comes here has passed every cap."""
    limit = law.portfolio.max_leverage
    if draft.equity <= 0:
        return PASS, lots, 0.0, limit
    return (CLOSED if after > int(limit * draft.equity) else PASS), lots, after / draft.equity, limit


@rule
def gate_concentration(law: Law, draft: Draft, after: int, lots: int) -> Judged:
    """One asset after the trade, in every regime alike; refuses what its cap let pass."""
    limit = law.portfolio.max_concentration
    if draft.equity <= 0:
        return PASS, lots, 0.0, 100.0 * limit
    return (CLOSED if after > int(limit * draft.equity) else PASS), lots, 100.0 * after / draft.equity, 100.0 * limit
