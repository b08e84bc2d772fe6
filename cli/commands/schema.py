"""`trader schema`: what the JSON of a command looks like, as published."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.exits import Result

SCHEMAS = Path(__file__).parents[1] / "schemas"


def schema(
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND...", help="Like status, or halt show. Default: list them.")
    ] = None,
) -> Result:
    """Print the JSON Schema of what a command tells with --json. It grows; what is in it stays."""
    known = {one.stem: one for one in sorted(SCHEMAS.glob("*.json"))}
    if not command:
        return Result({"schemas": [f"trader.{name}/v1" for name in known]}, "\n".join(known))
    name = ".".join(command)
    if name not in known:
        raise typer.BadParameter(f"there is no schema of '{' '.join(command)}'", param_hint="COMMAND")
    text = known[name].read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return Result(found, text.rstrip("\n"))
