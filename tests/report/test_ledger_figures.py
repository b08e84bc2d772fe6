"""Trades, pnl and tax lots say what the ledger says, to the last digit, whatever was traded and however it was told."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given

from tests.laws.budget import examples
from tests.report.journals import Account, accounts, figures
from trader_core.domain.book import Book
from trader_core.domain.facts import Filled
from trader_core.domain.fill import Side
from trader_core.ledger.fold import fold
from trader_core.ledger.lots import METHODS, Matched, matched
from trader_core.report.pnl import FILL_KEYS, pnl
from trader_core.report.records import statistics
from trader_core.report.trades import History, ended_since, history, totals

ZERO = Decimal(0)


def total(amounts: Iterable[Decimal | None]) -> Decimal:
    return sum((one or ZERO for one in amounts), ZERO)


# --- trades ----------------------------------------------------------------------------------------------------------


@examples(40)
@given(accounts(late=True))
def test_trades_and_what_is_open_make_up_all_that_was_realised(account: Account) -> None:
    past = history(account.facts)
    assert past.book == fold(account.facts)
    assert total(one.pnl for one in past.trades) + total(one.realised for one in past.open) == past.book.realised
    assert total(one.realised for one in past.fills) == past.book.realised
    fees = total(one.fees for one in past.trades) + total(one.fees for one in past.open)
    assert fees == total(one.fee for one in past.fills)
    assert {one.symbol: one.quantity for one in past.open} == {
        symbol: held.quantity for symbol, held in past.book.holdings.items() if held.quantity
    }


@examples(40)
@given(accounts())
def test_a_trade_ends_whenever_a_position_is_flat(account: Account) -> None:
    past = history(account.facts)
    running: dict[str, Decimal] = {}
    ends = []
    for one in past.fills:
        signed = one.quantity if one.side is Side.BUY else -one.quantity
        running[one.symbol] = running.get(one.symbol, ZERO) + signed
        ends += [] if running[one.symbol] else [(one.symbol, one.at_ms, one.reason)]
    assert [(one.symbol, one.exit_ms, one.exit_reason) for one in past.trades] == ends
    assert all(one.entry_ms <= one.exit_ms for one in past.trades)


def test_a_trade_has_its_prices_its_fees_and_the_reason_of_its_last_sale() -> None:
    account = Account().buy("BTC-USD", "1", "100", "1").wait().buy("BTC-USD", "3", "120", "3", strategy="other")
    account.wait(3).sell("BTC-USD", "1", "130", "1", reason="target").wait().sell(
        "BTC-USD", "3", "110", "3", reason="trailing"
    )
    (one,) = history(account.facts).trades
    assert (one.strategy, one.exit_reason) == ("sma_cross", "trailing")
    assert figures(one.quantity, one.entry_price, one.exit_price, one.fees) == "4 115 115 8"
    assert figures(one.pnl, one.pnl_pct, one.hold_hours) == "-8 -1.7241 1.25"


def test_a_purchase_that_is_told_after_its_sale_is_the_same_trade() -> None:
    account = Account().buy("BTC-USD", "1", "100", "1").wait().sell("BTC-USD", "1", "130", "1", reason="time")
    in_order = history(account.facts).trades
    purchase = next(n for n, one in enumerate(account.facts) if isinstance(one, Filled))
    account.facts.append(account.facts.pop(purchase))
    assert history(account.facts).trades == in_order
    assert in_order[0].pnl == 28


@examples(40)
@given(accounts(late=True))
def test_the_figures_of_a_pair_are_of_its_trades(account: Account) -> None:
    past = history(account.facts)
    found = statistics(past)
    pairs = {(one.symbol, one.strategy) for one in past.trades}
    assert [(one.symbol, one.strategy) for one in found] == sorted(pairs)
    for one in found:
        gains = [each.pnl for each in past.trades if (each.symbol, each.strategy) == (one.symbol, one.strategy)]
        assert (one.trades, one.won, one.pnl) == (len(gains), sum(gain > 0 for gain in gains), sum(gains))


def test_what_a_trade_put_at_risk_is_of_its_own_purchases() -> None:
    """Also where the one before it ended with a purchase that was told after its sale."""
    account = Account().buy("BTC-USD", "1", "100", "0").wait().sell("BTC-USD", "1", "120", "0").wait()
    bought = next(fact for fact in account.facts if isinstance(fact, Filled))
    account.facts.remove(bought)
    account.facts.append(bought)
    account.buy("BTC-USD", "1", "100", "0").wait().sell("BTC-USD", "1", "106", "0")
    (one,) = statistics(history(account.facts))
    assert (one.trades, one.won, figures(one.pnl, one.average_r)) == (2, 2, "26 2")  # 6 of the 3 below the purchase


def test_a_sale_that_is_told_late_is_still_not_the_last_one() -> None:
    account = Account().buy("BTC-USD", "2", "100").wait().sell("BTC-USD", "1", "90", reason="stop")
    late = account.facts.pop()
    account.wait().sell("BTC-USD", "1", "120", reason="target")
    last_ms = account.now_ms
    account.facts.append(late)
    (one,) = history(account.facts).trades
    assert (one.exit_reason, one.exit_ms) == ("target", last_ms)


def test_what_a_sale_realised_belongs_to_the_strategy_that_opened_the_position() -> None:
    account = Account().buy("BTC-USD", "2", "100", "0", strategy="one").wait()
    account.buy("BTC-USD", "2", "100", "0", strategy="two").wait().sell("BTC-USD", "1", "130", "0", strategy="two")
    assert [(row.key, figures(row.realised)) for row in pnl(history(account.facts), "strategy").rows] == [("one", "30")]


def test_a_position_that_was_sold_before_it_was_bought_has_no_entry_price() -> None:
    account = Account()
    account.fill("stranger", "BTC-USD", Side.SELL, "1", "130", "1")
    past = history(account.facts)
    (one,) = past.open
    assert (past.trades, figures(one.quantity, one.entry_price)) == ((), "-1 -")


def test_a_span_keeps_what_ended_in_it() -> None:
    account = Account()
    for symbol in ("BTC-USD", "ETH-USD", "BTC-USD"):
        account.buy(symbol, "1", "100").wait().sell(symbol, "1", "101", "2").wait()
    trades = history(account.facts).trades
    assert len(ended_since(trades, trades[1].exit_ms)) == 2
    assert len(ended_since(trades, trades[1].exit_ms + 1)) == 1
    assert len(ended_since(trades, None, ("BTC-USD",))) == 2
    found = totals(trades)
    assert (found.trades, found.won, found.lost, figures(found.pnl, found.fees)) == (3, 0, 3, "-4.5 7.5")


# --- pnl -------------------------------------------------------------------------------------------------------------


@examples(40)
@given(accounts(late=True))
def test_pnl_adds_up_to_the_ledger_by_whatever_it_is_split(account: Account) -> None:
    past = history(account.facts)
    for by in FILL_KEYS:
        found = pnl(past, by)
        assert found.total.realised == past.book.realised == total(row.realised for row in found.rows)
        assert found.total.fees == total(row.fees for row in found.rows) == total(one.fee for one in past.fills)
        assert found.total.trades == sum(row.trades for row in found.rows) == len(past.trades)
        assert found.total.won == sum(row.won for row in found.rows)


def test_pnl_by_day_has_the_equity_of_the_newest_mark_and_days_without_trades() -> None:
    account = Account().buy("BTC-USD", "1", "100", "1").cycle(equity="9990").cycle(equity="9980")
    account.wait(96).cycle(equity="9970").wait(96).sell("BTC-USD", "1", "90", "1").cycle(equity=None)
    past = history(account.facts)
    assert [(row.key, row.trades, figures(row.realised, row.equity)) for row in pnl(past, "day").rows] == [
        ("2024-03-04", 0, "0 9980"),
        ("2024-03-05", 0, "0 9970"),
        ("2024-03-06", 1, "-12 -"),
    ]
    later = pnl(past, "day", past.trades[0].exit_ms)
    assert [(row.key, figures(row.realised)) for row in later.rows] == [("2024-03-06", "-12")]
    assert pnl(past, "symbol", past.trades[0].exit_ms + 1).rows == ()


# --- tax lots --------------------------------------------------------------------------------------------------------


def by_method(account: Account) -> dict[str, Matched]:
    return {method: matched(history(account.facts).fills, method) for method in METHODS}


@examples(40)
@given(accounts(late=True))
def test_lots_add_up_to_the_fills_whatever_the_method(account: Account) -> None:
    past = history(account.facts)
    bought = [one for one in past.fills if one.side is Side.BUY]
    sold = [one for one in past.fills if one.side is Side.SELL]
    for lots in by_method(account).values():
        for sale in sold:
            parts = [one for one in lots.sold if one.sold == sale.trade_id]
            assert total(one.quantity for one in parts) == sale.quantity
            assert total(one.proceeds for one in parts) == sale.value - sale.fee
        for purchase in bought:
            parts = [one for one in (*lots.sold, *lots.held) if one.bought == purchase.trade_id]
            assert total(one.quantity for one in parts) == purchase.quantity
            assert total(one.cost for one in parts) == purchase.value + purchase.fee
        assert all(one.quantity > 0 for one in (*lots.sold, *lots.held))
        assert all(one.gain == (one.proceeds or 0) - one.cost for one in lots.sold)


@examples(40)
@given(accounts())
def test_lots_add_up_to_the_ledger_whatever_the_method(account: Account) -> None:
    book = history(account.facts).book
    for lots in by_method(account).values():
        assert held(lots) == {symbol: one.quantity for symbol, one in book.holdings.items() if one.quantity}
        assert all(one.acquired_ms is not None for one in lots.sold)
        gain, cost = total(one.gain for one in lots.sold), total(one.cost for one in lots.held)
        assert gain - cost == book.realised - paid_for_held(book)


def held(lots: Matched) -> dict[str, Decimal]:
    symbols = {one.symbol for one in lots.held}
    return {symbol: total(one.quantity for one in lots.held if one.symbol == symbol) for symbol in symbols}


def paid_for_held(book: Book) -> Decimal:
    return total(one.cost + one.entry_fees for one in book.holdings.values())


def history_of_three() -> History:
    """Bought at 100, 300 and 200 and a unit each, fees 1; then one and a half sold at 400, fee 3."""
    account = Account().buy("BTC-USD", "1", "100", "1").wait().buy("BTC-USD", "1", "300", "1").wait()
    account.buy("BTC-USD", "1", "200", "1").wait().sell("BTC-USD", "1.5", "400", "3")
    return history(account.facts)


@pytest.mark.parametrize(
    ("method", "sold"),
    [
        ("FIFO", [("trade-1", "1", "398", "101"), ("trade-2", "0.5", "199", "150.5")]),
        ("LIFO", [("trade-3", "1", "398", "201"), ("trade-2", "0.5", "199", "150.5")]),
        ("HIFO", [("trade-2", "1", "398", "301"), ("trade-3", "0.5", "199", "100.5")]),
    ],
)
def test_each_method_sells_its_own_lots(method: str, sold: list[tuple[str, str, str, str]]) -> None:
    lots = matched(history_of_three().fills, method)
    assert [(one.bought, one.quantity, one.proceeds, one.cost) for one in lots.sold] == [
        (name, *map(Decimal, figures)) for name, *figures in sold
    ]


def test_what_does_not_divide_stays_with_the_last_part() -> None:
    account = Account().buy("BTC-USD", "3", "100", "0.00000001").wait()
    for _ in range(3):
        account.sell("BTC-USD", "1", "100", "0").wait()
    lots = matched(history(account.facts).fills, "FIFO")
    assert [one.cost for one in lots.sold] == [Decimal(100), Decimal(100), Decimal("100.00000001")]


def test_what_is_finer_than_a_grain_stays_with_the_last_part() -> None:
    account = Account().buy("BTC-USD", "3", "100", "0.00000000025").wait()
    for _ in range(3):
        account.sell("BTC-USD", "1", "100", "0.0000000001").wait()
    lots = matched(history(account.facts).fills, "HIFO")
    assert total(one.cost for one in lots.sold) == Decimal("300.00000000025")
    assert total(one.proceeds for one in lots.sold) == Decimal("299.9999999997")


def test_a_purchase_that_is_told_late_is_still_the_oldest_lot() -> None:
    account = Account().buy("BTC-USD", "1", "100", "0")
    late = account.facts.pop()
    account.wait().buy("BTC-USD", "1", "200", "0").wait().sell("BTC-USD", "1", "400", "0")
    account.facts.append(late)
    lots = matched(history(account.facts).fills, "FIFO")
    assert [figures(one.cost) for one in (*lots.sold, *lots.held)] == ["100", "200"]


def test_a_sale_of_what_was_never_bought_has_no_cost_and_no_day_of_purchase() -> None:
    account = Account().buy("BTC-USD", "1", "100", "1").wait()
    account.fill("stranger", "BTC-USD", Side.SELL, "3", "130", "3")
    lots = matched(history(account.facts).fills, "FIFO")
    assert [(one.bought, figures(one.quantity, one.cost), one.acquired_ms is None) for one in lots.sold] == [
        ("trade-1", "1 101", False), ("", "2 0", True),
    ]  # fmt: skip
    assert total(one.proceeds for one in lots.sold) == 387
