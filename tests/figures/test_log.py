"""One sink: in every form each record carries its cycle, and in none a secret."""

import json
import logging
import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.exits import ended, note, warned
from cli.options import Shared
from tests.cli.program import START, Inside, Program
from trader_core import talk
from trader_core.net.redaction import HIDDEN, register
from trader_core.talk import JSON, PLAIN, SYSTEMD, TALK, TEXT, Level, sent, worded

CANARY = "planted-canary-of-the-log"
FIELDS = {"cycle_id": "17", "symbol": "BTC-USD"}


@pytest.fixture(autouse=True)
def own_talk() -> Iterator[None]:
    """What a process sets for itself once is set, and is as it was afterwards."""
    hooks, handlers = (sys.excepthook, threading.excepthook, sys.unraisablehook), [*logging.getLogger().handlers]
    talk.guard()
    yield
    talk.begin()
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.getLogger().handlers = handlers


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# --- through the program ---------------------------------------------------------------------------------------------


def test_a_log_of_json_has_a_record_for_each_cycle_order_and_fill(program: Program) -> None:
    run = program.paper("run", "--cycles", "5", "--log", "json", "--json")
    found = records(run.err)
    cycles = [one for one in found if one.get("event") == "cycle"]
    assert [one["cycle_id"] for one in cycles] == ["1", "2", "3", "4", "5"]
    assert sum(one.get("event") == "fill" for one in found) == run.data["fills"] > 0
    assert all(one["mode"] == "PAPER" and one["cycle_id"] and one["level"] and one["message"] for one in found)
    orders = {one["order_id"] for one in found if one.get("event") == "order"}
    fills = {one["order_id"] for one in found if one.get("event") == "fill"}
    assert fills <= orders
    assert len(orders) == sum(one.get("event") == "order" for one in found)
    assert cycles[-1]["equity"] == run.data["equity"]
    assert sum(int(one["refusals"]) for one in cycles) == run.data["refusals"]
    after = records(program.paper("run-cycle", "--log", "json").err)
    assert {one["cycle_id"] for one in after} == {"6"}


def test_a_log_of_text_is_a_line_a_record(program: Program) -> None:
    done = program.paper("run-cycle", "--log", "text")
    lines = done.err.splitlines()
    assert lines
    assert all(re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z (INFO|WARNING) cycle=1 ", line) for line in lines)


def test_without_a_log_a_person_reads_what_was_meant(program: Program) -> None:
    done = program.paper("run-cycle")
    assert (done.code, done.err) == (0, "")


def test_what_goes_wrong_is_a_record_too_also_before_the_command_line_was_read(program: Program) -> None:
    first = records(program("status", "--log", "json", "--state", "/nowhere/here").err)
    assert [(one["level"], one["exit_name"]) for one in first] == [("error", "STATE")]
    environment = {**program.environment, "TRADER_LOG": "json"}
    done = subprocess.run(
        [*START, "bogus"], env=environment, cwd=program.home, capture_output=True, text=True, check=False
    )
    assert [one["exit_name"] for one in records(done.stderr)] == ["USAGE"]


def test_a_form_that_is_none_is_warned_of_and_keeps_nothing_from_being_done(program: Program) -> None:
    def of(form: str) -> "subprocess.CompletedProcess[str]":
        environment = {**program.environment, "TRADER_LOG": form}
        words = [*START, "--version"]
        return subprocess.run(words, env=environment, cwd=program.home, capture_output=True, text=True, check=False)

    assert (of("").returncode, of("").stderr) == (0, "")
    assert (of("xml").returncode, of("xml").stderr) == (
        0, "warning: TRADER_LOG is 'xml', not text or json, and counts as unset\n",
    )  # fmt: skip


def test_stderr_that_is_the_journal_gets_priorities_where_its_socket_is_not_there(program: Program) -> None:
    reading, writing = os.pipe()
    found = os.fstat(writing)
    environment = {**program.environment, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    words = [*START, "run-cycle", "--mode", "PAPER", "--venue", "simulated", "--state", str(program.state)]
    quiet = subprocess.DEVNULL
    done = subprocess.run(words, env=environment, cwd=program.home, stdout=quiet, stderr=writing, check=False)
    os.close(writing)
    with os.fdopen(reading) as told:
        lines = told.read().splitlines()
    assert done.returncode == 0
    if not talk.JOURNAL.exists():
        assert lines
        assert all(line.startswith("<6>cycle=1 ") for line in lines)


# --- forms -----------------------------------------------------------------------------------------------------------


def test_the_journal_gets_fields_of_its_own_and_no_value_becomes_another_field(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        assert not sent(path, "nobody listens", Level.INFO, FIELDS)
        journal.bind(str(path))
        assert sent(path, "two lines\nPRIORITY=0", Level.WARNING, FIELDS)
        data = journal.recv(65_536)
    assert fields_in(data) == {
        "MESSAGE": "two lines\nPRIORITY=0", "PRIORITY": "4", "SYSLOG_IDENTIFIER": "trader",
        "CYCLE_ID": "17", "SYMBOL": "BTC-USD",
    }  # fmt: skip


def fields_in(data: bytes) -> dict[str, str]:
    """As systemd reads a datagram."""
    found: dict[str, str] = {}
    while data:
        head, _, rest = data.partition(b"\n")
        if b"=" in head:
            name, _, value = head.partition(b"=")
            found[name.decode()], data = value.decode(), rest
        else:
            size = int.from_bytes(rest[:8], "little")
            found[head.decode()], data = rest[8 : 8 + size].decode(), rest[9 + size :]
    return found


@pytest.mark.parametrize("form", [PLAIN, TEXT, JSON, SYSTEMD])
def test_every_form_ends_its_line_and_a_log_names_the_cycle(form: str) -> None:
    told = worded(form, "first\nsecond", Level.ERROR, FIELDS)
    assert told.endswith("\n")
    assert ("17" in told) == (form != PLAIN)
    if form == JSON:
        assert records(told) == [{**records(told)[0], "level": "error", "message": "first\nsecond", **FIELDS}]
    if form == SYSTEMD:
        assert told == "<3>cycle=17 first\n<3>cycle=17 second\n"


# --- secrets ---------------------------------------------------------------------------------------------------------


def _say() -> None:
    note(f"it is {CANARY}")
    warned([f"it is {CANARY}"])
    TALK.log(f"it is {CANARY}", why=f"it was {CANARY}")
    logging.getLogger("a.library").warning("it is %s", CANARY)


def _raise() -> None:
    raise RuntimeError(f"it is {CANARY}")


def _log_a_trace() -> None:
    try:
        _raise()
    except RuntimeError:
        logging.getLogger("a.library").exception("with %s", CANARY)


def _in_a_thread() -> None:
    thread = threading.Thread(target=_raise)
    thread.start()
    thread.join()


@pytest.mark.parametrize("form", [PLAIN, TEXT, JSON, SYSTEMD])
@pytest.mark.parametrize("act", [_say, _raise, _log_a_trace, _in_a_thread])
def test_a_planted_secret_is_in_no_line(form: str, act: Any, capsys: pytest.CaptureFixture[str]) -> None:
    register(CANARY)

    def acting() -> None:
        TALK.form, TALK.cycle = form, 17
        act()

    ended(acting, Shared(), asked_json=True)
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err
    assert HIDDEN in told.err
    if form == JSON:
        assert all(one["cycle_id"] == "17" for one in records(told.err))
    if form == SYSTEMD:
        assert all(re.match(r"<[346]>cycle=17 ", line) for line in told.err.splitlines())


def test_what_a_command_says_inside_another_process_form_is_its_own(tmp_path: Path) -> None:
    """A form that was chosen once is not the next command's."""
    inside = Inside(tmp_path)
    assert inside("status", "--log", "json", "--state", tmp_path).err.startswith("{")
    assert inside("status", "--state", tmp_path).err.startswith("trader: ")
