"""Whoever asks a venue again draws by lot how long to wait before: from nothing at all to ever longer spans.

Here the lot is nothing, in this process and in those that are forked. What is drawn otherwise is tested in tests/net,
and programs that start from nothing draw as ever.
"""

import pytest

DRAW = ("trader_core.keyring.SystemRandom", "trader_core.kill.reach.account.SystemRandom")


class Luck:
    def random(self) -> float:
        return 0.0


def lucky() -> pytest.MonkeyPatch:
    """From now on, until it is undone."""
    patch = pytest.MonkeyPatch()
    for one in DRAW:
        patch.setattr(one, Luck)
    return patch
