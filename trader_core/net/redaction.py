"""Secrets end here: every text that leaves the program by way of an error, a log or a traceback passes `redact`.

A secret is known by name, because whoever makes a key registers it, or by its looks: a PEM block, a token, a bearer
header. Both are taken out; what is left still says what happened.
"""

import re
from urllib.parse import quote

HIDDEN = "[redacted]"
SHORTEST = 12  # of what is registered: a shorter piece would take innocent text with it
_known: set[str] = set()
_ESCAPED_NEWLINE = re.compile(r"(?:\\+[rn]|\s)+")
_LOOKS = (
    re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL),
    re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*)?"),
)


def register(secret: str) -> None:
    """From now on `redact` takes this secret out: whole, line by line, and as it looks inside a URL."""
    for piece in {secret.strip(), *_ESCAPED_NEWLINE.split(secret)}:
        if len(piece) >= SHORTEST and not piece.startswith("-----"):
            _known.update((piece, quote(piece, safe="")))


def redact(text: str) -> str:
    """The text without anything that is a secret or looks like one."""
    for look in _LOOKS:
        text = look.sub(HIDDEN, text)
    for secret in sorted(_known, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text
