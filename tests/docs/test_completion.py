"""Completions in the shells that are here: real ones, on terminals of their own, with Tab pressed."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.write import NAMES
from tests.shared import ROOT

TAB_S = 2.0  # a shell on a busy machine; what it does itself is measured below
EACH_MS = 10
STARTS_A_PROCESS = re.compile(r"\$\((?!\()|`|<\(|\|(?!\|)[^)]*$")
HOW = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set enable-bracketed-paste off'; source {file}"),
    "fish": (["fish", "--no-config", "-i"], "source {file}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -U compinit; compinit -u -D; source {file}"),
}


class Shell:
    """A shell on a terminal that a test types into."""

    def __init__(self, name: str, home: Path) -> None:
        words, setting = HOW[name]
        self.pid, self.line = pty.fork()
        if self.pid == 0:
            os.chdir(home)
            kept = {"PATH": os.environ["PATH"], "HOME": str(home), "TERM": "dumb", "PS1": "$ ", "COLUMNS": "200"}
            os.execvpe(words[0], words, kept)  # noqa: S606 - a shell is what is tested
        self.type(setting.format(file=ROOT / "completions" / NAMES[name]) + "; echo is''ready\n")
        self.until("isready")

    def type(self, text: str) -> None:
        os.write(self.line, text.encode())

    def until(self, text: str, seconds: float = 10) -> str:
        """What the terminal has shown when the text is there. Fails when it never is."""
        shown, end = "", time.monotonic() + seconds
        while text not in shown:
            ready = select.select([self.line], [], [], max(0, end - time.monotonic()))[0]
            assert ready, f"'{text}' never came; shown was: {shown}"
            shown += os.read(self.line, 65536).decode(errors="replace")
        return shown

    def completed(self, typed: str, wanted: str) -> str:
        """The line after Tab was pressed at its end; then it is taken back."""
        self.type(f"{typed}\t")
        shown = self.until(wanted, TAB_S)
        self.type("\x15")
        return shown


@pytest.fixture(params=NAMES)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shell]:
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed: its completions are not tried")
    (tmp_path / "plans").mkdir()
    (tmp_path / "plan.json").touch()
    made = Shell(request.param, tmp_path)
    yield made
    os.close(made.line)
    os.kill(made.pid, 9)
    os.waitpid(made.pid, 0)


def test_tab_completes_commands_options_choices_files_and_folders(shell: Shell) -> None:
    shell.completed("trader validate-c", "trader validate-config")
    shell.completed("trader --mode PAPER --json hal", "halt ")
    shell.completed("trader halt hist", "halt history ")
    shell.completed("trader --state /tmp run --cyc", "run --cycles ")
    shell.completed("trader run --mode P", "--mode PAPER ")
    shell.completed("trader policy profile CAU", "profile CAUTIOUS ")
    shell.completed("trader run-cycle --plan plan.j", "--plan plan.json ")
    shell.completed("trader --state pla", "--state plans/")


def test_tab_after_a_word_that_is_a_value_is_about_the_command(shell: Shell) -> None:
    shell.completed("trader --state run sta", "run status ")


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


def in_bash(script: str) -> str:
    """With no folder to find a program in: what would start one fails."""
    file = ROOT / "completions/trader.bash"
    words = [shutil.which("bash") or "bash", "--norc", "-c", f"source {file}; compopt() {{ :; }}; {script}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env={"PATH": "/nowhere"})
    assert done.stderr == ""
    return done.stdout


def offered(*words: str) -> list[str]:
    line = " ".join(f"'{word}'" for word in words)
    at = f"COMP_WORDS=(trader {line}); COMP_CWORD={len(words)}; _trader"
    return in_bash(f'{at}; printf "%s\\n" "${{COMPREPLY[@]}}"').split()


@needs_bash
def test_bash_offers_what_may_stand_there() -> None:
    assert offered("halt", "") == ["show", "trip", "ack", "reset", "history"]
    assert offered("--mode", "=", "LI") == ["LIVE"]
    assert offered("--mode", "=") == ["DRY_RUN", "PAPER", "LIVE"]
    assert offered("export", "--method", "") == ["FIFO", "LIFO", "HIFO"]
    assert offered("pnl", "--by", "s") == ["symbol", "strategy"]
    assert "--flatten" in offered("kill", "--")
    assert "--flatten" not in offered("run", "--")
    assert offered("run", "--reason", "") == offered("why", "B") == []


@needs_bash
def test_completing_takes_no_time() -> None:
    again = "for ((n = 0; n < 100; n++)); do COMP_WORDS=(trader --state x halt reset --); COMP_CWORD=5; _trader; done"
    before = os.times()
    in_bash(again)
    after = os.times()
    spent_s = after.children_user - before.children_user + after.children_system - before.children_system
    assert spent_s < 100 * EACH_MS / 1000


@pytest.mark.parametrize("shell_name", NAMES)
def test_no_completion_can_start_a_process(shell_name: str) -> None:
    """Commands that fish runs to ask itself are its own words."""
    text = (ROOT / "completions" / NAMES[shell_name]).read_text(encoding="utf-8")
    code = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    if shell_name == "fish":
        code = [line.replace("(commandline -opc)", "").replace("'(__fish_complete_directories)'", "") for line in code]
        code = [re.sub(r"-d '(\\.|[^'\\])*'", "", line) for line in code]
    if shell_name == "zsh":
        code = [line for line in code if not line.lstrip().startswith("'")]
    assert [line for line in code if STARTS_A_PROCESS.search(line)] == []
