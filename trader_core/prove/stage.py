"""A rehearsal of real money on this machine: a venue, time servers and somebody to alert, all on loopback, a key of
that venue, a configuration and a state of its own. Programs run as an operator runs them; nothing of the operator's is
touched.
"""

import json
import socket
import ssl
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from trader_core.domain.errors import GateClosed
from trader_core.ops.clock import host_ms
from trader_core.settings.environment import process_environment
from trader_core.settings.variant import write_variant

START = (sys.executable, "-c", "from cli.main import main; main()")
PROGRAM_S = 60.0  # no program of a rehearsal takes longer
SERVERS = 3
NTP_FROM_1900_S = 2_208_988_800
PACKET = struct.Struct("!BBbb11I")
SERVING = 0b00_100_100  # no leap second, version 4, a server
KEPT = ("PATH", "HOME", "XDG_CACHE_HOME", "PYTHONPATH", "LANG")  # of the operator's environment


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """What --json said. Raises GateClosed where that is no document: then the rehearsal cannot go on."""
        try:
            found: dict[str, Any] = json.loads(self.out)
        except ValueError:
            raise GateClosed(f"a program of the rehearsal ended with {self.code}: {self.err.strip()}") from None
        return found


@dataclass(frozen=True)
class Stage:
    """`heard` are the times in ms at which somebody was alerted."""

    folder: Path
    url: str
    environment: Mapping[str, str]
    heard: list[int]

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def truth(self) -> Path:
        """What the venue really did, line by line."""
        return self.folder / "truth.jsonl"

    def program(self, *words: str) -> Done:
        """Raises GateClosed where it does not end."""
        try:
            done = subprocess.run(  # noqa: S603 - our own program
                [*START, *words], env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False,
                timeout=PROGRAM_S,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            what = f"trader {' '.join(words[:1])} took more than {PROGRAM_S:.0f} s in rehearsal"
            raise GateClosed(what, remedy="again, on a machine with less to do") from None
        return Done(done.returncode, done.stdout, done.stderr)

    def must(self, *words: str) -> Done:
        """Raises GateClosed where it did not end well."""
        done = self.program(*words)
        if done.code:
            raise GateClosed(f"trader {' '.join(words[:1])} ended with {done.code} in rehearsal: {done.err.strip()}")
        return done

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[bytes]"]:
        """A program that stays until the context closes."""
        command = [*START, *words]
        quiet = subprocess.DEVNULL
        with subprocess.Popen(  # noqa: S603 - our own program
            command, env=self.environment, cwd=self.folder, stdout=quiet, stderr=quiet
        ) as started:
            try:
                yield started
            finally:
                started.terminate()

    def admin(self, path: str, /, **body: Any) -> dict[str, Any]:
        trusted = ssl.create_default_context(cafile=self.folder / "tls" / "ca.pem")
        request = urllib.request.Request(f"{self.url}/admin/{path}", json.dumps(body).encode())  # noqa: S310 - https
        with urllib.request.urlopen(request, context=trusted, timeout=10) as answer:  # noqa: S310
            told: dict[str, Any] = json.load(answer)
            return told

    def open_purchases(self) -> int:
        trusted = ssl.create_default_context(cafile=self.folder / "tls" / "ca.pem")
        with urllib.request.urlopen(f"{self.url}/admin/state", context=trusted, timeout=10) as answer:  # noqa: S310
            return sum((one["status"], one["side"]) == ("OPEN", "BUY") for one in json.load(answer)["orders"])


@contextmanager
def staged(folder: Path, config: Path, **edits: Any) -> Iterator[Stage]:
    """`a__b__c` names the key a.b.c of `config`. Raises GateClosed where the rehearsal cannot be set up."""
    with ExitStack() as until_closed:
        own = kept_environment()
        heard: list[int] = []
        hook = until_closed.enter_context(listening(heard))
        servers = [until_closed.enter_context(_time_server()) for _ in range(SERVERS)]
        bare = Stage(folder, "", own, heard)
        bare.must("sim", "cert", str(folder / "tls"))
        url = until_closed.enter_context(_venue(folder, own))
        key = json.loads((folder / "tls" / "api-key.json").read_text())
        environment = {
            **own, **places(folder),
            "CA_BUNDLE": str(folder / "tls" / "ca.pem"), "TRADER_ALERT_HOOK": hook,
            "COINBASE_API_KEY": key["name"], "COINBASE_API_SECRET": key["privateKey"],
        }  # fmt: skip
        live = {
            "app.mode": "LIVE", "app.exchange.venue": "coinbase", "app.exchange.read_only": False,
            "app.exchange.venue_url": url, "app.clock.servers": servers,
        }  # fmt: skip
        write_variant(config, folder / "config", {**live, **{key.replace("__", "."): edits[key] for key in edits}})
        yield Stage(folder, url, environment, heard)


def kept_environment() -> dict[str, str]:
    """What a program needs to be found and to start; no key and no place of the operator's."""
    return {name: value for name in KEPT if (value := process_environment().get(name))}


def places(folder: Path) -> dict[str, str]:
    return {"TRADER_STATE": str(folder / "state"), "TRADER_CONFIG": str(folder / "config")}


@contextmanager
def _venue(folder: Path, environment: Mapping[str, str]) -> Iterator[str]:
    words = [*START, "sim", "serve", "--tls", str(folder / "tls"), "--realtime", "--port", "0"]
    words += ["--truth", str(folder / "truth.jsonl")]
    with subprocess.Popen(  # noqa: S603 - our own program
        words, env=environment, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as served:
        try:
            line = served.stdout.readline() if served.stdout else ""
            if not line:
                said = served.stderr.read().strip() if served.stderr else ""
                raise GateClosed(f"the rehearsal venue did not start: {said}", remedy="pip install 'trader[sim]'")
            yield json.loads(line)["url"]
        finally:
            served.terminate()


@contextmanager
def listening(heard: list[int]) -> Iterator[str]:
    """The address of somebody to alert, who notes when."""

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(host_ms())
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Said to nobody."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def _time_server() -> Iterator[str]:
    """The address of a time server that has this machine's own time."""
    channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    channel.bind(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                request, peer = channel.recvfrom(1024)
            except OSError:  # closed
                return
            seconds, rest_ms = divmod(host_ms(), 1_000)
            now = (int(seconds + NTP_FROM_1900_S) % 2**32, int(rest_ms / 1_000 * 2**32))
            cookie = PACKET.unpack_from(request)[-2:]
            channel.sendto(PACKET.pack(SERVING, 2, 6, -20, 0, 0, 0, *now, *cookie, *now, *now), peer)

    Thread(target=serve, daemon=True).start()
    try:
        yield f"127.0.0.1:{channel.getsockname()[1]}"
    finally:
        channel.close()
