"""A purchase that had to wait is judged again before it leaves: as the market and the account are by then."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import VenueUnavailable
from trader_core.domain.facts import Fact, Intended
from trader_core.domain.order import ApprovedOrder, Order
from trader_core.domain.values import replace
from trader_core.engine.columns import columns_of
from trader_core.engine.decide import quoted
from trader_core.engine.journal import Journal
from trader_core.engine.law import enabled_strategies, law_of
from trader_core.engine.observe import Snapshot, observe
from trader_core.engine.outside import guard_of
from trader_core.engine.settle import fold_fills
from trader_core.ledger.fold import fold
from trader_core.ledger.integers import Axes, lots_of, to_state
from trader_core.ports import Ports
from trader_core.rulebook import codes
from trader_core.rulebook.account import equity_of
from trader_core.rulebook.judge import judge
from trader_core.rulebook.state import Draft, empty_desk

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

FRESH_MS = 5_000  # so long a judgement holds
SET_BACK = "because the clock was set back meanwhile"


@dataclass
class Review:
    """What was decided on `snapshot` and `before`, and is being sent since `judged_ms` of this machine's clock."""

    ports: Ports
    policy: "Settings"
    journal: Journal
    snapshot: Snapshot
    before: Book  # without the intents of this decision
    recorded: tuple[Fact, ...]  # with them
    judged_ms: EpochMs

    def __call__(self, order: Order) -> str:
        """Why this purchase must not leave now; empty where its judgement is fresh, or is passed again."""
        waited_ms = self.ports.clock.host_ms() - self.judged_ms
        if 0 <= waited_ms <= FRESH_MS:
            return ""
        why = f"{waited_ms / 1e3:.1f} s after it was decided" if waited_ms > 0 else SET_BACK
        late = f"judged again {why}"
        try:
            now = self._as_of_now()
        except VenueUnavailable as gap:
            return f"{late}: {gap.what}"
        verdict = now.problem or judged_again(now, self._book(order), self.policy, order.approved)
        return f"{late}: {verdict}" if verdict else ""

    def _as_of_now(self) -> Snapshot:
        """The same decision time, read again: quotes, fills, and what stands against entries."""
        reader, journal, at_ms = self.ports.reader, self.journal, self.snapshot.decision_ms
        reader.read_account([], journal.book.fill_cursor)
        fold_fills(self.ports, journal, at_ms)
        read = observe(self.ports, self.policy, reader.instruments(), journal.book, (), at_ms)
        return replace(read, foreign=self.snapshot.foreign, closing=self.snapshot.closing)

    def _book(self, order: Order) -> Book:
        """The account as it is, but for this intent: what it counts for in pacing is not counted twice."""
        name, now = order.client_order_id, self.journal.book
        others = [one for one in self.recorded if not (isinstance(one, Intended) and one.client_order_id == name)]
        counted = fold(others, self.before)
        orders = MappingProxyType({key: one for key, one in now.orders.items() if key != name})
        return replace(now, orders=orders, pacing=counted.pacing, entries=counted.entries)


def judged_again(snapshot: Snapshot, book: Book, policy: "Settings", order: ApprovedOrder) -> str:
    """The verdict on just this order now; empty where it is let pass as it is."""
    axes, row = Axes(snapshot.instruments, enabled_strategies(policy)), snapshot.frame.rows - 1
    if order.symbol not in axes.index or order.strategy not in axes.strategies:
        return "there is no place for it any more"
    i, s = axes.index[order.symbol], axes.strategies.index(order.strategy)
    columns = quoted(columns_of(snapshot.frame, axes.instruments, policy, row).columns, row, snapshot)
    state, law = to_state(book, axes), law_of(policy, axes, snapshot.fees)
    guard = guard_of(book, axes, snapshot, law.orders.bar_ms)
    draft = Draft(
        instrument=i,
        strategy=s,
        kind=codes.KINDS.index(order.kind),
        price=int(order.limit / axes.instruments[i].tick),
        lots=lots_of(axes.instruments[i], order.quantity),
        reason=codes.REASONS.index(order.reason),
        tries=order.tries,
        equity=equity_of(law.instruments, state, columns, row),
        conviction=float(columns.conviction[s, columns.asked[row], i]),
        stop_bps=order.stop_bps,
        target_bps=order.target_bps,
        hold_ms=order.hold_ms,
    )
    entered, desk = np.zeros(len(axes.strategies), np.int64), empty_desk(len(axes.instruments))
    code, lots = judge(law, guard, state, columns, row, draft, entered, desk, np.zeros((codes.GATE_COUNT, 3)))
    if code != codes.Verdict.OK:
        return codes.Verdict(code).name
    return "" if lots >= draft.lots else "less is allowed now"
