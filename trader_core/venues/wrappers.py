"""Views of a venue that can do less than the venue."""

from collections.abc import Sequence

from trader_core.domain.account import BalancePage, Fees
from trader_core.domain.errors import Unreachable
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles, TopOfBook
from trader_core.domain.order import ApprovedOrder, Order, OrderReport
from trader_core.ports import VenueReader, VenueTrader


class ReadOnly:
    """A VenueReader and nothing else: there is no method to send with."""

    def __init__(self, venue: VenueReader) -> None:
        self._venue = venue

    def instruments(self) -> tuple[Instrument, ...]:
        return self._venue.instruments()

    def exclusions(self) -> tuple[Exclusion, ...]:
        return self._venue.exclusions()

    def knows(self, symbol: str) -> bool:
        return self._venue.knows(symbol)

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        return self._venue.candles(symbol, since_ms, until_ms)

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        return self._venue.day_closes(symbol, days)

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        return self._venue.quotes(symbols)

    def balances(self, cursor: str) -> BalancePage:
        return self._venue.balances(cursor)

    def fills(self, cursor: str) -> tuple[Filled, ...]:
        return self._venue.fills(cursor)

    def flows(self, cursor: str) -> tuple[CashFlow, ...]:
        return self._venue.flows(cursor)

    def orders(self, asked: Sequence[Order]) -> dict[str, OrderReport]:
        return self._venue.orders(asked)

    def marked(self) -> tuple[OrderReport, ...]:
        return self._venue.marked()

    def oddities(self) -> tuple[str, ...]:
        return self._venue.oddities()

    def fees(self) -> Fees | None:
        return self._venue.fees()

    def frozen(self) -> frozenset[str]:
        return self._venue.frozen()

    def read_account(self, asked: Sequence[Order], fill_cursor: str) -> None:
        self._venue.read_account(asked, fill_cursor)

    def read_markets(self, symbols: Sequence[str], since_ms: int, until_ms: int, days: range) -> None:
        self._venue.read_markets(symbols, since_ms, until_ms, days)


class Mute:
    """A VenueTrader that can write an order down and send nothing."""

    def __init__(self, venue: VenueTrader) -> None:
        self._venue = venue

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return self._venue.payload(client_order_id, order)

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        raise Unreachable("this is a preview: nothing is sent")

    def cancel(self, order: Order) -> OrderReport:
        raise Unreachable("this is a preview: nothing is sent")
