"""Other histories: their bars are valid, their hours are hours, and the seed alone decides them."""

import tracemalloc
from functools import cache
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.research import make
from tests.research.make import policy, study
from trader_core.domain.clocktime import DAY_MS, HOUR_MS
from trader_core.domain.errors import UsageError
from trader_core.domain.values import replace
from trader_core.engine.replay import Replayed, World, replay_world
from trader_core.market.frame import Frame
from trader_core.report.rounds import folded
from trader_core.research import montecarlo
from trader_core.research.chance import stream
from trader_core.research.montecarlo import Paths, drawn_paths, gains_of, of_bars, of_trades
from trader_core.research.resample import resampled, source_rows
from trader_core.research.shelf import shelved
from trader_core.rulebook.limits import Floats

BLOCKS_H = (1, 6, 24, 48)


@cache
def world() -> World:
    return make.world(5)


@cache
def replayed() -> Replayed:
    return replay_world(world(), policy())


def holed(frame: Frame, chance: np.random.Generator, share: float, coarse: int) -> Frame:
    """Some bars missing, one pair that is listed late, and ticks so many times as large."""
    present = frame.present & (chance.random(frame.present.shape) >= share)
    present[: frame.rows // 3, 0] = False
    parts: dict[str, Any] = {
        name: np.where(present, getattr(frame, name), 0) for name in ("open", "high", "low", "close", "volume")
    }
    for name in ("open", "high", "low", "close"):
        parts[name] = np.where(present, np.maximum(parts[name] // coarse, 1), 0)
    return replace(frame, present=present, **parts)


@given(
    seed=st.integers(0, 2**32), block_h=st.sampled_from(BLOCKS_H), share=st.sampled_from((0.0, 0.02, 0.6)),
    coarse=st.sampled_from((1, 5_000)),
)  # fmt: skip
@settings(max_examples=60)
def test_every_bar_of_another_history_is_a_valid_one(seed: int, block_h: int, share: float, coarse: int) -> None:
    chance = stream(seed, 1)
    frame = holed(world().frame, chance, share, coarse)
    source = source_rows(frame, block_h * HOUR_MS, chance)
    made = resampled(frame, source)
    opened, high, low, close = (getattr(made, name) for name in ("open", "high", "low", "close"))
    there = made.present
    assert np.array_equal(there, frame.present[source])
    assert (low[there] >= 1).all()
    assert (low <= np.minimum(opened, close)).all() and (high >= np.maximum(opened, close)).all()
    assert (high[~there] == 0).all() and (close[~there] == 0).all() and (made.volume[~there] == 0).all()
    assert np.array_equal(made.volume, frame.volume[source])
    assert {opened.dtype, made.volume.dtype} == {np.dtype(np.int64)}


@given(seed=st.integers(0, 2**32), block_h=st.sampled_from(BLOCKS_H))
def test_a_bar_stands_at_its_own_time_of_the_day_in_a_block_of_its_length(seed: int, block_h: int) -> None:
    frame = world().frame
    source = source_rows(frame, block_h * HOUR_MS, stream(seed, 1))
    a_day, per_block = DAY_MS // frame.bar_ms, block_h * HOUR_MS // frame.bar_ms
    assert ((source - np.arange(frame.rows)) % a_day == 0).all()
    assert source.min() >= 0 and source.max() < frame.rows
    opens = frame.first_ms // frame.bar_ms + np.arange(frame.rows)
    cuts = np.flatnonzero(np.diff(source) != 1) + 1
    assert (opens[cuts] % per_block == 0).all()


@given(seed=st.integers(0, 2**32), block_h=st.sampled_from(BLOCKS_H))
def test_prices_go_on_by_the_returns_that_were_seen(seed: int, block_h: int) -> None:
    """Across the seam of two blocks the move is the one that led into the second block, all pairs together."""
    frame = world().frame
    source = source_rows(frame, block_h * HOUR_MS, stream(seed, 1))
    made = resampled(frame, source)
    for row in np.flatnonzero(np.diff(source) != 1) + 1:
        if source[row] > 0:
            was = frame.close[source[row]] / frame.close[source[row] - 1]
            assert made.close[row] / made.close[row - 1] == pytest.approx(was, rel=2.0 / made.close.min() + 1e-9)


def test_the_history_that_happened_is_one_of_them() -> None:
    frame = world().frame
    made = resampled(frame, np.arange(frame.rows))
    assert all(np.array_equal(getattr(made, name), getattr(frame, name)) for name in ("open", "high", "low", "close"))


# --- trades ----------------------------------------------------------------------------------------------------------


def paths_of(seed: int = 7, ruin: float = 50, paths: int = 400) -> Paths:
    return of_trades(replayed(), paths, None, ruin, seed)


def test_the_same_seed_draws_the_same_trades() -> None:
    assert paths_of() == paths_of()
    assert paths_of() != paths_of(seed=8)


def test_gains_multiply_to_what_the_closed_trades_made() -> None:
    gains = gains_of(replayed())
    assert len(gains) == len(folded(replayed()).trades.pnl) > 10
    assert gains.min() < 0 < gains.max()
    of = paths_of().spreads[0]
    assert of.observed == pytest.approx(100 * (np.prod(1 + gains) - 1))
    assert list(of.levels.values()) == sorted(of.levels.values())


@given(gains=st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=12), block=st.integers(1, 12), seed=st.integers(0, 99))
def test_drawn_paths_follow_the_slow_twin(gains: list[float], block: int, seed: int) -> None:
    finals, falls, lows = drawn_paths(np.array(gains), 5, min(block, len(gains)), seed)
    length = min(block, len(gains))
    starts = stream(seed, 2).integers(len(gains), size=(5, -(-len(gains) // length)))
    for n, row in enumerate(starts.tolist()):
        drawn = [gains[(start + k) % len(gains)] for start in row for k in range(length)][: len(gains)]
        worth, peak, low, fall = 1.0, 1.0, 1.0, 0.0
        for gain in drawn:
            worth *= 1 + gain
            peak, low = max(peak, worth), min(low, worth)
            fall = max(fall, 100 * (peak - worth) / peak)
        assert (finals[n], falls[n], lows[n]) == pytest.approx((100 * (worth - 1), fall, 100 * low), abs=1e-9)


def test_paths_are_the_same_however_few_are_held_at_a_time_and_no_more_are(monkeypatch: pytest.MonkeyPatch) -> None:
    gains, paths = np.linspace(-0.02, 0.02, 101), 20_000
    whole = drawn_paths(gains, paths, 1, 3)
    monkeypatch.setattr(montecarlo, "CELLS_MAX", 10_000)
    tracemalloc.start()
    try:
        parts = drawn_paths(gains, paths, 1, 3)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [one.tolist() for one in parts] == [one.tolist() for one in whole]
    assert peak < 5_000_000 < gains.size * paths * 8, "bytes of all that is drawn"


def test_ruin_is_the_share_of_paths_that_fell_so_far() -> None:
    assert paths_of(ruin=0).ruin_pct == 0
    assert paths_of(ruin=100).ruin_pct == 100
    low: Floats = drawn_paths(gains_of(replayed()), 400, paths_of().block, 7)[2]
    half = median(low.tolist())
    assert paths_of(ruin=half).ruin_pct == pytest.approx(50, abs=1)


def test_too_few_trades_are_told() -> None:
    idle = replace(replayed(), filled=replayed().filled[:0])
    with pytest.raises(UsageError, match="too few"):
        of_trades(idle, 10, None, 50, 1)


# --- bars ------------------------------------------------------------------------------------------------------------


def test_other_histories_are_replayed_and_the_seed_alone_decides_them(tmp_path: Path) -> None:
    of = study(tmp_path, count=3)
    (one,) = shelved([of.base], of.markets, of.folder)
    first, again, other = (of_bars(of, one, 6, DAY_MS, 50, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first.block == 96
    trades = next(each for each in first.spreads if each.figure == "total_trades")
    assert trades.observed == len(folded(replay_world(make.world(3), policy())).trades.pnl)
    assert trades.levels["p05"] < trades.levels["p95"]
