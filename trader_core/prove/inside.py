"""A loopback venue in this process: its own application, asked without a socket, on whatever the time is here."""

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

from trader_core.loopback.app import application
from trader_core.loopback.auth import key_of
from trader_core.loopback.clock import real_time
from trader_core.loopback.exchange import Exchange, Market
from trader_core.loopback.faults import Faults
from trader_core.loopback.market import HISTORY_MS, Generated
from trader_core.loopback.products import listed
from trader_core.loopback.truth import Truth
from trader_core.loopback.venue import Venue

SEED = 8
Answer = tuple[int, dict[str, str], bytes]


class VenueInside:
    """One account. May be forked at any moment: what a copy does is the copy's alone."""

    def __init__(self, key: object, balances: Mapping[str, Decimal], truth: Path) -> None:
        clock, products = real_time(), listed()
        first_ms = clock.start_ms - HISTORY_MS
        made = {name: Generated(SEED, one, first_ms) for name, one in products.items() if not one.alias}
        known = key_of(key)
        exchange = Exchange(SEED, clock, Market(products, made), Truth(truth), balances)
        self.venue = Venue(exchange, {known.name: known}, Faults(SEED))

    def tells(self, truth: Path) -> None:
        """Where the truth is written from now on."""
        self.venue.exchange.truth = Truth(truth)

    def admin(self, path: str, /, **body: Any) -> dict[str, Any]:
        status, _, said = self.ask("POST", f"/admin/{path}", {"host": "venue"}, json.dumps(body).encode())
        told: dict[str, Any] = json.loads(said)
        assert status == 200, told  # noqa: S101 - the stage itself would be wrong
        return told

    def ask(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What the venue answers, and has done by then."""
        self.venue.exchange.advance()
        asked, said = self._asked(method, url, headers, body), dict[str, Any]()
        try:
            while True:  # nothing in there waits for anything but its turn
                asked.send(None)
        except StopIteration as done:
            said = done.value
        names = {name.decode(): value.decode() for name, value in said["headers"]}
        return said["status"], names, said["body"]

    @cached_property
    def _application(self) -> Any:
        return application(self.venue, {})

    async def _asked(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
        path, _, query = url.partition("?")
        told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "http_version": "1.1", "scheme": "http", "method": method, "path": path,
            "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "headers": told,
            "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80),
        }  # fmt: skip
        said: dict[str, Any] = {"body": b""}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            said.update({**message, "body": said["body"] + message.get("body", b"")})

        await self._application(scope, receive, send)
        return said
