"""Recorded answers of the venue, spoilt: read as something that may be believed, or refused by name."""

from tests.fuzz.tries import Tries
from tests.venues.coinbase.spoil import campaign

AT_ONCE = 50


def fuzz(tries: Tries) -> None:
    """Each try is one answer; they are drawn so many at once, from one seed."""
    for _ in tries.rolls():
        if tries.number % AT_ONCE and tries.only is None:
            continue
        try:
            tries.figures["read"] += campaign(tries.seed * 1_000_003 + tries.number // AT_ONCE, AT_ONCE)
        except AssertionError as wrong:
            tries.wrong(f"{wrong}")
