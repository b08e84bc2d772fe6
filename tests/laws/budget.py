"""How often a law is tried: few examples in the suite, ten thousand when a law is to be proved."""

import os

from hypothesis import HealthCheck, settings

PROVE_EXAMPLES = 10_000
PROVING = os.environ.get("HYPOTHESIS_PROFILE") == "prove"
_LARGE = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


def examples(count: int) -> settings:
    """Settings of one test: `count` examples in the suite, the same every time; others where a law is to be proved."""
    number = PROVE_EXAMPLES if PROVING else count
    return settings(max_examples=number, derandomize=not PROVING, deadline=None, suppress_health_check=_LARGE)
