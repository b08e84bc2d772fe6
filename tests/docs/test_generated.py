"""What is made from the code is as the code says: references, manual pages and completions."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from cli.exits import EXITS
from cli.manual import GLOBAL, MEANS, manual, valued
from cli.options import shared_options
from tests.cli.program import Program
from tests.docs.write import NAMES, generated, strays
from tests.shared import ROOT
from trader_core.ops.units import Place, units

WRITE = "what is generated is not what the code says: type `make docs-write`"


def test_every_generated_file_is_as_the_code_says() -> None:
    wanted = generated()
    there = {path: (ROOT / path).read_text(encoding="utf-8") if (ROOT / path).exists() else "" for path in wanted}
    assert [str(path) for path, text in wanted.items() if there[path] != text] == [], WRITE
    assert strays(wanted) == [], WRITE


def test_every_exit_code_has_its_meaning() -> None:
    assert MEANS.keys() == EXITS.keys()


def test_an_option_of_every_command_is_none_of_its_own() -> None:
    assert {name for one in shared_options() for name in one.opts} < set(GLOBAL)


def test_the_page_on_services_enables_every_timer_and_says_what_it_does() -> None:
    page = (ROOT / "docs/how-to/run-as-a-service.md").read_text(encoding="utf-8")
    timers = {name for name in units(Place(PurePosixPath("/usr/bin/trader"))) if name.endswith(".timer")}
    enabled = {word for line in page.splitlines() if "systemctl enable --now" in line for word in line.split()}
    assert timers <= enabled
    assert [name for name in timers if f"| `{name}` |" not in page] == []


def test_a_word_is_an_option_with_a_value_everywhere_or_nowhere() -> None:
    assert {"--state", "--mode", "--reason"} <= valued(manual()).keys()


@pytest.mark.parametrize("shell", NAMES)
def test_the_program_prints_what_the_checkout_holds(shell: str, program: Program) -> None:
    assert program("completions", shell).out == (ROOT / "completions" / NAMES[shell]).read_text(encoding="utf-8")


def test_another_shell_is_refused_with_those_that_there_are(program: Program) -> None:
    done = program("completions", "tcsh")
    assert done.code == 2
    assert "'tcsh' is not one of bash, fish, zsh" in done.err


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed: manual pages are not checked")
def test_the_manual_pages_raise_no_warning() -> None:
    pages = sorted((ROOT / "docs/man").glob("*.1"))
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z", *pages], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(pages) > 40


@pytest.mark.skipif(shutil.which("man") is None, reason="man is not installed: no page is read")
def test_a_manual_page_reads_as_one() -> None:
    page: Path = ROOT / "docs/man/trader-halt.1"
    words = ["man", "--warnings", "-P", "cat", "-l", str(page)]
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, env={"MANWIDTH": "80", "PATH": "/usr/bin:/bin"}
    )
    assert done.stderr == ""
    assert "trader halt reset [OPTIONS]" in done.stdout
    assert "--reason TEXT" in done.stdout
