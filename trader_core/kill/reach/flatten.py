"""Sell what is ours and not one coin more: limit orders that take at once what is bid within a band.

Each is written down before it leaves. One whose fate is not known is looked for before anything else is sold of that
product, and its bytes are sent again at most once, under the same id.
"""

from collections.abc import Mapping
from contextlib import suppress
from decimal import ROUND_FLOOR, Decimal
from functools import partial
from itertools import count
from pathlib import Path
from threading import Lock
from time import monotonic, sleep
from typing import NoReturn

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import OutcomeUnknown, TooManyPages, TraderError, Unreachable
from trader_core.domain.fill import Side
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.instrument import base_of
from trader_core.domain.money import EXACT, Base, plain, quantise_up
from trader_core.domain.values import replace
from trader_core.kill.reach.insist import OutOfTime, beside, insist
from trader_core.kill.reach.ledger import OVERLAP_MS
from trader_core.kill.run import Progress
from trader_core.kill.sales import Sale, record_sale
from trader_core.net.breaker import Direction
from trader_core.ops.clock import host_ms
from trader_core.ports import PAGES_MAX
from trader_core.venues.coinbase.bodies import BaseSize, LimitIoc, order_body
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.words import Accepted, ProductListing, Reason, Refused, VenueOrder

BAND_BPS = 200  # below the best bid; nothing is sold for less
LEVELS = 100  # of the book
SLICES_MAX = 12
PAUSE_S = 0.25


class Unsold(TraderError):
    """What is left of a position, and why."""


class NotFree(Unsold):
    """Something holds the coins: an order that came to rest meanwhile."""


class Flattening:
    """One kill's sales. `until_s` is on the monotonic clock."""

    def __init__(self, client: CoinbaseClient, state: Path, progress: Progress, until_s: float) -> None:
        self._client, self._state, self._progress, self._until_s = client, state, progress, until_s
        self.unsold, self.not_free, self.unwritten = list[str](), False, False
        self._id_of, self._numbers, self._lock = OrderIdsOf(f"kill-{host_ms()}"), count(1), Lock()

    def run(self, held: Mapping[str, Decimal], in_part: bool = False) -> None:
        """All positions beside each other, one that is not free as a whole only where it may be sold `in_part`. What
        stays unsold stands in `unsold`."""
        if not held:
            self._progress.notes.append("no position is held")
            return
        free = insist(self._available, self._until_s)
        beside([partial(self._sold, symbol, quantity, free, in_part) for symbol, quantity in held.items()])

    def _available(self) -> dict[str, Decimal]:
        found: dict[str, Decimal] = {}
        cursor = ""
        for _ in range(PAGES_MAX):
            page = self._client.accounts(cursor)
            for one in page.accounts:
                found[one.currency] = found.get(one.currency, Decimal(0)) + one.available
            if not page.next_cursor or page.next_cursor == cursor:
                return found
            cursor = page.next_cursor
        raise TooManyPages(f"accounts did not end after {PAGES_MAX} pages")

    def _sold(self, symbol: str, quantity: Decimal, free: Mapping[str, Decimal], in_part: bool) -> None:
        """One position. A failure is of this one alone."""
        part = min(quantity, free.get(base_of(symbol), Decimal(0)))
        left, missing = [part], quantity - part
        try:
            if not missing or (in_part and part > 0):
                self._sell(symbol, left)
            if missing > 0:
                raise NotFree(f"the account had only {plain(part)} of it free")
        except TraderError as failed:
            self.not_free |= isinstance(failed, NotFree)
            self.unsold.append(f"{plain(left[0] + missing)} {symbol} not sold: {failed.what}")

    def _sell(self, symbol: str, left: list[Decimal]) -> None:
        """Slice by slice, until what is left is dust. Raises TraderError."""
        listing = insist(partial(self._client.product, symbol), self._until_s)
        if listing.why_closed:
            raise Unsold(listing.why_closed)
        for _ in range(SLICES_MAX):
            book = insist(partial(self._client.book, symbol, LEVELS), self._until_s)
            if not book.bids:
                raise Unsold("nobody bids")
            if _is_dust(left[0], listing, book.bids[0].price):
                self._dust(symbol, left[0])
                return
            limit = quantise_up(book.bids[0].price * (10_000 - BAND_BPS) / 10_000, listing.price_increment)
            depth = sum((one.size for one in book.bids if one.price >= limit), Decimal(0))
            size = _floor(min(left[0], depth, listing.base_max), listing.base_increment)
            if size >= listing.base_min and size * limit >= listing.quote_min:
                left[0] -= self._slice(symbol, size, limit)
            elif left[0] <= depth:
                self._dust(symbol, left[0])
                return
            sleep(max(0.0, min(PAUSE_S, self._until_s - monotonic())))
        raise Unsold(f"not within {SLICES_MAX} orders at most {BAND_BPS} bps below the bid")

    def _dust(self, symbol: str, left: Decimal) -> None:
        if left > 0:
            self._progress.notes.append(f"dust: {plain(left)} {symbol} is less than the venue trades")

    def _slice(self, symbol: str, size: Decimal, limit: Decimal) -> Decimal:
        """Send one order and return what it sold, once that is final. Raises TraderError."""
        with self._lock:
            identity = self._id_of(next(self._numbers), 0)
        spec = LimitIoc(BaseSize(Base(size)), limit)
        body, sent_ms = order_body(identity, symbol, Side.SELL, spec), host_ms()
        sale = Sale(identity, symbol, plain(size), plain(limit), body.decode(), sent_ms)
        try:
            record_sale(self._state, sale)
        except OSError as full:
            self.unwritten = True
            self._progress.problems.append(f"the sale {identity} is not written down: {full.strerror}")
        order = self._final(self._placed(sale, body, EpochMs(self._client.venue_ms() - OVERLAP_MS)))
        value = "" if "filled_value" in order.torn else plain(order.filled_value)
        self._progress.sold.append(
            {"product": symbol, "quantity": plain(order.filled_size), "value": value,
             "order_id": order.order_id, "client_order_id": identity}
        )  # fmt: skip
        return Decimal(order.filled_size)

    def _placed(self, sale: Sale, body: bytes, since_ms: EpochMs) -> str:
        """The venue's id of the order. What surely was not accepted is sent again; what may have been, once. That the
        second one is refused says nothing of the first."""
        lost = False
        while monotonic() < self._until_s:
            try:
                answer = self._client.create(body, Direction.EXITS)
            except Unreachable:
                sleep(PAUSE_S)
                continue
            except OutcomeUnknown:
                found = self._found(sale.client_order_id, since_ms)
                if found:
                    return found
                if lost:
                    raise
                lost = True
                continue
            if isinstance(answer, Accepted):
                return answer.order_id
            if answer.reason is not Reason.RATE:  # too many requests alone are worth another try
                if lost or answer.reason is Reason.DUPLICATE:
                    return self._shown(sale.client_order_id, since_ms)
                self._refused(sale, answer)
            sleep(PAUSE_S)
        raise OutOfTime("the order was not accepted in time")

    def _refused(self, sale: Sale, answer: Refused) -> NoReturn:
        """Written down, but for the venue's own failure: nobody has to wait until that sale can turn up no more. Raises
        Unsold."""
        if answer.reason is not Reason.VENUE:
            with suppress(OSError):
                record_sale(self._state, replace(sale, refused=True))
        raise (NotFree if answer.reason is Reason.FUNDS else Unsold)(f"refused: {answer.word} {answer.message}")

    def _shown(self, identity: str, since_ms: EpochMs) -> str:
        """The venue's id of an order that it may have: a list lags. Raises OutOfTime."""
        while monotonic() < self._until_s:
            if found := self._found(identity, since_ms):
                return found
            sleep(PAUSE_S)
        raise OutOfTime(f"the fate of {identity} is not known")

    def _found(self, identity: str, since_ms: EpochMs) -> str:
        listed = insist(partial(self._client.orders_since, since_ms), self._until_s)
        return next((one.order_id for one in listed if one.client_order_id == identity), "")

    def _final(self, order_id: str) -> VenueOrder:
        """The order when nothing can change it any more. Raises OutOfTime, or Unsold where its fills cannot be read."""
        while monotonic() < self._until_s:
            order = insist(partial(self._client.order, order_id), self._until_s)
            if order is not None and order.is_over:
                if "filled_size" in order.torn:
                    raise Unsold(f"nobody can say what order {order_id} has sold")
                return order
            sleep(PAUSE_S)
        raise OutOfTime(f"the fate of order {order_id} is not known")


def _floor(amount: Decimal, step: Decimal) -> Decimal:
    return EXACT.multiply(EXACT.divide(amount, step).to_integral_value(ROUND_FLOOR), step)


def _is_dust(left: Decimal, listing: ProductListing, bid: Decimal) -> bool:
    """Less than the venue trades, even at the best bid."""
    size = _floor(left, listing.base_increment)
    return size < listing.base_min or size * bid < listing.quote_min or size <= 0
