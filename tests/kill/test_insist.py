"""Who insists is told at the end what was wrong, not that the time was over."""

from time import monotonic

import pytest

from trader_core.domain.errors import NotAsked, RateLimited, Unreachable
from trader_core.kill.reach.insist import OutOfTime, insist


@pytest.mark.parametrize("last", [NotAsked("there is no time left"), RateLimited("the bucket is empty")])
def test_what_says_nothing_of_the_venue_takes_the_place_of_nothing_that_does(last: Unreachable) -> None:
    said = iter([Unreachable("the venue cannot be reached")])

    def ask() -> None:
        raise next(said, last)

    with pytest.raises(OutOfTime, match="the venue cannot be reached"):
        insist(ask, monotonic() + 0.5)
