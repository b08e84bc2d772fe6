"""Coinbase as the engine sees it: VenueReader and VenueTrader in one; who may use which half is decided in bootstrap.

Each remote fact is read once a look: the account in one bundle of calls that run beside each other, the markets in
another. What failed there fails again when it is asked for, with the same words.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal
from typing import Any, TypeVar

from trader_core.domain.account import Balance, BalancePage, Fees
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs
from trader_core.domain.errors import (
    KeyRefused,
    OutcomeUnknown,
    RateLimited,
    TraderError,
    Unreachable,
    VenueRefused,
    VenueUnavailable,
)
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.fill import Fill, Side
from trader_core.domain.ids import bears_mark
from trader_core.domain.instrument import Exclusion, Instrument, base_of
from trader_core.domain.market import Candles, TopOfBook
from trader_core.domain.money import Quote
from trader_core.domain.order import ApprovedOrder, Order, OrderKind, OrderReport, OrderStatus
from trader_core.net.breaker import Direction
from trader_core.ports import PAGES_MAX, CandleSource
from trader_core.venues.coinbase import bodies
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.parse import top_of
from trader_core.venues.coinbase.products import Listing, Products
from trader_core.venues.coinbase.words import (
    Account,
    FillRow,
    Reason,
    Refused,
    Status,
    StrangeFill,
    VenueOrder,
    Wallet,
)

Told = TypeVar("Told")
LEVELS = 100  # of a book: enough for what rests within 20 bps
OVERLAP_MS = 10 * MINUTE_MS  # read again behind the newest: lists lag, and tell things out of order
KNOWN_MS = DAY_MS // 2  # the ledger keeps what is over for twice as long
CANCEL_LOOKS = 6  # how often an order is looked at until its cancel is done
CANCEL_PAUSE_S = 0.25
PPM = 1_000_000
NOT_LOOKED_AT = {Reason.KEY: KeyRefused.exit_code, Reason.RATE: RateLimited.exit_code}
WALLETS = (Wallet.CRYPTO, Wallet.FIAT)
STATUS = {
    Status.FILLED: OrderStatus.FILLED,
    Status.CANCELLED: OrderStatus.CANCELED,
    Status.EXPIRED: OrderStatus.EXPIRED,
    Status.FAILED: OrderStatus.REJECTED,
}  # of what is over; everything else may still fill


@dataclass
class Look:
    """One look at the account. Each part is what came, or why nothing did."""

    asked: Sequence[Order]  # open in the ledger
    accounts: "Future[tuple[Account, ...]]"
    open: "Future[tuple[VenueOrder, ...]]"
    recent: "Future[tuple[VenueOrder, ...]]"
    fills: "Future[tuple[tuple[FillRow, ...], tuple[StrangeFill, ...]]]"
    fees: "Future[Fees]"


@dataclass
class CoinbaseVenue:
    """`band_ppm`: how far below its trigger a stop still sells. `since_ms`: nothing older than the account is ours."""

    client: CoinbaseClient
    source: CandleSource
    products: Products
    pool: Executor
    band_ppm: int
    since_ms: EpochMs
    pause: Callable[[float], None]
    _look: Look | None = None
    _books: dict[str, "Future[TopOfBook | None]"] = field(default_factory=dict)
    _owner: dict[str, str] = field(default_factory=dict)  # our id of an order, by the venue's
    _ticks: Mapping[str, Decimal] = field(default_factory=dict)  # as last listed: no order waits for another listing

    # --- VenueReader -------------------------------------------------------------------------------------

    def instruments(self) -> tuple[Instrument, ...]:
        return self._listing().instruments

    def exclusions(self) -> tuple[Exclusion, ...]:
        return self._listing().exclusions

    def knows(self, symbol: str) -> bool:
        try:
            self.client.product(symbol)
        except VenueRefused as refused:
            if refused.word == "NOT_FOUND":
                return False
            raise _unavailable(refused) from None
        except TraderError as failed:
            raise _unavailable(failed) from None
        return True

    def frozen(self) -> frozenset[str]:
        return self._listing().frozen

    def read_account(self, asked: Sequence[Order], fill_cursor: str) -> None:
        """Orders from a while before the oldest that is open, fills from a while before the newest one known."""
        now_ms = self.client.venue_ms()
        oldest = min((one.sent_ms for one in asked if one.sent_ms), default=now_ms)
        orders_ms = EpochMs(max(min(oldest, now_ms) - OVERLAP_MS, self.since_ms))
        fills_ms = EpochMs(max(int(fill_cursor or 0) - OVERLAP_MS, self.since_ms))
        start, client = self.pool.submit, self.client
        self._look = Look(
            asked=tuple(asked),
            accounts=start(lambda: all_accounts(client)),
            open=start(client.orders_open),
            recent=start(lambda: client.orders_since(orders_ms)),
            fills=start(lambda: client.fills_since(fills_ms)),
            fees=start(lambda: fees_of(client)),
        )

    def read_markets(self, symbols: Sequence[str], since_ms: int, until_ms: int, days: range) -> None:
        self._books = {one: self.pool.submit(self._book, one) for one in symbols}

        def read(symbol: str) -> None:
            self.source.candles(symbol, since_ms, until_ms)
            self.source.day_closes(symbol, days)

        for done in [self.pool.submit(read, one) for one in symbols]:
            done.exception()  # it is raised where the candles are asked for

    def _book(self, symbol: str) -> TopOfBook | None:
        return top_of(self.client.book(symbol, LEVELS))

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        try:
            return self.source.candles(symbol, since_ms, until_ms)
        except TraderError as failed:
            raise _unavailable(failed) from None

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        try:
            return self.source.day_closes(symbol, days)
        except TraderError as failed:
            raise _unavailable(failed) from None

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        """Raises VenueUnavailable where not one book could be read; a book that is missing alone has no quote."""
        books = {one: self._books.get(one) or self.pool.submit(self._book, one) for one in symbols}
        failures = [failed for one in books.values() if (failed := one.exception())]
        if books and len(failures) == len(books):
            raise _unavailable(failures[0])
        found = {one: told for one, book in books.items() if not book.exception() and (told := book.result())}
        return found

    def balances(self, cursor: str) -> BalancePage:
        """Wallets of one asset added up; what lies in a vault cannot be traded and does not count."""
        totals: dict[str, tuple[Decimal, Decimal]] = {}
        for one in told(self._looked().accounts):
            if one.kind in WALLETS:
                available, hold = totals.get(one.currency, (Decimal(0), Decimal(0)))
                totals[one.currency] = available + one.available, hold + one.hold
        return BalancePage(tuple(Balance(asset, *totals[asset]) for asset in sorted(totals)), "")

    def fills(self, cursor: str) -> tuple[Filled, ...]:
        """Fills of orders that bear our mark, oldest first. What is no plain fill is in `oddities`."""
        fills, _ = told(self._looked().fills)
        self._learn(one.order_id for one in fills)
        owned = [(self._owner_of(one.order_id), one) for one in self._with_late(fills)]
        return tuple(_filled(owner, one) for owner, one in owned if bears_mark(owner))

    def flows(self, cursor: str) -> tuple[CashFlow, ...]:
        """The cash that is there when the account is opened. The venue does not tell of deposits: what comes later
        shows as a difference, and a person books it."""
        if cursor:
            return ()
        quote = self.source.quote
        cash = sum((one.total for one in self.balances("").balances if one.asset == quote), Decimal(0))
        return (CashFlow(Quote(cash), self.client.venue_ms(), "cash found at the venue", "opening"),)

    def orders(self, asked: Sequence[Order]) -> dict[str, OrderReport]:
        """By the lists, and where they do not show it, by the venue's own name for it: the lists lag. A fill may have
        told that name before anybody acknowledged the order."""
        listed = {one.client_order_id: one for one in self._listed()}
        found: dict[str, OrderReport] = {}
        for order in asked:
            shown = listed.get(order.client_order_id)
            if shown is None:
                venue_id = order.venue_order_id or self._name_of(order.client_order_id)
                shown = self._order(venue_id) if venue_id else None
            if shown is not None:
                found[order.client_order_id] = _report(shown, self.client.venue_ms())
        return found

    def marked(self) -> tuple[OrderReport, ...]:
        """What bears our mark and works, or is young enough for a ledger that forgets what is long over to know it."""
        now_ms = self.client.venue_ms()
        ours = [one for one in self._listed() if bears_mark(one.client_order_id)]
        return tuple(_report(one, now_ms) for one in ours if not one.is_over or one.created_ms > now_ms - KNOWN_MS)

    def oddities(self) -> tuple[str, ...]:
        """Judged by whose order it is: what Coinbase tells of a person's own trades is not ours to worry about."""
        _, strange = told(self._looked().fills)
        self._learn(one.order_id for one in strange)
        ours = (one for one in strange if one.order_id and bears_mark(self._owner_of(one.order_id)))
        return tuple(f"the fill {one.entry_id} of {one.product_id} is {one.why}: look at it by hand" for one in ours)

    def fees(self) -> Fees | None:
        """Without a key nobody knows what the account pays; then the policy says."""
        return told(self._looked().fees) if self.client.has_key else None

    # --- VenueTrader -------------------------------------------------------------------------------------

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return bodies.order_body(client_order_id, order.symbol, order.side, self._spec(order)).decode()

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        """The venue knows our id: the same bytes again are the same order. Raises Unreachable where nothing left, and
        OutcomeUnknown where nobody knows."""
        direction = Direction.ENTRIES if order.side is Side.BUY else Direction.EXITS
        answer, now_ms = self.client.create(payload.encode(), direction), self.client.venue_ms()
        if isinstance(answer, Refused):
            if answer.reason is Reason.DUPLICATE:
                raise OutcomeUnknown(f"the venue has an order {client_order_id} already")
            if answer.reason in NOT_LOOKED_AT:
                code = NOT_LOOKED_AT[answer.reason]
                raise Unreachable(f"the venue did not look at it: {answer.word}", exit_code=code)
            why = f"{answer.reason}: {answer.word}"
            expected = answer.reason is Reason.WOULD_TAKE
            return OrderReport(client_order_id, OrderStatus.REJECTED, why, now_ms, expected=expected)
        if answer.client_order_id not in ("", client_order_id):
            raise OutcomeUnknown(f"the venue answered for {answer.client_order_id} when asked for {client_order_id}")
        if base_of(answer.product_id) not in ("", base_of(order.symbol)):
            raise OutcomeUnknown(f"the venue has an order of {answer.product_id} under {client_order_id} already")
        self._owner[answer.order_id] = client_order_id
        return OrderReport(client_order_id, OrderStatus.WORKING, "", now_ms, answer.order_id)

    def cancel(self, order: Order) -> OrderReport:
        """A cancel is a promise; it is done when the order says so. Raises OutcomeUnknown until then."""
        venue_id = order.venue_order_id or self._name_of(order.client_order_id)
        if not venue_id:
            raise OutcomeUnknown(f"the venue does not show {order.client_order_id} yet")
        self.client.cancel([venue_id])
        for looks in range(CANCEL_LOOKS):
            shown = self._order(venue_id)
            if shown is not None and shown.is_over:
                return _report(shown, self.client.venue_ms())
            if looks + 1 < CANCEL_LOOKS:
                self.pause(CANCEL_PAUSE_S)
        raise OutcomeUnknown(f"the cancel of {order.client_order_id} is not done yet")

    def _spec(self, order: ApprovedOrder) -> bodies.Spec:
        """A maker is good for one bar more than we want it, should we not be there to cancel it."""
        size = bodies.BaseSize(order.quantity)
        if order.kind is OrderKind.MAKER:
            return bodies.PostOnly(size, order.limit, EpochMs(order.expires_ms + self.source.bar_ms))
        if order.kind is OrderKind.TAKER:
            return bodies.LimitIoc(size, order.limit)
        tick = (self._ticks or self._listing().ticks)[order.symbol]
        below = order.trigger * (PPM - self.band_ppm) / PPM
        return bodies.StopLimit(size, order.trigger, steps_down(below, tick) * tick)

    # --- inside ------------------------------------------------------------------------------------------

    def _looked(self) -> Look:
        if self._look is None:
            self.read_account((), "")
        assert self._look is not None  # noqa: S101 - it was just made
        return self._look

    def _listed(self) -> tuple[VenueOrder, ...]:
        """What the open list shows wins: the other one may be older."""
        shown = {one.order_id: one for one in told(self._looked().recent)}
        shown.update((one.order_id, one) for one in told(self._looked().open) if not _over(shown.get(one.order_id)))
        return tuple(shown.values())

    def _with_late(self, fills: Sequence[FillRow]) -> Sequence[FillRow]:
        """With those that came so late that the list does not go back to them: the cursor is one of all coins. An open
        order that has filled more than the list or the ledger knows is asked for by its own name."""
        shown, listed = {one.client_order_id: one for one in self._listed()}, dict[str, Decimal]()
        for row in fills:
            listed[row.order_id] = listed.get(row.order_id, Decimal(0)) + row.quantity
        late = [
            one.order_id
            for order in self._looked().asked
            if (one := shown.get(order.client_order_id))
            and one.filled_size > max(order.filled, listed.get(one.order_id, Decimal(0)))
        ]
        if not late:
            return fills
        try:
            found, _ = self.client.fills_of(late)
        except TraderError as failed:
            raise _unavailable(failed) from None
        every = {one.entry_id: one for one in (*fills, *(row for row in found if row.order_id in late))}
        return sorted(every.values(), key=lambda row: (row.at_ms, row.entry_id))

    def _listing(self) -> Listing:
        try:
            listing = self.products()
        except TraderError as failed:
            raise _unavailable(failed) from None
        self._ticks = listing.ticks
        return listing

    def _order(self, venue_id: str) -> VenueOrder | None:
        try:
            return self.client.order(venue_id)
        except TraderError as failed:
            raise _unavailable(failed) from None

    def _learn(self, venue_ids: Iterable[str] = ()) -> None:
        """Whose orders these are: from the lists, and where they do not go back so far, many at a time."""
        self._owner.update((one.order_id, one.client_order_id) for one in self._listed())
        unknown = sorted({one for one in venue_ids if one} - self._owner.keys())
        if len(unknown) > 1:
            try:
                shown = self.client.orders_named(unknown)
            except TraderError as failed:
                raise _unavailable(failed) from None
            self._owner.update((one.order_id, one.client_order_id) for one in shown)

    def _owner_of(self, venue_id: str) -> str:
        """Our id of an order, empty where it is not ours."""
        if venue_id not in self._owner:
            shown = self._order(venue_id)
            if shown is None:
                return ""  # not yet shown: asked for again the next time
            self._owner[venue_id] = shown.client_order_id
        return self._owner[venue_id]

    def _name_of(self, client_order_id: str) -> str:
        self._learn()
        return next((venue for venue, ours in self._owner.items() if ours == client_order_id), "")


def all_accounts(client: CoinbaseClient) -> tuple[Account, ...]:
    """Each wallet once: one that moves between two pages is taken as the later page shows it."""
    found: dict[str, Account] = {}
    cursor, seen = "", {""}
    for _ in range(PAGES_MAX):
        page = client.accounts(cursor)
        found.update((one.uuid, one) for one in page.accounts)
        cursor = page.next_cursor
        if not cursor:
            return tuple(found.values())
        if cursor in seen:
            raise VenueUnavailable("the list of accounts repeats a page's cursor: what comes after it is not known")
        seen.add(cursor)
    raise VenueUnavailable(f"the list of accounts did not end after {PAGES_MAX} pages")


def fees_of(client: CoinbaseClient) -> Fees:
    tier = client.fee_tier()
    return Fees(tier.maker, tier.taker)


def steps_down(price: Decimal, tick: Decimal) -> Decimal:
    """Whole ticks in a price, one at the least."""
    return max((price / tick).to_integral_value(ROUND_FLOOR), Decimal(1))


def told(part: "Future[Told]") -> Told:
    """What came. Raises VenueUnavailable with why nothing did."""
    failed = part.exception()
    if failed is not None:
        raise _unavailable(failed)
    return part.result()


def _unavailable(failed: BaseException) -> Any:
    if isinstance(failed, VenueUnavailable) or not isinstance(failed, TraderError):
        return failed
    code = failed.exit_code if isinstance(failed, KeyRefused | VenueRefused) else None
    return VenueUnavailable(failed.what, safe=failed.safe, remedy=failed.remedy, exit_code=code)


def _over(order: VenueOrder | None) -> bool:
    return order is not None and order.is_over


def _report(order: VenueOrder, now_ms: EpochMs) -> OrderReport:
    why = order.reject_reason or order.message if order.status in (Status.FAILED, Status.CANCELLED) else ""
    status = STATUS.get(order.status, OrderStatus.WORKING)
    return OrderReport(
        order.client_order_id, status, why, now_ms, order.order_id, order.filled_size,
        symbol=order.product_id, side=order.side,
    )  # fmt: skip


def _filled(owner: str, row: FillRow) -> Filled:
    fill = Fill(
        trade_id=row.entry_id,
        client_order_id=owner,
        symbol=row.product_id,
        side=row.side,
        price=row.price,
        quantity=row.quantity,
        value=row.value,
        fee=row.commission,
        at_ms=row.at_ms,
    )
    return Filled(fill, str(int(row.at_ms)))
