"""What `kill --flatten` sold, one JSON line each, on disk before the order leaves.

A file of its own: the journal may be locked, and its chain belongs to the loop. Who opens the account next takes these
orders into the ledger as ours.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "kill-orders.jsonl"


@dataclass(frozen=True)
class Sale:
    """An immediate-or-cancel sale. Amounts are exact decimals as text; `payload` is the very bytes that were sent."""

    client_order_id: str
    symbol: str
    quantity: str  # of the coin
    limit: str  # worst price accepted
    payload: str
    host_ms: int


def record_sale(state: Path, sale: Sale) -> None:
    """On disk when this returns. Raises OSError."""
    descriptor = os.open(state / FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        os.write(descriptor, f"{json.dumps(asdict(sale))}\n".encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sales(state: Path) -> tuple[Sale, ...]:
    """Oldest first. A line that was cut short was never sent. Raises OSError where the file cannot be read."""
    try:
        lines = (state / FILE).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return ()
    found = []
    for line in lines:
        try:
            found.append(Sale(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return tuple(found)
