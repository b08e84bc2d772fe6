"""What a service manager is told by the program it started: that it is ready, that its loop goes round, how it is."""

import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from time import monotonic

SOCKET, WATCHDOG_US = "NOTIFY_SOCKET", "WATCHDOG_USEC"


class Service:
    """Silent where no manager listens. Nothing here ever fails: a manager that does not hear us restarts us."""

    def __init__(self, environ: Mapping[str, str], clock_s: Callable[[], float] = monotonic) -> None:
        address, allowed_us = environ.get(SOCKET, ""), environ.get(WATCHDOG_US, "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._every_s = int(allowed_us) / 4e6 if allowed_us.isdecimal() else None
        self._clock_s, self._pinged_s = clock_s, float("-inf")

    def ready(self, status: str) -> None:
        self._say(f"READY=1\nSTATUS={status}")

    def status(self, text: str) -> None:
        self._say(f"STATUS={text}")

    def stopping(self) -> None:
        self._say("STOPPING=1")

    def alive(self) -> None:
        """Called by the loop itself and after its calls, as often as they like: nobody else may say that it goes
        round."""
        if self._every_s is not None and self._clock_s() - self._pinged_s >= self._every_s:
            self._pinged_s = self._clock_s()
            self._say("WATCHDOG=1")

    def _say(self, text: str) -> None:
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
                out.sendto(text.encode(), self._address)
