"""A decision as facts: what is written down of it, and of what it was taken from, before anything is sent."""

from typing import TYPE_CHECKING

from trader_core.domain.book import Book
from trader_core.domain.decision import Decision
from trader_core.domain.facts import Decided, Fact, HaltChanged, Marked, Remembered, StrategyFailed, StrategyRecovered
from trader_core.domain.inputs import Taken
from trader_core.engine.digest import decision_digest
from trader_core.engine.journal import Journal
from trader_core.engine.observe import Snapshot
from trader_core.engine.waiting import queue_facts

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


def mark_facts(decision: Decision) -> list[Fact]:
    """What the account is worth, what is to be kept of its positions, and what the halt machine made of it."""
    marked = Marked(decision.decision_ms, decision.equity, decision.peaks, decision.open_loss_ppm, decision.dust)
    kept = [Remembered(one.symbol, one.deferred, one.outcast_ms, decision.decision_ms) for one in decision.remembered]
    return [marked, *kept] if decision.halt is None else [marked, *kept, HaltChanged(decision.halt)]


def decision_facts(
    journal: Journal, rows: int, snapshot: Snapshot, policy: "Settings", decision: Decision
) -> tuple[list[Fact], Taken | None]:
    """News of strategies, and the queue and the judgements with their inputs, where `rows` of the journal were what was
    known: once, also where a crash cut the cycle short."""
    book, at_ms = journal.book, decision.decision_ms
    facts = _strategy_news(book, decision)
    if book.decided_ms >= at_ms:
        return facts, None
    taken = journal.recorder.taken(snapshot, policy, rows)
    decided = Decided(at_ms, decision_digest(decision), decision.judgements, taken.digest)
    return [*facts, *queue_facts(book, decision), decided], taken


def _strategy_news(book: Book, decision: Decision) -> list[Fact]:
    """Strategies that have begun to fail, fail in another way, or work again."""
    failing, at_ms = dict(decision.failures), decision.decision_ms
    news: list[Fact] = [StrategyFailed(*one, at_ms) for one in failing.items() if book.failures.get(one[0]) != one[1]]
    return news + [StrategyRecovered(name, at_ms) for name in book.failures if name not in failing]
