"""What waits for a free slot: first come, first served, each judged anew at the prices of its turn."""

from trader_core.rulebook import rule
from trader_core.rulebook.codes import (
    NEVER,
    QUEUE_FIELDS,
    QUEUE_PLACES,
    QUEUED,
    W_CONVICTION_PPM,
    W_HOLD_MS,
    W_INSTRUMENT,
    W_SCALE_PPM,
    W_SINCE_MS,
    W_STOP_BPS,
    W_STRATEGY,
    W_TARGET_BPS,
)  # fmt: skip
from trader_core.rulebook.exposure import positions_without
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import PPM
from trader_core.rulebook.state import Columns, Draft, State


@rule
def step_deferred(law: Law, state: State, draft: Draft, scale: float, now: int) -> None:
    """Wait behind all that wait; an asset that waits already keeps its place with the newer terms. Where there is no
    room, the refusal stands."""
    queue, count, asset = state.queue, state.clock[QUEUED], law.instruments.asset
    place = count
    for n in range(count):
        if asset[queue[n, W_INSTRUMENT]] == asset[draft.instrument]:
            place = n
    if law.risk.max_wait_ms == 0 or place == QUEUE_PLACES:
        return
    state.clock[QUEUED] = max(count, place + 1)
    one = queue[place]
    one[W_INSTRUMENT], one[W_STRATEGY], one[W_SINCE_MS] = draft.instrument, draft.strategy, now
    one[W_CONVICTION_PPM], one[W_SCALE_PPM] = int(draft.conviction * PPM), int(scale * PPM)
    one[W_STOP_BPS], one[W_TARGET_BPS], one[W_HOLD_MS] = draft.stop_bps, draft.target_bps, draft.hold_ms


@rule
def step_late(law: Law, state: State, now: int) -> None:
    """Forget what has waited for too long. From the last place on: what leaves moves only what was looked at."""
    count = state.clock[QUEUED]
    for back in range(count):
        n = count - 1 - back
        if now - state.queue[n, W_SINCE_MS] > law.risk.max_wait_ms:
            step_left(state, n)


@rule
def step_left(state: State, place: int) -> None:
    """Out of the queue; all behind it move up."""
    last = state.clock[QUEUED] - 1
    for n in range(place, last + 1):
        for field in range(QUEUE_FIELDS):
            state.queue[n, field] = state.queue[n + 1, field] if n < last else 0
    state.clock[QUEUED] = last


@rule
def first_waiting(law: Law, state: State, columns: Columns, t: int) -> int:
    """Of a queue that is not empty, whose turn it is, where there is a slot for it; else NEVER."""
    i = state.queue[0, W_INSTRUMENT]
    return int(i) if positions_without(law, state, columns, t, i) + 1 <= law.risk.max_positions else NEVER
