"""The figures a policy sets, in the units the law computes in: fractions, ppm, ms, and 1e-8 quote."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.int8]
Floats = NDArray[np.float64]


class Risk(NamedTuple):
    """Caps as fractions of equity, losses as fractions of a window's opening."""

    max_total: float
    max_asset: float
    max_theme: Floats  # [theme]
    max_tier: Floats  # [tier], row 0 unused
    max_positions: int
    max_wait_ms: int  # for a free slot; 0 refuses at once
    max_day_loss: float
    max_week_loss: float
    max_drawdown: float
    halve_at_day_loss: float  # from here on new positions are half as large
    day_stop: float  # below zero: none in this profile
    day_target: float


class Recovery(NamedTuple):
    """How far sizes shrink in a drawdown: from each depth on, a fraction of the highest equity."""

    cautious_from: float
    cautious_scale: float
    protective_from: float
    protective_scale: float


class Kelly(NamedTuple):
    """What is bet of the fraction that a strategy's own record would allow."""

    share: float
    most: float  # fraction of equity
    min_trades: int


class Sizing(NamedTuple):
    """How large a position may become. Every scale but `confident_scale` is at most 1."""

    sizer: int  # FRACTION, ATR_RISK or KELLY
    max_position: int  # 1e-8 quote of own money
    max_stop_loss: float  # fraction of equity that a position may lose at its stop
    doubtful_below: float  # conviction
    doubtful_scale: float
    confident_from: float
    confident_scale: float
    full_volatility: float  # percent a year; beyond it sizes shrink in proportion
    poor_rate: float  # a pair of instrument and strategy that has won less often
    poor_trades: int  # of at least so many
    poor_scale: float
    risk_per_trade: float  # ATR_RISK: fraction of equity, the profile's scale included
    risk_ranges: float  # and how many of a day's mean true ranges the price may go against it
    recovery: Recovery
    kelly: Kelly


class Exits(NamedTuple):
    """When a position is left that its strategy says nothing of, and what is done on the way to its target."""

    default_stop_bps: int  # 0 is none, as it is of the others
    default_target_bps: int
    break_even_ppm: int  # the highest bid so far above cost lifts the stop to cost and exit fee
    partial_ppm: int  # a bid so far above cost sells a part, once
    partial_share_ppm: int
    trim_ppm: int  # a position so far above its asset's cap is sold down to it, in parts of the cap
    purge_ms: int  # what the universe has had no place for so long is sold


class Pacing(NamedTuple):
    """How often something may be bought."""

    cooldown_win_ms: int
    cooldown_loss_ms: int
    cooldown_stop_ms: int
    max_streak: int
    streak_pause_ms: int
    spacing_ms: int
    asset_spacing_ms: int
    per_cycle: int
    per_hour: int
    per_day: int
    adds_allowed: int
    add_spacing_ms: int
    adds_per_day: int


class Market(NamedTuple):
    """What the market must be like."""

    scale: Floats  # [regime], of new positions; below 1 also of every cap
    min_atr_ratio: Floats  # [regime]
    max_age_ms: int
    max_policy_age_ms: int
    max_deviation: float  # percent; how far an outlier is from its mean, for the trace
    max_jump: float  # standard deviations
    max_volatility: float  # percent a year
    calm_range: float  # percent; a day of a larger mean true range asks for conviction
    min_restless_conviction: float  # 0 to 1


class Tiers(NamedTuple):
    """What an asset's book must be like to be eligible. Arrays are [tier], row 0 unused."""

    max_spread_ppm: Ints
    min_depth: Ints  # 1e-8 quote
    near_spread_ppm: int  # of an asset that only nearly trades enough


class Liquidity(NamedTuple):
    """What an entry may cost, and what it may take out of the book."""

    max_spread_ppm: int
    max_depth_ppm: int  # of what rests within 20 bps
    max_slippage_ppm: int
    max_cost_ppm: int
    min_edge_ppm: int  # of the cost of entry and exit together
    min_notional: int  # 1e-8 quote


class Orders(NamedTuple):
    """How orders are sized and worked."""

    position: Floats  # [tier], fraction of equity wanted in one position, before the regime
    maker_ttl_ms: int
    max_reprices: int
    fallback: int  # 1: the rest of a maker is taken in the end
    bar_ms: int
    band_ppm: int  # how far a taker may go through the touch
    trailing_ppm: int  # how far the stop follows below the highest bid; 0 is not at all


class Slippage(NamedTuple):
    """How much worse than the quote a taker fills: a base by tier, more for large orders and on restless days."""

    base_ppm: Ints  # [tier], row 0 unused
    large: int  # 1e-8 quote; beyond it an order moves the price
    per_decade: float  # what ten times that adds, a fraction of the base
    most_large: float  # at most this many times the base
    restless_pct: float  # a day's mean true range beyond which it grows in proportion
    most_restless: float  # at most this many times; also where the range is unknown


class Costs(NamedTuple):
    """The fill model and the venue's fees, parts per million."""

    maker_fee_ppm: int
    taker_fee_ppm: int
    half_spread_ppm: int
    slippage: Slippage
    max_share_ppm: int  # of a bar's volume, for one maker order
    depth_ppm: int  # of the last 24 hours' volume, resting within 20 bps of the middle


class Instruments(NamedTuple):
    """One row per instrument. `num / den` is the value of one tick times one lot in 1e-8 quote."""

    asset: Ints  # instruments of the same coin share a number
    theme: Ints
    tier: Ints
    num: Ints
    den: Ints
    min_notional: Ints  # the venue's own floor, 1e-8 quote


class Portfolio(NamedTuple):
    """What all that is held and ordered may be after the trade, as fractions of equity, judged by daily returns."""

    cluster_assets: int
    max_cluster: float
    min_correlation: float  # from here on two move together
    cluster_days: int  # the newest so many UTC days
    cluster_min_days: int  # that both must have returns of; else they count as moving together
    max_var: float
    var_days: int  # the newest so many UTC days
    var_min_days: int  # that there must be; else the value at risk is unknown
    var_tail_ppm: int  # of the days, those that count as the worst
    var_stress: float  # lost by what has no return on a day on which something else has one
    max_leverage: float
    max_concentration: float


class Strategies(NamedTuple):
    """One row per strategy: its budgets."""

    max_at_risk: Floats  # fraction of equity
    max_trades: Ints  # entries a cycle
    min_conviction: Floats  # 0 to 1


class Halts(NamedTuple):
    """When the halt machine trips, and what then. Parts of an equity are ppm: a loss is rounded down to them, and a
    limit is a whole number of them, so reaching it is exact."""

    enabled: int
    max_day_loss_ppm: int
    max_open_loss_ppm: int
    retrip_ppm: int  # how far beyond a loss that was seen it trips again on the same day
    max_errors: int  # in a row
    error_window_ms: int
    max_stops: int  # 0 is off
    stop_window_ms: int
    max_feed_age_ms: int  # 0 is off
    max_naked_ms: int
    max_troubles: int  # in a row; 0 is off
    cooldown_ms: int
    on_trip: int  # HOLD, CANCEL_ENTRIES or FLATTEN
    auto_rearm: int


class Law(NamedTuple):
    risk: Risk
    portfolio: Portfolio
    pacing: Pacing
    market: Market
    tiers: Tiers
    liquidity: Liquidity
    orders: Orders
    costs: Costs
    instruments: Instruments
    strategies: Strategies
    halts: Halts
    sizing: Sizing
    exits: Exits
