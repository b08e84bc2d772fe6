"""What sweep, walk-forward and montecarlo share: their options, their workers, and how far they have got."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from trader_core.research.space import Dimension
    from trader_core.research.sweep import Study
    from trader_core.settings.options import Options
    from trader_core.settings.schema import Settings

Engine = Annotated[
    str,
    typer.Option("--engine", metavar="WHERE", help="local, dask://HOST:PORT or ray://HOST:PORT; dask://local, too."),
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", min=1, max=1024, metavar="N", help="Workers on this machine. Default: its cores."),
]
Resume = Annotated[
    Path | None,
    typer.Option("--resume", metavar="DIR", help="Keep there what is done, and go on from what is kept."),
]
Chance = Annotated[
    int, typer.Option("--seed", min=0, metavar="N", help="Seed of all chance, and of the sample market.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write all of it there, as JSON.")]
Objective = Annotated[str, typer.Option("--objective", metavar="FIGURE", help="What the best has most of.")]
Grid = Annotated[
    list[str] | None, typer.Option("--grid", metavar="KEY=V1,V2,...", help="Values of a policy key; repeatable.")
]
Span = Annotated[
    list[str] | None,
    typer.Option("--range", metavar="KEY=LOW..HIGH[:log|int]", help="Values to draw from; repeatable."),
]
Draws = Annotated[int | None, typer.Option("--random", min=1, max=1_000_000, metavar="N", help="Draw so many.")]
Search = Annotated[int | None, typer.Option("--optuna", min=1, max=100_000, metavar="N", help="Search, in so many.")]


@contextmanager
def studied(options: "Options", engine: str, jobs: int | None, resume: Path | None) -> "Iterator[Study]":
    """The market, the workers and the results of one command, until it ends."""
    from cli.files import check_folder
    from cli.progress import Progress
    from trader_core.inquiry import inquiry

    check_folder(resume, "--resume")
    compiling, replaying = Progress("compiling the law", "rules"), Progress("replaying", "trials")
    with replaying, inquiry(options, engine, jobs, resume, compiling, replaying) as study:
        yield study


def dimensions_of(grid: Sequence[str] | None, span: Sequence[str] | None, policy: "Settings") -> "list[Dimension]":
    """In the order in which they were said, listed values first. Raises UsageError."""
    from trader_core.research.space import choice_of, keys_of, range_of

    found: list[Dimension] = [choice_of(one, policy) for one in grid or ()]
    found += [range_of(one, policy) for one in span or ()]
    if not list(keys_of(found)):
        raise UsageError("nothing is to be tried", remedy="--grid strategies.sma_cross.fast_bars=5,10,20")
    return found


def report_of(made: Mapping[str, Any], **sections: Any) -> dict[str, Any]:
    """The document; `made` is what the figures depend on."""
    from cli.commands.version import version_text

    return {"metadata": {"trader": version_text(), **made}, **sections}


def write(path: Path, report: Mapping[str, Any]) -> None:
    from cli.files import save
    from cli.plain import document

    save(path, "--out", document(report))


def short_key(key: str) -> str:
    """The end of a dotted key, which tells one from another in most tables."""
    return key.rpartition(".")[2]


def cell(value: Any) -> str:
    """A figure of a table."""
    from cli.show import figure

    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else figure(float(value))
