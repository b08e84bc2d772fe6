"""No secret leaves by way of a text, whatever the text."""

import json
import re
import subprocess
import sys
from urllib.parse import quote

import pytest

from tests.shared import ROOT
from tests.venues.coinbase.keys import KEYS, long_lines
from trader_core.net.redaction import HIDDEN, redact, register
from trader_core.venues.coinbase.sign import ApiKey

PEM = next(key.secret for key in KEYS if "EC PRIVATE" in key.secret)
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_a_key_is_hidden_however_it_is_written(key: ApiKey) -> None:
    secret = key.secret
    ways = (secret, secret.replace("\n", "\\n"), repr(secret), json.dumps({"k": secret}), quote(secret, safe=""))
    for way in ways:
        told = redact(f"before {way} after")
        assert told.startswith("before ") and told.endswith(" after")
        pieces = [piece for line in long_lines(secret) for piece in re.findall("[A-Za-z0-9]{5,}", line)]
        assert pieces and not any(piece in told for piece in pieces)


def test_of_a_secret_that_begins_as_another_nothing_is_left() -> None:
    for secret in ("one-secret-in-common", "one-secret-in-common-and-the-rest-of-it"):
        register(secret)
    assert redact("a one-secret-in-common-and-the-rest-of-it b") == f"a {HIDDEN} b"


def test_what_looks_like_a_secret_is_hidden_unregistered() -> None:
    other = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49\n-----END PRIVATE KEY-----"
    assert redact(f"a {other} b") == f"a {HIDDEN} b"
    assert redact(f"a {other[:40]}") == f"a {HIDDEN}"
    assert redact(f"Authorization: Bearer {JWT}!") == f"Authorization: {HIDDEN}!"
    assert redact(f"token={JWT}") == f"token={HIDDEN}"


@pytest.mark.parametrize("text", ["", "bearer of news", "a position of 0.00125758 BTC-USD", "eyJ", "order 1-2-3 lost"])
def test_other_text_is_left_alone(text: str) -> None:
    register("ab")  # too short to be a secret
    assert redact(text) == text


UNCAUGHT = """
from trader_core.net.redaction import register
from trader_core.talk import guard
guard()
register("planted-secret-of-a-test")
raise RuntimeError("it was planted-secret-of-a-test, Bearer abcdefghijklmnop")
"""


def test_a_traceback_that_nobody_caught_is_redacted() -> None:
    done = subprocess.run([sys.executable, "-c", UNCAUGHT], cwd=ROOT, capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert last == f"RuntimeError: it was {HIDDEN}, {HIDDEN}"
