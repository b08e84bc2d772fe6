"""A planted key is seen nowhere, whatever fails: not in what is said, written or listed, and in no traceback.

Faults of the venue are tried in the files of their own; here it is everything else.
"""

import os
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from tests.cli.rehearsal import pieces
from tests.live.conftest import Stage
from tests.live.faults import PROVING
from tests.live.stage import Live, seen


def test_the_check_finds_a_key_that_is_there(stage: Stage) -> None:
    live = stage()
    assert seen(live, []) == []
    (live.state / "log").write_text(f"could not load {pieces(live.key)[1]}")
    assert seen(live, []) == [pieces(live.key)[1]]
    assert seen(live, ["Bearer eyJhbGciOiJFUzI1NiJ9.e30"])[-1] == "eyJhbGciOiJFUzI1NiJ9"


def _no_trust(live: Live) -> None:
    """The certificate is nobody's that we trust."""
    live.given["CA_BUNDLE"] = str(_other_authority(live))


def _other_authority(live: Live) -> Path:
    assert live.inside("sim", "cert", live.home / "other").code == 0
    return live.home / "other" / "ca.pem"


def _no_tls(live: Live) -> None:
    live.configured(exchange__venue_url=live.sim.url.replace("https", "http"))


def _away(live: Live) -> None:
    live.configured(exchange__venue_url="https://127.0.0.1:9")


def _garbled(live: Live) -> None:
    secret = live.given["COINBASE_API_SECRET"]
    live.given["COINBASE_API_SECRET"] = secret[:60] + secret[80:]


def _cut(live: Live) -> None:
    live.given["COINBASE_API_SECRET"] = live.given["COINBASE_API_SECRET"][:100]


def _swapped(live: Live) -> None:
    given = live.given
    given["COINBASE_API_KEY"], given["COINBASE_API_SECRET"] = given["COINBASE_API_SECRET"], given["COINBASE_API_KEY"]


def _unwritable(live: Live) -> None:
    (live.state / "live.db").mkdir()


def _torn(live: Live) -> None:
    (live.state / "permits.db").write_bytes(b"SQLite format 3\0" + os.urandom(4_096))


def _nonsense(live: Live) -> None:
    (live.config / "app.yaml").write_text(f"secrets: [{live.given['COINBASE_API_KEY']}")


UNREACHABLE: tuple[Callable[[Live], None], ...] = (_no_tls, _away)  # each waits for a venue that never answers
SPOILT: tuple[Callable[[Live], None], ...] = (
    _no_trust, _garbled, _cut, _swapped, _unwritable, _torn, _nonsense, *(UNREACHABLE if PROVING else ()),
)  # fmt: skip


@pytest.mark.parametrize("spoil", SPOILT, ids=[one.__name__.strip("_") for one in SPOILT])
def test_no_broken_surroundings_bring_the_key_to_light(stage: Stage, spoil: Callable[[Live], None]) -> None:
    live = stage()
    spoil(live)
    words = (("run-cycle", "--json"), ("rotate-secrets", "--status"), ("arm", "--max-equity", "5", "--yes", "--json"))
    said = [live.inside(*one) for one in words]
    assert said[0].code != 0
    assert seen(live, said) == []


def test_a_crash_in_a_process_of_its_own_shows_no_key_even_where_python_tells_all(stage: Stage) -> None:
    """Its journal refuses to be written in the middle of a cycle, with every warning and every dump of Python's on."""
    live = stage()
    live.sim.risen()
    live.given.update(PYTHONDEVMODE="1", PYTHONFAULTHANDLER="1", PYTHONASYNCIODEBUG="1")
    assert live("run-cycle").code == 0
    with closing(sqlite3.connect(live.journal)) as db:
        db.execute("CREATE TRIGGER no BEFORE INSERT ON journal BEGIN SELECT RAISE(ABORT, 'planted'); END")
        db.commit()
    crashed = live("run-cycle", "--json")
    assert crashed.code != 0
    assert "planted" in crashed.err
    assert seen(live, [crashed]) == []


def test_an_abort_and_the_list_of_processes_show_no_key(stage: Stage) -> None:
    live = stage()
    live.sim.fault({"kind": "latency", "ms": 1_500, "path": "^/api/"})
    live.given.update(PYTHONFAULTHANDLER="1")
    running = live.start("run-cycle", "--json")
    listed, until = "", time.monotonic() + 2
    while time.monotonic() < until:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            with suppress(OSError):
                listed += process.read_bytes().decode("latin-1")
        time.sleep(0.4)
    running.send_signal(signal.SIGABRT)
    out, err = running.communicate(timeout=20)
    assert "run-cycle" in listed
    assert running.returncode == -signal.SIGABRT
    assert "Fatal Python error" in err
    assert seen(live, [listed, out, err]) == []
