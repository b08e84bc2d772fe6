"""What was held, in percent of the equity, by asset and by theme."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from trader_core.report.rounds import Fills, Left, Told
from trader_core.report.written import significant
from trader_core.rulebook.limits import Floats, Ints


def exposure(
    told: Told, fills: Fills, left: tuple[Left, ...], points: Ints, themes: Mapping[str, str]
) -> dict[str, Any]:
    """At the points of the series, in their order; None where the equity is unknown. Only what was ever held."""
    worth = told.worth[points]
    by_asset: dict[str, Floats] = {}
    for i in np.unique(fills.instrument).tolist():
        instrument = told.axes.instruments[i]
        value = _held(told, fills, left, i, points) * float(instrument.grains_per_unit)
        share = np.divide(100 * value, worth, out=np.zeros(len(points)), where=worth > 0)
        by_asset[instrument.base] = by_asset.get(instrument.base, 0.0) + share
    by_theme: dict[str, Floats] = {}
    for asset, share in by_asset.items():
        by_theme[themes[asset]] = by_theme.get(themes[asset], 0.0) + share
    return {"by_asset": _written(by_asset, worth), "by_theme": _written(by_theme, worth)}


def _held(told: Told, fills: Fills, left: tuple[Left, ...], i: int, points: Ints) -> Floats:
    """Lots times ticks at the last known close. What a bar filled is held at its close; what was written off is not."""
    ours = np.flatnonzero(fills.instrument == i)
    lots = np.cumsum(np.where(fills.buys[ours], fills.lots[ours], -fills.lots[ours]))
    newest = np.searchsorted(fills.row[ours], points, side="right") - 1
    held = np.where(newest < 0, 0, lots[np.maximum(newest, 0)])
    for one in left:
        if one.instrument == i:
            held = np.where(points >= _written_off(told, one), 0, held)
    return np.asarray(held.astype(np.float64) * told.close[points, i])


def _written_off(told: Told, one: Left) -> int:
    """The row from which on the venue lists it no more, though it lists others; the number of rows where it does."""
    close = told.close[one.entry_row :]
    silent = np.flatnonzero(close[:, one.instrument] == 0)
    gone = silent[close[silent].any(axis=1)]
    return one.entry_row + int(gone[0]) if len(gone) else len(told.at_ms)


def _written(shares: Mapping[str, Floats], worth: Ints) -> dict[str, list[float | None]]:
    known = (worth >= 0).tolist()
    return {
        name: [significant(one) if sure else None for one, sure in zip(share.tolist(), known, strict=True)]
        for name, share in sorted(shares.items())
    }
