"""Five YAML files to one frozen Settings, or the list of everything that is wrong with them."""

import re
import stat
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from shlex import quote
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from trader_core.domain.errors import ConfigInvalid
from trader_core.settings.coherence import check
from trader_core.settings.document import UNUSABLE, Document, KeyPath, dotted, read, shown
from trader_core.settings.schema import (
    FILES,
    UNITS,
    Asset,
    Section,
    Settings,
    Theme,
    TimeServer,
    VenueUrl,
    range_of,
    section_of,
    unit_of,
)

_MUST = {
    "bool_type": "must be true or false",
    "decimal_max_places": "must have at most 8 decimals",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "is_instance_of": "must be a number",  # a strict Decimal
    "string_type": "must be text; put quotes around it",
    "tuple_type": "must be a list",
}
_NO_TEXT = ("bool_type", "float_type", "int_type", "is_instance_of")
_QUOTED = re.compile(r"-?\d+(\.\d+)?|true|false")  # text that is none without its quotes
_NAMES = {
    FieldInfo.from_annotation(Asset).metadata[0].pattern: "an asset code in capitals, like BTC",
    FieldInfo.from_annotation(Theme).metadata[0].pattern: "the name of a theme in capitals, like LAYER1",
    FieldInfo.from_annotation(VenueUrl).metadata[0].pattern: "empty or an address like https://127.0.0.1:8443",
    FieldInfo.from_annotation(TimeServer).metadata[0].pattern: "a host or host:port, like time.example.org",
}
_OUTSIDE = ("greater_than_equal", "less_than_equal")
_BLOCK = ("model_type", "model_attributes_type", "mapping_type", "dict_type")


def load(directory: Path) -> Settings:
    """The settings in `directory`; all five files and every key must be there.

    Raises ConfigInvalid with every problem of every file as `file:line: message`, in the order of files and lines. What
    merely can never bind is no problem: coherence.warnings tells of it.
    """
    if _is_file(directory):
        raise ConfigInvalid((f"{directory}:1: it is a file; name the folder that holds the five",))
    documents = {name: read(directory / f"{name}.yaml") for name in FILES}
    parts: dict[str, Any] = {name: _validated(FILES[name], document) for name, document in documents.items()}
    problems = _listed(directory, documents)
    if problems:
        raise ConfigInvalid(problems)
    settings = Settings(**parts)
    for clash in check(settings):
        documents[clash.file].problems.append((documents[clash.file].line(clash.at), clash.message))
    problems = _listed(directory, documents)
    if problems:
        raise ConfigInvalid(problems)
    return settings


def exposed(directory: Path) -> tuple[str, ...]:
    """Of the folder and the five files, those that every user of this machine may change. In a sticky folder nobody
    replaces what is another's."""
    folder = directory.absolute()
    places = (folder, *(folder / f"{name}.yaml" for name in FILES))
    modes = {place: place.stat().st_mode for place in places}
    return tuple(
        f"{place} can be changed by everybody: chmod o-w {quote(str(place))}"
        for place, mode in modes.items()
        if mode & stat.S_IWOTH and not (stat.S_ISDIR(mode) and mode & stat.S_ISVTX)
    )


def problem_of(settings: Settings, key: str, value: object) -> str:
    """What is wrong with that value of a known key: 'is 60, outside 0.01 to 50'; '' where nothing is."""
    *blocks, last = key.split(".")
    values = block = settings.model_dump()
    for step in blocks:
        block = block[step]
    block[last] = value
    try:
        Settings.model_validate(values)
    except ValidationError as fault:
        error = fault.errors(include_url=False)[0]
        return _reason(Settings, tuple(error["loc"]), error, value)
    return ""


def _is_file(place: Path) -> bool:
    """What we are not allowed to look at is told of each file."""
    try:
        return place.is_file()
    except OSError:
        return False


def _listed(directory: Path, documents: Mapping[str, Document]) -> tuple[str, ...]:
    return tuple(
        f"{directory / name}.yaml:{line}: {what}"
        for name, document in documents.items()
        for line, what in sorted(document.problems)
    )


def _validated(model: type[Section], document: Document) -> Section | None:
    if document.values is UNUSABLE:
        return None
    try:
        return model.model_validate(document.values)
    except ValidationError as fault:
        document.problems += _problems(model, document, fault.errors(include_url=False))
    return None


def _problems(model: type[Section], document: Document, errors: list[ErrorDetails]) -> list[tuple[int, str]]:
    found: dict[KeyPath, str] = {}
    meant: set[KeyPath] = set()
    for error in errors:
        if error["type"] == "extra_forbidden":
            nearest, found[error["loc"]] = _unknown(model, error["loc"], document)
            meant.update((*error["loc"][:-1], name) for name in nearest)
    for error in errors:
        at = tuple(step for step in error["loc"] if step != "[key]")
        listed = at in found or (error["type"] == "missing" and at in meant)  # a misspelt key is one problem, not two
        if not listed and error["input"] is not UNUSABLE:
            given = error["input"] if "[key]" in error["loc"] else document.value(at)
            found[at] = f"{dotted(at)} {_reason(model, at, error, given)}"
    return [(document.line(at), message) for at, message in found.items()]


def _unknown(model: type[Section], at: KeyPath, document: Document) -> tuple[list[str], str]:
    """The keys that were probably meant (none where none is near), and the message."""
    block, key = _block(model, at[:-1]), str(at[-1])
    known = list(block.model_fields)
    alike = [name for name in known if unit_of(name) and _bare(name) in (key, _bare(key))]
    alike = [name for name in alike if document.value((*at[:-1], name)) is UNUSABLE] or alike
    if alike:
        fault = "does not say its unit" if key in map(_bare, alike) else "has the wrong unit"
        names = " or ".join(f"{name}, in {UNITS[unit_of(name)]}" for name in alike)
        return alike, f"{dotted(at)} is not a known key, it {fault}; write {names}"
    close = get_close_matches(key, known, n=1)
    if close:
        return close, f"{dotted(at)} is not a known key; did you mean {close[0]}?"
    return [], f"{dotted(at)} is not a known key; known here: {', '.join(known)}"


def _bare(key: str) -> str:
    """A key without its unit."""
    return key.removesuffix(unit_of(key))


def _reason(model: type[Section], at: KeyPath, error: ErrorDetails, given: object) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in _OUTSIDE:
        low, high = range_of(_field(model, at)) or (context.get("ge"), context.get("le"))
        return f"is {shown(given)}, outside {low} to {high}"
    if kind == "string_pattern_mismatch":
        return f"must be {_NAMES[context['pattern']]}, not {shown(given)}"
    if kind in _BLOCK:
        return f"must be a block of keys, not {shown(given)}"
    if kind == "literal_error":
        return f"must be {context['expected'].replace(chr(39), '')}, not {shown(given)}"
    if kind == "value_error":
        return f"{context['error']}, not {shown(given)}"
    if kind in _NO_TEXT and isinstance(given, str) and _QUOTED.fullmatch(given):
        return f'{_MUST[kind]}, not "{given}": leave the quotes out'
    return f"{_MUST.get(kind, error['msg'])}, not {shown(given)}"


def _block(model: type[Section], at: KeyPath) -> type[Section]:
    for step in at:
        model = section_of(model.model_fields[str(step)]) or model
    return model


def _field(model: type[Section], at: KeyPath) -> FieldInfo:
    """The field at this path; what stands in a mapping is a field of its own."""
    for index, step in enumerate(at):
        field = model.model_fields[str(step)]
        inner = section_of(field)
        if inner is None:
            return field if index == len(at) - 1 else FieldInfo.from_annotation(get_args(field.annotation)[1])
        model = inner
    raise LookupError(at)
