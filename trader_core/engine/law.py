"""A policy in the law's own units: percent and bps become fractions and ppm, minutes become milliseconds."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from trader_core.domain.clocktime import MINUTE_MS, SECOND_MS
from trader_core.domain.money import grains_up
from trader_core.ledger.integers import Axes
from trader_core.rulebook import limits
from trader_core.strategies import STRATEGIES

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


def enabled_strategies(policy: "Settings") -> tuple[str, ...]:
    """Names of the strategies that may propose, in the registry's order."""
    return tuple(name for name in STRATEGIES if getattr(policy.strategies, name).enabled)


def bar_ms_of(policy: "Settings") -> int:
    return policy.policy.cycle.base_bar_min * MINUTE_MS


def law_of(policy: "Settings", axes: Axes) -> limits.Law:
    return limits.Law(_risk(policy), _orders(policy), costs_of(policy), _instruments(axes), _strategies(policy, axes))


def costs_of(policy: "Settings") -> limits.Costs:
    paper = policy.app.paper
    return limits.Costs(
        maker_fee_ppm=_ppm(paper.maker_fee_bps),
        taker_fee_ppm=_ppm(paper.taker_fee_bps),
        half_spread_ppm=_ppm(paper.half_spread_bps),
        slippage_ppm=_ppm(paper.slippage_bps),
        max_share_ppm=_ppm(paper.max_share_of_volume_pct * 100),
    )


def _risk(policy: "Settings") -> limits.Risk:
    risk = policy.policy.risk
    return limits.Risk(
        max_total=risk.max_total_at_risk_pct / 100,
        max_positions=risk.max_open_positions,
        max_asset=risk.max_per_asset_pct / 100,
        max_day_loss=risk.max_day_loss_pct / 100,
        cooldown_exit_ms=risk.cooldown_after_exit_min * MINUTE_MS,
        cooldown_stop_ms=risk.cooldown_after_stop_min * MINUTE_MS,
        max_age_ms=policy.policy.data.max_data_age_s * SECOND_MS,
        max_cost_ppm=_ppm(policy.policy.orders.max_entry_cost_bps),
        min_notional=grains_up(policy.policy.sizing.min_notional_quote),
    )


def _orders(policy: "Settings") -> limits.Orders:
    profile = getattr(policy.policy.profiles, policy.policy.profile)
    return limits.Orders(
        position=policy.policy.sizing.position_pct * profile.position_scale_pct / 10_000,
        maker_ttl_ms=policy.policy.orders.maker_ttl_bars * bar_ms_of(policy),
        bar_ms=bar_ms_of(policy),
        band_ppm=_ppm(policy.policy.orders.limit_band_bps),
    )


def _instruments(axes: Axes) -> limits.Instruments:
    units = [one.grains_per_unit for one in axes.instruments]
    return limits.Instruments(
        asset=_ints(axes.assets.index(one.base) for one in axes.instruments),
        num=_ints(unit.numerator for unit in units),
        den=_ints(unit.denominator for unit in units),
        min_notional=_ints(grains_up(one.min_notional) for one in axes.instruments),
    )


def _strategies(policy: "Settings", axes: Axes) -> limits.Strategies:
    terms = [STRATEGIES[name].terms(getattr(policy.strategies, name)) for name in axes.strategies]
    return limits.Strategies(_ints(one.stop_bps for one in terms), _ints(one.target_bps for one in terms))


def _ints(values: Iterable[int]) -> limits.Ints:
    return np.fromiter(values, np.int64)


def _ppm(bps: float) -> int:
    return round(bps * 100)
