"""Two reports side by side: nothing that differs is left out."""

from decimal import Decimal
from typing import Any

from trader_core.research.differences import compared

REPORT: dict[str, Any] = {
    "metadata": {"code": "1", "config_digest": "a", "config": {"policy": {"x": 1, "y": 2}}, "instruments": ["BTC-USD"]},
    "summary": {"total_trades": 2, "total_pnl": "10.5", "profit_factor": None, "best": {"pnl": "7"}},
    "regression_keys": {"win_rate": "50"},
    "trades": [{"symbol": "BTC-USD", "pnl": "1"}, {"symbol": "BTC-USD", "pnl": "1"}, {"symbol": "SOL-USD", "pnl": "2"}],
    "equity": [1, 2, 3],
}


def test_a_report_does_not_differ_from_itself() -> None:
    found = compared(REPORT, REPORT)
    assert (found.metadata, found.only_before, found.only_after, found.trades_in_both) == ((), (), (), 3)
    assert {one.change for one in found.figures} == {Decimal(0), None}
    assert [one.key for one in found.figures] == [
        "summary.total_trades", "summary.total_pnl", "summary.profit_factor", "summary.best.pnl",
        "regression_keys.win_rate",
    ]  # fmt: skip


def test_keys_figures_and_trades_that_differ_are_told() -> None:
    other = {
        **REPORT,
        "metadata": {**REPORT["metadata"], "config_digest": "b", "config": {"policy": {"x": 1, "y": 3}}, "new": True},
        "summary": {"total_trades": 3, "total_pnl": "-1.25", "profit_factor": "2", "extra": 1},
        "trades": [*REPORT["trades"][:1], {"symbol": "BTC-USD", "pnl": "-4"}, REPORT["trades"][2]],
    }
    found = compared(REPORT, other)
    assert [(one.key, one.before, one.after) for one in found.metadata] == [
        ("config_digest", "a", "b"), ("config.policy.y", 2, 3), ("new", None, True),
    ]  # fmt: skip
    changes = {one.key: one.change for one in found.figures}
    assert changes["summary.total_trades"] == 1
    assert changes["summary.total_pnl"] == Decimal("-11.75")
    assert changes["summary.profit_factor"] is changes["summary.extra"] is changes["summary.best.pnl"] is None
    assert (found.trades_in_both, found.only_before, found.only_after) == (
        2, (REPORT["trades"][1],), ({"symbol": "BTC-USD", "pnl": "-4"},),
    )  # fmt: skip
