"""The configuration told back."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.settings.keys import CONFIG, Leaf, leaf_keys, mapped_keys, shipped
from tests.settings.spoil import Config
from trader_core.settings.describe import as_yaml, json_schema, origins
from trader_core.settings.digest import digest
from trader_core.settings.document import read
from trader_core.settings.load import load
from trader_core.settings.schema import UNITS, Settings, unit_of


def told(directory: Path) -> str:
    return as_yaml(load(directory).model_dump(), origins(directory))


def test_the_effective_configuration_reads_back_as_the_same(config: Config, tmp_path: Path) -> None:
    config.replace("app", "holdings: {}", "holdings: {BTC: 0.5, 1INCH: 3}")
    config.replace("universe", "  - FARTCOIN", "  - 'ON'\n  - '123'")
    (tmp_path / "told.yaml").write_text(told(config.directory))
    document = read(tmp_path / "told.yaml")
    assert document.problems == []
    assert digest(Settings.model_validate(document.values)) == digest(config.load())


def test_every_key_names_the_line_it_comes_from() -> None:
    lines = told(CONFIG).splitlines()
    found = re.compile(r"^ *(\w+):.* # (\w+)\.yaml:(\d+)$")
    keys = [match.groups() for line in lines if (match := found.match(line))]
    assert len(keys) == sum(not line.lstrip().startswith("- ") for line in lines)
    for key, name, number in keys:
        text = (CONFIG / f"{name}.yaml").read_text().splitlines()[int(number) - 1]
        assert text.lstrip().startswith(f"{key}:") or key == name
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("leaf", leaf_keys() + mapped_keys(), ids=lambda leaf: ".".join(leaf.path))
def test_the_json_schema_says_every_range_and_unit(leaf: Leaf) -> None:
    found = at(json_schema(leaf.path[0]), leaf.path[1:])
    if leaf.is_number:
        assert (found["minimum"], found["maximum"]) == (leaf.low, leaf.high)
        assert found["type"] == ("integer" if leaf.kind == "int" else "number")
    unit = unit_of(leaf.path[-1])
    if unit and leaf.kind != "mapping":
        assert found["description"].startswith(UNITS[unit])
    if leaf.kind == "choice":
        assert {leaf.low, leaf.high, leaf.shipped} <= set(found["enum"])
    if leaf.kind in ("flag", "text", "list", "mapping"):
        kinds = {"flag": "boolean", "text": "string", "list": "array", "mapping": "object"}
        assert found["type"] == kinds[leaf.kind]


@pytest.mark.parametrize("name", list(shipped()))
def test_the_json_schema_lets_the_shipped_file_through_and_nothing_unknown(name: str) -> None:
    schema = json.loads(json.dumps(json_schema(name)))
    assert schema["title"] == f"{name}.yaml"
    assert fits(schema, shipped()[name])
    assert not fits(schema, shipped()[name] | {"zzz": 1})
    assert not fits(schema, dict(list(shipped()[name].items())[1:]))


def at(schema: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for step in path:
        schema = schema["properties"][step] if "properties" in schema else schema["additionalProperties"]
    return schema


def fits(schema: dict[str, Any], value: Any) -> bool:
    """As much of JSON Schema as is used."""
    if "enum" in schema:
        return value in schema["enum"]
    if schema["type"] == "object":
        known, rest = schema.get("properties", {}), schema["additionalProperties"]
        names = all(fits(schema["propertyNames"], key) for key in value) if "propertyNames" in schema else True
        complete = set(schema.get("required", ())) <= value.keys() and (
            rest is not False or value.keys() <= known.keys()
        )
        return names and complete and all(fits(known.get(key, rest), item) for key, item in value.items())
    if schema["type"] == "array":
        return isinstance(value, list) and all(fits(schema["items"], item) for item in value)
    if schema["type"] == "string":
        return isinstance(value, str) and re.search(schema.get("pattern", ""), value) is not None
    if schema["type"] == "boolean":
        return isinstance(value, bool)
    whole = isinstance(value, int) or schema["type"] == "number"
    return not isinstance(value, bool) and whole and bool(schema["minimum"] <= value <= schema["maximum"])
