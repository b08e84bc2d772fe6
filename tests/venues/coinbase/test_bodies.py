"""The bytes of an order, to the last one, and what can never become bytes."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.money import Base, Quote
from trader_core.venues.coinbase.bodies import (
    BaseSize,
    LimitIoc,
    Market,
    PostOnly,
    QuoteSize,
    Spec,
    StopLimit,
    cancel_body,
    order_body,
)

SIZE, MONEY = BaseSize(Base(Decimal("0.5"))), QuoteSize(Quote(Decimal("25.00")))
UNTIL = EpochMs(1_700_000_000_500)
D = Decimal

CONFIGURATIONS: list[tuple[Side, Spec, str]] = [
    (
        Side.BUY,
        PostOnly(SIZE, D("60000.10")),
        '{"limit_limit_gtc":{"base_size":"0.5","limit_price":"60000.1","post_only":true}}',
    ),
    (
        Side.SELL,
        PostOnly(SIZE, D("1E+4"), UNTIL),
        '{"limit_limit_gtd":{"base_size":"0.5","limit_price":"10000","post_only":true,'
        '"end_time":"2023-11-14T22:13:20.500Z"}}',
    ),
    (Side.SELL, LimitIoc(SIZE, D("59000")), '{"sor_limit_ioc":{"base_size":"0.5","limit_price":"59000"}}'),
    (Side.BUY, Market(MONEY), '{"market_market_ioc":{"quote_size":"25"}}'),
    (Side.SELL, Market(SIZE), '{"market_market_ioc":{"base_size":"0.5"}}'),
    (
        Side.SELL,
        StopLimit(SIZE, stop=D("58000"), limit=D("57500")),
        '{"stop_limit_stop_limit_gtc":{"base_size":"0.5","limit_price":"57500","stop_price":"58000",'
        '"stop_direction":"STOP_DIRECTION_STOP_DOWN"}}',
    ),
    (
        Side.BUY,
        StopLimit(SIZE, stop=D("58000"), limit=D("58000"), until_ms=UNTIL),
        '{"stop_limit_stop_limit_gtd":{"base_size":"0.5","limit_price":"58000","stop_price":"58000",'
        '"stop_direction":"STOP_DIRECTION_STOP_UP","end_time":"2023-11-14T22:13:20.500Z"}}',
    ),
]


@pytest.mark.parametrize(("side", "spec", "configuration"), CONFIGURATIONS)
def test_the_bytes_of_every_kind_of_order(side: Side, spec: Spec, configuration: str) -> None:
    order = f'"product_id":"BTC-USD","side":"{side}","order_configuration":{configuration}}}'
    assert order_body("id-1", "BTC-USD", side, spec) == f'{{"client_order_id":"id-1",{order}'.encode()


@pytest.mark.parametrize(
    "make",
    [
        lambda wrong: BaseSize(wrong),
        lambda wrong: QuoteSize(wrong),
        lambda wrong: PostOnly(SIZE, wrong),
        lambda wrong: LimitIoc(SIZE, wrong),
        lambda wrong: StopLimit(SIZE, wrong, D(1)),
        lambda wrong: StopLimit(SIZE, D(1), wrong),
    ],
)
@pytest.mark.parametrize("wrong", [D(0), D(-1), D("NaN"), D("Infinity"), D("1e30"), D("1e-60"), 1, 1.5, "1", None])
def test_what_is_no_amount_never_becomes_an_order(make: Any, wrong: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        make(wrong)


def test_money_is_no_amount_of_coins_for_the_type_checker_and_at_run_time() -> None:
    """Strict mypy complains about an ignored error that is none, so each comment below is a test of its own."""
    with pytest.raises(TypeError, match="QuoteSize where BaseSize"):
        PostOnly(MONEY, D(1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="QuoteSize where BaseSize"):
        LimitIoc(MONEY, D(1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="QuoteSize where BaseSize"):
        StopLimit(MONEY, D(2), D(1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="Decimal where BaseSize or QuoteSize"):
        Market(D(1))  # type: ignore[arg-type]
    assert BaseSize(Base(D(25))) != MONEY  # type: ignore[comparison-overlap]
    BaseSize(Quote(D(1)))  # type: ignore[arg-type]
    QuoteSize(Base(D(1)))  # type: ignore[arg-type]


def test_a_market_sale_is_sized_in_coins() -> None:
    with pytest.raises(ValueError, match="coin"):
        order_body("1", "BTC-USD", Side.SELL, Market(MONEY))


@pytest.mark.parametrize(("side", "limit"), [(Side.SELL, "101"), (Side.BUY, "99")])
def test_the_limit_of_a_stop_lies_beyond_it(side: Side, limit: str) -> None:
    with pytest.raises(ValueError, match="far side"):
        order_body("1", "BTC-USD", side, StopLimit(SIZE, D(100), D(limit)))


@pytest.mark.parametrize("text", ["", "a\nb", "\u043a", "x" * 200])
def test_an_id_is_plain_text(text: str) -> None:
    with pytest.raises(ValueError, match="id"):
        order_body(text, "BTC-USD", Side.BUY, Market(MONEY))
    with pytest.raises(ValueError, match="id"):
        cancel_body([text])


def test_cancels_are_not_too_many() -> None:
    assert cancel_body(["1", "2"]) == b'{"order_ids":["1","2"]}'
    for count in (0, 101):
        with pytest.raises(ValueError, match=str(count)):
            cancel_body(["1"] * count)


amounts = st.decimals(min_value="1e-12", max_value="1e12", places=12).filter(lambda one: one > 0)


@given(amounts, amounts)
def test_an_amount_is_written_exactly_and_without_an_exponent(size: Decimal, limit: Decimal) -> None:
    body = order_body("1", "BTC-USD", Side.BUY, LimitIoc(BaseSize(Base(size)), limit))
    fields = json.loads(body)["order_configuration"]["sor_limit_ioc"]
    assert (Decimal(fields["base_size"]), Decimal(fields["limit_price"])) == (size, limit)
    assert "e" not in "".join(fields.values()).lower()
