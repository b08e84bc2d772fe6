"""Every boundary of a life with the world: what it writes, what it makes durable, and what it asks of the venue.

Nobody lists them: SQLite's statements, the files that are opened to be written, `fsync`, renames and requests are
caught where Python hands them over, so new code is covered as it is. For processes that were forked to be a life; what
is hooked stays hooked.
"""

import builtins
import io
import os
import re
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Lock, RLock
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict

from trader_core.net import session

READING = re.compile(r"\s*(SELECT|BEGIN|ROLLBACK|PRAGMA(?!\s+(user_version|application_id|journal_mode)\s*=))", re.I)
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.utime")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
Met = Callable[[str, str], None]  # a boundary's kind, and what it is about; may not return


@dataclass
class Boundaries:
    """Counts what is met, from one; at number `at` it does what `then` does with its kind."""

    at: int = 0
    then: Callable[[str], None] = field(default=lambda kind: None)
    failing: bool = False  # whether what can fail is counted, statements that only read too
    met: list[str] = field(default_factory=list)
    _lock: Any = field(default_factory=RLock)

    def __call__(self, kind: str, what: str) -> None:
        with self._lock:
            self.met.append(f"{kind} {what}")
            if len(self.met) == self.at:
                self.then(kind)


class Wire(HTTPAdapter):
    """Requests go to the venue's own process instead of a socket; so do not the life's answers."""

    ask: Callable[..., tuple[Any, ...]]
    met: Met

    def send(self, request: Any, *_: Any, **__: Any) -> requests.Response:
        path = request.path_url.partition("?")[0].removeprefix("/api/v3/brokerage")
        what = f"{request.method} {re.sub(r'[0-9a-f-]{36}', 'ID', path)}"
        type(self).met("request", what)
        headers = {**request.headers, "Host": urlsplit(request.url).netloc}
        told = type(self).ask(request.method, request.path_url, headers, request.body or b"")
        type(self).met("answer", what)
        if told[0] == "not connected":
            raise requests.ConnectTimeout("the connection was not made in time")
        if told[0] == "no answer":
            raise requests.ReadTimeout("no answer in time")
        _, status, headers, body = told
        answer = requests.Response()
        answer.status_code, answer.headers = status, CaseInsensitiveDict(headers)
        answer.raw = urllib3.HTTPResponse(io.BytesIO(body), headers=headers, status=status, preload_content=False)
        return answer


def hook(root: str, boundaries: Boundaries, ask: Callable[..., tuple[Any, ...]]) -> None:
    """What happens below `root`, and every request, from now on."""
    wire = type("Wired", (Wire,), {"ask": staticmethod(ask), "met": staticmethod(boundaries)})
    vars(session).update(HTTPAdapter=wire, _within=_at_once)
    _hook_sqlite(boundaries)
    _hook_files(root, boundaries)


def _at_once(_: float, __: str, ask: Callable[[], Any]) -> Any:
    """Nothing drips here that a thread of its own would have to be left behind for."""
    return ask()


def place_key(key: Mapping[str, str]) -> None:
    """Where the program finds a key; and nobody else's is left there."""
    for name in [one for one in os.environ if one.startswith(("COINBASE", "TRADER", "CREDENTIALS"))]:
        del os.environ[name]
    os.environ.update({"COINBASE_API_KEY": key["name"], "COINBASE_API_SECRET": key["privateKey"]})


def _hook_sqlite(boundaries: Boundaries) -> None:
    real = sqlite3.connect

    class Statements(sqlite3.Cursor):
        connection: "Watched"

        def execute(self, sql: str, *values: Any) -> "Statements":
            self.connection.meets(sql)
            return super().execute(sql, *values)

        def executemany(self, sql: str, rows: Iterable[Any], /) -> "Statements":
            self.connection.meets(sql)
            return super().executemany(sql, rows)

        def executescript(self, sql: str, /) -> sqlite3.Cursor:
            self.connection.meets(sql)
            return super().executescript(sql)

    class Watched(sqlite3.Connection):
        """What is repeated within one transaction counts once: it is on disk with all of it, or not at all."""

        name, said, inside = "", "", False

        def cursor(self, _: Any = None) -> Any:
            return super().cursor(Statements)

        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            with self.once(sql):
                return super().execute(sql, *values)

        def executemany(self, sql: str, rows: Iterable[Any], /) -> sqlite3.Cursor:
            with self.once(sql):
                return super().executemany(sql, rows)

        def executescript(self, sql: str, /) -> sqlite3.Cursor:
            with self.once(sql):
                return super().executescript(sql)

        @contextmanager
        def once(self, sql: str) -> Iterator[None]:
            """A connection that executes may ask a cursor of its own to do it."""
            self.meets(sql)
            self.inside = True
            try:
                yield
            finally:
                self.inside = False

        def commit(self) -> None:
            self.meets("COMMIT")
            super().commit()

        def close(self) -> None:
            if self.said and not boundaries.failing:  # it may move what it wrote to its place, and never fails
                boundaries("sql", f"{self.name} close")
            super().close()

        def meets(self, sql: str) -> None:
            words = " ".join(sql.split()[:3])
            if self.inside:
                return
            if boundaries.failing or not (READING.match(sql) or (self.in_transaction and words == self.said)):
                self.said = words
                boundaries("sql", f"{self.name} {words}")

    def connect(database: Any, *given: Any, **named: Any) -> sqlite3.Connection:
        made: Watched = real(database, *given, **{"factory": Watched, **named})
        made.name = os.path.basename(str(database).partition("?")[0])  # noqa: PTH119 - a URI
        return made

    vars(sqlite3).update(connect=connect)


def _hook_files(root: str, boundaries: Boundaries) -> None:
    fsync, write, opened = os.fsync, os.write, io.open
    busy = Lock()

    def audited(event: str, told: tuple[Any, ...]) -> None:
        is_change = event in CHANGES or (event == "open" and isinstance(told[2], int) and told[2] & WRITING)
        is_change = is_change and not (event == "os.mkdir" and os.path.isdir(told[0]))  # noqa: PTH112 - any text
        if is_change and _text(told[0]).startswith(root) and busy.acquire(blocking=False):
            try:
                boundaries("file", f"{event} {_name(told[0])}")
            finally:
                busy.release()

    def synced(handle: Any) -> None:
        boundaries("file", f"fsync {_place(handle, root)}")
        fsync(handle)

    def written(handle: int, data: Any) -> int:
        if place := _place(handle, root):
            boundaries("file", f"write {place}")
        return write(handle, data)

    def open_watched(file: Any, mode: str = "r", *given: Any, **named: Any) -> Any:
        found = opened(file, mode, *given, **named)
        is_ours = not isinstance(file, int) and _text(file).startswith(root)
        return _Closing(found, boundaries, _name(file)) if is_ours and set(mode) & set("wax+") else found

    vars(os).update(fsync=synced, write=written)
    vars(io).update(open=open_watched)
    vars(builtins).update(open=open_watched)
    sys.addaudithook(audited)


class _Closing:
    """A file that is being written, whose content is there once it is closed."""

    def __init__(self, file: Any, boundaries: Boundaries, name: str) -> None:
        self._file, self._boundaries, self._name = file, boundaries, name

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_Closing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if not self._file.closed:
            self._boundaries("file", f"close {self._name}")
            self._file.close()


def _text(path: Any) -> str:
    return os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""


def _name(path: Any) -> str:
    return re.sub(r"\d{2,}", "N", os.path.basename(_text(path)))  # noqa: PTH119 - any text


def _place(handle: Any, root: str) -> str:
    """The name of an open file below `root`; empty for any other."""
    number = handle if isinstance(handle, int) else handle.fileno()
    try:
        path = os.readlink(f"/proc/self/fd/{number}")  # noqa: PTH115 - as cheap as can be
    except OSError:
        return ""
    return _name(path) or "." if path.startswith(root) else ""
