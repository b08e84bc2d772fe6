"""`trader runbook`: what to do in an incident, read in the terminal where it happens."""

from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Result
from cli.options import shared_of
from trader_core.domain.errors import UsageError

INSTALLED, CHECKOUT = Path(__file__).parents[1] / "runbooks", Path(__file__).parents[2] / "docs" / "runbooks"
INDEX = "index"
Name = Annotated[str, typer.Argument(metavar="NAME", help="As `trader runbook list` says it.")]


def list_(ctx: typer.Context) -> Result:
    """List the runbooks: one page an incident."""
    from cli.show import table

    found = {name: _title(text) for name, text in _pages().items()}
    rows = [[name, title] for name, title in found.items()]
    data = {"runbooks": [{"name": name, "title": title} for name, title in found.items()]}
    return Result(data, table(["runbook", "for"], rows, left=2))


def show(ctx: typer.Context, name: Name) -> Result:
    """Read one runbook: how it shows, what is safe meanwhile, what to type."""
    from cli.show import Ink, colours

    pages = _pages()
    if name not in pages:
        known = ", ".join(pages)
        raise UsageError(f"there is no runbook {name}; there are: {known}", safe="nothing was done", remedy="name one")
    text, ink = pages[name], Ink(not shared_of(ctx).json and colours())
    lines = [ink.bold(line.lstrip("# ")) if line.startswith("#") else line for line in text.splitlines()]
    return Result({"name": name, "title": _title(text), "text": text}, "\n".join(lines))


def _pages() -> dict[str, str]:
    """By name; what stands in the pages for the machinery of the documentation is left out."""
    folder = INSTALLED if INSTALLED.is_dir() else CHECKOUT
    found = {}
    for file in sorted(folder.glob("*.md")):
        if file.stem != INDEX:
            lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("<!--")]
            found[file.stem] = "\n".join(lines).strip() + "\n"
    return found


def _title(text: str) -> str:
    return text.splitlines()[0].lstrip("# ")
