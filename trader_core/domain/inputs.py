"""What `decide` was given, as it is written down beside its decision: enough to give it the very same again.

The book is not in it: it is the fold of the journal's first `after` rows. Candles, instruments, exclusions and settings
are written once, when they are new or other than before; a record names them by their digests.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import NamedTuple
from zlib import compress, crc32, decompress

from msgspec import Struct

from trader_core.domain.account import Fees
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.codec import from_json, to_json
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import TopOfBook
from trader_core.domain.money import Base
from trader_core.domain.objection import Objection

GONE = -1  # as a volume: the bar that was told of before is not there any more


class Bar(NamedTuple):
    """One candle in ticks and lots of its instrument."""

    symbol: str
    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int

    @property
    def check(self) -> int:
        """Finds the row that was changed by accident; the batch's digest finds that one was changed at all."""
        return check_of(line_of(self))


def line_of(cells: Iterable[str | int]) -> str:
    """One candle as its check and its record's digest read it."""
    return "|".join(map(str, cells))


def check_of(line: str) -> int:
    """CRC-32 of a candle's line."""
    return crc32(line.encode())


class Inputs(Struct, frozen=True):
    """One cycle's snapshot in short. Quotes stand in the order of the instruments; None: nobody quoted it."""

    after: int  # rows of the journal that the book was folded from
    decision_ms: EpochMs
    seen_ms: EpochMs
    first_ms: EpochMs  # the window: so many rows of so many milliseconds from here
    rows: int
    bar_ms: int
    instruments: str  # digest of a document, as the next two
    exclusions: str
    policy: str
    bars: str  # digest of the candles that were new to this record
    quotes: tuple[TopOfBook | None, ...]
    frozen: tuple[str, ...]
    foreign: tuple[tuple[str, Base], ...]
    problem: str
    fees: Fees | None
    objections: tuple[Objection, ...]
    closing: tuple[str, ...]
    policy_ms: int = 0  # age of the policy
    days: str = ""  # digest of a document; empty where no close of a day before the window is told
    unread: tuple[str, ...] = ()  # symbols of which not one candle was there, whatever is told of them


class Listing(Struct, frozen=True):
    """The document of what is traded."""

    instruments: tuple[Instrument, ...]


class DayCloses(Struct, frozen=True):
    """The document of closes in ticks before the window: by UTC day from that one on, in the order of instruments."""

    first: int
    closes: tuple[tuple[int, ...], ...]


class Excluding(Struct, frozen=True):
    """The document of what is not, and why."""

    exclusions: tuple[Exclusion, ...]


class Taken(Struct, frozen=True):
    """A record ready to be written: its bytes, and what it tells for the first time."""

    body: bytes
    bars: tuple[Bar, ...]
    documents: Mapping[str, str]  # by digest

    @property
    def digest(self) -> str:
        return digest_of(self.body)


def packed(inputs: Inputs) -> bytes:
    """As stored: canonical JSON, made small."""
    return compress(to_json(inputs).encode(), 9)


def unpacked(body: bytes) -> Inputs:
    """What `packed` made. Raises ValueError, zlib's error among them, on anything else."""
    return from_json(Inputs, decompress(body).decode())


def digest_of(body: bytes | str) -> str:
    """SHA-256 in hex of what is stored."""
    return sha256(body if isinstance(body, bytes) else body.encode()).hexdigest()


def digest_of_bars(bars: Iterable[Bar]) -> str:
    """Of one record's candles, in the order of symbols and times."""
    return digest_of_lines(map(line_of, sorted(bars)))


def digest_of_lines(lines: Iterable[str]) -> str:
    """The same, of candles that are lines in that order already."""
    return digest_of("\n".join(lines))
