"""How a flatten sells: in pieces that the book takes within the band, never more than is free, and what stays is
told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import parse_qs

import pytest

from tests.net.wire import Clock, Request, answering, http
from tests.venues.coinbase.keys import KEY
from tests.venues.coinbase.payloads import payload
from trader_core.domain.clocktime import rfc3339
from trader_core.kill.reach import flatten
from trader_core.kill.reach.flatten import Flattening
from trader_core.kill.run import Progress
from trader_core.kill.sales import sales
from trader_core.net.buckets import Urgency
from trader_core.venues.coinbase.client import CoinbaseClient

BTC = "BTC-USD"
Bids = tuple[tuple[str, str], ...]  # price and size, the best first
PLENTY: Bids = (("100.00", "50"),)
BOOK, PRODUCT = payload("product_book_5_levels"), payload("product_btc_usd_2026")
ORDER, ACCOUNTS = payload("order_open_limit_gtc"), payload("accounts_list_two")


@dataclass
class Counter:
    """A venue that takes an immediate order as far as its bids go, and has the same bids again or fewer."""

    bids: Bids = PLENTY
    renews: bool = False
    listing: Mapping[str, Any] = field(default_factory=dict)
    wallets: tuple[str, ...] = ("1",)  # what is free in each wallet of BTC
    paged: bool = False
    turned_away: int = 0  # so many orders are one too many for it
    loses: bool = False  # it takes no order, and does not say so
    hides: bool = False  # it takes orders, and does not say so
    unsettled: int = 0  # so many looks show the order as if nothing had come of it yet
    orders: list[dict[str, str]] = field(default_factory=list)

    def answer(self, request: Request) -> tuple[int, bytes]:
        path, _, query = request.target.partition("?")
        sends = request.method == "POST"
        status, told = self._sent(json.loads(request.body)) if sends else (200, self._told(path, query))
        return status, json.dumps(told).encode()

    def _told(self, path: str, query: str) -> dict[str, Any]:
        if path.endswith("/accounts"):
            return self._accounts("cursor=" in query)
        if path.endswith("/product_book"):
            book: dict[str, Any] = json.loads(BOOK)
            book["pricebook"] |= {"bids": [{"price": price, "size": size} for price, size in self.bids], "asks": []}
            return book
        if path.endswith("/batch"):
            return {"orders": self._listed(parse_qs(query)["start_date"][0]), "has_next": False}
        if "/products/" in path:
            return {**json.loads(PRODUCT), **self.listing}
        order: dict[str, Any] = json.loads(ORDER)["order"]
        number = int(path.rpartition("-")[2])
        if self.unsettled:
            self.unsettled -= 1
            return {"order": order}
        return {"order": order | {"status": "CANCELLED", "filled_size": self.orders[number]["filled"]}}

    def _listed(self, start: str) -> list[dict[str, Any]]:
        """What was taken by the venue's own clock."""
        one: dict[str, Any] = json.loads(ORDER)["order"]
        rows = [one | {"order_id": f"order-{n}", "client_order_id": each["name"]} for n, each in enumerate(self.orders)]
        return rows if start <= rfc3339(Clock().now_ms) else []

    def _accounts(self, is_next: bool) -> dict[str, Any]:
        whole: dict[str, Any] = json.loads(ACCOUNTS)
        one = whole["accounts"][0]
        rows = [
            {**one, "uuid": f"u{n}", "available_balance": {"value": free, "currency": "BTC"}}
            for n, free in enumerate(self.wallets)
        ]
        if not self.paged:
            return {**whole, "accounts": rows}
        return {
            **whole,
            "accounts": rows[1:] if is_next else rows[:1],
            "has_next": not is_next,
            "cursor": "" if is_next else "more",
        }

    def _sent(self, order: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.loses:
            return 503, {}
        if self.turned_away:
            self.turned_away -= 1
            return 429, {"error": "rate_limit_exceeded"}
        (shape,) = order["order_configuration"].values()
        left, limit, rest = Decimal(shape["base_size"]), Decimal(shape["limit_price"]), list[tuple[str, str]]()
        for price, size in self.bids:
            taken = min(left, Decimal(size)) if Decimal(price) >= limit else Decimal(0)
            left -= taken
            rest += [(price, str(Decimal(size) - taken))] if Decimal(size) > taken else []
        self.bids = self.bids if self.renews else tuple(rest)
        filled = Decimal(shape["base_size"]) - left
        name = order["client_order_id"]
        self.orders.append(
            {"size": shape["base_size"], "limit": shape["limit_price"], "filled": str(filled), "name": name}
        )
        response = {"order_id": f"order-{len(self.orders) - 1}", "client_order_id": name}
        return (503, {}) if self.hides else (200, {"success": True, "success_response": response})


@dataclass(frozen=True)
class Sold:
    orders: list[tuple[str, str]]  # size and limit of each
    unsold: list[str]
    progress: Progress
    unwritten: bool


def flattened(venue: Counter, state: Path, quantity: str = "1") -> Sold:
    clock, progress = Clock(), Progress()
    with answering(venue.answer) as server:
        client = CoinbaseClient(http(server.url, clock), KEY, clock.now_s, Urgency.KILL)
        selling = Flattening(client, state, progress, monotonic() + 20)
        selling.run({BTC: Decimal(quantity)})
    return Sold([(one["size"], one["limit"]) for one in venue.orders], selling.unsold, progress, selling.unwritten)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flatten, "PAUSE_S", 0.0)


AFTER_AFTER = f"not sold: not within {flatten.SLICES_MAX} orders at most {flatten.BAND_BPS} bps below the bid"
CASES: dict[str, tuple[Counter, str, list[tuple[str, str]], list[str], str]] = {
    "no deeper than the band, and then from the next bid": (
        Counter((("100.00", "0.5"), ("97.00", "5"))), "1", [("0.5", "98"), ("0.5", "95.06")], [], "",
    ),
    "as much as is bid within it": (
        Counter((("100.00", "0.5"), ("98.00", "5"))), "1", [("1", "98")], [], "",
    ),
    "a book that stays thin": (
        Counter((("100.00", "0.05"),), renews=True), "1", [("0.05", "98")] * 12, [f"0.4 {BTC} {AFTER_AFTER}"], "",
    ),
    "no more than the venue takes at once": (
        Counter(listing={"base_max_size": "0.4"}), "1", [("0.4", "98"), ("0.4", "98"), ("0.2", "98")], [], "",
    ),
    "a product that takes no order": (
        Counter(listing={"cancel_only": True}), "1", [], [f"1 {BTC} not sold: only cancels are accepted"], "",
    ),
    "nobody bids": (Counter(()), "1", [], [f"1 {BTC} not sold: nobody bids"], ""),
    "less than the venue trades is dust": (
        Counter(listing={"base_min_size": "0.01"}), "0.001", [], [], f"dust: 0.001 {BTC} is less than the venue trades",
    ),
    "for less than the venue trades is dust": (
        Counter(), "0.001", [], [], f"dust: 0.001 {BTC} is less than the venue trades",
    ),
    "dust is dust however thin the book": (
        Counter((("100.00", "0.0001"),)), "0.001", [], [], f"dust: 0.001 {BTC} is less than the venue trades",
    ),
    "no more than is free": (
        Counter(wallets=("0.75",)), "1", [], [f"1 {BTC} not sold: the account had only 0.75 of it free"], "",
    ),
    "wallets of a coin add up": (Counter(wallets=("0.5", "0.5")), "1", [("1", "98")], [], ""),
    "and over their pages": (Counter(wallets=("0.5", "0.5"), paged=True), "1", [("1", "98")], [], ""),
    "what was one too many is sent again": (Counter(turned_away=1), "1", [("1", "98")], [], ""),
    "what fills a moment later is waited for": (Counter(unsettled=2), "1", [("1", "98")], [], ""),
}  # fmt: skip


@pytest.mark.parametrize(("venue", "held", "orders", "unsold", "note"), CASES.values(), ids=CASES)
def test_a_position_is_sold_as_far_as_the_book_takes_it(
    tmp_path: Path, venue: Counter, held: str, orders: list[tuple[str, str]], unsold: list[str], note: str
) -> None:
    done = flattened(venue, tmp_path, held)
    assert (done.orders, done.unsold) == (orders, unsold)
    assert done.progress.notes == ([note] if note else [])
    assert [(one.quantity, one.limit) for one in sales(tmp_path)] == orders
    assert [one["quantity"] for one in done.progress.sold] == [size for size, _ in orders]


def test_a_sale_that_cannot_be_written_down_is_made_and_told_and_no_second_try_follows(tmp_path: Path) -> None:
    done = flattened(Counter(), tmp_path / "gone")
    assert (done.orders, done.unsold, done.unwritten) == ([("1", "98")], [], True)
    (told,) = done.progress.problems
    assert told.startswith("the sale ") and "is not written down" in told


def test_a_sale_of_which_nobody_can_say_what_became_is_sent_twice_at_the_most_under_one_id(tmp_path: Path) -> None:
    """It is looked for from ten minutes before by the venue's time."""
    asked = list[Request]()
    venue = Counter(loses=True)

    def answer(request: Request) -> tuple[int, bytes]:
        asked.append(request)
        return venue.answer(request)

    with answering(answer) as server:
        client = CoinbaseClient(http(server.url, Clock()), KEY, Clock().now_s, Urgency.KILL)
        selling = Flattening(client, tmp_path, Progress(), monotonic() + 20)
        selling.run({BTC: Decimal(1)})
    bodies = [one.body for one in asked if one.method == "POST"]
    assert (len(bodies), len(set(bodies)), len(sales(tmp_path))) == (2, 1, 1)
    assert selling.unsold[0].startswith(f"1 {BTC} not sold: ")
    listed = [parse_qs(one.target.partition("?")[2]) for one in asked if "/batch?" in one.target]
    assert listed and all(one["start_date"][0] <= rfc3339(Clock().now_ms - 600_000) for one in listed)


def test_a_sale_whose_answer_is_lost_is_found_by_the_time_of_the_venue(tmp_path: Path) -> None:
    """This machine's clock is years ahead of that venue's. Told as unsold, a person would sell coins of their own."""
    done = flattened(Counter(hides=True), tmp_path)
    assert (done.orders, done.unsold) == ([("1", "98")], [])
    assert [one["quantity"] for one in done.progress.sold] == ["1"]
