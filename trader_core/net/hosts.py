"""Where a signed request may go: to the venue's own address, or to this machine. The one place that says so."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from msgspec import Struct

from trader_core.domain.errors import GateClosed

HTTPS_PORT = 443


class Origin(Struct, frozen=True):
    """Scheme and authority of every request; nothing that is appended to it can change either."""

    scheme: str
    host: str
    port: int | None  # None: the scheme's own

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port is None else f"{host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"


def origin_of(url: str) -> Origin:
    """The origin that `url` names. Raises GateClosed where it names more than that, or less."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError as wrong:
        raise _refused(url, str(wrong)) from wrong
    if parts.scheme not in ("http", "https") or not host:
        raise _refused(url, "it must be http:// or https:// and a host")
    if "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment or "\\" in url:
        raise _refused(url, "it must be a scheme, a host and a port, and nothing else")
    if not url.isascii() or not url.isprintable() or " " in url or "%" in host:
        raise _refused(url, "it must be plain ASCII")
    return Origin(parts.scheme, host, None if (parts.scheme, port) == ("https", HTTPS_PORT) else port)


def may_sign(origin: Origin, official: Origin) -> bool:
    """Only for the venue itself, and for this machine: what is signed for another host is a key given away."""
    return origin == official or origin.is_loopback


def _refused(url: str, why: str) -> GateClosed:
    return GateClosed(f"'{url}' cannot be a venue's address: {why}", remedy="mend exchange.venue_url in app.yaml")
