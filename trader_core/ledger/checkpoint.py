"""The book as text, so that opening a state does not fold a year of journal. It is a cache and nothing else.

A text is good for the code that wrote it: any change of what folds, or of what is folded, makes it a stranger.
"""

from functools import cache
from hashlib import sha256
from pkgutil import get_data

from trader_core.domain.book import Book
from trader_core.domain.codec import from_json, to_json

EVERY = 256  # cycles between two of them
FOLDING = (
    "domain/book.py", "domain/clocktime.py", "domain/codec.py", "domain/decision.py",
    "domain/errors.py", "domain/facts.py", "domain/fill.py", "domain/halt.py", "domain/instrument.py",
    "domain/money.py", "domain/order.py", "domain/values.py", "ledger/checkpoint.py", "ledger/fold.py",
)  # fmt: skip


@cache
def code_digest() -> str:
    """Of everything that a fold depends on."""
    return sha256(b"".join(get_data("trader_core", name) or b"" for name in FOLDING)).hexdigest()


def to_text(book: Book) -> str:
    return to_json(book)


def from_text(text: str) -> Book:
    """What `to_text` wrote. Raises ValueError, KeyError or TypeError on anything else."""
    return from_json(Book, text)
