"""A real HTTP server on loopback that takes what channels bring, as well or as badly as a test wants."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

TOKEN = "sesame-open-sesame"  # of every address
WAIT_S, HELD_S = 30.0, 120.0


@dataclass
class Receiver:
    """`free` keeps every request waiting until it is set; `status` is the answer, `moved` where it leads instead."""

    port: int = 0
    status: int = 200
    moved: str = ""
    took: list[dict[str, Any]] = field(default_factory=list)
    beats: list[str] = field(default_factory=list)
    begun: int = 0
    free: Event = field(default_factory=Event)

    @property
    def url(self) -> str:
        return f"json://127.0.0.1:{self.port}/{TOKEN}"

    @property
    def heartbeat(self) -> str:
        return f"http://127.0.0.1:{self.port}/beat-{TOKEN}"

    @property
    def titles(self) -> list[str]:
        return [one["title"] for one in self.took]

    def wait(self, done: Callable[["Receiver"], object], seconds: float = WAIT_S) -> bool:
        """Whether that became true within so long."""
        until_s = time.monotonic() + seconds
        while not done(self):
            if time.monotonic() > until_s:
                return False
            time.sleep(0.02)
        return True


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.free.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.begun += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            receiver.free.wait(HELD_S)
            try:
                self._answer(receiver.moved)
            except OSError:  # whoever brought it is gone, and does not know that it arrived
                return
            if receiver.status < 300 and not receiver.moved:
                receiver.took.append(body)

        def do_GET(self) -> None:
            receiver.beats.append(self.path)
            self._answer()

        def _answer(self, moved: str = "") -> None:
            self.send_response(302 if moved else receiver.status)
            if moved:
                self.send_header("Location", moved)
            self.end_headers()
            self.wfile.flush()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield receiver
        finally:
            receiver.free.set()
            server.shutdown()
