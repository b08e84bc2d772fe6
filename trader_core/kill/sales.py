"""What `kill --flatten` sold, one JSON line each, on disk before the order leaves.

A file of its own: the journal may be locked, and its chain belongs to the loop. Who opens the account next takes these
orders into the ledger as ours. Where that file cannot grow, a line takes the place of blank ones in a spare file, which
was made while the disk had room.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from shlex import quote

from trader_core.domain.errors import StateUnusable
from trader_core.ops.plain import content, opened

FILE, SPARE = "kill-orders.jsonl", ".kill-orders-spare"
SLOT, SLOTS = 2_048, 32  # bytes of a line in the spare file, and lines


@dataclass(frozen=True)
class Sale:
    """An immediate-or-cancel sale. Amounts are exact decimals as text; `payload` is the very bytes that were sent. One
    that is written down again as `refused` has sold nothing for sure."""

    client_order_id: str
    symbol: str
    quantity: str  # of the coin
    limit: str  # worst price accepted
    payload: str
    host_ms: int
    refused: bool = False


def prepare_room(state: Path) -> None:
    """Make the spare file. Where it cannot be made, nothing is lost but this."""
    with suppress(OSError):
        descriptor = os.open(state / SPARE, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, b"\n" * (SLOT * SLOTS))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def record_sale(state: Path, sale: Sale) -> None:
    """On disk when this returns. Raises OSError."""
    line = f"{json.dumps(asdict(sale))}\n".encode()
    try:
        _append(state / FILE, line)
    except OSError as full:
        with suppress(OSError):
            _write_in_place(state / SPARE, line)
            return
        raise full


def _append(path: Path, line: bytes) -> None:
    descriptor = opened(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(descriptor, line)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_in_place(path: Path, line: bytes) -> None:
    """Over the first blank slot: this needs no room. Raises OSError."""
    with os.fdopen(opened(path, os.O_RDWR), "r+b", buffering=0) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # sales of several products are sent at once
        text = file.read()
        blank = next((at for at in range(0, len(text), SLOT) if not text[at : at + SLOT].strip()), -1)
        if blank < 0 or len(line) > SLOT:
            raise OSError(f"{path.name} has no room for it")
        os.pwrite(file.fileno(), line, blank)
        os.fsync(file.fileno())


def sales(state: Path) -> tuple[Sale, ...]:
    """Oldest first, those of the spare file last; each once, though both files may have it, and none that was refused.
    A line that was cut short was never sent. Raises StateUnusable where a file cannot be read."""
    try:
        found = {one.client_order_id: one for name in (FILE, SPARE) for one in _sales_in(state / name)}
    except OSError as refused:
        told = f"what earlier kills have sold cannot be read: {refused.filename}: {refused.strerror}"
        remedy = f"move {refused.filename} away, and look who put it there"
        if isinstance(refused, PermissionError):
            remedy = f"give it to who runs trader: chown, or chmod u+r {quote(str(refused.filename))}"
        raise StateUnusable(told, remedy=remedy) from refused
    return tuple(one for one in found.values() if not one.refused)


def turned_away(state: Path) -> frozenset[str]:
    """Our ids of those that have sold nothing for sure. Raises OSError where a file cannot be read."""
    return frozenset(one.client_order_id for name in (FILE, SPARE) for one in _sales_in(state / name) if one.refused)


def _sales_in(path: Path) -> Iterator[Sale]:
    try:
        text = content(path).strip()  # a spare file is blank: nothing else is to be done for it
    except FileNotFoundError:
        return
    for line in filter(None, text.decode(errors="replace").splitlines()):
        with suppress(ValueError, TypeError):
            yield Sale(**json.loads(line))
