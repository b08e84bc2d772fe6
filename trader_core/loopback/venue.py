"""The venue: the exchange, who may call it, and what is to go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trader_core.loopback.auth import Asked, KnownKey, caller
from trader_core.loopback.calls import Answer, Call, page, plain, problem, told
from trader_core.loopback.clock import wall_ms
from trader_core.loopback.exchange import Exchange
from trader_core.loopback.faults import Faults, Plan

PER_SECOND = 30  # what the headers of private answers speak of


@dataclass
class Venue:
    exchange: Exchange
    keys: dict[str, KnownKey]
    faults: Faults
    _second: int = 0
    _in_second: int = 0
    _permissions: dict[str, Any] = field(default_factory=dict)

    def plan(self, call: Call) -> Plan:
        """What goes wrong with this call. Products that a rule flips are flipped before it is looked at."""
        plan = self.faults.plan(call, *self._about(call))
        for rule in plan.each("product_status"):
            self.exchange.stand(rule.figures["product"], rule.figures["status"], rule.figures["flags"])
        for rule in plan.each("delist"):
            self.exchange.stand(rule.figures["product"], "delisted", {})
        return plan

    def _about(self, call: Call) -> tuple[set[str], set[str]]:
        """The products and sides that a call names, itself or through its orders."""
        products = {*call.each("product_id", "product_ids"), call.named.get("product_id", "")}
        sides = {call.query.get("order_side", "")}
        if call.body and call.method == "POST":
            products.add(str(call.document.get("product_id", "")))
            sides.add(str(call.document.get("side", "")))
        ids = [call.named.get("order_id"), call.document.get("order_id"), *_texts(call.document.get("order_ids"))]
        for order in (self.exchange.orders.get(str(one)) for one in ids if one):
            if order is not None:
                products.add(order.product.product_id)
                sides.add(order.side)
        return products - {""}, sides - {""}

    def permissions(self, key: KnownKey) -> Mapping[str, Any]:
        return {**self.exchange.account.permissions, **key.permissions}

    def key_of(self, call: Call, plan: Plan) -> KnownKey | None:
        now_s = (wall_ms() + plan.skew_ms) / 1_000
        asked = Asked(call.method, call.host, call.path, now_s, call.plain)
        return caller(self.keys, call.headers.get("authorization", ""), asked)

    def refused(self, call: Call, plan: Plan, needs: str) -> Answer | None:
        """Why a private call gets no answer, if so: nobody we know, or somebody who may not."""
        key = self.key_of(call, plan)
        if key is None:
            return plain("Unauthorized\n", 401)
        if self.permissions(key).get(needs) is not True:
            return problem(403, "PERMISSION_DENIED", "Missing required scopes")
        return None

    def rate_headers(self) -> dict[str, str]:
        now_s = wall_ms() // 1_000
        if now_s != self._second:
            self._second, self._in_second = now_s, 0
        self._in_second += 1
        left = max(0, PER_SECOND - self._in_second)
        return {"x-ratelimit-limit": str(PER_SECOND), "x-ratelimit-remaining": str(left), "x-ratelimit-reset": "1"}


def broken_before(plan: Plan) -> Answer | None:
    """The answer of a call that is never looked at."""
    rule = plan.first("429_json", "429_html", "rate_limit", "5xx_before", "expired_token", "unauthorized_text",
                      "maintenance_html")  # fmt: skip
    if rule is None:
        return None
    if rule.kind in ("expired_token", "unauthorized_text"):
        return plain("Unauthorized\n", 401)
    if rule.kind == "maintenance_html":
        return page("Coinbase is down for maintenance", 503)
    if rule.kind == "5xx_before":
        return page("Service Unavailable", int(rule.figures["status"]))
    limited = told({"errors": [{"id": "rate_limit_exceeded", "message": "Too many requests"}]}, 429)
    if rule.kind == "429_html" or rule.figures.get("html"):
        limited = page("429 Too Many Requests", 429)
    if rule.figures.get("retry_after"):
        limited.headers["retry-after"] = str(rule.figures["retry_after"])
    return limited


def _texts(value: object) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []
