"""What Coinbase lists in the account's currency, read once a look."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from threading import Lock

from trader_core.domain.clocktime import SECOND_MS
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.venues.coinbase.client import CoinbaseClient
from trader_core.venues.coinbase.words import ProductListing, ProductPage

FRESH_MS = 10 * SECOND_MS  # calls of one cycle share a reading


@dataclass(frozen=True)
class Listing:
    """What may be traded, what not and why, and what accepts no order of any kind now."""

    instruments: tuple[Instrument, ...]
    exclusions: tuple[Exclusion, ...]
    frozen: frozenset[str]
    ticks: Mapping[str, Decimal]


class Products:
    """The newest listing. Raises VenueUnavailable where it cannot be read."""

    def __init__(self, client: CoinbaseClient, quote: str, host_ms: Callable[[], int]) -> None:
        self._client, self._quote, self._host_ms = client, quote, host_ms
        self._read: tuple[int, Listing] | None = None
        self._lock = Lock()

    def __call__(self) -> Listing:
        with self._lock:
            if self._read is None or not 0 <= self._host_ms() - self._read[0] < FRESH_MS:
                self._read = self._host_ms(), listing_of(self._client.products(), self._quote)
            return self._read[1]


def listing_of(page: ProductPage, quote: str) -> Listing:
    """Products of that currency with a book of their own. One that accepts no order stays listed: what is held of it
    is still ours."""
    named = [one for one in page.listings if one.quote == quote]
    ours = [one for one in named if not one.alias]
    shared = [Exclusion(one.product_id, f"it has no book but that of {one.alias}") for one in named if one.alias]
    closed = {one.product_id: why for one in ours if (why := one.why_closed)}
    unread = [Exclusion(one.product_id, one.why) for one in page.excluded if one.product_id.endswith(f"-{quote}")]
    return Listing(
        instruments=tuple(_instrument(one) for one in ours),
        exclusions=(*(Exclusion(symbol, why) for symbol, why in closed.items()), *shared, *unread),
        frozen=frozenset(closed),
        ticks={one.product_id: one.price_increment for one in ours},
    )


def _instrument(one: ProductListing) -> Instrument:
    """The smallest order is the larger of the venue's two floors, the one in coins at the last price."""
    floor = max(one.quote_min, one.base_min * one.price if one.price else one.quote_min)
    return Instrument(one.product_id, one.base, one.quote, one.price_increment, one.base_increment, floor)
