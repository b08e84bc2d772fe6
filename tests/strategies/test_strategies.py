"""Laws of every registered strategy: exact windows, purity, no look-ahead, and no purchase of a fall but one."""

from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.strategies.make import (
    LIVELY,
    PARTS,
    PRICE,
    SYMBOLS,
    THREE,
    Opinion,
    arrays,
    bits,
    frames,
    live,
    old_start,
    opinion,
    policy,
    steady,
)
from trader_core.domain.market import MARK_BARS
from trader_core.domain.values import names_of, replace
from trader_core.market.frame import MARK_HOURS, Frame
from trader_core.market.regime import regime_lookback
from trader_core.market.seen import Market
from trader_core.market.windows import rows_of_hours
from trader_core.settings.schema import Settings
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Measured, Proposals, Terms

GARBAGE = (0, 1, -1, 2**62, -(2**62), 2**63 - 1, -(2**63))
SOME = policy(**LIVELY)
BUYS_FALLS = "mean_reversion"


def proposals(name: str, market: Market) -> Opinion:
    return opinion(STRATEGIES[name].columns(market, getattr(market.policy.strategies, name)), market)


def lookback(name: str, settings: Settings) -> int:
    return STRATEGIES[name].lookback(getattr(settings.strategies, name), settings)


def range_hours(settings: Settings) -> int:
    """Whole hours that show the average true range, with those that its oldest price may be old."""
    return settings.signals.guards.atr_h + MARK_HOURS


def with_hours(name: str, settings: Settings) -> int:
    """The lookback with what is told by the hour."""
    hours = rows_of_hours(settings, range_hours(settings))
    return max(lookback(name, settings), regime_lookback(settings), hours)


def test_the_registry_has_a_strategy_for_every_block_in_its_order() -> None:
    assert list(STRATEGIES) == list(type(SOME.strategies).model_fields)


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_a_live_window_of_a_strategy_knows_what_all_of_history_knows(name: str, bar_min: int) -> None:
    settings = policy(bar_min, **LIVELY)
    rows = with_hours(name, settings)
    seen: Counter[tuple[str, bool]] = Counter()

    @given(frames(rows + 150, bar_min, THREE, holed=1), st.data())
    @examples({1: 15, 5: 20, 15: 30}[bar_min])
    def holds(frame: Frame, data: st.DataObject) -> None:
        whole = proposals(name, Market(frame, settings, 0))
        for row in data.draw(st.lists(st.integers(rows - 1, frame.rows - 1), min_size=4, max_size=8)):
            assert bits(proposals(name, live(frame, settings, row, rows)), -1) == bits(whole, row)
            seen.update(("known", known) for known in whole.known[row].tolist())
        seen["enters", True] += int(whole.enter.sum())

    holds()
    assert seen["known", True] and seen["known", False] and seen["enters", True], seen


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_the_lookback_is_neither_too_long_nor_too_short(name: str, bar_min: int) -> None:
    """One row less would not be enough, and one row more knows the same, also where the last price is an old one."""
    settings = policy(bar_min, **LIVELY | {"signals__regime__base": "NONE"})
    rows, old = lookback(name, settings), MARK_BARS
    if name == BUYS_FALLS:  # its exits are measured by the hour: the last bar is the last but one of an hour
        rows, old = rows_of_hours(settings, range_hours(settings)), MARK_HOURS * 60 // bar_min
    frame = old_start(rows, SYMBOLS, bar_min, old)
    enough = proposals(name, live(frame, settings, rows - 1, rows))
    assert enough.known[-1].all() and enough.value[-1].any()
    longer = old_start(rows + 60 // bar_min, SYMBOLS, bar_min, old)
    as_seen = proposals(name, live(longer, settings, longer.rows - 1, rows))
    assert bits(as_seen, -1) == bits(proposals(name, Market(longer, settings, 0)), -1)
    assert bits(enough, -1) == bits(proposals(name, Market(frame, settings, 0)), -1)
    assert bits(enough, -1) != bits(proposals(name, live(frame, settings, rows - 1, rows - 1)), -1)


def test_the_rules_know_the_regime_by_the_hour_and_all_else_by_their_own_bars() -> None:
    """With the shipped figures 24 hours and the close before them, and the age that it may have."""
    assert lookback("rules", policy()) == 24 * 4 + 1 + 4 + 95


@pytest.mark.parametrize("name", STRATEGIES)
def test_proposals_are_complete_and_within_their_ranges(name: str) -> None:
    entered = 0

    @given(frames(bars=240))
    @examples(25)
    def holds(frame: Frame) -> None:
        nonlocal entered
        one = proposals(name, Market(frame, SOME, 0))
        assert {part.shape for part in arrays(one)} == {frame.close.shape}
        assert {part.dtype for part in (one.enter, one.leave)} == {np.dtype(np.int8)} and one.known.dtype == np.bool_
        assert {part.dtype for part in (one.stop_bps, one.target_bps, one.hold_ms)} == {np.dtype(np.int64)}
        assert {part.dtype for part in (one.conviction, one.scale, one.value, one.limit)} == {np.dtype(np.float64)}
        assert all(np.isfinite(part).all() for part in arrays(one))
        assert ((one.conviction >= 0) & (one.conviction <= 1)).all()
        bought = one.enter != 0
        assert (frame.present & one.known)[bought].all(), "only a bar that is there is bought, in a known window"
        assert not one.leave[bought].any() and not one.leave[~one.known].any()
        assert (one.value >= one.limit)[bought].all()
        for part in (one.scale, one.stop_bps, one.target_bps, one.hold_ms):
            assert (part[bought] > 0).all()
        entered += int(bought.sum())

    holds()
    assert entered


@pytest.mark.parametrize("name", STRATEGIES)
@given(frame=frames(bars=220))
@examples(10)
def test_columns_are_pure(name: str, frame: Frame) -> None:
    """A frame's arrays cannot be written to, so a write would raise."""
    market = Market(frame, SOME, 0)
    once, again = proposals(name, market), proposals(name, market)
    afresh = proposals(name, Market(replace(frame), SOME, 0))
    for one, two, three in zip(arrays(once), arrays(again), arrays(afresh), strict=True):
        assert one.tobytes() == two.tobytes() == three.tobytes()


@pytest.mark.parametrize("name", STRATEGIES)
@given(frame=frames(bars=240), row=st.integers(100, 239), seed=st.integers(0, 2**32))
@examples(15)
def test_a_poisoned_future_changes_no_earlier_row(name: str, frame: Frame, row: int, seed: int) -> None:
    random = Random(seed)
    parts: dict[str, Any] = {part: getattr(frame, part).copy() for part in PARTS}
    for part, rows in parts.items():
        choices = (False, True) if part == "present" else GARBAGE
        rows[row:] = np.array([random.choice(choices) for _ in range(rows[row:].size)]).reshape(rows[row:].shape)
    sound = proposals(name, Market(frame, SOME, 0))
    with np.errstate(all="ignore"):
        poisoned = proposals(name, Market(replace(frame, **parts), SOME, 0))
    for one, other in zip(arrays(sound), arrays(poisoned), strict=True):
        assert one[:row].tobytes() == other[:row].tobytes()


def calm(random: Random, bars: int) -> list[int]:
    """A market that hardly moves."""
    return [PRICE + random.randint(-1500, 1500) for _ in range(bars)]


@pytest.mark.parametrize("bar_min", [1, 5, 15])
def test_a_bar_of_six_percent_down_is_no_reason_to_buy(bar_min: int) -> None:
    """Only who buys far below the mean may, and does. The same bar upward is bought, so the silence means something."""
    settings = policy(bar_min, **{key: LIVELY[key] for key in LIVELY if key.startswith("signals__regime")})
    entered: Counter[tuple[str, int]] = Counter()

    @given(st.integers(0, 2**32), st.integers(1, 5))
    @examples(8)
    def holds(seed: int, after: int) -> None:
        random = Random(seed)
        before, rest = [calm(random, 30 * 60 // bar_min) for _ in SYMBOLS], calm(random, after)
        for way in (1, -1):
            factor = 1.06 if way > 0 else 0.94
            columns = [one + [round(price * factor) for price in rest] for one in before]
            frame = steady(columns, SYMBOLS, bar_min=bar_min)
            market = Market(frame, settings, 0)
            moves = market.triggers.kinds
            assert (moves["price_move"].fired[-after] == way).all()
            assert (moves["momentum"].fired[-after:] == way).all()
            for name in STRATEGIES:
                bought = int(proposals(name, market).enter[-after:].sum())
                assert way > 0 or name == BUYS_FALLS or not bought, name
                entered[name, way] += bought

    holds()
    assert entered["rules", 1] and entered[BUYS_FALLS, -1], entered


@pytest.mark.parametrize("name", STRATEGIES)
def test_nothing_is_proposed_for_an_instrument_without_bars(name: str) -> None:
    frame = steady([calm(Random(1), 200)] * 2, SYMBOLS)
    parts: dict[str, Any] = {part: getattr(frame, part).copy() for part in PARTS}
    for rows in parts.values():
        rows[:, 1] = 0
    one = proposals(name, Market(replace(frame, **parts), SOME, 0))
    assert one.known[-1].tolist() == [True, False]
    assert not one.enter[:, 1].any() and not one.leave[:, 1].any()


def test_every_field_of_a_proposal_is_compared_above() -> None:
    named = {name for one in (Proposals, Terms, Measured) for name in names_of(one)}
    assert named - {"terms", "measured"} == {*names_of(Opinion)}
