"""One hand of a campaign: `python -m trader_core.prove.worker`, a process made for it, whose time is its own.

Every scene is played in a fork of its own, and so is every combination: a crash kills nothing else.
"""

import gc
import json
import logging
import os
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from trader_core.prove.places import quick_place
from trader_core.prove.virtual import VirtualTime

BEGIN_MS = 1_772_446_020_000  # 2026-03-02 10:07 UTC, a Monday


def main() -> None:
    """Asked by one JSON document: what to `do` with which `keys`, all but those that are `done`, with which `config`,
    and in which file to keep the `results`."""
    asked: dict[str, Any] = json.load(sys.stdin)
    import requests  # noqa: F401 - loaded with the clock as it is, like what it brings along

    logging.disable()  # it is no news here that something goes wrong
    time = VirtualTime(BEGIN_MS)
    time.install()
    place = quick_place("trader-prove-")
    try:
        for scene in dict.fromkeys(key.partition("/")[0] for key in asked["keys"]):
            _apart(partial(_scene, asked, scene, time, place / scene))
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _apart(work: Callable[[], object]) -> None:
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    code = 1
    try:
        work()
        code = 0
    finally:
        sys.stderr.flush()
        os._exit(code)


def _scene(asked: dict[str, Any], name: str, time: VirtualTime, place: Path) -> None:
    from trader_core.prove import failing, matrix, sigkill
    from trader_core.prove.scenes import SCENES, prepared

    done, scene = frozenset(asked["done"]), SCENES[name]
    wanted = [key for key in asked["keys"] if key.startswith(f"{name}/") and key not in done]
    if not wanted:
        return
    stage = prepared(place, Path(asked["config"]), scene, time)
    works: dict[str, Callable[..., dict[str, Any]]] = {
        "plan": matrix.planned, "crash": matrix.tried, "ports": failing.counted, "failing": failing.tried,
        "sigkill": sigkill.tried,
    }  # fmt: skip
    work = partial(works[asked["do"]], scene=scene)
    gc.freeze()  # what is there by now stays, and no copy need look at it
    gc.disable()
    for key in wanted:
        os.kill(asked["for"], 0)  # for whom; or this ends here
        matrix.in_a_copy(stage, place / "copy", Path(asked["results"]), key, partial(work, key=key))


if __name__ == "__main__":
    main()
