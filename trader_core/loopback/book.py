"""The book around a price: fifty levels a side, thinned by what our own orders have taken since the last step."""

from dataclasses import dataclass, field
from decimal import Decimal

from trader_core.loopback.chance import share
from trader_core.loopback.market import Feed
from trader_core.loopback.numbers import units
from trader_core.loopback.products import Product

LEVELS = 50
_GAP_BPS = 0.5
_LEVEL_OF_TURNOVER = 0.0001  # one level's value, of a day's turnover
BUY, SELL = "BUY", "SELL"


@dataclass(frozen=True, slots=True)
class Level:
    price: int  # ticks
    lots: int


@dataclass
class Books:
    """One product's two sides. A level is a function of price, seed and place; only what was taken is remembered."""

    seed: int
    product: Product
    feed: Feed
    _weights: dict[str, tuple[float, ...]] = field(default_factory=dict)
    _taken: dict[tuple[str, int], int] = field(default_factory=dict)
    _moment: tuple[int, int] = (-1, -1)

    def __post_init__(self) -> None:
        for side in (BUY, SELL):
            found = [0.5 + share(self.seed, self.product.canonical, side, place) for place in range(LEVELS)]
            self._weights[side] = tuple(found)

    def touch(self, at_ms: int) -> tuple[int, int] | None:
        """Bid and ask in ticks; None where nothing has traded yet."""
        pin, last = self.feed.pinned(at_ms), self.feed.price(at_ms)
        if last is None:
            return None
        if pin is not None and pin.bid is not None and pin.ask is not None:
            return pin.bid, pin.ask
        wide = max(1, round(last * self.product.spread_bps / 10_000))
        bid = max(1, last - (wide + 1) // 2)
        return bid, bid + wide

    def side(self, side: str, at_ms: int, count: int = LEVELS) -> list[Level]:
        """What rests on that side, best first, without our own orders."""
        touch = self.touch(at_ms)
        if touch is None:
            return []
        self._freshen(at_ms)
        best, away = (touch[0], -1) if side == BUY else (touch[1], 1)
        gap = max(1, round(best * _GAP_BPS / 10_000))
        value = (
            self.product.turnover * _LEVEL_OF_TURNOVER * 10.0 ** (self.product.price_digits + self.product.base_digits)
        )
        found: list[Level] = []
        for place, weight in enumerate(self._weights[side]):
            price = best + away * gap * place
            if price <= 0 or len(found) >= count:
                break
            lots = max(1, round(value * weight / price)) - self._taken.get((side, price), 0)
            if lots > 0:
                found.append(Level(price, lots))
        return found

    def take(self, side: str, price: int, lots: int, at_ms: int) -> None:
        """Lots of a resting level are gone until the market's next step."""
        self._freshen(at_ms)
        self._taken[side, price] = self._taken.get((side, price), 0) + lots

    def refresh(self) -> None:
        """Every level is whole again."""
        self._taken.clear()

    def price(self, ticks: int) -> Decimal:
        return units(ticks, self.product.price_digits)

    def _freshen(self, at_ms: int) -> None:
        moment = self.feed.moment(at_ms)
        if moment != self._moment:
            self._moment = moment
            self._taken.clear()
