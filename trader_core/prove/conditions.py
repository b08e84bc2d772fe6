"""What may be wrong with the world while somebody kills, each made for real and taken away again."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep
from typing import Any

from msgspec import Struct

from trader_core.prove.stage import Stage

SMALL_DISK_BYTES = 16_000_000
DISK_FILES_MAX = 200
STOPPED_AFTER_S = 0.15  # how far apart the moments are at which a loop is stopped, after its first order
STOPS = 8
ORDER_S = 20.0
ENDS_S = 120.0  # a cycle that it is in the middle of is finished first
GOES_ON_S = 2.0  # what a stopped loop has, once it goes on, to do something wrong
FILLER = "filler"
STORM = ({"kind": "429_json", "probability": 0.8}, {"kind": "5xx_before", "probability": 0.3})  # 43 of 50 calls fail
# Every other address is written in digits, so of all that a kill asks only the venue's name is looked for.
NO_NAMES = '''"""Loaded by every Python that starts here: no name is known any more."""

import _socket

_known = _socket.getaddrinfo


def _asked(host, *rest, **more):
    name = host.decode() if isinstance(host, bytes) else str(host)
    if all(one in "0123456789.:" for one in name):
        return _known(host, *rest, **more)
    raise _socket.gaierror(-3, "Temporary failure in name resolution")


_socket.getaddrinfo = _asked
'''


@dataclass(frozen=True)
class During:
    """What else a kill is given: more of an environment, and less of a disk."""

    environment: Mapping[str, str]
    bytes_max: int | None = None  # of any file that it writes


class Condition(Struct, frozen=True):
    """`clears`: the venue can surely be cleared and looked at in the time that a kill has."""

    name: str
    made: Callable[[Stage, int], contextlib.AbstractContextManager[During]]
    clears: bool = True
    by_loop: bool = False  # the loop itself buys, and is stopped while it does


def _faults(*rules: dict[str, Any]) -> Callable[[Stage, int], contextlib.AbstractContextManager[During]]:
    @contextmanager
    def made(stage: Stage, number: int) -> Iterator[During]:
        stage.admin("faults", replace=list(rules))
        try:
            yield During({})
        finally:
            stage.admin("faults", clear=True)

    return made


@contextmanager
def _hung(stage: Stage, number: int) -> Iterator[During]:
    """A loop that buys is stopped in the middle, with its lock and whatever it was just doing."""
    began = stage.truth.stat().st_size
    with stage.running("run") as loop:
        for _ in range(int(ORDER_S / 0.02)):
            if stage.truth.stat().st_size > began:
                break
            sleep(0.02)
        sleep(number % STOPS * STOPPED_AFTER_S)
        loop.send_signal(signal.SIGSTOP)
        try:
            yield During({})
            loop.send_signal(signal.SIGCONT)
            sleep(GOES_ON_S)
        finally:
            loop.send_signal(signal.SIGCONT)
            loop.terminate()
            loop.wait(timeout=ENDS_S)


@contextmanager
def _locked(stage: Stage, number: int) -> Iterator[During]:
    with closing(sqlite3.connect(stage.state / "live.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        yield During({})
        other.execute("ROLLBACK")


@contextmanager
def _full(stage: Stage, number: int) -> Iterator[During]:
    """The state on a small disk that is full, of bytes and of files; where none can be mounted, files may not grow."""
    kept = stage.folder / "kept"
    shutil.copytree(stage.state, kept)
    size = f"size={SMALL_DISK_BYTES},nr_inodes={DISK_FILES_MAX},mode=700"
    mount = ["mount", "-t", "tmpfs", "-o", size, "tmpfs", str(stage.state)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:  # noqa: S603 - our own words
        shutil.rmtree(kept)
        yield During({}, bytes_max=0)
        return
    try:
        shutil.copytree(kept, stage.state, dirs_exist_ok=True)
        _fill(stage.state / FILLER)
        yield During({})
    finally:
        shutil.rmtree(stage.state / FILLER)
        shutil.rmtree(kept)
        shutil.copytree(stage.state, kept)
        subprocess.run(["umount", str(stage.state)], check=True)  # noqa: S603, S607 - as any administrator would
        shutil.rmtree(stage.state)
        kept.rename(stage.state)


def _fill(folder: Path) -> None:
    folder.mkdir()
    with contextlib.suppress(OSError):
        for number in range(DISK_FILES_MAX):
            (folder / f"{number}").write_bytes(bytes(SMALL_DISK_BYTES // 8))
    with contextlib.suppress(OSError):
        for number in range(DISK_FILES_MAX):
            (folder / f"empty-{number}").touch()


@contextmanager
def _nameless(stage: Stage, number: int) -> Iterator[During]:
    """The venue is known by a name, and no name is found."""
    plugin = stage.folder / "no-names"
    plugin.mkdir(exist_ok=True)
    (plugin / "sitecustomize.py").write_text(NO_NAMES)
    app = stage.folder / "config" / "app.yaml"
    sound = app.read_text()
    app.write_text(sound.replace("127.0.0.1", "localhost"))
    before = stage.environment.get("PYTHONPATH", "")
    try:
        yield During({"PYTHONPATH": os.pathsep.join(one for one in (str(plugin), before) if one)})
    finally:
        app.write_text(sound)


@contextmanager
def _broken(stage: Stage, number: int) -> Iterator[During]:
    """Four files are not YAML, and the fifth is only where it names the venue: without that line a kill would ask the
    venue's own address, and no rehearsal may."""
    folder = stage.folder / "config"
    sound = {path: path.read_text() for path in folder.glob("*.yaml")}
    for path, text in sound.items():
        named = [line for line in text.splitlines() if "venue_url" in line]
        path.write_text("\n".join(["\tmode: [LIVE", "]: {{{ : :", *named, "policy: !!python/none", "\x00"]))
    try:
        yield During({})
    finally:
        for path, text in sound.items():
            path.write_text(text)


CONDITIONS = (
    Condition("nothing wrong", _faults()),
    Condition("storm", _faults(*STORM), clears=False),
    Condition("latency 500 ms", _faults({"kind": "latency", "ms": 500})),
    Condition("hung loop", _hung, by_loop=True),
    Condition("locked database", _locked),
    Condition("full disk", _full),
    Condition("no DNS", _nameless, clears=False),
    Condition("broken configuration", _broken),
)
