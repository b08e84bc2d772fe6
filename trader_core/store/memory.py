"""A store that forgets: for previews, replays and measurements. Same port, no disk."""

from collections.abc import Iterable

from trader_core.domain.facts import Fact
from trader_core.domain.inputs import Bar, Taken


class MemoryStore:
    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._facts = list(facts)

    def append(self, cycle_id: int, at_ms: int, facts: Iterable[Fact], taken: Taken | None = None) -> None:
        self._facts += facts

    def facts(self, after: int = 0, judged: bool = True) -> Iterable[Fact]:
        return tuple(self._facts[after:])

    def newest(self) -> int:
        return len(self._facts)

    def bars(self, symbol: str, since_ms: int, until_ms: int) -> Iterable[Bar]:
        return ()

    def remembered(self, code: str) -> tuple[int, str] | None:
        return None

    def remember(self, code: str, book: str) -> None:
        return

    def close(self) -> None:
        self._facts = []
