"""What the account was worth over time, with deposits and withdrawals taken out: they are neither gain nor loss."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from trader_core.domain.clocktime import DAY_MS, HOUR_MS
from trader_core.report.rounds import Told
from trader_core.report.written import grains_text, rounded_ratio, significant, times_text
from trader_core.rulebook.limits import Floats, Ints

STEPS_H = (1, 4, 24)  # a point of a series stands for so long; for longer where that makes too many
STEPS_MAX = 1_000


@dataclass(frozen=True)
class Curve:
    """The decisions at which the worth is known. `index` is what the initial equity became by trading alone: each
    flow scales it so that its own row shows no change by it. Where there was none, it is what came first."""

    told: Told
    initial: int  # 1e-8 quote
    base: int  # 1e-8 quote, where the index begins
    rows: Ints  # [known]
    at_ms: Ints  # [known]
    worth: Ints  # [known], 1e-8 quote
    index: Floats  # [known], 1e-8 quote
    fall: Floats  # [known], below the highest index before, in percent of that
    growth: Fraction  # of the index, from where it begins to the last known; exact

    @property
    def flows(self) -> int:
        """What came in less what went out, 1e-8 quote."""
        return sum(self.told.flows[:, 1].tolist())

    @property
    def deepest_fall(self) -> int:
        """The largest fall in 1/10,000 of a percent, halves to even: exact where no money came or went."""
        if not len(self.rows):
            return 0
        at = int(self.fall.argmax())
        top = int(self.index[: at + 1].argmax())
        if len(self.told.flows):
            high, low = float(self.index[top]).as_integer_ratio(), float(self.index[at]).as_integer_ratio()
            share = 1 - Fraction(*low) / Fraction(*high) if high[0] else Fraction(0)
            return rounded_ratio(100 * share.numerator, share.denominator, 4)
        high_grains, low_grains = int(self.worth[top]), int(self.worth[at])
        return rounded_ratio(100 * (high_grains - low_grains), high_grains, 4)

    @cached_property
    def days(self) -> Ints:
        """UTC days since the epoch, from the first decision's to the last one's."""
        at_ms = self.told.at_ms
        return np.arange(at_ms[0] // DAY_MS, at_ms[-1] // DAY_MS + 1) if len(self.rows) else np.zeros(0, np.int64)

    @cached_property
    def ends(self) -> Ints:
        """Place of the newest known worth at the end of each of these days; -1 before the first."""
        return np.asarray(np.searchsorted(self.at_ms, (self.days + 1) * DAY_MS) - 1)

    @property
    def closings(self) -> Floats:
        """Where the index begins, and the index at the end of each day."""
        if not len(self.days):
            return np.array([float(self.base)])
        closing = np.where(self.ends < 0, float(self.base), self.index[np.maximum(self.ends, 0)])
        return np.concatenate([[float(self.base)], closing])

    def daily(self) -> Floats:
        """Returns by UTC day, the first on the initial equity. A day of which nothing is known shows none, and what it
        did is in the next one's."""
        before, after = self.closings[:-1], self.closings[1:]
        return np.asarray(np.divide(after, before, out=np.ones(len(after)), where=before > 0) - 1)

    def mean_worth(self) -> int:
        """Mean of the worths at the end of each of these days; 1e-8 quote, rounded down."""
        closing = self.worth[self.ends[self.ends >= 0]].tolist()
        return sum(closing) // len(closing) if closing else 0


def curve_of(told: Told, initial: int) -> Curve:
    known = told.worth >= 0
    rows: Ints = np.flatnonzero(known)
    worth = told.worth if len(rows) == len(known) else told.worth[rows]
    at_ms = told.at_ms if len(rows) == len(known) else told.at_ms[rows]
    first = 0 if initial else next((place for place, one in enumerate(worth.tolist()) if one), 0)
    base = int(worth[first]) if not initial and len(worth) else initial
    index, growth = _index(told, base, rows, worth)
    index[:first] = base
    high = np.maximum.accumulate(index)
    fall = np.divide(100 * (high - index), high, out=np.zeros(len(index)), where=high > 0)
    return Curve(told, initial, base, rows, at_ms, worth, index, np.asarray(fall), growth)


def _index(told: Told, base: int, rows: Ints, worth: Ints) -> tuple[Floats, Fraction]:
    """Between two flows the index is the worth times a constant; at a flow that changes, in the proportion in which
    the flow changed the worth. A flow comes just before its row. Whole 1e-8 quote, or a flow's rounding is a gain."""
    if not len(rows):
        return np.zeros(0), Fraction(1)
    index, scale, begin = worth.astype(np.float64), Fraction(1), 0
    for place, amount in _flows_by_place(told, rows):
        index[begin:place] *= float(scale)
        after = int(worth[place])
        before = after - amount
        scale = scale * before / after if after > 0 and before > 0 else scale
        begin = place
    index[begin:] *= float(scale)
    return np.rint(index), scale * int(worth[-1]) / base if base > 0 else Fraction(1)


def _flows_by_place(told: Told, rows: Ints) -> list[tuple[int, int]]:
    """(place among the known rows, amount) of the flows, those of one place together."""
    places = np.searchsorted(rows, told.flows[:, 0])
    sums: dict[int, int] = {}
    for place, amount in zip(places.tolist(), told.flows[:, 1].tolist(), strict=True):
        if place < len(rows):
            sums[place] = sums.get(place, 0) + amount
    return sorted(sums.items())


# --- a series that fits on a page -------------------------------------------------------------------------------------


def step_h_of(told: Told) -> int:
    """Hours that a point stands for: as few as make no more than STEPS_MAX points."""
    if not len(told.at_ms):
        return STEPS_H[-1]
    span_h = -(-int(told.at_ms[-1] - told.at_ms[0]) // HOUR_MS)
    days = max(-(-span_h // (24 * STEPS_MAX)), 1)
    return next((hours for hours in STEPS_H if span_h <= hours * STEPS_MAX), 24 * days)


def points_of(curve: Curve) -> Ints:
    """Rows of the last decision of each step, and of its deepest fall where that is deeper."""
    at_ms, step_ms = curve.told.at_ms, step_h_of(curve.told) * HOUR_MS
    if not len(at_ms):
        return np.zeros(0, np.int64)
    edges = np.arange(int(at_ms[0]) // step_ms + 1, int(at_ms[-1]) // step_ms + 2) * step_ms
    ends = np.searchsorted(at_ms, edges)
    known = np.searchsorted(curve.rows, ends)
    picked = {int(end) - 1 for end in ends if end}
    for first, end in zip([0, *known[:-1].tolist()], known.tolist(), strict=True):
        fall = curve.fall[first:end]
        if end > first and fall.max() > fall[-1]:
            picked.add(int(curve.rows[first + int(fall.argmax())]))
    return np.array(sorted(picked), np.int64)


def series(curve: Curve, points: Ints) -> dict[str, Any]:
    hours = step_h_of(curve.told)
    places = np.minimum(np.searchsorted(curve.rows, points), max(len(curve.rows) - 1, 0))
    falls = curve.fall[places].tolist() if len(curve.rows) else [0.0] * len(points)
    return {
        "step_hours": hours,
        "about": f"the last decision of every {hours} hours, and that of its deepest drawdown where it is deeper",
        "points": [
            {
                "time": time,
                "equity": grains_text(worth) if worth >= 0 else None,
                "drawdown_pct": significant(fall) if worth >= 0 else None,
            }
            for time, worth, fall in zip(
                times_text(curve.told.at_ms[points]), curve.told.worth[points].tolist(), falls, strict=True
            )
        ],
    }


def monthly(curve: Curve) -> list[dict[str, Any]]:
    """Return by UTC month, flows taken out. The first and the last may be parts of one."""
    months = curve.days.astype("datetime64[D]").astype("datetime64[M]")
    last = np.flatnonzero(np.append(months[1:] != months[:-1], True)) if len(months) else np.zeros(0, np.int64)
    closing = [float(curve.base), *curve.closings[1:][last].tolist()]
    return [
        {"month": month, "return_pct": significant(100 * (now / before - 1)) if before > 0 else None}
        for month, before, now in zip(
            np.datetime_as_string(months[last]).tolist(), closing[:-1], closing[1:], strict=True
        )
    ]
