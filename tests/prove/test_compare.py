"""What a comparison says of two sides that are nearly the same."""

from decimal import Decimal
from typing import Any

import pytest

from tests.laws.make import BAR_MS, START, market, policy
from tests.laws.make import FOUR as LISTED
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.fill import Side
from trader_core.domain.instrument import Instrument
from trader_core.domain.order import ApprovedOrder
from trader_core.domain.values import replace
from trader_core.engine.replay import Executed, replay
from trader_core.prove.compare import Difference, compare, explained
from trader_core.prove.sides import KINDS, Amount, Canceled, Lived, Spoken, lived_in_replay

BTC: Instrument = LISTED[0]
FILL = Executed(
    EpochMs(START), "BTC-USD", Side.BUY, Decimal(100), Decimal("0.5"), Decimal(50), Decimal("0.3"), "signal", "rules"
)
SAID = Spoken("BTC-USD", "OK", "rules")


def lived(bar: int = 0, problem: str = "", **did: Any) -> Lived:
    return Lived(EpochMs(START + bar * BAR_MS), {kind: did.get(kind, []) for kind in KINDS}, (), problem)


def told(paper: list[Lived], replayed: list[Lived]) -> list[Difference]:
    bars = [(START + n * BAR_MS, 100, 101, 99, 100, 10**6) for n in range(4)]
    source = market((BTC,), {"BTC-USD": bars})
    return explained(compare(paper, replayed).differing, {}, source, policy())


@pytest.mark.parametrize(
    ("field", "unit"), [("price", BTC.tick), ("quantity", BTC.lot), ("value", "0.00000001"), ("fee", "0.00000001")]
)
def test_the_last_unit_is_rounding_and_two_of_them_are_not(field: str, unit: Any) -> None:
    for units, cause in ((1, "rounding"), (2, "fill"), (-1, "rounding")):
        other = replace(FILL, **{field: getattr(FILL, field) + units * Decimal(unit)})
        (one,) = told([lived(fill=[FILL])], [lived(fill=[other])])
        assert (one.kind, one.cause, one.symbol) == ("fill", cause, "BTC-USD")
        assert one.paper.startswith(field) and one.replay.startswith(field)


def test_another_strategy_is_no_rounding() -> None:
    (one,) = told([lived(fill=[FILL])], [lived(fill=[replace(FILL, strategy="momentum")])])
    assert (one.cause, one.paper, one.replay) == ("fill", "strategy rules", "strategy momentum")


def test_within_a_cycle_the_first_in_order_is_the_cause_of_the_others() -> None:
    here = lived(fill=[FILL], equity=[Amount("", Decimal(1))], verdict=[SAID], cancel=[Canceled("BTC-USD", "STOP")])
    there = lived(equity=[Amount("", None)])
    found = told([here], [there])
    assert [one.kind for one in found] == ["fill", "equity", "verdict", "cancel"]
    assert {one.cause for one in found} == {"fill"}
    assert found[0].replay == found[2].replay == "nothing" and found[1].replay == "amount unknown"
    assert found[2].paper == "verdict OK, strategy rules"


def test_a_later_cycle_has_a_cause_of_its_own() -> None:
    here = [lived(0, verdict=[SAID]), lived(1, cancel=[Canceled("BTC-USD", "STOP")]), lived(2)]
    there = [lived(0), lived(1), lived(2)]
    assert [(one.cycle, one.cause) for one in told(here, there)] == [(1, "decision"), (2, "order")]


def test_a_decision_time_that_one_side_does_not_have_is_a_matter_of_the_data() -> None:
    both = [lived(0, verdict=[SAID]), lived(1, verdict=[SAID])]
    for paper, replayed, words in ((both, both[:1], ("a cycle", "nothing")), (both[:1], both, ("nothing", "a cycle"))):
        (one,) = told(paper, replayed)
        assert (one.kind, one.cause, one.at_ms) == ("cycle", "data", START + BAR_MS)
        assert (one.paper, one.replay) == words
        counted = next(one for one in compare(paper, replayed).agreements if one.kind == "verdict")
        assert (counted.same, counted.percent) == (1, 50.0)


def test_what_could_not_be_read_is_the_cause() -> None:
    found = told([lived(problem="BTC-USD: no answer")], [lived(verdict=[SAID])])
    assert [(one.kind, one.cause) for one in found] == [("data", "data"), ("verdict", "data")]
    assert found[0].paper == "BTC-USD: no answer"


def test_orders_in_another_order_are_not_the_same() -> None:
    """Who comes first gets the money."""
    first, second = orders()
    found = compare([lived(order=[first, second])], [lived(order=[second, first])])
    assert next(one for one in found.agreements if one.kind == "order").same == 0
    assert compare([lived(order=[first, second])], [lived(order=[first, second])]).differing == []


def test_a_hundred_percent_means_that_nothing_differs() -> None:
    many = [lived(n, verdict=[SAID]) for n in range(30_000)]
    other = [*many[:-1], lived(29_999)]
    assert [one.percent for one in compare(many, other).agreements if one.kind == "verdict"] == [99.99]


def orders() -> tuple[ApprovedOrder, ApprovedOrder]:
    """Two that a replay placed."""
    closes = [100_00] * 8 + [103_00] * 4 + [95_00] * 8
    bars = {
        one.symbol: [
            (START + (n - 250) * BAR_MS, close, close + 9, close - 9, close, 10**12)
            for n, close in enumerate([100_00] * 250 + closes)
        ]
        for one in (LISTED[0], LISTED[2])
    }
    source = market((LISTED[0], LISTED[2]), bars)
    settings = policy(strategies__sma_cross__fast_bars=2, strategies__sma_cross__slow_bars=5)
    placed = [order for one in lived_in_replay(replay(source, settings, START, START + 20 * BAR_MS, interpreted=True))
              for order in one.did["order"]]  # fmt: skip
    return placed[0], placed[1]
