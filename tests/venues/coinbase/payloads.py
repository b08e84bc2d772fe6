"""Which parser reads which recorded payload."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.shared import shared
from trader_core.venues.coinbase import parse

Parser = Callable[[bytes], object]

PARSERS: Mapping[str, Parser] = {
    "accounts_list_empty": parse.accounts,
    "accounts_list_page_has_next": parse.accounts,
    "accounts_list_two": parse.accounts,
    "cancel_success": parse.cancelled,
    "candles_one_day": parse.candles,
    "create_order_doc_all_configs": parse.created,
    "create_order_error_insufficient_fund": parse.created,
    "create_order_error_post_only_cross": parse.created,
    "create_order_error_stop_above_last": parse.created,
    "create_order_success_limit_post_only": parse.created,
    "edit_order_errors_object": parse.created,  # in the envelope of a new order's
    "fills_spot_taker_sell": parse.fills,
    "fills_two": parse.fills,
    "http_401_unauthorized": parse.complaint,
    "http_429_rate_limit_v2": parse.complaint,
    "key_permissions": parse.permissions,
    "order_open_limit_gtc": parse.order,
    "orders_list_filled_has_next": parse.orders,
    "orders_list_market_sell_filled": parse.orders,
    "orders_list_open_and_filled": parse.orders,
    "product_book_5_levels": parse.book,
    "product_book_minimal": parse.book,
    "product_btc_usd": parse.product,
    "product_btc_usd_2026": parse.product,
    "products_list_doc_flags": parse.products,
    "server_time": parse.server_time,
    "transaction_summary_intro2": parse.fee_tier,
}
OTHERS = (  # answers to calls that we never make
    "account_get",
    "best_bid_ask",
    "market_trades",
    "market_trades_2026",
    "portfolios_list",
    "preview_success_limit_post_only",
    "ticker_trades_limit1",
    "v2_accounts_list",
    "v2_currencies_crypto",
    "v2_currencies_fiat",
    "v2_exchange_rates",
)


def files() -> dict[str, Path]:
    return {path.stem: path for path in sorted(shared("fixtures/coinbase").iterdir())}


def payload(name: str) -> bytes:
    """The recorded bytes; one of them is an order without the envelope it comes in."""
    body = files()[name].read_bytes()
    return b'{"order": ' + body + b"}" if name == "order_open_limit_gtc" else body


def changed(name: str, **fields: object) -> bytes:
    """A recorded list whose first row says something else."""
    document = json.loads(payload(name))
    rows = next(one for one in document.values() if isinstance(one, list))
    rows[0].update(fields)
    return json.dumps(document).encode()
