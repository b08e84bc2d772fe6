"""Before any work: what starting costs, where options may stand, and what every ending looks like."""

import subprocess
import sys
from pathlib import Path

import pytest

from cli.exits import EXITS, TIMER_FINE, worst
from cli.options import MODES, SAMPLE_SEED, VENUES
from cli.table import COMMANDS
from tests.cli.program import ROOT, START, Program
from trader_core import bootstrap
from trader_core.domain import errors
from trader_core.ops.units import HEALTHY
from trader_core.settings.options import Options

HEAVY = ("numpy", "pydantic", "requests", "rich", "pyarrow", "tabulate", "sqlite3", "trader_core.bootstrap")
GLOBAL = ("--state", "--config", "--mode", "--venue", "--log", "--json")


@pytest.mark.parametrize("option", ["--state", "--config"])
def test_a_command_that_an_option_swallowed_is_told_and_not_taken_for_a_call_for_help(
    option: str, program: Program
) -> None:
    done = program(option, "kill")
    assert (done.code, done.out) == (2, "")
    assert f"no command was named; kill was taken for the value of {option}" in done.err
    assert "trader COMMAND" in done.err
    assert program("--state", "somewhere", "halt").code == 2
    assert program("halt").code == program().code == 0


def test_help_loads_nothing_heavy(program: Program) -> None:
    code = (
        "import sys; sys.argv = ['trader', '--help']\n"
        "from cli.main import main\n"
        "try: main()\n"
        f"except SystemExit: print(sorted(set(sys.modules) & set({HEAVY!r})), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_every_option(program: Program, command: str) -> None:
    done = program(command, "--help")
    assert done.code == 0
    assert all(option in done.out for option in GLOBAL)


def test_the_program_explains_every_command_and_global_option(program: Program) -> None:
    done = program("--help")
    assert all(name in done.out for name in (*COMMANDS, *GLOBAL, "--version"))
    assert program().out == done.out
    assert program("--help", "status").out == done.out


def test_a_folder_that_is_called_like_a_command_is_a_folder(program: Program) -> None:
    done = program("--state", "run", "init", "--json")
    assert done.data["state"] == str(program.home / "run")
    assert program("--state", "run", "statsu").code == 2


def test_the_version_is_told_to_people_and_programs(program: Program) -> None:
    assert program("--version").out.startswith("trader ")
    assert program("--version", "--json").document["schema"] == "trader.version/v1"
    assert program("--version", "status").code == 2


def test_global_options_stand_before_or_after_and_the_later_wins(program: Program, tmp_path: Path) -> None:
    before = program("--state", tmp_path / "a", "--config", tmp_path / "x", "--json", "init")
    after = program("init", "--state", tmp_path / "b", "--config", tmp_path / "x", "--json")
    both = program("--state", tmp_path / "a", "init", "--state", tmp_path / "c", "--json")
    assert (before.data["state"], before.data["config"]) == (str(tmp_path / "a"), str(tmp_path / "x"))
    assert (after.data["state"], after.data["config"]) == (str(tmp_path / "b"), str(tmp_path / "x"))
    assert (both.data["state"], both.data["config"]) == (str(tmp_path / "c"), str(program.home / ".config" / "trader"))


def test_a_wrong_command_line_is_2_in_words_and_in_json(program: Program) -> None:
    done = program("run", "--json", "--unheard-of")
    assert done.code == 2
    assert done.err.startswith("trader: No such option: --unheard-of\n  safe now: nothing was done\n  next: trader run")
    assert done.document | {"data": None} == {
        "schema": "trader.run/v1", "ok": False, "exit_code": 2, "exit_name": "USAGE", "data": None, "warnings": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "words",
    [
        ["bogus"],
        ["run", "--cycles", "0"],
        ["run", "--mode", "MAYBE"],
        ["run", "--venue", "elsewhere"],
        ["run", "--from", "yesterday"],
        ["run", "--from", "2024-08-02", "--to", "2024-08-02"],
        ["run", "--equity", "-1"],
        ["run", "--equity", "NaN"],
        ["run", "--equity", "1e-9"],
        ["status", "--state", ""],
        ["backtest", "--to", "2023-01-01"],
        ["backtest", "--out", "no/such/folder/report.json"],
    ],
    ids=" ".join,
)
def test_what_makes_no_sense_is_2(program: Program, words: list[str]) -> None:
    done = program(*words)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err
    assert "safe now: " in done.err


def test_every_failure_has_a_named_code() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.TraderError)]
    assert {kind.exit_code for kind in kinds} <= EXITS.keys()
    assert len(set(EXITS.values())) == len(EXITS)


@pytest.mark.parametrize(
    ("codes", "code"),
    [
        ([], 0), ([0, 21], 21), ([40, 41], 41), ([30, 40], 40), ([42, 41, 50], 50), ([11, 20], 11), ([21, 12], 12),
        ([20, 23, 0], 23), ([70, 30], 30), ([11, 70], 11), ([70, 21], 70), ([70, 0], 70),
    ],
)  # fmt: skip
def test_the_worst_code_wins(codes: list[int], code: int) -> None:
    assert worst(codes) == code


def test_a_timer_takes_for_healthy_what_the_table_says() -> None:
    assert f"SuccessExitStatus={' '.join(map(str, TIMER_FINE))}" == HEALTHY


def test_the_light_words_are_the_real_ones() -> None:
    assert {(mode, venue) for mode in MODES for venue in VENUES} == bootstrap.WORLDS.keys()
    assert Options().seed == SAMPLE_SEED


def test_a_bug_is_1_with_its_trace_on_stderr() -> None:
    code = (
        "import sys; sys.argv = ['trader', 'run', '--json']\n"
        "import trader_core.bootstrap as bootstrap\n"
        "bootstrap.open_system = lambda *_, **__: 1 // 0\n"
        "from cli.main import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    assert "this is a bug" in done.stderr
    assert '"exit_name": "UNEXPECTED"' in done.stdout


def test_a_letter_that_the_terminal_does_not_know_is_told_by_its_number(tmp_path: Path) -> None:
    program = Program(tmp_path)
    assert program.paper("run", "--cycles", "1").code == 0
    reset = ("reset", "--user", "Jürgen", "--reason", "it is over", "--force")
    for words in (("trip", "--reason", "a test"), reset, ("history",)):
        done = subprocess.run(
            [*START, "halt", *words, "--mode", "PAPER", "--state", program.state],
            env={**program.environment, "PYTHONIOENCODING": "ascii"}, cwd=tmp_path, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    assert rb"J\xfcrgen" in done.stdout
