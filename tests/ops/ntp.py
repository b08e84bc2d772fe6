"""A time server on loopback that speaks real NTP, and tells whatever time it is asked to."""

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from trader_core.ops.clock import host_ms

EPOCH_S = 2_208_988_800  # from 1900 to 1970
PACKET = struct.Struct("!BBbb11I")


class NtpServer:
    """`skew_ms` is its time less this machine's; the other attributes are ways to be wrong. All may change any time."""

    def __init__(self, skew_ms: float = 0.0) -> None:
        self.skew_ms, self.delay_s = skew_ms, 0.0
        self.silent, self.stratum, self.flags, self.forget_cookie, self.cut_at = False, 2, 0b00_100_100, False, 48
        self.root_dispersion_ms = 0.0
        self.asked, self._open = 0, True
        self._channel = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._channel.bind(("127.0.0.1", 0))
        self.name = f"127.0.0.1:{self._channel.getsockname()[1]}"
        self._channel.settimeout(0.02)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._open = False
        self._thread.join()
        self._channel.close()

    def _serve(self) -> None:
        while self._open:
            try:
                request, peer = self._channel.recvfrom(1024)
            except TimeoutError:
                continue
            self.asked += 1
            if not self.silent:
                time.sleep(self.delay_s)
                self._channel.sendto(self._answer(request), peer)

    def _answer(self, request: bytes) -> bytes:
        cookie = (0, 0) if self.forget_cookie else PACKET.unpack_from(request)[-2:]
        seconds, rest_ms = divmod(host_ms() + self.skew_ms, 1000)
        now = (int(seconds + EPOCH_S) % 2**32, int(rest_ms / 1000 * 2**32))
        dispersion = round(self.root_dispersion_ms / 1000 * 65536)
        packet = PACKET.pack(self.flags, self.stratum, 6, -20, 0, dispersion, 0, *now, *cookie, *now, *now)
        return packet[: self.cut_at]


@contextmanager
def ntp_servers(*skews_ms: float) -> Iterator[list[NtpServer]]:
    """One server for each skew, until the context closes."""
    with ExitStack() as until_closed:
        servers = [NtpServer(skew) for skew in skews_ms]
        for server in servers:
            until_closed.callback(server.close)
        yield servers
