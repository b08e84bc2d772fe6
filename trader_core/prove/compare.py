"""What is not the same on both sides of a comparison, with its cause."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.decision import Judgement
from trader_core.domain.money import GRAIN, plain
from trader_core.domain.values import names_of
from trader_core.engine.columns import columns_of
from trader_core.engine.explain import Seen, judgements_of
from trader_core.engine.law import enabled_strategies, law_of
from trader_core.engine.replay import world_of
from trader_core.ledger.integers import Axes
from trader_core.ports import CandleSource
from trader_core.prove.sides import CANCEL, EQUITY, FILL, HALT, KINDS, ORDER, VERDICT, Lived
from trader_core.rulebook.state import empty_plan

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

CASH, CYCLE = "cash", "cycle"  # at the end; a decision time that only one side has
DATA, ROUNDING = "data", "rounding"
CAUSES = {
    CYCLE: DATA, FILL: "fill", EQUITY: "equity", HALT: "halt", VERDICT: "decision", CANCEL: "order", ORDER: "order",
    CASH: "fill",
}  # fmt: skip
CYCLES_MAX = 100  # differing cycles that are looked into; all are counted
NOTHING, UNKNOWN = "nothing", "unknown"
TIMES = ("at_ms", "expires_ms", "until_ms")

Pair = tuple[str, Any, Any]  # kind, paper, replay; None where a side has nothing
Opinions = dict[str, dict[str, str]]  # symbol -> strategy -> what it measured
Steps = Mapping[str, tuple[Decimal, Decimal]]  # symbol -> tick and lot


class Agreement(Struct, frozen=True):
    """How many of a kind each side has, and how many of them are the same on both."""

    kind: str
    paper: int
    replay: int
    same: int

    @property
    def percent(self) -> float:
        """Rounded down, so 100 says that nothing differs."""
        total = self.paper + self.replay - self.same
        return 10_000 * self.same // total / 100 if total else 100.0


class Difference(Struct, frozen=True):
    """One thing that is not the same, in a cycle of the paper account."""

    cycle: int
    at_ms: EpochMs
    kind: str
    cause: str
    symbol: str  # empty where it is of the whole account
    paper: str
    replay: str


@dataclass(frozen=True)
class Differing:
    """A cycle that is not the same on both sides, before its cause is known."""

    number: int
    at_ms: EpochMs
    pairs: tuple[Pair, ...]
    problem: str


@dataclass
class Comparison:
    """Cycle after cycle, what is the same is counted and what is not is kept."""

    paper: Counter[str] = field(default_factory=Counter)
    replay: Counter[str] = field(default_factory=Counter)
    same: Counter[str] = field(default_factory=Counter)
    differing: list[Differing] = field(default_factory=list)

    @property
    def agreements(self) -> tuple[Agreement, ...]:
        return tuple(Agreement(one, self.paper[one], self.replay[one], self.same[one]) for one in (*KINDS, CASH))

    def cycle(self, number: int, paper: Lived, replayed: Lived) -> None:
        pairs: list[Pair] = []
        for kind in KINDS:
            here, there = paper.did[kind], replayed.did[kind]
            same = Counter(here) & Counter(there)
            if kind == ORDER and here != there and len(here) == len(there) == same.total():
                same = Counter()  # the same orders in another order: who comes first gets the money
            self.paper[kind] += len(here)
            self.replay[kind] += len(there)
            self.same[kind] += same.total()
            pairs += [(kind, *pair) for pair in _paired(here, there, same)]
        if pairs:
            self.differing.append(Differing(number, paper.at_ms, tuple(pairs), paper.problem))

    def alone(self, number: int, paper: Lived | None, replayed: Lived | None) -> None:
        """A decision time that only one side has."""
        for lived, counts in ((paper, self.paper), (replayed, self.replay)):
            if lived:
                counts.update({kind: len(done) for kind, done in lived.did.items()})
                pair = (CYCLE, lived if paper else None, lived if replayed else None)
                self.differing.append(Differing(number, lived.at_ms, (pair,), ""))

    def cash(self, number: int, at_ms: EpochMs, paper: Any, replayed: Any) -> None:
        """What is left at the end."""
        self.paper[CASH] = self.replay[CASH] = 1
        self.same[CASH] = int(paper == replayed)
        if paper != replayed:
            self.differing.append(Differing(number, at_ms, ((CASH, paper, replayed),), ""))


def compare(paper: Sequence[Lived], replayed: Sequence[Lived]) -> Comparison:
    """Every cycle of both sides, by decision time."""
    found, there = Comparison(), {one.at_ms: one for one in replayed}
    for number, here in enumerate(paper, 1):
        twin = there.pop(here.at_ms, None)
        if twin:
            found.cycle(number, here, twin)
        else:
            found.alone(number, here, None)
    for one in there.values():
        found.alone(0, None, one)
    found.differing.sort(key=lambda one: one.at_ms)
    return found


def _paired(here: Sequence[Any], there: Sequence[Any], same: "Counter[Any]") -> list[tuple[Any, Any]]:
    """What differs, side by side where it is of one symbol."""
    left, right = (list((Counter(side) - same).elements()) for side in (here, there))
    symbols = dict.fromkeys(one.symbol for one in (*left, *right))
    return [
        pair
        for symbol in symbols
        for pair in zip_longest(*([one for one in side if one.symbol == symbol] for side in (left, right)))
    ]


# --- causes ----------------------------------------------------------------------------------------------------------


def explained(
    differing: Iterable[Differing],
    seen: Mapping[EpochMs, Sequence[Judgement]],
    source: CandleSource,
    policy: "Settings",
) -> list[Difference]:
    """The first CYCLES_MAX differing cycles in words. `seen` has the judgements of the paper account's cycles."""
    steps = {one.symbol: (one.tick, one.lot) for one in source.instruments()}
    out: list[Difference] = []
    for one in list(differing)[:CYCLES_MAX]:
        market = _of_the_market(one, seen.get(one.at_ms), source, policy)
        rounded = all(_is_rounding(here, there, steps) for _, here, there in one.pairs)
        cause = DATA if market else ROUNDING if rounded else CAUSES[one.pairs[0][0]]
        told = [*market, *((kind, _symbol(here, there), *_words(here, there)) for kind, here, there in one.pairs)]
        out += [Difference(one.number, one.at_ms, kind, cause, *words) for kind, *words in told]
    return out


def _is_rounding(here: Any, there: Any, steps: Steps) -> bool:
    """Whether two things are the same but for the last unit of a price, a quantity or an amount of money."""
    if type(here) is not type(there) or isinstance(here, Lived):
        return False
    tick, lot = steps.get(here.symbol, (GRAIN, GRAIN))
    units = {"price": tick, "limit": tick, "trigger": tick, "quantity": lot}
    for name, one, two in _unlike(here, there):
        if not isinstance(one, Decimal) or not isinstance(two, Decimal) or abs(one - two) > units.get(name, GRAIN):
            return False
    return True


def _of_the_market(
    one: Differing, seen: Sequence[Judgement] | None, source: CandleSource, policy: "Settings"
) -> list[tuple[str, str, str, str]]:
    """What the account saw of the market in that cycle, where the candles say something else now."""
    if one.problem:
        return [(DATA, "", one.problem, "everything can be read")]
    if seen is None:
        return []
    here, there = (_opinions(judged, policy) for judged in (seen, _judged_now(one.at_ms, source, policy)))
    out: list[tuple[str, str, str, str]] = []
    for symbol in sorted(here.keys() & there.keys()):
        told = [(words, there[symbol].get(name, NOTHING)) for name, words in here[symbol].items()]
        unlike = [pair for pair in told if pair[0] != pair[1]]
        if unlike:
            out.append((DATA, symbol, ", ".join(pair[0] for pair in unlike), ", ".join(pair[1] for pair in unlike)))
    return out


def _judged_now(at_ms: int, source: CandleSource, policy: "Settings") -> tuple[Judgement, ...]:
    """What every strategy measures at that decision time, as a live cycle would say it."""
    world = world_of(source, policy, at_ms, at_ms + source.bar_ms)
    axes, row = Axes(world.instruments, enabled_strategies(policy)), world.frame.rows - 1
    opinions = columns_of(world.frame, world.instruments, policy, row)
    law, plan = law_of(policy, axes), empty_plan(len(axes.instruments), len(axes.strategies))
    return judgements_of(Seen(law, opinions.columns, row, opinions, axes, world.exclusions, False), plan)


def _opinions(judged: Sequence[Judgement], policy: "Settings") -> Opinions:
    strategies = enabled_strategies(policy)
    return {
        one.symbol: {row.gate: f"{row.gate} {row.value} of {row.limit}" for row in one.rows if row.gate in strategies}
        for one in judged
    }


# --- words -----------------------------------------------------------------------------------------------------------


def _symbol(here: Any, there: Any) -> str:
    return str(getattr(there if here is None else here, "symbol", ""))


def _words(here: Any, there: Any) -> tuple[str, str]:
    """Both sides, and only the fields in which they differ."""
    if isinstance(here, Lived) or isinstance(there, Lived):
        return ("a cycle", NOTHING) if here else (NOTHING, "a cycle")
    if here is None or there is None:
        whole = _fields(here or there, list(names_of(here or there)))
        return (whole, NOTHING) if here else (NOTHING, whole)
    names = [name for name, _, _ in _unlike(here, there)]
    return (_fields(here, names), _fields(there, names)) if names else ("in this order", "in another order")


def _unlike(here: Any, there: Any) -> list[tuple[str, Any, Any]]:
    """Fields that differ: name and both values."""
    both = ((name, getattr(here, name), getattr(there, name)) for name in names_of(here))
    return [(name, one, two) for name, one, two in both if one != two]


def _fields(one: Any, names: Sequence[str]) -> str:
    """'BUY, quantity 0.5, price 64000, fee 3.84'; what is empty is left out."""
    values = ((name, getattr(one, name)) for name in names)
    return ", ".join(_field(name, value) for name, value in values if name != "symbol" and (value or len(names) == 1))


def _field(name: str, value: Any) -> str:
    text = UNKNOWN if value is None else plain(value) if isinstance(value, Decimal) else str(value)
    return f"{name.removesuffix('_ms')} {rfc3339(value) if name in TIMES and value > 0 else text}"
