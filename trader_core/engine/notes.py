"""What a turn has noted of positions beside their price, in the ledger's words; only what is news."""

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Peak, Reminder
from trader_core.ledger.integers import Axes
from trader_core.rulebook import codes
from trader_core.rulebook.state import State


def peaks_of(state: State, axes: Axes, book: Book) -> tuple[Peak, ...]:
    """Highest bids that rose in this turn."""
    seen = [
        Peak(one.symbol, int(state.peak[i]) * one.tick) for i, one in enumerate(axes.instruments) if state.lots[i] > 0
    ]
    return tuple(one for one in seen if one.price > book.holdings[one.symbol].peak)


def reminders_of(state: State, axes: Axes, book: Book) -> tuple[Reminder, ...]:
    """What waits for its market to open, and what the universe has no place for."""
    found = []
    for i, one in enumerate(axes.instruments):
        if state.lots[i] > 0:
            held, deferred = book.holdings[one.symbol], codes.REASONS[int(state.deferred[i])]
            if (deferred, state.outcast_ms[i]) != (held.deferred, held.outcast_ms):
                found.append(Reminder(one.symbol, deferred, EpochMs(int(state.outcast_ms[i]))))
    return tuple(found)


def deferred_in(state: State, axes: Axes) -> dict[str, str]:
    """Why each of those is to be sold that wait for their market to open."""
    waiting = zip(axes.instruments, state.deferred.tolist(), strict=True)
    return {one.symbol: codes.REASONS[why] for one, why in waiting if why}
