"""Facts and records to JSON text and back, exactly: decimals as strings, classes as lists of their fields."""

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from trader_core.domain.money import plain

T = TypeVar("T")
Encode = Callable[[Any], Any]


def to_json(value: Any) -> str:
    """Canonical text of a domain value: no spaces, non-ASCII escaped, NaN refused."""
    return json.dumps(_encode(value), separators=(",", ":"), allow_nan=False)


def from_json(kind: type[T], text: str) -> T:
    """The value of class `kind` written by `to_json`. Raises ValueError, KeyError or TypeError on other text."""
    erased: Any = kind
    value: T = _decoder(erased)(json.loads(text))
    return value


def _encode(value: Any) -> Any:
    kind: Any = type(value)
    return _encoder(kind)(value)


@cache
def _encoder(kind: Any) -> Encode:
    if is_dataclass(kind):
        names = _names(kind)
        return lambda value: [_encode(getattr(value, name)) for name in names]
    if issubclass(kind, (tuple, list)):
        return lambda value: [_encode(item) for item in value]
    if issubclass(kind, Decimal):
        return plain
    return (lambda value: value.value) if issubclass(kind, StrEnum) else _same


def _names(kind: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind))


@cache
def _decoder(kind: Any) -> Encode:
    while isinstance(kind, NewType):
        kind = kind.__supertype__
    if is_dataclass(kind):
        return _class_decoder(cast("type[Any]", kind))
    if get_origin(kind) is tuple:
        return _tuple_decoder(get_args(kind))
    if get_origin(kind) in (UnionType, Union):
        (inner,) = [_decoder(arg) for arg in get_args(kind) if arg is not NoneType]
        return lambda raw: None if raw is None else inner(raw)
    if kind is float:
        return float
    return kind if issubclass(kind, (Decimal, StrEnum)) else _same


def _class_decoder(kind: Any) -> Encode:
    hints = get_type_hints(kind)
    parts = [_decoder(hints[name]) for name in _names(kind)]
    return lambda raw: kind(*[part(item) for part, item in zip(parts, raw, strict=True)])


def _tuple_decoder(args: tuple[Any, ...]) -> Encode:
    if len(args) == 2 and args[1] is Ellipsis:
        item = _decoder(args[0])
        return lambda raw: tuple(item(one) for one in raw)
    parts = [_decoder(arg) for arg in args]
    return lambda raw: tuple(part(one) for part, one in zip(parts, raw, strict=True))


def _same(raw: Any) -> Any:
    return raw
