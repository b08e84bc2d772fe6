"""The open account: facts go to disk first and into the book after, so the disk never knows less."""

from collections.abc import Sequence

from trader_core.domain.book import Book
from trader_core.domain.facts import Fact
from trader_core.ledger.fold import fold
from trader_core.ports import Store


class Journal:
    """Holds the book that the store's facts fold to. Opening raises JournalBroken or StateUnusable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.book: Book = fold(store.facts())

    @property
    def next_cycle(self) -> int:
        """Number of the cycle that has not been closed yet."""
        return self.book.cycles + 1

    def record(self, at_ms: int, facts: Sequence[Fact]) -> None:
        """All of them, durably, or none; nothing to record costs nothing."""
        if facts:
            grown = fold(facts, self.book)  # an illegal move is found before it is written
            self._store.append(self.next_cycle, at_ms, facts)
            self.book = grown
