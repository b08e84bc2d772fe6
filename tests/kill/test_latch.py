"""The latch: it is the first thing that happens, nothing on the command line or on the disk keeps it from happening,
and only a person takes it away again."""

import json
import os
import resource
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.emergency import FLAGS, WITH_VALUE, kills, wish_of
from cli.options import MODES
from tests.cli.program import START, Done, Inside
from tests.kill.scene import Scene, key_seen
from trader_core.domain.errors import GateClosed
from trader_core.domain.values import replace
from trader_core.kill import sales as sold
from trader_core.kill.back import lift, standing
from trader_core.kill.hints import hints_of
from trader_core.kill.latch import SPARE, prepare_latch, read_file, write_file
from trader_core.kill.sales import Sale, prepare_room, record_sale
from trader_core.ops.halts import LatchOrKillFile
from trader_core.store.latch import DATABASES, latched_in, read_row
from trader_core.store.sqlite import SqliteStore

BARE_TIMES = 10  # so many bare starts of Python are allowed from the start to the latch
HEAVY = ("typer", "pydantic", "requests", "urllib3", "yaml", "numpy", "click", "rich")


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


# --- it latches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [[], ["--flaten"], ["everything", "now"], ["--reason"], ["--mode", "MAYBE"], ["--\udcff"], ["-x", "--=", "=", ""]],
    ids=str,
)
def test_no_command_line_keeps_it_from_latching(scene: Scene, words: list[str]) -> None:
    """What it does not understand is done last: it says so, and is incomplete."""
    scene.begun("paper")
    done = scene.kill(*words)
    assert scene.file.read_text() == "killed by hand\n"
    assert "LATCHED" in done.err and "Traceback" not in done.err
    assert done.code == (50 if words else 0), done.out
    assert ("not understood" in done.out) is bool(words)


@given(
    before=st.lists(st.sampled_from([*WITH_VALUE, "--json", "-q", "--x=kill"]), max_size=3),
    after=st.lists(st.one_of(st.text(max_size=9), st.sampled_from([*WITH_VALUE, *FLAGS, "kill"])), max_size=6),
)
def test_every_word_is_understood_or_told(before: list[str], after: list[str]) -> None:
    """Nothing is dropped, nothing raises, and an option never swallows another one."""
    filled = [part for one in before for part in ((one, "value") if one in WITH_VALUE else (one,))]
    words = [*filled, "kill", *after]
    assert kills(words) is ("--help" not in words)
    wish, _ = wish_of(words)
    assert wish.flatten == ("--flatten" in after)
    for before_it, word in pairwise(words):
        is_value = before_it in WITH_VALUE and word not in (*WITH_VALUE, *FLAGS)
        known = word == "kill" or word in FLAGS or word.partition("=")[0] in WITH_VALUE
        assert is_value or known or word in wish.unknown


@pytest.mark.parametrize("words", [["status", "kill"], ["halt", "trip", "--reason", "kill"], ["kill", "--help"], []])
def test_only_the_command_kills(words: list[str]) -> None:
    assert not kills(words)


@pytest.mark.parametrize(
    "words", [["--log", "json", "kill"], ["kill", "--log", "text"], ["--log=text", "kill"]], ids=str
)
def test_an_option_of_every_command_keeps_no_kill_from_being_whole(scene: Scene, words: list[str]) -> None:
    """With a mistake behind it, it would otherwise be refused by the command line of all others."""
    scene.begun("paper")
    assert (scene(*words).code, scene.file.exists()) == (0, True)
    scene.file.unlink()
    assert (scene(*words, "--flaten").code, scene.file.exists()) == (50, True)


def test_help_latches_nothing(scene: Scene) -> None:
    done = scene("kill", "--help")
    assert (done.code, "--flatten" in done.out, scene.file.exists()) == (0, True, False)


def test_a_state_directory_that_is_not_there_is_made(scene: Scene) -> None:
    assert scene("--state", scene.home / "a" / "b", "kill", "--reason", "new\nhere").code == 50
    assert (scene.home / "a" / "b" / "KILL_SWITCH").read_text() == "new here\n"


def test_a_kill_where_there_is_no_account_is_latched_and_says_that_no_loop_was_stopped(scene: Scene) -> None:
    """Or whoever names the wrong directory believes that all is well, and the loop trades on."""
    real, typo = scene.begun("paper"), scene.home / "typo"
    missed = scene.kill("--state", typo, "--json")
    assert (missed.code, (typo / "KILL_SWITCH").exists(), bool(read_row(real))) == (50, True, False)
    told = f"there is no account in {typo}, so no running loop was stopped there: is this the right --state?"
    assert missed.data["not_done"] == [told]
    assert "trader kill --state DIR " in scene.kill("--state", typo).out
    assert (scene.kill().code, bool(read_row(real))) == (0, True)


def test_what_to_type_after_a_kill_works_as_it_is_copied(scene: Scene) -> None:
    """Also with spaces in it; and a kill that is to be repeated asks the same venue for the same."""
    state, config = scene.begun("live").parent.rename(scene.home / "my state"), scene.home / "my config"
    done = scene.kill("--state", state, "--config", config, "--flatten", "--all")
    steps = [shlex.split(line.partition("   ")[0]) for line in done.out.splitlines() if line.startswith("  trader ")]
    named = ["--state", str(state), "--config", str(config)]
    assert steps == [["trader", "kill", *named, "--flatten", "--all"], ["trader", "halt", "show", *named]], done.out


@pytest.mark.parametrize("nothing", ["", " # none", " null", " ~", ' ""', "\n"])
def test_an_address_that_is_left_empty_is_the_venue_s_own(tmp_path: Path, nothing: str) -> None:
    """And never the word that comes after it."""
    (tmp_path / "app.yaml").write_text(f"exchange:\n  venue_url:{nothing}\n  quote: USD\n")
    assert hints_of(str(tmp_path)).venue_url == ""


def test_an_address_is_found_on_a_line_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "app.yaml").write_text("exchange:\n  venue_url:\n    https://127.0.0.1:8443\n  quote: USD\n")
    assert hints_of(str(tmp_path)).venue_url == "https://127.0.0.1:8443"


@pytest.mark.parametrize("name", DATABASES)
def test_an_account_of_any_mode_is_one(scene: Scene, name: str) -> None:
    scene.begun(name.removesuffix(".db"))
    done = scene.kill("--mode", "PAPER", "--json")
    assert (done.code, done.data["not_done"]) == (0, [])


def test_a_place_that_cannot_be_is_not_latched_and_said(scene: Scene) -> None:
    (scene.home / "file").write_text("no directory")
    done = scene("kill", "--state", scene.home / "file", "--json")
    assert (done.code, done.data["latch"]["file"]["stands"]) == (50, False)
    assert "NOT LATCHED" in done.err
    scene.given["TRADER_STATE"] = ""
    nowhere = replace(scene, given={**scene.given, "HOME": ""})("kill")
    assert (nowhere.code, "stop the loop by hand" in nowhere.out) == (50, True)


def test_a_directory_that_is_gone_keeps_nobody_from_a_kill_that_names_its_place(scene: Scene) -> None:
    """It was typed in it, and TRADER_STATE begins in it."""
    live = scene.begun("live")
    gone = ["sh", "-c", 'mkdir gone && cd gone && rmdir ../gone && exec "$@"', "sh"]
    scene.given["TRADER_STATE"] = "state"
    nowhere = scene.kill("--mode", "PAPER", under=gone)
    assert (nowhere.code, "Traceback" in nowhere.err, "stop the loop by hand" in nowhere.out) == (50, False, True)
    done = scene.kill("--mode", "PAPER", "--state", scene.state, under=gone)
    assert (done.code, scene.file.exists(), str(live) in done.err) == (0, True, True), done.out + done.err


def test_before_the_latch_nothing_is_loaded_that_could_be_slow_or_broken(scene: Scene) -> None:
    """Nor at all, where there is no key and no account."""
    start = [START[0], "-X", "importtime", *START[1:], "kill"]
    done = subprocess.run(start, env=scene.environment, cwd=scene.home, capture_output=True, text=True, check=False)
    assert done.returncode == 50, "there is no account"
    loaded = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time")}
    assert "trader_core.kill.latch" in loaded
    assert loaded & set(HEAVY) == set()


def test_the_latch_stands_within_ten_bare_starts(scene: Scene) -> None:
    """The best of a few, beside each other: what a busy machine adds is no part of it."""
    pairs = [(_bare_s(scene), _latched_s(scene, turn)) for turn in range(5)]
    bare, latched = (min(times) for times in zip(*pairs, strict=True))
    assert latched < BARE_TIMES * bare, f"{latched * 1e3:.0f} ms against {bare * 1e3:.0f} ms"


def _bare_s(scene: Scene) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], env=scene.environment, check=True)
    return time.monotonic() - began


def _latched_s(scene: Scene, turn: int) -> float:
    state = scene.home / f"state-{turn}"
    began = time.time()
    assert scene("kill", "--state", state).code == 50, "there is no account"
    return (state / "KILL_SWITCH").stat().st_mtime - began


# --- whatever the disk does ------------------------------------------------------------------------------------------


def test_a_disk_without_room_for_a_file_has_room_for_a_name(tmp_path: Path) -> None:
    """The process may open nothing more, so no file can be made; the spare one takes the name."""
    prepare_latch(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    opened = [os.open(tmp_path, os.O_RDONLY)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(opened) + 1, before[1]))
        while True:
            try:
                opened.append(os.open(tmp_path, os.O_RDONLY))
            except OSError:
                break
        part = write_file(tmp_path, "full")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for one in opened:
            os.close(one)
    assert (part.stands, (tmp_path / "KILL_SWITCH").exists(), (tmp_path / SPARE).exists()) == (True, True, False)
    assert "the spare file took its name" in part.note


def test_a_sale_has_room_on_a_disk_where_its_file_cannot_grow(tmp_path: Path) -> None:
    """Files may not be longer than the one of sales is already; the spare one is shorter."""
    prepare_room(tmp_path)
    first, second, third = (Sale(f"id-{n}", "BTC-USD", "0.1", "90", "{}", n) for n in range(3))
    record_sale(tmp_path, first)
    grown = tmp_path / sold.FILE
    grown.write_bytes(grown.read_bytes() + b"\n" * 2 * sold.SLOT * sold.SLOTS)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (grown.stat().st_size, before[1]))
    try:
        record_sale(tmp_path, second)
        record_sale(tmp_path, third)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert sold.sales(tmp_path) == (first, second, third)


def test_a_sale_that_is_nowhere_on_disk_is_said(tmp_path: Path) -> None:
    (tmp_path / sold.FILE).mkdir()
    with pytest.raises(OSError, match="directory"):
        record_sale(tmp_path, Sale("id", "BTC-USD", "0.1", "90", "{}", 1))


def test_a_locked_database_is_waited_for_a_moment_and_said(scene: Scene) -> None:
    paper = scene.begun("paper")
    dry = scene.begun("dry_run")
    with closing(sqlite3.connect(paper, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        done = scene.kill("--reason", "the loop hangs", "--json")
    assert scene.file.read_text() == "the loop hangs\n"
    assert (done.code, done.seconds < 3) == (50, True)
    assert "database is locked" in done.data["not_done"][0] and str(paper) in done.data["not_done"][0]
    assert (read_row(dry).reason, bool(read_row(paper))) == ("the loop hangs", False)


def test_a_file_that_is_no_account_is_left_alone(scene: Scene) -> None:
    scene.state.mkdir()
    (scene.state / "live.db").write_bytes(b"not a database, but somebody's")
    (scene.state / "paper.db").touch()
    done = scene.kill("--json")
    assert done.code == 50
    assert "live.db" in done.data["not_done"][0]
    assert (scene.state / "live.db").read_bytes() == b"not a database, but somebody's"
    assert (scene.state / "paper.db").read_bytes() == b""


# --- Ctrl-C ----------------------------------------------------------------------------------------------------------

SLOW = "sleep 60"  # a hook that does not answer
SIGNALLED = """
import os, signal, sys
from cli.emergency import emergency

def sent(event, of):
    if event == "open" and str(of[0]).endswith("KILL_SWITCH"):
        signal.raise_signal(int(os.environ["SENT"]))

sys.addaudithook(sent)
sys.exit(emergency(["kill", "--reason", "now"]))
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_a_kill_while_it_latches_ends_nothing(scene: Scene, number: signal.Signals) -> None:
    """The signal comes as the file is opened."""
    row = scene.begun("paper")
    environment = {**scene.environment, "SENT": str(int(number))}
    done = subprocess.run(
        [sys.executable, "-c", SIGNALLED], env=environment, cwd=scene.home, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, scene.file.read_text(), read_row(row).reason) == (0, "now\n", "now"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_ends_a_kill_after_the_latch_is_told_what_stands(scene: Scene, number: signal.Signals) -> None:
    row = scene.begun("paper")
    scene.given["TRADER_ALERT_HOOK"] = SLOW
    began_s = time.monotonic()
    with scene.start("kill", "--reason", "now", "--json") as process:
        assert process.stderr is not None
        assert "LATCHED" in process.stderr.readline()
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    done = Done(process.returncode, out, err)
    assert (done.code, "Traceback" in err, time.monotonic() - began_s < 4) == (50, False, True), (done, err)
    assert any(f"ended by {number.name}" in one for one in done.data["not_done"])
    assert (scene.file.exists(), read_row(row).reason) == (True, "now")


def test_a_second_one_ends_a_kill_at_once_and_the_latch_stays(scene: Scene) -> None:
    ending = (
        "from cli.emergency import Ending; import signal; one = Ending(); one.listen(); signal.raise_signal(2); "
        "one.latched('stands'); signal.raise_signal(2); print(one.name(), flush=True); signal.raise_signal(15)"
    )
    done = subprocess.run(
        [sys.executable, "-c", ending], env=scene.environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGTERM, "SIGINT\n", "stands\n")


def test_every_mode_has_its_row() -> None:
    assert {name.removesuffix(".db").upper() for name in DATABASES} == set(MODES)


# --- the loop sees it, and the way back ------------------------------------------------------------------------------


@contextmanager
def loop_on(database: Path) -> Iterator[LatchOrKillFile]:
    """The latch as a loop looks at it that had its database open before."""
    with closing(SqliteStore.writing(database, "digest")) as store:
        yield LatchOrKillFile(database.parent, lambda: latched_in(store.query))


def test_a_running_loop_sees_either_and_deleting_the_file_gives_nothing_back(scene: Scene) -> None:
    with loop_on(scene.begun("paper")) as halts:
        assert halts.kill_requested() is None
        scene.file.touch()
        assert halts.kill_requested() == "kill file KILL_SWITCH exists"
        assert scene.kill("--reason", "now").code == 0
        assert halts.kill_requested() == "killed: now"
        scene.file.unlink()
        assert halts.kill_requested() == "killed: now"


def test_a_second_kill_is_no_less_than_the_first(scene: Scene) -> None:
    scene.begun("paper")
    assert scene.kill("--reason", "first").code == 0
    seen = read_file(scene.state)
    done = scene.kill("--reason", "second", "--json")
    assert (done.code, done.data["latch"]["file"]["note"]) == (0, "it was there already")
    now = read_file(scene.state)
    assert seen and now and (seen.reason, now.reason) == ("first", "first")
    assert seen.stamp != now.stamp, "or a reset that saw only the first would take both away"


def paper(program: Inside, cycles: int) -> dict[str, object]:
    words = ("run", "--mode", "PAPER", "--venue", "simulated", "--cycles", str(cycles), "--json")
    done = program(*words, "--state", program.state)
    assert done.code == 0, done.err
    return done.data


def halt(program: Inside, *words: str) -> dict[str, object]:
    done = program("halt", *words, "--state", program.state, "--json")
    assert done.code == 0, done.err
    return done.data


def test_after_a_kill_nothing_trades_until_a_person_resets_it(tmp_path: Path) -> None:
    program, scene = Inside(tmp_path), Scene(tmp_path)
    paper(program, 10)
    assert scene.kill("--reason", "news").code == 0
    shown = halt(program, "show")
    assert (shown["state"], shown["trading"]) == ("ARMED", "HALTED"), "no cycle has seen it yet"
    status = program("status", "--state", program.state, "--json").data
    assert (status["halted"], status["trading"], status["latch"]) == (True, "HALTED", "news")
    assert "entries and exits" not in program("halt", "show", "--state", program.state).out
    assert [part["reason"] for part in shown["latch"].values()] == ["news", "news"]  # type: ignore[attr-defined]
    for words in (("trip", "--reason", "more"), ("ack",)):
        done = program("halt", *words, "--state", program.state)
        assert done.code == 20 and "the halt machine is KILLED (killed: news)" in done.err
    assert halt(program, "show")["state"] == "ARMED", "nothing was changed"
    assert paper(program, 20)["orders"] == 0
    assert halt(program, "show")["state"] == "KILLED"
    assert program("halt", "ack", "--state", program.state).code == 20
    armed = halt(program, "reset", "--user", "me", "--reason", "the news was false")
    assert (armed["state"], armed["latch"]) == ("ARMED", {"file": None, "row": None})
    assert not scene.file.exists()
    assert (scene.state / SPARE).exists()
    assert paper(program, 60)["orders"] != 0


def test_why_somebody_killed_is_told_after_a_cycle_saw_it_and_a_person_gave_it_back(tmp_path: Path) -> None:
    program, scene = Inside(tmp_path), Scene(tmp_path)
    paper(program, 1)
    assert scene.kill("--reason", "the exchange was hacked").code == 0
    paper(program, 1)
    halt(program, "reset", "--user", "me", "--reason", "it was another one")
    told = program("halt", "history", "--state", program.state, "--json").data["events"]
    assert [one["reason"] for one in told] == ["killed: the exchange was hacked", "it was another one"]


def test_a_reset_before_any_cycle_saw_the_kill_tells_of_both(tmp_path: Path) -> None:
    program, scene = Inside(tmp_path), Scene(tmp_path)
    paper(program, 1)
    assert scene.kill("--reason", "by mistake").code == 0
    armed = halt(program, "reset", "--user", "me", "--reason", "it was a mistake")
    assert (armed["state"], armed["trips"], armed["resets"], armed["latch"]) == (
        "ARMED", 1, 1, {"file": None, "row": None},
    )  # fmt: skip


def test_each_account_is_given_back_by_itself(tmp_path: Path) -> None:
    """The file is of all of them. Made by hand it left no rows, so a reset of one leaves one for the other."""
    program, scene = Inside(tmp_path), Scene(tmp_path)
    paper(program, 1)
    other = scene.begun("live")
    scene.file.touch()
    assert halt(program, "reset", "--user", "me", "--reason", "paper again", "--mode", "PAPER")["state"] == "ARMED"
    assert not scene.file.exists()
    assert read_row(other).reason == "the kill file was made by hand"
    assert not read_row(scene.state / "paper.db")


@pytest.mark.parametrize("by_hand", [False, True])
def test_a_kill_while_somebody_resets_stands(scene: Scene, by_hand: bool) -> None:
    """Whatever the reset had seen before; the rows and the file are those of the newer kill. The file of the first one
    may have been deleted by hand."""
    database = scene.begun("paper")
    assert scene.kill("--reason", "first").code == 0
    if by_hand:
        scene.file.unlink()
    seen = standing(database)
    assert scene.kill("--reason", "second").code == 0
    with pytest.raises(GateClosed, match="killed again"):
        lift(database, seen, "too late")
    left = standing(database)
    assert left.file is not None
    assert left.row.reason == "second"
    lift(database, left, "now")
    assert not standing(database)


def test_where_no_account_was_begun_the_file_alone_is_shown_and_removed(tmp_path: Path) -> None:
    program, scene = Inside(tmp_path), Scene(tmp_path)
    assert scene.kill("--reason", "too early").code == 50
    assert halt(program, "show")["latch"]["file"]["reason"] == "too early"  # type: ignore[index]
    assert halt(program, "reset", "--user", "me", "--reason", "we begin now")["latch"] == {"file": None, "row": None}
    assert not scene.file.exists()


@pytest.mark.parametrize(("status", "code"), [(204, 0), (500, 70)])
def test_an_alert_that_arrives_and_one_that_is_refused(scene: Scene, status: int, code: int) -> None:
    scene.begun("paper")
    told = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = Thread(target=server.handle_request)
        thread.start()
        scene.given["TRADER_ALERT_HOOK"] = f"http://127.0.0.1:{server.server_port}/x"
        done = scene.kill("--reason", "wake up", "--json")
        thread.join()
    assert (done.code, done.data["alert"]["delivered"]) == (code, code == 0)
    assert told == [{"event": "kill", "reason": "wake up", "state": str(scene.state)}]


def test_a_command_that_is_told_is_handed_no_key(scene: Scene) -> None:
    kept = scene.home / "kept"
    (scene.home / "hook.sh").write_text(f"#!/bin/sh\nenv > {kept}\n")
    (scene.home / "hook.sh").chmod(0o700)
    scene.given.update(COINBASE_API_KEY="organizations/x", COINBASE_API_SECRET="a secret", TOKEN_OF_THE_HOOK="its own")
    scene.given["TRADER_ALERT_HOOK"] = str(scene.home / "hook.sh")
    scene.begun("paper")
    assert scene.kill("--mode", "PAPER").code == 0
    assert "TOKEN_OF_THE_HOOK=its own" in kept.read_text()
    assert "COINBASE" not in kept.read_text()


def test_the_environment_is_never_told(scene: Scene) -> None:
    scene.given.update(
        COINBASE_API_KEY="organizations/x/apiKeys/y", COINBASE_API_SECRET="a secret that is no key at all"
    )
    scene.given["TRADER_ALERT_HOOK"] = "https://127.0.0.1:9/hook/a-token-of-the-hook"
    done = scene.kill("--json", "--mode", "LIVE")
    assert done.code == 50
    assert key_seen(scene, done) == []
    assert "a-token" not in done.out + done.err
