"""The truth: every accepted order, state change and fill, one JSON line each, in a file that is only appended to."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trader_core.loopback.trouble import Misused


class Truth:
    """Lines reach the disk before the answer leaves: what a client was told, an independent checker can read."""

    def __init__(self, path: Path | None) -> None:
        self._handle: int | None = None
        if path is not None:
            try:
                self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            except OSError as refused:
                raise Misused(f"{path}: {refused.strerror}") from refused

    def tell(self, kind: str, figures: Mapping[str, Any]) -> None:
        if self._handle is not None:
            line = json.dumps({"kind": kind, **figures}, separators=(",", ":")) + "\n"
            os.write(self._handle, line.encode())

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
