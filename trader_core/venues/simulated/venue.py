"""A spot venue in a box: accounts, holds, fees, books around replayed candles, and a clock that we turn.

Orders sent at one bar's close meet the next bar, by the fill model that replays use too.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import numpy as np

from trader_core.domain.account import Balance, BalancePage, Fees
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, EpochMs, rfc3339
from trader_core.domain.errors import ConfigInvalid, StateUnusable
from trader_core.domain.facts import CashFlow, Filled
from trader_core.domain.fill import Fill, Side
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import MARK_BARS, Candles, TopOfBook
from trader_core.domain.money import Base, Quote, from_grains, grains_down
from trader_core.domain.order import ApprovedOrder, Order, OrderKind, OrderReport, OrderStatus
from trader_core.domain.values import replace
from trader_core.market.frame import build
from trader_core.market.guards import day_ranges
from trader_core.ports import CandleSource
from trader_core.rulebook import codes
from trader_core.rulebook.costs import ask_of, bar_cents, bid_of, depth_of, fee_of, slippage_of, worst_fee
from trader_core.rulebook.limits import Costs
from trader_core.rulebook.matching import meet
from trader_core.rulebook.money import PPM, more, mul_div_down, mul_div_up
from trader_core.venues.simulated.books import Books, VenueFill, VenueOrder

RANGES_MS = (2 * 24 + 1) * HOUR_MS  # a day's true ranges, and a day in which the price before them may lie
WOULD_TAKE = "post-only order would cross the book"
PAGE = 49  # balances a page, as the venue we imitate
KIND_CODE = {OrderKind.MAKER: codes.MAKER, OrderKind.TAKER: codes.TAKER, OrderKind.STOP: codes.STOP_MARKET}


class SimulatedVenue:
    """VenueReader and VenueTrader in one; who may use which half is decided in bootstrap."""

    def __init__(
        self,
        source: CandleSource,
        costs: Costs,
        books: Books,
        cash: int,
        foreign: Mapping[str, Decimal],
        tier_of: Callable[[str], int],
    ) -> None:
        """`cash`: 1e-8 quote that a new account starts with; `foreign`: coins in it that are never traded; `tier_of`
        an asset, how thin its book is taken to be.

        Raises StateUnusable where an instrument's tick or lot is not what the books were kept in.
        """
        if source.quote in foreign:
            what = (
                f"app.yaml: paper.holdings names {source.quote}, the account's own currency; that is paper.cash_quote"
            )
            raise ConfigInvalid((what,))
        self._source, self._costs, self._books, self._cash, self._foreign = source, costs, books, cash, foreign
        self._tier_of = tier_of
        self._hours: dict[
            tuple[str, str], tuple[tuple[int, ...], float]
        ] = {}  # of what is told by the hour, the newest
        self._listed = {one.symbol: one for one in source.instruments()}
        self._now = EpochMs(books.now_ms() or 0)
        kept = books.steps()
        self._known = {symbol: _instrument(symbol, steps) for symbol, steps in kept.items()} | self._listed
        self._new = [one for one in self._listed.values() if one.symbol not in kept]
        for one in self._listed.values():
            if kept.get(one.symbol, _steps(one)) != _steps(one):
                raise StateUnusable(
                    f"{one.symbol} was kept in steps of {kept[one.symbol]} and the candles now say {_steps(one)}",
                    remedy="restore the candles, or start a new account with --state DIR",
                )

    @property
    def now_ms(self) -> EpochMs:
        return self._now

    def advance(self, to_ms: int) -> None:
        """Let time pass: every bar that closes on the way meets every open order. The first call opens the account.

        Raises StateUnusable where the venue has gone further already: its account was set back behind its back.
        """
        with self._books.change():
            if self._books.now_ms() is None:
                self._books.transfer(self._source.quote, self._cash, to_ms, "cash the account was opened with")
            elif to_ms < self._now:
                raise StateUnusable(
                    f"the simulated venue is at {rfc3339(self._now)}, ahead of its account at {rfc3339(to_ms)}",
                    remedy="restore both files of the state together, or start a new account with --state DIR",
                )
            else:
                self._pass(to_ms)
            for one in self._new:
                self._books.set_steps(one.symbol, _steps(one))
            self._new = []
            self._now = EpochMs(to_ms)
            self._delist()
            self._books.set_meta("now_ms", str(to_ms))

    def _delist(self) -> None:
        """Orders in what is listed no more are over."""
        working = self._books.working()
        listed = {one.symbol for one in self.instruments()} if working else set()
        for order in working:
            if order.symbol not in listed:
                self._end(order, OrderStatus.EXPIRED, "delisted", self._now)

    def _pass(self, to_ms: int) -> None:
        now, working = self._now, self._books.working()
        while now < to_ms and working:
            now = EpochMs(min(now + self._source.bar_ms, to_ms))
            for order in sorted(working, key=lambda one: one.symbol):  # a replay goes by instrument too
                self._match(order, now)
            working = self._books.working()

    # --- VenueReader -------------------------------------------------------------------------------------

    def instruments(self) -> tuple[Instrument, ...]:
        """What is listed now: a pair that had bars, and has sent none for MARK_BARS, is not any more. Where every pair
        is silent, it is the venue that is."""
        everything = tuple(self._listed.values())
        heard = [one.symbol for one in everything if self._bars(one.symbol, self._silence_ms, self._now)]
        if not heard:
            return everything
        return tuple(one for one in everything if one.symbol in heard or not self._bars(one.symbol, 0, self._now))

    def knows(self, symbol: str) -> bool:
        return any(one.symbol == symbol for one in self.instruments())

    @property
    def _silence_ms(self) -> int:
        """A pair whose newest bar opened before this is not heard any more."""
        return self._now - MARK_BARS * self._source.bar_ms

    def _bars(self, symbol: str, since_ms: int, until_ms: int) -> bool:
        """Whether a bar that opened since then has closed by now."""
        return len(self._source.candles(symbol, since_ms, until_ms - self._source.bar_ms + 1).open_ms) > 0

    def exclusions(self) -> tuple[Exclusion, ...]:
        return self._source.exclusions()

    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        """Closed bars only, whatever is asked."""
        return self._source.candles(symbol, since_ms, min(until_ms, self.now_ms - self._source.bar_ms + 1))

    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        """Closed days only, whatever is asked."""
        over = self.now_ms // DAY_MS
        closed = range(days.start, min(days.stop, over))
        return [*self._source.day_closes(symbol, closed), *[0] * (len(days) - len(closed))]

    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]:
        """A book around the last close, stamped with it, until that is MARK_BARS old."""
        found: dict[str, TopOfBook] = {}
        now, bar_ms = self.now_ms, self._source.bar_ms
        for symbol in symbols:
            seen = self._source.candles(symbol, now - MARK_BARS * bar_ms, now - bar_ms + 1)
            if len(seen.close):
                close, tick = int(seen.close[-1]), self._listed[symbol].tick
                bid, ask = bid_of(self._costs, close), ask_of(self._costs, close)
                depth = from_grains(self._depth(symbol))
                found[symbol] = TopOfBook(bid * tick, ask * tick, depth, EpochMs(int(seen.open_ms[-1]) + bar_ms))
        return found

    def _depth(self, symbol: str) -> int:
        """What rests near the middle, 1e-8 quote, by the volume of the last 24 whole hours, each at its close."""
        until_ms = self.now_ms - self.now_ms % HOUR_MS
        day = self._source.candles(symbol, until_ms - DAY_MS, until_ms)
        if not len(day.close):
            return 0
        return int(self._by_hour("depth", symbol, (until_ms, len(day.close)), lambda: self._depth_of(symbol, day)))

    def _by_hour(self, what: str, symbol: str, of: tuple[int, ...], measure: Callable[[], float]) -> float:
        """The newest figure of that name, as long as it is of the same hours and bars."""
        known = self._hours.get((what, symbol))
        if known is None or known[0] != of:
            known = self._hours[what, symbol] = of, measure()
        return known[1]

    def _depth_of(self, symbol: str, day: Candles) -> int:
        hour, volume = np.asarray(day.open_ms, np.int64) // HOUR_MS, np.asarray(day.volume, np.int64)
        begins = np.flatnonzero(np.diff(hour, prepend=-1))
        closes = np.asarray(day.close, np.float64)[np.append(begins[1:], len(hour)) - 1]
        unit = float(self._listed[symbol].grains_per_unit)
        cents = bar_cents(np.add.reduceat(volume, begins).astype(np.float64), closes, unit)
        return int(depth_of(self._costs, np.asarray(cents.sum())))

    def balances(self, cursor: str) -> BalancePage:
        everything = self._all_balances()
        start = int(cursor or 0)
        more = str(start + PAGE) if start + PAGE < len(everything) else ""
        return BalancePage(everything[start : start + PAGE], more)

    def fills(self, cursor: str) -> tuple[Filled, ...]:
        return tuple(self._filled(one) for one in self._books.fills_after(int(cursor or 0)))

    def flows(self, cursor: str) -> tuple[CashFlow, ...]:
        return tuple(
            CashFlow(Quote(from_grains(one.amount)), EpochMs(one.at_ms), one.note, str(one.number))
            for one in self._books.transfers_after(int(cursor or 0))
        )

    def orders(self, asked: Sequence[Order]) -> dict[str, OrderReport]:
        found = [self._books.order(one.client_order_id) for one in asked]
        return {one.client_order_id: _report(one) for one in found if one}

    def marked(self) -> tuple[OrderReport, ...]:
        """Nobody else trades here."""
        return ()

    def oddities(self) -> tuple[str, ...]:
        return ()

    def fees(self) -> Fees | None:
        return None

    def frozen(self) -> frozenset[str]:
        return frozenset()

    def read_account(self, asked: Sequence[Order], fill_cursor: str) -> None:
        """Everything is at hand."""

    def read_markets(self, symbols: Sequence[str], since_ms: int, until_ms: int, days: range) -> None:
        """Everything is at hand."""

    # --- VenueTrader -------------------------------------------------------------------------------------

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return ""

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        """Accept or reject; an id that is known returns its order, and never stands for another one."""
        with self._books.change():
            asked, known = self._admit(client_order_id, order), self._books.order(client_order_id)
            if known is not None:
                if _terms(known) != _terms(asked):
                    return OrderReport(client_order_id, OrderStatus.REJECTED, "the id names another order", self._now)
                return _report(known)
            self._books.insert(self._held(asked))
        return _report(asked)

    def buy_for(self, client_order_id: str, symbol: str, amount: Quote) -> OrderReport:
        """A market buy sized in quote, fee included, as a person gives it; the bot sizes its own in base.

        It executes at the next open, for as many whole lots as the amount pays for; the rest stays where it was.
        """
        order = VenueOrder(
            0, client_order_id, symbol, 1, codes.TAKER, 0, 0, 0, 0, grains_down(amount), OrderStatus.WORKING.value, "",
            self.now_ms, 0,
        )  # fmt: skip
        if not self.knows(symbol):
            order = order._replace(hold=0, status=OrderStatus.REJECTED.value, reason="not listed")
        elif amount < self._listed[symbol].min_notional or order.hold > self._books.balance(self._source.quote)[0]:
            order = order._replace(hold=0, status=OrderStatus.REJECTED.value, reason="too small, or insufficient funds")
        with self._books.change():
            self._books.insert(self._held(order))
        return _report(order)

    def cancel(self, order: Order) -> OrderReport:
        with self._books.change():
            known = self._books.order(order.client_order_id)
            if known is None:
                return OrderReport(order.client_order_id, OrderStatus.REJECTED, "unknown order", self.now_ms)
            if known.status == OrderStatus.WORKING:
                known = self._end(known, OrderStatus.CANCELED, "canceled", self.now_ms)
        return _report(known)

    def _admit(self, client_order_id: str, order: ApprovedOrder) -> VenueOrder:
        """The order with the hold it needs, or a rejected one with the reason."""
        instrument = self._listed[order.symbol]
        lots, off_lots = divmod(order.quantity, instrument.lot)
        limit, off_limit = divmod(order.limit, instrument.tick)
        trigger, off_trigger = divmod(order.trigger, instrument.tick)
        draft = VenueOrder(
            0, client_order_id, order.symbol, int(order.side is Side.BUY), KIND_CODE[order.kind], int(lots), 0,
            int(limit), int(trigger), 0, OrderStatus.WORKING.value, "", self.now_ms,
            order.expires_ms + self._source.bar_ms if order.kind is OrderKind.MAKER else 0,
        )  # fmt: skip
        hold = self._worst(draft) if draft.buys else draft.lots
        problem = ""
        if off_lots or off_limit or off_trigger or lots <= 0:
            problem = "quantity or price is not on the grid"
        elif not self.knows(order.symbol):
            problem = "not listed"
        elif order.quantity * (order.limit or order.trigger) < instrument.min_notional:
            problem = f"below the smallest order of {instrument.min_notional} {instrument.quote}"
        elif order.kind is OrderKind.MAKER and self._crosses(draft):
            problem = WOULD_TAKE
        elif hold > self._books.balance(self._asset(draft))[0]:
            problem = "insufficient funds"
        if problem:
            return draft._replace(status=OrderStatus.REJECTED.value, reason=problem)
        return draft._replace(hold=hold)

    def _held(self, order: VenueOrder) -> VenueOrder:
        """Take the hold out of what is free."""
        self._books.add(self._asset(order), -order.hold, order.hold)
        return order

    def _asset(self, order: VenueOrder) -> str:
        """What the order pays with."""
        return self._source.quote if order.buys else self._known[order.symbol].base

    # --- inside ------------------------------------------------------------------------------------------

    def _match(self, order: VenueOrder, now: EpochMs) -> None:
        """One bar against one order. What is no longer listed has no bars: its orders rest.

        A maker is good for one bar more than its owner wants it, should he not be there to cancel it.
        """
        if 0 < order.until_ms < now:
            self._end(order, OrderStatus.EXPIRED, "good no longer", now)
            return
        if order.symbol not in self._listed:
            return
        bar_ms = self._source.bar_ms
        bar = self._source.candles(order.symbol, now - bar_ms, now - bar_ms + 1)
        lots = 0
        if len(bar.close):
            order = self._sized(order, int(bar.open[0]), now)
            slippage = self._slippage(order, int(bar.open[0]), now - bar_ms)
            lots, ticks, at_ms = meet(
                self._costs, slippage, order.kind, bool(order.buys), order.lots - order.filled, order.limit_ticks,
                order.trigger_ticks, int(bar.open[0]), int(bar.high[0]), int(bar.low[0]), int(bar.volume[0]),
                now - bar_ms, now,
            )  # fmt: skip
            if lots:
                order = self._execute(order, lots, ticks, at_ms)
        if 0 < order.filled == order.lots:
            self._end(order, OrderStatus.FILLED, "", now)
        elif order.kind == codes.TAKER:
            self._end(order, OrderStatus.EXPIRED, "nothing within the limit", now)
        elif lots:
            self._books.update(order)

    def _slippage(self, order: VenueOrder, opened: int, at_ms: int) -> int:
        """How much worse than the touch a bar that opens then fills what is left of it, ppm."""
        if order.kind == codes.MAKER:
            return 0
        value = self._value(order.symbol, order.lots - order.filled, opened, up=True)
        return self._slippage_of(order.symbol, value, at_ms)

    def _slippage_of(self, symbol: str, value: int, at_ms: int) -> int:
        """By the whole hours that had closed before the bar that opens then."""
        until_ms, bar_ms = at_ms - at_ms % HOUR_MS, self._source.bar_ms
        since_ms = until_ms - RANGES_MS
        bars = self._source.candles(symbol, since_ms, until_ms)

        def measure() -> float:
            return float(day_ranges(build({symbol: bars}, since_ms, until_ms, bar_ms).hourly)[-1, 0])

        tier = self._tier_of(self._listed[symbol].base)
        ranging = self._by_hour("range", symbol, (until_ms, len(bars.close)), measure)
        return slippage_of(self._costs, tier, value, ranging)

    def _sized(self, order: VenueOrder, opened: int, now: int) -> VenueOrder:
        """An order sized in quote gets its lots when its price is known: what the hold pays for after the fee."""
        if order.lots > 0:
            return order
        slippage = self._slippage_of(order.symbol, order.hold, now - self._source.bar_ms)
        price = more(opened, self._costs.half_spread_ppm + slippage)
        unit = self._listed[order.symbol].grains_per_unit
        room = mul_div_down(order.hold, PPM, PPM + self._costs.taker_fee_ppm)
        return order._replace(lots=mul_div_down(room, unit.denominator, unit.numerator) // price, limit_ticks=price)

    def _execute(self, order: VenueOrder, lots: int, ticks: int, at_ms: int) -> VenueOrder:
        """Settle one execution out of the order's hold."""
        value = self._value(order.symbol, lots, ticks, up=bool(order.buys))
        fee = fee_of(self._costs, order.kind, value)
        quote, base = self._source.quote, self._listed[order.symbol].base
        grown = order._replace(filled=order.filled + lots)
        if order.buys:
            left = self._worst(grown)
            self._books.add(quote, order.hold - left - value - fee, left - order.hold)
            self._books.add(base, lots, 0)
        else:
            left = order.hold - lots
            self._books.add(base, 0, -lots)
            self._books.add(quote, value - fee, 0)
        self._books.log(VenueFill(0, order.client_order_id, order.symbol, order.buys, ticks, lots, value, fee, at_ms))
        return grown._replace(hold=left)

    def _end(self, order: VenueOrder, status: OrderStatus, reason: str, at_ms: int) -> VenueOrder:
        """Release what is still held."""
        self._books.add(self._asset(order), order.hold, -order.hold)
        ended = order._replace(hold=0, status=status.value, reason=reason, at_ms=at_ms)
        self._books.update(ended)
        return ended

    def _worst(self, order: VenueOrder) -> int:
        """What the rest of a buy can cost at most, in 1e-8 quote."""
        value = self._value(order.symbol, order.lots - order.filled, order.limit_ticks, up=True)
        return value + worst_fee(self._costs, value)

    def _value(self, symbol: str, lots: int, ticks: int, up: bool) -> int:
        unit = self._listed[symbol].grains_per_unit
        return (mul_div_up if up else mul_div_down)(lots * ticks, unit.numerator, unit.denominator)

    def _crosses(self, order: VenueOrder) -> bool:
        quote = self.quotes([order.symbol]).get(order.symbol)
        return quote is not None and order.limit_ticks * self._listed[order.symbol].tick >= quote.ask

    def _all_balances(self) -> tuple[Balance, ...]:
        """Traded balances with the foreign coins added, by asset."""
        lot = {one.base: one.lot for one in self._known.values()}
        found: dict[str, Balance] = {}
        for asset, available, hold in self._books.balances():
            step = lot.get(asset)
            free = from_grains(available) if step is None else available * step
            held = from_grains(hold) if step is None else hold * step
            found[asset] = Balance(asset, free, held)
        for asset, quantity in self._foreign.items():
            own = found.get(asset, Balance(asset, Decimal(0), Decimal(0)))
            found[asset] = Balance(asset, own.available + quantity, own.hold)
        return tuple(found[asset] for asset in sorted(found))

    def _filled(self, fill: VenueFill) -> Filled:
        instrument = self._known[fill.symbol]
        told = Fill(
            trade_id=f"sim-{fill.number}",
            client_order_id=fill.client_order_id,
            symbol=fill.symbol,
            side=Side.BUY if fill.buys else Side.SELL,
            price=fill.ticks * instrument.tick,
            quantity=Base(fill.lots * instrument.lot),
            value=Quote(from_grains(fill.value)),
            fee=Quote(from_grains(fill.fee)),
            at_ms=EpochMs(fill.at_ms),
        )
        return Filled(told, str(fill.number))


def _terms(order: VenueOrder) -> tuple[object, ...]:
    """What makes an order this order and no other."""
    return order.symbol, order.buys, order.kind, order.lots, order.limit_ticks, order.trigger_ticks


def _steps(one: Instrument) -> str:
    return f"{one.tick} {one.lot}"


def _instrument(symbol: str, steps: str) -> Instrument:
    """What was traded once and is no longer listed, from the steps it was kept in."""
    base, _, quote = symbol.partition("-")
    tick, lot = map(Decimal, steps.split())
    return Instrument(symbol, base, quote, tick, lot, Decimal(0))


def _report(order: VenueOrder) -> OrderReport:
    told = OrderReport(order.client_order_id, OrderStatus(order.status), order.reason, EpochMs(order.at_ms))
    return replace(told, expected=order.reason == WOULD_TAKE)
