"""The venue as the engine sees it, over answers that differ from look to look: which of two words wins, what is late,
what is ours, and what only looks like an answer."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.net.wire import Clock, Request, answering, http
from tests.venues.coinbase.keys import KEY
from tests.venues.coinbase.payloads import payload
from trader_core.candles.fetched import FetchedCandles
from trader_core.domain.clocktime import MINUTE_MS, EpochMs, rfc3339
from trader_core.domain.errors import OutcomeUnknown, Unreachable, VenueUnavailable
from trader_core.domain.fill import Side
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.money import Base
from trader_core.domain.order import ApprovedOrder, Order, OrderKind, OrderStatus, Role
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.products import Products
from trader_core.venues.coinbase.venue import CoinbaseVenue

BTC, HOUR_MS = "BTC-USD", 60 * MINUTE_MS
NOW_MS = Clock().now_ms
id_of = OrderIdsOf("the venue's tests")
OURS = id_of(1, 0)
Rows = list[dict[str, Any]]


def row(name: str) -> dict[str, Any]:
    """The first entry of a recorded list."""
    found: dict[str, Any] = next(one for one in json.loads(payload(name)).values() if isinstance(one, list))[0]
    return found


def order(venue_id: str = "o1", ours: str = OURS, status: str = "OPEN", filled: str = "0", ago_ms: int = 0) -> Any:
    made = json.loads(payload("order_open_limit_gtc"))["order"]
    return made | {
        "order_id": venue_id, "client_order_id": ours, "product_id": BTC, "status": status, "filled_size": filled,
        "created_time": rfc3339(NOW_MS - ago_ms),
    }  # fmt: skip


def fill(entry: str, venue_id: str = "o1", size: str = "0.5", ago_ms: int = 0, **more: Any) -> dict[str, Any]:
    told = {"entry_id": entry, "trade_id": entry, "order_id": venue_id, "size": size, "product_id": BTC}
    return row("fills_two") | told | {"trade_time": rfc3339(NOW_MS - ago_ms)} | more


def wallet(currency: str, free: str, hold: str = "0", kind: str = "ACCOUNT_TYPE_CRYPTO") -> dict[str, Any]:
    amounts = {
        "available_balance": {"value": free, "currency": currency},
        "hold": {"value": hold, "currency": currency},
    }
    return row("accounts_list_two") | amounts | {"uuid": f"{currency}{kind}{free}", "currency": currency, "type": kind}


@dataclass
class Told:
    """What the venue answers. `listed` fills are in the list, `of_orders` is what it says when asked by name."""

    wallets: Rows = field(default_factory=list)
    open: Rows = field(default_factory=list)
    recent: Rows = field(default_factory=list)
    by_id: dict[str, Any] = field(default_factory=dict)
    listed: Rows = field(default_factory=list)
    of_orders: Rows = field(default_factory=list)
    products: Rows = field(default_factory=list)
    books: dict[str, Rows] = field(default_factory=dict)  # bids; of others there is no book
    sent: bytes = b"{}"
    status: int = 200
    asked: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> tuple[int, bytes]:
        self.asked.append(request)
        path, _, query = request.target.partition("?")
        if request.method == "POST":
            return (200, payload("cancel_success")) if path.endswith("cancel") else (self.status, self.sent)
        if path.endswith("/product_book"):
            named = [one for one in self.books if f"product_id={one}" in query]
            return (200, self._book(named[0])) if named else (404, b'{"error": "NOT_FOUND"}')
        name, _, last = path.rpartition("/")
        if name.endswith("/products"):
            return self.status, self.sent
        if name.endswith("/historical") and last not in ("batch", "fills"):
            told = self.by_id.get(last)
            return (200, json.dumps({"order": told}).encode()) if told else (404, b'{"error": "NOT_FOUND"}')
        return 200, json.dumps(self._list(last, query)).encode()

    def _list(self, last: str, query: str) -> dict[str, Any]:
        if last == "accounts":
            return {"accounts": self.wallets, "has_next": False}
        if last == "fills":
            return {"fills": self.of_orders if "order_ids=" in query else self.listed, "cursor": ""}
        if last == "products":
            return {"products": self.products}
        if last == "transaction_summary":
            found: dict[str, Any] = json.loads(payload("transaction_summary_intro2"))
            return found
        return {"orders": self.open if "order_status=OPEN" in query else self.recent, "has_next": False}

    def _book(self, product: str) -> bytes:
        book = json.loads(payload("product_book_5_levels"))
        book["pricebook"] |= {"product_id": product, "bids": self.books[product]}
        return json.dumps(book).encode()


def no_candles(*_: object) -> Any:
    return ()


@contextmanager
def opened(told: Told, folder: Path, since_ms: int = 0) -> Iterator[CoinbaseVenue]:
    clock = Clock()
    with answering(told.answer) as server, ThreadPoolExecutor(1) as pool:
        client = CoinbaseClient(http(server.url, clock, chance=0.0), KEY, clock.now_s)
        products = Products(client, "USD", clock.host_ms)
        source = FetchedCandles(
            bar_ms=15 * MINUTE_MS, quote="USD", fingerprint="", first_ms=EpochMs(0), directory=folder,
            fetch=no_candles, listed=products,
        )  # fmt: skip
        yield CoinbaseVenue(client, source, products, pool, 50_000, EpochMs(since_ms), clock.pause)


def wanted(role: Role = Role.ENTRY, kind: OrderKind = OrderKind.MAKER, quantity: str = "1") -> ApprovedOrder:
    side = Side.BUY if role is Role.ENTRY else Side.SELL
    trigger = Decimal("100") if kind is OrderKind.STOP else Decimal(0)
    return ApprovedOrder(
        BTC, side, role, kind, Base(Decimal(quantity)), Decimal(100), trigger, "test", "test", 500, 0, 0, 0,
        EpochMs(NOW_MS + HOUR_MS),
    )  # fmt: skip


def known(status: OrderStatus = OrderStatus.WORKING, filled: str = "0", venue_id: str = "o1", ago_ms: int = 0) -> Order:
    return Order(
        OURS, wanted(), EpochMs(NOW_MS - ago_ms), status, Base(Decimal(filled)), venue_order_id=venue_id,
        sent_ms=EpochMs(NOW_MS - ago_ms),
    )  # fmt: skip


# --- the account -----------------------------------------------------------------------------------------------------


def test_wallets_of_a_coin_add_up_and_a_vault_is_none(tmp_path: Path) -> None:
    told = Told(
        [wallet("BTC", "1", "0.25"), wallet("BTC", "0.5", "0.05"), wallet("BTC", "9", "9", "ACCOUNT_TYPE_VAULT")]
    )
    with opened(told, tmp_path) as venue:
        (one,) = venue.balances("").balances
    assert (one.asset, one.available, one.hold) == ("BTC", Decimal("1.5"), Decimal("0.3"))


def test_cash_is_found_when_the_account_is_opened_and_never_again(tmp_path: Path) -> None:
    with opened(Told([wallet("USD", "100", "20", "ACCOUNT_TYPE_FIAT"), wallet("BTC", "7")]), tmp_path) as venue:
        (found,) = venue.flows("")
        assert (found.amount, venue.flows(found.cursor)) == (Decimal(120), ())


# --- two lists of orders ---------------------------------------------------------------------------------------------

LISTS: dict[str, tuple[Told, OrderStatus | None, str]] = {
    "the open one is newer": (
        Told(open=[order(filled="0.4")], recent=[order(filled="0.1")]), OrderStatus.WORKING, "0.4",
    ),
    "what is over is over": (
        Told(open=[order(filled="0.4")], recent=[order(status="CANCELLED", filled="0.6")]), OrderStatus.CANCELED, "0.6",
    ),
    "neither shows it, and it has a name": (
        Told(by_id={"o1": order(status="FILLED", filled="1")}), OrderStatus.FILLED, "1",
    ),
    "nobody shows it": (Told(), None, ""),
}  # fmt: skip


@pytest.mark.parametrize(("told", "status", "filled"), LISTS.values(), ids=LISTS)
def test_of_two_lists_the_one_that_cannot_be_older_is_believed(
    tmp_path: Path, told: Told, status: OrderStatus | None, filled: str
) -> None:
    with opened(told, tmp_path) as venue:
        found = venue.orders([known()]).get(OURS)
    assert (found and found.status, str(found.filled) if found else "") == (status, filled)


def test_an_order_that_nobody_acknowledged_is_found_by_the_name_that_its_fill_tells(tmp_path: Path) -> None:
    told = Told(by_id={"o1": order(status="FILLED", filled="1")}, listed=[fill("f1")])
    with opened(told, tmp_path) as venue:
        assert [one.fill.client_order_id for one in venue.fills("")] == [OURS]
        found = venue.orders([known(OrderStatus.INTENDED, venue_id="")])
    assert found[OURS].status is OrderStatus.FILLED


def test_marked_are_ours_that_work_or_are_young(tmp_path: Path) -> None:
    rows = [
        order("o1", ours=id_of(1, 0), ago_ms=48 * HOUR_MS),
        order("o2", ours=id_of(2, 0), status="FILLED", ago_ms=11 * HOUR_MS),
        order("o3", ours=id_of(3, 0), status="FILLED", ago_ms=13 * HOUR_MS),
        order("o4", ours="a-person"),
    ]
    with opened(Told(recent=rows), tmp_path) as venue:
        assert [one.venue_order_id for one in venue.marked()] == ["o1", "o2"]


def test_lists_go_back_behind_the_oldest_open_order_and_the_newest_fill_but_not_behind_the_account(
    tmp_path: Path,
) -> None:
    def starts(told: Told) -> list[str]:
        return sorted(
            word.partition("=")[2] for one in told.asked for word in one.target.partition("?")[2].split("&")
            if word.startswith(("start_date", "start_sequence"))
        )  # fmt: skip

    def written(ago_ms: int) -> str:
        return rfc3339(NOW_MS - ago_ms).replace(":", "%3A")

    for since_ms, expected in ((0, [130 * MINUTE_MS, 70 * MINUTE_MS]), (NOW_MS - MINUTE_MS, [MINUTE_MS, MINUTE_MS])):
        told = Told()
        with opened(told, tmp_path, since_ms) as venue:
            venue.read_account([known(ago_ms=2 * HOUR_MS)], str(NOW_MS - HOUR_MS))
            venue.marked()
            venue.fills("")
        assert starts(told) == [written(one) for one in expected]


# --- fills -----------------------------------------------------------------------------------------------------------


def test_fills_that_no_list_goes_back_to_are_asked_for_by_their_order_and_stand_in_their_place(tmp_path: Path) -> None:
    late = [fill("f0", ago_ms=5 * HOUR_MS), fill("f1", ago_ms=HOUR_MS), fill("strange", "o9", ago_ms=6 * HOUR_MS)]
    told = Told(recent=[order(filled="1")], listed=[fill("f1", ago_ms=HOUR_MS)], of_orders=late)
    with opened(told, tmp_path) as venue:
        venue.read_account([known()], "")
        assert [one.fill.trade_id for one in venue.fills("")] == ["f0", "f1"]


@pytest.mark.parametrize(("in_ledger", "listed"), [("1", []), ("0", ["0.5", "0.5"])], ids=["in the ledger", "listed"])
def test_what_the_ledger_or_the_list_has_is_not_asked_for_again(
    tmp_path: Path, in_ledger: str, listed: list[str]
) -> None:
    rows = [fill(f"f{n}", size=size) for n, size in enumerate(listed)]
    told = Told(recent=[order(filled="1")], listed=rows, of_orders=[fill("other")])
    with opened(told, tmp_path) as venue:
        venue.read_account([known(filled=in_ledger)], "")
        assert len(venue.fills("")) == len(listed)


def test_a_person_s_fills_and_corrections_are_not_ours(tmp_path: Path) -> None:
    rows = [fill("f1", "o1"), fill("f2", "o2"), *(fill(f"c{n}", f"o{n}", trade_type="CORRECTION") for n in (1, 2))]
    told = Told(recent=[order("o1"), order("o2", ours="a-person")], listed=rows)
    with opened(told, tmp_path) as venue:
        assert [one.fill.trade_id for one in venue.fills("")] == ["f1"]
        assert venue.oddities() == (f"the fill c1 of {BTC} is CORRECTION BUY: look at it by hand",)


def test_whose_fill_it_is_is_asked_again_where_its_order_is_not_shown_yet(tmp_path: Path) -> None:
    told = Told(listed=[fill("f1")])
    with opened(told, tmp_path) as venue:
        assert venue.fills("") == ()
        told.by_id["o1"] = order(filled="0.5")
        assert [one.fill.trade_id for one in venue.fills("")] == ["f1"]


# --- what is sent ----------------------------------------------------------------------------------------------------


def accepted(**response: str) -> bytes:
    return json.dumps({"success": True, "success_response": {"order_id": "o1", **response}}).encode()


def refused(word: str) -> bytes:
    return json.dumps({"success": False, "error_response": {"error": word}}).encode()


ANSWERS: dict[str, tuple[bytes, int, object]] = {
    "accepted": (accepted(), 200, (OrderStatus.WORKING, False)),
    "accepted on the book that it shares": (accepted(product_id="BTC-USDC"), 200, (OrderStatus.WORKING, False)),
    "accepted for another id": (accepted(client_order_id="another"), 200, OutcomeUnknown),
    "accepted for another coin": (accepted(product_id="ETH-USD"), 200, OutcomeUnknown),
    "the id is taken": (refused("DUPLICATE_CLIENT_ORDER_ID"), 200, OutcomeUnknown),
    "it would take": (refused("INVALID_LIMIT_PRICE_POST_ONLY"), 200, (OrderStatus.REJECTED, True)),
    "no funds": (refused("INSUFFICIENT_FUND"), 200, (OrderStatus.REJECTED, False)),
    "too many": (b'{"error": "RATE"}', 429, 31),
    "the key": (b'{"error": "unauthorized"}', 403, 11),
    "no answer that can be read": (b"{", 200, OutcomeUnknown),
}


@pytest.mark.parametrize(("answer", "status", "expected"), ANSWERS.values(), ids=ANSWERS)
def test_an_order_is_taken_refused_or_nobody_knows(
    tmp_path: Path, answer: bytes, status: int, expected: object
) -> None:
    with opened(Told(sent=answer, status=status), tmp_path) as venue:
        approved = wanted()
        payload_ = venue.payload(OURS, approved)
        try:
            report = venue.place(OURS, approved, payload_)
            found: object = (report.status, report.expected)
        except Unreachable as unreachable:
            found = unreachable.exit_code
        except OutcomeUnknown:
            found = OutcomeUnknown
    assert found == expected


def test_a_cancel_is_a_promise_until_the_order_says_so(tmp_path: Path) -> None:
    told = Told(by_id={"o1": order()})
    with opened(told, tmp_path) as venue:
        with pytest.raises(OutcomeUnknown, match="is not done yet"):
            venue.cancel(known())
        told.by_id["o1"] = order(status="CANCELLED", filled="0.25")
        assert venue.cancel(known()).status is OrderStatus.CANCELED
        with pytest.raises(OutcomeUnknown, match="does not show"):
            venue.cancel(known(venue_id=""))


def test_a_maker_is_good_for_a_bar_more_and_a_stop_sells_below_its_trigger(tmp_path: Path) -> None:
    listing = json.loads(payload("product_btc_usd_2026")) | {"price_increment": "0.5"}
    told = Told(products=[listing])
    with opened(told, tmp_path) as venue:
        (maker,) = json.loads(venue.payload(OURS, wanted()))["order_configuration"].values()
        assert maker["end_time"] == rfc3339(NOW_MS + HOUR_MS + 15 * MINUTE_MS)
        (stop,) = json.loads(venue.payload(OURS, wanted(Role.STOP, OrderKind.STOP)))["order_configuration"].values()
        assert (stop["stop_price"], stop["limit_price"]) == ("100", "95")
        told.products = []
        assert venue.payload(OURS, wanted(Role.STOP, OrderKind.STOP)), "the steps as last listed"


# --- markets ---------------------------------------------------------------------------------------------------------


def test_what_is_listed_traded_and_frozen(tmp_path: Path) -> None:
    one = json.loads(payload("product_btc_usd_2026"))
    told = Told(products=[
        one | {"base_min_size": "0.001", "price": "50000"},
        one | {"product_id": "ETH-USD", "base_currency_id": "ETH", "cancel_only": True},
        one | {"product_id": "SOL-USD", "base_currency_id": "SOL", "alias": "SOL-USDC"},
        one | {"product_id": "ADA-USD", "base_currency_id": "ADA", "base_increment": "none"},
        one | {"product_id": "BTC-EUR", "quote_currency_id": "EUR"},
    ])  # fmt: skip
    with opened(told, tmp_path) as venue:
        assert [(one.symbol, str(one.min_notional)) for one in venue.instruments()] == [
            (BTC, "50.000"), ("ETH-USD", "1"),
        ]  # fmt: skip
        assert venue.frozen() == {"ETH-USD"}
        assert [one.symbol for one in venue.exclusions()] == ["ETH-USD", "SOL-USD", "ADA-USD"]


def test_a_book_that_is_missing_is_no_quote_and_all_of_them_are_no_market(tmp_path: Path) -> None:
    bids = [{"price": "68000", "size": "1"}]
    with opened(Told(books={BTC: bids}), tmp_path) as venue:
        assert list(venue.quotes([BTC, "ETH-USD"])) == [BTC]
        with pytest.raises(VenueUnavailable):
            venue.quotes(["ETH-USD"])


def test_only_a_venue_that_says_so_does_not_know_a_product(tmp_path: Path) -> None:
    """What was delisted is found so: a refusal for another reason says nothing of the product."""
    said = {404: b'{"error": "NOT_FOUND"}', 200: payload("product_btc_usd_2026"), 400: b'{"error": "INVALID_ARGUMENT"}'}
    told = Told()
    with opened(told, tmp_path) as venue:
        for told.status, expected in ((404, False), (200, True)):
            told.sent = said[told.status]
            assert venue.knows(BTC) is expected
        told.status, told.sent = 400, said[400]
        with pytest.raises(VenueUnavailable):
            venue.knows(BTC)
