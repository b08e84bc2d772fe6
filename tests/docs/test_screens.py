"""Every table as a person sees it, on a terminal of 80 columns and of 160, without colour; piped it is that of 80.

What it looks like stands in `screens/`, a file for each screen; `make docs-write` draws them anew. Look at them then.
"""

import contextlib
import io
import os
import pty
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import pytest

from cli.exits import ended
from cli.options import Shared
from cli.table import build
from tests.cli.program import START, Inside, Program

SCREENS = Path(__file__).with_name("screens")
WIDTHS = (80, 160)
CHANGING = {  # what is another time another
    r"\b[0-9a-f]{64}\b": "<digest>",
    r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b": "<id>",
    r"/[\w/.-]*/test_[\w/.-]*": "<place>",
    r"[0-9-]{10} [0-9:]{5} UTC, \w+ \(me\)": "<now>, <user> (me)",
    r"\b(?=[0-9a-f]*[a-f])(?=[0-9a-f]*[0-9])[0-9a-f]{12}\b": "<12 digits>",
}
PAPER = ("--mode", "PAPER", "--venue", "simulated")
WEEK = ("--seed", "7", "--to", "2024-01-08")
SHOWN: dict[str, tuple[str, ...]] = {  # in this order, on one account
    "help": ("--help",),
    "queue": ("queue", "list"),
    "run": ("run", *PAPER, "--cycles", "6"),
    "run-cycle": ("run-cycle", *PAPER),
    "preview": ("preview", *PAPER),
    "status": ("status",),
    "status-oneline": ("status", "--oneline"),
    "positions": ("positions",),
    "orders": ("orders", "--all"),
    "trades": ("trades",),
    "trades-stats": ("trades", "--stats"),
    "pnl": ("pnl",),
    "pnl-symbol": ("pnl", "--by", "symbol"),
    "why": ("why",),
    "why-one": ("why", "BTC-USD", "--cycle", "3", "--all"),
    "why-no-trade": ("why", "--no-trade"),
    "decisions": ("decisions", "list"),
    "decision": ("decisions", "show", "3"),
    "replay": ("replay", "3"),
    "what-if": ("what-if", "--set", "risk.max_open_positions=2", "3"),
    "risk-var": ("risk", "var", *PAPER),
    "risk-corr": ("risk", "corr", *PAPER),
    "risk-exposure": ("risk", "exposure", *PAPER),
    "gate": ("gate", "explain", "BTC", *PAPER),
    "reconcile": ("reconcile", *PAPER),
    "halt": ("halt", "show"),
    "halt-history": ("halt", "history"),
    "breakers": ("breaker", "list"),
    "policy": ("policy", "show"),
    "policy-history": ("policy", "history"),
    "policy-diff": ("policy", "diff", "1", "2"),
    "bans": ("bans", "list"),
    "size": ("size", "calc", "--equity", "10000", "--conviction-pct", "80", "--stop-pct", "5", "--explain"),
    "validate-config": ("validate-config",),
    "feasibility": ("validate-config", "--equity", "20000"),
    "config-diff": ("config", "diff", "config", "bolder"),
    "backtest": ("backtest", *WEEK, "--out", "report.json"),
    "compare": ("compare", "before.json", "report.json"),
    "trials": ("trials",),
    "refused": ("why", "BTX"),
}


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass(frozen=True)
class Seen(Inside):
    """The program in this process on a terminal so wide, or piped where it has no width."""

    columns: int = 0

    def shows(self, *words: str) -> str:
        out = Terminal() if self.columns else io.StringIO()
        err, shared = io.StringIO(), Shared()
        arguments = [*words, *(() if words == ("--help",) else ("--state", str(self.state)))]

        def act() -> object:
            group = build(arguments)
            with group.make_context("trader", arguments, obj=shared, terminal_width=self.columns or 80) as ctx:
                return group.invoke(ctx)

        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            ended(act, shared, asked_json=False)
        said = [
            line
            for told in settled(err.getvalue()).splitlines()
            for line in wrap(told, self.columns or 80, break_on_hyphens=False)
        ]
        return "\n".join([settled(out.getvalue()).rstrip("\n"), *said]).strip("\n") + "\n"


def settled(text: str) -> str:
    """Without what is another time another."""
    for pattern, name in CHANGING.items():
        text = re.sub(pattern, name, text)
    return text


@pytest.fixture(scope="module")
def stages(traded: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every terminal begins from."""
    home = tmp_path_factory.mktemp("test_stages")
    shutil.copytree(traded.state, home / "state")
    shutil.copytree(Path(__file__).parents[2] / "config", home / "config")
    shutil.copytree(home / "config", home / "bolder")
    policy = home / "bolder" / "policy.yaml"
    policy.write_text(policy.read_text().replace("max_open_positions: 6 ", "max_open_positions: 9 "))
    with inside(home, 80):
        program = Seen(home)
        for words in (
            ("policy", "set", "risk.max_open_positions=5", "--reason", "a storm", "--user", "me"),
            ("bans", "add", "DOGE", "--reason", "too wild"),
            ("halt", "trip", "--reason", "news of a hack"),
            ("halt", "reset", "--user", "me", "--reason", "it was a rumour", "--force"),
            ("backtest", *WEEK[:3], "2024-01-06", "--out", "before.json"),
        ):
            program.shows(*words)
    return home


@contextlib.contextmanager
def inside(home: Path, columns: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(home)
        patched.setenv("COLUMNS", str(columns))
        patched.setenv("NO_COLOR", "1")
        yield


@pytest.fixture(scope="module", params=WIDTHS)
def drawn(request: pytest.FixtureRequest, stages: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Every screen of a terminal."""
    home = tmp_path_factory.mktemp("test_drawn") / "home"
    shutil.copytree(stages, home)
    with inside(home, request.param):
        return {name: Seen(home, request.param).shows(*words) for name, words in SHOWN.items()} | {
            "columns": str(request.param)
        }


def test_every_screen_is_as_it_was_looked_at(drawn: dict[str, str]) -> None:
    columns = drawn["columns"]
    files = {SCREENS / f"{name}.{columns}.txt": drawn[name] for name in SHOWN}
    if os.environ.get("TRADER_WRITE"):
        for path, text in files.items():
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
    there = {path.name: path.read_text(encoding="utf-8") if path.exists() else "" for path in files}
    assert there == {path.name: text for path, text in files.items()}, "type `make docs-write`, and look at them"


def test_no_screen_is_wider_than_its_terminal(drawn: dict[str, str]) -> None:
    columns = int(drawn["columns"])
    lines = {name: drawn[name].splitlines() for name in SHOWN if name != "status-oneline"}
    wide = {name: [line for line in told if len(line) > columns] for name, told in lines.items()}
    wide = {name: told for name, told in wide.items() if told}
    assert wide == {}
    ragged = {name: line for name in SHOWN for line in drawn[name].splitlines() if line != line.rstrip()}
    assert ragged == {}
    assert not [name for name in SHOWN if "\x1b" in drawn[name]]


def test_a_screen_that_is_shown_no_more_has_no_file() -> None:
    assert {one.name for one in SCREENS.iterdir()} == {f"{name}.{width}.txt" for name in SHOWN for width in WIDTHS}


def test_piped_it_is_the_screen_of_80_columns(stages: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(stages, home)
    with inside(home, 160):  # what a terminal elsewhere has is no matter
        piped = {name: Seen(home).shows(*SHOWN[name]) for name in ("queue", "status", "why", "why-no-trade")}
    with inside(home, 80):
        assert piped == {name: Seen(home, 80).shows(*SHOWN[name]) for name in piped}


@pytest.mark.parametrize("columns", WIDTHS)
def test_a_real_terminal_has_colours_and_its_own_width(stages: Path, columns: int) -> None:
    program = Program(stages)
    master, slave = pty.openpty()
    subprocess.run(
        [*START, "status", "--state", stages / "state"], cwd=stages, stdout=slave, check=True, timeout=60,
        env={**program.environment, "COLUMNS": str(columns), "TERM": "xterm"},
    )  # fmt: skip
    os.close(slave)
    text = os.read(master, 1 << 16).decode()
    os.close(master)
    assert "\x1b[1m" in text
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in text.splitlines()) <= columns
