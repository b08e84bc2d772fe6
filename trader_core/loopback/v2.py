"""The old API, as far as one of the clients loads its markets and balances from it."""

from typing import Any

from trader_core.loopback.accounts import Wallet
from trader_core.loopback.calls import Answer, Call, told
from trader_core.loopback.chance import identity
from trader_core.loopback.faults import Plan
from trader_core.loopback.numbers import shown, text
from trader_core.loopback.products import FIAT, long_name
from trader_core.loopback.venue import Venue
from trader_core.loopback.wire import moment


def currencies(venue: Venue, call: Call, plan: Plan) -> Answer:
    return told({"data": [{"id": one, "name": long_name(one), "min_size": "0.01000000"} for one in FIAT]})


def crypto(venue: Venue, call: Call, plan: Plan) -> Answer:
    found = [_currency(one) for one in _codes(venue) if one not in FIAT]
    return told({"data": found})


def exchange_rates(venue: Venue, call: Call, plan: Plan) -> Answer:
    """How much of each currency one US dollar buys."""
    rates = {"USD": "1.0", "USDC": "1.0"}
    for code in _codes(venue):
        product = venue.exchange.products.get(f"{code}-USD")
        prices = venue.exchange.prices(product) if product else None
        if prices is not None:
            rates[code] = text(shown(prices.last / prices.last, prices.last))
    return told({"data": {"currency": "USD", "rates": rates}})


def time(venue: Venue, call: Call, plan: Plan) -> Answer:
    now_ms = venue.exchange.clock.now_ms() + plan.skew_ms
    return told({"data": {"iso": moment(now_ms * 1_000), "epoch": now_ms // 1_000}})


def accounts(venue: Venue, call: Call, plan: Plan) -> Answer:
    limit = call.whole("limit", 25, 300)
    wallets, after = list(venue.exchange.account.wallets.values()), call.query.get("starting_after", "")
    first = next((place + 1 for place, one in enumerate(wallets) if one.uuid == after), 0)
    cut, more = wallets[first : first + limit], len(wallets) > first + limit
    last = cut[-1].uuid if cut and more else None
    onward = None if last is None else f"/v2/accounts?limit={limit}&starting_after={last}"
    pages = {
        "ending_before": None,
        "starting_after": after or None,
        "limit": limit,
        "order": "desc",
        "previous_ending_before": None,
        "next_starting_after": last,
        "previous_uri": None,
        "next_uri": onward,
    }
    return told({"pagination": pages, "data": [_account(one) for one in cut]})


def _account(wallet: Wallet) -> dict[str, Any]:
    """The old wallet's balance includes what orders keep."""
    made = moment(wallet.created_ms * 1_000)
    return {
        "id": wallet.uuid,
        "name": f"{wallet.currency} Wallet",
        "primary": True,
        "type": "fiat" if wallet.currency in FIAT else "wallet",
        "currency": _currency(wallet.currency),
        "balance": {"amount": text(wallet.total), "currency": wallet.currency},
        "created_at": made,
        "updated_at": made,
        "resource": "account",
        "resource_path": f"/v2/accounts/{wallet.uuid}",
        "allow_deposits": True,
        "allow_withdrawals": True,
    }


def _currency(code: str) -> dict[str, Any]:
    return {
        "asset_id": identity("asset", code),
        "code": code,
        "name": long_name(code),
        "color": "#000000",
        "sort_index": 100,
        "exponent": 2 if code in FIAT else 8,
        "type": "fiat" if code in FIAT else "crypto",
    }


def _codes(venue: Venue) -> list[str]:
    products = venue.exchange.products.values()
    return sorted({code for one in products for code in (one.base, one.quote)})
