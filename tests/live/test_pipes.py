"""Places of the state directory in which somebody has put a pipe, which nobody writes into: nothing waits for it."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Stage
from tests.live.stage import Live
from trader_core.kill.sales import FILE, SPARE, Sale, record_sale, sales

PROMPT_S = 20


@pytest.fixture(autouse=True)
def prompt() -> Iterator[None]:
    """What waits for ever is a failure."""

    def over(*_: object) -> None:
        raise AssertionError(f"it waits for longer than {PROMPT_S} s")

    before = signal.signal(signal.SIGALRM, over)
    signal.alarm(PROMPT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def piped(live: Live, name: str) -> Path:
    """Where a cycle has been."""
    assert live.cycle().code == 0
    (file := live.state / name).unlink(missing_ok=True)
    os.mkfifo(file)
    return file


def test_a_clock_s_reading_that_is_a_pipe_is_made_anew(stage: Stage) -> None:
    live = stage("BTC")
    file = piped(live, "clock.json")
    assert live.cycle().code == 0
    assert file.is_file()


@pytest.mark.parametrize("name", [FILE, SPARE])
def test_what_kills_have_sold_cannot_be_read_from_a_pipe_and_it_is_named(stage: Stage, name: str) -> None:
    live = stage("BTC")
    file = piped(live, name)
    done = live.cycle()
    assert done.code == 13 and f"{file}: it is no plain file" in done.err and f"move {file} away" in done.err, done.err
    file.unlink()
    assert live.cycle().code == 0


def test_a_kill_file_that_is_a_pipe_is_a_kill_and_is_reset_as_one(stage: Stage) -> None:
    live = stage("BTC")
    file = piped(live, "KILL_SWITCH")
    done = live.cycle()
    assert (done.code, done.data["halt_state"]) == (21, "KILLED")
    shown = live.inside("halt", "show", "--json")
    assert shown.data["state"] == "KILLED", shown.data
    reset = live.inside("halt", "reset", "--user", "me", "--reason", "it was a pipe")
    assert (reset.code, file.exists()) == (0, False), reset.err
    assert live.cycle().code == 0


def test_a_policy_s_second_copy_that_is_a_pipe_is_not_waited_for_and_is_named(stage: Stage) -> None:
    live = stage("BTC")
    assert live.inside("policy", "set", "risk.max_open_positions=2", "--reason", "a storm").code == 0
    file = piped(live, "live.policy.json")
    assert live.cycle().code == 0
    shown = live.inside("policy", "show", "--json")
    assert shown.data["version"] == 2 and "live.policy.json is not as it was written" in shown.document["warnings"][0]
    assert live.inside("policy", "set", "risk.max_open_positions=1", "--reason", "a storm").code == 0
    assert file.is_file()


def test_a_sale_is_written_beside_a_pipe_and_where_both_are_it_is_refused(tmp_path: Path) -> None:
    sale = Sale("one", "BTC-USD", "1", "1", "{}", 1)
    os.mkfifo(tmp_path / FILE)
    (tmp_path / SPARE).write_bytes(b"\n" * 4096)
    record_sale(tmp_path, sale)
    (tmp_path / FILE).unlink()
    assert sales(tmp_path) == (sale,)
    for name in (FILE, SPARE):
        (tmp_path / name).unlink(missing_ok=True)
        os.mkfifo(tmp_path / name)
    with pytest.raises(OSError, match="no plain file"):
        record_sale(tmp_path, sale)
