"""What the market showed: closed candles and the top of the book."""

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs

MARK_BARS = 96  # a last price older than so many base bars is no price any more


class Candles(Struct, frozen=True):
    """Closed bars of one instrument, oldest first; five parallel columns of int64 (any integer buffer).

    `open_ms` is the bar's opening time, prices are in ticks, `volume` in lots. A bar that the venue did
    not send is absent: nothing is filled in.
    """

    open_ms: Sequence[int]
    open: Sequence[int]
    high: Sequence[int]
    low: Sequence[int]
    close: Sequence[int]
    volume: Sequence[int]


NO_CANDLES = Candles((), (), (), (), (), ())


class TopOfBook(Struct, frozen=True):
    """Best bid and ask in quote, stamped with the venue's own time. `depth` is what rests within 20 bps of their
    middle, both sides together, in quote."""

    bid: Decimal
    ask: Decimal
    depth: Decimal
    at_ms: EpochMs
