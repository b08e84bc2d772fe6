"""The regression gate's rule: when a figure is off, and when two reports cannot be compared at all."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trader_core.domain.errors import UsageError
from trader_core.report.baseline import KEYS, Gate, baseline_of, compared, read
from trader_core.report.written import text_of

ABOUT: dict[str, Any] = {
    "trader": "1", "law_digest": "l", "seed": 1, "from_time": "a", "to_time": "b", "base_bar_min": 15,
    "data_fingerprint": "f", "candles": {"BTC-USD": "1", "ETH-USD": "2"}, "config_digest": "c",
}  # fmt: skip
FIGURES: dict[str, Any] = {
    "total_trades": 50, "win_rate": "40", "total_pnl_pct": "-2.5", "max_drawdown_pct": "10", "profit_factor": "0.8",
}  # fmt: skip


def report(about: Mapping[str, Any] | None = None, /, **changed: Any) -> dict[str, Any]:
    return {"metadata": {**ABOUT, **(about or {})}, "flows": [], "regression_keys": FIGURES | changed}


def gate(then: dict[str, Any], now: dict[str, Any], tolerance: str = "2") -> Gate:
    kept = read(text_of(baseline_of(then, "because", 1)), "b.json")
    return compared(kept, now, Decimal(tolerance), 10, "b.json")


def failed(then: dict[str, Any], now: dict[str, Any], tolerance: str = "2") -> list[str]:
    return [row.key for row in gate(then, now, tolerance).rows if not row.passed]


def test_the_same_figures_pass_and_the_reason_is_kept() -> None:
    found = gate(report(), report())
    assert found.passed and found.reason == "because"
    assert [row.key for row in found.rows] == list(KEYS)


@pytest.mark.parametrize("key", KEYS)
def test_each_figure_alone_can_fail_the_gate(key: str) -> None:
    """2 % of a figure below zero is 2 % of its size."""
    base = Decimal(str(FIGURES[key]))
    for share, passes in (("1.02", True), ("0.98", True), ("1.021", False), ("0.979", False)):
        now = base * Decimal(share)
        assert failed(report(), report(**{key: str(now)})) == ([] if passes else [key]), share
    assert gate(report(), report(**{key: str(base * 2)})).rows[KEYS.index(key)].deviation_pct == 100 * base / abs(base)


@given(st.decimals(-100, 100, places=4), st.decimals(-100, 100, places=4), st.decimals(0, 100, places=2))
def test_a_figure_passes_within_the_tolerance_of_what_it_was(then: Decimal, now: Decimal, tolerance: Decimal) -> None:
    within = abs(now - then) * 100 <= tolerance * abs(then) if then else now == 0 or tolerance >= 100
    found = failed(report(total_pnl_pct=str(then)), report(total_pnl_pct=str(now)), str(tolerance))
    assert (found == []) == within


@pytest.mark.parametrize(
    ("then", "now", "deviation", "passes"),
    [("0", "0.01", 100, False), ("0", "-5", -100, False), ("0", "0", 0, True), (None, None, 0, True),
     (None, "3", None, False), ("3", None, None, False)],
)  # fmt: skip
def test_what_was_nothing_or_undefined(then: Any, now: Any, deviation: int | None, passes: bool) -> None:
    found = gate(report(profit_factor=then), report(profit_factor=now))
    assert (found.rows[-1].deviation_pct, found.passed) == (deviation, passes)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"data_fingerprint": "g"}, "data_fingerprint is f there and g here"),
        ({"from_time": "z"}, "from_time is a there and z here"),
        ({"base_bar_min": 5}, "base_bar_min is 15 there and 5 here"),
        ({"candles": {"BTC-USD": "9", "ETH-USD": "2"}}, "the candles of BTC-USD have changed"),
    ],
)
def test_other_data_cannot_be_compared(about: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match="other data") as refused:
        gate(report(), report(about))
    assert words in refused.value.what


@pytest.mark.parametrize(
    "about",
    [{"config_digest": "d"}, {"law_digest": "m"}, {"trader": "2"}, {"candles": {"ETH-USD": "2", "SOL-USD": "3"}}],
    ids=str,
)
def test_other_code_and_another_configuration_are_what_it_is_for(about: dict[str, Any]) -> None:
    assert gate(report(), report(about)).passed


def test_a_baseline_that_would_pass_anything_is_refused() -> None:
    few = report(total_trades=9)
    with pytest.raises(UsageError, match="fewer than 10"):
        gate(few, few)
    with pytest.raises(UsageError, match="fewer than 10"):
        baseline_of(few, "because", 10)
    with pytest.raises(UsageError, match="needs a reason"):
        baseline_of(report(), " ", 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "is not JSON"),
        ("[]", "has no section metadata and no section regression_keys"),
        (json.dumps({"metadata": ABOUT}), "has no section regression_keys"),
        (json.dumps({"metadata": ABOUT, "regression_keys": {"win_rate": 1}}), "does not say total_trades"),
    ],
)
def test_what_is_no_baseline_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=r"b\.json") as refused:
        read(text, "b.json")
    assert words in refused.value.what


@pytest.mark.parametrize("value", ["many", True, "NaN", []])
def test_a_figure_must_be_a_number(value: Any) -> None:
    kept = {"metadata": ABOUT, "regression_keys": FIGURES | {"win_rate": value}}
    with pytest.raises(UsageError, match="no number"):
        compared(kept, report(), Decimal(2), 10, "b.json")


def test_a_whole_report_is_a_baseline_too() -> None:
    assert compared(read(text_of(report()), "r.json"), report(), Decimal(2), 10, "r.json").passed
