"""The n-th failure: one write, statement or request of a life fails, and the life goes on as it can.

Each number is tried until a life passes without meeting it. Afterwards the checker decides, and clean lives must settle
what is left.
"""

import errno
import sqlite3
from collections.abc import Callable
from typing import Any

from trader_core.prove.lives import Ended
from trader_core.prove.matrix import settle, wrongs
from trader_core.prove.scenes import Scene, Stage


def counted(stage: Stage, scene: Scene, key: str) -> dict[str, Any]:
    """All that can fail in a life of this scene."""
    return {"key": key, "met": stage.account.live(scene.act(stage), failing=True).met}


def tried(stage: Stage, scene: Scene, key: str) -> dict[str, Any]:
    """What is wrong after the failure of number `key`, in words."""
    at = int(key.rpartition("/")[2])
    lives: list[Ended] = [stage.account.live(scene.act(stage), at, _fail, failing=True)]
    settled = settle(stage, scene, lives)
    is_cycle = scene.act(stage) == stage.cycle  # for which a latch that cannot be read is a kill
    wrong = list(wrongs(stage, scene, lives, settled, may_halt=is_cycle))
    return {"key": key, "wrong": wrong, "lives": len(lives), "killed": 0}


def _fail(kind: str) -> None:
    raise FAILURES[kind]()


def _lost() -> BaseException:
    import requests

    return requests.ConnectionError("the connection broke")


FAILURES: dict[str, Callable[[], BaseException]] = {
    "sql": lambda: sqlite3.OperationalError("database or disk is full"),
    "file": lambda: OSError(errno.ENOSPC, "No space left on device"),
    "request": _lost,
    "answer": _lost,
}
