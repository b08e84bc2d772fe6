"""A checkpoint is a shortcut to the book that the journal folds to, and counts for nothing where it is not that."""

from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.program import Inside
from tests.laws.budget import examples
from tests.laws.test_two_books import MOVES, History
from tests.tampering import altered
from tests.test_architecture import imports, parsed
from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import CycleClosed, Fact, Paused
from trader_core.engine.journal import Journal
from trader_core.ledger.checkpoint import EVERY, FOLDING, code_digest, from_text, to_text
from trader_core.ledger.fold import fold
from trader_core.store.sqlite import SqliteStore

IDENTITY = {"mode": "PAPER", "venue": "simulated"}
ROOT = Path(__file__).parents[2] / "trader_core"


class Told(History):
    """Keeps its facts."""

    def __init__(self, random: Random) -> None:
        self.facts: list[Fact] = []
        super().__init__(random)

    def tell(self, fact: Fact) -> None:
        self.facts.append(fact)
        super().tell(fact)


@given(st.randoms(use_true_random=True))
@examples(40)
def test_the_book_from_a_checkpoint_and_the_rest_is_the_fold_of_all(random: Random) -> None:
    history = Told(random)
    for _ in range(25):
        getattr(history, random.choice(MOVES))()
    facts, at = history.facts, random.randint(0, len(history.facts))
    kept = from_text(to_text(fold(facts[:at])))
    assert kept == fold(facts[:at])
    assert to_text(kept) == to_text(fold(facts[:at]))
    assert fold(facts[at:], kept) == fold(facts) == history.book


def closed(n: int) -> CycleClosed:
    return CycleClosed(EpochMs(n), 0, 0, 0, "", EpochMs(0))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state with one checkpoint, and something after it."""
    place = tmp_path / "paper.db"
    store = SqliteStore(place, IDENTITY, "digest")
    journal = Journal(store)
    for n in range(1, EVERY):
        journal.record(n, [Paused(f"pause {n}", EpochMs(n)), closed(n)])
    assert store.remembered(code_digest()) is None
    journal.record(EVERY, [closed(EVERY)])
    assert store.remembered(code_digest()) == (journal.rows, to_text(journal.book))
    journal.record(EVERY + 1, [Paused("after", EpochMs(EVERY + 1))])
    store.close()
    return place


def opened(path: Path) -> tuple[Book, int, int]:
    """(book, rows, rows of the journal that were read for it)"""
    store = SqliteStore(path, None)
    journal, kept = Journal(store), store.remembered(code_digest())
    store.close()
    return journal.book, journal.rows, journal.rows - (kept[0] if kept else 0)


def test_opening_goes_on_from_the_checkpoint(path: Path) -> None:
    book, rows, read = opened(path)
    assert (book.cycles, book.paused, rows, read) == (EVERY, "after", 2 * EVERY + 1, 1)
    altered(path, "UPDATE journal SET body = '[]' WHERE seq = 5")
    assert opened(path)[0] == book, "what is folded is not read again; verify does"


FOREIGN = {
    "other code": "UPDATE checkpoint SET code = 'other'",
    "another journal": "UPDATE checkpoint SET hash = 'other'",
    "another row": "UPDATE checkpoint SET seq = seq - 1",
    "a row that is not there": "UPDATE checkpoint SET seq = 9999",
    "another book": "UPDATE checkpoint SET body = replace(body, 'pause', 'cause')",
    "no book": "UPDATE checkpoint SET body = '{}'",
    "none": "DELETE FROM checkpoint",
}


@pytest.mark.parametrize("what", FOREIGN)
def test_a_foreign_or_wrong_checkpoint_is_ignored(what: str, path: Path) -> None:
    book, rows, _ = opened(path)
    altered(path, FOREIGN[what])
    assert opened(path) == (book, rows, rows)


def test_verify_names_a_checkpoint_that_is_whole_and_wrong(copied: Inside) -> None:
    store = SqliteStore.writing(copied.state / "paper.db", "digest")
    store.remember(code_digest(), to_text(Book()))
    store.close()
    done = copied("decisions", "verify", "--state", copied.state)
    assert done.code == 61 and "the checkpoint is not as it was written" in done.err


def test_whatever_a_fold_depends_on_is_in_the_digest_of_its_code() -> None:
    left, seen = ["ledger/fold.py", "ledger/checkpoint.py"], set[str]()
    while left:
        place = left.pop()
        if place in seen:
            continue
        seen.add(place)
        for one in imports(parsed(place, (ROOT / place).read_text()).tree):
            parts = one.target.removeprefix("trader_core.").split(".")
            files = ("/".join(parts[:n]) + ".py" for n in (len(parts), len(parts) - 1))
            left += [file for file in files if (ROOT / file).is_file()]
    assert seen == set(FOLDING)
