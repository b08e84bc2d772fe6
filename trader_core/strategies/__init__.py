"""Every strategy there is, by the name of its block in strategies.yaml."""

from trader_core.strategies.base import Strategy
from trader_core.strategies.sma_cross import sma_cross

STRATEGIES: dict[str, Strategy] = {"sma_cross": sma_cross}
