"""What looks at bars that have not closed yet is found, wherever it looks from; what does not is left in peace."""

from functools import cached_property
from random import Random
from typing import Any

import numpy as np
import pytest
from pydantic import create_model

from tests.laws.make import BAR_MS, FOUR, START, policy
from tests.laws.markets import LIVELY, walk
from tests.laws.peekers import PEEKERS, TWINS, Planted, ahead
from trader_core.domain.market import Candles
from trader_core.domain.values import replace
from trader_core.engine.columns import lookback_of
from trader_core.engine.lookahead import CANDLES, POISON, SHIFT, TRUNCATE, Finding, check
from trader_core.engine.replay import World
from trader_core.market.frame import Frame, build
from trader_core.rulebook.limits import Ints
from trader_core.settings.schema import Settings, SmaCross, Strategies
from trader_core.strategies import STRATEGIES

ROWS = 24
POLICY: Settings = policy(**LIVELY)
Findings = tuple[Finding, ...]


def world(settings: Settings, listed: int = 4) -> World:
    """A market of lively walks, but without a gap, and with the same volume in every bar."""
    random, window = Random(1), lookback_of(settings)
    first_ms, end_ms = START - (window - 1) * BAR_MS, START + (ROWS - 1) * BAR_MS
    candles = {}
    for one in FOUR[:listed]:
        bars = np.array(walk(random, first_ms, window + ROWS, BAR_MS, 60_000, 0.01, 0.0), np.int64)
        bars[:, 5] = 1_000_000
        candles[one.symbol] = Candles(*bars.T)
    return World(FOUR[:listed], (), build(candles, first_ms, end_ms, BAR_MS), window - 1)


def with_planted(names: list[str]) -> Settings:
    """The policy with a block for each of these strategies, all of them disabled."""
    block = POLICY.strategies.sma_cross.model_copy(update={"enabled": False})
    fields: dict[str, Any] = dict.fromkeys(names, (SmaCross, ...))
    more = create_model("More", __base__=Strategies, **fields)
    blocks: dict[str, Any] = {name: getattr(POLICY.strategies, name) for name in Strategies.model_fields}
    return POLICY.model_copy(update={"strategies": more.model_construct(**(blocks | dict.fromkeys(names, block)))})


def planted(strategies: dict[str, Planted], **options: Any) -> Findings:
    settings = with_planted(list(strategies))
    with pytest.MonkeyPatch.context() as patch:
        for name, strategy in strategies.items():
            patch.setitem(STRATEGIES, name, strategy)
        return check(world(settings), settings, **options)


@pytest.fixture(scope="module")
def found() -> Findings:
    """What is found where all of them are planted at once, beside the sound ones."""
    return planted({name: strategy for name, (strategy, _) in PEEKERS.items()} | TWINS, rows=64)


@pytest.mark.parametrize("name", PEEKERS)
def test_a_planted_look_ahead_is_found_where_it_shows(name: str, found: Findings) -> None:
    figure = PEEKERS[name][1]
    assert {one.name for one in found if one.name.partition(".")[0] == name} == {f"{name}.{figure}".rstrip(".")}


def test_nothing_else_is_found(found: Findings) -> None:
    """Neither the same looks backward, nor what we ship, nor a column."""
    assert {one.name.partition(".")[0] for one in found} == set(PEEKERS)


@pytest.mark.parametrize("name", ["stop_after_a_gap", "leaves_before_a_silence"])
def test_a_branch_that_the_candles_never_come_to_is_found_in_made_weather(name: str, found: Findings) -> None:
    """The candles have no gap, and nothing is traded there by anybody."""
    first = next(one for one in found if one.name.startswith(name) and one.kind == TRUNCATE)
    assert first.market == "weather"


@pytest.mark.parametrize("kind", [TRUNCATE, POISON, SHIFT])
def test_a_finding_says_what_was_said_with_and_without_the_future(kind: str, found: Findings) -> None:
    (one,) = [each for each in found if each.kind == kind and each.name == "target_from_afar.target_bps"]
    assert one.market == CANDLES and one.symbol in {each.symbol for each in FOUR}
    assert one.at_ms <= one.cut_ms < START + ROWS * BAR_MS
    assert one.at_ms == START + (one.row + 2 - lookback_of(with_planted([]))) * BAR_MS
    assert {one.blind, one.seeing} == {"300", "301"}


def test_an_exception_that_only_one_of_two_futures_raises_is_told_in_words(found: Findings) -> None:
    (before, after) = (
        next(one for one in found if one.name == name) for name in ("raises_before_a_fall", "raises_at_the_end")
    )
    assert (before.blind, before.seeing) == ("no failure", "ArithmeticError: a fall by more than nine tenths")
    assert after.blind.startswith("IndexError") and after.seeing == "no failure"


class Clairvoyant(Frame):
    """A market whose last known close is the next one."""

    @cached_property
    def last_known(self) -> tuple[Ints, Ints]:
        return ahead(self.close, 1), np.zeros_like(self.close)


def test_a_column_that_looks_ahead_is_found_and_progress_is_told_of() -> None:
    plain, told = world(POLICY, listed=1), list[tuple[int, int]]()
    frame = Clairvoyant(**{name: getattr(plain.frame, name) for name in Frame.__dataclass_fields__})
    seen = check(replace(plain, frame=frame), POLICY, rows=5, progress=lambda *each: told.append(each))
    assert {"close", "bid", "ask"} <= {one.name for one in seen if one.kind == TRUNCATE}
    assert [done for done, _ in told] == list(range(1, told[-1][1] + 1))


def test_a_market_without_instruments_has_nothing_to_find() -> None:
    assert check(world(POLICY, listed=0), POLICY) == ()
