"""Which of the venue's instruments may be traded, and when: what the policy says of an asset, and its volume.

Spread and depth are judged by the law, on each row's own book.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, cast

import numpy as np

from trader_core.domain.instrument import Exclusion, Instrument, base_of
from trader_core.market.frame import Frame
from trader_core.market.loops import machine_code, sum_cents
from trader_core.market.windows import newest, rolling_sum, rows_of_hours, since
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
CELLS_AT_ONCE = 1 << 15  # what is made of so many stays in a core's cache


@dataclass(frozen=True)
class Volumes:
    """What was traded in the last 24 hours, and whether that is enough."""

    day_cents: Ints  # [whole hour, instrument], 1/100 quote
    eligible: Flags  # [hour, instrument]


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


def barred(symbols: Sequence[str], universe: "Universe") -> np.ndarray:
    """[instrument], whether it is watched for another reason than to be bought."""
    return np.array([bool(_why_not(base_of(symbol), universe)) for symbol in symbols], np.bool_)


def volume_lookback(policy: "Settings") -> int:
    """Rows of the day before the oldest hour that may still have decided."""
    hysteresis = policy.universe.hysteresis
    return rows_of_hours(policy, DAY_H + max(hysteresis.enter_h, hysteresis.leave_h) - 1 + hysteresis.recall_h)


def volumes(market: "Market", grains_per_unit: Floats) -> Volumes:
    """`grains_per_unit` is 1e-8 quote in one tick times one lot, by instrument. An hour without bars traded nothing;
    one with bars traded all at its close.

    An hour whose day began before the frame has no volume: it is out, and nothing rests in its book.
    """
    told, day_cents = market.told, _day_cents(market.hourly.frame, grains_per_unit)
    day_cents[: DAY_H - 1] = 0
    codes = told.of(_by_volume(market, day_cents), OUT)
    return Volumes(day_cents, _allowed(market, day_cents, codes))


def _day_cents(hourly: Frame, grains_per_unit: Floats) -> Ints:
    """[hour, instrument], 1/100 quote of the last 24 hours, of fewer at the front."""
    rows, width = hourly.volume.shape
    found, cents, sum_all = np.empty((width, rows), np.int64), np.empty(rows, np.int64), machine_code(sum_cents)
    if sum_all:
        for i in range(width):
            lots, ticks = (np.ascontiguousarray(each[:, i]) for each in (hourly.volume, hourly.close))
            sum_all(lots, ticks, grains_per_unit[i], DAY_H, cents, found[i])
        return found.T
    step = max(CELLS_AT_ONCE // max(rows, 1), 1)
    for some in (slice(begin, begin + step) for begin in range(0, width, step)):
        units = cast(float, grains_per_unit[some])  # one for each column; the law speaks of one instrument
        volume, close = (each[:, some].astype(np.float64) for each in (hourly.volume, hourly.close))
        found.T[:, some] = rolling_sum(bar_cents(volume, close, units).astype(np.int64), DAY_H)
    return found.T


def _by_volume(market: "Market", day_cents: Ints) -> Flags:
    """[whole hour, instrument], in or out by the newest decision; it takes some hours in a row to make one, and it is
    remembered for so long."""
    universe, columns = market.policy.universe, range(len(market.frame.symbols))
    hysteresis, tiers = universe.hysteresis, np.array([market.tier(i) for i in columns], np.int64)
    enough, missed, near = (
        np.array([0, *(_cents(tier, pct) for tier in _tiers(universe))], np.int64)[tiers]
        for pct in (100.0, hysteresis.leave_pct, universe.near_threshold.volume_pct)
    )
    known, holds = since(len(day_cents), DAY_H - 1), day_cents >= enough
    if holds[DAY_H - 1 :].all():
        enters = since(len(day_cents), DAY_H + hysteresis.enter_h - 2) * IN
        return np.broadcast_to(enters.astype(np.int8), day_cents.shape)
    enters = _in_a_row(known & holds, hysteresis.enter_h)
    leaves = _in_a_row(day_cents < missed, hysteresis.leave_h)
    decided = newest(np.where(enters, IN, np.where(leaves, LEFT, OUT)), hysteresis.recall_h)
    nearly = (tiers == NEAR_TIER) & _in_a_row(known & (day_cents >= near), hysteresis.enter_h)
    return np.where(decided == IN, IN, np.where(nearly, NEARLY, OUT)).astype(np.int8)


def _allowed(market: "Market", day_cents: Ints, codes: Flags) -> Flags:
    """The codes, less what the policy does not trade and what discovery has no room for: what has no price, of a
    volume of -1, takes no room from what has one, and what is not listed, of -2, from nobody."""
    universe, bases = market.policy.universe, [base_of(symbol) for symbol in market.frame.symbols]
    named, told = set(universe.bases), market.told
    never = barred(market.frame.symbols, universe)
    found = ~never & np.array([base not in named for base in bases], np.bool_)
    codes[:, never] = OUT
    if found.any():
        ranked = told.of(np.where(market.hourly.price > 0, day_cents, -1), -1)
        ranked = np.where(told.gone, -2, ranked)[:, found]
        rank = np.argsort(-ranked, axis=1, kind="stable")[:, : universe.discovery.max_assets]
        room = np.zeros(ranked.shape, np.bool_)
        np.put_along_axis(room, rank, True, axis=1)
        codes[:, found] = np.where(room, codes[:, found], OUT)
    return codes


def _in_a_row(holds: np.ndarray, hours: int) -> np.ndarray:
    return np.asarray(rolling_sum(holds, hours) == hours)


def _tiers(universe: "Universe") -> tuple["Tier", ...]:
    return universe.tiers.tier_1_core, universe.tiers.tier_2_rotational, universe.tiers.tier_3_event_driven


def _cents(tier: "Tier", pct: float) -> int:
    """That part of the tier's floor in 1/100 quote, rounded up: whole cents reach it where they reach the exact one."""
    return ceil(tier.min_day_volume_quote * round(100 * pct) / 100)
