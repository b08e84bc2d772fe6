"""The book in front of the market as both are now: what the next decision would look at, without taking it.

Like a preview it works on a journal that is thrown away. Past the end of a market it looks at the newest cycle's time.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Judgement
from trader_core.domain.instrument import Exclusion
from trader_core.engine.columns import Opinions, columns_of
from trader_core.engine.cycle import guard, look
from trader_core.engine.decide import quoted
from trader_core.engine.explain import Seen, judgements_of
from trader_core.engine.journal import Journal
from trader_core.engine.law import bar_ms_of, enabled_strategies, law_of
from trader_core.engine.outside import guard_of
from trader_core.engine.policies import policy_in_force
from trader_core.engine.stages import Stages
from trader_core.ledger.integers import Axes, to_state
from trader_core.ports import Ports
from trader_core.rulebook.account import equity_of, step_mark
from trader_core.rulebook.gates.losses import loss_scale
from trader_core.rulebook.halts import step_halt
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import Columns, Guard, State, empty_plan
from trader_core.rulebook.turn import new_draft, proposed_terms

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


@dataclass(frozen=True)
class Glance:
    """Everything that a judge looks at, at one row, and the equity it judges by (1e-8 quote, -1 unknown)."""

    at_ms: EpochMs
    law: Law
    guard: Guard
    state: State
    columns: Columns
    row: int
    axes: Axes
    equity: int
    opinions: Opinions
    exclusions: tuple[Exclusion, ...]


@dataclass(frozen=True)
class Hypothesis:
    """What the gates say of an entry that a strategy would have proposed. `proposed` says whether it does."""

    judgement: Judgement
    strategy: str
    proposed: bool
    conviction: float
    wanted_lots: int
    lots: int  # what the gates leave of them
    price: int  # ticks, the worst


def glance(ports: Ports, policy: "Settings", journal: Journal) -> Glance | None:
    """None where there is neither a next decision nor a cycle behind us. Raises VenueUnavailable."""
    next_ms = ports.clock.next_decision_ms(journal.book.closed_ms)
    at_ms = journal.book.closed_ms if next_ms is None else next_ms
    if at_ms < 0:
        return None
    policy = policy_in_force(ports, policy, journal, at_ms)
    guard(ports, journal, at_ms)
    snapshot = look(ports, policy, journal, at_ms, Stages()).snapshot
    axes, row = Axes(snapshot.instruments, enabled_strategies(policy)), snapshot.frame.rows - 1
    opinions = columns_of(snapshot.frame, axes.instruments, policy, row)
    columns, state = quoted(opinions.columns, row, snapshot), to_state(journal.book, axes)
    law, closed = law_of(policy, axes, snapshot.fees), guard_of(journal.book, axes, snapshot, bar_ms_of(policy))
    equity = equity_of(law.instruments, state, columns, row)
    step_mark(state, at_ms, equity)
    step_halt(law, closed, state, columns, row, equity, empty_plan(0, 0))
    return Glance(at_ms, law, closed, state, columns, row, axes, equity, opinions, snapshot.exclusions)


def hypothesis(seen: Glance, symbol: str) -> Hypothesis:
    """Judge an entry in a symbol of the axes: that of the strategy that enters it, else of the most convinced one."""
    i, strategy = seen.axes.index[symbol], _strategy(seen, seen.axes.index[symbol])
    law, columns, row, asked = seen.law, seen.columns, seen.row, seen.columns.asked[seen.row]
    plan = empty_plan(len(seen.axes.instruments), len(seen.axes.strategies))
    plan.shrunk[0] = loss_scale(law, seen.state, seen.at_ms, seen.equity)
    terms = proposed_terms(columns, row, i, strategy)
    draft = new_draft(law, seen.state, columns, row, i, terms, seen.equity, plan)
    if draft.lots == 0:  # nobody wants it: of the size that its tier would have
        whole = terms._replace(scale=1.0)
        draft = new_draft(law, seen.state, columns, row, i, whole, seen.equity, plan)
    code, lots = judge(law, seen.guard, seen.state, columns, row, draft, plan.entered, plan.desk, plan.trace[i])
    plan.verdict[i], plan.chosen[i] = code, strategy
    told = judgements_of(Seen(law, columns, row, seen.opinions, seen.axes, (), False), plan)
    return Hypothesis(
        judgement=next(one for one in told if one.symbol == symbol),
        strategy=seen.axes.strategies[strategy],
        proposed=bool(columns.enter[strategy, asked, i]),
        conviction=float(draft.conviction),
        wanted_lots=int(draft.lots),
        lots=int(lots),
        price=int(draft.price),
    )


def _strategy(seen: Glance, i: int) -> int:
    asked = seen.columns.asked[seen.row]
    enters, conviction = seen.columns.enter[:, asked, i], seen.columns.conviction[:, asked, i]
    return int(np.lexsort((-conviction, enters == 0))[0])
