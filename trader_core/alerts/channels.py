"""Where notices leave: one message to one channel, one sign of life to one address.

Only the drainer and `alerts test` come here: no cycle ever waits for a channel, or loads the library behind it.
"""

import logging
from http.client import HTTPException
from threading import get_ident
from urllib.error import HTTPError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import Request, build_opener

from trader_core.alerts.addresses import Channel
from trader_core.domain.alert import Notice, Severity
from trader_core.net.redaction import redact

BEAT_S = 10.0  # of a heartbeat, at most
PROBLEM_MAX = 300
_KINDS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "failure"}


def send(channel: Channel, notice: Notice, timeout_s: float) -> str:
    """Hand a notice over, once; what went wrong, empty where nothing did. Never raises: here the world begins."""
    from apprise import Apprise, AppriseAsset

    heard = _Heard()
    logger = logging.getLogger("apprise")
    logger.addHandler(heard)
    logger.propagate = False
    try:
        asset = AppriseAsset(http_redirects=False)  # where one leads, a message that was posted does not go
        plugin = Apprise.instantiate(channel.url, asset=asset, suppress_exceptions=True)
        if plugin is None or isinstance(plugin, str):
            return "it is no address that Apprise knows"
        plugin.socket_connect_timeout = plugin.socket_read_timeout = timeout_s
        went = plugin.notify(  # in this thread, and of plain text, which a channel turns into what it has
            body=notice.body, title=notice.title, notify_type=_KINDS[notice.severity], body_format="text"
        )
        return "" if went else redact(heard.last or "it did not take the message")[:PROBLEM_MAX]
    except Exception as failed:  # noqa: BLE001 - a channel may fail in any way it likes
        return redact(f"{type(failed).__name__}: {failed}")[:PROBLEM_MAX]
    finally:
        logger.removeHandler(heard)


class _Heard(logging.Handler):
    """The last thing that the library said in this thread."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last, self._thread = "", get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = record.getMessage()


def beat(url: str, well: bool, timeout_s: float = BEAT_S) -> str:
    """Tell whoever waits for a sign of life that a cycle ran to its end, or failed; what went wrong, else empty."""
    if not url.startswith(("http://", "https://")):
        return "the heartbeat's address is none of http(s)"
    try:
        there = urlsplit(url)
        address = url if well else urlunsplit(there._replace(path=f"{there.path.rstrip('/')}/fail"))
        request = Request(address, headers={"User-Agent": "trader"})  # noqa: S310 - http(s)
        with build_opener().open(request, timeout=timeout_s):
            return ""
    except HTTPError as refused:
        return f"it answered {refused.code}"
    except (OSError, ValueError, HTTPException) as failed:
        return redact(f"{type(failed).__name__}: {getattr(failed, 'reason', '') or 'no connection'}")
