"""A request as the handlers see it, and what they answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from starlette.datastructures import Headers, QueryParams


@dataclass(frozen=True)
class Call:
    """One request, body read: a client may send one with a GET, and the next request must not begin with it."""

    method: str
    path: str
    query: QueryParams
    headers: Headers
    body: bytes
    plain: bool  # no TLS
    named: Mapping[str, str]  # what the route's pattern holds

    @property
    def host(self) -> str:
        return self.headers.get("host", "")

    @cached_property
    def document(self) -> dict[str, Any]:
        """The body's object; empty where it is none."""
        try:
            found = json.loads(self.body or b"{}")
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def each(self, *names: str) -> list[str]:
        """A list parameter under any of its names: repeated keys, as the venue's clients write lists."""
        return [value for name in names for value in self.query.getlist(name) if value]

    def whole(self, name: str, default: int, most: int) -> int:
        """A count within 1 and `most`; what is no number is the default."""
        text = self.query.get(name, "")
        return max(1, min(most, int(text))) if text.isascii() and text.isdigit() and len(text) < 10 else default


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


def told(document: object, status: int = 200) -> Answer:
    return Answer(status, json.dumps(document, separators=(",", ":")).encode())


def plain(text: str, status: int) -> Answer:
    return Answer(status, text.encode(), "text/plain; charset=utf-8")


def page(title: str, status: int) -> Answer:
    """An HTML page, as the edge before the venue sends."""
    body = f"<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
    return Answer(status, body.encode(), "text/html; charset=utf-8")


def problem(status: int, word: str, message: str) -> Answer:
    """The gateway's envelope."""
    return told({"error": word, "error_details": message, "message": message}, status)
