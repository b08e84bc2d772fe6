"""Manual pages, as troff: one for the program, and one for each command with all that stands below it."""

from collections.abc import Iterator

from cli.exits import EXITS
from cli.manual import GLOBAL, MEANS, PROGRAM, Option, Page

FILES = (
    ("config/*.yaml", "The five files of the configuration. Their keys are in docs/reference/configuration.md."),
    ("{mode}.db", "In the state directory: the journal and the book of that mode's account."),
    ("KILL_SWITCH", "In the state directory: while it is there, nothing but stops is sent."),
)
VARIABLES = (
    ("TRADER_STATE, STATE_DIRECTORY", "Where the state is, when --state does not say it."),
    ("TRADER_CONFIG", "Where the five files are, when --config does not say it."),
    ("CREDENTIALS_DIRECTORY", "Where a service manager has put the venue's key. It is looked at first."),
    ("COINBASE_API_KEY, COINBASE_API_SECRET", "The key, where no credentials directory has it."),
    ("CA_BUNDLE", "A private authority that the venue's certificate may come from."),
    ("NO_COLOR", "No colours, whatever it says."),
)


def manpages(pages: Page) -> dict[str, str]:
    """The text of each page by the name of its file."""
    found = {f"{PROGRAM}.1": _lines(_program(pages))}
    for one in pages.below:
        found[f"{PROGRAM}-{one.path[0]}.1"] = _lines(_command(one))
    return found


def _program(pages: Page) -> Iterator[str]:
    yield from _head(pages, PROGRAM)
    yield ".SH COMMANDS"
    for one in pages.below:
        yield from _item(rf"\fB{_text(one.path[0])}\fR", f"{one.summary}. See {PROGRAM}-{one.path[0]}(1).")
    yield ".SH OPTIONS"
    yield "They stand before or after every command."
    for option in pages.options:
        yield from _option(option)
    yield ".SH EXIT STATUS"
    for code, name in EXITS.items():
        yield from _item(rf"\fB{code}\fR {_text(name)}", MEANS[code])
    yield ".SH ENVIRONMENT"
    for name, text in VARIABLES:
        yield from _item(rf"\fB{_text(name)}\fR", text)
    yield ".SH FILES"
    for name, text in FILES:
        yield from _item(rf"\fI{_text(name)}\fR", text)


def _command(page: Page) -> Iterator[str]:
    yield from _head(page, f"{PROGRAM}-{page.path[0]}")
    yield from _own(page.arguments + page.own)
    for one in page.below:
        yield f".SS {_text(' '.join(one.path))}"
        yield _usage(one)
        yield ".PP"
        yield _text(one.help)
        yield from _own(one.arguments + one.own, "")
    yield ".SH SEE ALSO"
    yield rf".BR {PROGRAM} (1)"
    yield f"has the options of every command ({_text(', '.join(GLOBAL))}) and the exit codes."


def _head(page: Page, name: str) -> Iterator[str]:
    yield r".\" Generated from the command itself: make docs-write"
    yield f'.TH {_text(name.upper())} 1 "" "{PROGRAM}" "User Commands"'
    yield ".SH NAME"
    yield rf"{_text(name)} \- {_text(page.summary[0].lower() + page.summary[1:])}"
    yield ".SH SYNOPSIS"
    yield _usage(page)
    yield ".SH DESCRIPTION"
    yield _text(page.help)


def _usage(page: Page) -> str:
    return rf"\fB{_text(page.name)}\fR{_text(page.usage.removeprefix(page.name))}"


def _own(options: tuple[Option, ...], title: str = ".SH OPTIONS") -> Iterator[str]:
    if options and title:
        yield title
    for one in options:
        yield from _option(one)


def _option(one: Option) -> Iterator[str]:
    names = ", ".join(rf"\fB{_text(name)}\fR" for name in one.names)
    value = rf" \fI{_text(one.value)}\fR" if one.value and one.value not in one.names else ""
    yield from _item(f"{names}{value}", " ".join([one.help, *(f"Default: {one.default}." for _ in one.default[:1])]))


def _item(head: str, text: str) -> Iterator[str]:
    yield ".TP"
    yield head
    yield _text(text)


def _lines(lines: Iterator[str]) -> str:
    return "\n".join(lines) + "\n"


def _text(text: str) -> str:
    """No character of it means anything to troff."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-").replace("`", r"\(ga").replace("'", r"\(aq")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped
