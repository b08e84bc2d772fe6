"""Two thousand spoilt payloads; `make prove-fuzz` tries twenty thousand."""

import random

import pytest

from tests.venues.coinbase.payloads import PARSERS
from tests.venues.coinbase.spoil import campaign, spoilt

RUNS = 2_000


@pytest.mark.parametrize("seed", [1, 2])
def test_a_spoilt_payload_is_read_or_refused_by_name(seed: int) -> None:
    read = campaign(seed, RUNS // 2)
    assert RUNS // 20 < read < RUNS // 2  # both ends are reached


def test_most_payloads_that_are_tried_are_spoilt_in_their_own_way() -> None:
    rng = random.Random(1)
    tried = [spoilt(rng, name) for name in PARSERS for _ in range(20)]
    assert len(set(tried)) > 0.9 * len(tried)
