"""One decision beside another on the same inputs: which verdicts, orders and gates are other than they were."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from msgspec import Struct

from trader_core.domain.decision import Judgement
from trader_core.domain.money import plain
from trader_core.domain.order import ApprovedOrder, Role


class GateFlip(Struct, frozen=True):
    """A gate or an opinion that says something else now."""

    gate: str
    before: str
    after: str
    value: float | None  # as measured now
    limit: float | None


class Altered(Struct, frozen=True):
    """What became of one instrument, then and now. Lots are those of the entry that was or would be placed."""

    symbol: str
    verdict_before: str
    verdict_after: str
    detail_before: str
    detail_after: str
    lots_before: int
    lots_after: int
    orders_before: tuple[str, ...]
    orders_after: tuple[str, ...]
    gates: tuple[GateFlip, ...]


Side = tuple[Sequence[Judgement], Sequence[ApprovedOrder]]


def altered(before: Side, after: Side, lots: Mapping[str, Decimal]) -> tuple[Altered, ...]:
    """Every instrument that was judged or ordered otherwise, in the order of their symbols; `lots` are lot sizes."""
    judged = ({one.symbol: one for one in before[0]}, {one.symbol: one for one in after[0]})
    ordered = (_by_symbol(before[1]), _by_symbol(after[1]))
    found = []
    for symbol in sorted(set().union(*judged, *ordered)):
        old, new = (one.get(symbol) for one in judged)
        then, now = (one.get(symbol, []) for one in ordered)
        if old != new or then != now:
            lot = lots.get(symbol, Decimal(1))
            found.append(
                Altered(
                    symbol=symbol,
                    verdict_before=old.outcome if old else "",
                    verdict_after=new.outcome if new else "",
                    detail_before=old.detail if old else "",
                    detail_after=new.detail if new else "",
                    lots_before=_entry_lots(then, lot),
                    lots_after=_entry_lots(now, lot),
                    orders_before=tuple(map(_words, then)),
                    orders_after=tuple(map(_words, now)),
                    gates=_flips(old, new),
                )
            )
    return tuple(found)


def _by_symbol(orders: Iterable[ApprovedOrder]) -> dict[str, list[ApprovedOrder]]:
    found: dict[str, list[ApprovedOrder]] = {}
    for one in orders:
        found.setdefault(one.symbol, []).append(one)
    return found


def _entry_lots(orders: Iterable[ApprovedOrder], lot: Decimal) -> int:
    return sum(int(one.quantity / lot) for one in orders if one.role is Role.ENTRY)


def _words(order: ApprovedOrder) -> str:
    """'ENTRY MAKER 0.5 at 42000 (signal), stop 500 bps'."""
    at = plain(order.limit or order.trigger)
    terms = {"stop": order.stop_bps, "target": order.target_bps}
    told = "".join(f", {name} {bps} bps" for name, bps in terms.items() if bps)
    return f"{order.role} {order.kind} {plain(order.quantity)} at {at} ({order.reason}){told}"


def _flips(before: Judgement | None, after: Judgement | None) -> tuple[GateFlip, ...]:
    """Rows whose verdict differs; one that is on one side only was not asked on the other."""
    old = {row.gate: row for row in before.rows} if before else {}
    new = {row.gate: row for row in after.rows} if after else {}
    found = []
    for gate in dict.fromkeys((*old, *new)):
        then, now = old.get(gate), new.get(gate)
        told = (then.verdict if then else "", now.verdict if now else "")
        if told[0] != told[1]:
            found.append(GateFlip(gate, *told, now.value if now else None, now.limit if now else None))
    return tuple(found)
