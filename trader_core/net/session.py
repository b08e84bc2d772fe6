"""The one way out: every request passes a breaker, a bucket and a timeout, and ends in one of three words.

An `Answer` is whatever parsed as HTTP; nothing in it is believed yet, JSON least of all. `Unreachable` means that not
a byte left. `Lost` means that nobody knows: the request may have been carried out. Only what is idempotent is ever
sent twice, and each attempt has headers of its own, so that a token is never old. No exception carries a request, and
no text a secret.
"""

import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from urllib.parse import urlencode

import requests
import urllib3
from msgspec import Struct
from requests.adapters import HTTPAdapter

from trader_core.domain.errors import Lost, NotAsked, RateLimited, Unreachable
from trader_core.net.breaker import Breakers, Direction
from trader_core.net.buckets import Buckets, Urgency
from trader_core.net.calls import OTHER, THROTTLED, Told, outcome_of, untold
from trader_core.net.hosts import Origin, origin_of
from trader_core.net.redaction import redact

RETRIES = 3
BACKOFF_MAX_S = 30.0
SERVER_DELAY_MAX_S = 30.0  # a longer silence than that is not waited for
KILL_DELAY_MAX_S = 0.5  # an emergency waits no longer, whatever the server asks for
POOL = 16  # connections kept
BODY_MAX = 32 * 1024 * 1024
CHUNK = 64 * 1024
TOO_MANY = 429
RESET_MAX_S = 60
GRACE_S = 0.1  # a socket's own timeout says more than ours, so it may be first

Query = Sequence[tuple[str, str]]
Headers = Callable[[], Mapping[str, str]]


class Timeouts(Struct, frozen=True):
    """In s. `total_s` is for one call with all its attempts and waits."""

    connect_s: float = 5.0
    read_s: float = 10.0
    total_s: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What parsed as HTTP. Header names are in lower case. Neither headers nor body show in a repr."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def is_well(answer: Answer) -> bool:
    """Whether the other side works: a refusal is an answer too."""
    return answer.status != TOO_MANY and answer.status < 500


def no_headers() -> Mapping[str, str]:
    return {}


class Http:
    """One origin, one pool of connections; safe to use from several threads."""

    def __init__(
        self,
        base_url: str,
        *,
        ca_bundle: Path | None,
        timeouts: Timeouts,
        buckets: Buckets,
        breakers: Breakers,
        pause: Callable[[float], None],
        chance: Callable[[], float],
        host_ms: Callable[[], int],
        told: Told = untold,
    ) -> None:
        self.origin: Origin = origin_of(base_url)
        self._timeouts, self._buckets, self._breakers = timeouts, buckets, breakers
        self._pause, self._chance, self._host_ms, self._told = pause, chance, host_ms, told
        self._session = _session(ca_bundle)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Query = (),
        body: bytes = b"",
        headers: Headers = no_headers,
        bucket: str,
        urgency: Urgency = Urgency.ROUTINE,
        breaker: tuple[str, Direction] | None,
        idempotent: bool,
        well: Callable[[Answer], bool] = is_well,
        deadline_s: float | None = None,
        endpoint: str = OTHER,
    ) -> Answer:
        """One call: one outcome for the breaker, whatever it took. Each request of it is told of by its class of
        endpoint. Raises Unreachable or Lost.

        A 429 comes back as an answer, after the retries where they are allowed; a 5xx never does.
        """
        allowed_s = self._timeouts.total_s if deadline_s is None else deadline_s
        until_s = monotonic() + allowed_s
        call = _Call(method, self._url(path, query), body, headers, bucket, urgency, idempotent, until_s, endpoint)
        if breaker is None:
            return self._attempts(call)
        leave = self._breakers.enter(*breaker, lease_s=2 * allowed_s)
        was_well: bool | None = None
        try:
            answer = self._attempts(call)
            was_well = well(answer)
            return answer
        except (Unreachable, Lost) as failed:
            was_well = None if isinstance(failed, RateLimited) else False
            raise
        finally:
            self._breakers.tell(leave, was_well)

    def close(self) -> None:
        self._session.close()

    def _url(self, path: str, query: Query) -> str:
        """The path is appended to the origin and can never become another one."""
        if not path.startswith("/") or path.startswith("//") or not path.isascii() or not path.isprintable():
            raise ValueError(f"'{path}' is no path")
        if any(mark in path for mark in ("\\", " ", "?", "#", "/../", "/./")):
            raise ValueError(f"'{path}' is no plain path")
        return f"{self.origin}{path}" + (f"?{urlencode(query)}" if query else "")

    def _attempts(self, call: "_Call") -> Answer:
        """The first outcome that is worth having, or the last one. Once an attempt is lost, only a real answer makes
        up for it: that a later one was turned away says nothing about the first."""
        lost: Lost | None = None
        for attempt in range(RETRIES + 1):
            outcome, delay_s = self._attempt(call, attempt)
            lost = outcome if isinstance(outcome, Lost) else lost
            last = attempt == RETRIES or not call.idempotent
            if last or delay_s is None or monotonic() + delay_s >= call.until_s:
                break
            self._pause(delay_s)
            if monotonic() >= call.until_s:  # it woke up late
                break
        if lost and not (isinstance(outcome, Answer) and outcome.status != TOO_MANY):
            raise lost
        if isinstance(outcome, Answer):
            return outcome
        raise outcome

    def _attempt(self, call: "_Call", attempt: int) -> tuple[Answer | Unreachable | Lost, float | None]:
        """What came of it, and how long to wait before another attempt; None: there is none to make."""
        most_s = KILL_DELAY_MAX_S if call.urgency is Urgency.KILL else BACKOFF_MAX_S
        backoff_s = self._chance() * min(most_s, 2.0**attempt)
        try:
            self._buckets.enter(call.bucket, call.urgency, max(0.0, call.until_s - monotonic()))
        except RateLimited as refused:
            self._told(call.endpoint, THROTTLED, 0.0)
            return refused, None
        began_s = monotonic()
        try:
            answer = self._exchange(call)
        except (Unreachable, Lost) as failed:
            self._told(call.endpoint, outcome_of(failed), 1_000 * (monotonic() - began_s))
            return failed, backoff_s
        self._told(call.endpoint, outcome_of(answer.status), 1_000 * (monotonic() - began_s))
        if answer.status == TOO_MANY:
            return answer, self._silence(call, answer, backoff_s)
        if answer.status >= 500:
            return Lost(f"{call.where} answered {answer.status}"), backoff_s
        return answer, None

    def _silence(self, call: "_Call", answer: Answer, backoff_s: float) -> float | None:
        """How long the server wants to be left alone, told to every process; None where that is too long to wait."""
        asked_s = server_delay_s(answer.headers, self._host_ms())
        delay_s = max(1.0, backoff_s if asked_s is None else asked_s)
        self._buckets.rest(call.bucket, delay_s)
        if call.urgency is Urgency.KILL:
            return min(delay_s, KILL_DELAY_MAX_S)
        return delay_s if delay_s <= SERVER_DELAY_MAX_S else None

    def _exchange(self, call: "_Call") -> Answer:
        """One request, one answer. Raises Unreachable or Lost, and nothing of what was sent is in either."""
        left_s = call.until_s - monotonic()
        if left_s <= 0:
            raise NotAsked(f"{call.where} was not asked: there is no time left")
        headers = dict(call.headers())
        try:
            return _within(left_s, call.where, lambda: self._asked(call, headers, left_s))
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as failed:
            why = redact(f"{type(failed).__name__}: {_plain(failed)}")
            if _never_left(failed):
                raise Unreachable(f"{call.where} cannot be reached ({why})") from None
            raise Lost(f"{call.where} gave no whole answer ({why})") from None

    def _asked(self, call: "_Call", headers: Mapping[str, str], left_s: float) -> Answer:
        with closing(
            self._session.request(
                call.method,
                call.url,
                data=call.body or None,
                headers=headers,
                timeout=(min(self._timeouts.connect_s, left_s), min(self._timeouts.read_s, left_s)),
                stream=True,
                allow_redirects=False,
            )
        ) as response:
            return Answer(response.status_code, _headers(response), _body(response, call))


@dataclass(frozen=True, slots=True)
class _Call:
    method: str
    url: str = field(repr=False)
    body: bytes = field(repr=False)
    headers: Headers = field(repr=False)
    bucket: str
    urgency: Urgency
    idempotent: bool
    until_s: float  # on the monotonic clock
    endpoint: str  # its class

    @property
    def where(self) -> str:
        return f"{self.method} {self.url.partition('?')[0]}"


def server_delay_s(headers: Mapping[str, str], now_ms: int) -> float | None:
    """The silence a 429 asks for: Retry-After in seconds or as a date, else x-ratelimit-reset in seconds or as a
    moment. None where neither makes sense."""
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit() and len(told) < 7:
        return float(told)
    if told:
        try:
            return max(0.0, parsedate_to_datetime(told).timestamp() - now_ms / 1_000)
        except (ValueError, TypeError, OverflowError):
            pass  # no date: the other header may know
    reset = headers.get("x-ratelimit-reset", "").strip()
    if not (reset.isascii() and reset.isdigit() and len(reset) < 12):
        return None
    moment_s = float(reset) - now_ms / 1_000
    for seconds in (float(reset), moment_s):
        if 0 < seconds <= RESET_MAX_S:
            return seconds
    return None


class _Unled(requests.Session):
    """Sees no redirect: the library reads the whole body of one, however long, before it says that it follows none."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _session(ca_bundle: Path | None) -> requests.Session:
    """No proxy, no netrc, no cookies, no redirects, and no certificate but the named ones."""
    session = _Unled()
    session.trust_env = False
    session.verify = True if ca_bundle is None else str(ca_bundle)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    session.headers.clear()
    session.headers.update({"User-Agent": "trader", "Accept": "application/json", "Accept-Encoding": "gzip"})
    adapter = HTTPAdapter(pool_connections=1, pool_maxsize=POOL, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _within(seconds: float, where: str, ask: Callable[[], Answer]) -> Answer:
    """The answer, or Lost when the time is over. Timeouts of a socket begin anew with every byte, so a server that
    drips its headers outlives them all; its thread is left behind and ends with the connection."""
    ended: SimpleQueue[Answer | Exception] = SimpleQueue()

    def work() -> None:
        try:
            ended.put(ask())
        except (Lost, requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as failed:
            ended.put(failed)

    Thread(target=work, name=where, daemon=True).start()
    try:
        outcome = ended.get(timeout=seconds + GRACE_S)
    except Empty:
        raise Lost(f"{where} answers too slowly") from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _headers(response: requests.Response) -> Mapping[str, str]:
    return {name.lower(): value for name, value in response.headers.items()}


def _body(response: requests.Response, call: _Call) -> bytes:
    """The whole body, read piece by piece: a server that drips must not hold us beyond the deadline."""
    parts: list[bytes] = []
    size = 0
    while piece := response.raw.read1(CHUNK, decode_content=True):
        parts.append(piece)
        size += len(piece)
        if size > BODY_MAX:
            raise Lost(f"{call.where} answers without end")
        if monotonic() >= call.until_s:
            raise Lost(f"{call.where} answers too slowly")
    return b"".join(parts)


def _never_left(failed: BaseException) -> bool:
    """Whether the failure was before the first byte: no address, no connection, or a certificate we do not trust."""
    before = (
        requests.ConnectTimeout,
        urllib3.exceptions.NewConnectionError,
        urllib3.exceptions.ConnectTimeoutError,
        ssl.SSLCertVerificationError,
    )
    return any(isinstance(one, before) for one in _causes(failed))


def _causes(failed: BaseException) -> Iterator[BaseException]:
    """The failure and what it wraps, however the libraries wrapped it."""
    waiting, seen = [failed], 0
    while waiting and seen < 20:
        one, seen = waiting.pop(), seen + 1
        yield one
        around = (getattr(one, "reason", None), one.__cause__, one.__context__, *one.args)
        waiting.extend(inner for inner in around if isinstance(inner, BaseException))


def _plain(failed: BaseException) -> str:
    """The innermost words, without addresses of objects."""
    *_, innermost = _causes(failed)
    return str(innermost)[:200]
