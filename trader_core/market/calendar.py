"""When a market is open: a pure function of its class and an instant. What is not known to be open is shut.

Crypto trades always. Currencies trade from Sunday 17:00 to Friday 17:00 in New York, whose clock moves twice a year,
and not on 25 December and 1 January there. Shares trade from 09:30 to 16:00 in New York on the days of its exchange,
as far as their table reaches. A session is open at its first instant and shut at its last.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from trader_core.domain.clocktime import SECOND_MS
from trader_core.domain.instrument import Instrument
from trader_core.market.exchange_days import HALF_DAYS, SHUT_DAYS
from trader_core.rulebook.limits import Flags, Ints
from trader_core.rulebook.state import NOBODY_KNOWS, OPEN, SHUT

if TYPE_CHECKING:
    from trader_core.settings.schema import Universe

CRYPTO, FX, EQUITY = "CRYPTO", "FX", "EQUITY"
NEW_YORK = "America/New_York"
SATURDAY, SUNDAY = 5, 6
FX_TIME = time(17)
FX_HOLIDAYS = ((12, 25), (1, 1))
FX_YEARS = (1990, 2100)
EQUITY_HOURS, HALF_DAY = (time(9, 30), time(16)), time(13)
DAY = timedelta(days=1)
ALWAYS = np.array([[np.iinfo(np.int64).min, np.iinfo(np.int64).max]])


def market_hours(asset_class: str, at_ms: Ints) -> Flags:
    """OPEN, SHUT or NOBODY_KNOWS at each instant."""
    sessions = sessions_of(asset_class)
    if not len(sessions):
        return np.full(at_ms.shape, NOBODY_KNOWS, np.int8)
    number = np.searchsorted(sessions[:, 0], at_ms, "right") - 1
    found = np.where(at_ms < sessions[np.maximum(number, 0), 1], OPEN, SHUT)
    known = (number >= 0) & (at_ms < sessions[-1, 1])
    return np.where(known, found, NOBODY_KNOWS).astype(np.int8)


def is_open(asset_class: str, at_ms: int) -> bool:
    return bool(market_hours(asset_class, np.array([at_ms], np.int64))[0] == OPEN)


def next_open(asset_class: str, at_ms: int) -> int | None:
    """When a session begins after that instant; None where none does, or nobody knows."""
    opens = sessions_of(asset_class)[:, 0]
    later = opens[opens > at_ms]
    return int(later[0]) if len(later) else None


def next_close(asset_class: str, at_ms: int) -> int | None:
    """When the session that goes on, or the next one, ends; None where none does, or nobody knows."""
    sessions = sessions_of(asset_class)
    later = sessions[:, 1][sessions[:, 1] > at_ms]
    return int(later[0]) if asset_class != CRYPTO and len(later) else None


def hours_open(instruments: tuple[Instrument, ...], universe: "Universe", at_ms: Ints) -> Flags:
    """[instant, instrument]; where all trade always nothing is stored."""
    classes = [universe.class_of(one.base) for one in instruments]
    shape = (len(at_ms), len(instruments))
    if all(one == CRYPTO for one in classes):
        return np.broadcast_to(np.int8(OPEN), shape)
    told = {one: market_hours(one, at_ms) for one in set(classes)}
    found: Flags = np.empty(shape, np.int8)
    for i, one in enumerate(classes):
        found[:, i] = told[one]
    return found


def known_shut(instruments: tuple[Instrument, ...], universe: "Universe", at_ms: Ints) -> Flags:
    """[instant, instrument], 1 where it is known that nothing can be sold there. Who does not know, tries."""
    if all(universe.class_of(one.base) in (CRYPTO, "UNKNOWN") for one in instruments):
        return np.broadcast_to(np.int8(0), (len(at_ms), len(instruments)))
    found: Flags = (hours_open(instruments, universe, at_ms) == SHUT).astype(np.int8)
    return found


@cache
def sessions_of(asset_class: str) -> Ints:
    """[session, 2], first instant and the one after the last, in order; of an unknown class there is none."""
    if asset_class == CRYPTO:
        return ALWAYS
    made = {FX: _fx, EQUITY: _equity}.get(asset_class)
    found: Ints = np.array(made() if made else [], np.int64).reshape(-1, 2)
    return found


def _fx() -> list[tuple[int, int]]:
    """Weeks, cut where a holiday lies in them."""
    found: list[tuple[int, int]] = []
    day = date(FX_YEARS[0], 1, 1)
    sunday = day + DAY * ((SUNDAY - day.weekday()) % 7)
    while sunday.year < FX_YEARS[1]:
        begin, end = _local(sunday, FX_TIME), _local(sunday + 5 * DAY, FX_TIME)
        for holiday in (one for one in (sunday + n * DAY for n in range(6)) if (one.month, one.day) in FX_HOLIDAYS):
            found.append((begin, _local(holiday, time())))
            begin = _local(holiday + DAY, time())
        found.append((begin, end))
        sunday += 7 * DAY
    return [(begin, end) for begin, end in found if begin < end]


def _equity() -> list[tuple[int, int]]:
    """From 09:30 on every working day of the years that the table has, but for those on which it is shut."""
    found: list[tuple[int, int]] = []
    for year, shut in SHUT_DAYS.items():
        for day in (date(year, 1, 1) + n * DAY for n in range((date(year + 1, 1, 1) - date(year, 1, 1)).days)):
            name = f"{day:%m-%d}"
            if day.weekday() < SATURDAY and name not in shut.split():
                closes = HALF_DAY if name in HALF_DAYS[year].split() else EQUITY_HOURS[1]
                found.append((_local(day, EQUITY_HOURS[0]), _local(day, closes)))
    return found


def _local(day: date, at: time) -> int:
    """That time of day in New York, as epoch milliseconds."""
    here = datetime.combine(day, at, ZoneInfo(NEW_YORK))
    return int(here.astimezone(UTC).timestamp()) * SECOND_MS
