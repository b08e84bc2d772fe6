"""`trader check-clock`: how far this machine's time is from the servers' and the venue's."""

from typing import TYPE_CHECKING, Any

import typer

from cli.exits import Result, note
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from trader_core.domain.clock_reading import ClockAnswer, ClockReading

CLOCK_UNSOUND = 12


def check_clock(ctx: typer.Context) -> Result:
    """Compare this machine's clock with time servers and the venue. Too far, or unknown: no entries with real money."""
    from trader_core import keyring

    reading = keyring.read_clock(options_of(shared_of(ctx)))
    if reading.problem:
        note(f"trader: {reading.problem}\n  safe now: no entries with real money\n  next: let the system keep the time")
    return Result(_data(reading), _text(reading), CLOCK_UNSOUND if reading.problem else 0)


def _data(reading: "ClockReading") -> dict[str, Any]:
    from cli.plain import moment

    return {
        "measured": moment(reading.measured_ms),
        "offset_ms": _rounded(reading.offset_ms),
        "uncertainty_ms": _rounded(reading.uncertainty_ms),
        "servers": [_answer(one) for one in reading.servers],
        "venue": _answer(reading.venue) if reading.venue else None,
        "problem": reading.problem or None,
    }


def _answer(answer: "ClockAnswer") -> dict[str, Any]:
    return {
        "source": answer.source,
        "offset_ms": _rounded(answer.offset_ms),
        "uncertainty_ms": _rounded(answer.uncertainty_ms),
        "problem": answer.problem or None,
    }


def _rounded(figure_ms: float | None) -> float | None:
    return None if figure_ms is None else round(figure_ms, 3)


def _text(reading: "ClockReading") -> str:
    from cli.show import table

    every = [*reading.servers, *([reading.venue] if reading.venue else [])]
    rows = [[one.source, *_figures(one), one.problem] for one in every]
    agreed = "" if reading.offset_ms is None else f"; the servers agree on {reading.offset_ms:+.1f} ms"
    page = table(["source", "offset ms", "known to", ""], rows, words=1)
    return f"clock: {reading.problem or 'sound'}{agreed}\n{page}"


def _figures(answer: "ClockAnswer") -> list[str]:
    if answer.offset_ms is None or answer.uncertainty_ms is None:
        return ["-", "-"]
    return [f"{answer.offset_ms:+.1f}", f"{answer.uncertainty_ms:.1f}"]
