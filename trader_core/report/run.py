"""What a run amounted to: counted cycle by cycle, valued at the end."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec import Struct, field

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision
from trader_core.domain.facts import Filled
from trader_core.domain.instrument import Exclusion, Instrument, base_of
from trader_core.domain.values import replace
from trader_core.market.universe import eligible

if TYPE_CHECKING:
    from trader_core.settings.schema import Universe

REFUSED, TRADED, JUDGED = 3, 2, 1  # how much a cycle has to tell


class Example(Struct, frozen=True):
    """A symbol and cycle worth asking `why` about."""

    symbol: str
    cycle_id: int
    weight: int


class Tally(Struct, frozen=True):
    """Counts of one run. `before` is the account's equity when the run began, `flows_before` what had come in by then
    less what had gone out."""

    before: Decimal | None
    flows_before: Decimal
    cycles: int = 0
    orders: int = 0
    fills: int = 0
    fees: Decimal = Decimal(0)
    refusals: Mapping[str, int] = field(default_factory=dict)  # by verdict
    first_ms: EpochMs | None = None
    last_ms: EpochMs | None = None
    example: Example | None = None

    @property
    def refused(self) -> int:
        return sum(self.refusals.values())


def counted(
    tally: Tally, cycle_id: int, decision_ms: EpochMs, decision: Decision | None, placed: int, fills: Sequence[Filled],
    flows: Decimal,
) -> Tally:  # fmt: skip
    """The tally with one more cycle in it, after which so much had come in."""
    refusals = dict(tally.refusals)
    for one in decision.refusals if decision else ():
        refusals[one.outcome] = refusals.get(one.outcome, 0) + 1
    return replace(
        tally,
        before=decision.equity if tally.before is None and decision else tally.before,
        flows_before=flows if tally.before is None else tally.flows_before,
        cycles=tally.cycles + 1,
        orders=tally.orders + placed,
        fills=tally.fills + len(fills),
        fees=tally.fees + sum((one.fill.fee for one in fills), Decimal(0)),
        refusals=refusals,
        first_ms=decision_ms if tally.first_ms is None else tally.first_ms,
        last_ms=decision_ms,
        example=_worth_more(tally.example, decision, cycle_id),
    )


def _worth_more(example: Example | None, decision: Decision | None, cycle_id: int) -> Example | None:
    """A refusal tells most, then a trade, then anything that was judged; the newest of equals."""
    if decision is None:
        return example
    found = [Example(one.symbol, cycle_id, REFUSED) for one in decision.refusals]
    found += [Example(one.symbol, cycle_id, TRADED) for one in decision.orders]
    found += [Example(one.symbol, cycle_id, JUDGED) for one in decision.judgements if one.rows]
    best = max(found, key=lambda one: one.weight, default=None)
    if best is None or (example and example.weight > best.weight):
        return example
    return best


def offered(
    listed: Sequence[Instrument], excluded: Sequence[Exclusion], universe: "Universe"
) -> tuple[tuple[str, ...], tuple[Exclusion, ...]]:
    """(symbols that may be bought, exclusions with reasons)."""
    instruments, exclusions = eligible(listed, excluded, universe, ())
    return tuple(one.symbol for one in instruments), exclusions


def grouped(exclusions: Sequence[Exclusion]) -> dict[str, list[str]]:
    """Symbols by the reason that excludes them, which need not name them again."""
    groups: dict[str, list[str]] = {}
    for one in exclusions:
        groups.setdefault(one.reason.removeprefix(f"{base_of(one.symbol)} is "), []).append(one.symbol)
    return groups
