"""The configuration told back: what is in force and from which line, and what each file may say."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from trader_core.settings.document import KeyPath, plain_number, read
from trader_core.settings.schema import FILES, UNITS, Section, range_of, section_of, unit_of

NOTE_COLUMN = 54
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {"int": "integer", "float": "number", "Decimal": "number", "str": "string", "bool": "boolean"}
_DECIMALS = {"float": ", at most 2 decimals", "Decimal": ", at most 8 decimals"}


def origins(directory: Path) -> dict[KeyPath, str]:
    """'policy.yaml:37' for every key of the five files, under a path that begins with the file's name."""
    lines = {name: read(directory / f"{name}.yaml").lines for name in FILES}
    return {(name, *at): f"{name}.yaml:{line}" for name, found in lines.items() for at, line in found.items()}


def as_yaml(content: Mapping[str, Any], notes: Mapping[KeyPath, str]) -> str:
    """The values as YAML, each key with its note as a comment."""
    return "\n".join(_block(content, (), notes))


def _block(values: Mapping[str, Any], at: KeyPath, notes: Mapping[KeyPath, str]) -> Iterator[str]:
    for key, value in values.items():
        path = (*at, key)
        text = f"{'  ' * len(at)}{_scalar(key)}:"
        nested = isinstance(value, Mapping | tuple) and len(value) > 0
        text = text if nested else f"{text} {_scalar(value)}"
        yield f"{text:<{NOTE_COLUMN}} # {notes[path]}" if path in notes else text
        if isinstance(value, Mapping):
            yield from _block(value, path, notes)
        elif nested:
            yield from (f"{'  ' * len(path)}- {_scalar(item)}" for item in value)


def _scalar(value: Any) -> str:
    """As it stands in a file; text that YAML would read as something else is quoted."""
    import yaml

    if isinstance(value, float | Decimal):
        return plain_number(value)
    return yaml.safe_dump(list(value) if isinstance(value, tuple) else value).splitlines()[0]


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema of one of the five files. Whatever it lets through, the cross-checks may still refuse."""
    return {"$schema": _DIALECT, "title": f"{name}.yaml", **_object(FILES[name])}


def _object(model: type[Section]) -> dict[str, Any]:
    fields = model.model_fields
    return {
        "type": "object",
        **({"description": " ".join(model.__doc__.split())} if model.__doc__ else {}),
        "properties": {key: _value(key, field) for key, field in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def _value(key: str, field: FieldInfo) -> dict[str, Any]:
    inner, origin, parts = section_of(field), get_origin(field.annotation), get_args(field.annotation)
    if inner:
        return _object(inner)
    if origin is tuple:
        return {"type": "array", "items": _value("", FieldInfo.from_annotation(parts[0]))}
    if origin is Mapping:
        names, held = (FieldInfo.from_annotation(part) for part in parts)
        return {"type": "object", "propertyNames": _value("", names), "additionalProperties": _value(key, held)}
    kind, limits = getattr(field.annotation, "__name__", ""), range_of(field)
    pattern = next((rule.pattern for rule in field.metadata if hasattr(rule, "pattern")), None)
    unit = UNITS.get(unit_of(key), "a number") + _DECIMALS.get(kind, "")
    return {
        **({"enum": list(parts)} if origin is Literal else {"type": _TYPES[kind]}),
        **({"minimum": limits[0], "maximum": limits[1]} if limits else {}),
        **({"pattern": pattern} if pattern else {}),
        **({"description": unit} if limits or unit_of(key) else {}),
    }
