"""Every leaf key of the five files with two values that differ from each other, made from the schema and config/."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo

from trader_core.settings.schema import Section, Settings, range_of, section_of

CONFIG = Path(__file__).parents[2] / "config"


@dataclass(frozen=True)
class Leaf:
    """`low` and `high` are the ends of a number's range, or two alternatives; plain values, ready for YAML."""

    path: tuple[str, ...]  # ("policy", "risk", "max_open_positions")
    low: Any
    high: Any
    shipped: Any
    kind: str  # "float" | "int" | "money" | "choice" | "flag" | "text" | "list" | "mapping"

    @property
    def is_number(self) -> bool:
        return self.kind in ("float", "int", "money")


def shipped() -> dict[str, Any]:
    """The five shipped files as plain values, by name; a copy of one's own."""
    return deepcopy(_shipped())


@cache
def _shipped() -> dict[str, Any]:
    return {name: yaml.safe_load((CONFIG / f"{name}.yaml").read_text()) for name in Settings.model_fields}


def leaf_keys() -> list[Leaf]:
    return list(_leaves(Settings, (), shipped()))


def mapped_keys() -> list[Leaf]:
    """The numbers that stand in a mapping, by whatever name."""
    return [item for leaf in leaf_keys() if leaf.kind == "mapping" for item in _items(leaf)]


def block_keys() -> list[tuple[str, ...]]:
    """Paths of all keys inside the files that hold a block of keys."""
    return sorted({leaf.path[:end] for leaf in leaf_keys() for end in range(2, len(leaf.path))})


def _leaves(model: type[Section], at: tuple[str, ...], values: Any) -> Iterator[Leaf]:
    for name, field in model.model_fields.items():
        inner = section_of(field)
        if inner:
            yield from _leaves(inner, (*at, name), values[name])
        else:
            yield _leaf((*at, name), field, values[name])


def _leaf(path: tuple[str, ...], field: FieldInfo, value: Any) -> Leaf:
    limits = range_of(field)
    if limits:
        return Leaf(path, *limits, value, _number(field))
    if field.annotation is bool:
        return Leaf(path, False, True, value, "flag")
    if get_origin(field.annotation) is Literal:
        others = [choice for choice in get_args(field.annotation) if choice != value]
        return Leaf(path, others[0], others[-1] if len(others) > 1 else value, value, "choice")
    if path[-1].endswith("_url"):
        return Leaf(path, "http://127.0.0.1:8080", "https://localhost:8443/", value, "text")
    if path[-1] == "textfile":
        return Leaf(path, "/var/lib/a.prom", "/var/lib/b.prom", value, "text")
    if isinstance(value, str):
        return Leaf(path, "ETH", "ZZZ", value, "text")
    if isinstance(value, list):
        return Leaf(path, value[:-1], [*value, "ZZZ"], value, "list")
    return Leaf(path, dict(list(value.items())[:-1]), {**value, "ZZZ": _another(value)}, value, "mapping")


def _number(field: FieldInfo) -> str:
    return {"float": "float", "int": "int", "Decimal": "money"}[field.annotation.__name__]  # type: ignore[union-attr]


def _another(value: dict[str, Any]) -> Any:
    """Something that may stand in a mapping beside what does."""
    return ["ZZZ"] if value and isinstance(next(iter(value.values())), list) else 1


def _items(leaf: Leaf) -> Iterator[Leaf]:
    model: type[Section] = Settings
    for step in leaf.path[:-1]:
        model = section_of(model.model_fields[step]) or model
    field = FieldInfo.from_annotation(get_args(model.model_fields[leaf.path[-1]].annotation)[1])
    if limits := range_of(field):
        yield from (Leaf((*leaf.path, name), *limits, value, _number(field)) for name, value in leaf.shipped.items())
