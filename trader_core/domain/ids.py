"""Client order ids: derived from who asks and what for, never from chance or the clock of the moment."""

from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OrderIdsOf:
    """Ids of one instance: the same intent and attempt always get the same id, other instances never do."""

    instance: str

    def __call__(self, sequence: int, attempt: int) -> str:
        digest = sha256(f"{self.instance}|{sequence}|{attempt}".encode()).digest()
        return str(UUID(bytes=digest[:16], version=5))
