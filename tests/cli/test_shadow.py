"""The shadow report: on a simulated venue the model is what happens; elsewhere it names what the model gets wrong."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.program import Inside
from tests.laws.budget import examples
from trader_core.domain.fill import Side
from trader_core.domain.order import OrderKind
from trader_core.domain.values import replace
from trader_core.report.shadow import ENOUGH, Shadow, Shadowed, shadow
from trader_core.research.chance import stream
from trader_core.settings.load import load
from trader_core.shadow import KEYS, edits_of

NOW = dict.fromkeys(KEYS, 5.0) | {"app.paper.taker_fee_bps": 60.0, "app.paper.maker_fee_bps": 40.0}
TAKEN = Shadowed(
    "BTC-USD", 1, Side.BUY, OrderKind.TAKER, Decimal(2), Decimal(2), reference=Decimal(100),
    model_price=Decimal("100.10"), price=Decimal("100.10"), model_fee_bps=60.0, fee_bps=60.0,
)  # fmt: skip


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Inside:
    program = Inside(tmp_path_factory.mktemp("traded"))
    assert program.paper("run", "--cycles", "60").code == 0
    return program


def seen(*orders: Shadowed) -> Shadow:
    return shadow(orders, NOW, stream(1))


def test_on_paper_the_model_is_what_happens(traded: Inside) -> None:
    data = traded("shadow", "report", "--state", traded.state, "--json").data
    kinds = {one["kind"]: one for one in data["kinds"]}
    assert data["mode"] == "PAPER" and data["orders"] >= 5
    assert kinds["MAKER"]["excess"]["value"] == pytest.approx(0, abs=1e-6)
    for one in kinds.values():
        assert one["fee_excess"]["value"] == pytest.approx(0, abs=0.01)  # fees are rounded up to 1e-8
    assert not any(one["differs"] for one in data["suggestions"])
    assert abs(Decimal(data["gap"])) < 1


def test_a_configuration_that_fits_the_fills_is_written_on_request(traded: Inside, tmp_path: Path) -> None:
    words = ("shadow", "report", "--state", traded.state, "--write-config", tmp_path / "fitted")
    done = traded(*words, "--json")
    assert done.code == 0 and load(tmp_path / "fitted").app.paper.taker_fee_bps == 120
    assert traded(*words).code == 2  # it is there already


def test_what_was_paid_beyond_the_model_is_counted_in_money() -> None:
    worse = replace(TAKEN, price=Decimal("100.30"), fee_bps=80.0)
    paid, thought = Decimal("100.30") * Decimal("1.008"), Decimal("100.10") * Decimal("1.006")
    assert seen(worse).gap == 2 * (paid - thought)
    sold = replace(worse, side=Side.SELL, model_price=Decimal("99.90"), price=Decimal("99.70"))
    assert seen(sold).gap == 2 * (Decimal("99.90") * Decimal("0.994") - Decimal("99.70") * Decimal("0.992"))


def test_a_figure_is_doubted_only_after_enough_fills_and_replaced_by_the_careful_end() -> None:
    worse = replace(TAKEN, fee_bps=80.0)
    few, many = seen(*[worse] * (ENOUGH - 1)), seen(*[worse] * ENOUGH)
    assert edits_of(few) == {}
    assert edits_of(many) == {"app.paper.taker_fee_bps": 80.0}
    assert edits_of(seen(*[TAKEN] * ENOUGH)) == {}


def test_slippage_is_what_a_taker_loses_beyond_the_assumed_spread() -> None:
    worse = replace(TAKEN, price=Decimal("100.30"))  # 30 bps from the middle, of which 5 are the assumed half spread
    (found,) = [one for one in seen(*[worse] * ENOUGH).suggestions if one.key.endswith("tier_1_bps")]
    assert found.found.value == pytest.approx(25.0)
    assert found.differs


def test_what_was_never_filled_counts_as_missed_and_costs_nothing() -> None:
    missed = replace(TAKEN, kind=OrderKind.MAKER, filled=Decimal(0), price=None, fee_bps=None)
    found = seen(missed, replace(TAKEN, kind=OrderKind.MAKER, filled=Decimal(1)))
    (maker,) = found.kinds
    assert (maker.orders, maker.filled, maker.filled_pct) == (2, 1, 25.0)
    assert seen(missed).gap == 0 and seen(missed).kinds[0].excess.value is None


@examples(50)
@given(st.lists(st.floats(-50, 50), min_size=1, max_size=40))
def test_an_interval_lies_within_what_was_seen_and_the_same_draw_comes_again(slips: list[float]) -> None:
    orders = [replace(TAKEN, price=Decimal(str(round(100 + one / 100, 6)))) for one in slips]
    found, again = seen(*orders), seen(*orders)
    (kind,) = found.kinds
    assert kind == again.kinds[0]
    low, value, high = kind.excess.low, kind.excess.value, kind.excess.high
    assert low is not None and value is not None and high is not None
    assert min(slips) - 11 <= low <= high <= max(slips) - 9
    assert min(slips) - 11 <= value <= max(slips) - 9  # the model's own slip is ten
