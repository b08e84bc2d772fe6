"""The command line as values: every command with its words, arguments and options, as help, completions and manual
pages tell it. Nothing is written down twice: all of it is read off the commands themselves."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

PROGRAM = "trader"
GLOBAL = ("--state", "--config", "--mode", "--venue", "--log", "--json", "--help")
_CHOICE = r"[\w-]+"
_CHOICES = re.compile(rf"^(?:[^:.]*: )?({_CHOICE}(?:, {_CHOICE})+(?: or {_CHOICE})?)(?:[.;]|$)")

MEANS = {  # what each exit code says, and what a timer may make of it
    0: "Done; a healthy cycle without a trade too.",
    1: "A bug. What was recorded stays recorded. Of `backtest --baseline`: a figure is off.",
    2: "The command line makes no sense; nothing was done. Of `backtest --baseline`: nothing can be compared.",
    10: "The configuration is wrong.",
    11: "The venue's key is missing, badly kept, too old, or may do what it must not.",
    12: "This machine's clock is off, or nobody knows how far.",
    13: "The state is missing, unreadable, of another account or of another version.",
    14: "Another process owns this state, or holds a file of it for too long.",
    20: "Trading or a reset was refused, or a check failed. No harm: nothing was sent.",
    21: "A kill or a halt is in force.",
    22: "What was agreed to is not what would happen now: a plan, a version.",
    23: "Market data is missing or too old, or the market is closed.",
    30: "The venue does not answer.",
    31: "Too many requests: the venue's word, or our own bucket.",
    32: "The venue read the request and refused it.",
    40: "Ledger and venue differ.",
    41: "Nobody knows what became of an order; the next cycle asks the venue.",
    42: "A position has had nothing at the venue to protect it for too long.",
    50: "A kill or a sale could not do everything. It names what a person has to do.",
    60: "A backtest, a replay or a comparison came out differently.",
    61: "The journal's chain of hashes is broken.",
    70: "The work is done, but an alert was not delivered.",
    75: "Not now; the next tick tries again.",
    129: "The terminal went away; ended between two steps.",
    130: "Interrupted by Ctrl-C. What was recorded stays recorded.",
    141: "Whoever read the output has gone.",
    143: "Ended by a signal, between two steps.",
}


@dataclass(frozen=True)
class Option:
    """`value` is the name of what follows it, empty for a flag."""

    names: tuple[str, ...]
    value: str
    help: str
    default: str
    kind: str  # "flag" | "file" | "dir" | "words" | "text"
    words: tuple[str, ...] = ()
    repeatable: bool = False
    required: bool = False


@dataclass(frozen=True)
class Page:
    """One command, and those below it."""

    path: tuple[str, ...]  # ("halt", "show"); empty for the program itself
    help: str
    arguments: tuple[Option, ...]
    options: tuple[Option, ...]
    below: tuple["Page", ...]

    @property
    def name(self) -> str:
        return " ".join((PROGRAM, *self.path))

    @property
    def summary(self) -> str:
        """The first sentence of its help."""
        return re.split(r"(?<=[.;:])\s", self.help, maxsplit=1)[0].rstrip(".;:")

    @property
    def own(self) -> tuple[Option, ...]:
        """The options that not every command has."""
        return tuple(one for one in self.options if not set(one.names) & set(GLOBAL))

    @property
    def usage(self) -> str:
        words = [*(["OPTIONS"] if self.options else []), *(["COMMAND"] if self.below else [])]
        return " ".join([self.name, *(f"[{one}]" for one in words), *(_usage(one) for one in self.arguments)])

    def all(self) -> Iterator["Page"]:
        yield self
        for one in self.below:
            yield from one.all()


def manual() -> Page:
    """The whole command line."""
    from cli.table import build

    return _page(build(), ())


def _page(command: Any, path: tuple[str, ...]) -> Page:
    told = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    arguments = [one for one in told if one.param_type_name == "argument"]
    options = [_option(one) for one in told if one.param_type_name == "option"]
    options.append(Option(("--help",), "", "Show what there is to say, and do nothing.", "", "flag"))
    below = tuple(_page(one, (*path, name)) for name, one in getattr(command, "commands", {}).items())
    return Page(path, " ".join((command.help or "").split()), tuple(map(_argument, arguments)), tuple(options), below)


def _argument(parameter: Any) -> Option:
    name = (parameter.metavar or parameter.name.upper()).strip("[]").removesuffix("...")
    kind, words = _kind(parameter, name)
    return Option((name,), name, _text(parameter), "", kind, words, parameter.nargs == -1, parameter.required)


def _option(parameter: Any) -> Option:
    names = (*parameter.opts, *parameter.secondary_opts)
    if parameter.is_flag:
        return Option(names, "", _text(parameter), "", "flag")
    value = parameter.metavar or parameter.type.name.upper()
    kind, words = _kind(parameter, value)
    default = "" if parameter.default in (None, "") or parameter.multiple else f"{parameter.default}"
    return Option(names, value, _text(parameter), default, kind, words, parameter.multiple, parameter.required)


def _text(parameter: Any) -> str:
    return " ".join((parameter.help or "").split())


def _kind(parameter: Any, value: str) -> tuple[str, tuple[str, ...]]:
    """What may follow. A help text that begins with a list of words says that it is one of them."""
    if value in ("DIR", "FILE") or parameter.type.name in ("path", "file", "directory"):
        return ("dir" if value == "DIR" else "file"), ()
    listed = _CHOICES.match(_text(parameter))
    return ("words", tuple(re.split(", | or ", listed[1]))) if listed else ("text", ())


def _usage(one: Option) -> str:
    name = f"{one.value}..." if one.repeatable else one.value
    return name if one.required else f"[{name}]"


def valued(pages: Page) -> dict[str, Option]:
    """Every option that a value follows, so that a shell knows what the next word is; but for `bare`."""
    return {name: one for page in pages.all() for one in page.options if one.kind != "flag" for name in one.names}


def bare(pages: Page) -> list[tuple[tuple[str, ...], str]]:
    """(command, flag) where the same name takes a value in another command."""
    takes = valued(pages)
    flags = [(page, one) for page in pages.all() for one in page.options if one.kind == "flag"]
    return sorted((page.path, name) for page, one in flags for name in one.names if name in takes)
