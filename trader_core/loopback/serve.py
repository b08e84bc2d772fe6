"""`sim serve`: one process, one loop, one line when it is ready, and a clean end at SIGTERM."""

import asyncio
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from uvicorn import Config, Server

from trader_core.loopback import replay
from trader_core.loopback.app import application
from trader_core.loopback.auth import key_in
from trader_core.loopback.cert import API_KEY, SERVER, SERVER_KEY
from trader_core.loopback.clock import Clock, real_time
from trader_core.loopback.delivery import Transports, protocol
from trader_core.loopback.exchange import Exchange, Market
from trader_core.loopback.faults import Faults, rules_in
from trader_core.loopback.market import HISTORY_MS, Generated
from trader_core.loopback.products import listed
from trader_core.loopback.trouble import Misused
from trader_core.loopback.truth import Truth
from trader_core.loopback.venue import Venue

HOST = "127.0.0.1"
PULSE_S = 0.25  # resting orders meet the market so often, asked or not
ENDING_S = 1


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for. `speed` is that of a replay; 0 stands still."""

    port: int
    tls: Path | None = None
    key: Path | None = None
    data: Path | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    speed: float = 1.0
    faults: Path | None = None
    seed: int = 1
    truth: Path | None = None


def serve(wanted: Wanted) -> None:
    """Serve until SIGTERM or SIGINT."""
    truth = Truth(wanted.truth)
    try:
        venue, (certificate, secret) = _venue(wanted, truth), _tls(wanted.tls)
        listening = _listening(wanted.port)
        transports: Transports = {}
        config = Config(
            application(venue, transports), loop="asyncio", http=protocol(transports), lifespan="off", ws="none",
            log_level="error", access_log=False, proxy_headers=False, server_header=False,
            timeout_keep_alive=75, timeout_graceful_shutdown=ENDING_S, ssl_certfile=certificate,
            ssl_keyfile=secret,
        )  # fmt: skip
        _Served(config, venue, transports, f"{'https' if wanted.tls else 'http'}://{HOST}").run([listening])
    finally:
        truth.close()


def _venue(wanted: Wanted, truth: Truth) -> Venue:
    clock, market = _market(wanted)
    file = wanted.key or (wanted.tls / API_KEY if wanted.tls else None)
    known = [key_in(file)] if file else []
    faults = Faults(wanted.seed)
    if wanted.faults is not None:
        faults.add(rules_in(wanted.faults), market.products)
    return Venue(Exchange(wanted.seed, clock, market, truth), {key.name: key for key in known}, faults)


def _market(wanted: Wanted) -> tuple[Clock, Market]:
    if wanted.data is None:
        clock, products = real_time(), listed()
        first_ms = clock.start_ms - HISTORY_MS
        made = {name: Generated(wanted.seed, one, first_ms) for name, one in products.items() if not one.alias}
        return clock, Market(products, made)
    loaded = replay.load(wanted.data, wanted.since_ms, wanted.until_ms)
    return Clock(loaded.first_ms, wanted.speed, loaded.end_ms), Market(loaded.products, loaded.paths)


def _tls(directory: Path | None) -> tuple[Path | None, Path | None]:
    if directory is None:
        return None, None
    missing = [name for name in (SERVER, SERVER_KEY) if not (directory / name).is_file()]
    if missing:
        raise Misused(f"{directory} has no {missing[0]}; make it: trader sim cert {directory}")
    return directory / SERVER, directory / SERVER_KEY


def _listening(port: int) -> socket.socket:
    # Named TCP, or the loop leaves out TCP_NODELAY and every answer waits 40 ms for an acknowledgement.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((HOST, port))
    except OSError as taken:
        listening.close()
        raise Misused(f"port {port} cannot be had: {taken.strerror}") from taken
    return listening


class _Served(Server):
    """A server that says when it is ready, keeps the market going, and ends without passing the signal on."""

    def __init__(self, config: Config, venue: Venue, transports: Transports, address: str) -> None:
        super().__init__(config)
        self._venue, self._transports, self._address = venue, transports, address

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        pulse = loop.create_task(self._pulse())
        try:
            yield
        finally:
            pulse.cancel()

    def _end(self) -> None:
        """Answers on their way may leave; then what is kept open, silent or idle, is cut."""
        self.should_exit = True
        asyncio.get_running_loop().call_later(ENDING_S / 3, self._cut)

    def _cut(self) -> None:
        for transport in list(self._transports.values()):
            transport.abort()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = (sockets or [])[0].getsockname()[1]
        line = {"ready": True, "url": f"{self._address}:{port}", "port": port}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    async def _pulse(self) -> None:
        while True:
            await asyncio.sleep(PULSE_S)
            self._venue.exchange.advance()
