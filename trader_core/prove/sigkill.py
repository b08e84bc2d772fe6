"""SIGKILL at any moment of a life, as the kernel sends it: no boundary is chosen, and nothing is told of it."""

from typing import Any

from trader_core.prove.matrix import settle, wrongs
from trader_core.prove.scenes import Scene, Stage

GOLDEN = 0.6180339887498949  # its multiples, less their whole parts, never come close to one another
EARLIEST, LATEST = 0.02, 0.7  # of how long a life took before
TRIES = 4  # a life that was over before the signal came is followed by another one, with half the time


def tried(stage: Stage, scene: Scene, key: str) -> dict[str, Any]:
    """What is wrong after number `key`, in words."""
    share = int(key.rpartition("/")[2]) * GOLDEN % 1
    kill_s = max(stage.took_s, 0.01) * (EARLIEST + (LATEST - EARLIEST) * share)
    lives = [stage.account.live(scene.act(stage), kill_s=kill_s)]
    while not lives[-1].crashed and len(lives) < TRIES:
        kill_s /= 2
        lives.append(stage.account.live(scene.again(stage), kill_s=kill_s))
    settled = settle(stage, scene, lives)
    wrong = list(wrongs(stage, scene, lives, settled))
    return {"key": key, "wrong": wrong, "lives": len(lives), "killed": sum(life.crashed for life in lives)}
