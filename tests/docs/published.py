"""The published JSON schemas: what every document is held against, and how a schema grows when a command tells more.

`Done.document` hands over every document that any test reads. With `TRADER_WRITE=1` what was never seen before is
published; without it, it fails. What is published is a promise, and `promised.txt` keeps it: a path that is there
stays, of the same type, and is always told where it always was.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.commands.schema import SCHEMAS

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

Schema = dict[str, Any]

PROMISED = Path(__file__).with_name("promised.txt")
DIALECT = "https://json-schema.org/draft/2020-12/schema"
MEMBER = re.compile(r"[a-z][a-z0-9_]*")  # a name; an object with another key is a table of its keys
TYPES = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string", list: "array"}
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
FAILED: Schema = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {"what": TEXT, "safe": TEXT, "remedy": TEXT, "problems": TEXTS},
            "required": ["what", "safe", "remedy", "problems"],
        }
    },
    "required": ["error"],
}
TABLES = re.compile(  # places whose keys are names that a configuration or a market has given
    r"data\.(bans|failed_strategies|discrepancies|breakdown\.\w+|verdicts_by_strategy)|.*\.(holdings|by_strategy)"
)
OPEN = re.compile(r"(validate-config data\.(effective|schema))|schema data")  # documents of their own


def meet(document: dict[str, Any]) -> None:
    """Fails where the document is not as published."""
    name = name_of(document)
    if is_failure(document):
        _check(_failing(name), document, name)
        return
    if os.environ.get("TRADER_WRITE"):
        publish(name, document["data"])
    assert path_of(name).exists(), f"{document['schema']} is not published: run this test with TRADER_WRITE=1"
    _check(_published(name, path_of(name).stat().st_mtime_ns), document, name)


def name_of(document: Mapping[str, Any]) -> str:
    """'halt.show'."""
    found = re.fullmatch(r"trader(?:\.([a-z0-9.-]+))?/v1", document["schema"])
    assert found, document["schema"]
    return found[1] or ""


def is_failure(document: Mapping[str, Any]) -> bool:
    return isinstance(document["data"], dict) and document["data"].keys() == {"error"} and not document["ok"]


def path_of(name: str) -> Path:
    return SCHEMAS / f"{name}.json"


def envelope(name: str, data: Schema | None) -> Schema:
    title = f"trader.{name}/v1" if name else "trader/v1"
    kinds = [{"$ref": "#/$defs/failed"}, *([] if data is None else [data])]
    members = {
        "schema": {"const": title},
        "ok": {"type": "boolean"},
        "exit_code": {"type": "integer"},
        "exit_name": TEXT,
        "data": {"anyOf": kinds},
        "warnings": TEXTS,
    }
    head = {
        "$schema": DIALECT,
        "title": title,
        "description": f"`trader {'--version' if name == 'version' else name.replace('.', ' ')} --json`",
    }
    return {
        **head, "type": "object", "properties": members, "required": list(members), "$defs": {"failed": FAILED},
    }  # fmt: skip


def _check(validator: "Draft202012Validator", document: Mapping[str, Any], name: str) -> None:
    problems = list(validator.iter_errors(document))
    deepest = [leaf for one in problems for leaf in (one.context or [one])]
    told = [f"{'.'.join(map(str, one.absolute_path))}: {one.message[:300]}" for one in deepest]
    assert told == [], f"trader.{name} is not as published; if it may, run this test with TRADER_WRITE=1"


@cache
def _published(name: str, _changed_ns: int) -> "Draft202012Validator":
    return _strictly(json.loads(path_of(name).read_text(encoding="utf-8")))


@cache
def _failing(name: str) -> "Draft202012Validator":
    return _strictly(envelope(name, None))


def _strictly(schema: Schema) -> "Draft202012Validator":
    from jsonschema import Draft202012Validator

    return Draft202012Validator(strict(schema))


def strict(schema: Any) -> Any:
    """The same, without leave for what is not published."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items()}
    kinds = made.get("type", ())
    if kinds and "object" in kinds and isinstance(kinds, str | list) and "additionalProperties" not in made:
        made["additionalProperties"] = False
    if kinds and "array" in kinds and isinstance(kinds, str | list) and "items" not in made:
        made["maxItems"] = 0
    return made


# --- growing ---------------------------------------------------------------------------------------------------------


def publish(name: str, data: Any) -> None:
    """Let the schema tell this too."""
    path = path_of(name)
    before = _data(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else None
    after = widened(before, data, f"{name} data")
    if after != before:
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(envelope(name, after), indent=1) + "\n", encoding="utf-8")


def widened(schema: Schema | None, value: Any, at: str = "") -> Schema:
    """The schema that says this value too."""
    kind = "object" if isinstance(value, dict) else TYPES[type(value)]
    if OPEN.fullmatch(at) and kind == "object":
        return {"type": "object", "additionalProperties": True}
    made = dict(schema or {})
    kinds = {*([made["type"]] if isinstance(made.get("type"), str) else made.get("type", ())), kind}
    was_object = "object" in kinds and schema is not None and "object" in (schema.get("type") or ())
    if "number" in kinds:
        kinds.discard("integer")
    made["type"] = min(kinds) if len(kinds) == 1 else sorted(kinds)
    if kind == "array":
        for item in value:
            made["items"] = widened(made.get("items"), item, f"{at}[]")
    if kind == "object":
        _widen_object(made, value, at, was_object)
    return made


def _widen_object(made: Schema, value: dict[str, Any], at: str, was_object: bool) -> None:
    known: dict[str, Schema] = made.get("properties", {})
    is_table = TABLES.fullmatch(at.partition(" ")[2])
    if "additionalProperties" in made or is_table or not all(map(MEMBER.fullmatch, value)):
        assert not known, f"{at} has members, and keys that are none"
        for item in value.values():
            made["additionalProperties"] = widened(made.get("additionalProperties"), item, f"{at}.*")
        return
    if not value and not known:
        return
    made["properties"] = known | {key: widened(known.get(key), item, f"{at}.{key}") for key, item in value.items()}
    required = made.get("required", []) if was_object else list(value)
    made["required"] = [key for key in required if key in value]


def agree() -> None:
    """One name, one meaning: what may be unknown in one place may be so wherever it is told, and what was only ever
    seen empty is what it is elsewhere."""
    documents = {path: json.loads(path.read_text(encoding="utf-8")) for path in sorted(SCHEMAS.glob("*.json"))}
    named: dict[str, list[Schema]] = {}
    for document in documents.values():
        for name, schema in _members(_data(document)):
            named.setdefault(name, []).append(schema)
    for name, alike in named.items():
        nullable = any("null" in _kinds(one) for one in alike)
        for one in alike:
            _agree(one, alike, nullable and name != "")
    for path, document in documents.items():
        path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def _agree(one: Schema, alike: list[Schema], nullable: bool) -> None:
    kinds = _kinds(one)
    if nullable and kinds <= {"string", "integer", "number", "null"}:
        kinds = kinds | {"null"}
        one["type"] = min(kinds) if len(kinds) == 1 else sorted(kinds)
    for kind, inside in (("array", ("items",)), ("object", ("properties", "required", "additionalProperties"))):
        if kind in kinds and not one.keys() & set(inside):
            known = next((other for other in alike if kind in _kinds(other) and other.keys() & set(inside)), {})
            one |= {key: known[key] for key in inside if key in known}


def _members(schema: Schema) -> Iterator[tuple[str, Schema]]:
    for name, inner in schema.get("properties", {}).items():
        yield name, inner
        yield from _members(inner)
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _members(schema[key])


def _kinds(schema: Schema) -> set[str]:
    return {schema["type"]} if isinstance(schema["type"], str) else set(schema["type"])


def _data(document: Schema) -> Schema:
    found: Schema = document["properties"]["data"]["anyOf"][-1]
    return found


# --- promises --------------------------------------------------------------------------------------------------------


def promises() -> list[str]:
    """A line for each path of what is published: 'status data.cycles integer', with a ? where it may be missing."""
    lines: list[str] = []
    for path in sorted(SCHEMAS.glob("*.json")):
        data = _data(json.loads(path.read_text(encoding="utf-8")))
        lines += [f"{path.stem} {line}" for line in _promised(data, "data", "")]
    return lines


def _promised(schema: Schema, at: str, mark: str) -> Iterator[str]:
    kinds = schema["type"] if isinstance(schema["type"], str) else ",".join(schema["type"])
    yield f"{at}{mark} {kinds}"
    for name, inner in schema.get("properties", {}).items():
        yield from _promised(inner, f"{at}.{name}", "" if name in schema["required"] else "?")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from _promised(schema["additionalProperties"], f"{at}.*", "")
    if "items" in schema:
        yield from _promised(schema["items"], f"{at}[]", "")


def kept() -> list[str]:
    return PROMISED.read_text(encoding="utf-8").splitlines() if PROMISED.exists() else []


def broken() -> list[str]:
    """Promises that do not hold any more."""
    return sorted(set(kept()) - set(promises()))


def promise() -> None:
    """What is published is promised from now on; nothing that was is taken back."""
    PROMISED.write_text("".join(f"{line}\n" for line in sorted({*kept(), *promises()})), encoding="utf-8")
