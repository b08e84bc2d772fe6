"""One source of candles: its rows, which of them are bad, and the file of the folder to which they belong."""

import shlex
from pathlib import Path

import numpy as np
from msgspec import Struct

from trader_core.candles.bars import FAULTS, faults
from trader_core.candles.files import CandleFile, Ints, Rows, granularity_name
from trader_core.candles.foreign import Foreign, broken, read_foreign
from trader_core.candles.sources import Skipped, Source
from trader_core.domain.clocktime import MINUTE_MS
from trader_core.domain.errors import UsageError

JUDGED_FROM_ROWS = 20  # a file of so many rows, most of which are bad, is something else than it seems
NOTHING = "nothing was imported"


class Offer(Struct, frozen=True):
    """The rows of one source, and where they belong."""

    target: CandleFile
    source: Source
    rows: Rows
    faults: Ints
    warnings: tuple[str, ...]


def offer_of(directory: Path, source: Source | Skipped, symbol: str | None, step_ms: int | None) -> Offer | Skipped:
    """Its rows, and the file of the folder to which they belong."""
    if isinstance(source, Skipped):
        return source
    pair = _agreed(source, "--pair", source.symbol, symbol)
    _agreed(source, "--granularity", _name(source.step_ms), _name(step_ms))
    if pair is None:
        return _nameless(source, directory)
    foreign = read_foreign(source.path, source.suffix, pair.partition("-")[0])
    told_ms = source.step_ms or step_ms
    common_ms = common_step(foreign.rows.ts)
    target_ms = told_ms or _derived(source, common_ms)
    if common_ms and common_ms < target_ms:
        told = "its name" if source.step_ms else "--granularity"
        raise broken(
            source.path,
            f"{told} says {_name(target_ms)}, and its bars are {_name(common_ms)} apart",
            "name the file after its granularity" if source.step_ms else f"--granularity {_name(common_ms)}",
        )
    found = _faults(source, foreign, target_ms)
    path = directory / pair / f"{granularity_name(target_ms)}.parquet"
    target = CandleFile(pair, granularity_name(target_ms), target_ms, path)
    return Offer(target, source, foreign.rows, found, _remarks(source, foreign, target_ms, common_ms))


def _agreed(source: Source, option: str, told: str | None, asked: str | None) -> str | None:
    """What the name tells, else the option; they may not contradict each other."""
    if told and asked and told != asked:
        raise UsageError(
            f"{source.path} is {told} by its name, and {option} says {asked}",
            safe=NOTHING,
            remedy=f"leave {option} out, or import this file by itself",
        )
    return told or asked


def _nameless(source: Source, directory: Path) -> Skipped:
    what, place = "its name tells no pair", shlex.quote(str(directory))
    remedy = f"trader data import {shlex.quote(str(source.path))} --data {place} --pair BTC-USD"
    if source.named:
        raise UsageError(f"{source.path}: {what}", safe=NOTHING, remedy=remedy)
    return Skipped(str(source.path), f"{what}: import it by itself, with --pair")


def common_step(ts: Ints) -> int | None:
    """The most common distance between one bar and the next in ms, the smallest among equals; None for one bar."""
    steps, counts = np.unique(np.diff(np.unique(ts)), return_counts=True)
    return int(steps[np.argmax(counts)]) if len(steps) else None


def _derived(source: Source, common_ms: int | None) -> int:
    if common_ms is None or common_ms % MINUTE_MS:
        apart = "it has fewer than two bars" if common_ms is None else f"its bars are {common_ms} ms apart"
        raise broken(source.path, f"nothing tells its granularity: {apart}", "add --granularity 15m")
    return common_ms


def _faults(source: Source, foreign: Foreign, step_ms: int) -> Ints:
    """Raises DataUnavailable where most of a file is bad: it is another granularity, order or thing than it seems."""
    found = np.where(foreign.between_ms, FAULTS.index("off_grid"), faults(foreign.rows, step_ms))
    bad = int(np.count_nonzero(found))
    if len(found) >= JUDGED_FROM_ROWS and 2 * bad > len(found):
        most = FAULTS[int(np.bincount(found[found > 0]).argmax())]
        raise broken(
            source.path,
            f"{bad} of its {len(found)} rows are bad, most of them {most}",
            "are these candles, and its columns in the order that they are read in?",
        )
    return found


def _remarks(source: Source, foreign: Foreign, step_ms: int, common_ms: int | None) -> tuple[str, ...]:
    lines = (
        "it holds no rows" if not len(foreign.rows) else "",
        "its times name no zone and were taken as UTC" if foreign.zoneless else "",
        f"taken as {_name(step_ms)}, its bars are {_name(common_ms)} apart" if (common_ms or 0) > step_ms else "",
    )
    return tuple(f"{source.path}: {line}" for line in lines if line)


def _name(step_ms: int | None) -> str | None:
    return granularity_name(step_ms) if step_ms else None
