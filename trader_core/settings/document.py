"""One YAML file as plain values with the line of every key, and every problem of its text.

Only plain YAML is read: no anchors, aliases or tags, no duplicate keys, numbers in decimal digits. Whole numbers become
int, others Decimal, both exactly as written; nothing passes through a float.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trader_core.domain.money import plain

if TYPE_CHECKING:
    import yaml

FILE_BYTES_MAX = 1 << 20
TEXTS_MAX = 10  # kept parsed
DEPTH_MAX = 20
NUMBER_CHARS_MAX = 40
SHOWN_CHARS_MAX = 60
KeyPath = tuple[str | int, ...]
UNUSABLE = object()  # stands for a value whose problem is listed already
_PLAIN = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_LOOSE = re.compile(r"[|>][-+0-9]*#")  # a comment that touches the sign of a block of text
_TAG = "tag:yaml.org,2002:"


@dataclass(slots=True)
class Document:
    """`lines` maps the path of every key and list item to its line, counted from 1."""

    values: object = UNUSABLE
    lines: dict[KeyPath, int] = field(default_factory=lambda: {(): 1})
    problems: list[tuple[int, str]] = field(default_factory=list)

    def line(self, at: KeyPath) -> int:
        """Line of the key at that path, or of the nearest block around it."""
        while at not in self.lines:
            at = at[:-1]
        return self.lines[at]

    def value(self, at: KeyPath) -> object:
        """What the file says at that path; UNUSABLE where it says nothing."""
        found: Any = self.values
        try:
            for step in at:
                found = found[step]
        except (KeyError, IndexError, TypeError):
            return UNUSABLE
        return found


def read(path: Path) -> Document:
    """The file's document. Never raises: whatever is wrong is in `problems`, and then `values` may be UNUSABLE."""
    document = Document()
    text = _text(path, document.problems)
    if text is None:
        return document
    parsed = _parsed(text)
    return Document(parsed.values, parsed.lines, [*parsed.problems])


def dotted(at: KeyPath) -> str:
    """'risk.max_open_positions', 'bases[3]'."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{shown(step)}" for step in at)
    return text.removeprefix(".") or "the file"


def shown(value: object) -> str:
    """A value as a person would write it in YAML, on one line and not too long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "nothing"
    if isinstance(value, tuple):
        return "a list"
    if isinstance(value, Mapping):
        return "a block of keys"
    text = plain_number(value) if isinstance(value, float | Decimal) else str(value)
    text = text.encode("unicode_escape").decode("ascii")
    return text if len(text) <= SHOWN_CHARS_MAX else text[:SHOWN_CHARS_MAX] + "..."


def plain_number(number: float | Decimal) -> str:
    """In plain digits: a Decimal as it is, a float without a fraction that it has not."""
    return format(number, "f") if isinstance(number, Decimal) else plain(Decimal(repr(number)))


def _text(path: Path, problems: list[tuple[int, str]]) -> str | None:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
        if len(raw) <= FILE_BYTES_MAX:
            return raw.decode("utf-8-sig")
        problems.append((1, f"the file is larger than {FILE_BYTES_MAX} bytes"))
    except FileNotFoundError:
        problems.append((1, "the file is missing"))
    except OSError as gap:
        problems.append((1, f"the file cannot be read: {gap.strerror}"))
    except UnicodeDecodeError as gap:
        problems.append((raw.count(b"\n", 0, gap.start) + 1, "the file is not UTF-8 text"))
    return None


@lru_cache(maxsize=TEXTS_MAX)
def _parsed(text: str) -> Document:
    """For reading only: who reads the same text again is given the same values."""
    import yaml

    document = Document()
    try:
        root = _root(text, document.problems)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = mark.line + 1 if mark else 1
        document.problems.append((line, f"is not YAML: {fault.problem or fault.context}"))
    except (yaml.YAMLError, ValueError, OverflowError) as fault:  # a forbidden character, a character that is none
        document.problems.append((1, f"is not YAML: {shown(fault)}"))
    else:
        if root is not None:
            document.values = _value(root, (), document)
        elif not document.problems:
            document.problems.append((1, "the file is empty"))
    return document


def _root(text: str, problems: list[tuple[int, str]]) -> "yaml.Node | None":
    """What the text holds, None for nothing and where it has tricks. What the fast parser refuses, the plain one
    explains; what the fast one alone accepts, the plain one refuses."""
    import yaml

    if not _LOOSE.search(text):
        with suppress(yaml.YAMLError, ValueError, OverflowError):
            return _root_by(getattr(yaml, "CSafeLoader", yaml.SafeLoader), text, problems)
    return _root_by(yaml.SafeLoader, text, problems)


def _root_by(loader: Any, text: str, problems: list[tuple[int, str]]) -> "yaml.Node | None":
    import yaml

    tricks = list(_tricks(text, loader))
    root = None if tricks else yaml.compose(text, Loader=loader)
    problems += tricks
    return root


def _tricks(text: str, loader: Any) -> Iterator[tuple[int, str]]:
    """Anchors, aliases, tags and bottomless nesting, found before anything is built from them."""
    import yaml

    depth = 0
    for event in yaml.parse(text, Loader=loader):
        line = event.start_mark.line + 1 if event.start_mark else 1
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            yield line, f"blocks are nested more than {DEPTH_MAX} deep"
            return
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            yield line, "anchors (&) and aliases (*) are not allowed; write the value out"
        elif getattr(event, "tag", None) is not None:
            yield line, "tags (!) are not allowed; write the plain value"


def _value(node: "yaml.Node", at: KeyPath, document: Document) -> object:
    import yaml

    if isinstance(node, yaml.MappingNode):
        return _mapping(node, at, document)
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            document.lines[(*at, index)] = item.start_mark.line + 1
        return tuple(_value(item, (*at, index), document) for index, item in enumerate(node.value))
    try:
        return _SCALARS.get(node.tag.removeprefix(_TAG), _printable)(node.value)
    except ValueError as fault:
        document.problems.append((document.line(at), f"{dotted(at)}: {fault}"))
        return UNUSABLE


def _mapping(node: "yaml.MappingNode", at: KeyPath, document: Document) -> dict[str, object]:
    import yaml

    values: dict[str, object] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode) or not key.value.isprintable() or not key.value:
            document.problems.append((line, f"a key in {dotted(at)} is not a plain word"))
        elif key.value in values:
            first = document.lines[(*at, key.value)]
            document.problems.append((line, f"{dotted((*at, key.value))} is given twice, first on line {first}"))
        else:
            document.lines[(*at, key.value)] = line
            values[key.value] = _value(value, (*at, key.value), document)
    return values


def _number(text: str) -> int | Decimal:
    if text.lstrip("+-.").lower() in ("nan", "inf"):
        raise ValueError(f"{text} is not a finite number")
    if len(text) > NUMBER_CHARS_MAX:
        raise ValueError(f"a number has at most {NUMBER_CHARS_MAX} characters")
    if not _PLAIN.fullmatch(text):
        raise ValueError(f"{shown(text)} is not in plain decimal digits, like 1000 or 0.5")
    return Decimal(text) if "." in text else int(text)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("the text has a character that cannot be printed")
    return text


_SCALARS: dict[str, Callable[[str], object]] = {
    "bool": lambda text: text.lower() in ("true", "yes", "on"),
    "float": _number,
    "int": _number,
    "null": lambda text: None,
}
