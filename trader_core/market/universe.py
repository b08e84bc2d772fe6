"""Which of the venue's instruments may be traded, and when: what the policy says of an asset, and its volume.

Spread and depth are judged by the law, on each row's own book.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, cast

import numpy as np

from trader_core.domain.instrument import Exclusion, Instrument, base_of
from trader_core.market.windows import led, newest, rolling_sum, rows_in
from trader_core.rulebook.costs import bar_cents
from trader_core.rulebook.gates.standing import NEARLY
from trader_core.rulebook.limits import Flags, Floats, Ints

if TYPE_CHECKING:
    from trader_core.market.seen import Market
    from trader_core.settings.schema import Settings, Tier, Universe

OUT, IN = 0, 1  # eligibility, beside NEARLY, which asks for a narrow spread too
LEFT = 2  # a decision to be out; OUT is none
NEAR_TIER = 2
DAY_H = 24


@dataclass(frozen=True)
class Volumes:
    """What was traded in the last 24 hours in 1/100 quote, and whether that is enough. Both [row, instrument]."""

    day_cents: Ints
    eligible: Flags


def eligible(
    listed: Sequence[Instrument], excluded: Sequence[Exclusion], universe: "Universe", watched: Collection[str]
) -> tuple[tuple[Instrument, ...], tuple[Exclusion, ...]]:
    """(instruments to watch, exclusions with reasons), both in the order of their symbols.

    What is held or ordered is watched until it is gone, also where no new entry is allowed any more, and so is what
    the regime is read from: then it is in both lists.
    """
    chosen: list[Instrument] = []
    out = list(excluded)
    for instrument in listed:
        why_not = _why_not(instrument.base, universe)
        if why_not:
            out.append(Exclusion(instrument.symbol, why_not))
        if not why_not or instrument.symbol in watched:
            chosen.append(instrument)
    known = {base_of(one.symbol) for one in listed} | {base_of(one.symbol) for one in excluded}
    out += [Exclusion(base, "the venue does not list it") for base in universe.bases if base not in known]
    return tuple(sorted(chosen, key=lambda one: one.symbol)), tuple(sorted(out, key=lambda one: one.symbol))


def _why_not(base: str, universe: "Universe") -> str:
    if base in universe.never_trade:
        return f"{base} is in never_trade"
    if base not in universe.bases and not universe.discovery.enabled:
        return f"{base} is in no tier of the universe"
    return ""


def volume_lookback(policy: "Settings") -> int:
    """Rows of the day before the oldest bar that may still have decided."""
    hysteresis = policy.universe.hysteresis
    return rows_in(policy, DAY_H) + max(hysteresis.enter_bars, hysteresis.leave_bars) - 1 + hysteresis.recall_bars


def volumes(market: "Market", grains_per_unit: Floats) -> Volumes:
    """`grains_per_unit` is 1e-8 quote in one tick times one lot, by instrument. A bar that is absent traded nothing.

    A row whose day began before the frame has no volume: it is out, and nothing rests in its book.
    """
    start = max(market.first - volume_lookback(market.policy) + 1, 0)
    frame, day = market.frame.since(start), DAY_H * market.per_hour
    units = cast(float, grains_per_unit)  # one for each column; the law speaks of one instrument
    cents = bar_cents(frame.volume.astype(np.float64), frame.close.astype(np.float64), units)
    day_cents = rolling_sum(cents, day)
    day_cents[: day - 1] = 0
    codes = _by_volume(market, day_cents, np.arange(frame.rows)[:, None] >= day - 1)
    allowed = _allowed(market, np.where(frame.last_known[0] > 0, day_cents, -1), codes).astype(np.int8)
    return Volumes(led(day_cents, start), led(allowed, start))


def _by_volume(market: "Market", day_cents: Ints, known: np.ndarray) -> Ints:
    """In or out by the newest decision; it takes some bars in a row to make one, and it is remembered for so long."""
    universe, columns = market.policy.universe, range(len(market.frame.symbols))
    hysteresis, tiers = universe.hysteresis, np.array([market.tier(i) for i in columns], np.int64)
    enough, missed, near = (
        np.array([0, *(_cents(tier, pct) for tier in _tiers(universe))], np.int64)[tiers]
        for pct in (100.0, hysteresis.leave_pct, universe.near_threshold.volume_pct)
    )
    enters = _in_a_row(known & (day_cents >= enough), hysteresis.enter_bars)
    leaves = _in_a_row(day_cents < missed, hysteresis.leave_bars)
    decided = newest(np.where(enters, IN, np.where(leaves, LEFT, OUT)), hysteresis.recall_bars)
    nearly = (tiers == NEAR_TIER) & _in_a_row(known & (day_cents >= near), hysteresis.enter_bars)
    return np.where(decided == IN, IN, np.where(nearly, NEARLY, OUT))


def _allowed(market: "Market", day_cents: Ints, codes: Ints) -> Ints:
    """The codes, less what the policy does not trade and what discovery has no room for: what has no price, of a
    volume of -1, takes no room from what has one."""
    universe, bases = market.policy.universe, [base_of(symbol) for symbol in market.frame.symbols]
    named = set(universe.bases)
    never = np.array([bool(_why_not(base, universe)) for base in bases], np.bool_)
    found = ~never & np.array([base not in named for base in bases], np.bool_)
    rank = np.argsort(-day_cents[:, found], axis=1, kind="stable")[:, : universe.discovery.max_assets]
    room = np.zeros((len(rank), int(found.sum())), np.bool_)
    np.put_along_axis(room, rank, True, axis=1)
    allowed = np.broadcast_to(~never, codes.shape).copy()
    allowed[:, found] = room
    return np.where(allowed, codes, OUT)


def _in_a_row(holds: np.ndarray, bars: int) -> np.ndarray:
    return np.asarray(rolling_sum(holds, bars) == bars)


def _tiers(universe: "Universe") -> tuple["Tier", ...]:
    return universe.tiers.tier_1_core, universe.tiers.tier_2_rotational, universe.tiers.tier_3_event_driven


def _cents(tier: "Tier", pct: float) -> int:
    """That part of the tier's floor in 1/100 quote, rounded up: whole cents reach it where they reach the exact one."""
    return ceil(tier.min_day_volume_quote * round(100 * pct) / 100)
