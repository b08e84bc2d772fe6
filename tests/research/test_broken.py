"""What a policy came to with a strategy broken is no figure of that policy: backtests say so, and research leaves it
out."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Inside
from tests.research.make import changed, policy, study
from tests.world import write_config
from trader_core.market.seen import Market
from trader_core.research.space import Choice, grid
from trader_core.research.sweep import candidates_of, table, tried
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Proposals

MOMENTUM, SMA = "strategies.momentum.enabled", "strategies.sma_cross.enabled"


class Broken:
    """A strategy that cannot be computed."""

    unit = "bps"

    def lookback(self, parameters: Any, policy: Any) -> int:
        return 10

    def columns(self, market: Market, parameters: Any) -> Proposals:
        raise ArithmeticError("no such average")


@pytest.fixture(autouse=True)
def _broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STRATEGIES, "momentum", Broken())


def test_a_sweep_gives_no_figures_of_it(tmp_path: Path) -> None:
    combinations = grid([Choice(MOMENTUM, (True, False))])
    shared = study(tmp_path, of=changed(policy(), {SMA: True}))
    rows = table(tried(shared, candidates_of(shared, combinations)), "sharpe", None)
    whole, broken = rows
    assert whole.parameters == {MOMENTUM: False} and whole.figures is not None and not whole.problems
    assert broken.parameters == {MOMENTUM: True} and broken.figures is None, "it comes last"
    assert broken.problems == ("momentum broke: ArithmeticError: no such average",)


def test_a_backtest_warns_of_it(tmp_path: Path) -> None:
    config = tmp_path / "config"
    write_config(config, {MOMENTUM: True})
    done = Inside(tmp_path)("backtest", "--config", config, "--state", tmp_path / "state", "--json")
    said = "momentum broke and proposed nothing: ArithmeticError: no such average"
    assert done.code == 0 and any(said in str(one) for one in done.document["warnings"])
