"""Virtual time: it moves from one bar's close to the next, and only when a cycle asks for it."""

from collections.abc import Callable

from trader_core.domain.clocktime import EpochMs
from trader_core.ports import CandleSource, Clock
from trader_core.venues.simulated.venue import SimulatedVenue


class VirtualClock:
    """Decision times from `start_ms` (inclusive) to `until_ms` (exclusive) or the end of the candles."""

    def __init__(
        self, venue: SimulatedVenue, source: CandleSource, start_ms: int, until_ms: int | None,
        host_ms: Callable[[], EpochMs],
    ) -> None:  # fmt: skip
        self._venue, self._source, self._start, self._until = venue, source, start_ms, until_ms
        self.host_ms = host_ms

    @property
    def seen_ms(self) -> Callable[[], EpochMs]:
        return lambda: self._venue.now_ms

    def next_decision_ms(
        self, after_ms: int, given_up: Callable[[], bool] = lambda: False, is_due: Callable[[], bool] = lambda: False
    ) -> EpochMs | None:  # fmt: skip
        following = max(after_ms + self._source.bar_ms, self._start) if after_ms >= 0 else self._start
        over = self._until is not None and following >= self._until
        if over or (self._source.end_ms is not None and following > self._source.end_ms):
            return None
        self._venue.advance(following)
        return EpochMs(following)


class Paced:
    """A simulated venue on the wall clock: it lives each bar when a real venue has closed it."""

    def __init__(self, clock: Clock, venue: SimulatedVenue) -> None:
        self._clock, self._venue, self.host_ms = clock, venue, clock.host_ms

    @property
    def seen_ms(self) -> Callable[[], EpochMs]:
        return lambda: self._venue.now_ms

    def next_decision_ms(
        self, after_ms: int, given_up: Callable[[], bool] = lambda: False, is_due: Callable[[], bool] = lambda: False
    ) -> EpochMs | None:  # fmt: skip
        following = self._clock.next_decision_ms(after_ms, given_up, is_due)
        if following is not None:
            self._venue.advance(following)
        return following
