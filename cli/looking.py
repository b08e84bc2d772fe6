"""What the looking commands share: a span that counts back from the account's own time, and symbols as people type
them."""

import re
from collections.abc import Sequence
from typing import Annotated

import typer

from trader_core.domain.clocktime import DAY_MS, HOUR_MS, MINUTE_MS, EpochMs, parse_utc
from trader_core.domain.errors import UsageError

UNITS = {"m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}
NEAREST_MAX = 3
SAFE = "nothing was changed"
_SPAN = re.compile(r"(\d{1,6})([mhd])")

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="SPAN", help="7d, 12h or 30m back from the last cycle, or a UTC date or time."),
]
Symbol = Annotated[str | None, typer.Option("--symbol", metavar="SYMBOL", help="BTC-USD or BTC. Default: all.")]


def since_of(text: str | None, newest_ms: int) -> EpochMs | None:
    """The first moment of a span. A length counts back from `newest_ms`, the last cycle's time: on a replayed market
    the wall clock says nothing. Raises UsageError."""
    if text is None:
        return None
    length = _SPAN.fullmatch(text.strip().lower())
    if length:
        return EpochMs(max(newest_ms - int(length[1]) * UNITS[length[2]], 0))
    try:
        return parse_utc(text)
    except ValueError as wrong:
        raise UsageError(
            f"--since: '{text}' is neither a length like 7d, 12h or 30m nor a UTC date", safe=SAFE, remedy="--since 7d"
        ) from wrong


def meant(known: Sequence[str], asked: str | None, where: str, command: str) -> tuple[str, ...]:
    """The symbols that somebody means; none where nobody asked. Raises UsageError on a stranger, with those known."""
    from trader_core.report.why import matching

    found = matching(known, asked) if asked is not None else ()
    if asked is None or found:
        return found
    near = near_to(asked, known)
    raise UsageError(
        f"{where} knows no {asked}; it knows {', '.join(known) or 'nothing'}",
        safe=SAFE,
        remedy=" or ".join(f"{command} {one}" for one in near),
    )


def near_to(asked: str, known: Sequence[str]) -> Sequence[str]:
    """What may have been meant."""
    from difflib import get_close_matches

    bases = [one.partition("-")[0] for one in known]
    return get_close_matches(asked.upper(), [*known, *bases], n=NEAREST_MAX) or known[:1]
