"""Fills that the venue tells late, or as something else than a fill: ours are read whatever stands beside them."""

from tests.live.conftest import Stage
from tests.live.stage import MINUTE_MS, Live, rewritten
from trader_core.domain.facts import Fact, Filled
from trader_core.domain.values import replace

LATE_MS = 11 * MINUTE_MS  # more than what is read again behind the newest fill


def bought(live: Live, *products: str) -> Live:
    live.sim.risen(*products)
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, len(products)), done.err
    return live


def test_a_stop_whose_fill_is_told_long_after_that_of_another_coin_is_over(stage: Stage) -> None:
    """The newest fill that is known is of another coin, and 11 minutes younger."""
    live = bought(stage("BTC"), "BTC-USD")

    def newest(fact: Fact) -> Fact:
        return replace(fact, cursor=str(int(fact.cursor) + LATE_MS)) if isinstance(fact, Filled) else fact

    rewritten(live, newest)
    live.sim.price("57400.00")
    done, found = live.cycle(), live.checked()
    assert (done.code, done.data["positions"], done.data["placed"]) == (0, 0, 0), done.err
    assert (found.working, found.wrong) == ({}, ())
