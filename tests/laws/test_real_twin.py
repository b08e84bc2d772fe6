"""Interpreted and compiled over all real candles of a venue at 15 minutes: every strategy, and a policy that buys in a
crash. No difference."""

from pathlib import Path

import pytest

from tests.laws.budget import PROVING
from tests.laws.test_slow_twin import assert_the_same_replay
from tests.scenarios.crash import ALL_STRATEGIES, CRASH_POLICY, options_in
from tests.shared import shared
from trader_core.bootstrap import settings_of
from trader_core.domain.clocktime import parse_utc
from trader_core.engine.replay import replay_world, world_of
from trader_core.settings.options import Options
from trader_core.worlds.simulated import source_of

HERE = [("2023-12-20", "2024-01-06")]  # the rest takes its minutes, in `make prove-law`
PARTS = [
    *HERE,
    *(
        [("2023-11-25", "2023-12-20"), ("2024-04-18T16:30:00Z", "2025-01-01"), ("2025-01-01", "2025-07-01")]
        if PROVING
        else []
    ),
]


@pytest.mark.parametrize(("since", "until"), PARTS)
def test_real_candles_are_the_same_to_both(since: str, until: str, tmp_path: Path) -> None:
    shared("data/coinbase")
    span = Options(since_ms=parse_utc(since), until_ms=parse_utc(until))
    options = options_in(tmp_path, span, "coinbase", CRASH_POLICY, ALL_STRATEGIES)
    policy = settings_of(options)
    there = world_of(source_of(policy, options), policy, parse_utc(since), parse_utc(until))
    slow = replay_world(there, policy, interpreted=True)
    assert_the_same_replay(slow, replay_world(there, policy))
    assert len(slow.judged) > 500 and len(slow.filled) > 20 and len(slow.asked) > 40
