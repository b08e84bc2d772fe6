"""The pages of docs/reference/ that are made from the code: commands, configuration, verdicts, exit codes, schemas."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from cli.exits import EXITS, TIMER_FINE
from cli.manual import MEANS, Option, Page
from tests.settings.keys import Leaf, leaf_keys
from tests.shared import ROOT
from trader_core.rulebook.codes import GATES
from trader_core.settings.direction import direction
from trader_core.settings.document import read
from trader_core.settings.schema import FILES, UNITS, unit_of

NOTICE = "<!-- Generated from the code by `make docs-write`; what is changed here is lost. -->"
SCHEMAS = ROOT / "cli" / "schemas"
NOTE = re.compile(r"\s#\s(.*)$")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def page(title: str, *parts: str) -> str:
    return "\n\n".join([f"# {title}", NOTICE, *(part for part in parts if part)]) + "\n"


# --- commands --------------------------------------------------------------------------------------------------------


def commands(pages: Page) -> str:
    head = (
        "Every command and every option, as `--help` tells them. The [exit codes](exit-codes.md) are the same for all, "
        "and so is the envelope of [`--json`](json.md)."
    )
    shared = f"## Options of every command\n\n{_options(pages.options)}\n\nThey stand before or after the command."
    return page("Commands", head, shared, *(_command(one) for below in pages.below for one in below.all()))


def _command(one: Page) -> str:
    title = f"{'#' * (1 + len(one.path))} `{one.name}`"
    usage = "" if one.below else f"`{one.usage}`"
    return "\n\n".join(part for part in (title, usage, _code(one.help), _options(one.arguments + one.own)) if part)


def _options(options: Sequence[Option]) -> str:
    return table(["option", "what", "default"], [_row(one) for one in options]) if options else ""


def _row(one: Option) -> list[str]:
    value = f" {one.value}" if one.value and one.value not in one.names else ""
    names = ", ".join(f"`{name}{value}`" for name in one.names)
    needed = ["; required"] if one.required and value else []
    listed = re.sub(rf"(?<![\w-])({'|'.join(one.words)})(?=[,.;]| or )", r"`\1`", one.help) if one.words else one.help
    return [names + "".join(needed), _code(listed), one.default and f"`{one.default}`"]


def _code(text: str) -> str:
    """Words that Markdown must not read as its own."""
    return re.sub(r"(?<![`\w])([\w/$-]*[_*<>$][^\s,;]*[\w>*])", r"`\1`", text) if "`" not in text else text


# --- configuration ---------------------------------------------------------------------------------------------------


def configuration() -> str:
    head = (
        "Every key of the five files: what it is, its range, its unit, and the value that is shipped. A key that is "
        "missing, unknown or out of range is refused with exit code 10; `trader validate-config` tells all of them at "
        "once, `trader validate-config --effective` from which line each value comes. The column *looser* says which "
        "way allows more risk; **bold** is what `trader policy set` may move "
        "([the policy store](policy.md))."
    )
    return page("Configuration", head, *(_file(name) for name in FILES))


def _file(name: str) -> str:
    lines = (ROOT / "config" / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    at = read(ROOT / "config" / f"{name}.yaml").lines
    intro = " ".join(line.removeprefix("#").strip() for line in lines[: _first_key(lines)] if line.startswith("#"))
    leaves = [leaf for leaf in leaf_keys() if leaf.path[0] == name]
    rows = [[*_key(leaf), _note(lines[at[leaf.path[1:]] - 1])] for leaf in leaves]
    return f"## {name}.yaml\n\n{intro}\n\n" + table(["key", "shipped", "range", "unit", "looser", "what"], rows)


def _first_key(lines: Sequence[str]) -> int:
    return next(n for n, line in enumerate(lines) if line and not line.startswith("#"))


def _key(leaf: Leaf) -> list[str]:
    unit = UNITS.get(unit_of(leaf.path[-1]), "")
    return [f"`{'.'.join(leaf.path[1:])}`", _shown(leaf.shipped), _range(leaf), unit, _looser(leaf)]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {_shown(item)}" for key, item in value.items()) or "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) or "empty"


def _range(leaf: Leaf) -> str:
    if leaf.is_number:
        return f"{leaf.low} to {leaf.high}"
    return {"choice": "one of a list", "flag": "true or false"}.get(leaf.kind, leaf.kind)


def _looser(leaf: Leaf) -> str:
    row = direction(".".join(leaf.path))
    way = {1: "more", -1: "less", 0: ""}[row.more]
    return f"**{way}**" if way and row.movable else way


def _note(line: str) -> str:
    found = NOTE.search(line)
    return found[1] if found else ""


# --- verdicts and exit codes -----------------------------------------------------------------------------------------


def verdicts() -> str:
    rules = (ROOT / "docs/reference/rules.md").read_text(encoding="utf-8")
    measured = dict(re.findall(r"^\| \w+ \| ([A-Z_]+) \| \w+ \| (.*) \|$", rules, re.MULTILINE))
    rows = [
        [f"`{gate.verdict.name}`", gate.name, *measured[gate.verdict.name].split(" | "), _passes(gate.sense, gate.unit)]
        for gate in sorted(GATES, key=lambda gate: gate.verdict.name)
    ]
    head = (
        "What a gate says when it refuses an entry, by name: `trader why` shows them with value, limit and margin, the "
        "journal keeps them. The order in which they judge is that of [the rules](rules.md). `OK` means that no gate "
        "objected, `NOT_APPLICABLE` that this one had nothing to measure."
    )
    return page("Verdict codes", head, table(["verdict", "gate", "measures", "set by", "passes while"], rows))


def _passes(sense: int, unit: str) -> str:
    return f"{'at most' if sense > 0 else 'at least'} the limit" + (
        f", {unit}" if unit not in ("state", "count") else ""
    )


def exit_codes() -> str:
    rows = [[f"`{code}`", name, MEANS[code], "yes" if code in (0, *TIMER_FINE) else ""] for code, name in EXITS.items()]
    head = (
        "One table for every command. `--json` tells the code and its name too. Where a command has several to give, "
        "the worst wins: 50, 42, 41, 40 and 61 in this order before all others, of those the highest, then 70, which "
        "says that the work is done, and what is fine for a timer last. `run` ends with 0 when every asked cycle was "
        "completed and recorded; a cycle's own code belongs to `run-cycle`."
    )
    return page("Exit codes", head, table(["code", "name", "means", "fine for a timer"], rows))


def schemas() -> str:
    names = sorted(one.stem for one in SCHEMAS.glob("*.json"))
    rows = [[f"`trader {_words(name)} --json`", f"`trader.{name}/v1`", _members(name)] for name in names]
    head = (
        "With `--json` a command prints one document on standard output, also when it fails:\n\n"
        "| member | what |\n| --- | --- |\n"
        "| `schema` | `trader.COMMAND/v1`, words joined by a dot |\n"
        "| `ok` | whether the exit code is 0 |\n"
        "| `exit_code`, `exit_name` | from the [table](exit-codes.md) |\n"
        "| `data` | what the command found; after a failure `error` with `what`, `safe`, `remedy` and `problems` |\n"
        "| `warnings` | a list of sentences; they were told on standard error as well |\n\n"
        "Amounts are text and exact. Times are RFC 3339 in UTC. `null` is unknown or not defined, never zero. "
        "`trader schema COMMAND` prints the JSON Schema. Members are added; none goes away or changes its type "
        "without a new number behind the slash. Ignore what you do not know."
    )
    return page("JSON", head, table(["command", "schema", "members of `data`"], rows))


def _words(name: str) -> str:
    return "--version" if name == "version" else name.replace(".", " ")


def _members(name: str) -> str:
    data = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))["properties"]["data"]["anyOf"][-1]
    return ", ".join(f"`{one}`" for one in data.get("properties", {})) or data.get("type", "")


def listed() -> list[Path]:
    """Every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
