"""Processes of the program that need not start from nothing: each is forked from one that has loaded what it imports.

Starting Python and loading the libraries costs more than most commands do. What is forked is still a process of its
own, with its own environment, folder and exit code; what starting up itself does is tested with processes that start.
"""

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.luck import lucky
from trader_core.engine.replay import prepare as load_law
from trader_core.settings.load import load

ROOT = Path(__file__).parents[2]
LOADED = (
    "cli.main", "cli.table", "cli.account", "cli.record", "cli.show", "pyarrow.parquet", "requests", "jwt",
    "tabulate", "rich.console", "cryptography.hazmat.primitives.asymmetric.ec",
    "cryptography.hazmat.primitives.serialization",
    "trader_core.bootstrap", "trader_core.desk", "trader_core.engine.run", "trader_core.engine.replay",
    "trader_core.hand", "trader_core.keyring", "trader_core.metering", "trader_core.net.session",
    "trader_core.upkeep", "trader_core.worlds.live", "trader_core.worlds.simulated",
)  # fmt: skip


@cache
def _mother() -> Path:
    """The socket at which this test process's own mother of processes listens. She ends with it."""
    folder = Path(tempfile.mkdtemp(prefix="forked-"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    running = subprocess.Popen(
        [sys.executable, "-m", "tests.cli.forked", str(folder / "calls")],
        cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert running.stdout is not None
    assert running.stdout.readline() == b"ready\n"
    _mothers.append(running)  # its standard input stays open for as long as this process lives
    return folder / "calls"


_mothers: list["subprocess.Popen[bytes]"] = []


def run(words: list[str], home: Path, environment: dict[str, str], timeout_s: float) -> tuple[int, str, str]:
    """(exit code, stdout, stderr). Raises subprocess.TimeoutExpired, and then has ended the process."""
    with contextlib.ExitStack() as opened:
        out, err = (opened.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        line = opened.enter_context(socket.socket(socket.AF_UNIX))
        line.connect(str(_mother()))
        line.settimeout(timeout_s)
        asked = json.dumps({"words": words, "home": str(home), "environment": environment}).encode()
        socket.send_fds(line, [len(asked).to_bytes(8)], [out.fileno(), err.fileno()])
        line.sendall(asked)
        answers = opened.enter_context(line.makefile("r"))
        pid = int(answers.readline())
        try:
            code = int(answers.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(words, timeout_s) from None
        told = []
        for one in (out, err):
            one.seek(0)
            told.append(one.read().decode().replace("\r\n", "\n"))
    return code, told[0], told[1]


# --- the mother -------------------------------------------------------------------------------------------------------


def _serve(path: str) -> dict[str, Any]:
    """Answers calls until nobody is there to call. Returns in each child, with what it is to run."""
    for name in LOADED:
        import_module(name)
    lucky()
    load_law(load(ROOT / "config"))
    gc.freeze()  # what is shared stays so
    listening, (ended, ends) = socket.socket(socket.AF_UNIX), socket.socketpair()
    listening.bind(path)
    listening.listen(64)
    ends.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ends.fileno(), warn_on_full_buffer=False)
    print("ready", flush=True)
    waiting = selectors.DefaultSelector()
    for one in (listening, sys.stdin, ended):
        waiting.register(one, selectors.EVENT_READ)
    callers: dict[int, socket.socket] = {}
    while True:
        ready = [key.fileobj for key, _ in waiting.select()]
        if sys.stdin in ready:
            os._exit(0)
        if ended in ready:
            ended.recv(64)
            _tell(callers)
        if listening in ready:
            line, _ = listening.accept()
            asked, streams = _asked(line)
            pid = os.fork()
            if pid == 0:
                break
            line.sendall(f"{pid}\n".encode())
            callers[pid] = line
            for stream in streams:
                os.close(stream)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    waiting.close()
    for one in (listening, ended, ends, line, *callers.values()):
        one.close()
    for target, source in enumerate((os.open(os.devnull, os.O_RDONLY), *streams)):
        os.dup2(source, target)
        os.close(source)
    return asked


def _asked(line: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """What to run, and its stdout and stderr."""
    size, streams, _, _ = socket.recv_fds(line, 8, 2)
    with line.makefile("rb") as asked:
        told: dict[str, Any] = json.loads(asked.read(int.from_bytes(size)))
    return told, streams


def _tell(callers: dict[int, socket.socket]) -> None:
    """Each caller whose child has ended hears its exit code."""
    while callers:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        with callers.pop(pid) as line, contextlib.suppress(OSError):  # who gave up waiting is gone
            line.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _run(asked: dict[str, Any]) -> None:
    """To its end, and then at once out: to free all that was loaded costs as long again."""
    os.chdir(asked["home"])
    os.environ.clear()
    os.environ.update(asked["environment"])
    sys.argv = ["-c", *asked["words"]]
    try:
        import_module("cli.main").main()
    except SystemExit as over:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(over.code if isinstance(over.code, int) else 1)


if __name__ == "__main__":
    _run(_serve(sys.argv[1]))
