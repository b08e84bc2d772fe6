"""A replay in legs of a few rows is the replay in one: no seam shows, whatever waits, works or is held across it."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from signal import SIGINT, pthread_kill
from threading import current_thread, main_thread
from time import sleep
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.budget import examples
from tests.laws.make import BAR_MS, START, TinyMarket, market, policy
from tests.laws.markets import HISTORY, LIVELY, markets, walk
from tests.laws.test_slow_twin import CYCLES, FOUR, assert_the_same_replay, flows, policies
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.values import replace
from trader_core.engine import legs
from trader_core.engine.columns import Memo
from trader_core.engine.replay import Flow, replay_world, world_of
from trader_core.market.seen import Market
from trader_core.settings.schema import Settings
from trader_core.strategies import STRATEGIES
from trader_core.strategies.base import Proposals
from trader_core.strategies.sma_cross import sma_cross


@contextmanager
def in_legs_of(rows: int, columns: int = len(FOUR)) -> Iterator[None]:
    """Legs so short, with no more in front of them than windows reach back."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("LEG_CELLS", rows * columns), ("LEADS_IN_LEG", 0), ("GRID", 1)):
            patch.setattr(legs, name, value)
        for name in ("CELLS_WORTH_LEGS", "CELLS_SHARED"):
            patch.setattr(legs, name, 0)
        yield


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_no_seam_shows() -> None:
    seen: Counter[str] = Counter()

    @given(
        markets(FOUR, CYCLES, torn=True) | markets(FOUR, CYCLES), policies(), st.just(()) | flows(CYCLES),
        st.sampled_from([1, 2, 3, 7, 20]),
    )  # fmt: skip
    @examples(60)
    def holds(source: TinyMarket, settings: Settings, moved: tuple[Flow, ...], rows: int) -> None:
        there = world_of(source, settings, START, START + CYCLES * source.bar_ms)
        whole = replay_world(there, settings, interpreted=True, flows=moved)
        with in_legs_of(rows):
            assert_the_same_replay(whole, replay_world(there, settings, flows=moved))
        seen.update({one.verdict for one in whole.verdicts})
        seen["fills"] += len(whole.fills)
        seen["flows"] += len(whole.flows)
        seen["makers"] += int((whole.asked[:, 4] == 1).sum()) if whole.asked.size else 0

    holds()
    assert seen["fills"] > 50 and seen["OK"] and seen["MAX_POSITIONS"] and seen["flows"] and seen["makers"], seen


def test_replays_that_share_a_memo_share_legs_and_stay_themselves() -> None:
    source, one = drawn(5)
    other = policy(**{**LIVELY, "signals__guards__outlier_bars": one.signals.guards.outlier_bars + 1})
    there = world_of(source, one, START, START + CYCLES * source.bar_ms, (other,))
    memo = Memo()
    for settings in (one, other, one):
        with in_legs_of(5):
            found = replay_world(there, settings, memo=memo)
        assert_the_same_replay(replay_world(there, settings, interpreted=True), found)
    shared: dict[tuple[int, int], object] = memo.of((there.frame, "legs"), dict)
    assert len(shared) > 3


def test_progress_is_of_all_rows_and_ends_with_the_last() -> None:
    source, settings = drawn(3)
    there, told = world_of(source, settings, START, START + CYCLES * source.bar_ms), list[tuple[int, int]]()
    with in_legs_of(7):
        replay_world(there, settings, progress=lambda done, rows: told.append((done, rows)))
    assert len(told) > 3 and told == sorted(told) and told[-1] == (CYCLES, CYCLES)


class Flawed:
    """Crosses averages, and breaks where it looks at the row that closes then."""

    unit = "bps"

    def __init__(self, breaks_ms: int) -> None:
        self.breaks_ms = breaks_ms

    def lookback(self, parameters: Any, policy: Any) -> int:
        return sma_cross.lookback(policy.strategies.sma_cross, policy)

    def columns(self, market: Market, parameters: Any) -> Proposals:
        if self.breaks_ms in market.frame.closes_ms[market.first :]:
            raise ArithmeticError("a flaw")
        return sma_cross.columns(market, market.policy.strategies.sma_cross)


def test_a_strategy_that_breaks_in_a_later_leg_has_proposed_nothing_in_an_earlier_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, settings = drawn(11)
    there = world_of(source, settings, START, START + CYCLES * source.bar_ms)
    late = int(there.frame.closes_ms[-4])
    monkeypatch.setitem(STRATEGIES, "mean_reversion", Flawed(0))
    sound = replay_world(there, settings)
    monkeypatch.setitem(STRATEGIES, "mean_reversion", Flawed(late))
    whole = replay_world(there, settings, interpreted=True)
    with in_legs_of(3):
        found = replay_world(there, settings)
    assert found.failures == whole.failures == {"mean_reversion": "ArithmeticError: a flaw"}
    assert_the_same_replay(whole, found)
    at = found.axes.strategies.index("mean_reversion")
    assert (sound.judged[:, 2] == at).any() and not (found.judged[:, 2] == at).any()


def test_a_replay_without_a_decision_is_an_empty_one() -> None:
    source, settings = drawn(5)
    there = world_of(source, settings, START, START)
    whole, found = replay_world(there, settings, interpreted=True), replay_world(there, settings)
    assert_the_same_replay(whole, found)
    assert len(found.at_ms) == len(found.judged) == 0


def drawn(seed: int) -> tuple[TinyMarket, Settings]:
    """A lively market in which averages cross, and two strategies that look at it."""
    random, first_ms, bars = Random(seed), START - HISTORY * BAR_MS, HISTORY + CYCLES
    rows = {one.symbol: walk(random, first_ms, bars, BAR_MS, 60_000, 0.02, 0.0) for one in FOUR}
    return replace(market(FOUR, rows, BAR_MS), end_ms=EpochMs(START + CYCLES * BAR_MS)), policy(**LIVELY)


def test_who_stops_in_the_midst_waits_for_the_leg_that_is_being_computed() -> None:
    source, settings = drawn(3)
    there, told = world_of(source, settings, START, START + CYCLES * source.bar_ms), list[int]()
    seen = Market(there.frame, settings, there.first)
    with in_legs_of(7):
        parts = iter(
            legs.Legs(seen, there.instruments, None, (), is_one=False, told=lambda _, bars: told.append(len(bars.open)))
        )
        next(parts)
        parts.close()
        assert len(told) == 2, "the first, and the one that was computed meanwhile"


class Interrupted(Flawed):
    """Crosses averages; whoever waits for it in another thread is interrupted."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    def columns(self, market: Market, parameters: Any) -> Proposals:
        self.begun += 1
        if current_thread() is not main_thread():
            sleep(0.1)
            pthread_kill(main_thread().ident or 0, SIGINT)
            sleep(0.1)
        self.ended += 1
        return sma_cross.columns(market, market.policy.strategies.sma_cross)


def test_who_is_interrupted_while_waiting_for_a_leg_leaves_nothing_that_computes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source, settings = drawn(3)
    there, interrupted = world_of(source, settings, START, START + CYCLES * source.bar_ms), Interrupted()
    replay_world(there, settings)
    monkeypatch.setitem(STRATEGIES, "mean_reversion", interrupted)
    with in_legs_of(7), pytest.raises(KeyboardInterrupt):
        replay_world(there, settings)
    assert interrupted.begun == interrupted.ended == 2


def test_a_fork_computes_ahead_too() -> None:
    """What computes ahead is a thread, and a fork has none of its parent's."""
    source, settings = drawn(3)
    there = world_of(source, settings, START, START + CYCLES * source.bar_ms)
    with in_legs_of(7):
        whole = replay_world(there, settings)
        child = os.fork()
        if not child:
            found = replay_world(there, settings)
            os._exit(0 if found.fills == whole.fills else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
