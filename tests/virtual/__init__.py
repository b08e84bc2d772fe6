"""Days of a LIVE account in a moment: the production wiring against the loopback venue, in a process whose time is its
own. A play is a function of tests/virtual/plays.py; what it returns is judged by a test."""

import json
import subprocess
import sys
from typing import Any


def played(name: str) -> dict[str, Any]:
    """What that play came to."""
    asked = [sys.executable, "-m", "tests.virtual", name]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
