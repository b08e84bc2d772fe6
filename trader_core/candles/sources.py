"""What the name of a file says about the candles in it, and which files of a folder are candles at all."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from trader_core.candles.files import PAIR, granularity_ms, refuse_venues
from trader_core.domain.errors import UsageError

SUFFIXES = (".csv.gz", ".json.gz", ".csv", ".feather", ".json", ".parquet")

_OUR_FILE = re.compile(rf"({PAIR.pattern})-([1-9]\d*[mhd])")  # BTC-USD-15m
_BOT_FILE = re.compile(r"([A-Z0-9]+)_([A-Z0-9]+)(_[A-Z0-9]+)?-(.+)")  # BTC_USDT-5m, BTC_USDT_USDT-5m-futures


class Source(Struct, frozen=True):
    """A file to import; pair and granularity as its name tells them. `named`: it was named itself, not its folder."""

    path: Path
    suffix: str
    symbol: str | None
    step_ms: int | None
    named: bool


class Skipped(Struct, frozen=True):
    """A file or folder that is left alone, and why."""

    path: str
    reason: str


def sources_of(places: Sequence[Path]) -> Iterator[Source | Skipped]:
    """The files that were named, and those of the folders that were: inside, and inside its <BASE-QUOTE> folders.

    Raises UsageError for a name that is no candles, and DataUnavailable for a folder of venues.
    """
    for place in places:
        if place.is_dir():
            yield from _inside(place)
        else:
            yield _named(place)


def _named(path: Path) -> Source:
    if not path.exists():
        raise UsageError(f"there is no {path}", safe="nothing was imported", remedy="name a file or a folder")
    found = recognised(path, named=True)
    if isinstance(found, Skipped):
        raise UsageError(f"{path}: {found.reason}", safe="nothing was imported", remedy="leave it out")
    return found


def _inside(folder: Path) -> Iterator[Source | Skipped]:
    pairs = [path for path in folder.iterdir() if path.is_dir() and PAIR.fullmatch(path.name)]
    if not pairs:
        refuse_venues(folder)
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path in pairs:
            yield from (recognised(one, named=False) for one in sorted(path.iterdir()) if one.name[0] != ".")
        else:
            yield recognised(path, named=False)


def recognised(path: Path, named: bool) -> Source | Skipped:
    """From the name alone: BTC_USDT-5m.feather, BTC-USD-15m.csv, or <BASE-QUOTE>/15m.parquet; others tell nothing."""
    suffix = next((one for one in SUFFIXES if path.name.endswith(one)), None)
    if path.is_dir():
        return Skipped(str(path), "folders in folders are not searched")
    if suffix is None:
        return Skipped(str(path), f"its name ends in none of {', '.join(sorted(SUFFIXES))}")
    stem, folder = path.name.removesuffix(suffix), path.absolute().parent.name
    match = _BOT_FILE.fullmatch(stem)
    if match:
        return _bot_file(path, suffix, match, named)
    ours = _OUR_FILE.fullmatch(stem)
    if ours and (step_ms := granularity_ms(ours[2])):
        return Source(path, suffix, ours[1], step_ms, named)
    step_ms = granularity_ms(stem)
    if PAIR.fullmatch(folder) and step_ms:
        return Source(path, suffix, folder, step_ms, named)
    return Source(path, suffix, None, None, named)


def _bot_file(path: Path, suffix: str, match: re.Match[str], named: bool) -> Source | Skipped:
    base, quote, settled, what = match.groups()
    if settled or what.endswith("-futures"):
        return Skipped(str(path), "it holds futures, and a folder of candles holds spot pairs")
    step_ms = granularity_ms(what)
    if step_ms is None:
        return Skipped(str(path), f"'{what}' is no granularity of candles: minutes, hours or days, as 15m, 1h, 1d")
    return Source(path, suffix, f"{base}-{quote}", step_ms, named)
