"""A state directory, a key in the environment, and `trader kill` as a process of its own."""

import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.cli.program import START, Done, Program
from tests.loopback.served import Served
from tests.world import write_config
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import CashFlow, Fact, Filled
from trader_core.domain.fill import Fill, Side
from trader_core.domain.ids import OrderIdsOf
from trader_core.domain.money import Base, Quote
from trader_core.store.sqlite import SqliteStore

IDENTITY = {"mode": "LIVE", "venue": "coinbase", "quote": "USD", "data": "portfolio", "clock": "wall, 900000 ms"}
id_of = OrderIdsOf("the tests")
_CAPABILITIES = "-dac_override,-dac_read_search"
NOT_ALMIGHTY = [] if os.geteuid() else ["setpriv", f"--bounding-set={_CAPABILITIES}", f"--inh-caps={_CAPABILITIES}"]


@dataclass(frozen=True)
class Killed(Done):
    seconds: float


@dataclass(frozen=True)
class Scene(Program):
    given: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "TRADER_STATE": str(self.state), **self.given}

    @property
    def file(self) -> Path:
        return self.state / "KILL_SWITCH"

    def kill(self, *words: str | Path, under: Sequence[str] = ()) -> Killed:
        """The whole command, and how long it took from the outside. `under` is what starts it."""
        began_s = time.monotonic()
        done = subprocess.run(
            [*under, *START, "kill", *map(str, words)],
            cwd=self.home, env=self.environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Killed(done.returncode, done.stdout, done.stderr, time.monotonic() - began_s)

    def at(self, venue: Served, **edits: Any) -> "Scene":
        """With the venue's key, and a configuration that names the venue."""
        live = {"app.mode": "LIVE", "app.exchange.read_only": False, "app.exchange.venue_url": venue.url}
        write_config(self.home / "config", {**live, **edits})
        self.given.update(
            TRADER_CONFIG=str(self.home / "config"), CA_BUNDLE=str(venue.folder / "ca.pem"),
            COINBASE_API_KEY=venue.key["name"], COINBASE_API_SECRET=venue.key["privateKey"],
        )  # fmt: skip
        return self

    def begun(self, name: str, facts: Sequence[Fact] = ()) -> Path:
        """An account of that mode whose journal holds these facts."""
        self.state.mkdir(exist_ok=True)
        store = SqliteStore(self.state / f"{name}.db", IDENTITY, "digest")
        store.append(1, 0, facts)
        store.close()
        return self.state / f"{name}.db"

    def holding(self, held: Mapping[str, str]) -> Path:
        """A live account that bought so much of each, at 100."""
        now_ms = EpochMs(int(time.time() * 1_000))
        bought = [
            Filled(
                Fill(f"t{n}", id_of(900 + n, 0), symbol, Side.BUY, Decimal(100), Base(Decimal(quantity)),
                     Quote(Decimal(quantity) * 100), Quote(Decimal(0)), now_ms), f"{n}",
            )
            for n, (symbol, quantity) in enumerate(held.items(), 1)
        ]  # fmt: skip
        return self.begun("live", [CashFlow(Quote(Decimal(100_000)), now_ms, "opened", "0"), *bought])


def hook_into(folder: Path) -> tuple[str, Path]:
    """(a command that keeps what it is told, with when, where it is kept)."""
    kept = folder / "alert.json"
    script = folder / "hook.sh"
    script.write_text(f"#!/bin/sh\ncat > {kept}.part && mv {kept}.part {kept}\n")
    script.chmod(0o700)
    return str(script), kept


def key_seen(scene: Scene, *told: Done) -> list[str]:
    """Pieces of the key's secret in what was said, or written into the state directory."""
    secret = scene.given["COINBASE_API_SECRET"]
    files = [one.read_bytes().decode("latin-1") for one in scene.state.rglob("*") if one.is_file()]
    everything = "".join([*(one.out + one.err for one in told), *files])
    return [one for one in re.split(r"\s|-----[A-Z ]+-----", secret) if len(one) >= 12 and one in everything]


def age_s(path: Path, began: float) -> float:
    """When the file was written, in s after `began` on the wall clock."""
    return path.stat().st_mtime - began
