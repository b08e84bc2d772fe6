"""What triggers and strategies read from the market beside its frame."""

import numpy as np
import pytest

from tests.market.make import frame, market, policy
from trader_core.rulebook.codes import BULL, CHOP, UNKNOWN

CALM = {"trend_h": 2, "confirm_h": 1, "recall_h": 0, "crash_volatility_pct": 1000.0, "bull_volatility_pct": 1000.0}
SETTINGS = policy(
    **{f"signals__regime__{key}": value for key, value in CALM.items()},
    signals__thresholds__bull__move_60m_pct=3.25,
    signals__thresholds__chop__move_60m_pct=1.5,
    signals__thresholds__bear__move_60m_pct=9.75,
    signals__thresholds__crash__move_60m_pct=4.0,
)


def test_a_threshold_follows_the_regime_and_is_the_strictest_where_that_is_unknown() -> None:
    seen = market(frame(np.repeat([1000, 1000, 1000, 1120], 4)), SETTINGS)
    assert seen.regime[seen.hour[[3, 11, 15]]].tolist() == [UNKNOWN, CHOP, BULL]
    found = seen.threshold("move_60m_pct")
    assert found.shape == (16, 1)
    assert found[[3, 11, 15], 0].tolist() == [9.75, 1.5, 3.25]


@pytest.mark.parametrize(("bar_min", "per_hour", "per_15m"), [(1, 60, 15), (5, 12, 3), (15, 4, 1), (60, 1, 1)])
def test_an_hour_and_a_quarter_have_as_many_rows_as_the_bars_make(bar_min: int, per_hour: int, per_15m: int) -> None:
    seen = market(frame([1], bar_min=bar_min), SETTINGS)
    assert (seen.per_hour, seen.per_15m) == (per_hour, per_15m)


def test_an_instrument_has_the_tier_of_its_asset() -> None:
    seen = market(frame(np.ones((1, 3)), symbols=("ETH-USDC", "XRP-USD", "WIF-USD")), SETTINGS)
    assert [seen.tier(i) for i in range(3)] == [1, 2, 3]
