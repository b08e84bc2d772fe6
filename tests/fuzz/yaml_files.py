"""The five files, spoilt in their text or in what they hold: read, or refused with the file that is to be mended."""

import random
import shutil
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from tests.cli.program import Inside
from tests.fuzz.tries import Tries
from tests.world import CONFIG, as_yaml, shipped
from trader_core.settings.schema import FILES

NAMES = tuple(FILES)
HOSTILE: list[Any] = [
    None, True, False, 0, -1, 1, 10**30, -(10**400), 0.1, 1e-300, 1e308, float("nan"), float("inf"), float("-inf"), "",
    " ", "0", "-0", "1e3", "NaN", "yes", "no", "on", "~", "null", "12 %", "5,5", "LIVE", "live", "a" * 70_000,
    "\u202e", "\U0001f4a9", [], {}, [[]], [None], {"a": {}}, ["BTC", "BTC"], {1: 2}, {None: None}, {True: False},
]  # fmt: skip
LINES = [
    "\tkey: value", "key: [", "]: {", "? a\n: b", "- - - -", "&a [*a]", "*unknown", "<<: *a", "!!python/object:a.b x",
    "!!binary AAAA", "%YAML 9.9", "---\n---", "...", "key: 'open", 'key: "\\xZZ"', "key: |\n  text", "2024-01-01: 1",
    "key: 0o17", "key: 1_000", "key: 1:30", "\ufeffkey: 1", "# only a comment", "mode: LIVE", "read_only: false",
]  # fmt: skip


def fuzz(tries: Tries) -> None:
    directory = tries.folder / "config"
    program = Inside(tries.folder)
    for rng in tries.rolls():
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name in NAMES:
            (directory / f"{name}.yaml").write_bytes((CONFIG / f"{name}.yaml").read_bytes())
        spoilt = rng.sample(NAMES, rng.choice((1, 1, 1, 2, 3)))
        for name in spoilt:
            rng.choice(WAYS)(rng, name, directory / f"{name}.yaml")
        done = program("validate-config", "--config", directory)
        named = any(f"{name}.yaml" in done.err for name in NAMES)
        if tries.ended(done.code, (0, 10), done.err) and done.code == 10 and not named:
            tries.wrong(f"{spoilt} are spoilt, and no file is named: {done.err[:300]}")


def _held(rng: random.Random, name: str, path: Path) -> None:
    """One value is another, is gone, or has a new neighbour."""
    content = deepcopy(shipped(name)[0])
    places = list(_places(content))
    holder, key = rng.choice(places)
    deed = rng.randrange(6)
    if deed > 3 and isinstance(holder[key], int | float):
        holder[key] = type(holder[key])(holder[key] * rng.choice((0.5, 0.9, 1.1, 2, 10)))
    elif deed == 0:
        del holder[key]
    elif deed == 1 and isinstance(holder, dict):
        holder[f"{key}{rng.choice(['_pct', 's', '_ms', ' '])}"] = holder[key]
    elif deed == 2:
        holder[key] = rng.choice(places)[0]
    else:
        holder[key] = rng.choice(HOSTILE)
    try:
        path.write_text(as_yaml(content), encoding="utf-8", errors="surrogatepass")
    except yaml.YAMLError:  # it cannot be written at all
        path.write_text("")


def _places(content: Any, depth: int = 0) -> Any:
    """(what holds it, its key) of everything in there; aliases may go round in circles."""
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(items):
        yield content, key
        if depth < 6:
            yield from _places(value, depth + 1)


def _lines(rng: random.Random, name: str, path: Path) -> None:
    lines = path.read_text(errors="replace").splitlines()
    at = rng.randrange(len(lines) + 1)
    deed = rng.randrange(5)
    if deed == 0:
        lines[at:at] = [rng.choice(LINES)]
    elif deed == 1 and at < len(lines):
        lines[at:at] = [lines[at]]
    elif deed == 2 and at < len(lines):
        lines[at] = f"{' ' * rng.randint(1, 5)}{lines[at]}"
    elif deed == 3 and at < len(lines):
        key, colon, _ = lines[at].partition(":")
        lines[at] = f"{key}{colon} {rng.choice(LINES)}"
    else:
        del lines[at : at + rng.randint(1, 5)]
    path.write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")


def _bytes(rng: random.Random, name: str, path: Path) -> None:
    body = path.read_bytes()
    at, to = sorted((rng.randrange(len(body) + 1), rng.randrange(len(body) + 1)))
    noise = rng.randbytes(rng.randint(1, 8))
    path.write_bytes(rng.choice((body[:at], body[:at] + noise + body[at:], body[:at] + body[to:], body + body, noise)))


def _gone(rng: random.Random, name: str, path: Path) -> None:
    """The file is not there, is a folder, or leads nowhere."""
    path.unlink()
    deed = rng.randrange(3)
    if deed == 0:
        path.mkdir()
    elif deed == 1:
        path.symlink_to(path.name)


WAYS = (_held, _held, _held, _lines, _lines, _bytes, _gone)
