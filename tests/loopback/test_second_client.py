"""The other client, unchanged, makes the same round by its own names and over its own paths."""

from decimal import Decimal
from typing import Any

import ccxt
import pytest

from tests.loopback.served import Served


def client(served: Served, **other: str) -> Any:
    made = ccxt.coinbase(
        {"apiKey": served.key["name"], "secret": served.key["privateKey"], "enableRateLimit": False, **other}
    )
    made.urls["api"] = {"rest": served.url}
    made.validateServerSsl = str(served.folder / "ca.pem")
    return made


def test_the_full_round(either: Served) -> None:
    made = client(either)
    assert len(made.load_markets()) >= 16
    assert abs(made.fetch_time() - made.fetch_time({"v3": True})) < 60_000
    book, last = made.fetch_order_book("ETH/USD", 5), made.fetch_ticker("ETH/USD")["last"]
    assert len(book["bids"]) == 5 and book["bids"][0][0] < book["asks"][0][0]
    assert len(made.fetch_ohlcv("ETH/USD", "1h", limit=24)) in (23, 24)
    assert made.fetch_bids_asks(["ETH/USD"])["ETH/USD"]["bid"] > 0
    assert made.fetch_balance()["total"]["BTC"] == made.fetch_balance({"v3": True})["total"]["BTC"] == 2

    low = round(last * 0.8, 2)
    assert made.create_order("ETH/USD", "limit", "buy", 1, low, {"preview": True})["id"] is None
    placed = made.create_order("ETH/USD", "limit", "buy", 1, low, {"postOnly": True, "client_order_id": "mine"})
    read = made.fetch_order(placed["id"])
    assert (read["status"], read["clientOrderId"], read["price"], read["amount"]) == ("open", "mine", low, 1)
    assert made.fetch_balance({"v3": True})["used"]["USD"] == float(Decimal(str(low)) * Decimal("1.006"))
    made.edit_order(placed["id"], "ETH/USD", "limit", "buy", 2, low)
    assert [one["amount"] for one in made.fetch_open_orders("ETH/USD")] == [2]
    made.cancel_order(placed["id"])
    assert made.fetch_open_orders("ETH/USD") == [] and made.fetch_order(placed["id"])["status"] == "canceled"

    spend = {"createMarketBuyOrderRequiresPrice": False}
    bought = made.fetch_order(made.create_order("SOL/USD", "market", "buy", 50, None, spend)["id"])
    sold = made.fetch_order(made.create_order("ETH/USD", "market", "sell", 0.01)["id"])
    assert bought["status"] == sold["status"] == "closed" and sold["filled"] == 0.01
    trades = made.fetch_my_trades("ETH/USD")
    assert sum(one["amount"] for one in trades) == 0.01
    assert trades[0]["takerOrMaker"] == "taker" and trades[0]["fee"]["cost"] > 0
    costs = Decimal(bought["info"]["total_value_after_fees"])
    gains = Decimal(sold["info"]["total_value_after_fees"])
    wallets = {one["currency"]: one for one in either.admin("state")["accounts"]}
    assert Decimal(wallets["USD"]["available_balance"]["value"]) == 100_000 - costs + gains and costs <= 50


def test_its_errors(either: Served) -> None:
    made = client(either)
    with pytest.raises(ccxt.InsufficientFunds):
        made.create_order("BTC/USD", "limit", "buy", 100, 50_000)
    with pytest.raises(ccxt.BadRequest):
        made.cancel_order("ghost")
    with pytest.raises(ccxt.AuthenticationError):
        client(either, apiKey="somebody else").fetch_balance({"v3": True})
