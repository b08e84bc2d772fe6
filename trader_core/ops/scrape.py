"""/metrics and /healthz for whoever looks from this very machine, in threads of their own: no cycle waits for a reader.

Only loopback is listened on, only GET answered, and only to requests that name this machine: a page in a browser that
was made to resolve its own name to us gets nothing.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from trader_core.domain.errors import StateUnusable, UsageError

HOST = "127.0.0.1"
NAMES = (HOST, "localhost")
PATIENCE_S = 5.0  # for a client that says nothing
TEXT = "text/plain; version=0.0.4; charset=utf-8"

_LOG = logging.getLogger("trader.metrics")
Answer = tuple[int, str]  # status and text
Page = Callable[[], Answer]


@contextmanager
def scraped(port: int, pages: dict[str, Page]) -> Iterator[int]:
    """Serve these paths on that port, 0 for a free one, and hand out which it is. Raises UsageError where the port
    cannot be had. A page that cannot read its state says so with 503."""
    try:
        server = _Server((HOST, port), _handler(pages))
    except OSError as taken:
        raise UsageError(
            f"--metrics-port {port} cannot be listened on: {taken.strerror}", remedy="name another port"
        ) from taken
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A reader who went away while he was answered is no news."""
        if not isinstance(sys.exc_info()[1], OSError):
            _LOG.exception("a look at the figures failed")


def _handler(pages: dict[str, Page]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = PATIENCE_S
        server_version, sys_version = "trader", ""

        def do_GET(self) -> None:
            status, text = self._answer()
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", TEXT)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def _answer(self) -> Answer:
            if self.headers.get("Host", HOST).partition(":")[0] not in NAMES:
                return 403, "only this machine is answered\n"
            page = pages.get(self.path.partition("?")[0])
            if page is None:
                return 404, f"there is {' and '.join(pages)}\n"
            try:
                return page()
            except StateUnusable as broken:
                return 503, f"{broken.what}\n"

        def log_message(self, *_: object) -> None:
            """Who reads figures is no news."""

    return Handler
