"""Markets on disk, for many workers: written once, mapped into memory by each of them, never sent."""

import json
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from trader_core.domain.codec import from_json, to_json
from trader_core.domain.errors import DataUnavailable
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.values import replace
from trader_core.engine.columns import Memo
from trader_core.engine.law import bar_ms_of
from trader_core.engine.observe import closes_of, watched_universe
from trader_core.engine.replay import World, world_of
from trader_core.market.frame import Frame
from trader_core.market.returns import days_of
from trader_core.ports import CandleSource

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

ARRAYS = ("open", "high", "low", "close", "volume", "present")
ABOUT = "world.json"  # written last: a folder without it is not whole
HELD_MAX = 8  # mapped worlds, and parts of them, that a process keeps open

Markets = Callable[["Settings"], tuple[CandleSource, int, int]]  # candles, first decision, end of the decisions


class About(Struct, frozen=True):
    """What a world is beside its arrays."""

    symbols: tuple[str, ...]
    first_ms: int
    bar_ms: int
    first: int
    first_day: int  # of the closes before it
    closes: tuple[tuple[int, ...], ...]  # by day, by instrument
    instruments: tuple[Instrument, ...]
    exclusions: tuple[Exclusion, ...]


@dataclass(frozen=True)
class Shelved:
    """One market for all policies that look at the same pairs in the same bars; `digest` is over every bar of it."""

    folder: str
    digest: str
    start_ms: int
    end_ms: int
    bar_ms: int
    back: int  # rows before the first decision
    quote: str
    fingerprint: str
    symbols: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    warnings: tuple[str, ...]


def shelved(policies: Sequence["Settings"], markets: Markets, folder: Path) -> tuple[Shelved, ...]:
    """The market of each policy, with the longest history that one of them needs; equal ones are written once."""
    opened = {bar_ms: markets(policy) for bar_ms, policy in {bar_ms_of(one): one for one in policies}.items()}
    keys = [_looked_at(one, opened[bar_ms_of(one)][0]) for one in policies]
    alike = {key: [one for one, its in zip(policies, keys, strict=True) if its == key] for key in dict.fromkeys(keys)}
    made = {key: _written(some, *opened[key[0]], folder) for key, some in alike.items()}
    return tuple(made[key] for key in keys)


def _looked_at(policy: "Settings", source: CandleSource) -> tuple[int, tuple[str, ...], tuple[Exclusion, ...]]:
    instruments, exclusions = watched_universe(source.instruments(), source.exclusions(), policy, ())
    return bar_ms_of(policy), tuple(one.symbol for one in instruments), exclusions


def _written(policies: Sequence["Settings"], source: CandleSource, start_ms: int, end_ms: int, folder: Path) -> Shelved:
    world = world_of(source, policies[0], start_ms, end_ms, policies)
    place, digest = write(world, folder)
    return Shelved(
        folder=str(place),
        digest=digest,
        start_ms=start_ms,
        end_ms=end_ms,
        bar_ms=world.frame.bar_ms,
        back=world.first,
        quote=source.quote,
        fingerprint=source.fingerprint,
        symbols=world.frame.symbols,
        exclusions=world.exclusions,
        warnings=source.warnings,
    )


def write(world: World, folder: Path) -> tuple[Path, str]:
    """(where the world lies, digest of all that it is). One that lies there whole is left alone."""
    frame = world.frame
    about = to_json(
        About(
            frame.symbols,
            frame.first_ms,
            frame.bar_ms,
            world.first,
            frame.before.first,
            tuple(map(tuple, frame.before.close.tolist())),
            world.instruments,
            world.exclusions,
        )
    )
    found = sha256(about.encode())
    for name in ARRAYS:
        found.update(np.ascontiguousarray(getattr(frame, name).T).data)
    place = folder / found.hexdigest()[:32]
    if not _is_whole(place, about, frame):
        place.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            np.save(place / f"{name}.{os.getpid()}.new.npy", getattr(frame, name))
            (place / f"{name}.{os.getpid()}.new.npy").replace(place / f"{name}.npy")
        new = place / f"{ABOUT}.{os.getpid()}.new"
        new.write_text(json.dumps({"about": about}), encoding="utf-8")
        new.replace(place / ABOUT)
    return place, found.hexdigest()


def _is_whole(place: Path, about: str, frame: Frame) -> bool:
    """Whether it all lies there, to the last bar: a power cut or a failing disk may have left it in pieces."""
    try:
        return json.loads((place / ABOUT).read_text(encoding="utf-8")) == {"about": about} and all(
            np.array_equal(np.load(place / f"{name}.npy", mmap_mode="r"), getattr(frame, name)) for name in ARRAYS
        )
    except (OSError, ValueError, EOFError):
        return False


@lru_cache(maxsize=HELD_MAX)
def opened_world(folder: str) -> World:
    """The world, its arrays mapped and read only. Raises DataUnavailable where this machine does not see it."""
    place = Path(folder)
    try:
        text = json.loads((place / ABOUT).read_text(encoding="utf-8"))["about"]
        arrays: dict[str, Any] = {name: np.asarray(np.load(place / f"{name}.npy", mmap_mode="r")) for name in ARRAYS}
    except FileNotFoundError as gap:
        raise DataUnavailable(
            f"{place} is not there on {socket.gethostname()}",
            remedy="--resume DIR, on a disk that all machines of the cluster share",
        ) from gap
    about = from_json(About, text)
    days = range(about.first_day, about.first_day + len(about.closes))
    before = closes_of(days, list(zip(*about.closes, strict=True)))
    frame = Frame(about.symbols, about.first_ms, about.bar_ms, **arrays, before=before)
    return World(about.instruments, about.exclusions, frame, about.first)


@lru_cache(maxsize=HELD_MAX)
def part_of(folder: str, start_ms: int, end_ms: int) -> World:
    """The same with decisions in [start_ms, end_ms) alone, and as much history in front of them."""
    world = opened_world(folder)
    frame, back = world.frame, world.first
    first, end = (max((at - frame.first_ms) // frame.bar_ms - 1, 0) for at in (start_ms, end_ms))
    cut = {name: getattr(frame, name)[first - back : end] for name in ARRAYS}
    part = replace(frame, first_ms=frame.first_ms + (first - back) * frame.bar_ms, **cut, before=days_of(frame))
    return World(world.instruments, world.exclusions, part, back)


@lru_cache(maxsize=HELD_MAX)
def memo_of(folder: str, start_ms: int, end_ms: int) -> Memo:
    """What the replays of that part, in this process, have in common."""
    return Memo()
