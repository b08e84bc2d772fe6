"""What an audit of the path of real money found, each played to its end."""

import pytest

from tests.virtual import played


def test_an_order_that_leaves_late_is_waited_for_from_when_it_left() -> None:
    """It was closed as never seen ninety seconds after it was written down, and sold a second time."""
    assert played("late_send") == {"held": 3, "left": 0, "sales": 3, "SOL": "1000.00000000"}


def test_an_own_order_of_days_ago_is_no_stranger_s() -> None:
    """The venue lists from the oldest open order on, and the ledger forgets what is over after a day."""
    assert played("held_for_days") == {"discrepancies": [{}] * 7, "held": ["BTC-USD"]}


def test_a_cancel_that_is_answered_oddly_ends_no_run() -> None:
    assert played("odd_cancel") == {"code": 30, "held": []}


def test_a_position_keeps_its_stop_where_nothing_can_be_taken() -> None:
    assert played("post_only") == {"stops": 1, "held": []}


def test_a_position_whose_exit_is_refused_time_and_again_has_its_stop_back() -> None:
    """The exit is tried again with the next decision."""
    assert played("refused_exit") == {"stops": [1] * 5, "held": []}


def test_a_limit_that_is_set_after_a_rest_counts_from_now_and_not_from_the_newest_cycle() -> None:
    """A ban of a day was over before it began, and so was a cooldown."""
    told = played("desk_after_rest")
    assert told.pop("cooldown_h") == pytest.approx(0.25, abs=0.01)
    assert told == {
        "ban_h": 24.0, "tripped_h": 0.0, "reset": 20, "state": "COOLING_DOWN", "is_banned": True, "a_day_later": [],
    }  # fmt: skip


def test_a_cooldown_passes_while_nothing_runs() -> None:
    """To wait helped nobody: the loop must be stopped for a reset, and time stood still without it."""
    assert played("reset_after_rest") == {"soon": 20, "later": 0}
