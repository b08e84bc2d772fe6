"""`trader init`: a configuration of one's own and the directories of the state. Never required, harmless to repeat."""

from typing import TYPE_CHECKING

import typer

from cli.exits import Result, warned
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from trader_core.places import Places

INVALID = 10


def init(ctx: typer.Context) -> Result:
    """Make a configuration to be changed, and the directories of the state. What is there stays as it is."""
    from cli.show import shell
    from trader_core.places import make_places

    shared = shared_of(ctx)
    found = make_places(options_of(shared))
    named = shell({
        "config": str(found.config) if shared.config else None, "state": str(found.state) if shared.state else None,
    })  # fmt: skip
    nearer = found.in_force != found.config
    warnings = [f"{found.in_force} is nearer, and is what commands read here"] if nearer else []
    next_ = (
        f"trader validate-config{named}" if found.problems else
        f"trader run --mode PAPER --venue simulated --cycles 20{named}"
    )  # fmt: skip
    data = {
        "config": str(found.config), "state": str(found.state), "made": [str(one) for one in found.made],
        "present": [str(one) for one in found.present], "in_force": str(found.in_force), "problems": found.problems,
        "next": next_,
    }  # fmt: skip
    return Result(data, _told(found, next_), INVALID if found.problems else 0, warned(warnings))


def _told(found: "Places", next_: str) -> str:
    from cli.show import pairs

    rows = [("made", str(path)) for path in found.made]
    rows += [("was there", str(path)) for path in found.present]
    rows += [("wrong", problem) for problem in found.problems]
    return pairs([*rows, ("next", next_)])
