"""A LIVE program in rehearsal: venue and time servers on loopback, a key of that venue, a configuration, a state."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import requests

from tests.cli.program import START, Done, Inside, Program
from tests.ops.ntp import NtpServer
from tests.world import write_config

KEY_FILE = "api-key.json"
ADMIN_S = 10
MAY = {"can_view": True, "can_trade": True, "can_transfer": False}  # a key that trades


@dataclass(frozen=True)
class Sim:
    """`trader sim serve` in a process of its own."""

    url: str
    folder: Path  # of `sim cert`

    @cached_property
    def session(self) -> requests.Session:
        session = requests.Session()
        session.verify, session.trust_env = str(self.folder / "ca.pem"), False
        return session

    def admin(self, path: str, /, **body: Any) -> dict[str, Any]:
        return _told(self.session.post(f"{self.url}/admin/{path}", json=body, timeout=ADMIN_S))

    def asked(self, path: str) -> dict[str, Any]:
        return _told(self.session.get(f"{self.url}/admin/{path}", timeout=ADMIN_S))

    def permit(self, **granted: Any) -> None:
        self.admin("permissions", **granted)

    def accept(self, file: Path) -> None:
        """The key in this file is one of the account's from now on."""
        self.admin("keys", **json.loads(file.read_text()))


def _told(answer: requests.Response) -> dict[str, Any]:
    answer.raise_for_status()
    told: dict[str, Any] = answer.json()
    return told


@contextmanager
def sim_served(folder: Path, *more: str) -> Iterator[Sim]:
    program = Inside(folder)
    assert program("sim", "cert", folder / "tls").code == 0
    words = [*START, "sim", "serve", "--tls", str(folder / "tls"), "--realtime", "--port", "0", *more]
    environment = program.environment
    running = subprocess.Popen(words, env=environment, cwd=folder, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    try:
        yield Sim(json.loads(running.stdout.readline())["url"], folder / "tls")
    finally:
        running.kill()  # asked to end, it waits for its callers
        running.communicate(timeout=20)


@dataclass(frozen=True)
class Rehearsal(Program):
    """Runs in a process of its own when called, in this one by `inside`; `given` is what the environment says."""

    sim: Sim
    servers: list[NtpServer]
    given: dict[str, str] = field(default_factory=dict)
    edits: dict[str, Any] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "TRADER_STATE": str(self.state), "TRADER_CONFIG": str(self.config),
            "CA_BUNDLE": str(self.sim.folder / "ca.pem"),
        }  # fmt: skip
        return {**super().environment, **own, **self.given}

    @property
    def config(self) -> Path:
        return self.home / "config"

    @property
    def key(self) -> Path:
        return self.sim.folder / KEY_FILE

    def configured(self, **edits: Any) -> "Rehearsal":
        """`a__b` names the key a.b of app.yaml."""
        self.edits.update({f"app.{key.replace('__', '.')}": value for key, value in edits.items()})
        live = {
            "app.mode": "LIVE", "app.exchange.read_only": False, "app.exchange.venue_url": self.sim.url,
            "app.clock.servers": [one.name for one in self.servers],
        }  # fmt: skip
        write_config(self.config, {**live, **self.edits})
        return self

    def presenting(self, file: Path | None = None, new: Path | None = None) -> "Rehearsal":
        """The environment holds the key of this file, or no key; and the key that is to come."""
        for name in [one for one in self.given if one.startswith("COINBASE")]:
            del self.given[name]
        for prefix, path in (("COINBASE", file), ("COINBASE_NEW", new)):
            if path is not None:
                document = json.loads(path.read_text())
                self.given[f"{prefix}_API_KEY"] = document["name"]
                self.given[f"{prefix}_API_SECRET"] = document["privateKey"]
        return self

    def inside(self, *words: str | Path) -> Done:
        with self.at_home():
            return Inside(self.home)(*words)

    def rotated(self) -> "Rehearsal":
        """The presented key is the one in force."""
        done = self.inside("rotate-secrets", "--stage", "--verify", "--activate")
        assert done.code == 0, done.err
        return self

    def new_key(self, name: str, ed25519: bool = False) -> Path:
        """Another key of the same account."""
        folder = self.home / name
        assert Inside(self.home)("sim", "cert", folder, *(["--ed25519"] if ed25519 else [])).code == 0
        self.sim.accept(folder / KEY_FILE)
        return folder / KEY_FILE

    def written(self) -> str:
        """Everything under the state directory, as text."""
        files = [one for one in sorted(self.state.rglob("*")) if one.is_file()]
        return "\n".join(one.read_bytes().decode("latin-1") for one in files)


def pieces(file: Path) -> list[str]:
    """What must never be seen of a key: every long run of characters in its secret."""
    secret = json.loads(file.read_text())["privateKey"]
    return [one for one in re.split(r"\s|\\n|-----[A-Z ]+-----", secret) if len(one) >= 12]
