"""Values, however they are made. They are msgspec's Structs, frozen and without a dictionary: a process of one cycle
defines two hundred classes, and a dataclass takes forty times as long to define and ten times as long to make.

What keeps a secret out of its own text, has something cached, or is loaded before a kill has latched is a dataclass.
"""

import dataclasses
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import NODEFAULT, Struct, structs

if TYPE_CHECKING:
    from dataclasses import replace as replace

T = TypeVar("T")


def names_of(kind: Any) -> tuple[str, ...]:
    """The fields of a class of values, or of one of them, in order."""
    if dataclasses.is_dataclass(kind):
        return tuple(one.name for one in dataclasses.fields(kind))
    found: tuple[str, ...] = kind.__struct_fields__
    return found


def needed_of(kind: Any) -> int:
    """How many of its fields, the first ones, have no default."""
    if dataclasses.is_dataclass(kind):
        free = dataclasses.MISSING
        return sum(one.default is free and one.default_factory is free for one in dataclasses.fields(kind))
    return len(kind.__struct_fields__) - sum(one is not NODEFAULT for one in kind.__struct_defaults__)


def is_value(one: Any) -> bool:
    """Whether it is an object with such fields."""
    return isinstance(one, Struct) or (dataclasses.is_dataclass(one) and not isinstance(one, type))


def is_kind(kind: Any) -> bool:
    """Whether it is a class of such objects."""
    return isinstance(kind, type) and (issubclass(kind, Struct) or dataclasses.is_dataclass(kind))


def as_dict(value: Any) -> dict[str, Any]:
    """Its fields by name, and those of what is in it."""
    return {name: _told(getattr(value, name)) for name in names_of(value)}


def _told(one: Any) -> Any:
    if is_value(one):
        return as_dict(one)
    if isinstance(one, dict):
        return {key: _told(each) for key, each in one.items()}
    return type(one)(map(_told, one)) if type(one) in (list, tuple) else one


if not TYPE_CHECKING:

    def replace(value: T, /, **changes: Any) -> T:
        """The same value but for these fields. Raises TypeError for a field that it does not have."""
        return structs.replace(value, **changes) if isinstance(value, Struct) else dataclasses.replace(value, **changes)
