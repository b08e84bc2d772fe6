"""Every order of ours that can add risk is canceled, and looked for until two looks in a row find none.

A purchase adds risk, and so does a word that is no side we know. A sale of ours stays while the ledger holds what it
sells: it is what protects the position. What cannot be known stays as well, and is told.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from time import monotonic, sleep
from typing import TypeVar

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.ids import bears_mark
from trader_core.domain.instrument import base_of
from trader_core.domain.money import plain
from trader_core.domain.values import replace
from trader_core.domain.words import count
from trader_core.kill.reach.insist import beside, insist
from trader_core.kill.reach.ledger import OVERLAP_MS, Ledger
from trader_core.kill.run import Progress
from trader_core.venues.coinbase.bodies import CANCELS_MAX
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.words import OrderShape, Shape, VenueOrder

POLL_S = 0.5  # between two looks
BY_ID_MAX = 120  # orders that are asked for one by one, because a list lags

T = TypeVar("T")
Orders = Mapping[str, VenueOrder]  # by the venue's id


class Sweep:
    """One kill's work on the orders of an account. `ledger` is None where it cannot be read."""

    def __init__(
        self, client: CoinbaseClient, ledger: Ledger | None, progress: Progress, until_s: float, settled_s: float
    ) -> None:
        self._client, self._ledger, self._progress = client, ledger, progress
        self._until_s, self._settled_s = until_s, settled_s
        self._asked: dict[str, VenueOrder] = {}  # to be canceled, so far
        self._seen: set[str] = set()  # our ids, of everything that was ever listed
        self._over: set[str] = set()  # looked at one by one, and over: a list that shows them lags
        self._torn: set[str] = set()  # what was told of orders that cannot be read whole
        self.ended: dict[str, VenueOrder] = {}  # how they ended, as far as the venue knows them

    def run(self, everything: bool, stops_too: bool) -> None:
        """Raises TraderError where it cannot be brought to its end; what was done stands in `progress`."""
        self._everything, self._stops_too = everything, stops_too
        began_s = monotonic()
        self._progress.stage = "looking for open orders"
        risky = self._risky(self._look())
        began_s = self._phase("look", began_s)
        if risky:
            self._cancel(risky)
            began_s = self._phase("cancel", began_s)
        self._progress.stage = "verifying that they are gone"
        while risky := self._two_looks():
            self._cancel(risky)
        self._unseen()
        self._progress.verified = True
        self._phase("verify", began_s)

    def again(self, until_s: float) -> bool:
        """Whether anything risky has come to rest since, which a loop had begun to send; it is gone now. Raises
        TraderError."""
        self._until_s, found = until_s, False
        while risky := self._risky(self._look()):
            self._cancel(risky)
            found = True
        return found

    def _unseen(self) -> None:
        """What was written down a moment ago and no list shows may have left, and may still turn up."""
        unsure = {} if self._ledger is None else self._ledger.unsure
        if unsure.keys() <= self._seen:
            return
        since_ms = EpochMs(self._client.venue_ms() - OVERLAP_MS)
        listed = insist(partial(self._client.orders_since, since_ms), self._until_s)
        known = self._seen | {one.client_order_id for one in listed}
        for identity in unsure.keys() - known:
            what = f"{unsure[identity]} ({identity}) may be on its way, and no list shows it: in 90 s trader kill again"
            self._progress.problems.append(what)

    def _phase(self, name: str, began_s: float) -> float:
        now_s = monotonic()
        self._progress.phases.append((name, round((now_s - began_s) * 1_000)))
        return now_s

    # --- looking -----------------------------------------------------------------------------------------------------

    def _two_looks(self) -> Orders:
        """What adds risk in one of two looks, POLL_S apart. They may overlap: what counts is when they began."""
        sleep(max(0.0, min(self._settled_s, self._until_s) - monotonic() - POLL_S))
        first, second = beside([self._look, self._look_later])
        return {**self._risky(first), **self._risky(second)}

    def _look_later(self) -> Orders:
        sleep(POLL_S)
        return self._look()

    def _look(self) -> Orders:
        """What is open now: the two lists, and one by one what they may be wrong about."""
        asked = (self._client.orders_open, self._client.orders_waiting)
        found = {
            one.order_id: one
            for page in beside([self._insisting(ask) for ask in asked])
            for one in page
            if not one.is_over and one.order_id not in self._over and self._can_be_named(one)
        }
        unlisted = [] if self._ledger is None else [one for one in self._ledger.orders.values() if one]
        doubtful = [one for one in found if one in self._asked]
        doubtful += [one for one in unlisted if one not in found and one not in self._over]
        for order_id, order in self._one_by_one(dict.fromkeys(doubtful)):
            if order is None or order.is_over:
                self.ended.update({order_id: order} if order else {})
                self._over.add(order_id)
                found.pop(order_id, None)
            else:
                found[order_id] = order
        if self._ledger is not None:
            found = {order_id: as_written(order, self._ledger) for order_id, order in found.items()}
        self._seen |= {one.client_order_id for one in found.values()}
        self._tell(found)
        return found

    def _can_be_named(self, order: VenueOrder) -> bool:
        """Whether it can be canceled, which takes an id. Of one that is torn it is told once."""
        told = f"an order {order.order_id or 'without an id'}: its {', '.join(order.torn)} cannot be read"
        if order.torn and told not in self._torn:
            self._torn.add(told)
            may_stay = not order.order_id or not (order.client_order_id or self._everything or self._is_ours(order))
            (self._progress.problems if may_stay else self._progress.notes).append(told)
        return bool(order.order_id)

    def _tell(self, found: Orders) -> None:
        """For whoever reports when the time is over."""
        self._progress.canceled[:] = [told(one) for key, one in self._asked.items() if key not in found]
        self._progress.left[:] = [told(one) for key, one in self._asked.items() if key in found]

    def _one_by_one(self, order_ids: Iterable[str]) -> list[tuple[str, VenueOrder | None]]:
        few = list(order_ids)[:BY_ID_MAX]
        return list(zip(few, beside([self._insisting(partial(self._client.order, one)) for one in few]), strict=True))

    def _insisting(self, ask: Callable[[], T]) -> Callable[[], T]:
        return lambda: insist(ask, self._until_s)

    # --- judging -----------------------------------------------------------------------------------------------------

    def _risky(self, found: Orders) -> Orders:
        """What is to be canceled of these; tells what is kept, and what is left alone."""
        ours = {key: one for key, one in found.items() if self._everything or self._is_ours(one)}
        risky = {
            key: one for key, one in ours.items() if self._stops_too or self._everything or one.side is not Side.SELL
        }
        kept = {key: one for key, one in ours.items() if key not in risky}
        beyond = {} if self._ledger is None else uncovered(kept, self._ledger.by_base())
        self._progress.foreign = len(found) - len(ours)
        self._progress.kept[:] = [told(one) for key, one in kept.items() if key not in beyond]
        return {**risky, **beyond}

    def _is_ours(self, order: VenueOrder) -> bool:
        orders = {} if self._ledger is None else self._ledger.orders
        known = order.client_order_id in orders or order.order_id in orders.values()
        return known or bears_mark(order.client_order_id)

    # --- canceling ---------------------------------------------------------------------------------------------------

    def _cancel(self, orders: Orders) -> None:
        """Ask for their end. What the venue answers is a promise; only looking tells."""
        self._progress.stage = f"canceling {count(len(orders), 'order')}"
        self._asked.update(orders)
        self._tell(self._asked)
        ids = list(orders)
        parts = [ids[start : start + CANCELS_MAX] for start in range(0, len(ids), CANCELS_MAX)]
        beside([self._insisting(partial(self._client.cancel, part)) for part in parts])


def as_written(order: VenueOrder, ledger: Ledger) -> VenueOrder:
    """With what cannot be read of one of ours as it was written down: a stop stays a sale of what it protects."""
    ours = next(
        (one for key, one in ledger.working.items()
         if order.torn and (key == order.client_order_id or order.order_id == one.venue_order_id)), None
    )  # fmt: skip
    if ours is None:
        return order
    terms, torn = ours.approved, order.torn
    shape = OrderShape(Shape.UNKNOWN, base_size=terms.quantity, stop=terms.trigger or None)
    return replace(
        order,
        client_order_id=ours.client_order_id,
        product_id=terms.symbol if "product_id" in torn else order.product_id,
        side=terms.side if "side" in torn else order.side,
        shape=shape if "order_configuration" in torn else order.shape,
        filled_size=ours.filled if "filled_size" in torn else order.filled_size,
    )


def uncovered(sales: Orders, held: Mapping[str, Decimal]) -> Orders:
    """Sales of more than is held, by base: stops are kept first, then older ones. An unknown size is too much."""
    free, found = dict(held), {}
    for key, one in sorted(sales.items(), key=_stops_first):
        base, size = base_of(one.product_id), one.shape.base_size
        remaining = None if size is None else size - one.filled_size
        if remaining is None or remaining > free.get(base, Decimal(0)):
            found[key] = one
        else:
            free[base] -= remaining
    return found


def _stops_first(item: tuple[str, VenueOrder]) -> tuple[bool, int, str]:
    key, order = item
    return order.shape.stop is None, order.created_ms, key


def told(order: VenueOrder) -> dict[str, str]:
    """An order in the words of a report."""
    shape = order.shape
    return {
        "product": order.product_id,
        "side": str(order.side or "UNKNOWN"),
        "kind": str(shape.kind),
        "size": plain(shape.base_size) if shape.base_size is not None else "",
        "limit": plain(shape.limit) if shape.limit is not None else "",
        "stop": plain(shape.stop) if shape.stop is not None else "",
        "filled": plain(order.filled_size),
        "order_id": order.order_id,
        "client_order_id": order.client_order_id,
    }
