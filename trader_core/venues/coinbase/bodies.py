"""The exact bytes of an order. The same order is the same bytes for ever: what is resent is what was written down.

An amount of the coin and an amount of money are two classes. Where one is asked for the other does not pass, neither
the type checker nor the program.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.fill import Side
from trader_core.domain.money import Base, Quote, plain

CANCELS_MAX = 100  # order ids in one call
ID_MAX = 128
_DIGITS_MAX = 38
_Configuration = dict[str, str | bool]


class BaseSize(Struct, frozen=True):
    """So much of the coin."""

    amount: Base

    def __post_init__(self) -> None:
        _positive(self.amount)


class QuoteSize(Struct, frozen=True):
    """So much money. The venue takes its fee out of it."""

    amount: Quote

    def __post_init__(self) -> None:
        _positive(self.amount)


class PostOnly(Struct, frozen=True):
    """Rests at its limit, or is refused; it never takes. Good until cancelled, or until `until_ms`."""

    size: BaseSize
    limit: Decimal
    until_ms: EpochMs | None = None

    def __post_init__(self) -> None:
        _is(self.size, BaseSize)
        _positive(self.limit)


class LimitIoc(Struct, frozen=True):
    """Takes what there is at the limit or better, at once; the rest is cancelled."""

    size: BaseSize
    limit: Decimal

    def __post_init__(self) -> None:
        _is(self.size, BaseSize)
        _positive(self.limit)


class Market(Struct, frozen=True):
    """Takes what there is at any price. A purchase may be sized in money, a sale only in the coin."""

    size: BaseSize | QuoteSize

    def __post_init__(self) -> None:
        _is(self.size, BaseSize, QuoteSize)


class StopLimit(Struct, frozen=True):
    """Sleeps until the last trade reaches `stop`, then is a limit order: a sale on the way down, a purchase on the way
    up."""

    size: BaseSize
    stop: Decimal
    limit: Decimal
    until_ms: EpochMs | None = None

    def __post_init__(self) -> None:
        _is(self.size, BaseSize)
        _positive(self.stop)
        _positive(self.limit)


Spec = PostOnly | LimitIoc | Market | StopLimit


def order_body(client_order_id: str, product_id: str, side: Side, spec: Spec) -> bytes:
    """What POST /orders takes. Raises ValueError or TypeError on an order that cannot be meant."""
    return _bytes({"client_order_id": _identifier(client_order_id)} | _order(product_id, side, spec))


def cancel_body(order_ids: Sequence[str]) -> bytes:
    if not 0 < len(order_ids) <= CANCELS_MAX:
        raise ValueError(f"{len(order_ids)} orders in one cancel; the venue takes 1 to {CANCELS_MAX}")
    return _bytes({"order_ids": [_identifier(one) for one in order_ids]})


def _order(product_id: str, side: Side, spec: Spec) -> dict[str, object]:
    _is(side, Side)
    name, configuration = _configured(side, spec)
    return {
        "product_id": _identifier(product_id),
        "side": side.value,
        "order_configuration": {name: configuration},
    }


def _configured(side: Side, spec: Spec) -> tuple[str, _Configuration]:
    """The one configuration key and what stands under it."""
    match spec:
        case PostOnly(size, limit, until_ms):
            fields: _Configuration = {"base_size": plain(size.amount), "limit_price": plain(limit)}
            return _timed("limit_limit", fields | {"post_only": True}, until_ms)
        case LimitIoc(size, limit):
            return "sor_limit_ioc", {"base_size": plain(size.amount), "limit_price": plain(limit)}
        case Market(BaseSize(amount)):
            return "market_market_ioc", {"base_size": plain(amount)}
        case Market(QuoteSize(money)):
            if side is not Side.BUY:
                raise ValueError("a market sale is sized in the coin")
            return "market_market_ioc", {"quote_size": plain(money)}
        case StopLimit():
            return _stop_limit(side, spec)
    raise TypeError(f"{type(spec).__name__} is no order")


def _stop_limit(side: Side, spec: StopLimit) -> tuple[str, _Configuration]:
    beyond = spec.limit <= spec.stop if side is Side.SELL else spec.limit >= spec.stop
    if not beyond:
        raise ValueError("the limit of a stop lies on its far side, or the stop could never fill")
    fields: _Configuration = {
        "base_size": plain(spec.size.amount),
        "limit_price": plain(spec.limit),
        "stop_price": plain(spec.stop),
        "stop_direction": "STOP_DIRECTION_STOP_DOWN" if side is Side.SELL else "STOP_DIRECTION_STOP_UP",
    }
    return _timed("stop_limit_stop_limit", fields, spec.until_ms)


def _timed(name: str, fields: _Configuration, until_ms: EpochMs | None) -> tuple[str, _Configuration]:
    """Good until cancelled, or until a time."""
    if until_ms is None:
        return f"{name}_gtc", fields
    return f"{name}_gtd", fields | {"end_time": rfc3339(until_ms)}


def _positive(amount: Decimal) -> Decimal:
    _is(amount, Decimal)
    if not amount.is_finite() or amount <= 0 or amount.adjusted() >= _DIGITS_MAX // 2:
        raise ValueError(f"{amount} is no size and no price")
    if len(plain(amount)) > _DIGITS_MAX:
        raise ValueError("more digits than any venue takes")
    return amount


def _is(value: object, *kinds: type) -> None:
    if not isinstance(value, kinds):
        raise TypeError(f"{type(value).__name__} where {' or '.join(kind.__name__ for kind in kinds)} must be")


def _identifier(text: str) -> str:
    if not 0 < len(text) <= ID_MAX or not text.isascii() or not text.isprintable():
        raise ValueError("an id is plain text, not empty and not long")
    return text


def _bytes(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
