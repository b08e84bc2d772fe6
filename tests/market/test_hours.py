"""What is told by the hour, where threads ask for it at once."""

import sys
from random import Random
from typing import Any

import numpy as np

from tests.market.make import market, policy, walks
from trader_core.market import hours


def test_what_another_thread_keeps_in_the_place_of_our_medians_does_not_take_them_away() -> None:
    """Two threads may compute the same property, and one is kept: here another one at each line."""
    seen = market(walks(Random(5), 3000, 60, holes=0.001), policy(policy__cycle__base_bar_min=60))
    at, columns = seen.told.at[1000:1400], np.arange(400) % 4
    known, ours = (hours.hours_of(seen, np.ones(4)) for _ in range(2))
    quiet, empty, traced = known.restless_at(at, columns)[1], ours.atr_ratio.copy(), sys.gettrace()

    def later(called: Any, event: str, argument: Any) -> Any:
        if called.f_code.co_filename != hours.__file__:
            return None
        vars(ours)["atr_ratio"] = empty.copy()
        return later

    sys.settrace(later)
    try:
        found = ours.restless_at(at, columns)[1]
    finally:
        sys.settrace(traced)
    assert (quiet >= 0.0).any() and np.array_equal(found, quiet)
