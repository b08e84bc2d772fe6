"""Row by row in the law's own integers: a coast ends in the very row in which something may happen and in none before,
right at every border, and leaves what a walk of the same rows leaves."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given

from tests.laws.budget import examples
from tests.laws.make import BAR_MS
from tests.laws.test_turn import held_bitcoin
from tests.laws.test_walk import journey
from tests.laws.worlds import COUNT, STRATEGY_COUNT, Dice, Seeded, bytes_of, copied, dice, ints, open_guard
from trader_core.domain.clocktime import DAY_MS
from trader_core.rulebook import codes, walk
from trader_core.rulebook.codes import COOLING_DOWN, HALT, HELD, NEVER, QUIET, UNTIL_MS
from trader_core.rulebook.limits import Law
from trader_core.rulebook.state import (
    Bars,
    Columns,
    Guard,
    Journey,
    Plan,
    State,
    Tape,
    empty_plan,
    empty_state,
    empty_tape,
)
from trader_core.rulebook.walk import step_coast, step_row, step_walk

ROWS = 9
HELD_COINS = (0, 2)  # of strategy 0 and 1, each bought at a million ticks with a stop at 950,000
LOTS = (10**6, 10**4)  # of each; both are worth the same a tick
TICK = 10**4  # 1e-8 quote that a position is worth more when its coin rises by a tick
PRICE, STOP_TICKS, TARGET = 10**6, 950_000, 1_100_000


class Rows(NamedTuple):
    """A market of some rows, and an account in front of the first."""

    law: Law
    state: State
    columns: Columns
    bars: Bars
    path: Journey


class Expected(NamedTuple):
    """A world, and in which row a coast must end."""

    world: Rows
    ends: int
    enters: int  # the first row in which somebody enters

    def __repr__(self) -> str:
        return f"an end in row {self.ends}, an entry in row {self.enters}"


def calm(die: Dice, held: int, trails: bool = False) -> Rows:
    """Nothing happens: prices wander between stop and target, and below the first bid where the stop trails."""
    base = held_bitcoin(trailing_ppm=100_000 if trails else 0)
    law = base.law._replace(exits=base.law.exits._replace(default_target_bps=1_000))

    def rows(value: float, kind: type = np.int64) -> Any:
        return np.full((ROWS, COUNT), value, kind)

    close = rows(PRICE)
    for i in HELD_COINS:
        close[1:, i] = [die.between(STOP_TICKS + 9, PRICE if trails else TARGET - 9) for _ in range(1, ROWS)]
    asked: dict[str, Any] = {
        name: np.concatenate([each, each], axis=each.ndim - 2)
        for name in (
            "eligible", "depth", "deviation", "jump", "volatility", "atr_ratio", "trading", "enter", "conviction",
            "scale", "stop_bps", "target_bps", "hold_ms",
        )
        for each in [getattr(base.columns, name)]
    }  # fmt: skip
    columns = base.columns._replace(
        **asked, at_ms=base.columns.at_ms[0] + BAR_MS * np.arange(ROWS), hour=np.zeros(ROWS, np.int64),
        asked=np.zeros(ROWS, np.int64), close=close, bid=close.copy(), ask=close.copy(), age_ms=rows(0),
        funding_ppm=rows(0), outlier=rows(0, np.int8), shut=rows(0, np.int8),
        leave=np.zeros((STRATEGY_COUNT, ROWS, COUNT), np.int8),
    )  # fmt: skip
    bars = Bars(close.copy(), close + 5, np.maximum(close - 5, STOP_TICKS + 1), rows(10**9))
    for i in set(range(COUNT)) - set(HELD_COINS):  # nobody looks at what is not held
        columns.outlier[:, i], columns.leave[:, :, i], columns.funding_ppm[1:, i], bars.low[:, i] = 1, 1, 9, 1
    state = empty_state(COUNT, len(set(law.instruments.asset.tolist())), STRATEGY_COUNT)
    state.cash[0], state.known[0] = 10**10, 1
    for n, i in enumerate(HELD_COINS[:held]):
        state.lots[i], state.cost[i], state.strategy[i] = LOTS[n], PRICE * TICK, n
        state.stop_bps[i], state.target_bps[i], state.opened_ms[i] = 500, 1_000, columns.at_ms[0]
    return Rows(law, state, columns, bars, journey())


def troubled(die: Dice) -> Expected:
    """Something in one row, often what is just not enough to end a coast; and at times an entry in another."""
    trouble = die.one_of(TROUBLES)
    held = die.between(trouble not in EVERYBODY_S, len(HELD_COINS))
    world, r, enough = calm(die, held, trails=trouble == "peak"), die.between(1, ROWS - 1), die.often(0.6)
    if held > 0 or trouble != "loss":
        world = happening(world, trouble, r, HELD_COINS[die.between(0, max(held, 1) - 1)], enough)
    enters = ROWS
    if die.often(0.3):
        enters = die.between(1, ROWS - 1)
        cells = [(enters, i) for i in range(COUNT) if die.often()] or [(enters, 3)]
        for row, i in cells:
            world.columns.enter[die.between(0, STRATEGY_COUNT - 1), 1, i] = 1
            world.columns.asked[row] = 1
        world = world._replace(path=world.path._replace(busy=np.array(cells)))
    return Expected(world, r if enough and trouble != "none" else ROWS, enters)


# Right at the border, and one short of it.
PRICES: dict[str, tuple[int, int]] = {
    "touch": (STOP_TICKS, STOP_TICKS + 1), "stop": (STOP_TICKS, STOP_TICKS + 1), "target": (TARGET, TARGET - 1),
    "peak": (PRICE + 1, PRICE),
}  # fmt: skip
EVERYBODY_S = ("day", "flow", "cooled", "none")  # also of who holds nothing
TROUBLES = (*PRICES, "leave", "outlier", "silence", "funding", "time", "loss", *EVERYBODY_S)


def happening(world: Rows, trouble: str, r: int, i: int, enough: bool) -> Rows:
    law, state, columns, bars, path = world
    now = int(columns.at_ms[r])
    if trouble == "touch":
        bars.low[r, i] = PRICES[trouble][not enough]
    elif trouble in PRICES:
        columns.bid[r, i] = PRICES[trouble][not enough]
    elif trouble == "leave":
        columns.leave[state.strategy[i] if enough else 1 - state.strategy[i], r, i] = 1
    elif trouble == "outlier" and enough:
        columns.outlier[r, i] = 1 + r % 2
    elif trouble == "funding" and enough:
        columns.funding_ppm[r, i] = (-1, 1)[r % 2]
    elif trouble == "silence" and enough:
        for each in (columns.close, columns.bid, columns.ask, *bars):
            each[r:, i] = 0
        path = path._replace(flips=ints(r))
    elif trouble == "time":
        state.hold_ms[i] = now - state.opened_ms[i] if enough else 0
    elif trouble == "loss":
        law = reached(world, r, enough)
    elif trouble == "day" and enough:
        columns.at_ms[:] += -(-now // DAY_MS) * DAY_MS - now
    elif trouble == "flow" and enough:
        path = path._replace(flows=np.array([[r, 5], [ROWS, 7]]))
    elif trouble == "cooled":
        state.halt[[HALT, codes.CAUSE_SET, UNTIL_MS, codes.TRIPS]] = COOLING_DOWN, 2, now, 1
        if not enough:
            state.halt[UNTIL_MS] += BAR_MS * ROWS
    return Rows(law, state, columns, bars, path)


def reached(world: Rows, r: int, enough: bool) -> Law:
    """A coin falls in that row until all that is held has lost a hundredth of the day's first equity, or a tick's
    worth less than that; and in no other row."""
    law, state, columns, bars, _ = world
    count = int((state.lots > 0).sum())
    for each in (columns.close, columns.bid, columns.ask):
        each[:, HELD_COINS] = PRICE
        each[r, 0] = PRICE - 30_000
    bars.open[:], bars.low[:] = columns.close, PRICE - 35_000
    lost, held = 30_000 * TICK, count * PRICE * TICK
    state.cash[0] = 100 * lost - held + (0 if enough else 1)
    return law._replace(halts=law.halts._replace(max_day_loss_ppm=10_000))


class Walker:
    """One walk over a world of its own copy."""

    def __init__(self, world: Rows, coasts: int) -> None:
        self.law, self.columns, self.bars = world.law, world.columns, world.bars
        self.state, self.guard = copied(world.state), open_guard()
        path = world.path
        self.path: Journey = path._replace(
            coasts=coasts, next=path.next.copy(), held=path.held.copy(), foreign=path.foreign.copy()
        )
        self.plan: Plan = empty_plan(COUNT, STRATEGY_COUNT)
        self.tape: Tape = empty_tape(COUNT, ROWS)
        self.tape.equity[:] = -7

    def row(self, t: int) -> None:
        step_row(*self.given(), self.tape, t)

    def coast(self, t: int, end: int = ROWS) -> int:
        return int(step_coast(self.law, *self.given()[2:], self.tape, t, end))

    def walk(self, t: int, end: int = ROWS) -> int:
        return int(step_walk(*self.given(), self.tape, t, end))

    def given(self) -> tuple[Law, Guard, State, Columns, Bars, Journey, Plan]:
        return self.law, self.guard, self.state, self.columns, self.bars, self.path, self.plan

    def left(self) -> dict[str, list[bytes]]:
        """All that a walk changes, and what it wrote down."""
        tape, used = self.tape, self.tape.used.tolist()
        written = [each[:n] for n, each in zip(used, (tape.judged, tape.asked, tape.filled, tape.halted), strict=True)]
        foreign = bytes_of(self.path.foreign, self.guard.foreign, self.guard.barred)
        return self.state_left() | {"tape": bytes_of(*written, tape.equity), "foreign": foreign}

    def state_left(self) -> dict[str, list[bytes]]:
        return {name: bytes_of(each) for name, each in self.state._asdict().items()}


@given(dice.map(troubled))
@examples(100)
def test_a_coast_ends_in_the_row_in_which_something_may_happen_and_in_none_before(case: Expected) -> None:
    """A row in which somebody enters is left as a quiet one if nothing else happens in it. Three rows are a stretch."""
    coasting, walking = Walker(case.world, 1), Walker(case.world, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(walk, "STRETCH", 3)
        coasting.row(0)
        following = coasting.coast(1)
        assert following == min(case.ends, case.enters)
        assert coasting.path.next[QUIET] == (case.enters if case.enters < min(case.ends, ROWS) else NEVER)
        for t in range(following):
            walking.row(t)
        assert (coasting.tape.equity[:following] == walking.tape.equity[:following]).all()
        if coasting.path.next[QUIET] == NEVER:
            assert coasting.state_left() == walking.state_left()
        assert coasting.walk(following) == walking.walk(following) == ROWS
        assert coasting.left() == walking.left()


def test_a_walk_coasts_where_it_may_ends_where_it_is_told_to_and_writes_nothing_beyond() -> None:
    for coasts in (0, 1):
        walker = Walker(calm(Dice(Seeded(1)), 2), coasts)
        assert walker.walk(0, 4) == walker.walk(4, 4) == 4
        assert (walker.path.next[HELD] == 2) == (coasts == 1), "who coasts has listed what is held"
        assert (walker.tape.equity[:4] > 0).all() and (walker.tape.equity[4:] == -7).all()
        before, walker.tape.used[0] = walker.left(), len(walker.tape.judged)
        assert walker.walk(4) == 4, "a tape that is full is told at once"
        walker.tape.used[0] = 0
        assert walker.left() == before


def test_a_halt_machine_that_has_moved_has_not_moved_again_in_the_next_quiet_row() -> None:
    """It cools down in row 1, and somebody enters in row 5."""
    world = happening(calm(Dice(Seeded(3)), 2), "cooled", 1, 0, enough=True)
    world.columns.enter[0, 1, 3] = world.columns.asked[5] = 1
    world = world._replace(path=world.path._replace(busy=np.array([[5, 3]])))
    coasting, walking = Walker(world, 1), Walker(world, 0)
    assert [one.walk(0) for one in (coasting, walking)] == [ROWS, ROWS]
    assert coasting.path.next[QUIET] == 5
    assert coasting.tape.halted[: coasting.tape.used[3], 0].tolist() == [1]
    assert coasting.left() == walking.left()


def test_a_loss_that_a_person_has_seen_is_too_much_again_from_the_first_row_of_the_next_day_on() -> None:
    """At their stops both have lost a twentieth: more than is allowed, but no more than was seen."""
    world = calm(Dice(Seeded(2)), 2)
    law = world.law._replace(halts=world.law.halts._replace(max_open_loss_ppm=10_000, retrip_ppm=50_000))
    world.bars.low[:], world.columns.bid[1:], world.columns.close[:] = PRICE, PRICE, PRICE
    columns, seen = world.columns, [codes.SEEN_DAY, codes.SEEN_OPEN_PPM]
    for first, ends in ((0, 1), (1, 1), (2, 2), (3, 3)):  # the row at midnight, and where the coast from row 1 on ends
        midnight = (int(columns.at_ms[0]) // DAY_MS + 1) * DAY_MS
        columns.at_ms[:] = midnight + BAR_MS * (np.arange(ROWS) - first)
        world.state.halt[seen] = midnight // DAY_MS - 1, 60_000
        walker = Walker(world._replace(law=law), 1)
        walker.row(0)
        assert walker.coast(1) == ends, first
