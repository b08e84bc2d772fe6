"""Read the world once: candles, quotes, balances. What cannot be read is missing, never guessed."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trader_core.domain.account import Balance
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import TooManyPages
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import TopOfBook
from trader_core.engine.columns import lookback_of
from trader_core.engine.law import bar_ms_of
from trader_core.market.frame import Frame, build
from trader_core.market.universe import eligible
from trader_core.ports import PAGES_MAX, VenueReader

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


@dataclass(frozen=True)
class Snapshot:
    """One look at the market, as of `decision_ms`. What is excluded and yet among the instruments may only be sold."""

    decision_ms: EpochMs
    instruments: tuple[Instrument, ...]
    exclusions: tuple[Exclusion, ...]
    frame: Frame
    quotes: dict[str, TopOfBook]


def observe(reader: VenueReader, policy: "Settings", held: Collection[str], decision_ms: EpochMs) -> Snapshot:
    """Closed bars only, as many as the longest window needs. Raises VenueUnavailable."""
    instruments, exclusions = eligible(reader.instruments(), reader.exclusions(), policy.universe, held)
    bar_ms = bar_ms_of(policy)
    first_ms = decision_ms - lookback_of(policy) * bar_ms
    candles = {one.symbol: reader.candles(one.symbol, first_ms, decision_ms) for one in instruments}
    quotes = reader.quotes([one.symbol for one in instruments])
    return Snapshot(decision_ms, instruments, exclusions, build(candles, first_ms, decision_ms, bar_ms), quotes)


def all_balances(reader: VenueReader) -> tuple[Balance, ...]:
    """Every page. Raises TooManyPages when the cursor never ends."""
    balances: list[Balance] = []
    cursor = ""
    for _ in range(PAGES_MAX):
        page = reader.balances(cursor)
        balances += page.balances
        cursor = page.next_cursor
        if not cursor:
            return tuple(balances)
    raise TooManyPages(f"the list of balances did not end after {PAGES_MAX} pages")
