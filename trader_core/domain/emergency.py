"""What a kill sells: past the journal, by a process of its own, while a loop may be running."""

from collections.abc import Sequence
from typing import Protocol


class EmergencySale(Protocol):
    """What was sent past the journal, when by this machine's clock, and under which id; amounts are exact decimals as
    text."""

    @property
    def client_order_id(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def quantity(self) -> str: ...
    @property
    def limit(self) -> str: ...
    @property
    def payload(self) -> str: ...
    @property
    def host_ms(self) -> int: ...


class Emergencies(Protocol):
    def __call__(self) -> Sequence[EmergencySale]:
        """Sales of a kill that the store does not have yet, oldest first. Raises StateUnusable where that cannot be
        read."""


def no_emergency() -> Sequence[EmergencySale]:
    """Where no kill can sell."""
    return ()
