"""Coinbase's bytes to values, or VenuePayload with the place in the answer that cannot be read. Pure.

Nothing is guessed: a missing amount is no zero, a missing flag no False. Keys we do not know are ignored, words we do
not know become UNKNOWN.
"""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NoReturn, TypeVar

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.credentials import KeyPermissions
from trader_core.domain.errors import VenuePayload
from trader_core.domain.fill import Side
from trader_core.domain.market import TopOfBook
from trader_core.domain.money import EXACT, Base, Quote
from trader_core.net.redaction import redact
from trader_core.venues.coinbase.words import (
    Accepted,
    Account,
    AccountPage,
    CancelAnswer,
    CandleRow,
    Complaint,
    CreateAnswer,
    Excluded,
    FeeTier,
    FillPage,
    FillRow,
    Level,
    Liquidity,
    OrderPage,
    OrderShape,
    Pricebook,
    ProductListing,
    ProductPage,
    ProductStatus,
    ProductType,
    Refused,
    ServerTime,
    Shape,
    Status,
    StrangeFill,
    TradeType,
    Unreadable,
    VenueOrder,
    Wallet,
    reason_of,
    says_nothing,
)

Read = TypeVar("Read")
ZERO = Decimal(0)
LARGEST = Decimal(10) ** 18  # no amount reaches it
TEXT_MAX = 4_096  # of one text
TOLD_MAX = 200  # of what is repeated to a person
REDACTED_MAX = 65_536  # of what is looked through for secrets
FEE_MAX = Decimal("0.1")
NEAR = Decimal("0.002")  # depth counts within 20 bps of the middle
_AMOUNT = re.compile(r"-?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?")
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 1970, 2199
_TAG = re.compile(r"<[^>]{0,2000}>")


class Node(Struct, frozen=True):
    """A place in the answer and what stands there. What it is asked for it has, or it raises VenuePayload."""

    value: Any
    where: str

    def wrong(self, what: str) -> NoReturn:
        raise VenuePayload(what, self.where)

    def __getitem__(self, name: str) -> "Node":
        """A field that must be there."""
        found = self.find(name)
        return Node(None, f"{self.where}.{name}") if found is None else found

    def find(self, name: str) -> "Node | None":
        """A field that may be missing, null or empty."""
        if not isinstance(self.value, dict):
            self.wrong("an object must stand here")
        value = self.value.get(name)
        return None if value is None or value == "" else Node(value, f"{self.where}.{name}")

    def rows(self) -> Iterator["Node"]:
        if not isinstance(self.value, list):
            self.wrong("a list must stand here")
        return (Node(value, f"{self.where}[{index}]") for index, value in enumerate(self.value))

    def text(self) -> str:
        """Printable text, as ids and words are."""
        if not isinstance(self.value, str) or len(self.value) > TEXT_MAX or not self.value.isprintable():
            self.wrong("plain text must stand here")
        return self.value

    def flag(self) -> bool:
        if not isinstance(self.value, bool):
            self.wrong("true or false must stand here")
        return self.value

    def amount(self) -> Decimal:
        """A finite decimal below 10^18 on either side of zero, from a string or, as in some answers, a number."""
        written = self.value
        if isinstance(written, Decimal) or (isinstance(written, int) and not isinstance(written, bool)):
            written = str(written)
        if not isinstance(written, str) or not _AMOUNT.fullmatch(written):
            self.wrong("an amount must stand here")
        amount = Decimal(written)
        if not -LARGEST < amount < LARGEST:
            self.wrong("no amount is that large")
        return amount

    def above_zero(self) -> Decimal:
        amount = self.amount()
        return amount if amount > 0 else self.wrong("it must be above zero")

    def not_below_zero(self) -> Decimal:
        amount = self.amount()
        return amount if amount >= 0 else self.wrong("it must not be below zero")

    def count(self) -> int:
        """A whole number, in a string or not."""
        amount = self.not_below_zero()
        return int(amount) if amount == amount.to_integral_value() else self.wrong("a whole number must stand here")

    def time(self) -> EpochMs:
        """RFC 3339 in UTC, with nothing to nine digits behind the second; what is below a millisecond is cut off."""
        match = _TIME.fullmatch(self.text())
        if match is None or not _FIRST_YEAR <= int(match[1]) <= _LAST_YEAR:
            self.wrong("a time must stand here")
        year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
        try:
            moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except ValueError:
            self.wrong("there is no such time")
        return EpochMs((moment - _EPOCH) // timedelta(milliseconds=1) + int((match[7] or "").ljust(3, "0")[:3]))


def _text(node: Node | None) -> str:
    return "" if node is None else node.text()


def _told(node: Node | None) -> str:
    """Free text for a person: cut, and without what would garble a terminal or a log."""
    value = None if node is None else node.value
    return _clean(value) if isinstance(value, str) else ""


def _clean(text: str) -> str:
    """Redacted before it is cut: half a secret is one too."""
    plain = "".join(one if one.isprintable() else " " for one in redact(text[:REDACTED_MAX])[: 10 * TOLD_MAX])
    return " ".join(plain.split())[:TOLD_MAX]


def _amount(node: Node | None) -> Decimal | None:
    return None if node is None else node.amount()


def _flag(node: Node | None) -> bool:
    """A flag that the venue leaves out where it does not apply."""
    return False if node is None else node.flag()


# --- the document ----------------------------------------------------------------------------------------------------


def document(body: bytes) -> Node:
    """The answer as JSON; numbers stay exact, and what JSON leaves open is an error."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_float=_exact,
            parse_int=_exact,
            parse_constant=_no_constant,
            object_pairs_hook=_no_duplicates,
        )
    except RecursionError:
        raise VenuePayload("it is nested too deeply", "$") from None
    except ValueError as wrong:
        raise VenuePayload(f"it is no JSON ({_clean(str(wrong))})", "$") from None
    return Node(value, "$")


def _exact(digits: str) -> Decimal:
    if not _AMOUNT.fullmatch(digits):
        raise ValueError("a number beyond all bounds")
    return Decimal(digits)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands there twice")
    return found


# --- public ----------------------------------------------------------------------------------------------------------


def server_time(body: bytes) -> ServerTime:
    """It is told twice, once in seconds, cut or rounded; what differs by more is no time, and a decision by it would
    stand for ever."""
    found = document(body)
    millis, seconds = found["epochMillis"], found.find("epochSeconds")
    if seconds is not None and abs(1_000 * seconds.count() - millis.count()) > 1_000:
        millis.wrong("it is another time than epochSeconds")
    return ServerTime(EpochMs(millis.count()))


def products(body: bytes) -> ProductPage:
    """Every product. One that cannot be read is excluded by name; it does not take the others with it."""
    listings: list[ProductListing] = []
    excluded: list[Excluded] = []
    for row in document(body)["products"].rows():
        try:
            listings.append(_listing(row))
        except VenuePayload as unreadable:
            excluded.append(Excluded(_name(row), unreadable.what))
    return ProductPage(tuple(listings), tuple(excluded))


def product(body: bytes) -> ProductListing:
    return _listing(document(body))


def _name(row: Node) -> str:
    name = row.value.get("product_id") if isinstance(row.value, dict) else None
    return _clean(name) if isinstance(name, str) else ""


def _listing(row: Node) -> ProductListing:
    return ProductListing(
        product_id=row["product_id"].text(),
        base=row["base_currency_id"].text(),
        quote=row["quote_currency_id"].text(),
        kind=ProductType.of(_text(row.find("product_type"))),
        status=ProductStatus.of(_text(row.find("status"))),
        price_increment=row["price_increment"].above_zero(),
        base_increment=row["base_increment"].above_zero(),
        quote_increment=row["quote_increment"].above_zero(),
        base_min=row["base_min_size"].not_below_zero(),
        base_max=row["base_max_size"].not_below_zero(),
        quote_min=row["quote_min_size"].not_below_zero(),
        quote_max=row["quote_max_size"].not_below_zero(),
        price=_amount(row.find("price")),
        volume_24h=_amount(row.find("volume_24h")),
        quote_volume_24h=_amount(row.find("approximate_quote_24h_volume")),
        alias=_text(row.find("alias")),
        alias_to=tuple(one.text() for one in row["alias_to"].rows()) if row.find("alias_to") else (),
        is_disabled=row["is_disabled"].flag(),
        trading_disabled=row["trading_disabled"].flag(),
        cancel_only=row["cancel_only"].flag(),
        limit_only=row["limit_only"].flag(),
        post_only=row["post_only"].flag(),
        auction_mode=row["auction_mode"].flag(),
        view_only=_flag(row.find("view_only")),
    )


def book(body: bytes) -> Pricebook:
    row = document(body)["pricebook"]
    bids, asks = _levels(row["bids"]), _levels(row["asks"])
    return Pricebook(
        row["product_id"].text(),
        tuple(sorted(bids, key=lambda level: level.price, reverse=True)),
        tuple(sorted(asks, key=lambda level: level.price)),
        row["time"].time(),
    )


def _levels(side: Node) -> list[Level]:
    """A level of size zero is one that is gone."""
    levels = [Level(row["price"].above_zero(), row["size"].not_below_zero()) for row in side.rows()]
    return [level for level in levels if level.size]


def top_of(book: Pricebook) -> TopOfBook | None:
    """Best bid and ask, and what rests within 20 bps of their middle, both sides together, in quote. None where a side
    is empty or the sides cross: then nobody knows a price."""
    if not book.bids or not book.asks or book.bids[0].price >= book.asks[0].price:
        return None
    bid, ask = book.bids[0].price, book.asks[0].price
    middle = EXACT.divide(EXACT.add(bid, ask), Decimal(2))
    reach = EXACT.multiply(middle, NEAR)
    depth = Decimal(0)
    for level in (*book.bids, *book.asks):
        if EXACT.abs(EXACT.subtract(level.price, middle)) <= reach:
            depth = EXACT.add(depth, EXACT.multiply(level.price, level.size))
    return TopOfBook(bid, ask, depth, book.at_ms)


def candles(body: bytes) -> tuple[CandleRow, ...]:
    """Oldest first, whatever the venue's order. One bucket twice is an error unless both say the same."""
    found: dict[int, CandleRow] = {}
    for row in document(body)["candles"].rows():
        candle = _candle(row)
        if found.setdefault(candle.open_ms, candle) != candle:
            row.wrong("one bucket stands there twice, with different prices")
    return tuple(found[open_ms] for open_ms in sorted(found))


def _candle(row: Node) -> CandleRow:
    low, high = row["low"].above_zero(), row["high"].above_zero()
    opening, close = row["open"].above_zero(), row["close"].above_zero()
    if not low <= min(opening, close) <= max(opening, close) <= high:
        row.wrong("open and close must lie between low and high")
    started = EpochMs(row["start"].count() * 1_000)
    return CandleRow(started, opening, high, low, close, row["volume"].not_below_zero())


# --- the account -----------------------------------------------------------------------------------------------------


def permissions(body: bytes) -> KeyPermissions:
    found = document(body)
    return KeyPermissions(
        can_view=found["can_view"].flag(),
        can_trade=found["can_trade"].flag(),
        can_transfer=found["can_transfer"].flag(),
        portfolio_uuid=found["portfolio_uuid"].text(),
    )


def accounts(body: bytes) -> AccountPage:
    found = document(body)
    rows = tuple(_account(row) for row in found["accounts"].rows())
    return AccountPage(rows, _next_cursor(found))


def _account(row: Node) -> Account:
    kind = _text(row.find("type"))
    return Account(
        uuid=row["uuid"].text(),
        currency=row["currency"].text(),
        kind=Wallet.of(kind if kind.startswith("ACCOUNT_TYPE_") else f"ACCOUNT_TYPE_{kind}"),
        available=_balance(row, "available_balance").amount(),
        hold=_balance(row, "hold").not_below_zero(),
    )


def _balance(row: Node, name: str) -> Node:
    balance = row[name]
    if balance["currency"].text() != row["currency"].text():
        balance.wrong("it is in another currency than its account")
    return balance["value"]


def fee_tier(body: bytes) -> FeeTier:
    tier = document(body)["fee_tier"]
    return FeeTier(_told(tier.find("pricing_tier")), _rate(tier["maker_fee_rate"]), _rate(tier["taker_fee_rate"]))


def _rate(node: Node) -> Decimal:
    rate = node.not_below_zero()
    return rate if rate < FEE_MAX else node.wrong("a fee of a tenth or more is no fee")


def _next_cursor(found: Node) -> str:
    """Empty on the last page. The venue's cursor may be there all the same: only has_next counts."""
    return found["cursor"].text() if found["has_next"].flag() else ""


# --- orders and fills ------------------------------------------------------------------------------------------------


def order(body: bytes, torn_too: bool = False) -> VenueOrder | None:
    """One order; None where the venue answers that there is none. Of one that is torn, what can be read is taken only
    where that is asked for."""
    found = document(body)
    if isinstance(found.value, dict) and "order" in found.value and found.value["order"] is None:
        return None
    return _order(found["order"], torn_too)


def orders(body: bytes, torn_too: bool = False) -> OrderPage:
    found = document(body)
    return OrderPage(tuple(_order(row, torn_too) for row in found["orders"].rows()), _next_cursor(found))


def _order(row: Node, torn_too: bool) -> VenueOrder:
    torn: list[str] = []

    def read(name: str, what: Callable[[], Read], nothing: Read) -> Read:
        try:
            return what()
        except VenuePayload:
            if not torn_too:
                raise
            torn.append(name)
            return nothing

    last = row.find("last_fill_time")
    return VenueOrder(
        order_id=read("order_id", lambda: row["order_id"].text(), ""),
        client_order_id=read("client_order_id", lambda: _text(row.find("client_order_id")), ""),
        product_id=read("product_id", lambda: row["product_id"].text(), ""),
        side=read("side", lambda: _side(row["side"].text()), None),
        status=read("status", lambda: Status.of(row["status"].text()), Status.UNKNOWN),
        status_word=_told(row.find("status")),
        shape=read("order_configuration", lambda: _shape(row.find("order_configuration")), OrderShape(Shape.UNKNOWN)),
        filled_size=read("filled_size", lambda: Base(row["filled_size"].not_below_zero()), Base(ZERO)),
        filled_value=read("filled_value", lambda: Quote(row["filled_value"].not_below_zero()), Quote(ZERO)),
        total_fees=read("total_fees", lambda: Quote(row["total_fees"].not_below_zero()), Quote(ZERO)),
        number_of_fills=read("number_of_fills", lambda: row["number_of_fills"].count(), 0),
        created_ms=read("created_time", lambda: row["created_time"].time(), EpochMs(0)),
        last_fill_ms=None if last is None else read("last_fill_time", last.time, EpochMs(0)),
        settled=read("settled", lambda: row["settled"].flag(), False),
        pending_cancel=read("pending_cancel", lambda: _flag(row.find("pending_cancel")), False),
        reject_reason=_reason(row.find("reject_reason")),
        message=_told(row.find("reject_message")) or _told(row.find("cancel_message")),
        torn=tuple(torn),
    )


def _reason(node: Node | None) -> str:
    """Empty where there is none, which the venue has a word for."""
    told = _told(node)
    return "" if told.endswith("_UNSPECIFIED") else told


def _side(word: str) -> Side | None:
    try:
        return Side(word)
    except ValueError:
        return None


def _shape(row: Node | None) -> OrderShape:
    """How it was configured; UNKNOWN where the venue does not say in exactly one way."""
    if row is None or not isinstance(row.value, dict) or len(row.value) != 1:
        return OrderShape(Shape.UNKNOWN)
    (name,) = row.value
    fields, kind = row[name], Shape.of(name)
    if kind is Shape.UNKNOWN or not isinstance(fields.value, dict):
        return OrderShape(Shape.UNKNOWN)
    base, quote = fields.find("base_size"), fields.find("quote_size")
    limit, stop = fields.find("limit_price"), fields.find("stop_price") or fields.find("stop_trigger_price")
    return OrderShape(
        kind,
        None if base is None else Base(base.not_below_zero()),
        None if quote is None else Quote(quote.not_below_zero()),
        None if limit is None else limit.not_below_zero(),
        None if stop is None else stop.not_below_zero(),
        _flag(fields.find("post_only")),
    )


def fills(body: bytes) -> FillPage:
    """Plain fills apart from rows that are something else; neither is ever dropped."""
    found = document(body)
    rows = [_fill(row) for row in found["fills"].rows()]
    return FillPage(
        tuple(row for row in rows if isinstance(row, FillRow)),
        tuple(row for row in rows if isinstance(row, StrangeFill)),
        len(rows),
        _text(found.find("cursor")),
    )


def _fill(row: Node) -> FillRow | StrangeFill:
    order_id, product_id = row["order_id"].text(), row["product_id"].text()
    trade_id = row["trade_id"].text()
    entry_id = _text(row.find("entry_id")) or f"{order_id}/{trade_id}"
    kind, side = row["trade_type"].text(), _side(row["side"].text())
    if side is None or TradeType.of(kind) is not TradeType.FILL:
        return StrangeFill(entry_id, order_id, product_id, _clean(f"{kind} {row['side'].text()}"))
    price, size = row["price"].above_zero(), row["size"].above_zero()
    quantity = EXACT.divide(size, price) if row["size_in_quote"].flag() else size
    value = size if row["size_in_quote"].flag() else EXACT.multiply(size, price)
    if not quantity > 0:
        row["size"].wrong("it buys nothing")
    return FillRow(
        entry_id,
        trade_id,
        order_id,
        product_id,
        side,
        price,
        Base(quantity),
        Quote(value),
        Quote(row["commission"].not_below_zero()),
        row["trade_time"].time(),
        Liquidity.of(_text(row.find("liquidity_indicator"))),
    )


# --- answers to what we send -----------------------------------------------------------------------------------------


def created(body: bytes) -> CreateAnswer:
    """Yes with an order id, or a definite no, or neither. Only `success` decides: a reason may stand beside a yes."""
    try:
        return _created(document(body))
    except VenuePayload as unreadable:
        return Unreadable(unreadable.what)


def _created(found: Node) -> CreateAnswer:
    accepted, yes = found["success"].flag(), found.find("success_response")
    order_id = _text(yes.find("order_id")) if yes else ""
    if accepted and yes is not None:
        told, where = _text(yes.find("client_order_id")), _text(yes.find("product_id"))
        return Accepted(yes["order_id"].text(), told, where)
    if accepted or order_id:
        return Unreadable("it says yes and no at once")
    return _refused(found.find("error_response"), _told(found.find("failure_reason")))


def _refused(row: Node | None, fallback: str) -> Refused:
    """The first reason that says something."""
    if row is None or not isinstance(row.value, dict):
        return Refused(reason_of(fallback), fallback, "")
    names = ("new_order_failure_reason", "preview_failure_reason", "error")
    words = [_told(row.find(name)) for name in names] + [fallback]
    word = next((one for one in words if one and not says_nothing(one)), next(filter(None, words), ""))
    return Refused(reason_of(word), word, _told(row.find("message")) or _told(row.find("error_details")))


def cancelled(body: bytes) -> tuple[CancelAnswer, ...]:
    return tuple(
        CancelAnswer(row["order_id"].text(), row["success"].flag(), _told(row.find("failure_reason")))
        for row in document(body)["results"].rows()
    )


def complaint(body: bytes) -> Complaint:
    """What an answer that is no 200 says: one of the JSON envelopes, plain text, or a page from the edge."""
    plain = Complaint("", _clean(_TAG.sub(" ", body[:REDACTED_MAX].decode("utf-8", "replace"))))
    try:
        value = document(body).value
    except VenuePayload:
        return plain
    if isinstance(value, dict) and isinstance(value.get("errors"), list) and value["errors"]:
        value = value["errors"][0]
    if not isinstance(value, dict):
        return plain
    texts = {name: _clean(text) for name, text in value.items() if isinstance(text, str)}
    word = texts.get("error") or texts.get("id") or ""
    return Complaint(word, texts.get("message") or texts.get("error_details") or "")
