"""This machine's clock: the one place that asks what time it is."""

import time

from trader_core.domain.clocktime import EpochMs


def host_ms() -> EpochMs:
    """Wall clock, ms since the epoch."""
    return EpochMs(time.time_ns() // 1_000_000)
