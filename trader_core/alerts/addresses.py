"""Whom to tell: one Apprise URL is one channel. It is a secret; a channel's name tells its kind and no more."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import unquote, urlsplit

from trader_core.net.redaction import register


@dataclass(frozen=True, slots=True)
class Channel:
    name: str
    url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Addresses:
    """Everybody who is told: always, of escalations too, and who waits for a sign of life."""

    channels: tuple[Channel, ...] = ()
    urgent: tuple[Channel, ...] = ()
    heartbeat: str = field(default="", repr=False)

    @property
    def are_any(self) -> bool:
        return bool(self.channels or self.urgent or self.heartbeat)


def addresses(urls: Sequence[str], urgent: Sequence[str], heartbeat: str) -> Addresses:
    """The same address twice is one channel. From here on no text shows any of them."""
    for url in (*urls, *urgent, heartbeat):
        _hide(url)
    usual = tuple(_channel(url) for url in dict.fromkeys(urls))
    more = tuple(_channel(url) for url in dict.fromkeys(urgent) if url not in urls)
    return Addresses(usual, more, heartbeat)


def _channel(url: str) -> Channel:
    """What has no kind, a token alone say, shows nothing of itself."""
    kind, is_address, _ = url.partition("://")
    shown = kind[:20] if is_address and kind.isalnum() else "unknown"
    return Channel(f"{shown}-{sha256(url.encode()).hexdigest()[:8]}", url)


def _hide(url: str) -> None:
    """The whole of it, and whatever in it could be a token. A port, a host and a short word are none."""
    register(url)
    try:
        parts = urlsplit(url)
        words = [*parts.path.split("/"), parts.username or "", parts.password or "", parts.query]
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return
    words += [] if "." in host or ":" in host else [host]  # many kinds have a token where others have a host
    for pair in parts.query.split("&"):
        words.append(pair.partition("=")[2])
    for word in words:
        register(word)
        register(unquote(word))
