"""What everything begins with: nothing held, nothing known, and nothing against anybody."""

import numpy as np
import pytest

from tests.laws.worlds import COUNT, arrays
from trader_core.rulebook.state import TAPE_ROWS, empty_guard, empty_tape


def test_an_empty_guard_has_nothing_against_anything() -> None:
    assert not any(np.any(one) for one in arrays(empty_guard(COUNT)))


@pytest.mark.parametrize("instruments", [1, TAPE_ROWS // 6, TAPE_ROWS // 6 + 1, TAPE_ROWS])
def test_a_tape_has_room_for_many_rows_and_for_one_in_which_every_order_is_canceled_and_placed(
    instruments: int,
) -> None:
    tape = empty_tape(instruments, 0)
    rooms = [len(one) for one in (tape.judged, tape.asked, tape.filled, tape.halted)]
    assert min(rooms) >= max(TAPE_ROWS, 6 * instruments)
    assert len(tape.bar) >= 3 * instruments
    assert not tape.used.any()
