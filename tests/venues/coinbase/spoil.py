"""Recorded payloads, spoilt at random, and what must hold of whatever the parser makes of them."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from tests.venues.coinbase.payloads import PARSERS, payload
from trader_core.domain.errors import VenuePayload
from trader_core.domain.values import is_value, names_of
from trader_core.venues.coinbase import parse
from trader_core.venues.coinbase.words import Accepted, FillRow, Pricebook

FILLS = ["fills_spot_taker_sell", "fills_two"]  # what moves a position is tried more often
_RAW = "\x00raw\x00"  # stands in for text that json.dumps would not write
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 10**30, -(10**400), 1e308, 0.1, "", " ", "0", "-0", "-1", "0.00000000", "1e-99",
    "1e99", "9" * 400, "0." + "0" * 38 + "1", "NaN", "sNaN", "Infinity", "-Infinity", "1_0", "\u0661\u0662", "\ud800",
    "\udfff\ud800", "\x00", "\x1b[2J", "\u202e", "\U0001f4a9", "a" * 100_000, [], {}, [[]], [None], {"a": {}},
    {"value": "1"}, "UNKNOWN", "FILLED", "FILL", "BUY", "2023-02-30T00:00:00Z", "0001-01-01T00:00:00Z", "null",
]  # fmt: skip
RAW = [
    "NaN", "Infinity", "-Infinity", "1e400", "-1E+9999", "1" * 5_000, "0" + "1" * 9, "[" * 5_000 + "]" * 5_000,
    '{"a":' * 3_000 + "1" + "}" * 3_000, '"\\ud800"', '"\\u0000"', '{"price": "1", "price": "2"}', "nul", "'", ",", "",
]  # fmt: skip

Change = Callable[[random.Random, Any], Any]


def spoilt(rng: random.Random, name: str) -> bytes:
    """The payload with one to three things wrong: in what it says, or in its bytes."""
    body = payload(name)
    if rng.random() < 0.15:
        return _bytes(rng, body)
    try:
        document = json.loads(body)
    except ValueError:
        return _bytes(rng, body)
    raw: list[str] = []
    for _ in range(rng.randint(1, 3)):
        document = _changed(rng, copy.deepcopy(document), raw)
    text = json.dumps(document)
    for one in raw:
        text = text.replace(json.dumps(_RAW), one, 1)
    return text.encode("utf-8", "surrogatepass")


def _bytes(rng: random.Random, body: bytes) -> bytes:
    at, to = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
    noise = rng.randbytes(rng.randint(1, 8))
    return rng.choice((body[:at], body[at:], body[:at] + noise + body[at:], body[:at] + body[to:], body + body, noise))


def _changed(rng: random.Random, document: Any, raw: list[str]) -> Any:
    """One value replaced, removed, renamed, doubled, or exchanged for another one of the same payload."""
    places = list(_places(document))
    if not places:
        return _value(rng, raw)
    holder, key = rng.choice(places)
    match rng.randrange(7):
        case 0:
            del holder[key]
        case 1 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case 2 if isinstance(holder, dict):
            holder[f"{key}{rng.choice(('', '_', 's', chr(0x430)))}"] = holder.pop(key)
        case 3:
            other, there = rng.choice(places)
            holder[key] = copy.deepcopy(other[there])
        case 4:
            holder[key] = _near(rng, holder[key])
        case _:
            holder[key] = _value(rng, raw)
    return document


def _value(rng: random.Random, raw: list[str]) -> Any:
    if rng.random() < 0.2:
        raw.append(rng.choice(RAW))
        return _RAW
    return copy.deepcopy(rng.choice(HOSTILE))


def _near(rng: random.Random, value: Any) -> Any:
    """Almost what stood there: what a careless parser takes for it."""
    text = value if isinstance(value, str) else json.dumps(value)
    ways = (
        f"-{text}",
        "0",
        "-0.0",
        f"{text}0" * 20,
        f"{text}e9",
        f" {text}",
        text.swapcase(),
        text[:-1],
        f"{text}\ud800",
    )
    return rng.choice(ways)


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every holder and key in the document."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def check(name: str, body: bytes) -> bool:
    """Whether it was read. Raises AssertionError where what was read must not be; any other error is a crash."""
    try:
        found = PARSERS[name](body)
    except VenuePayload as named:
        told = f"{named}".encode()
        if not named.where.startswith("$") or not told:
            raise AssertionError(told) from named
        return False
    for one in _values(found):
        assert not isinstance(one, FillRow) or (one.quantity > 0 and one.price > 0 and one.value > 0), one
        assert not isinstance(one, Accepted) or one.order_id, one
        assert not isinstance(one, str) or one.isprintable(), one
        assert not isinstance(one, Decimal) or (one.is_finite() and abs(one) < Decimal(10) ** 60), one
        if isinstance(one, Pricebook):
            parse.top_of(one)
    assert f"{found}".encode()
    return True


def _values(found: object) -> Iterator[object]:
    """The value and every value in it."""
    yield found
    inner = found if isinstance(found, tuple) else ()
    if is_value(found):
        inner = tuple(getattr(found, name) for name in names_of(found))
    for one in inner:
        yield from _values(one)


def campaign(seed: int, runs: int) -> int:
    """How many of so many spoilt payloads were read all the same."""
    rng, names = random.Random(seed), sorted([*PARSERS, *FILLS * 3])
    return sum(check(names[run % len(names)], spoilt(rng, names[run % len(names)])) for run in range(runs))
