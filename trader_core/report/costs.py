"""What trading cost, and how much of it there was.

Each fill began at a price of the market: an immediate order at the bar's opening, a stop at the worse of its trigger
and the opening, a resting order at the close it was decided at. What it lost from there is what the model of the venue
took: `spread` is the assumed half spread of an immediate order and, below zero, what a resting one saved; `slippage`
is all the rest. `drift` is no cost of the venue: how far the market moved against the order from the decision's close
(a stop's trigger) to where the fill began.
"""

import math
from typing import Any

import numpy as np

from trader_core.domain.clocktime import HOUR_MS
from trader_core.report.curve import Curve
from trader_core.report.rounds import ORDER, Fills, Rounds, Told
from trader_core.report.written import grains_text, ratio_text, significant
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Floats, Ints
from trader_core.rulebook.money import PPM

YEAR_H = 365 * 24
QUANTILES_PCT = (0, 5, 25, 50, 75, 95, 100)


def costs(told: Told, fills: Fills, opens: Ints, half_spread_ppm: int, initial: int) -> dict[str, Any]:
    """In the account's currency, above zero what was paid. `opens` are the openings of the fills' bars, in ticks."""
    parts = _parts(told, fills, opens, half_spread_ppm)
    entering = fills.buys
    fees, entry_fees = sum(fills.fee.tolist()), sum(fills.fee[entering].tolist())
    paid = {name: round(math.fsum(part.tolist())) for name, part in parts.items()}
    funding = _funding(told, fills, initial, fees)
    total, traded = fees + paid["spread"] + paid["slippage"] + funding, sum(fills.value.tolist())
    return {
        "fees": grains_text(fees),
        "entry_fees": grains_text(entry_fees),
        "exit_fees": grains_text(fees - entry_fees),
        "spread": grains_text(paid["spread"]),
        "slippage": grains_text(paid["slippage"]),
        "funding": grains_text(funding),
        "total": grains_text(total),
        "total_bps": ratio_text(10_000 * total, traded),
        "drift": grains_text(paid["drift"]),
    }


def _parts(told: Told, fills: Fills, opens: Ints, half_spread_ppm: int) -> dict[str, Floats]:
    """1e-8 quote that each fill lost."""
    asked = told.asked[fills.order]
    kind, trigger, decided = asked[:, ORDER + codes.KIND], asked[:, ORDER + codes.TRIGGER], asked[:, 0]
    close = told.close[decided, fills.instrument]
    resting = kind == codes.MAKER
    immediate = (kind == codes.TAKER) & (fills.at_ms == told.at_ms[fills.row] - told.bar_ms)
    begins = np.where(resting, close, np.where(immediate, opens, np.minimum(trigger, opens)))
    thought = np.where(resting | immediate, close, trigger)
    units = np.array([float(one.grains_per_unit) for one in told.axes.instruments])
    size = np.where(fills.buys, 1, -1) * fills.lots.astype(np.float64) * units[fills.instrument]
    lost = (fills.ticks - begins) * size
    half = np.abs(size) * (opens * (half_spread_ppm / PPM))
    spread = np.where(resting, lost, np.where(immediate, half, 0.0))
    return {"spread": spread, "slippage": lost - spread, "drift": (begins - thought) * size}


def _funding(told: Told, fills: Fills, initial: int, fees: int) -> int:
    """What else left the cash: there is nothing but flows, fills and funding that moves it."""
    bought, sold = sum(fills.value[fills.buys].tolist()), sum(fills.value[~fills.buys].tolist())
    came = sum(told.flows[:, 1].tolist())
    return int(initial + came + sold - bought - fees - told.cash_grains)


def turnover(curve: Curve, fills: Fills) -> dict[str, Any]:
    """How much was traded, both ways, and how often the mean equity turns over in a year of 365 days."""
    traded, mean = sum(fills.value.tolist()), curve.mean_worth()
    hours = len(curve.told.at_ms) * curve.told.bar_ms / HOUR_MS
    yearly = traded / mean * YEAR_H / hours if mean and hours else None
    return {"traded": grains_text(traded), "mean_equity": grains_text(mean), "per_year": significant(yearly)}


def holding_times(trades: Rounds) -> dict[str, float | None]:
    """Quantiles of the closed trades' lengths by rank, in hours."""
    lengths = np.sort(trades.hold_ms).tolist()
    return {f"p{pct}": _ranked(lengths, pct) for pct in QUANTILES_PCT}


def _ranked(lengths: list[int], pct: int) -> float | None:
    return significant(lengths[max(-(-len(lengths) * pct // 100) - 1, 0)] / HOUR_MS) if lengths else None
