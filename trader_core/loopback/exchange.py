"""The exchange itself: one account, its orders, and their matching against the books. One thread, no waiting."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from trader_core.loopback import checks
from trader_core.loopback.accounts import START, Account
from trader_core.loopback.book import BUY, SELL, Books
from trader_core.loopback.chance import bits, identity
from trader_core.loopback.clock import Clock
from trader_core.loopback.fillmodel import resting_lots
from trader_core.loopback.market import DAY_MS, Bar, Feed, Path, Pin
from trader_core.loopback.numbers import ZERO, exact, steps, text, units
from trader_core.loopback.orders import (
    CANCELLED,
    DOWN,
    EXPIRED,
    FILLED,
    FOK,
    GTC,
    LIMIT,
    Fill,
    No,
    Order,
    Wish,
    wish_of,
)
from trader_core.loopback.products import STATUSES, Product, Standing
from trader_core.loopback.trouble import Misused
from trader_core.loopback.truth import Truth
from trader_core.loopback.wire import moment, order_shape

SHAPES_KEPT_MS = 120_000  # how long a list may lag behind
ALL = 1 << 62  # lots; no bound
UNKNOWN_ORDER = "UNKNOWN_CANCEL_ORDER"
NO_REASON = "UNKNOWN_CANCEL_FAILURE_REASON"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an order would do now, for a preview: base, value, fee, what it would keep, and every refusal."""

    errors: tuple[str, ...]
    base: Decimal
    value: Decimal
    fee: Decimal
    prices: checks.Prices | None


@dataclass(frozen=True, slots=True)
class Market:
    """What is traded, and where prices come from."""

    products: Mapping[str, Product]
    paths: Mapping[str, Path]  # of canonical products


@dataclass
class Exchange:
    seed: int
    clock: Clock
    market: Market
    truth: Truth
    balances: Mapping[str, Decimal] = field(default_factory=lambda: dict(START))
    _resets: int = 0

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """A new account on the same market: no orders, no pins, every flag down. Ids are never used twice."""
        self.clock.restart()
        now_ms = self.clock.now_ms()
        self._run = f"{self.seed}/{self.clock.start_ms}/{self._resets}"
        self._resets += 1
        self.account = Account(self._run, now_ms)
        self.account.put(self.balances)
        self.products = dict(self.market.products)
        self.standing = {name: Standing() for name in self.products}
        self.feeds = {name: Feed(path) for name, path in self.market.paths.items()}
        self.books = {name: Books(self.seed, self.products[name], feed) for name, feed in self.feeds.items()}
        self.orders: dict[str, Order] = {}
        self.by_client: dict[str, Order] = {}
        self.fills: list[Fill] = []
        self._live: dict[str, list[Order]] = {}
        self._days: dict[str, tuple[int, int, int]] = {}
        self._seen_ms = now_ms
        self._last_us = 0

    # --- looking -----------------------------------------------------------------------------------------------------

    def book(self, product: Product) -> Books:
        return self.books[product.canonical]

    def prices(self, product: Product) -> checks.Prices | None:
        """None where nothing has traded yet."""
        book, now_ms = self.book(product), self.clock.now_ms()
        touch, last = book.touch(now_ms), book.feed.price(now_ms)
        if touch is None or last is None:
            return None
        return checks.Prices(*(book.price(ticks) for ticks in (*touch, last)))

    def last_day(self, product: Product) -> tuple[int, int]:
        """(lots, lots times ticks) traded in the last 24 hours, up to the newest finished candle."""
        path = self.book(product).feed.path
        until_ms = self.clock.now_ms() // path.finest_ms * path.finest_ms
        known = self._days.get(product.canonical)
        if known is None or known[0] != until_ms:
            rows = path.finished(until_ms - DAY_MS, until_ms, path.finest_ms)
            value = sum(lots * ticks for lots, ticks in zip(rows.volume.tolist(), rows.close.tolist(), strict=True))
            known = self._days[product.canonical] = (until_ms, int(rows.volume.sum()), value)
        return known[1], known[2]

    def resting(self, product: Product) -> list[Order]:
        return self._live.get(product.canonical, [])

    def listed_orders(self, lag_ms: int) -> Iterable[tuple[Order, dict[str, Any]]]:
        """Newest first, each as it was told so long ago; what is newer is not there."""
        until_ms = self.clock.now_ms() - lag_ms
        for order in reversed(self.orders.values()):
            told = [shape for at_ms, shape in order.shapes if at_ms <= until_ms]
            if told:
                yield order, told[-1]

    def listed_fills(self, lag_ms: int) -> list[Fill]:
        """Newest first."""
        until_us = (self.clock.now_ms() - lag_ms) * 1_000 + 999
        found = [fill for fill in self.fills if lag_ms == 0 or fill.at_us <= until_us]
        return found[::-1]

    # --- time --------------------------------------------------------------------------------------------------------

    @exact
    def advance(self) -> None:
        """Everything that the market has done to resting orders since the last look."""
        now_ms = self.clock.now_ms()
        if now_ms <= self._seen_ms:
            return
        busy = [canonical for canonical, live in self._live.items() if live]
        bars = [(bar, canonical) for canonical in busy for bar in self.feeds[canonical].bars(self._seen_ms, now_ms)]
        for bar, canonical in sorted(bars, key=lambda one: one[0].end_ms):
            self._bar(canonical, bar)
        for canonical in busy:
            self._expire(canonical, now_ms)
        self._seen_ms = now_ms

    def _bar(self, canonical: str, bar: Bar) -> None:
        self._expire(canonical, bar.end_ms)
        for order in list(self._live.get(canonical, ())):
            flags = self.standing[order.product.product_id].flags
            if order.live and not flags["auction_mode"] and not flags["trading_disabled"]:
                self._meets(order, bar)

    def _expire(self, canonical: str, at_ms: int) -> None:
        for order in list(self._live.get(canonical, ())):
            if order.wish.end_ms is not None and order.wish.end_ms <= at_ms:
                self._ends(order, EXPIRED, "", at_ms)

    def _meets(self, order: Order, bar: Bar) -> None:
        """A bar goes by. A stop that is reached takes what its limit allows; what rests is met as a maker, first where
        the book has come to it, then where the bar has traded through it."""
        if order.waits:
            if self._reached(order, bar):
                order.triggered = True
                self._takes(order, ALL, None, bar.end_ms)
                self._note(order, "triggered", {}, bar.end_ms)
            return
        self._met_by_book(order, bar.end_ms)
        if order.live and order.limit is not None:
            digits, product = order.product.base_digits, order.product
            lots = resting_lots(
                order.buys, steps(order.remaining, digits), steps(order.limit, product.price_digits), bar
            )
            if lots:
                self._fill(order, order.limit, lots, True, bar.end_ms)

    def _reached(self, order: Order, bar: Bar) -> bool:
        stop = order.wish.stop or ZERO
        ticks = stop.scaleb(order.product.price_digits)
        return bar.low <= ticks if order.wish.direction == DOWN else bar.high >= ticks

    def _met_by_book(self, order: Order, at_ms: int) -> None:
        book, limit = self.book(order.product), order.limit
        other = SELL if order.buys else BUY
        for level in book.side(other, at_ms):
            price = book.price(level.price)
            if not order.live or limit is None or (price > limit if order.buys else price < limit):
                return
            lots = min(level.lots, steps(order.remaining, order.product.base_digits))
            book.take(other, level.price, lots, at_ms)
            self._fill(order, limit, lots, True, at_ms)

    # --- orders ------------------------------------------------------------------------------------------------------

    @exact
    def create(
        self, client_order_id: str, product_id: str, side: str, configuration: object, part: Decimal | None = None
    ) -> Order | No:
        """Accept an order and match it. An id that is known names the order that has it, and moves nothing.

        `part`: only that share of it is filled at once, and what cannot rest is cancelled.
        """
        self.advance()
        known = self.by_client.get(client_order_id)
        if known is not None:
            return known
        checked = self._checked(product_id, side, configuration)
        if isinstance(checked, No):
            return checked
        product, wish = checked
        order = self._accepted(client_order_id, product, side, wish, configuration)
        self._work(order, part)
        if order.live:
            self._live.setdefault(product.canonical, []).append(order)
        return order

    def _checked(self, product_id: str, side: str, configuration: object) -> tuple[Product, Wish] | No:
        found = self._understood(product_id, side, configuration)
        if isinstance(found, No):
            return found
        product, wish = found
        prices, buys = self.prices(product), side == BUY
        if prices is None:
            return No("PREVIEW_INVALID_NO_LIQUIDITY", "INVALID_NO_LIQUIDITY", "there is no market yet")
        no = checks.of_sizes(product, wish, buys) or checks.of_prices(wish, buys, prices, self.clock.now_ms())
        return no or self._unfunded(product, wish, buys) or found

    def _understood(self, product_id: str, side: str, configuration: object) -> tuple[Product, Wish] | No:
        product = self.products.get(product_id)
        if product is None:
            return No("PREVIEW_INVALID_PRODUCT_ID", "INVALID_PRODUCT_ID", "there is no such product")
        if side not in (BUY, SELL):
            return No("PREVIEW_INVALID_SIDE", "INVALID_SIDE", "a side is BUY or SELL")
        wish = wish_of(configuration)
        if isinstance(wish, No):
            return wish
        return checks.of_product(product, self.standing[product_id], wish) or (product, wish)

    def _unfunded(self, product: Product, wish: Wish, buys: bool) -> No | None:
        if not buys:
            return checks.of_funds(self.account.available(product.base) or ZERO, wish.base_size or ZERO)
        tier = self.account.tier
        rate = tier.maker if wish.post_only else tier.taker
        if wish.quote_size is not None:
            needed = wish.quote_size
        elif wish.limit is not None:
            needed = (wish.base_size or ZERO) * wish.limit * (1 + rate)
        else:
            _, value = self._walked(product, wish, buys)
            needed = value * (1 + rate)
        return checks.of_funds(self.account.available(product.quote), needed)

    def _walked(self, product: Product, wish: Wish, buys: bool) -> tuple[Decimal, Decimal]:
        """(base, value) that the book would give now."""
        book, tier, base, value = self.book(product), self.account.tier, ZERO, ZERO
        for level in book.side(SELL if buys else BUY, self.clock.now_ms()):
            price = book.price(level.price)
            if wish.limit is not None and (price > wish.limit if buys else price < wish.limit):
                break
            lots = level.lots
            if wish.base_size is not None:
                lots = min(lots, steps(wish.base_size - base, product.base_digits))
            if wish.quote_size is not None:
                lots = min(lots, _affordable(wish.quote_size - value * (1 + tier.taker), price, tier.taker, product))
            if lots <= 0:
                break
            base += units(lots, product.base_digits)
            value += price * units(lots, product.base_digits)
        return base, value

    def _accepted(self, client_order_id: str, product: Product, side: str, wish: Wish, configuration: object) -> Order:
        number, tier = len(self.orders) + 1, self.account.tier
        told = dict(configuration) if isinstance(configuration, Mapping) else {}
        order = Order(
            number, identity(self._run, "order", number), client_order_id, product, side, wish, told,
            self._stamp(self.clock.now_ms()), size=wish.base_size, limit=wish.limit, maker=tier.maker,
            taker=tier.taker,
        )  # fmt: skip
        self.orders[order.order_id] = self.by_client[client_order_id] = order
        self._keep(order)
        figures = {"product_id": product.product_id, "side": side, "order_configuration": told}
        self._note(order, "accepted", figures, self.clock.now_ms())
        return order

    def _work(self, order: Order, part: Decimal | None) -> None:
        """What an order does in the moment in which it arrives."""
        now_ms, wish, most = self.clock.now_ms(), order.wish, ALL
        if order.waits or self.standing[order.product.product_id].flags["auction_mode"]:
            return
        if part is not None and order.size is not None:
            most = steps(order.size * part, order.product.base_digits)
        if wish.post_only and part is not None and order.limit is not None:
            if most:
                self._fill(order, order.limit, most, True, now_ms)
            return
        if wish.time_in_force == FOK and self._walked(order.product, wish, order.buys)[0] < order.remaining:
            most = 0
        budget = None if wish.quote_size is None else wish.quote_size * (1 if part is None else part)
        if not wish.post_only:
            self._takes(order, most, budget, now_ms)
        if order.live and not wish.rests:
            spent = order.size is None and order.fills > 0 and part is None and not self._dry(order)
            self._ends(order, FILLED if spent else CANCELLED, "" if spent else "the remainder found nobody", now_ms)

    def _dry(self, order: Order) -> bool:
        """A quote-sized order that the book could not fill."""
        left = (order.wish.quote_size or ZERO) - order.filled_value - order.fees
        other = self.book(order.product).side(SELL if order.buys else BUY, self.clock.now_ms(), 1)
        return (
            not other
            or _affordable(left, units(other[0].price, order.product.price_digits), order.taker, order.product) > 0
        )

    def _takes(self, order: Order, most: int, budget: Decimal | None, at_ms: int) -> None:
        """Take from the book, best price first, within limit, lots and budget (fee inside)."""
        book, other = self.book(order.product), SELL if order.buys else BUY
        for level in book.side(other, at_ms):
            price = book.price(level.price)
            beyond = order.limit is not None and (price > order.limit if order.buys else price < order.limit)
            lots = min(level.lots, most)
            if order.size is not None:
                lots = min(lots, steps(order.remaining, order.product.base_digits))
            if budget is not None:
                left = budget - order.filled_value - order.fees
                lots = min(lots, _affordable(left, price, order.taker, order.product))
            if beyond or lots <= 0 or not order.live:
                return
            most -= lots
            book.take(other, level.price, lots, at_ms)
            self._fill(order, price, lots, False, at_ms)

    def _fill(self, order: Order, price: Decimal, lots: int, maker: bool, at_ms: int) -> None:
        size = units(lots, order.product.base_digits)
        value = price * size
        fee = value * (order.maker if maker else order.taker)
        base, quote = self.account.wallet(order.product.base), self.account.wallet(order.product.quote)
        sign = 1 if order.buys else -1
        base.total += sign * size
        quote.total -= sign * value + fee
        self.account.traded += value
        self.account.fees += fee
        order.filled_size += size
        order.filled_value += value
        order.fees += fee
        order.fills += 1
        number, order.last_fill_us = len(self.fills) + 1, self._stamp(at_ms)
        entry, trade = bits(self._run, "entry", number).hex(), identity(self._run, "trade", number)
        self.fills.append(Fill(number, entry, trade, order, price, size, value, fee, maker, order.last_fill_us))
        told = {"product_id": order.product.product_id, "side": order.side, "price": text(price), "size": text(size)}
        indicator = "MAKER" if maker else "TAKER"
        told |= {"commission": text(fee), "liquidity_indicator": indicator, "trade_id": trade, "entry_id": entry}
        self.truth.tell("fill", self._who(order) | told | {"at": moment(order.last_fill_us)})
        if order.size is not None and order.remaining == ZERO:
            self._ends(order, FILLED, "", at_ms)
        else:
            self._keep(order)
            self._shape(order)

    def _keep(self, order: Order) -> None:
        """The order keeps what it may still cost, fee included, and nothing more."""
        amount = ZERO
        if order.live and not order.buys:
            amount = order.remaining
        elif order.live and order.limit is not None:
            amount = order.remaining * order.limit * (1 + order.rate)
        self.account.wallet(order.held_currency).hold += amount - order.hold
        order.hold = amount

    def _ends(self, order: Order, status: str, message: str, at_ms: int) -> None:
        order.status, order.cancel_message = status, message
        live = self._live.get(order.product.canonical, [])
        if order in live:
            live.remove(order)
        self._keep(order)
        self._note(order, status.lower(), {}, at_ms)

    def _note(self, order: Order, what: str, figures: Mapping[str, Any], at_ms: int) -> None:
        """Every order and every change of one, in the truth and for the lists."""
        kind = "order" if what == "accepted" else "state"
        told = dict(figures) if kind == "order" else {"state": what, "filled_size": text(order.filled_size), **figures}
        stamp = order.at_us if kind == "order" else self._stamp(at_ms)
        self.truth.tell(kind, self._who(order) | told | {"at": moment(stamp)})
        self._shape(order)

    def _who(self, order: Order) -> dict[str, Any]:
        return {"order_id": order.order_id, "client_order_id": order.client_order_id}

    def _shape(self, order: Order) -> None:
        now_ms = self.clock.now_ms()
        fresh = [place for place, (at_ms, _) in enumerate(order.shapes) if at_ms > now_ms - SHAPES_KEPT_MS]
        first = max(0, (fresh[0] if fresh else len(order.shapes)) - 1)
        order.shapes = [*order.shapes[first:], (now_ms, order_shape(order, self.account))]

    def _stamp(self, at_ms: int) -> int:
        """Microseconds that never come twice, so that times order what happened."""
        self._last_us = max(at_ms * 1_000, self._last_us + 1)
        return self._last_us

    # --- preview, cancel, edit ---------------------------------------------------------------------------------------

    @exact
    def preview(self, product_id: str, side: str, configuration: object) -> Estimate:
        """What `create` would say and do now; nothing is changed."""
        self.advance()
        checked = self._checked(product_id, side, configuration)
        errors = (checked.preview,) if isinstance(checked, No) else ()
        found = self._understood(product_id, side, configuration)
        if isinstance(found, No):
            return Estimate(errors, ZERO, ZERO, ZERO, None)
        product, wish = found
        tier = self.account.tier
        if wish.limit is not None and wish.base_size is not None:
            base, value = wish.base_size, wish.base_size * wish.limit
        else:
            base, value = self._walked(product, wish, side == BUY)
        rate = tier.maker if wish.post_only else tier.taker
        return Estimate(errors, base, value, value * rate, self.prices(product))

    @exact
    def cancel(self, order_id: str, lost: bool = False) -> str:
        """The failure's reason, or NO_REASON. `lost`: the order is filled in the moment in which it is cancelled."""
        self.advance()
        order = self.orders.get(order_id)
        if order is None or not order.live:
            return UNKNOWN_ORDER
        if lost and order.limit is not None:
            lots = steps(order.remaining, order.product.base_digits)
            self._fill(order, order.limit, lots, True, self.clock.now_ms())
            return NO_REASON
        self._ends(order, CANCELLED, "User requested cancel", self.clock.now_ms())
        return NO_REASON

    @exact
    def edit(self, order_id: str, price: Decimal | None, size: Decimal | None) -> tuple[str, str] | None:
        """(edit reason, preview reason) of a refusal; None when the order has its new price and size.

        A size or price that is missing is zero, as the venue reads it.
        """
        self.advance()
        order = self.orders.get(order_id)
        refused = self._uneditable(order, price or ZERO, size or ZERO)
        if refused is not None or order is None:
            return refused
        order.limit, order.size = price, size
        name = order.wish.configuration
        changed = {"limit_price": text(price or ZERO), "base_size": text(size or ZERO)}
        order.configuration = {name: {**order.configuration[name], **changed}}
        now_ms = self.clock.now_ms()
        stamp = moment(self._stamp(now_ms))
        order.edits.append(
            {"price": changed["limit_price"], "size": changed["base_size"], "replace_accept_timestamp": stamp}
        )
        self._keep(order)
        self._note(order, "edited", {"price": changed["limit_price"], "size": changed["base_size"]}, now_ms)
        if order.remaining == ZERO:
            self._ends(order, FILLED, "", now_ms)
        else:
            self._work(order, None)
        return None

    def _uneditable(self, order: Order | None, price: Decimal, size: Decimal) -> tuple[str, str] | None:
        nothing = "UNKNOWN_PREVIEW_FAILURE_REASON"
        if order is None or not order.live:
            return "ORDER_NOT_FOUND", nothing
        if order.wish.order_type != LIMIT or order.wish.time_in_force != GTC:
            return "ONLY_LIMIT_ORDER_EDITS_SUPPORTED", nothing
        if size <= ZERO:
            return "INVALID_EDITED_SIZE", nothing
        if size < order.filled_size:
            return "CANNOT_EDIT_TO_BELOW_FILLED_SIZE", nothing
        wish = replace(order.wish, limit=price, base_size=size)
        prices = self.prices(order.product)
        no = checks.of_product(order.product, self.standing[order.product.product_id], wish)
        no = no or checks.of_sizes(order.product, wish, order.buys)
        if no is None and prices is not None:
            no = checks.of_prices(wish, order.buys, prices, self.clock.now_ms())
        left = size - order.filled_size
        needed = left * price * (1 + order.rate) if order.buys else left
        wallet = self.account.wallet(order.held_currency)
        no = no or checks.of_funds(wallet.available + order.hold, needed)
        return None if no is None else ("UNKNOWN_EDIT_ORDER_FAILURE_REASON", no.preview)

    # --- what tests do to it -----------------------------------------------------------------------------------------

    @exact
    def pin(self, product_id: str, pins: list[Pin]) -> None:
        """Prices stand where they are put, from their times on; what is due now happens at once."""
        self.advance()
        product = self._named(product_id)
        feed, now_ms = self.feeds[product.canonical], self.clock.now_ms()
        was = feed.price(now_ms)
        for pin in pins:
            feed.pin(pin)
        self.book(product).refresh()
        now = feed.price(now_ms)
        self._seen_ms = max(self._seen_ms, now_ms)
        if was is not None and now is not None:
            volume = feed.path.volume(now_ms)
            self._bar(product.canonical, Bar(now_ms, was, max(was, now), min(was, now), now, volume))

    @exact
    def stand(self, product_id: str, status: str | None, flags: Mapping[str, bool]) -> None:
        """A product's status and flags from now on. A delisted product's orders are cancelled by the venue."""
        self.advance()
        standing = self.standing[self._named(product_id).product_id]
        unknown = set(flags) - set(standing.flags)
        if unknown:
            raise Misused(f"there is no flag {min(unknown)}; there are {', '.join(standing.flags)}")
        if status and status not in STATUSES:
            raise Misused(f"there is no status {status}; there are {', '.join(STATUSES)}")
        standing.flags |= flags
        standing.status = status or standing.status
        if standing.status == "delisted":
            for order in [one for one in self.orders.values() if one.live and one.product.product_id == product_id]:
                self._ends(order, CANCELLED, "the product was delisted", self.clock.now_ms())

    def _named(self, product_id: str) -> Product:
        if product_id not in self.products:
            raise Misused(f"there is no product {product_id}")
        return self.products[product_id]

    def valued(self) -> Decimal:
        """The account in US dollars, to a cent, for the reader of a summary."""
        total = ZERO
        for currency, wallet in self.account.wallets.items():
            product = self.products.get(f"{currency}-USD")
            prices = self.prices(product) if product else None
            price = prices.last if prices else Decimal(currency in ("USD", "USDC"))
            total += wallet.total * price
        return total.quantize(Decimal("0.01"))


def _affordable(left: Decimal, price: Decimal, rate: Decimal, product: Product) -> int:
    """Lots that an amount pays for, fee included, rounded down."""
    cost = price * (1 + rate) * units(1, product.base_digits)
    return max(0, int(left // cost))
