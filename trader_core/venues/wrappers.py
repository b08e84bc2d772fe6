"""Views of a venue that can do less than the venue."""

from collections.abc import Sequence

from trader_core.domain.account import BalancePage
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles, TopOfBook
from trader_core.domain.order import OrderReport
from trader_core.ports import VenueReader


class ReadOnly:
    """A VenueReader and nothing else: there is no method to send with."""

    def __init__(self, venue: VenueReader) -> None:
        self._venue = venue

    def instruments(self) -> tuple[Instrument, ...]:
        return self._venue.instruments()

    def exclusions(self) -> tuple[Exclusion, ...]:
        return self._venue.exclusions()

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        return self._venue.candles(symbol, since_ms, until_ms)

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        return self._venue.quotes(symbols)

    def balances(self, cursor: str) -> BalancePage:
        return self._venue.balances(cursor)

    def fills(self, cursor: str) -> tuple[Filled, ...]:
        return self._venue.fills(cursor)

    def flows(self, cursor: str) -> tuple[CashFlow, ...]:
        return self._venue.flows(cursor)

    def orders(self, client_order_ids: Sequence[str]) -> dict[str, OrderReport]:
        return self._venue.orders(client_order_ids)
