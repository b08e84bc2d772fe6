"""Strategies that are sound but for one look at bars that have not closed yet, and their twins that look back instead.

All of them cross averages, as `sma_cross` does; what they add is small, and most of it never trades.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trader_core.domain.values import replace
from trader_core.market.frame import Frame
from trader_core.market.seen import Market
from trader_core.market.windows import back
from trader_core.rulebook.codes import CRASH
from trader_core.rulebook.limits import Ints
from trader_core.strategies.base import Measured, Proposals, Terms
from trader_core.strategies.sma_cross import sma_cross

LONGEST = 40  # bars that a twin looks back

Look = Callable[[np.ndarray, int], np.ndarray]  # what stands so many rows away
Spoil = Callable[["Planted", Market, Proposals], Proposals]


def ahead(values: np.ndarray, rows: int) -> np.ndarray:
    """values[t + rows]; the last one where there are no more."""
    return values[np.minimum(np.arange(len(values)) + rows, len(values) - 1)]


@dataclass
class Planted:
    spoil: Spoil
    look: Look
    kept: dict[int, int] = field(default_factory=dict)
    unit = "bps"

    def lookback(self, parameters: Any, policy: Any) -> int:
        return int(parameters.slow_bars) + 2 * LONGEST

    def columns(self, market: Market, parameters: Any) -> Proposals:
        return self.spoil(self, market, sma_cross.columns(market, parameters))


def _rises(planted: Planted, frame: Frame, rows: int = 1) -> np.ndarray:
    """Where a price of another row is above this one's."""
    there = planted.look(frame.close, rows)
    return np.asarray((there > frame.close) & (frame.close > 0))


def _spike_after_a_gap(frame: Frame) -> np.ndarray:
    """Where a bar follows an absent one and trades three times as much as the one before that."""
    before = back(frame.volume, 2)
    return np.asarray(frame.present & ~back(frame.present, 1) & (before > 0) & (frame.volume >= 3 * before))


def _with_term(own: Proposals, term: str, where: np.ndarray, change: Callable[[Any], Any]) -> Proposals:
    """The proposals with one term changed in some cells."""

    def terms(rows: Ints, columns: Ints) -> Terms:
        said = own.terms(rows, columns)
        there = getattr(said, term)
        return replace(said, **{term: np.where(where[rows, columns], change(there), there)})

    return replace(own, terms=terms)


def _with_measure(own: Proposals, measure: str, change: Callable[[Any, int], Any]) -> Proposals:
    def measured(row: int) -> Measured:
        said = own.measured(row)
        return replace(said, **{measure: change(getattr(said, measure), row)})

    return replace(own, measured=measured)


def enters(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """The plain case: it buys what will rise."""
    return replace(own, enter=(own.enter.astype(bool) & _rises(planted, market.frame)).astype(np.int8))


def leaves_before_a_silence(planted: Planted, market: Market, own: Proposals) -> Proposals:
    silent = ~planted.look(market.frame.present, 1)
    return replace(own, leave=(own.leave.astype(bool) | silent).astype(np.int8))


def stop_after_a_gap(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """In a branch that never trades: only the stop of an entry that it does not propose."""
    where = _spike_after_a_gap(market.frame) & _rises(planted, market.frame) & (own.enter == 0)
    return _with_term(own, "stop_bps", where, lambda bps: bps + 1)


def conviction_in_a_crash(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """In one regime only, and only where nothing enters."""
    crash = (market.regime[market.hour] == CRASH)[:, None]
    where = crash & _rises(planted, market.frame) & (own.enter == 0)
    return _with_term(own, "conviction", where, lambda conviction: 1.0 - 0.5 * conviction)


def scale_by_volume(planted: Planted, market: Market, own: Proposals) -> Proposals:
    volume = market.frame.volume
    return _with_term(own, "scale", (planted.look(volume, 1) > 4 * volume) & (volume > 0), lambda scale: 0.9 * scale)


def target_from_afar(planted: Planted, market: Market, own: Proposals) -> Proposals:
    return _with_term(own, "target_bps", _rises(planted, market.frame, LONGEST), lambda bps: bps + 1)


def hold_by_the_high(planted: Planted, market: Market, own: Proposals) -> Proposals:
    high = market.frame.high
    return _with_term(own, "hold_ms", planted.look(high, 1) > high, lambda hold_ms: hold_ms + 1)


def limit_by_the_open(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """Only `why` shows it."""
    higher = planted.look(market.frame.open, 1) > market.frame.close
    return _with_measure(own, "limit", lambda limit, row: np.where(higher[row], 1.0, limit))


def value_of_the_whole(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """Measured by the highest close of all, also of those to come; the twin by that of a window."""
    highest = np.stack([planted.look(market.frame.close, rows) for rows in range(LONGEST)]).max(axis=0)
    return _with_measure(own, "value", lambda value, row: value + highest[row])


def known_at_the_end(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """Whether it knows anything hangs on the market's last bar; the twin's on the bar before."""
    present = market.frame.present
    last = planted.look(present, 10**6) if planted.look is ahead else back(present, 1)
    return _with_measure(own, "known", lambda known, row: known & last[row])


def knows_the_whole(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """A strategy is handed a part of the market, from which a way leads to all of it. The twin takes none."""
    whole = market if market.whole is None or planted.look is back else market.whole
    rows = np.minimum(np.arange(market.frame.rows) + market.start + 1, whole.frame.rows - 1)
    there = market.frame.close if planted.look is back else whole.frame.close[rows]
    return replace(own, leave=(own.leave.astype(bool) & (there <= market.frame.close)).astype(np.int8))


def raises_before_a_fall(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """An exception is an opinion too: all that it proposes is gone, also before the row that is to blame."""
    frame, there = market.frame, planted.look(market.frame.close, 1)
    falls = (there > 0) & (10 * there < frame.close)
    if falls[market.first :].any():
        raise ArithmeticError("a fall by more than nine tenths")
    return own


def raises_at_the_end(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """It reads the bar after its first one, and fails where there is none."""
    after = market.frame.close[market.first + 1]
    return _with_measure(own, "value", lambda value, row: value + 0 * after)


def remembers(planted: Planted, market: Market, own: Proposals) -> Proposals:
    """No look ahead in one call, but it keeps what it was shown and uses it in the next; the twin keeps nothing."""
    frame = market.frame
    rows = frame.closes_ms.tolist() if planted.look is ahead else []
    planted.kept.update(zip(rows, frame.close[:, 0].tolist(), strict=True) if rows else ())
    later = [planted.kept.get(at_ms + frame.bar_ms, 0) for at_ms in frame.closes_ms.tolist()]
    return _with_measure(own, "value", lambda value, row: value + later[row])


SPOILS: dict[str, tuple[Spoil, str]] = {  # and the figure in which each shows; "" where it raises
    "enters": (enters, "enter"),
    "leaves_before_a_silence": (leaves_before_a_silence, "leave"),
    "stop_after_a_gap": (stop_after_a_gap, "stop_bps"),
    "conviction_in_a_crash": (conviction_in_a_crash, "conviction"),
    "scale_by_volume": (scale_by_volume, "scale"),
    "target_from_afar": (target_from_afar, "target_bps"),
    "hold_by_the_high": (hold_by_the_high, "hold_ms"),
    "limit_by_the_open": (limit_by_the_open, "limit"),
    "value_of_the_whole": (value_of_the_whole, "value"),
    "known_at_the_end": (known_at_the_end, "known"),
    "knows_the_whole": (knows_the_whole, "leave"),
    "raises_before_a_fall": (raises_before_a_fall, ""),
    "raises_at_the_end": (raises_at_the_end, ""),
    "remembers": (remembers, "value"),
}
PEEKERS = {name: (Planted(spoil, ahead), figure) for name, (spoil, figure) in SPOILS.items()}
TWINS = {f"{name}_behind": Planted(spoil, back) for name, (spoil, figure) in SPOILS.items() if figure}
