"""Which of the venue's instruments may be traded, and the reason for each that may not."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from trader_core.domain.instrument import Exclusion, Instrument, base_of

if TYPE_CHECKING:
    from trader_core.settings.schema import Universe


def eligible(
    listed: Sequence[Instrument], excluded: Sequence[Exclusion], universe: "Universe", watched: Collection[str]
) -> tuple[tuple[Instrument, ...], tuple[Exclusion, ...]]:
    """(instruments to watch, exclusions with reasons), both in the order of their symbols.

    What is held or ordered is watched until it is gone, also where no new entry is allowed any more: then it is in
    both lists.
    """
    chosen: list[Instrument] = []
    out = list(excluded)
    for instrument in listed:
        why_not = _why_not(instrument, universe)
        if why_not:
            out.append(Exclusion(instrument.symbol, why_not))
        if not why_not or instrument.symbol in watched:
            chosen.append(instrument)
    known = {base_of(one.symbol) for one in listed} | {base_of(one.symbol) for one in excluded}
    out += [Exclusion(base, "the venue does not list it") for base in universe.bases if base not in known]
    return tuple(sorted(chosen, key=lambda one: one.symbol)), tuple(sorted(out, key=lambda one: one.symbol))


def _why_not(instrument: Instrument, universe: "Universe") -> str:
    if instrument.base in universe.never_trade:
        return f"{instrument.base} is in never_trade"
    if instrument.base not in universe.bases:
        return f"{instrument.base} is not among the universe's bases"
    return ""
