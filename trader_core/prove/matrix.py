"""The crash matrix: which combinations there are, and what one of them comes to.

A combination is a scene, an outcome at the venue, and the boundaries at which one life after another is killed.
"""

import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from trader_core.domain.clocktime import SECOND_MS
from trader_core.domain.errors import Halted
from trader_core.prove.lives import OUTCOMES, UNEXPECTED, Ended, Strike
from trader_core.prove.scenes import ALL_WELL, LATER_MS, LIVES_MAX, MUCH_LATER_MS, SCENES, Scene, Stage

THIRD = 3  # of the combinations, each further crash is tried in every third
PATIENCE_S = 900  # no combination takes longer, on whatever machine
Plan = Mapping[str, Mapping[str, int]]  # boundaries by scene and outcome


@dataclass(frozen=True)
class Combination:
    scene: str
    outcome: str
    at: tuple[int, ...]  # a boundary for each life that is killed; 0 is none

    @property
    def key(self) -> str:
        return "/".join((self.scene, self.outcome.replace(" ", "-").replace(",", ""), *map(str, self.at)))


def combination_of(key: str) -> Combination:
    """Raises ValueError where it names none."""
    scene, outcome, *at = key.split("/")
    named = next(one for one in OUTCOMES if Combination("", one, ()).key.strip("/") == outcome)
    return Combination(SCENES[scene].name, named, tuple(map(int, at)))


def combinations(plan: Plan) -> Iterator[Combination]:
    """Every boundary with every outcome; and a second and a third crash in every third of them, at boundaries that
    wander over all there are."""
    for scene, counts in plan.items():
        least, further = min(counts.values()), count()
        for row, outcome in enumerate(OUTCOMES):
            for at in range(counts[outcome] + 1):
                yield Combination(scene, outcome, (at,))
                if at and (at + row) % THIRD < 2:
                    turn = next(further) // 2
                    again = (1 + turn % least, 1 + 7 * turn % least)
                    yield Combination(scene, outcome, (at, *again[: 1 + (at + row) % THIRD]))


def planned(stage: Stage, scene: Scene, key: str) -> dict[str, Any]:
    """The boundaries of a life that nothing happens to but the outcome."""
    stage.account.strike = _strike(scene, combination_of(key))
    return {"key": key, "met": stage.account.live(scene.act(stage)).met}


def _strike(scene: Scene, one: Combination) -> Strike:
    return Strike(one.outcome, scene.path, scene.side, scene.times)


def tried(stage: Stage, scene: Scene, key: str) -> dict[str, Any]:
    """What is wrong after it, in words; and how many lives it took, how many of them were killed."""
    account, one = stage.account, combination_of(key)
    account.strike = _strike(scene, one)
    lives: list[Ended] = []
    for number, at in enumerate(one.at):
        if number:
            stage.time.sleep(LATER_MS / SECOND_MS)
        lives.append(account.live((scene.again if number else scene.act)(stage), at))
    settled = settle(stage, scene, lives)
    wrong = list(wrongs(stage, scene, lives, settled))
    return {"key": key, "wrong": wrong, "lives": len(lives), "killed": sum(life.crashed for life in lives)}


def settle(stage: Stage, scene: Scene, lives: list[Ended]) -> bool:
    """Start it again, and then cycles, until nothing is left to do; False where that never comes."""
    act = scene.again(stage)
    for number in range(LIVES_MAX):
        stage.time.sleep((MUCH_LATER_MS if number > 1 else LATER_MS) / SECOND_MS)
        lives.append(stage.account.live(act))
        if act == stage.cycle and is_settled(stage, lives[-1]):
            return True
        act = stage.cycle if lives[-1].code == 0 else act
    return False


def is_settled(stage: Stage, ended: Ended) -> bool:
    return ended.code in ALL_WELL and not stage.checked().unresolved


def wrongs(stage: Stage, scene: Scene, lives: Iterable[Ended], settled: bool, may_halt: bool = False) -> Iterator[str]:
    """In words. What `may_halt` keeps what it holds under its stop, for a person to look at."""
    checked = stage.checked()
    yield from checked.wrong
    last = list(lives)[-1]
    yield from (f"a life broke off: {one.words.strip()[-800:]}" for one in lives if one.code == UNEXPECTED)
    if not settled:
        yield f"not settled after {LIVES_MAX} lives: {last.code} {last.words}, unresolved {checked.unresolved}"
    for product, size in checked.held.items():
        if size and scene.ends_flat and not (may_halt and last.code == Halted.exit_code):
            yield f"{size} {product} is still held"
        elif size and "SELL" not in checked.working.values():
            yield f"{size} {product} has no stop"


def in_a_copy(stage: Stage, folder: Path, results: Path, name: str, work: Callable[[Stage], dict[str, Any]]) -> None:
    """One line in `results`: in a process of its own, so that nothing of it is there afterwards."""
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        if status:
            _append(results, {"key": name, "wrong": [f"the stage itself ended with {status}"], "lives": 0, "killed": 0})
        shutil.rmtree(folder, ignore_errors=True)
        return
    signal.alarm(PATIENCE_S)
    try:
        copied = stage.copied(folder)
        _append(results, work(copied))
        code = 0
    except BaseException:  # noqa: BLE001 - the end of this process
        traceback.print_exc()
        code = 1
    sys.stderr.flush()
    os._exit(code)


def _append(results: Path, told: Mapping[str, Any]) -> None:
    with results.open("a") as lines:
        lines.write(json.dumps(told) + "\n")
