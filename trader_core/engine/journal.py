"""The open account: facts go to disk first and into the book after, so the disk never knows less."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

from trader_core.domain.book import Book
from trader_core.domain.errors import JournalBroken, StateUnusable
from trader_core.domain.facts import CycleClosed, Fact
from trader_core.domain.inputs import Taken
from trader_core.ledger.checkpoint import EVERY, code_digest, from_text, to_text
from trader_core.ledger.fold import apply, fold
from trader_core.ports import Store

if TYPE_CHECKING:
    from trader_core.engine.inputs import Recorder

CUT_SHORT = "what was recorded stays recorded; what was written down may have been sent: the next cycle asks the venue"


class Journal:
    """Holds the book that the store's facts fold to. Opening raises JournalBroken or StateUnusable."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.rows, self.book = _resumed(store)
        self._kept = self.book.cycles
        self.follow()

    @property
    def is_behind(self) -> bool:
        """Whether somebody else has written since."""
        return self._store.newest() != self.rows

    def follow(self) -> None:
        """Take in what the store has more than the book. Raises JournalBroken or StateUnusable."""
        for fact in self._store.facts(self.rows, judged=False):
            self.rows, self.book = self.rows + 1, apply(self.book, fact)

    @property
    def next_cycle(self) -> int:
        """Number of the cycle that has not been closed yet."""
        return self.book.cycles + 1

    @cached_property
    def recorder(self) -> "Recorder":
        """Of what decisions are taken from; only who decides needs it."""
        from trader_core.engine.inputs import Recorder

        return Recorder(self._store.bars)

    def record(self, at_ms: int, facts: Sequence[Fact], taken: Taken | None = None) -> None:
        """All of them, durably, or none; nothing to record costs nothing."""
        if facts:
            grown = fold(facts, self.book)  # an illegal move is found before it is written
            self._store.append(self.next_cycle, at_ms, facts, taken)
            self.book, self.rows = grown, self.rows + len(facts)
            if taken:
                self.recorder.written()
            self._remember(any(isinstance(one, CycleClosed) for one in facts))

    @contextmanager
    def acted_on(self) -> Iterator[None]:
        """While what is written down is sent too: a failure after the first row does not say that nothing was."""
        rows = self.rows
        try:
            yield
        except (JournalBroken, StateUnusable) as broken:
            if self.rows > rows:
                broken.safe = CUT_SHORT
            raise

    def _remember(self, cycle_is_over: bool) -> None:
        """What is folded need not be folded again. Where it cannot be kept, nothing is lost but time."""
        if cycle_is_over and self.book.cycles >= self._kept + EVERY:
            self._kept = self.book.cycles
            with suppress(StateUnusable):
                self._store.remember(code_digest(), to_text(self.book))


def _resumed(store: Store) -> tuple[int, Book]:
    """(journal rows that are folded already, their book). What cannot be read counts for nothing."""
    found = store.remembered(code_digest())
    if found:
        with suppress(ValueError, KeyError, TypeError):
            return found[0], from_text(found[1])
    return 0, Book()
