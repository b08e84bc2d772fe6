"""The units as systemd itself reads them, and the socket on which it listens to what it started."""

import os
import shutil
import socket
import subprocess
import tempfile
from pathlib import Path, PurePosixPath

import pytest

from tests.cli.program import Program
from trader_core.domain.errors import StateLocked, StateUnusable, VenueUnavailable
from trader_core.ops.service import Service
from trader_core.ops.units import Place, units

PAGES = Path(__file__).parents[2] / "docs" / "operate" / "systemd"
EXPOSURE_MAX = 2.0
ANALYZE = shutil.which("systemd-analyze")
needs_systemd = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def analyzed(*words: str | Path) -> str:
    environ = {**os.environ, "XDG_RUNTIME_DIR": tempfile.gettempdir()}
    done = subprocess.run([str(ANALYZE), *map(str, words)], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def written(folder: Path, is_machine: bool) -> list[Path]:
    """The units of a machine or a person, on a program that is there."""
    folder.mkdir(parents=True)
    place = Place(PurePosixPath("/bin/true"), is_machine=is_machine)
    for name, text in units(place).items():
        (folder / name).write_text(text)
    return sorted(folder.iterdir())


@needs_systemd
@pytest.mark.parametrize("is_machine", [True, False])
def test_systemd_has_nothing_to_say_against_a_unit(tmp_path: Path, is_machine: bool) -> None:
    found = written(tmp_path / "units", is_machine)
    said = analyzed("verify", *([] if is_machine else ["--user"]), *found)
    assert not [line for line in said.splitlines() if "trader" in line], said


@needs_systemd
def test_paths_with_spaces_and_percent_signs_are_read_as_they_are(tmp_path: Path) -> None:
    """Cut at its space the state would be another directory: its loop would trade where no kill reaches it."""
    program = tmp_path / "the program 100%" / "trader"
    program.parent.mkdir()
    program.symlink_to("/bin/true")
    state, config = tmp_path / "my state 5%", tmp_path / "it's mine"
    place = Place(PurePosixPath(program), PurePosixPath(state), PurePosixPath(config), is_machine=False)
    folder = tmp_path / "units"
    folder.mkdir()
    for name, text in units(place).items():
        (folder / name).write_text(text)
    said = analyzed("verify", "--user", *sorted(folder.iterdir()))
    assert not [line for line in said.splitlines() if "trader" in line], said
    told = "\n".join(units(place).values())
    escaped = str(state).replace("%", "%%")
    assert told.count(f'Environment="TRADER_STATE={escaped}"') == told.count("ExecStart=")
    assert f"PathChanged={escaped}/KILL_SWITCH\n" in told


@needs_systemd
def test_no_service_is_exposed_more_than_a_little(tmp_path: Path) -> None:
    services = [one for one in written(tmp_path / "units", is_machine=True) if one.suffix == ".service"]
    assert len(services) >= 8
    for one in services:
        said = analyzed("security", "--offline=true", one)
        (line,) = [line for line in said.splitlines() if "Overall exposure level" in line]
        assert float(line.split(":")[1].split()[0]) <= EXPOSURE_MAX, line


@needs_systemd
def test_a_service_without_its_cage_would_be_found(tmp_path: Path) -> None:
    bare = tmp_path / "bare.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n")
    assert "UNSAFE" in analyzed("security", "--offline=true", bare)


def test_what_stands_in_the_docs_is_what_is_installed() -> None:
    remedy = "trader install-units --to docs/operate/systemd --program /usr/local/bin/trader"
    ours = units(Place(PurePosixPath("/usr/local/bin/trader")))
    kept = {one.name: one.read_text() for one in PAGES.iterdir() if one.suffix in (".service", ".timer", ".path")}
    assert kept == ours, remedy


def test_a_cycle_is_never_made_up_for_and_a_backup_is() -> None:
    found = units(Place(PurePosixPath("/bin/true")))
    assert "Persistent=false" in found["trader-run-cycle.timer"]
    assert "Persistent=true" in found["trader-backup.timer"]


def test_what_runs_once_a_day_runs_once_where_the_clock_is_set_forward_and_back() -> None:
    found = units(Place(PurePosixPath("/bin/true")))
    daily = [line for text in found.values() for line in text.splitlines() if line.startswith("OnCalendar=*-*-* ")]
    assert len(daily) == 3 and all(one.endswith(" UTC") for one in daily), daily


def test_a_loop_that_is_stopped_as_it_was_asked_to_has_not_failed(tmp_path: Path) -> None:
    """A manager knows 0 and the signals themselves; each stop of the unit was told as a failure of it."""
    running = Program(tmp_path).start("run", "--mode", "PAPER", "--venue", "simulated", "--state", tmp_path / "state")
    assert running.stdout is not None
    running.stdout.readline()
    running.terminate()
    running.communicate(timeout=30)
    unit = units(Place(PurePosixPath("/bin/true")))["trader.service"]
    (words,) = [line for line in unit.splitlines() if line.startswith("SuccessExitStatus=")]
    assert str(running.returncode) in words.partition("=")[2].split()


def test_the_kill_depends_on_nothing_that_trades() -> None:
    found = units(Place(PurePosixPath("/bin/true")))
    assert "PathChanged=/var/lib/trader/KILL_SWITCH" in found["trader-kill.path"]
    assert not [line for line in found["trader-kill.service"].splitlines() if line.startswith(("Requires", "BindsTo"))]
    assert "OOMScoreAdjust=-900" in found["trader-kill.service"]


def test_a_reset_that_takes_the_kill_file_away_is_no_kill() -> None:
    """The path unit starts its service for any change of the file, its end too."""
    unit = units(Place(PurePosixPath("/bin/true")))["trader-kill.service"].partition("[Service]")[0]
    assert "ConditionPathExists=/var/lib/trader/KILL_SWITCH\n" in unit


class Manager:
    """systemd's end of the socket."""

    def __init__(self, place: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(place))
        self.socket.settimeout(5)

    def heard(self) -> str:
        return self.socket.recv(4096).decode()


def test_the_watchdog_is_fed_by_the_loop_at_a_quarter_of_its_patience(tmp_path: Path) -> None:
    manager, seconds = Manager(tmp_path / "notify"), [0.0]
    service = Service(
        {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "40000000"}, clock_s=lambda: seconds[0]
    )
    service.ready("PAPER")
    assert manager.heard() == "READY=1\nSTATUS=PAPER"
    for at in (0, 1, 9, 10, 11, 21):
        seconds[0] = at
        service.alive()
    service.stopping()
    assert [manager.heard() for _ in range(4)] == ["WATCHDOG=1"] * 3 + ["STOPPING=1"]
    manager.socket.close()


def test_where_nobody_listens_nothing_is_said(tmp_path: Path) -> None:
    for environ in ({}, {"NOTIFY_SOCKET": str(tmp_path / "gone"), "WATCHDOG_USEC": "1000000"}):
        service = Service(environ)
        service.ready("PAPER")
        service.alive()


def test_a_loop_that_found_its_state_held_for_a_moment_is_started_again() -> None:
    """As whoever owns it goes: a state that cannot be read stays so, one that is held does not."""
    loop = dict(line.split("=", 1) for line in (PAGES / "trader.service").read_text().splitlines() if "=" in line)
    never = {int(code) for code in loop["RestartPreventExitStatus"].split()}
    assert loop["Restart"] == "on-failure" and StateLocked.exit_code not in never
    assert StateUnusable.exit_code in never


def test_a_loop_that_starts_while_the_venue_is_down_is_started_again_until_it_answers() -> None:
    """It ends with 30 each time, and systemd's own limit kept it down for good after a few: what it held was left to
    its stops."""
    loop = dict(line.split("=", 1) for line in (PAGES / "trader.service").read_text().splitlines() if "=" in line)
    assert str(VenueUnavailable.exit_code) not in loop["RestartPreventExitStatus"].split()
    assert loop["StartLimitIntervalSec"] == "0" and int(loop["RestartSec"]) >= 30
