"""Settings with some of their keys changed, under every check that the files go through; and settings as one text."""

import json
from collections.abc import Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from trader_core.domain.errors import ConfigInvalid
from trader_core.domain.money import plain
from trader_core.settings.coherence import check
from trader_core.settings.document import dotted, shown
from trader_core.settings.schema import Settings

Value = bool | int | Decimal | str
_DECIMAL = "decimal"


def value_at(settings: Settings, key: str) -> Any:
    """What stands at 'strategies.sma_cross.fast_bars'. Raises LookupError, with what may have been meant, where there
    is no single value."""
    found: Any = settings.model_dump()
    for step in key.split("."):
        known = list(found) if isinstance(found, Mapping) else []
        if step not in known:
            near = get_close_matches(step, known, n=1)
            raise LookupError(f"{key} is not a known key" + (f"; did you mean {near[0]}?" if near else ""))
        found = found[step]
    if isinstance(found, Mapping | tuple):
        raise LookupError(f"{key} is {shown(found)}, not a single value")
    return found


def edited(settings: Settings, edits: Mapping[str, Value], coherent: bool = True) -> Settings:
    """The settings with these known keys changed. Raises ConfigInvalid where one is not sound or, asked for
    `coherent` ones, where they do not go together any more and did before."""
    values = settings.model_dump()
    for key, value in edits.items():
        *blocks, last = key.split(".")
        block = values
        for step in blocks:
            block = block[step]
        block[last] = value
    found = _validated(values)
    clashes = new_clashes(settings, found) if coherent else ()
    if clashes:
        raise ConfigInvalid(clashes)
    return found


def _validated(values: Any) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as fault:
        said = (f"{dotted(one['loc'])}: {one['msg']}" for one in fault.errors(include_url=False))
        raise ConfigInvalid(tuple(dict.fromkeys(said))) from fault


def new_clashes(before: Settings, after: Settings) -> tuple[str, ...]:
    """What does not go together any more, and did before."""
    known = {one.message for one in check(before)}
    return tuple(f"{one.file}: {one.message}" for one in check(after) if one.message not in known)


def to_text(settings: Settings) -> str:
    """One line of JSON, exact."""
    return json.dumps(settings.model_dump(), separators=(",", ":"), allow_nan=False, default=_tagged)


def from_text(text: str) -> Settings:
    """What `to_text` wrote. Raises ConfigInvalid where another version wrote it, whose keys are not those of today."""
    return _validated(_frozen(json.loads(text)))


def _tagged(value: object) -> dict[str, str]:
    if not isinstance(value, Decimal):
        raise TypeError(f"no text for {type(value).__name__}")
    return {_DECIMAL: plain(value)}


def _frozen(value: Any) -> Any:
    """Lists as tuples, tagged decimals as Decimals."""
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return Decimal(value[_DECIMAL]) if set(value) == {_DECIMAL} else {k: _frozen(v) for k, v in value.items()}
    return value
