"""`python -m tests.virtual PLAY` prints what a play came to, as JSON. Time is there before anything of ours is."""

import json
import logging
import sys
from importlib import import_module

import requests  # noqa: F401 - loaded with the clock as it is, like what it brings along

from trader_core.prove.virtual import VirtualTime

BEGIN_MS = 1_772_446_020_000  # 2026-03-02 10:07 UTC, a Monday

time = VirtualTime(BEGIN_MS)
time.install()
logging.disable()
print(json.dumps(getattr(import_module("tests.virtual.plays"), sys.argv[1])(time)))
