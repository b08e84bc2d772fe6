"""What must hold between settings that are each in range. A rule stands here only when breaking it is never meant."""

from collections.abc import Iterator
from dataclasses import dataclass

from trader_core.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Clash:
    """Two settings that contradict each other. `at` points at the one to mend, inside `file`."""

    file: str
    at: tuple[str | int, ...]
    message: str


def check(settings: Settings) -> tuple[Clash, ...]:
    """All contradictions, in the order of files; empty in a coherent configuration. Never raises."""
    return (*_app(settings), *_policy(settings), *_universe(settings), *_signals(settings), *_strategies(settings))


def _app(settings: Settings) -> Iterator[Clash]:
    app = settings.app
    if app.mode == "LIVE" and app.exchange.venue == "simulated":
        yield Clash("app", ("mode",), "mode is LIVE, but exchange.venue is simulated: no real money trades there")
    if app.paper.maker_fee_bps > app.paper.taker_fee_bps:
        what = f"paper.maker_fee_bps {app.paper.maker_fee_bps:g} is above taker_fee_bps {app.paper.taker_fee_bps:g}"
        yield Clash("app", ("paper", "maker_fee_bps"), what)


def _policy(settings: Settings) -> Iterator[Clash]:
    risk, sizing = settings.policy.risk, settings.policy.sizing
    if risk.max_per_asset_pct > risk.max_total_at_risk_pct:
        what = f"max_per_asset_pct {risk.max_per_asset_pct:g} is above max_total_at_risk_pct"
        yield Clash("policy", ("risk", "max_per_asset_pct"), f"risk.{what} {risk.max_total_at_risk_pct:g}")
    if sizing.position_pct > risk.max_per_asset_pct:
        what = f"position_pct {sizing.position_pct:g} is above risk.max_per_asset_pct {risk.max_per_asset_pct:g}"
        yield Clash("policy", ("sizing", "position_pct"), f"sizing.{what}")


def _universe(settings: Settings) -> Iterator[Clash]:
    universe = settings.universe
    for name, assets in (("bases", universe.bases), ("never_trade", universe.never_trade)):
        for index, asset in enumerate(assets):
            if asset in assets[:index]:
                yield Clash("universe", (name, index), f"{name} lists {asset} twice")
            elif name == "bases" and asset in universe.never_trade:
                yield Clash("universe", (name, index), f"{asset} is in bases and in never_trade")


def _signals(settings: Settings) -> Iterator[Clash]:
    missing, fast = settings.signals.windows.max_missing_bars, settings.strategies.sma_cross.fast_bars
    if missing >= fast:
        what = f"windows.max_missing_bars {missing} would let a whole window of sma_cross.fast_bars {fast} be missing"
        yield Clash("signals", ("windows", "max_missing_bars"), what)


def _strategies(settings: Settings) -> Iterator[Clash]:
    cross = settings.strategies.sma_cross
    if cross.fast_bars >= cross.slow_bars:
        what = f"sma_cross.fast_bars {cross.fast_bars} is not below slow_bars {cross.slow_bars}"
        yield Clash("strategies", ("sma_cross", "fast_bars"), what)
    if cross.stop_pct >= cross.target_pct:
        what = f"sma_cross.stop_pct {cross.stop_pct:g} is not below target_pct {cross.target_pct:g}"
        yield Clash("strategies", ("sma_cross", "stop_pct"), what)
