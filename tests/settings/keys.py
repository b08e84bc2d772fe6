"""Every leaf key of the five files with two values that differ from each other, made from the schema and config/."""

from collections.abc import Iterator
from dataclasses import dataclass
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
    kind: str  # "float" | "int" | "money" | "choice" | "flag" | "list" | "mapping"

    @property
    def is_number(self) -> bool:
        return self.kind in ("float", "int", "money")


def shipped() -> dict[str, Any]:
    """The five shipped files as plain values, by name."""
    return {name: yaml.safe_load((CONFIG / f"{name}.yaml").read_text()) for name in Settings.model_fields}


def leaf_keys() -> list[Leaf]:
    return list(_leaves(Settings, (), shipped()))


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
        kind = {"float": "float", "int": "int", "Decimal": "money"}[field.annotation.__name__]  # type: ignore[union-attr]
        return Leaf(path, *limits, value, kind)
    if field.annotation is bool:
        return Leaf(path, False, True, value, "flag")
    if get_origin(field.annotation) is Literal:
        others = [choice for choice in get_args(field.annotation) if choice != value]
        return Leaf(path, others[0], others[-1] if len(others) > 1 else value, value, "choice")
    if isinstance(value, list):
        return Leaf(path, [], value[:-1], value, "list")
    return Leaf(path, {}, {"BTC": 1}, value, "mapping")
