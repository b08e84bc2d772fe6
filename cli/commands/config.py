"""`trader config`: one configuration beside another."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.settings.compare import Change
    from trader_core.settings.schema import Settings

EFFECTS = {"loosens": "more risk", "tightens": "less risk", "changed": "neither for certain"}

Before = Annotated[Path, typer.Argument(metavar="A", help="Five YAML files, as they were.")]
After = Annotated[Path, typer.Argument(metavar="B", help="Five YAML files, as they would be.")]


def diff(before: Before, after: After) -> Result:
    """Compare two configurations: every key that differs, and what that does to the risk that is allowed."""
    from cli.plain import jsonable
    from cli.show import Ink, colours
    from trader_core.settings.compare import compare
    from trader_core.settings.digest import digest

    old, new = _both(before, after)
    changes = compare(old, new)
    counts = {effect: sum(one.effect == effect for one in changes) for effect in EFFECTS}
    found = {
        "before": {"directory": str(before.absolute()), "digest": digest(old)},
        "after": {"directory": str(after.absolute()), "digest": digest(new)},
        "counts": counts,
        "changes": [jsonable(one) | {"meaning": one.meaning} for one in changes],
    }
    return Result(found, _text(changes, counts, Ink(colours())))


def _both(before: Path, after: Path) -> tuple["Settings", "Settings"]:
    """Raises ConfigInvalid with the problems of both."""
    from shlex import join

    from trader_core.domain.errors import ConfigInvalid
    from trader_core.settings.load import load

    loaded: list[Settings] = []
    problems: list[str] = []
    for directory in (before, after):
        try:
            loaded.append(load(directory))
        except ConfigInvalid as invalid:
            problems += invalid.problems
    if problems:
        again = join(["trader", "config", "diff", str(before), str(after)])
        raise ConfigInvalid(tuple(dict.fromkeys(problems)), f"mend the lines above, then: {again}")
    return loaded[0], loaded[1]


def _text(changes: "tuple[Change, ...]", counts: dict[str, int], ink: "Ink") -> str:
    from cli.show import count

    if not changes:
        return "no setting differs"
    styles = {"loosens": ink.bad, "tightens": ink.good, "changed": ink.bold}
    how = ", ".join(f"{EFFECTS[effect]} {number}" for effect, number in counts.items() if number)
    lines = [f"{count(len(changes), 'setting differs', 'settings differ')}: {how}"]
    for effect, style in styles.items():
        if counts[effect]:
            lines += ["", style(EFFECTS[effect])]
            lines += [line for one in changes if one.effect == effect for line in _lines(one)]
    return "\n".join(lines)


def _lines(change: "Change") -> list[str]:
    """The key on a line; below it both values and what they mean."""
    from textwrap import wrap

    from cli.show import WIDTH

    values = f"{_values(change)}   {change.meaning}".rstrip()
    below = wrap(values, WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False)
    return [f"  {change.file}.yaml: {change.key}", *below]


def _values(change: "Change") -> str:
    """'3 -> 7.5', '+ SOL, - DOGE'."""
    from trader_core.settings.document import shown

    elements = [f"+ {name}" for name in change.added] + [f"- {name}" for name in change.removed]
    if elements:
        return ", ".join(elements)
    reordered = isinstance(change.before, tuple) and isinstance(change.after, tuple)
    return "in another order" if reordered else f"{shown(change.before)} -> {shown(change.after)}"
