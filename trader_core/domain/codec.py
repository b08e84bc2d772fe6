"""Facts and records to JSON text and back, exactly: decimals as strings, classes as lists of their fields.

Mappings have text as keys and keep their order; sets hold text."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from operator import attrgetter
from types import MappingProxyType, NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from trader_core.domain.money import plain
from trader_core.domain.values import is_kind, names_of, needed_of

T = TypeVar("T")
Encode = Callable[[Any], Any]


def to_json(value: Any) -> str:
    """Canonical text of a domain value: no spaces, non-ASCII escaped, NaN refused."""
    kind: Any = type(value)
    return json.dumps(_encoder(kind)(value), separators=(",", ":"), allow_nan=False)


def from_json(kind: type[T], text: str) -> T:
    """The value of class `kind` written by `to_json`. Raises ValueError, KeyError or TypeError on other text."""
    erased: Any = kind
    value: T = _decoder(erased)(json.loads(text))
    return value


@cache
def _encoder(kind: Any) -> Encode:
    """How values declared as `kind` become JSON; `_same` where JSON has them already."""
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    if is_kind(kind):
        return _class_encoder(cast("type[Any]", kind))
    if get_origin(kind) is tuple:
        return _tuple_encoder(get_args(kind))
    if get_origin(kind) in (UnionType, Union):
        (inner,) = [_encoder(arg) for arg in get_args(kind) if arg is not NoneType]
        return _same if inner is _same else lambda value: None if value is None else inner(value)
    if get_origin(kind) is Mapping:
        worth = _encoder(get_args(kind)[1])
        return lambda value: {key: worth(item) for key, item in value.items()}
    if get_origin(kind) is frozenset:
        return sorted
    return plain if issubclass(kind, Decimal) else _same


def _class_encoder(kind: Any) -> Encode:
    hints, names = get_type_hints(kind), names_of(kind)
    parts = [_encoder(hints[name]) for name in names]
    if all(part is _same for part in parts) and len(names) > 1:
        return attrgetter(*names)
    return lambda value: [part(getattr(value, name)) for name, part in zip(names, parts, strict=True)]


def _tuple_encoder(args: tuple[Any, ...]) -> Encode:
    parts = [_encoder(arg) for arg in args if arg is not Ellipsis]
    if all(part is _same for part in parts):
        return _same
    if len(args) == 2 and args[1] is Ellipsis:
        return lambda value: [parts[0](item) for item in value]
    return lambda value: [part(item) for part, item in zip(parts, value, strict=True)]


@cache
def _decoder(kind: Any) -> Encode:
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    if is_kind(kind):
        return _class_decoder(cast("type[Any]", kind))
    if get_origin(kind) is tuple:
        return _tuple_decoder(get_args(kind))
    if get_origin(kind) in (UnionType, Union):
        (inner,) = [_decoder(arg) for arg in get_args(kind) if arg is not NoneType]
        return lambda raw: None if raw is None else inner(raw)
    if get_origin(kind) is Mapping:
        worth = _decoder(get_args(kind)[1])
        return lambda raw: MappingProxyType({key: worth(item) for key, item in raw.items()})
    if get_origin(kind) is frozenset:
        return frozenset
    if kind is float:
        return float
    return kind if issubclass(kind, (Decimal, StrEnum)) else _same


def _class_decoder(kind: Any) -> Encode:
    """What was written before a field was added has it at its default: new fields come last, and have one."""
    hints = get_type_hints(kind)
    parts = [_decoder(hints[name]) for name in names_of(kind)]
    needed = needed_of(kind)

    def decode(raw: Any) -> Any:
        if not needed <= len(raw) <= len(parts):
            raise ValueError(f"{kind.__name__} has {len(parts)} fields, not {len(raw)}")
        return kind(*[part(item) for part, item in zip(parts, raw, strict=False)])

    return decode


def _tuple_decoder(args: tuple[Any, ...]) -> Encode:
    if len(args) == 2 and args[1] is Ellipsis:
        item = _decoder(args[0])
        return lambda raw: tuple(item(one) for one in raw)
    parts = [_decoder(arg) for arg in args]
    return lambda raw: tuple(part(one) for part, one in zip(parts, raw, strict=True))


def _same(raw: Any) -> Any:
    return raw
