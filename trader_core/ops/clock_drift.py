"""How far this machine's time is from the true one, and how sure that is. Unknown counts as too far.

Servers are asked by SNTP, the venue by its own call; each answer is placed at the middle of its round trip, so it is
wrong by half of it at most. Most of the servers must answer and agree, and the venue must agree with them: signatures
and order life run on its time.
"""

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue

from msgspec import Struct

from trader_core.domain.clock_reading import ClockAnswer, ClockReading
from trader_core.domain.clocktime import MINUTE_MS, EpochMs
from trader_core.domain.errors import TraderError
from trader_core.domain.values import as_dict, replace
from trader_core.ops.plain import content

NAME = "clock.json"
NTP_PORT = 123
NTP_EPOCH_MS = 2_208_988_800_000  # from 1900 to 1970
TIMEOUT_S = 2.0  # for one answer
ANSWERS_S = 3.0  # for all of them, names looked up and connections made
VENUE_TRIES = 3  # the first has a connection to make
AGREE_MS = 50  # servers that differ by more than this and their uncertainty do not tell the same time
RETRY_MS = MINUTE_MS  # after a reading that was not sound
DOUBT_MS = 30_000  # of the venue's offset: more than an answer on its way explains
_PACKET = struct.Struct(
    "!BBbb11I"
)  # RFC 5905: flags, stratum, poll, precision; 11 words, of which the last 8 are times
_REQUEST_FLAGS = 0b00_100_011  # version 4, client
_SERVER, _UNSYNCHRONISED, _STRATUM_MAX = 4, 3, 15
_WORD = 1 << 32

HostMs = Callable[[], EpochMs]
VenueTime = Callable[[], int]  # the venue's clock in epoch ms, from one call. Raises TraderError where there is none


class ClockRules(Struct, frozen=True):
    """Whom to ask, and how far this machine may be from what they say."""

    servers: tuple[str, ...]
    venue: str  # whose time; '' where it has none
    max_drift_ms: int
    recheck_min: int  # a sound reading is good for so long


Ask = Callable[[], ClockAnswer]


def measure(rules: ClockRules, venue: VenueTime | None, host_ms: HostMs) -> ClockReading:
    """Ask everybody at once, and wait no longer than ANSWERS_S, whatever hangs. Never raises."""
    measured_ms = host_ms()
    asks: dict[str, Ask] = {server: partial(ask_server, server, host_ms) for server in rules.servers}
    if rules.venue:
        asks[rules.venue] = partial(ask_venue, rules.venue, venue, host_ms)
    told = _together(asks)
    answers = tuple(told[server] for server in rules.servers)
    offset_ms, uncertainty_ms, problem = combined(answers)
    reading = ClockReading(measured_ms, offset_ms, uncertainty_ms, answers, told.get(rules.venue), problem)
    return replace(reading, problem=problem or _too_far(reading, rules.max_drift_ms))


def _too_far(reading: ClockReading, max_drift_ms: int) -> str:
    """Both a distance and an uncertainty above the limit: one is too far, the other might be."""
    found = [("the time servers", reading.offset_ms, reading.uncertainty_ms)]
    if reading.venue is not None:
        if reading.venue.offset_ms is None:
            return f"the venue's time is unknown: {reading.venue.problem}"
        found.append(("the venue", reading.venue.offset_ms, reading.venue.uncertainty_ms))
    for who, offset_ms, uncertainty_ms in found:
        if offset_ms is None or uncertainty_ms is None:
            return f"the time of {who} is unknown"
        if abs(offset_ms) > max_drift_ms:
            way = "behind" if offset_ms > 0 else "ahead of"
            return f"this machine's clock is {abs(offset_ms):.0f} ms {way} {who}; {max_drift_ms} ms are allowed"
        if uncertainty_ms > max_drift_ms:
            return f"the time of {who} is known to {uncertainty_ms:.0f} ms only; {max_drift_ms} ms are needed"
    return ""


def combined(answers: Sequence[ClockAnswer]) -> tuple[float | None, float | None, str]:
    """(the middle offset, its uncertainty, problem); more than half of all that were asked must agree with it.

    An answer that tells the truth bounds it by its own uncertainty, so the best that agrees bounds the middle one.
    """
    from statistics import median  # costs start-up time, and a cycle asks once an hour

    known = [(one.offset_ms, one.uncertainty_ms) for one in answers]
    told = [(offset, about) for offset, about in known if offset is not None and about is not None]
    middle_ms = median(offset for offset, _ in told) if told else 0.0
    agreed = [(offset, about) for offset, about in told if abs(offset - middle_ms) <= AGREE_MS + about]
    needed = len(answers) // 2 + 1
    if len(agreed) < needed:
        how = f"{len(told)} of {len(answers)} time servers answered and {len(agreed)} agree; {needed} are needed"
        return None, None, f"the time is unknown: {how}"
    return middle_ms, min(abs(offset - middle_ms) + about for offset, about in agreed), ""


# --- asking ----------------------------------------------------------------------------------------------------------


def ask_server(server: str, host_ms: HostMs) -> ClockAnswer:
    """One SNTP exchange with `host` or `host:port`."""
    host, _, port = server.partition(":")
    try:
        kind, _, _, _, address = socket.getaddrinfo(host, int(port or NTP_PORT), type=socket.SOCK_DGRAM)[0]
        with socket.socket(kind, socket.SOCK_DGRAM) as channel:
            channel.settimeout(TIMEOUT_S)
            channel.connect(address)  # answers from elsewhere are dropped
            return _exchanged(server, channel, host_ms)
    except TimeoutError:
        return ClockAnswer(server, None, None, "no answer")
    except (OSError, OverflowError, UnicodeError) as failed:
        return ClockAnswer(server, None, None, f"not reached: {getattr(failed, 'strerror', None) or failed}")


def _exchanged(server: str, channel: socket.socket, host_ms: HostMs) -> ClockAnswer:
    """The request carries no time but a number nobody can guess; an answer that does not repeat it is no answer."""
    cookie = (int.from_bytes(os.urandom(4)), int.from_bytes(os.urandom(4)))
    sent_ms, began_s = host_ms(), time.monotonic()
    channel.send(_PACKET.pack(_REQUEST_FLAGS, 0, 0, 0, *([0] * 9), *cookie))
    content = channel.recv(1024)
    trip_ms = (time.monotonic() - began_s) * 1e3
    if len(content) < _PACKET.size:
        return ClockAnswer(server, None, None, "the answer is no NTP")
    flags, stratum, _, _, *words = _PACKET.unpack_from(content)
    if flags & 7 != _SERVER or tuple(words[5:7]) != cookie:
        return ClockAnswer(server, None, None, "the answer is not to what was asked")
    if flags >> 6 == _UNSYNCHRONISED or not 1 <= stratum <= _STRATUM_MAX:
        return ClockAnswer(server, None, None, "the server does not know the time itself")
    received_ms, replied_ms = _moment(words[7], words[8], sent_ms), _moment(words[9], words[10], sent_ms)
    offset_ms = ((received_ms - sent_ms) + (replied_ms - (sent_ms + trip_ms))) / 2
    own_ms = (words[0] / 2 + words[1]) * 1e3 / (1 << 16)  # what the server says of its own way to the true time
    return ClockAnswer(server, offset_ms, max(trip_ms - (replied_ms - received_ms), 0.0) / 2 + own_ms)


def _moment(seconds: int, fraction: int, near_ms: int) -> float:
    """An NTP time as epoch ms: its seconds begin again every 136 years, and the nearest round is meant."""
    moment_ms = seconds * 1e3 + fraction * 1e3 / _WORD - NTP_EPOCH_MS
    round_ms = _WORD * 1e3
    return moment_ms + round((near_ms - moment_ms) / round_ms) * round_ms


def ask_venue(name: str, venue: VenueTime | None, host_ms: HostMs) -> ClockAnswer:
    """The first answer that is quick enough, else the best. Its time may have been read anywhere in its round trip."""
    best = ClockAnswer(name, None, None, "there is nobody to ask")
    if venue is None:
        return best
    for _ in range(VENUE_TRIES):
        sent_ms, began_s = host_ms(), time.monotonic()
        try:
            there_ms = venue()
        except TraderError as failed:
            return best if best.offset_ms is not None else ClockAnswer(name, None, None, failed.what)
        half_ms = (time.monotonic() - began_s) * 1e3 / 2
        if best.uncertainty_ms is None or half_ms < best.uncertainty_ms:
            best = ClockAnswer(name, there_ms - (sent_ms + half_ms), half_ms)
        if half_ms <= AGREE_MS:
            break
    return best


def _together(asks: Mapping[str, Ask]) -> dict[str, ClockAnswer]:
    """All answers, or that there was none in time. A look-up of a name cannot be interrupted: it is left behind, and
    ends with the process."""
    answers: SimpleQueue[ClockAnswer] = SimpleQueue()
    for ask in asks.values():
        threading.Thread(target=_put, args=(answers, ask), daemon=True).start()
    told, until_s = dict[str, ClockAnswer](), time.monotonic() + ANSWERS_S
    while len(told) < len(asks) and (left_s := until_s - time.monotonic()) > 0:
        with suppress(Empty):
            answer = answers.get(timeout=left_s)
            told[answer.source] = answer
    return {name: told.get(name) or ClockAnswer(name, None, None, "no answer in time") for name in asks}


def _put(answers: "SimpleQueue[ClockAnswer]", ask: Ask) -> None:
    answers.put(ask())


# --- the gate --------------------------------------------------------------------------------------------------------


def drift_problem(
    state: Path, rules: ClockRules, venue: VenueTime | None, host_ms: HostMs, venue_offset_ms: int = 0
) -> str:
    """Why the clock closes entries; '' while a sound reading by the same rules is young enough, else after a new one.
    `venue_offset_ms` is how far the venue's clock is ahead of ours by its newest answer: above DOUBT_MS, a reading that
    was sound before is none.

    The reading outlives the process, so that runs under a timer do not ask every time. It is of no use once this
    machine's clock was set or slept, which shows in the moment at which its steady clock would have begun.
    """
    now_ms, kept = host_ms(), _kept(state, rules)
    if kept is not None:
        measured_ms, began_ms, problem = kept
        lasts_ms = RETRY_MS if problem else rules.recheck_min * MINUTE_MS
        stepped = abs(_began_ms(now_ms) - began_ms) > rules.max_drift_ms
        doubted = not problem and abs(venue_offset_ms) > DOUBT_MS
        if 0 <= now_ms - measured_ms < lasts_ms and not stepped and not doubted:
            return problem
    return keep(state, rules, measure(rules, venue, host_ms), host_ms).problem


def keep(state: Path, rules: ClockRules, reading: ClockReading, host_ms: HostMs) -> ClockReading:
    """Write the reading down for the runs to come; where that fails, they ask again."""
    document = {"rules": _told(rules), "began_ms": _began_ms(host_ms()), "reading": as_dict(reading)}
    fresh = state / f".{NAME}.{os.getpid()}"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh.write_text(json.dumps(document, allow_nan=False))
        fresh.replace(state / NAME)
    except OSError:
        with suppress(OSError):
            fresh.unlink()
    return reading


def kept_offset_ms(state: Path) -> float | None:
    """The true time less ours as it was last measured; None where it never was, or nobody agreed."""
    try:
        offset_ms = json.loads(content(state / NAME))["reading"]["offset_ms"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return float(offset_ms) if isinstance(offset_ms, int | float) else None


def _kept(state: Path, rules: ClockRules) -> tuple[int, int, str] | None:
    """(when it was measured, when the steady clock began, what spoke against it), by the same rules; else None."""
    try:
        document = json.loads(content(state / NAME))
        if document["rules"] != _told(rules):
            return None
        reading = document["reading"]
        return int(reading["measured_ms"]), int(document["began_ms"]), str(reading["problem"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _told(rules: ClockRules) -> list[object]:
    return [list(rules.servers), rules.venue, rules.max_drift_ms]


def _began_ms(host_ms: int) -> int:
    return host_ms - round(time.monotonic() * 1e3)
