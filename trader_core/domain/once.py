"""A property that is computed once. That of functools lets one thread at a time compute it, whoever's it is, before
Python 3.12; threads that compute the columns of several markets would wait for each other."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class once(Generic[Value]):  # noqa: N801
    """As functools.cached_property, without its lock: two threads may compute the same value, and one is kept."""

    def __init__(self, compute: Callable[[Any], Value]) -> None:
        self._compute, self._name, self.__doc__ = compute, compute.__name__, compute.__doc__

    def __get__(self, owner: Any, kind: type | None = None) -> Value:
        value = self._compute(owner)
        vars(owner)[self._name] = value
        return value
