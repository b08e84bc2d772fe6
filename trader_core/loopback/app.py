"""The routes, and the way of a call: what breaks before it, who asks, the answer, and what breaks after it."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from trader_core.loopback import admin, private, public, v2
from trader_core.loopback.calls import Answer, Call, problem
from trader_core.loopback.delivery import Delivered, Silence, Transports
from trader_core.loopback.faults import Plan
from trader_core.loopback.trouble import Misused
from trader_core.loopback.venue import Venue, broken_before

API = "/api/v3/brokerage"
Handler = Callable[[Venue, Call, Plan], Answer]
Endpoint = Callable[[Request], Awaitable[Response]]
VIEW, TRADE, TRANSFER = "can_view", "can_trade", "can_transfer"

PUBLIC: tuple[tuple[str, str, Handler], ...] = (
    ("GET", f"{API}/time", public.time),
    ("GET", f"{API}/market/products", public.products),
    ("GET", f"{API}/market/products/{{product_id}}", public.product),
    ("GET", f"{API}/market/products/{{product_id}}/candles", public.candles),
    ("GET", f"{API}/market/products/{{product_id}}/ticker", public.ticker),
    ("GET", f"{API}/market/product_book", public.product_book),
    ("GET", "/v2/currencies", v2.currencies),
    ("GET", "/v2/currencies/crypto", v2.crypto),
    ("GET", "/v2/exchange-rates", v2.exchange_rates),
    ("GET", "/v2/time", v2.time),
)
PRIVATE: tuple[tuple[str, str, Handler, str], ...] = (
    ("GET", f"{API}/products", public.products, VIEW),
    ("GET", f"{API}/products/{{product_id}}", public.product, VIEW),
    ("GET", f"{API}/products/{{product_id}}/candles", public.candles, VIEW),
    ("GET", f"{API}/products/{{product_id}}/ticker", public.ticker, VIEW),
    ("GET", f"{API}/product_book", public.product_book, VIEW),
    ("GET", f"{API}/best_bid_ask", public.best_bid_ask, VIEW),
    ("GET", f"{API}/accounts", private.accounts, VIEW),
    ("GET", f"{API}/accounts/{{uuid}}", private.account, VIEW),
    ("GET", f"{API}/transaction_summary", private.transaction_summary, VIEW),
    ("GET", f"{API}/key_permissions", private.key_permissions, VIEW),
    ("GET", f"{API}/portfolios", private.portfolios, VIEW),
    ("GET", f"{API}/portfolios/{{uuid}}", private.portfolio, VIEW),
    ("POST", f"{API}/portfolios/move_funds", private.move_funds, TRANSFER),
    ("POST", f"{API}/orders", private.create, TRADE),
    ("POST", f"{API}/orders/preview", private.preview, VIEW),
    ("POST", f"{API}/orders/edit", private.edit, TRADE),
    ("POST", f"{API}/orders/edit_preview", private.edit_preview, VIEW),
    ("POST", f"{API}/orders/batch_cancel", private.batch_cancel, TRADE),
    ("POST", f"{API}/orders/close_position", private.close_position, TRADE),
    ("GET", f"{API}/orders/historical/batch", private.orders, VIEW),
    ("GET", f"{API}/orders/historical/fills", private.fills, VIEW),
    ("GET", f"{API}/orders/historical/{{order_id}}", private.order, VIEW),
    ("GET", "/v2/accounts", v2.accounts, VIEW),
)
ADMIN: tuple[tuple[str, str, Handler], ...] = (
    ("GET", "/admin/faults", admin.faults),
    ("POST", "/admin/faults", admin.faults),
    ("GET", "/admin/clock", admin.clock),
    ("POST", "/admin/clock", admin.clock),
    ("POST", "/admin/balances", admin.balances),
    ("POST", "/admin/deposit", admin.deposit),
    ("POST", "/admin/withdraw", admin.withdraw),
    ("POST", "/admin/volume", admin.volume),
    ("POST", "/admin/price", admin.price),
    ("POST", "/admin/product", admin.product),
    ("POST", "/admin/permissions", admin.permissions),
    ("POST", "/admin/keys", admin.keys),
    ("POST", "/admin/orders", admin.stranger),
    ("GET", "/admin/state", admin.state),
    ("POST", "/admin/reset", admin.reset),
)


def application(venue: Venue, transports: Transports) -> Starlette:
    routes = [
        *(Route(path, _open(venue, transports, handler), methods=[method]) for method, path, handler in PUBLIC),
        *(
            Route(path, _open(venue, transports, handler, needs), methods=[method])
            for method, path, handler, needs in PRIVATE
        ),
        *(Route(path, _told_by_tests(venue, transports, handler), methods=[method]) for method, path, handler in ADMIN),
    ]
    return Starlette(routes=routes, exception_handlers={404: _unknown, 405: _unknown})


async def _unknown(request: Request, error: Exception) -> Response:
    """What the gateway says to a path that it does not know."""
    answer = problem(404, "NOT_FOUND", f"no such path: {request.url.path}")
    return Response(answer.body, answer.status, media_type=answer.kind)


def _open(venue: Venue, transports: Transports, handler: Handler, needs: str = "") -> Endpoint:
    """A path of the venue. `needs` names the permission of a private one; a public one ignores whose key is sent."""

    async def endpoint(request: Request) -> Response:
        call = await _call(request)
        plan = venue.plan(call)
        await asyncio.sleep(venue.faults.delay_s(plan, "before"))
        broken = broken_before(plan)
        if broken is None and plan.has("hang_before"):
            return Silence()
        answer = broken or (venue.refused(call, plan, needs) if needs else None) or handler(venue, call, plan)
        if needs:
            answer.headers.update(venue.rate_headers())
        await asyncio.sleep(venue.faults.delay_s(plan, "after"))
        return Delivered(answer, plan, transports) if broken is None else Delivered(answer, Plan(), transports)

    return endpoint


def _told_by_tests(venue: Venue, transports: Transports, handler: Handler) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            answer = handler(venue, await _call(request), Plan())
        except Misused as wrong:
            answer = problem(400, "MISUSED", str(wrong))
        return Delivered(answer, Plan(), transports)

    return endpoint


async def _call(request: Request) -> Call:
    return Call(
        request.method, request.url.path, request.query_params, request.headers, await request.body(),
        request.url.scheme == "http", request.path_params,
    )  # fmt: skip
