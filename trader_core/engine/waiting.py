"""The queue for a free slot, in words."""

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision, Waiting
from trader_core.domain.facts import QueueChanged
from trader_core.ledger.integers import Axes
from trader_core.rulebook import codes
from trader_core.rulebook.state import State


def waiting_in(state: State, axes: Axes) -> tuple[Waiting, ...]:
    """Who waits after a turn, the first first."""
    return tuple(
        Waiting(axes.instruments[i].symbol, axes.strategies[s], conviction, scale, stop, target, hold, EpochMs(since))
        for i, s, conviction, scale, stop, target, hold, since in state.queue[: state.clock[codes.QUEUED]].tolist()
    )


def queue_facts(book: Book, decision: Decision) -> list[QueueChanged]:
    """That the queue is another one, where it is; who has left it was judged, or has waited too long."""
    if decision.waiting == book.waiting:
        return []
    there, judged = {one.symbol for one in decision.waiting}, {one.symbol: one.outcome for one in decision.judgements}
    gone = [one.symbol for one in book.waiting if one.symbol not in there]
    left = tuple((symbol, judged[symbol] if judged.get(symbol, "").isupper() else "too late") for symbol in gone)
    return [QueueChanged(decision.waiting, left, decision.decision_ms)]
