"""A decision as facts: what is written down of it before anything is sent."""

from trader_core.domain.book import Book
from trader_core.domain.decision import Decision
from trader_core.domain.facts import Decided, Fact, Marked, StrategyFailed, StrategyRecovered
from trader_core.engine.digest import decision_digest


def decision_facts(book: Book, decision: Decision) -> list[Fact]:
    """The mark, news of strategies, and the judgements: once, also where a crash cut the cycle short."""
    at_ms = decision.decision_ms
    facts: list[Fact] = [Marked(at_ms, decision.equity, decision.peaks, decision.dust), *_strategy_news(book, decision)]
    if book.decided_ms < at_ms:
        facts.append(Decided(at_ms, decision_digest(decision), decision.judgements))
    return facts


def _strategy_news(book: Book, decision: Decision) -> list[Fact]:
    """Strategies that have begun to fail, fail in another way, or work again."""
    failing, at_ms = dict(decision.failures), decision.decision_ms
    news: list[Fact] = [StrategyFailed(*one, at_ms) for one in failing.items() if book.failures.get(one[0]) != one[1]]
    return news + [StrategyRecovered(name, at_ms) for name in book.failures if name not in failing]
