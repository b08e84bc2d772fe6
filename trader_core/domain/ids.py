"""Client order ids: derived from who asks and what for, never from chance or the clock of the moment.

Each is a UUID that begins with the same letters, so that an order of ours is known at the venue by anybody who looks:
by another trader on the same account, and by a kill that cannot read the ledger.
"""

from hashlib import sha256
from uuid import UUID

from msgspec import Struct

MARK = "7adeca5e"


class OrderIdsOf(Struct, frozen=True):
    """Ids of one instance: the same intent and attempt always get the same id, other instances never do."""

    instance: str

    def __call__(self, sequence: int, attempt: int) -> str:
        digest = sha256(f"{self.instance}|{sequence}|{attempt}".encode()).digest()
        return str(UUID(bytes=bytes.fromhex(MARK) + digest[:12], version=5))


def bears_mark(client_order_id: str) -> bool:
    """Whether some trader of this kind sent it."""
    return client_order_id.startswith(f"{MARK}-")
