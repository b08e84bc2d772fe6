"""run, run-cycle and preview: what they tell, where they go on, how they end."""

import fcntl
import os
import pty
import re
import signal
import subprocess
import termios
import time
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest

from tests.cli.program import START, Program
from tests.world import World, write_config

COUNTS = ("cycles", "orders", "fills", "refusals", "positions")
WIDTH = 80
EQUITY = re.compile(r"equity +([0-9,.]+) -> ([0-9,.]+) +([-+][0-9,.]+)$", re.MULTILINE)
GROWTH_KB = 12_000  # it was 160 a cycle once


def test_a_run_tells_what_happened_within_80_columns(program: Program) -> None:
    done = program.paper("run", "--cycles", "96")
    assert (done.code, done.err) == (0, "")
    for words in (
        "PAPER on the simulated venue",
        "enter ",
        "bought ",
        "stop ",
        "sold ",
        "(reprice)",
        "no ",
        "MAX_POSITIONS, 7 vs 6",
    ):
        assert words in done.out
    assert "\x1b" not in done.out
    assert max(map(len, done.out.splitlines())) <= WIDTH + len(str(program.state))
    hint = done.out.splitlines()[-1].removeprefix("why? trader ").split()
    assert program(*hint).out.splitlines()[1].startswith(f"{hint[1]} in cycle {hint[3]}")


def test_a_run_goes_on_where_the_last_one_stopped(program: Program) -> None:
    first = program.paper("run", "--cycles", "3", "--json")
    second = program.paper("run", "--cycles", "4", "--json")
    assert [first.data["cycles"], second.data["cycles"], second.data["cycles_recorded"]] == [3, 4, 7]
    assert (first.err, second.err) == ("", "continuing after cycle 3\n")
    assert second.data["from"] == "2024-01-01T00:45:00Z"
    assert all(isinstance(second.data[name], int) for name in COUNTS)
    assert second.document["schema"] == "trader.run/v1"


def test_what_came_and_went_is_no_gain_of_the_run(program: Program) -> None:
    program.paper("run", "--cycles", "3")
    program("paper", "deposit", "5000", "--state", program.state)
    told = program.paper("run", "--cycles", "1").out
    before, after, gain = map(amount, EQUITY.findall(told)[-1])
    assert before == 10_000 and gain == after - 15_000
    assert "flows       +5,000.00\n" in told
    program("paper", "withdraw", "1000", "--state", program.state)
    done = program.paper("run", "--cycles", "1", "--json").data
    assert done["flows"] == "-1000"
    assert abs(Decimal(done["equity"]) - Decimal(done["equity_before"]) + 1_000) < 100


def amount(text: str) -> Decimal:
    return Decimal(text.replace(",", ""))


def test_what_an_account_is_opened_with_is_no_flow_of_its_first_run(program: Program) -> None:
    done = program.paper("run", "--cycles", "3", "--json").data
    assert [done[name] for name in ("equity_before", "flows", "equity")] == ["10000", "0", "10000"]


def test_what_runs_for_weeks_keeps_nothing_of_the_cycles_before(program: Program) -> None:
    few, many = (memory_kb(program, cycles) for cycles in (30, 220))
    assert many - few < GROWTH_KB


def memory_kb(program: Program, cycles: int) -> int:
    """The most that such a run had."""
    with program.start("run", "--mode", "PAPER", "--venue", "simulated", "--state", program.state, "--cycles",
                       str(cycles)) as run:  # fmt: skip
        assert run.stdout is not None
        assert "after" in run.stdout.read()
        _, status, used = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
    assert run.returncode == 0
    return used.ru_maxrss


def test_where_places_were_made_beforehand_an_account_trades_like_any_other(program: Program, tmp_path: Path) -> None:
    words = ("--from", "2023-12-31T23:00:00Z", "--cycles", "12", "--json")
    assert program.paper("init").code == 0
    told, other = program.paper("run", *words).data, Program(tmp_path / "other")
    other.home.mkdir()
    assert told["fills"] > 0
    assert other.paper("run", *words).data | {"state": ""} == told | {"state": ""}


def test_coins_in_the_account_that_are_not_ours_are_told(program: Program, tmp_path: Path) -> None:
    write_config(tmp_path / "config", {"app.paper.holdings": {"ETH": 2}})
    told = program.paper("run", "--cycles", "1", "--config", tmp_path / "config", "--json").data["externals"]
    assert [(one["asset"], one["quantity"]) for one in told] == [("ETH", "2")]


def test_the_end_of_the_data_is_an_ordinary_end(program: Program) -> None:
    market = World(program.home).market(BTC=[100.0 + n % 7 for n in range(60)])
    words = ("--data", market.data, "--from", "2024-03-04T06:00:00Z")
    done, again = program.paper("run", *words, "--json"), program.paper("run", *words, "--json")
    assert (done.code, done.data["end_of_data"], done.data["cycles"]) == (0, True, 37)
    assert (again.code, again.data["end_of_data"], again.data["cycles"]) == (0, True, 0)
    assert "end of the data" in done.err
    assert "nothing left to do" in again.err
    assert program.paper("run-cycle", *words).code == 0


def test_the_end_of_the_period_is_an_ordinary_end(program: Program) -> None:
    done = program.paper("run", "--to", "2024-01-01T01:00:00Z", "--json")
    assert (done.code, done.data["cycles"]) == (0, 4)
    assert "--to is reached" in done.err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_lets_the_cycle_finish_and_the_summary_be_told(
    program: Program, number: signal.Signals, code: int
) -> None:
    words = ("run", "--mode", "PAPER", "--venue", "simulated", "--state", program.state)
    process = program.start(*words)
    assert process.stdout
    line = process.stdout.readline()
    while "enter" not in line:
        line = process.stdout.readline()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "this run" in out
    assert f"stopped by {number.name}" in err
    cycles = int(out.partition("after ")[2].split()[0])
    assert program("status", "--state", program.state, "--json").data["cycles"] == cycles


def test_a_terminal_that_goes_away_lets_the_cycle_finish_however_often_that_is_told(program: Program) -> None:
    """As a lost connection is: nothing can be written any more, and the signal comes from the shell and the kernel."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [*START, "run", "--mode", "PAPER", "--venue", "simulated", "--state", str(program.state)],
        cwd=program.home, env=program.environment, stdin=its, stdout=its, stderr=its, start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )  # fmt: skip
    os.close(its)
    seen = b""
    while b"enter" not in seen:
        seen += os.read(ours, 4096)
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    os.close(ours)
    assert process.wait(30) == 129
    cycles = program("status", "--state", program.state, "--json").data["cycles"]
    assert cycles > 0
    assert program.paper("run-cycle", "--json").data["cycle"] == cycles + 1


def test_under_nohup_it_goes_on_without_a_terminal(program: Program) -> None:
    with (program.home / "nohup.out").open("wb") as out:
        process = subprocess.Popen(
            [*START, "run", "--mode", "PAPER", "--venue", "simulated", "--state", str(program.state)],
            cwd=program.home, env=program.environment, stdout=out, stderr=out,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )  # fmt: skip
    while b"enter" not in (told := (program.home / "nohup.out").read_bytes()):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGHUP)
    while (program.home / "nohup.out").read_bytes() == told:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 143
    assert b"this run" in (program.home / "nohup.out").read_bytes()


def test_a_reader_that_leaves_is_no_error(program: Program) -> None:
    process = program.start("run", "--mode", "PAPER", "--venue", "simulated", "--state", program.state)
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 141
    assert process.stderr.read() == ""
    process.stderr.close()


def test_a_preview_says_what_the_next_cycle_does_and_changes_nothing(program: Program) -> None:
    program.paper("run", "--cycles", "1")
    before = contents(program.state)
    seen = program.paper("preview", "--json")
    assert contents(program.state) == before
    done = program.paper("run-cycle", "--json")
    same = ("cycle", "decision_time", "orders", "refusals", "fills", "equity")
    assert {name: seen.data[name] for name in same} == {name: done.data[name] for name in same}
    assert seen.data["orders"]
    assert (seen.data["placed"], done.data["placed"]) == (0, len(done.data["orders"]))


def test_a_preview_needs_no_state_and_makes_none(program: Program) -> None:
    done = program.paper("preview")
    assert done.code == 0
    assert "cycle 1 would do this" in done.out
    assert "would enter" in done.out
    assert not program.state.exists()


def test_without_a_trader_nothing_is_sent_and_equity_is_what_was_said(program: Program) -> None:
    words = ("--venue", "simulated", "--state", program.state, "--cycles", "1", "--json")
    unknown, known = program("run", *words).data, program("run", *words, "--equity", "5000").data
    assert (unknown["mode"], unknown["equity"], unknown["refusals_by_verdict"]) == (
        "DRY_RUN", None, {"EQUITY_UNKNOWN": 5},
    )  # fmt: skip
    assert (known["equity"], known["orders"], known["fills"]) == ("5000", 0, 0)


# --- exit codes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["2023-02-29", "2024-12-31T24:00", "2024-06-30T23:59:60Z", "2024-03-10T02:30-05:00"])
def test_a_time_that_is_none_is_named(program: Program, text: str) -> None:
    done = program.paper("run-cycle", "--from", text)
    assert done.code == 2 and f"'{text}'" in done.err, done.err


def test_a_halt_is_data_to_run_and_21_to_one_cycle(program: Program) -> None:
    program.paper("run", "--cycles", "2")
    (program.state / "KILL_SWITCH").touch()
    one = program.paper("run-cycle", "--json")
    assert (one.code, one.document["exit_name"], one.data["halted"]) == (21, "HALTED", True)
    (program.state / "KILL_SWITCH").unlink()
    run = program.paper("run", "--cycles", "2")
    assert run.code == 0
    assert "HALTED since 2024-01-01 00:30 UTC: kill file" in run.out


def test_a_configuration_error_is_10_and_names_every_line(program: Program) -> None:
    config = World(program.home).config
    config.mkdir()
    for source in (Path(__file__).parents[2] / "config").glob("*.yaml"):
        (config / source.name).write_text(source.read_text().replace("max_open_positions: 6", "max_open_positions: 0"))
    done = program("validate-config", "--config", config, "--json")
    assert done.code == 10
    text = (config / "policy.yaml").read_text().splitlines()
    line = next(n for n, one in enumerate(text, 1) if "max_open_positions: 0" in one)
    assert f"{config}/policy.yaml:{line}: " in done.data["error"]["problems"][0]
    assert done.data["error"]["problems"][0] in done.err


def test_a_valid_configuration_is_told_with_its_digest(program: Program) -> None:
    done = program("validate-config", "--json")
    assert done.code == 0
    assert len(done.data["digest"]) == 64
    assert done.data["limits"]["max_open_positions"] == 6


def test_another_identity_in_the_same_place_is_13(program: Program) -> None:
    program.paper("run", "--cycles", "1")
    done = program.paper("run", "--seed", "8", "--cycles", "1")
    assert done.code == 13
    assert "belongs to another account" in done.err


@pytest.mark.parametrize("command", ["status", "why"])
def test_no_state_is_13(program: Program, command: str) -> None:
    done = program(command, "--state", program.state, "--json")
    assert (done.code, done.document["exit_name"]) == (13, "STATE")


def test_a_second_process_is_14(program: Program) -> None:
    program.paper("init")
    with (program.state / "paper.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert program.paper("run", "--cycles", "1").code == 14


def test_live_is_closed_20(program: Program) -> None:
    assert program("run", "--mode", "LIVE", "--venue", "simulated", "--state", program.state).code == 20


def test_a_missing_folder_of_candles_is_23(program: Program) -> None:
    assert program.paper("run", "--data", program.home / "nowhere").code == 23


def test_a_venue_that_cannot_be_reached_is_30(program: Program) -> None:
    write_config(program.home / "config", {"app.exchange.venue_url": "http://127.0.0.1:9"})
    assert program("run", "--state", program.state, "--config", program.home / "config").code == 30


def contents(directory: Path) -> dict[str, str]:
    """Name and hash of every file."""
    time.sleep(0.01)
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(directory.iterdir())}
