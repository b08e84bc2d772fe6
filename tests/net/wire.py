"""A server on loopback that answers what it is told, byte by byte if need be, and a clock that only tests move."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trader_core.net.breaker import Breakers
from trader_core.net.buckets import Buckets, Rule
from trader_core.net.rows import LocalRows, Rows
from trader_core.net.session import Http, Timeouts

RULES = {"private": Rule(rate=10, burst=30), "public": Rule(rate=5, burst=20)}
SHORT = Timeouts(connect_s=0.5, read_s=0.3, total_s=20.0)


@dataclass
class Clock:
    """Time passes where somebody waits, and nowhere else."""

    now_ms: int = 1_700_000_000_000
    waits: list[float] = field(default_factory=list)

    def host_ms(self) -> int:
        return self.now_ms

    def now_s(self) -> float:
        return self.now_ms / 1_000

    def pause(self, seconds: float) -> None:
        self.waits.append(round(seconds, 6))
        self.now_ms += round(seconds * 1_000)


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


Act = Callable[[socket.socket], None]


def reply(status: int, body: bytes = b"", **headers: str) -> bytes:
    """A whole answer."""
    named = {"content-length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Word\r\n{lines}\r\n".encode() + body


def hang(seconds: float) -> Act:
    return lambda connection: time.sleep(seconds)


def reset(after: bytes = b"") -> Act:
    """Send so much, then a reset instead of an end."""

    def act(connection: socket.socket) -> None:
        if after:
            connection.sendall(after)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")

    return act


def drip(data: bytes, at_once: int, every_s: float) -> Act:
    """So many bytes at once, the others one by one."""

    def act(connection: socket.socket) -> None:
        try:
            connection.sendall(data[:at_once])
            for one in data[at_once:]:
                connection.sendall(bytes([one]))
                time.sleep(every_s)
        except OSError:
            return

    return act


@dataclass
class Server:
    """Answers requests with `script` in turn; the last one for ever. An act ends its connection."""

    listener: socket.socket
    script: list[bytes | Act]
    tls: ssl.SSLContext | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    def __post_init__(self) -> None:
        self._port: int = self.listener.getsockname()[1]

    def leave(self) -> None:
        """Nobody is there any more."""
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._port}"

    def next(self) -> bytes | Act:
        return self.script.pop(0) if len(self.script) > 1 else self.script[0]


@contextmanager
def serving(*script: bytes | Act, tls: Path | None = None) -> Iterator[Server]:
    """`tls` is a file with a certificate and its key."""
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls)
    listener = socket.create_server(("127.0.0.1", 0))
    server = Server(listener, list(script), context)
    threading.Thread(target=_accept, args=(listener, server), daemon=True).start()
    try:
        yield server
    finally:
        server.leave()


@contextmanager
def answering(answer: Callable[[Request], tuple[int, bytes]]) -> Iterator[Server]:
    """A server that makes each answer, (status, body), from its request: for one caller at a time."""
    with serving() as server:

        def act(connection: socket.socket) -> None:
            status, body = answer(server.requests[-1])
            connection.sendall(reply(status, body, connection="close"))

        server.script.append(act)
        yield server


def _accept(listener: socket.socket, server: Server) -> None:
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        server.connections += 1
        threading.Thread(target=_serve, args=(connection, server), daemon=True).start()


def _serve(connection: socket.socket, server: Server) -> None:
    if server.tls is not None:
        try:
            connection = server.tls.wrap_socket(connection, server_side=True)
        except OSError:
            return
    with connection, connection.makefile("rb") as stream:
        while request := _request(stream):
            server.requests.append(request)
            answer = server.next()
            if not isinstance(answer, bytes):
                answer(connection)
                return
            try:
                connection.sendall(answer)
            except OSError:
                return


def _request(stream: Any) -> Request | None:
    try:
        line = stream.readline().decode()
    except OSError:
        return None
    if not line:
        return None
    method, target, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    while named := stream.readline().decode().strip():
        name, _, value = named.partition(":")
        headers[name.lower()] = value.strip()
    return Request(method, target, headers, stream.read(int(headers.get("content-length", 0))))


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself, and its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begins = datetime.now(UTC) - timedelta(days=1)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=3))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "certificate.pem"
    secret = key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption())
    path.write_bytes(made.public_bytes(s.Encoding.PEM) + secret)
    return path


def http(
    url: str,
    clock: Clock,
    *,
    rows: Rows | None = None,
    timeouts: Timeouts = SHORT,
    chance: float = 1.0,
    ca_bundle: Path | None = None,
) -> Http:
    """A way out whose chance is always the same: 1 waits as long as it may."""
    shared = rows or LocalRows()
    return Http(
        url,
        ca_bundle=ca_bundle,
        timeouts=timeouts,
        buckets=Buckets(RULES, shared, clock.pause, clock.host_ms),
        breakers=Breakers(shared, clock.host_ms, lambda: 0.5),
        pause=clock.pause,
        chance=lambda: chance,
        host_ms=clock.host_ms,
    )


def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
