"""What is ours to sell: by the ledger, and by what the venue has made of our orders since it was last written.

A list may lag; an order that is looked at by itself does not. It has traded the larger of its fills and of what it says
of itself, and what one that nobody can see may have sold is not sold again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.instrument import base_of
from trader_core.domain.money import plain
from trader_core.domain.values import replace
from trader_core.kill.reach.insist import beside, insist
from trader_core.kill.reach.ledger import OVERLAP_MS, TURNS_UP_MS, Ledger
from trader_core.kill.reach.sweep import Orders
from trader_core.kill.run import Progress
from trader_core.kill.sales import Sale, sales
from trader_core.ops.clock import host_ms
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.words import FillRow, VenueOrder


@dataclass(frozen=True)
class Awaited:
    """An order of ours of which the ledger may not know everything."""

    symbol: str
    side: Side
    quantity: Decimal
    booked: Decimal  # what the ledger has of it
    venue_order_id: str  # '' where nobody has told it
    may_turn_up: bool  # sent a moment ago, so that a list that does not show it says nothing


def awaited_of(ledger: Ledger, written: Iterable[Sale]) -> dict[str, Awaited]:
    """By our id: what was open when the ledger was last written, and what earlier kills sold that is not in it."""
    found = {
        key: Awaited(
            one.approved.symbol, one.approved.side, one.approved.quantity, one.filled, one.venue_order_id,
            key in ledger.unsure,
        )
        for key, one in ledger.working.items()
    }  # fmt: skip
    for sale in written:
        if sale.client_order_id not in ledger.names:
            late = host_ms() - sale.host_ms < TURNS_UP_MS
            found[sale.client_order_id] = Awaited(
                sale.symbol, Side.SELL, Decimal(sale.quantity), Decimal(0), "", late
            )  # fmt: skip
    return found


def owned(
    client: CoinbaseClient, ledger: Ledger, state: Path, ended: Orders, progress: Progress, until_s: float
) -> dict[str, Decimal]:
    """What may be sold, by symbol. What a person has of the same coin is never sold for it. `ended` was looked at one
    by one already, and is over."""
    awaited = awaited_of(ledger, sales(state))
    rows, strange = insist(partial(client.fills_since, ledger.fills_ms), until_s)
    news = [one for one in rows if one.entry_id not in ledger.trades]
    named = [one.order_id for one in news] + [odd.order_id for odd in strange]
    named += [one.venue_order_id for one in awaited.values() if one.venue_order_id]
    orders = {**ended, **_looked_at(client, [one for one in named if one not in ended], until_s)}
    orders |= _turned_up(client, awaited, orders, until_s)
    orders |= _named(awaited, orders)
    held = _moved(ledger, awaited, orders, news)
    _withhold(held, awaited, orders, progress)
    ours = ledger.names | awaited.keys()
    for odd in strange:
        if odd.order_id in orders and _may_be_of(orders[odd.order_id], ours):
            _give_up(held, odd.product_id)
            progress.problems.append(f"{odd.product_id} is not sold: the fill {odd.entry_id} is {odd.why}")
    for row in news:
        if row.order_id in orders and "client_order_id" in orders[row.order_id].torn:
            _give_up(held, row.product_id)
            progress.problems.append(f"{row.product_id} is not sold: nobody can say whether {row.order_id} is ours")
    return {symbol: quantity for symbol, quantity in held.items() if quantity > 0}


def _may_be_of(order: VenueOrder, ours: Collection[str]) -> bool:
    return order.client_order_id in ours or "client_order_id" in order.torn


def _of_coin(held: Iterable[str], product_id: str) -> list[str]:
    """What is held of a coin, whatever the name of the product under which the venue tells of it."""
    return [symbol for symbol in held if base_of(symbol) == base_of(product_id)]


def _give_up(held: dict[str, Decimal], product_id: str) -> None:
    for symbol in _of_coin(held, product_id):
        del held[symbol]


def _looked_at(client: CoinbaseClient, order_ids: Iterable[str], until_s: float) -> Orders:
    """Each by itself; what the venue does not know is missing."""
    named = dict.fromkeys(order_ids)
    found = zip(named, beside([partial(insist, partial(client.order, one), until_s) for one in named]), strict=True)
    return {key: one for key, one in found if one is not None}


def _turned_up(client: CoinbaseClient, awaited: Mapping[str, Awaited], orders: Orders, until_s: float) -> Orders:
    """What left a moment ago without a word of the venue, as far as a list shows it by now."""
    lost = [key for key in _unseen(awaited, orders) if awaited[key].may_turn_up and not awaited[key].venue_order_id]
    if not lost:
        return {}
    listed = insist(partial(client.orders_since, EpochMs(client.venue_ms() - OVERLAP_MS)), until_s)
    return _looked_at(client, [one.order_id for one in listed if one.client_order_id in lost], until_s)


def _named(awaited: Mapping[str, Awaited], orders: Orders) -> Orders:
    """Orders whose own word for our id cannot be read, and which the ledger knows by the venue's."""
    names = {one.venue_order_id: key for key, one in awaited.items() if one.venue_order_id}
    return {
        key: replace(one, client_order_id=names[key], torn=tuple(set(one.torn) - {"client_order_id"}))
        for key, one in orders.items()
        if "client_order_id" in one.torn and key in names
    }


def _unseen(awaited: Mapping[str, Awaited], orders: Orders) -> list[str]:
    seen = {one.client_order_id for one in orders.values()}
    return [key for key in awaited if key not in seen]


def _moved(
    ledger: Ledger, awaited: Mapping[str, Awaited], orders: Orders, news: Sequence[FillRow]
) -> dict[str, Decimal]:
    """The ledger's positions after what these orders have traded since."""
    held, told = dict(ledger.held), dict[str, Decimal]()

    def move(symbol: str, side: Side, quantity: Decimal) -> None:
        held[symbol] = held.get(symbol, Decimal(0)) + (quantity if side is Side.BUY else -quantity)

    for row in news:
        order = orders.get(row.order_id)
        if order is not None and order.client_order_id in awaited:
            told[row.order_id] = told.get(row.order_id, Decimal(0)) + row.quantity
        elif order is not None and order.client_order_id in ledger.names:
            known = [*_of_coin(held, row.product_id), order.product_id or row.product_id]
            move(known[0], row.side, row.quantity)
    for key, order in orders.items():
        one = awaited.get(order.client_order_id)
        if one is not None and "filled_size" not in order.torn:
            move(one.symbol, one.side, max(told.get(key, Decimal(0)), order.filled_size - one.booked))
    return held


def _withhold(
    held: dict[str, Decimal], awaited: Mapping[str, Awaited], orders: Orders, progress: Progress
) -> None:  # fmt: skip
    """What an order that nobody can see, or whose fills cannot be read, may have sold is not ours for sure."""
    unseen = [key for key in _unseen(awaited, orders) if awaited[key].may_turn_up or awaited[key].venue_order_id]
    torn = [one.client_order_id for one in orders.values() if "filled_size" in one.torn]
    for key, one in awaited.items():
        left = one.quantity - one.booked
        if left <= 0 or key not in (*unseen, *torn):
            continue
        if one.side is Side.SELL:
            held[one.symbol] = held.get(one.symbol, Decimal(0)) - left
            what = f"{plain(left)} {one.symbol} are not sold: nobody can say whether {key} has sold them"
            progress.problems.append(f"{what}; in 90 s trader kill again" if key in unseen else what)
        elif key in torn:
            progress.problems.append(f"what {key} bought of {one.symbol} is not sold: it cannot be read")
