"""Hypothesis profiles: the suite's own, and `prove` (HYPOTHESIS_PROFILE=prove) with 10,000 examples per law."""

import os

from hypothesis import settings

from tests.laws.budget import PROVE_EXAMPLES, PROVING

settings.register_profile("prove", max_examples=PROVE_EXAMPLES, deadline=None)
if PROVING:
    settings.load_profile(os.environ["HYPOTHESIS_PROFILE"])
