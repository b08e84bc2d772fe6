"""Gates judge one draft: they may shrink it, never enlarge it, touch nothing, and a tighter limit never says yes."""

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.worlds import COUNT, E8, Scene, bytes_of, copied, instrument_rows, laws, scenes
from trader_core.rulebook import codes
from trader_core.rulebook.codes import GATE_COUNT, GATES, Verdict
from trader_core.rulebook.exposure import cost_with_fee, exposure, positions_without, reserved_cash
from trader_core.rulebook.gates import fit
from trader_core.rulebook.judge import judge
from trader_core.rulebook.limits import Law
from trader_core.rulebook.money import value_down
from trader_core.rulebook.orders import step_place
from trader_core.rulebook.state import Draft, Guard

UNTOUCHED = -7.5


def judged(scene: Scene, law: Law | None = None) -> tuple[int, int, np.ndarray]:
    trace = np.full((GATE_COUNT, 3), UNTOUCHED)
    code, lots = judge(law or scene.law, scene.guard, scene.state, scene.columns, scene.t, scene.draft, trace)
    return int(code), int(lots), trace


@given(scenes)
@examples(200)
def test_a_judge_never_enlarges_and_touches_nothing(scene: Scene) -> None:
    before = bytes_of(scene.state, scene.guard, scene.columns, scene.law.instruments, scene.law.strategies)
    code, lots, _ = judged(scene)
    assert 0 <= lots <= scene.draft.lots
    assert (lots > 0) == (code == Verdict.OK)
    assert bytes_of(scene.state, scene.guard, scene.columns, scene.law.instruments, scene.law.strategies) == before


@given(scenes)
@examples(200)
def test_every_gate_is_measured_and_the_first_no_decides(scene: Scene) -> None:
    code, _, trace = judged(scene)
    assert not (trace == UNTOUCHED).any()
    assert np.isfinite(trace).all()
    verdicts = [int(one) for one in trace[:, 2]]
    assert all(verdict in (Verdict.OK, gate.verdict) for verdict, gate in zip(verdicts, GATES, strict=True))
    assert code == next((verdict for verdict in verdicts if verdict != Verdict.OK), Verdict.OK)


def test_what_is_approved_stays_within_cash_caps_and_slots() -> None:
    approved = []

    @given(scenes)
    @examples(300)
    def holds(scene: Scene) -> None:
        code, lots, _ = judged(scene)
        if code != Verdict.OK:
            return
        law, draft, columns, state = scene.law, scene.draft, scene.columns, copied(scene.state)
        step_place(state, draft.instrument, codes.ENTRY, draft.kind, lots, draft.price, 0, 0, 0, draft.reason, 0, 0, 0)
        asset = int(law.instruments.asset[draft.instrument])
        assert reserved_cash(law, state) <= state.cash[0]
        assert exposure(law, state, columns, 0, asset) <= int(law.risk.max_asset * draft.equity)
        assert exposure(law, state, columns, 0, -1) <= int(law.risk.max_total * draft.equity)
        assert positions_without(state, -1) <= law.risk.max_positions
        worth = value_down(law.instruments, draft.instrument, lots, draft.price)
        net = 2 * worth - worst_cost(law, draft, lots)
        assert net >= max(law.risk.min_notional, law.instruments.min_notional[draft.instrument])
        approved.append(lots < draft.lots)

    holds()
    assert True in approved, "nothing was shrunk and then approved: the caps were not tried"
    assert False in approved


def worst_cost(law: Law, draft: Draft, lots: int) -> int:
    return int(cost_with_fee(law, draft.instrument, lots, draft.price))


TIGHTER: dict[str, Callable[[Any, float], Any]] = {
    "max_total": lambda now, by: now * (1 - by),
    "max_asset": lambda now, by: now * (1 - by),
    "max_positions": lambda now, by: max(now - 1, 0),
    "max_day_loss": lambda now, by: now * (1 - by),
    "max_age_ms": lambda now, by: int(now * (1 - by)),
    "max_cost_ppm": lambda now, by: int(now * (1 - by)),
    "cooldown_exit_ms": lambda now, by: now + int(by * 300_000_000),
    "cooldown_stop_ms": lambda now, by: now + int(by * 300_000_000),
    "min_notional": lambda now, by: now + int(by * 100_000 * E8),
}


def test_a_tighter_limit_never_turns_a_no_into_a_yes_nor_makes_an_order_larger() -> None:
    mattered = dict.fromkeys(TIGHTER, 0)

    @given(scene=scenes, by=st.sampled_from([1e-9, 1e-6, 0.01, 0.3, 0.9, 1.0]))
    @examples(600)
    def holds(scene: Scene, by: float) -> None:
        code, lots, _ = judged(scene)
        for limit, tighter in TIGHTER.items():
            tight = scene.law.risk._replace(**{limit: tighter(getattr(scene.law.risk, limit), by)})
            tight_code, tight_lots, _ = judged(scene, scene.law._replace(risk=tight))
            assert tight_lots <= lots
            assert tight_code != Verdict.OK or code == Verdict.OK
            mattered[limit] += tight_lots < lots

    holds()
    assert all(mattered.values()), f"a limit without an example in which it matters could not fail here: {mattered}"


# Prices from below a hundredth of a grain per lot to a thousand quote, in every kind of unit.
UNIT_ROWS = [(1, 1), (1, 100), (15, 2), (7, 1_000_000), (60, 1)]


@given(
    law=laws,
    i=st.integers(0, 4),
    price=st.one_of(st.integers(1, 20), st.integers(1, 10**9)),
    lots=st.one_of(st.integers(0, 50), st.integers(0, 10**9)),
    room=st.one_of(st.integers(-5, 50), st.integers(0, 10**9), st.integers(0, 10**17)),
)
@examples(300)
def test_what_fits_is_paid_by_the_room_and_one_lot_more_would_not_be(
    law: Law, i: int, price: int, lots: int, room: int
) -> None:
    law = law._replace(instruments=instrument_rows(UNIT_ROWS))
    draft = Draft(i, 0, codes.TAKER, price, lots, codes.BY_SIGNAL, 0)
    fitted = int(fit(law, draft, lots, room))
    assert 0 <= fitted <= lots
    assert fitted == 0 or worst_cost(law, draft, fitted) <= room
    assert fitted == lots or worst_cost(law, draft, fitted + 1) > room


@given(scenes, st.integers(0, COUNT - 1))
@examples(150)
def test_a_question_about_an_instrument_closes_its_entries_and_no_other(scene: Scene, asked: int) -> None:
    nothing = np.zeros(COUNT, np.int64)
    scene = scene._replace(guard=scene.guard._replace(unknown=nothing, differs=nothing))
    _, _, trace = judged(scene)
    for name in ("unknown", "differs"):
        questions = nothing.copy()
        questions[asked] = 1
        guard = Guard(**{**scene.guard._asdict(), name: questions})
        _, _, doubted = judged(scene._replace(guard=guard))
        expected = Verdict.UNRESOLVED if asked == scene.draft.instrument else Verdict.OK
        assert doubted[1, 2] == expected
        assert np.array_equal(np.delete(doubted, 1, 0), np.delete(trace, 1, 0))
