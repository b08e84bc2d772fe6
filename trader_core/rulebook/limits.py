"""The figures a policy sets, in the units the law computes in: fractions, ppm, ms, and 1e-8 quote."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.int8]
Floats = NDArray[np.float64]


class Risk(NamedTuple):
    """Limits of the gates."""

    max_total: float  # fraction of equity
    max_positions: int
    max_asset: float  # fraction of equity
    max_day_loss: float  # fraction of the day's opening equity
    cooldown_exit_ms: int
    cooldown_stop_ms: int
    max_age_ms: int
    max_cost_ppm: int
    min_notional: int  # 1e-8 quote


class Orders(NamedTuple):
    """How orders are sized and worked."""

    position: float  # fraction of equity wanted in one position
    maker_ttl_ms: int
    bar_ms: int
    band_ppm: int  # how far a taker may go through the touch


class Costs(NamedTuple):
    """The fill model and the venue's fees, parts per million."""

    maker_fee_ppm: int
    taker_fee_ppm: int
    half_spread_ppm: int
    slippage_ppm: int
    max_share_ppm: int  # of a bar's volume, for one maker order


class Instruments(NamedTuple):
    """One row per instrument. `num / den` is the value of one tick times one lot in 1e-8 quote."""

    asset: Ints  # instruments of the same coin share a number
    num: Ints
    den: Ints
    min_notional: Ints  # the venue's own floor, 1e-8 quote


class Strategies(NamedTuple):
    """One row per strategy: where its exits stand, in bps from the average entry."""

    stop_bps: Ints
    target_bps: Ints


class Law(NamedTuple):
    risk: Risk
    orders: Orders
    costs: Costs
    instruments: Instruments
    strategies: Strategies
