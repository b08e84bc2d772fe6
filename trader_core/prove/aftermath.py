"""What a kill left behind, by the venue's own log alone: none of the program's code and none of its words.

Standard library only. An order adds risk when it buys; a sale protects what is held, or takes it down.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

OVER = ("filled", "cancelled", "expired")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log about a purchase: when it was accepted, or when it was over. Epoch ms."""

    order_id: str
    at_ms: float
    is_over: bool


def purchases(truth: Path, since: int) -> tuple[Line, ...]:
    """What the venue did with purchases since that byte of its log, in the order in which it did it."""
    bought: set[str] = set()
    found: list[Line] = []
    with truth.open("rb") as lines:
        lines.seek(since)
        for told in map(json.loads, lines):
            if told["kind"] == "order" and told["side"] == "BUY":
                bought.add(told["order_id"])
                found.append(Line(told["order_id"], _ms(told["at"]), False))
            elif told["kind"] == "state" and told["state"] in OVER and told["order_id"] in bought:
                found.append(Line(told["order_id"], _ms(told["at"]), True))
    return tuple(found)


def open_at(lines: Sequence[Line], at_ms: float) -> set[str]:
    """Purchases that were open then."""
    there: set[str] = set()
    for one in lines:
        if one.at_ms <= at_ms:
            (there.discard if one.is_over else there.add)(one.order_id)
    return there


def accepted_after(lines: Sequence[Line], at_ms: float) -> list[str]:
    return [one.order_id for one in lines if not one.is_over and one.at_ms > at_ms]


def cleared_ms(lines: Sequence[Line], since_ms: float, until_ms: float) -> float | None:
    """When the last of the purchases that were open at `since_ms` was over; None where one stayed, or there was
    none."""
    wanted = open_at(lines, since_ms)
    ends = {one.order_id: one.at_ms for one in lines if one.is_over and one.order_id in wanted}
    gone = [ends[one] for one in wanted if ends.get(one, until_ms + 1) <= until_ms]
    return max(gone) if gone and len(gone) == len(wanted) else None


def _ms(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1_000
