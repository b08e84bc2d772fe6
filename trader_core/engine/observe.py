"""Read the world once: candles, quotes, balances. What cannot be read is missing, never guessed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from trader_core.domain.account import Balance, Fees
from trader_core.domain.book import Book
from trader_core.domain.clocktime import DAY_MS, EpochMs
from trader_core.domain.errors import TooManyPages, VenueUnavailable
from trader_core.domain.facts import Delisted
from trader_core.domain.halt import Trading
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import NO_CANDLES, Candles, TopOfBook
from trader_core.domain.objection import Objection
from trader_core.engine.columns import lookback_of
from trader_core.engine.law import bar_ms_of
from trader_core.engine.policies import too_old
from trader_core.execution.reconcile import delistings, foreign_to
from trader_core.market.frame import NO_DAYS, Days, Frame, build
from trader_core.market.returns import days_before
from trader_core.market.universe import eligible
from trader_core.ports import PAGES_MAX, Ports, VenueReader

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


AHEAD_MAX_MS = 5_000  # of a quote's time before the market's own
UNKNOWN_AGE_MS = DAY_MS + 1  # more than any limit may allow


class Unread(NamedTuple):
    """A reading that failed, and the exit code of why."""

    what: str
    exit_code: int


@dataclass(frozen=True)
class Snapshot:
    """One look at the market, as of `decision_ms`. What is excluded and yet among the instruments may only be sold."""

    decision_ms: EpochMs
    instruments: tuple[Instrument, ...]
    exclusions: tuple[Exclusion, ...]
    frame: Frame
    quotes: dict[str, TopOfBook]
    frozen: frozenset[str]  # symbols whose market takes no order now
    foreign: Mapping[str, Decimal]  # coins in the account that the bot did not buy, by asset
    problem: str  # what could not be read; empty when everything could
    seen_ms: EpochMs  # the market's time when it was looked at: at the decision, or a moment later
    fees: Fees | None  # what the account pays; None where the policy says
    objections: tuple[Objection, ...]  # what stands against entries from outside
    closing: frozenset[str] = frozenset()  # symbols that a person wants sold
    policy_ms: int = 0  # age of the policy that this is judged by
    stale: tuple[Objection, ...] = ()  # what is said of that age where it closes entries
    problem_code: int = field(default=0, compare=False)  # the highest exit code of what could not be read

    @property
    def told(self) -> tuple[Objection, ...]:
        """Everything that a cycle says of what stands against its entries."""
        return self.objections + self.stale

    @property
    def trading(self) -> Trading:
        """What the objections leave."""
        return Trading.REDUCING if any(one.reduces for one in self.objections) else Trading.ACTIVE

    @property
    def ages_ms(self) -> dict[str, int]:
        """How old each quote was, by the market's time."""
        return {symbol: self.age_of(quote) for symbol, quote in self.quotes.items()}

    def age_of(self, quote: TopOfBook) -> int:
        """In ms. One from further in the future than AHEAD_MAX_MS is of no known age: too old for every entry."""
        if quote.at_ms > self.seen_ms + AHEAD_MAX_MS:
            return UNKNOWN_AGE_MS
        return max(self.seen_ms - min(quote.at_ms, self.decision_ms), 0)

    @property
    def prices(self) -> dict[str, Decimal]:
        """The closes that equity was marked at, in quote, where there is one."""
        close, _ = self.frame.last_known
        return {one.symbol: int(close[-1, i]) * one.tick for i, one in enumerate(self.instruments) if close[-1, i] > 0}


def observe(
    ports: Ports,
    policy: "Settings",
    listed: Sequence[Instrument],
    book: Book,
    balances: Sequence[Balance],
    decision_ms: EpochMs,
    missing: Sequence[Unread] = (),
) -> Snapshot:
    """Closed bars only, as many as the longest window needs, and the closes of the days before them. An instrument
    that cannot be read has no price."""
    reader, bar_ms = ports.reader, bar_ms_of(policy)
    instruments, exclusions = watched_universe(listed, reader.exclusions(), policy, book.watched)
    first_ms = decision_ms - lookback_of(policy) * bar_ms
    symbols, days = [one.symbol for one in instruments], days_before(policy, first_ms, decision_ms)
    problems = list(missing)
    reader.read_markets(symbols, first_ms, decision_ms, days)
    candles = {one: _candles(reader, one, first_ms, decision_ms, problems) for one in symbols}
    before = closes_of(days, [_day_closes(reader, one, days, problems) for one in symbols])
    quotes = _quotes(reader, symbols, problems)
    frame, age = build(candles, first_ms, decision_ms, bar_ms, before), ports.policies.age(decision_ms)
    return Snapshot(
        decision_ms=decision_ms,
        instruments=instruments,
        exclusions=exclusions,
        frame=frame,
        quotes=quotes,
        frozen=reader.frozen(),
        foreign=foreign_to(book, balances, ports.account_quote),
        fees=_fees(reader, problems),
        problem="; ".join(one.what for one in problems),
        problem_code=max((one.exit_code for one in problems), default=0),
        seen_ms=max(ports.clock.seen_ms(), decision_ms),
        objections=ports.objections(worth_of(book)),
        policy_ms=age.age_ms,
        stale=too_old(age, policy),
    )


def watched_universe(
    listed: Sequence[Instrument], excluded: Sequence[Exclusion], policy: "Settings", watched: Collection[str]
) -> tuple[tuple[Instrument, ...], tuple[Exclusion, ...]]:
    """The universe, with what is held or ordered and what the regime is read from."""
    of_regime = {one.symbol for one in listed if one.base == policy.signals.regime.base}
    return eligible(listed, excluded, policy.universe, of_regime.union(watched))


def delisted(reader: VenueReader, book: Book, listed: Sequence[Instrument], now_ms: EpochMs) -> list[Delisted]:
    """What we hold and the venue says that it lists no more, also where it is asked for by name: a list may be cut
    short, and what is written off never comes back."""
    gone = delistings(book, listed, reader.exclusions(), now_ms)
    return [one for one in gone if not _is_known(reader, one.symbol)]


def _is_known(reader: VenueReader, symbol: str) -> bool:
    try:
        return reader.knows(symbol)
    except VenueUnavailable:
        return True


def _candles(reader: VenueReader, symbol: str, since_ms: int, until_ms: int, problems: list[Unread]) -> Candles:
    try:
        return reader.candles(symbol, since_ms, until_ms)
    except VenueUnavailable as gap:
        problems.append(Unread(f"{symbol}: {gap.what}", gap.exit_code))
        return NO_CANDLES


def _day_closes(reader: VenueReader, symbol: str, days: range, problems: list[Unread]) -> Sequence[int]:
    try:
        return reader.day_closes(symbol, days) if days else ()
    except VenueUnavailable as gap:
        problems.append(Unread(f"{symbol}: {gap.what}", gap.exit_code))
        return [0] * len(days)


def closes_of(days: range, closes: Sequence[Sequence[int]]) -> Days:
    """The closes of those days, by instrument, as a frame holds them."""
    return Days(days.start, np.array(closes, np.int64).reshape(len(closes), len(days)).T) if days else NO_DAYS


def worth_of(book: Book) -> Decimal | None:
    """The newest mark; of an account that was never marked and holds nothing, its cash."""
    return book.cash if book.equity is None and not book.held else book.equity


def _fees(reader: VenueReader, problems: list[Unread]) -> Fees | None:
    try:
        return reader.fees()
    except VenueUnavailable as gap:
        problems.append(Unread(gap.what, gap.exit_code))
        return None


def _quotes(reader: VenueReader, symbols: list[str], problems: list[Unread]) -> dict[str, TopOfBook]:
    try:
        return reader.quotes(symbols)
    except VenueUnavailable as gap:
        problems.append(Unread(gap.what, gap.exit_code))
        return {}


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
