"""A fill is the only thing that moves a position."""

from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.money import Base, Quote


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"


class Fill(Struct, frozen=True):
    """One execution as the venue reported it. Raises ValueError unless quantity and price are above zero."""

    trade_id: str
    client_order_id: str
    symbol: str
    side: Side
    price: Decimal  # quote per base
    quantity: Base
    value: Quote  # price x quantity, before the fee
    fee: Quote
    at_ms: EpochMs

    def __post_init__(self) -> None:
        if not self.trade_id or not self.quantity > 0 or not self.price > 0 or self.value < 0 or self.fee < 0:
            raise ValueError(f"not a fill: {self}")
