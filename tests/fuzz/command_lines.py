"""Every command with words that make no sense: an answer with a code of the table, never a bug; and `kill` latches,
whatever stands around it.

Each is a process of its own, in a folder of its own, on an account that may be ruined. Whatever is asked of a venue or
a time server is asked on this machine, where nobody answers.
"""

import random
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

import click

from cli.exits import EXITS
from cli.table import COMMANDS, build
from tests.cli.forked import run
from tests.cli.program import Program
from tests.fuzz.accounts import Account
from tests.fuzz.tries import Tries

NOBODY = "127.0.0.1:9"
LONG_S = 60.0
STAYS = ("sim serve", "run", "sweep", "walk-forward", "montecarlo", "backtest", "parity", "compare", "data fetch")
CAMPAIGNS = "prove "  # whole rehearsals with processes of their own: only their words are tried
KILLED = (0, 2, 50, 70)
VALUED = ("--state", "--config", "--mode", "--venue", "--log")  # of the program's own options
ODD = (
    "", " ", "-", "--", "---", "-x", "--no-such-option", "--state", "--config", "=", "--json=", "0", "-1", "1e9", "NaN",
    "9" * 40, "a" * 5_000, "\u202e", "\U0001f4a9", "\udcff", "../..", "/dev/null", "/dev/full", "kill", "run", "--help",
    "*", "$HOME", "`x`", "'", '"', "\n", "2024-13-45", "2024-01-01", "BTC-USD", "BTC", "plan.json", "config", "data",
    "state", "--flatten", "--all", "--reason", "--mode", "PAPER", "LIVE", "live",
)  # fmt: skip


@dataclass(frozen=True)
class Ruined(Program):
    """The program where its account, its configuration and its folder may be ruined."""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "TRADER_STATE": str(self.state), "TRADER_CONFIG": str(self.home / "config")}

    def code(self, words: list[str]) -> tuple[int, str]:
        code, out, err = run([one for one in words if "\0" not in one], self.home, self.environment, LONG_S)
        return code, out + err


def fuzz(tries: Tries) -> None:
    known = dict(_commands())
    program = _prepared(tries.folder)
    for rng in tries.rolls():
        _anew(tries.folder)
        name = rng.choice(list(known))
        words = _words(rng, known[name])
        words = [*name.split(), *words, *(["--no-such-option"] if name.startswith(CAMPAIGNS) else [])]
        if name == "install-units":
            words += ["--to", str(program.home / "units")]
        try:
            code, said = program.code(words)
        except TimeoutExpired:
            tries.figures["went_on"] += 1
            if name not in STAYS:
                tries.wrong(f"{words}: it did not end in {LONG_S:.0f} s")
            continue
        tries.ended(code, tuple(one for one in EXITS if one != 1), f"{words}: {said}")


def fuzz_kill(tries: Tries) -> None:
    program = _prepared(tries.folder)
    for rng in tries.rolls():
        _anew(tries.folder)
        words = ["kill"]
        for _ in range(rng.randint(0, 6)):
            words.insert(rng.randint(0, len(words)), rng.choice([*ODD[:11], *ODD]))
        code, said = program.code(words)
        other = _command(words) != "kill"  # of which kill is a word; it may end as it likes
        if not tries.ended(code, tuple(EXITS) if other else KILLED, f"{words}: {said}") or other:
            continue
        latched = [*program.home.rglob("KILL_SWITCH")]
        asked = "--help" in words
        tries.figures["latched"] += bool(latched)
        if code != 2 and not asked and not latched and "NOT LATCHED" not in said:
            tries.wrong(f"{words}: it ended with {code}, and nothing is latched: {said[-200:]}")
        if code == 2 and "next" not in said and "Usage" not in said:
            tries.wrong(f"{words}: not understood, and it does not say how: {said[-200:]}")


def _command(words: list[str]) -> str:
    """The first word that is a command and no option's value; '' without one."""
    named = (word for before, word in zip(["", *words], words, strict=False) if before not in VALUED)
    return next((word for word in named if word in ("kill", "run")), "")


def _prepared(folder: Path) -> Ruined:
    account = Account(folder)
    account.world.configured(
        app__mode="PAPER", app__exchange__venue="simulated", app__exchange__venue_url=f"http://{NOBODY}",
        app__clock__servers=[NOBODY, "127.0.0.1:10", "127.0.0.1:11"],
    )  # fmt: skip
    shutil.copytree(account.world.config, folder / "sound")
    return Ruined(folder)


def _anew(folder: Path) -> None:
    for name, kept in (("state", "kept"), ("config", "sound")):
        shutil.rmtree(folder / name, ignore_errors=True)
        shutil.copytree(folder / kept, folder / name)
    for stray in folder.rglob("KILL_SWITCH"):
        stray.unlink()


def _commands() -> Iterator[tuple[str, Any]]:
    """Every command, as it is typed, and what it may be given."""
    root = build()
    for name, one in COMMANDS.items():
        if isinstance(one, Mapping):
            group = root.commands[name]
            yield from ((f"{name} {leaf}", group.commands[leaf]) for leaf in one)
        else:
            yield name, root.commands[name]


def _words(rng: random.Random, command: Any) -> list[str]:
    """Some of its own options, with values that make sense or none, and some that are nobody's."""
    words = list[str]()
    for parameter in command.params:
        if rng.random() < (0.7 if isinstance(parameter, click.Argument) else 0.25):
            words += _given(rng, parameter)
    for _ in range(rng.choice((0, 0, 1, 2))):
        words.insert(rng.randint(0, len(words)), rng.choice(ODD))
    return words


def _given(rng: random.Random, parameter: Any) -> list[str]:
    value = [rng.choice(ODD)]
    choices = getattr(parameter.type, "choices", None)
    if choices and rng.random() < 0.7:
        value = [str(rng.choice(list(choices)))]
    elif parameter.type.name in ("integer", "integer range", "float", "float range") and rng.random() < 0.7:
        value = [rng.choice(("0", "1", "2", "-1", "3.5"))]
    if parameter.param_type_name == "argument":
        return value
    return [rng.choice(parameter.opts), *([] if getattr(parameter, "is_flag", False) else value)]
