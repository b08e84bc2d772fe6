"""The alert of a kill: one JSON document to a command's stdin or to an HTTP(S) address, in a thread of its own.

It is on its way before the venue is asked, so that it arrives within DELIVERY_S whatever the venue does.
"""

import json
import shlex
import subprocess
import urllib.error
import urllib.request
from collections.abc import Mapping
from http.client import HTTPException
from threading import Event
from time import monotonic

DELIVERY_S = 4.5  # after the start


class Delivery:
    """An alert, and what became of it. The hook itself may hold a secret and is never told; `environ` is for it."""

    def __init__(self, hook: str, document: Mapping[str, str], began_s: float, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._hook, self._body, self._began_s = hook, json.dumps(document).encode(), began_s
        self._ended = Event()
        self.told = "url" if hook.startswith(("http://", "https://")) else "command" if hook else ""
        self.delivered = False
        self.problem = "it did not answer in time" if hook else ""
        self.took_ms = 0
        if not hook:
            self._ended.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended."""
        return self._ended.wait(seconds)

    def work(self) -> None:
        """Deliver, once."""
        left_s = max(0.1, self._began_s + DELIVERY_S - monotonic())
        self.problem = self._posted(left_s) if self.told == "url" else self._run(left_s)
        self.delivered = not self.problem
        self.took_ms = round((monotonic() - self._began_s) * 1_000)
        self._ended.set()

    def _posted(self, seconds: float) -> str:
        try:
            headers = {"Content-Type": "application/json", "User-Agent": "trader"}
            request = urllib.request.Request(self._hook, self._body, headers, method="POST")  # noqa: S310 - http(s)
            with urllib.request.urlopen(request, timeout=seconds):  # noqa: S310 - the scheme was looked at
                return ""
        except urllib.error.HTTPError as refused:
            return f"it answered {refused.code}"
        except (OSError, ValueError, HTTPException) as failed:
            return f"{type(failed).__name__}: {getattr(failed, 'reason', '') or 'no connection'}"

    def _run(self, seconds: float) -> str:
        try:
            words = shlex.split(self._hook)
            done = subprocess.run(  # noqa: S603
                words, input=self._body, capture_output=True, timeout=seconds, check=False, env=self._environ
            )
        except subprocess.TimeoutExpired:
            return "the command did not end in time"
        except (OSError, ValueError) as failed:
            return f"the command cannot be run: {getattr(failed, 'strerror', '') or 'it is no command'}"
        return "" if done.returncode == 0 else f"the command ended with {done.returncode}"
