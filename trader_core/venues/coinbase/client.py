"""Coinbase Advanced Trade, call by call: sign, send, parse. Nothing is decided here.

What reads is repeated where that helps; what creates is sent once. A reading call that gets no answer raises
VenueUnavailable. A sending call raises Unreachable where nothing left, and Lost where nobody knows. Without a key only
the public calls work, by their public twins, and nothing is ever signed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.credentials import KeyPermissions
from trader_core.domain.errors import (
    GateClosed,
    KeyRefused,
    KeyUnusable,
    Lost,
    RateLimited,
    TooManyPages,
    VenuePayload,
    VenueRefused,
    VenueUnavailable,
)
from trader_core.net.breaker import Direction
from trader_core.net.buckets import Rule, Urgency
from trader_core.net.hosts import may_sign, origin_of
from trader_core.ports import PAGES_MAX
from trader_core.venues.coinbase import bodies, parse
from trader_core.venues.coinbase.endpoints import endpoint_of
from trader_core.venues.coinbase.sign import ApiKey, token
from trader_core.venues.coinbase.words import (
    WAITING,
    Accepted,
    AccountPage,
    CancelAnswer,
    CandleRow,
    FeeTier,
    FillRow,
    Granularity,
    Pricebook,
    ProductListing,
    ProductPage,
    Reason,
    Refused,
    ServerTime,
    StrangeFill,
    Unreadable,
    VenueOrder,
    reason_of,
)

if TYPE_CHECKING:
    from trader_core.net.session import Answer, Http

OFFICIAL = "https://api.coinbase.com"
PREFIX = "/api/v3/brokerage"
BUCKETS_MAX = 300  # candles in one call; the venue refuses 350
RULES: Mapping[str, Rule] = MappingProxyType({"private": Rule(rate=10, burst=30), "public": Rule(rate=5, burst=20)})
CLOSED_AFTER_S = 2  # a bucket is closed when its end is so long ago by the venue's clock
ACCOUNTS_LIMIT, ORDERS_LIMIT, FILLS_LIMIT = 250, 250, 100
NAMES_AT_ONCE = 50  # of orders in one query, which is 2.4 kB then
DATA, ACCOUNT, ORDERS = "coinbase data", "coinbase account", "coinbase orders"  # dependencies, each with its breakers
_NOT_EXECUTED = (400, 401, 403, 404, 429)  # an order answered with these was not accepted
_JSON = {"Content-Type": "application/json"}

Query = list[tuple[str, str]]
Row = TypeVar("Row", FillRow, StrangeFill)


class CoinbaseClient:
    """One account's view of the venue. Thread-safe. `offset_ms` is how far the venue's clock is ahead of ours.

    Raises GateClosed where a key would sign for another host than the venue's own or this machine.
    """

    def __init__(
        self, http: "Http", key: ApiKey | None, now_s: Callable[[], float], urgency: Urgency = Urgency.ROUTINE
    ) -> None:
        if key is not None and not may_sign(http.origin, origin_of(OFFICIAL)):
            raise GateClosed(
                f"nothing is signed for {http.origin}: it is neither {OFFICIAL} nor this machine",
                remedy="mend exchange.venue_url in app.yaml",
            )
        self._http, self._key, self._now_s, self._urgency = http, key, now_s, urgency
        self.offset_ms = 0
        self._knows_time = False

    def __repr__(self) -> str:
        return f"CoinbaseClient({self._http.origin}, {'with' if self._key else 'without'} a key)"

    @property
    def _torn_too(self) -> bool:
        """A kill cancels what it can; to everybody else what cannot be read of an order could be money."""
        return self._urgency is Urgency.KILL

    @property
    def has_key(self) -> bool:
        return self._key is not None

    # --- public ------------------------------------------------------------------------------------------------------

    def server_time(self) -> ServerTime:
        """The venue's clock; from now on tokens carry it. It was read in the middle of the round trip of the attempt
        that was answered: what was waited for before that one is no part of it."""
        left_s = self._now_s()

        def leaving() -> None:
            nonlocal left_s
            left_s = self._now_s()

        answer = self._read("/time", signed=False, direction=Direction.EXITS, leaving=leaving)
        found = parse.server_time(answer)
        self.offset_ms = round(found.at_ms - (left_s + self._now_s()) * 500)
        self._knows_time = True
        return found

    def know_time(self) -> None:
        """Ask the venue for its time, where nobody has asked yet."""
        if not self._knows_time:
            self.server_time()

    def venue_ms(self) -> EpochMs:
        """Now, by the venue's clock."""
        return EpochMs(round(self._now_s() * 1_000) + self.offset_ms)

    def products(self, product_ids: Sequence[str] = ()) -> ProductPage:
        """Every spot product, or these. With a key also which of them the account may only look at: the venue tells it
        where it is asked for, and else says that there is no such thing."""
        wanted = [("product_type", "SPOT"), *(("product_ids", one) for one in product_ids)]
        wanted += [("get_tradability_status", "true")] if self.has_key else []
        return parse.products(self._read_market("/products", wanted, direction=Direction.EXITS))

    def product(self, product_id: str) -> ProductListing:
        path = f"/products/{quote(product_id, safe='')}"
        return parse.product(self._read_market(path, direction=Direction.EXITS))

    def book(self, product_id: str, limit: int) -> Pricebook:
        query = [("product_id", product_id), ("limit", str(limit))]
        return parse.book(self._read_market("/product_book", query, direction=Direction.EXITS))

    def candles(
        self, product_id: str, granularity: Granularity, start_s: int, end_s: int, public: bool = False
    ) -> tuple[CandleRow, ...]:
        """Closed candles that open in [start_s, end_s), oldest first. Raises ValueError for more than one call has."""
        step = granularity.value
        if not 0 <= end_s - start_s <= BUCKETS_MAX * step:
            raise ValueError(f"{end_s - start_s} s of {granularity.name} candles in one call")
        query = [("start", str(start_s)), ("end", str(end_s)), ("granularity", granularity.name)]
        path = f"/products/{quote(product_id, safe='')}/candles"
        if public:
            rows = parse.candles(self._read(f"/market{path}", query, signed=False, direction=Direction.ENTRIES))
        else:
            rows = parse.candles(self._read_market(path, query))
        closed_ms = min(end_s * 1_000, self.venue_ms() - (step + CLOSED_AFTER_S) * 1_000 + 1)
        return tuple(row for row in rows if start_s * 1_000 <= row.open_ms < closed_ms)

    # --- the account -------------------------------------------------------------------------------------------------

    def permissions(self) -> KeyPermissions:
        return parse.permissions(self._read_account("/key_permissions"))

    def accounts(self, cursor: str = "") -> AccountPage:
        query = [("limit", str(ACCOUNTS_LIMIT)), *_cursor(cursor)]
        return parse.accounts(self._read_account("/accounts", query))

    def fee_tier(self) -> FeeTier:
        return parse.fee_tier(self._read_account("/transaction_summary", [("product_type", "SPOT")]))

    # --- orders ------------------------------------------------------------------------------------------------------

    def order(self, order_id: str) -> VenueOrder | None:
        """One order; None where the venue knows none of that id."""
        try:
            return parse.order(self._read_orders(f"/orders/historical/{quote(order_id, safe='')}"), self._torn_too)
        except VenueRefused as refused:
            if reason_of(refused.word) is Reason.GONE:
                return None
            raise

    def orders_open(self) -> tuple[VenueOrder, ...]:
        """What rests in the book. Orders on their way in or out are in `orders_waiting`: this list leaves them out."""
        return self._orders([("order_status", "OPEN")])

    def orders_waiting(self) -> tuple[VenueOrder, ...]:
        """Live orders that the list of open ones leaves out."""
        return self._orders([("order_status", str(status)) for status in WAITING])

    def orders_since(self, start_ms: EpochMs) -> tuple[VenueOrder, ...]:
        """Every order created from then on, whatever became of it. The list lags; an absent order may still exist."""
        return self._orders([("start_date", rfc3339(start_ms))])

    def orders_named(self, order_ids: Sequence[str]) -> tuple[VenueOrder, ...]:
        """Those of these orders that the list shows, whenever they were created."""
        parts = (order_ids[n : n + NAMES_AT_ONCE] for n in range(0, len(order_ids), NAMES_AT_ONCE))
        return tuple(one for part in parts for one in self._orders([("order_ids", name) for name in part]))

    def fills_since(self, start_ms: EpochMs) -> tuple[tuple[FillRow, ...], tuple[StrangeFill, ...]]:
        """Fills from then on, oldest first and each once, and the rows that are no plain fills."""
        return self._fills([("start_sequence_timestamp", rfc3339(start_ms))])

    def fills_of(self, order_ids: Sequence[str]) -> tuple[tuple[FillRow, ...], tuple[StrangeFill, ...]]:
        """The same of these orders, whenever they filled."""
        return self._fills([("order_ids", one) for one in order_ids])

    def create(self, body: bytes, direction: Direction) -> Accepted | Refused:
        """Send an order once. Raises Unreachable: it never left; Lost: it may be at work."""
        answer = self._send("POST", "/orders", body=body, dependency=ORDERS, direction=direction, well=_created_well)
        if answer.status in _NOT_EXECUTED:
            return _turned_away(answer)
        result = parse.created(answer.body) if answer.status == 200 else Unreadable(f"status {answer.status}")
        if isinstance(result, Unreadable):
            raise Lost(f"the answer to an order cannot be read: {result.why}")
        return result

    def cancel(self, order_ids: Sequence[str]) -> tuple[CancelAnswer, ...]:
        """Ask for the end of up to 100 orders; one answer for each, in the order asked. Raises Lost where it is unknown
        what the venue made of it; asking again is safe."""
        body = bodies.cancel_body(order_ids)
        answer = self._send(
            "POST", "/orders/batch_cancel", body=body, dependency=ORDERS, direction=Direction.EXITS, idempotent=True
        )
        if answer.status in _NOT_EXECUTED:
            turned = _turned_away(answer)
            return tuple(CancelAnswer(one, False, turned.word or turned.reason) for one in order_ids)
        try:
            found = {one.order_id: one for one in parse.cancelled(_body(answer))}
        except (VenuePayload, VenueRefused) as unreadable:
            raise Lost(f"the answer to a cancel cannot be read: {unreadable.what}") from None
        return tuple(found.get(one, CancelAnswer(one, False, "NO_ANSWER")) for one in order_ids)

    # --- the wire ----------------------------------------------------------------------------------------------------

    def _fills(self, asked: Query) -> tuple[tuple[FillRow, ...], tuple[StrangeFill, ...]]:
        fills: dict[str, FillRow] = {}
        strange: dict[str, StrangeFill] = {}
        cursor, seen = "", {""}
        for _ in range(PAGES_MAX):
            query = [*asked, ("limit", str(FILLS_LIMIT)), *_cursor(cursor)]
            page = parse.fills(self._read_orders("/orders/historical/fills", query))
            _merge(fills, page.fills)
            _merge(strange, page.strange)
            if page.rows < FILLS_LIMIT or not page.next_cursor:
                oldest_first = sorted(fills.values(), key=lambda row: (row.at_ms, row.entry_id))
                return tuple(oldest_first), tuple(strange.values())
            cursor = _next(page.next_cursor, seen)
        raise TooManyPages(f"fills did not end after {PAGES_MAX} pages")

    def _orders(self, query: Query) -> tuple[VenueOrder, ...]:
        """All pages, each order once: one that moves between two pages is taken as the later page shows it."""
        found: dict[str, VenueOrder] = {}
        cursor, seen = "", {""}
        for _ in range(PAGES_MAX):
            wanted = [*query, ("product_type", "SPOT"), ("limit", str(ORDERS_LIMIT)), *_cursor(cursor)]
            page = parse.orders(self._read_orders("/orders/historical/batch", wanted), self._torn_too)
            found.update((one.order_id, one) for one in page.orders)
            if not page.next_cursor:
                return tuple(found.values())
            cursor = _next(page.next_cursor, seen)
        raise TooManyPages(f"orders did not end after {PAGES_MAX} pages")

    def _read_market(
        self, path: str, query: Sequence[tuple[str, str]] = (), direction: Direction = Direction.ENTRIES
    ) -> bytes:
        """By the key, or without one by the public twin."""
        if self._key is None:
            return self._read(f"/market{path}", query, signed=False, direction=direction)
        return self._read(path, query, direction=direction)

    def _read_account(self, path: str, query: Sequence[tuple[str, str]] = ()) -> bytes:
        return self._read(path, query, dependency=ACCOUNT, direction=Direction.EXITS)

    def _read_orders(self, path: str, query: Sequence[tuple[str, str]] = ()) -> bytes:
        return self._read(path, query, dependency=ORDERS, direction=Direction.EXITS)

    def _read(
        self,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        dependency: str = DATA,
        direction: Direction,
        signed: bool = True,
        leaving: Callable[[], None] = lambda: None,
    ) -> bytes:
        try:
            answer = self._send(
                "GET", path, query, dependency=dependency, direction=direction, idempotent=True, signed=signed,
                leaving=leaving,
            )  # fmt: skip
        except Lost as lost:
            raise VenueUnavailable(lost.what) from None
        return _body(answer)

    def _send(
        self,
        method: str,
        path: str,
        query: Sequence[tuple[str, str]] = (),
        *,
        body: bytes = b"",
        dependency: str,
        direction: Direction,
        idempotent: bool = False,
        signed: bool = True,
        well: "Callable[[Answer], bool] | None" = None,
        leaving: Callable[[], None] = lambda: None,
    ) -> "Answer":
        """One call. A 401 means that nothing was executed: it is asked again once, by the venue's clock. `leaving` is
        called before every attempt."""
        if signed and self._key is None:
            raise KeyUnusable(f"{method} {path} needs a key", remedy="name one with COINBASE_API_KEY and _SECRET")
        full, leaves = f"{PREFIX}{path}", direction is Direction.EXITS

        def headers() -> Mapping[str, str]:
            leaving()
            return self._headers(method, full, body, signed)

        for is_last in (False, True):
            answer = self._http.send(
                method,
                full,
                query=query,
                body=body,
                headers=headers,
                bucket="private" if signed else "public",
                urgency=min(self._urgency, Urgency.EXIT) if method == "POST" and leaves else self._urgency,
                breaker=None if self._urgency is Urgency.KILL else (dependency, direction),
                idempotent=idempotent,
                well=well or _is_well,
                endpoint=endpoint_of(path),
            )
            if is_last or not signed or answer.status != 401:
                return answer
            self._look_at_the_clock()
        return answer

    def _look_at_the_clock(self) -> None:
        """Before a token is refused again: perhaps it was our clock. Without an answer the old offset stays."""
        try:
            self.server_time()
        except (VenueUnavailable, VenueRefused, KeyRefused):
            return

    def _headers(self, method: str, path: str, body: bytes, signed: bool) -> Mapping[str, str]:
        """Made anew for every attempt."""
        content = _JSON if body else {}
        if not signed or self._key is None:
            return content
        signed_at_s = self._now_s() + self.offset_ms / 1_000
        made = token(self._key, method, self._http.origin.authority, path, signed_at_s)
        return {**content, "Authorization": f"Bearer {made}"}


def _cursor(cursor: str) -> Query:
    return [("cursor", cursor)] if cursor else []


def _next(cursor: str, seen: set[str]) -> str:
    """The cursor of the next page. Raises VenuePayload on one that was there before: what comes after is not known."""
    if cursor in seen:
        raise VenuePayload("a page's cursor repeats", "$.cursor")
    seen.add(cursor)
    return cursor


def _merge(into: dict[str, Row], rows: Iterable[Row]) -> None:
    """Add what is new. Raises VenuePayload where one entry is told in two ways."""
    for row in rows:
        if into.setdefault(row.entry_id, row) != row:
            raise VenuePayload(f"the entry {row.entry_id} is told in two ways", "$.fills")


def _body(answer: "Answer") -> bytes:
    """The body of a 200. Everything else raises what it means."""
    if answer.status == 200:
        return answer.body
    said = parse.complaint(answer.body)
    told = " ".join(one for one in (said.word, said.text) if one) or "nothing"
    what = f"the venue answered {answer.status}: {told}"
    if answer.status in (401, 403):
        raise KeyRefused(what, remedy="look at the key's permissions, portfolio and age")
    if answer.status == 429:
        raise RateLimited(what, remedy="wait a moment")
    if 400 <= answer.status < 500:
        raise VenueRefused(what, word="NOT_FOUND" if answer.status == 404 else said.word)
    raise VenueUnavailable(what)


def _turned_away(answer: "Answer") -> Refused:
    """A request that the venue did not execute, by its status."""
    said = parse.complaint(answer.body)
    known = {401: Reason.KEY, 403: Reason.KEY, 429: Reason.RATE}
    word = said.word or f"HTTP_{answer.status}"
    return Refused(known.get(answer.status, Reason.REQUEST), word, said.text)


def _is_well(answer: "Answer") -> bool:
    return answer.status != 429 and answer.status < 500


def _created_well(answer: "Answer") -> bool:
    """A refusal for the venue's own reasons is a failure, however politely it is put; one for ours is not."""
    if answer.status != 200:
        return _is_well(answer)
    result = parse.created(answer.body)
    return isinstance(result, Accepted) or (isinstance(result, Refused) and result.reason is not Reason.VENUE)
