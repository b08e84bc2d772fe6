"""Hears every HTTP request that leaves this process, before it is encrypted, and every connection that is made."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

WRITES = ("POST", "PUT", "PATCH", "DELETE")
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass
class Heard:
    """What left, request by request: the method and path, and whether it was signed."""

    requests: list[tuple[str, bool]] = field(default_factory=list)
    abroad: list[str] = field(default_factory=list)  # addresses beyond this machine

    @property
    def signed(self) -> list[str]:
        return [line for line, signed in self.requests if signed]

    @property
    def signed_writes(self) -> list[str]:
        return [line for line in self.signed if line.split()[0] in WRITES]


_listening: list[Heard] = []


def _audit(event: str, about: tuple[Any, ...]) -> None:
    if not _listening:
        return
    if event == "http.client.send":
        data = bytes(about[1]) if isinstance(about[1], bytes | bytearray | memoryview) else b""
        head, _, _ = data.partition(b"\r\n\r\n")
        line, _, fields = head.partition(b"\r\n")
        if line.endswith(b"HTTP/1.1"):
            signed = any(one.lower().startswith(b"authorization:") for one in fields.split(b"\r\n"))
            _listening[-1].requests.append((line.decode("latin-1").removesuffix(" HTTP/1.1"), signed))
    elif event == "socket.connect" and isinstance(about[1], tuple) and about[1][0] not in LOOPBACK:
        _listening[-1].abroad.append(str(about[1][0]))


sys.addaudithook(_audit)  # for good: it hears nothing while nobody listens


@contextmanager
def heard() -> Iterator[Heard]:
    ear = Heard()
    _listening.append(ear)
    try:
        yield ear
    finally:
        _listening.remove(ear)
