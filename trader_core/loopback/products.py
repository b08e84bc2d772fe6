"""What is listed: the sixteen coins of the generated market, their steps and turnover, and one alias."""

from dataclasses import dataclass, field, replace
from typing import Any

FLAGS = ("is_disabled", "cancel_only", "limit_only", "post_only", "trading_disabled", "auction_mode", "view_only")
STATUSES = ("online", "offline", "delisted")


@dataclass(frozen=True, slots=True)
class Product:
    """A pair. Prices are whole ticks of 10^-price_digits, sizes whole lots of 10^-base_digits.

    `price` and `turnover` (quote a day) are where the generated market hovers; `spread_bps` is bid to ask.
    """

    product_id: str
    base: str
    quote: str
    name: str
    price_digits: int
    base_digits: int
    quote_digits: int
    price: float
    turnover: float
    spread_bps: float
    alias: str = ""
    alias_to: tuple[str, ...] = ()

    @property
    def canonical(self) -> str:
        """The product whose book and candles these are."""
        return self.alias or self.product_id


@dataclass
class Standing:
    """What the venue says about a product at the moment."""

    status: str = "online"
    flags: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(FLAGS, False))

    def said(self) -> dict[str, Any]:
        return {"status": self.status, **self.flags}


_COINS: tuple[tuple[str, str, float, int, int, float, float], ...] = (
    # base, name, price, price digits, base digits, turnover a day, spread in bps
    ("BTC", "Bitcoin", 62_000.0, 2, 8, 800e6, 0.6),
    ("ETH", "Ethereum", 3_100.0, 2, 8, 450e6, 0.8),
    ("SOL", "Solana", 145.0, 2, 8, 180e6, 1.5),
    ("XRP", "XRP", 0.56, 4, 6, 120e6, 2.0),
    ("ADA", "Cardano", 0.42, 4, 8, 45e6, 2.5),
    ("DOGE", "Dogecoin", 0.125, 5, 1, 80e6, 2.0),
    ("AVAX", "Avalanche", 29.0, 2, 8, 45e6, 3.5),
    ("DOT", "Polkadot", 6.4, 3, 8, 40e6, 3.0),
    ("LINK", "Chainlink", 14.2, 3, 2, 45e6, 3.0),
    ("LTC", "Litecoin", 76.0, 2, 8, 40e6, 2.5),
    ("BCH", "Bitcoin Cash", 410.0, 2, 8, 40e6, 2.5),
    ("UNI", "Uniswap", 8.1, 3, 6, 35e6, 3.0),
    ("ATOM", "Cosmos", 7.2, 3, 2, 35e6, 3.5),
    ("XLM", "Stellar Lumens", 0.105, 6, 6, 35e6, 3.0),
    ("SHIB", "SHIBA INU", 0.0000185, 8, 0, 60e6, 5.0),
    ("MATIC", "Polygon", 0.58, 4, 1, 40e6, 3.0),
)
_NAMES = {base: name for base, name, *_ in _COINS} | {"USD": "US Dollar", "USDC": "USDC"}
FIAT = ("USD", "EUR", "GBP")


def listed() -> dict[str, Product]:
    """The generated market's products by id: sixteen coins in USD, and BTC-USDC, which is BTC-USD's book."""
    found = {}
    for base, name, price, price_digits, base_digits, turnover, spread_bps in _COINS:
        digits = price_digits, base_digits, max(2, price_digits)
        found[f"{base}-USD"] = Product(f"{base}-USD", base, "USD", name, *digits, price, turnover, spread_bps)
    return with_aliases(found)


def with_aliases(products: dict[str, Product]) -> dict[str, Product]:
    """BTC-USDC beside BTC-USD, where that is listed."""
    main = products.get("BTC-USD")
    if main is None:
        return products
    twin = replace(main, product_id="BTC-USDC", quote="USDC", alias="BTC-USD")
    return {**products, "BTC-USD": replace(main, alias_to=("BTC-USDC",)), "BTC-USDC": twin}


def long_name(currency: str) -> str:
    return _NAMES.get(currency, currency)
