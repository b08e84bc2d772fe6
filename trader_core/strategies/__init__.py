"""Every strategy there is, by the name of its block in strategies.yaml. Of equal proposals the first one counts."""

from trader_core.strategies.base import Strategy
from trader_core.strategies.mean_reversion import mean_reversion
from trader_core.strategies.momentum import momentum
from trader_core.strategies.rules import rules
from trader_core.strategies.sma_cross import sma_cross

STRATEGIES: dict[str, Strategy] = {
    "rules": rules,
    "momentum": momentum,
    "mean_reversion": mean_reversion,
    "sma_cross": sma_cross,
}
