"""How an answer leaves: whole, late, cut, or not at all."""

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from trader_core.loopback.calls import Answer, page
from trader_core.loopback.faults import Plan

_FLUSHED_S = 0.05  # the first half is on its way before the connection is torn down
Transports = dict[tuple[str, int], asyncio.Transport]


def protocol(transports: Transports) -> type[H11Protocol]:
    """The server's protocol, which lets an answer find its own connection."""

    class Known(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if self.client is not None:
                transports[self.client] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            if self.client is not None:
                transports.pop(self.client, None)
            super().connection_lost(exc)

    return Known


class Silence(Response):
    """No answer; the connection is kept until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


class Delivered(Response):
    """An answer, and what its plan does to it on the way. What it says has happened already."""

    def __init__(self, answer: Answer, plan: Plan, transports: Transports) -> None:
        failed = plan.first("5xx_after")
        if failed is not None:
            answer = page("Service Unavailable", int(failed.figures["status"]))
        body = answer.body[: len(answer.body) // 2] if plan.has("truncated_json") else answer.body
        super().__init__(body, answer.status, answer.headers, answer.kind)
        self._plan, self._transports = plan, transports

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._plan.has("hang_after"):
            await Silence()(scope, receive, send)
        elif self._plan.has("reset_mid_body"):
            await self._reset(scope, send)
        else:
            await super().__call__(scope, receive, send)

    async def _reset(self, scope: Scope, send: Send) -> None:
        """The headers promise the whole body; half of it comes, and then a reset."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body)[: len(self.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await asyncio.sleep(_FLUSHED_S)
        transport = self._transports.get(tuple(scope["client"]))
        if transport is not None:
            linger = struct.pack("ii", 1, 0)  # closing sends a reset at once
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
            await asyncio.sleep(0)  # the connection's end is noticed before this answer's
