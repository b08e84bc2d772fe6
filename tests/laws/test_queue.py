"""A hundred proposals are looked at in a turn: one more must be more convinced than the least, of which the oldest
leaves first. Who waits for a slot keeps its turn."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.test_turn import held_bitcoin
from trader_core.rulebook.codes import NEVER, QUEUE_PLACES, QUEUED, W_INSTRUMENT, W_SINCE_MS
from trader_core.rulebook.queue import first_waiting, step_deferred, step_late, step_left
from trader_core.rulebook.state import Columns, Draft, Plan, empty_plan, empty_state
from trader_core.rulebook.turn import PROPOSALS_MAX, step_proposed

MANY = PROPOSALS_MAX + 20
WAIT_MS = 900_000


def proposing(convictions: list[float]) -> tuple[Columns, Plan]:
    """One strategy that enters so many instruments at once."""
    columns = held_bitcoin().columns
    enter = np.zeros((1, columns.enter.shape[1], MANY), np.int8)
    conviction = np.zeros(enter.shape)
    enter[:, :, : len(convictions)] = 1
    conviction[:, :, : len(convictions)] = convictions
    plan = empty_plan(MANY, 1)
    columns = columns._replace(enter=enter, conviction=conviction)
    for i in range(len(convictions)):
        step_proposed(plan, columns, 0, i)
    return columns, plan


@pytest.mark.parametrize(("new", "taken"), [(0.5, False), (0.51, True)])
def test_v16_one_more_than_a_hundred_must_be_more_convinced_than_the_least(new: float, taken: bool) -> None:
    _, plan = proposing([*[0.5] * PROPOSALS_MAX, new])
    listed = plan.proposed[: plan.many[0]].tolist()
    assert plan.many[0] == PROPOSALS_MAX
    assert (PROPOSALS_MAX in listed) == taken and (0 in listed) != taken, "the oldest of the least leaves"


@given(st.lists(st.integers(0, 6).map(lambda n: n / 6), min_size=PROPOSALS_MAX, max_size=MANY))
@example([0.5, 0.1, *[0.5] * (PROPOSALS_MAX - 2), 0.2])
@examples(30)
def test_no_proposal_is_listed_before_one_that_is_more_convinced(convictions: list[float]) -> None:
    _, plan = proposing(convictions)
    listed = plan.proposed[: plan.many[0]].tolist()
    left = set(range(len(convictions))) - set(listed)
    assert len(set(listed)) == len(listed) == PROPOSALS_MAX
    assert not left or max(convictions[i] for i in left) <= min(convictions[i] for i in listed)


def draft(i: int, conviction: float = 0.5) -> Draft:
    return Draft(i, 0, 1, 100, 10, 1, 0, 10**12, conviction, 500, 900, 0)


@given(st.lists(st.tuples(st.sampled_from(["come", "go", "late"]), st.integers(0, 3)), max_size=25))
@examples(60)
def test_the_queue_keeps_its_order_and_each_asset_once(moves: list[tuple[str, int]]) -> None:
    """Beside a list in plain Python: who comes again keeps the place with the newer time."""
    world = held_bitcoin()
    law = world.law._replace(risk=world.law.risk._replace(max_wait_ms=WAIT_MS))
    state, expected, asset = world.state, list[tuple[int, int]](), law.instruments.asset
    for n, (move, i) in enumerate(moves):
        now = n * WAIT_MS // 4
        if move == "come":
            step_deferred(law, state, draft(i), 1.0, now)
            places = [k for k, (one, _) in enumerate(expected) if asset[one] == asset[i]]
            if places:
                expected[places[0]] = (i, now)
            else:
                expected.append((i, now))
        elif move == "go" and expected:
            step_left(state, i % len(expected))
            del expected[i % len(expected)]
        else:
            step_late(law, state, now)
            expected = [one for one in expected if now - one[1] <= WAIT_MS]
    count = state.clock[QUEUED]
    assert [tuple(one) for one in state.queue[:count, [W_INSTRUMENT, W_SINCE_MS]].tolist()] == expected
    assert not state.queue[count:].any()


def test_the_queue_has_a_hundred_places_and_whoever_comes_to_a_full_one_is_refused() -> None:
    """Who is in it already keeps its place with the newer time; who leaves makes room for one, at the end."""
    scene = held_bitcoin()
    law = scene.law._replace(
        risk=scene.law.risk._replace(max_wait_ms=WAIT_MS),
        instruments=scene.law.instruments._replace(asset=np.arange(MANY)),
    )
    state, everybody = empty_state(MANY, MANY, 1), list(range(QUEUE_PLACES))

    def waiting() -> list[int]:
        assert state.clock[QUEUED] == QUEUE_PLACES == 100
        return list(map(int, state.queue[:, W_INSTRUMENT]))

    for i in range(QUEUE_PLACES + 1):
        step_deferred(law, state, draft(i), 1.0, i)
    assert waiting() == everybody
    step_deferred(law, state, draft(7), 1.0, 500)
    assert (waiting(), state.queue[7, W_SINCE_MS]) == (everybody, 500)
    for place, newcomer in ((QUEUE_PLACES - 1, QUEUE_PLACES), (0, QUEUE_PLACES + 1)):
        step_left(state, place)
        assert state.clock[QUEUED] == QUEUE_PLACES - 1 and not state.queue[-1].any()
        step_deferred(law, state, draft(newcomer), 1.0, 600)
        del everybody[place]
        everybody.append(newcomer)
        assert waiting() == everybody


def test_where_nobody_may_wait_a_refusal_stands_and_a_millisecond_is_a_wait() -> None:
    world = held_bitcoin()
    for wait_ms in (0, 1):
        law = world.law._replace(risk=world.law.risk._replace(max_wait_ms=wait_ms))
        step_deferred(law, world.state, draft(2), 1.0, 7)
        assert world.state.clock[QUEUED] == wait_ms
        assert world.state.queue.any() == bool(wait_ms)


@pytest.mark.parametrize(("i", "positions", "turn"), [(2, 1, NEVER), (2, 2, 2), (0, 1, 0), (0, 2, 0)])
def test_a_turn_comes_where_a_position_more_is_allowed_or_none_is_needed(i: int, positions: int, turn: int) -> None:
    """Bitcoin is held: more of it takes no slot."""
    world = held_bitcoin()
    law = world.law._replace(risk=world.law.risk._replace(max_wait_ms=WAIT_MS, max_positions=positions))
    step_deferred(law, world.state, draft(i), 1.0, 0)
    assert first_waiting(law, world.state, world.columns, 0) == turn


def test_whoever_waited_for_too_long_is_forgotten_and_nobody_else() -> None:
    """Three of four are late; the one in the middle came again since, and keeps its place."""
    world = held_bitcoin()
    law = world.law._replace(
        risk=world.law.risk._replace(max_wait_ms=WAIT_MS),
        instruments=world.law.instruments._replace(asset=np.arange(4)),
    )
    for i in range(4):
        step_deferred(law, world.state, draft(i), 1.0, 0)
    step_deferred(law, world.state, draft(2), 1.0, 1)
    step_late(law, world.state, WAIT_MS)
    assert world.state.clock[QUEUED] == 4, "the moment itself is not too late"
    step_late(law, world.state, WAIT_MS + 1)
    assert world.state.queue[: world.state.clock[QUEUED], W_INSTRUMENT].tolist() == [2]
    step_late(law, world.state, WAIT_MS + 2)
    assert world.state.clock[QUEUED] == 0
    assert not world.state.queue.any()


def test_who_waits_keeps_all_that_its_size_was_asked_with_and_the_newest_of_it() -> None:
    world = held_bitcoin()
    law = world.law._replace(risk=world.law.risk._replace(max_wait_ms=WAIT_MS))
    for conviction, scale, now in ((0.5, 1.0, 7), (0.75, 0.8, 9)):
        asked = draft(2, conviction)._replace(strategy=1, hold_ms=3_600)
        step_deferred(law, world.state, asked, scale, now)
        expected = [2, 1, round(conviction * 10**6), round(scale * 10**6), 500, 900, 3_600, now]
        assert world.state.queue[0].tolist() == expected
    assert world.state.clock[QUEUED] == 1
