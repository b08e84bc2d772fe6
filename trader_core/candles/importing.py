"""Candles from files into one venue's folder: everything is read before anything is written, nothing is repaired."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
from msgspec import Struct

from trader_core.candles.bars import FAULTS, faults
from trader_core.candles.files import (
    COLUMNS,
    NO_ROWS,
    PAIR,
    CandleFile,
    Rows,
    granularity_ms,
    read_columns,
    read_rows,
    refuse_venues,
)
from trader_core.candles.foreign import broken
from trader_core.candles.merge import Fate, Merged, merge
from trader_core.candles.offers import NOTHING, Offer, offer_of
from trader_core.candles.sources import Skipped, sources_of
from trader_core.candles.writing import only_writer, refuse_files, write_rows
from trader_core.domain.errors import UsageError


class Prices(Struct, frozen=True):
    open: float
    high: float
    low: float
    close: float
    volume: float


class Conflict(Struct, frozen=True):
    """Two bars of one time. `kept` stays; `refused` came from `source`."""

    at_ms: int
    source: str
    kept: Prices
    refused: Prices


class BadBar(Struct, frozen=True):
    """A row that was not imported; `reason` is one of FAULTS."""

    at_ms: int
    source: str
    reason: str


class ImportedFile(Struct, frozen=True):
    """One file of the folder. rows = new + known + duplicates + conflicts + bad; `bars` are in the file after it."""

    pair: str
    granularity: str
    path: str
    sources: tuple[str, ...]
    rows: int
    new: int
    known: int
    duplicates: int
    conflicts: tuple[Conflict, ...]
    bad: tuple[BadBar, ...]
    bars: int
    first_ms: int | None
    last_ms: int | None


class Imported(Struct, frozen=True):
    """What an import did, or in a dry run would do."""

    directory: str
    dry_run: bool
    files: tuple[ImportedFile, ...]
    skipped: tuple[Skipped, ...]
    warnings: tuple[str, ...]

    @property
    def conflicts(self) -> int:
        return sum(len(file.conflicts) for file in self.files)


class _Plan(Struct, frozen=True):
    """What one file of the folder will become."""

    target: CandleFile
    offers: tuple[Offer, ...]
    there: Rows
    merged: Merged

    @property
    def grows(self) -> bool:
        return len(self.merged.rows) > len(self.there)

    @property
    def begins_anew(self) -> bool:
        """The file is new, or has an earlier first bar: by these an account knows its data again."""
        return self.grows and not (len(self.there) and self.there.ts[0] == self.merged.rows.ts[0])


def import_files(
    places: Sequence[Path],
    directory: Path,
    symbol: str | None = None,
    granularity: str | None = None,
    dry_run: bool = False,
) -> Imported:
    """Take the candles of files and folders into DIR; `symbol` and `granularity` where the names do not tell them.

    What is there is kept. Raises UsageError or DataUnavailable with nothing written, StateUnusable where it cannot be.
    """
    symbol, step_ms = _asked(symbol, granularity)
    if directory.is_dir() and not any(PAIR.fullmatch(path.name) for path in directory.iterdir()):
        refuse_venues(directory)
    found = [offer_of(directory, one, symbol, step_ms) for one in sources_of(places)]
    skipped = tuple(one for one in found if isinstance(one, Skipped))
    offers = [one for one in found if isinstance(one, Offer)]
    if not offers:
        raise _nothing_found(skipped)
    for offer in offers:
        refuse_files(offer.target.path.parent)
    with nullcontext() if dry_run else only_writer(directory):
        plans = [_plan(target, offers) for target in dict.fromkeys(offer.target for offer in offers)]
        warnings = (*(line for offer in offers for line in offer.warnings), *_other_data(directory, plans))
        for plan in plans:
            if plan.grows and not dry_run:
                write_rows(plan.target.path, plan.merged.rows)
    return Imported(str(directory), dry_run, tuple(map(_imported, plans)), skipped, warnings)


def _asked(symbol: str | None, granularity: str | None) -> tuple[str | None, int | None]:
    """The options, checked."""
    symbol = symbol.upper() if symbol else None
    if symbol and not PAIR.fullmatch(symbol):
        raise UsageError(f"--pair: '{symbol}' is no pair", safe=NOTHING, remedy="--pair BTC-USD")
    step_ms = granularity_ms(granularity) if granularity else None
    if granularity and step_ms is None:
        raise UsageError(
            f"--granularity: '{granularity}' is not minutes, hours or days", safe=NOTHING, remedy="--granularity 15m"
        )
    return symbol, step_ms


def _nothing_found(skipped: tuple[Skipped, ...]) -> UsageError:
    lines = "".join(f"\n  {one.path}: {one.reason}" for one in skipped)
    remedy = "a file's name tells its pair: BTC_USD-15m.csv, BTC-USD/15m.csv; else add --pair"
    return UsageError(f"there are no candles to import{lines}", safe=NOTHING, remedy=remedy)


# --- one file of the folder ------------------------------------------------------------------------------------------


def _plan(target: CandleFile, offers: Sequence[Offer]) -> _Plan:
    ours = tuple(offer for offer in offers if offer.target == target)
    rows = NO_ROWS
    for offer in ours:
        rows = rows.joined(offer.rows)
    there = _there(target)
    return _Plan(target, ours, there, merge(there, rows, np.concatenate([offer.faults for offer in ours])))


def _there(target: CandleFile) -> Rows:
    """What the folder has. Raises DataUnavailable where that is not as an import leaves it."""
    if not target.path.exists():
        return NO_ROWS
    more = [name for name in read_columns(target) if name not in COLUMNS]
    if more:
        raise broken(target.path, f"the folder's own file has more columns: {', '.join(more)}", "move it away")
    rows = read_rows(target)
    if np.any(np.diff(rows.ts) <= 0) or np.any(faults(rows, target.step_ms)):
        raise broken(
            target.path,
            "the folder's own file has bad, repeated or unsorted bars, and nothing is merged into such a file",
            f"trader data check --data {target.path.parents[1]}; then move the file away and import it",
        )
    return rows


def _other_data(directory: Path, plans: Sequence[_Plan]) -> tuple[str, ...]:
    """A folder in which something begins anew is other data to the accounts that trade it."""
    new = [f"{plan.target.symbol} {plan.target.granularity}" for plan in plans if plan.begins_anew]
    if not new or not any(directory.glob("*/*.parquet")):
        return ()
    return (f"an account that already trades {directory} may refuse it as other data: {', '.join(new)} begins anew",)


def _imported(plan: _Plan) -> ImportedFile:
    merged, fates = plan.merged, plan.merged.fates
    counts = np.bincount(fates, minlength=len(Fate)).tolist()
    ends = np.cumsum([len(offer.rows) for offer in plan.offers])

    def offered(fate: Fate) -> Iterator[tuple[Offer, int, int]]:
        """Each row of that fate: whose it is, which one there, and its place in the merged rows."""
        for n in np.flatnonzero(fates == fate).tolist():
            one = int(ends.searchsorted(n, side="right"))
            offer = plan.offers[one]
            yield offer, n - int(ends[one]) + len(offer.rows), int(merged.kept[n])

    return ImportedFile(
        pair=plan.target.symbol,
        granularity=plan.target.granularity,
        path=str(plan.target.path),
        sources=tuple(str(offer.source.path) for offer in plan.offers),
        rows=len(fates),
        new=counts[Fate.NEW],
        known=counts[Fate.KNOWN],
        duplicates=counts[Fate.DUPLICATE],
        conflicts=tuple(_conflict(offer, row, merged.rows, at) for offer, row, at in offered(Fate.CONFLICT)),
        bad=tuple(_bad(offer, row) for offer, row, _ in offered(Fate.BAD)),
        bars=len(merged.rows),
        first_ms=int(merged.rows.ts[0]) if len(merged.rows) else None,
        last_ms=int(merged.rows.ts[-1]) if len(merged.rows) else None,
    )


def _conflict(offer: Offer, row: int, rows: Rows, kept: int) -> Conflict:
    at_ms = int(offer.rows.ts[row])
    return Conflict(at_ms, str(offer.source.path), _prices(rows, kept), _prices(offer.rows, row))


def _prices(rows: Rows, row: int) -> Prices:
    return Prices(*(float(column[row]) for column in rows.values()))


def _bad(offer: Offer, row: int) -> BadBar:
    return BadBar(int(offer.rows.ts[row]), str(offer.source.path), FAULTS[int(offer.faults[row])])
