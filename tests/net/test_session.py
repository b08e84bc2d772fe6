"""Every way in which a request can go wrong on the wire ends as an answer, as Unreachable or as Lost."""

import itertools
import time
import traceback
from pathlib import Path

import pytest

from tests.net.wire import Act, Clock, certificate, drip, hang, http, reply, reset, serving, unused_port
from trader_core.domain.errors import GateClosed, Lost, OutcomeUnknown, RateLimited, Unreachable, VenueUnavailable
from trader_core.net.breaker import Direction
from trader_core.net.buckets import Urgency
from trader_core.net.session import BODY_MAX, Headers, Http, Timeouts, no_headers, server_delay_s

WELL = reply(200, b"{}")
BUSY = reply(503, b"<html>busy</html>")
TOO_MANY = reply(429, b"<html>slow down</html>")
SECRET = "planted-secret-of-a-test"


def send(out: Http, idempotent: bool = True, urgency: Urgency = Urgency.ROUTINE, headers: Headers = no_headers) -> int:
    """The status of the answer."""
    answer = out.send(
        "POST",
        "/x",
        body=b"body",
        headers=headers,
        bucket="private",
        breaker=None,
        idempotent=idempotent,
        urgency=urgency,
    )
    return answer.status


def test_an_answer_is_whatever_parsed_as_http() -> None:
    with serving(reply(404, b"not json \xff", X_Thing="1")) as server:
        answer = http(server.url, Clock()).send("GET", "/x", bucket="public", breaker=None, idempotent=True)
    assert (answer.status, answer.body, answer.headers["x-thing"]) == (404, b"not json \xff", "1")


def test_three_retries_wait_longer_each_time_and_have_headers_of_their_own() -> None:
    clock, tokens = Clock(), itertools.count()
    with serving(BUSY) as server:
        with pytest.raises(Lost):
            send(http(server.url, clock), headers=lambda: {"Authorization": f"Bearer {next(tokens)}"})
        assert clock.waits == [1.0, 2.0, 4.0]
        assert [request.headers["authorization"] for request in server.requests] == [f"Bearer {n}" for n in range(4)]
        assert {request.body for request in server.requests} == {b"body"}


def test_two_busy_answers_and_a_good_one_cost_one_second_and_two() -> None:
    """V10, for what may be repeated."""
    clock = Clock()
    with serving(BUSY, BUSY, WELL) as server:
        assert send(http(server.url, clock)) == 200
    assert clock.waits == [1.0, 2.0]


def test_the_wait_is_a_share_of_the_longest() -> None:
    clock = Clock()
    with serving(BUSY) as server, pytest.raises(Lost):
        send(http(server.url, clock, chance=0.25))
    assert clock.waits == [0.25, 0.5, 1.0]


@pytest.mark.parametrize("act", [BUSY, hang(0.5), reset(), reset(b"HTTP/1.1 200 OK\r\nContent-Le"), b"no http\r\n\r\n"])
def test_what_must_not_be_repeated_is_sent_once_and_then_lost(act: bytes | Act) -> None:
    with serving(act) as server:
        with pytest.raises(Lost):
            send(http(server.url, Clock()), idempotent=False)
        assert len(server.requests) == 1


@pytest.mark.parametrize("act", [hang(0.5), reset(), reset(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{")])
def test_what_may_be_repeated_is(act: bytes | Act) -> None:
    with serving(act, WELL) as server:
        assert send(http(server.url, Clock())) == 200
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "cut",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + b'{"success": true}',
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\n" + b'{"success": true}',
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 9\r\n\r\nnot gzip.",
    ],
)
@pytest.mark.parametrize("ends", ["reset", "closes"])
def test_a_body_that_is_cut_short_is_lost(cut: bytes, ends: str) -> None:
    act = reset(cut) if ends == "reset" else lambda connection: connection.sendall(cut)
    with serving(act) as server, pytest.raises(Lost):
        send(http(server.url, Clock()), idempotent=False)


@pytest.mark.parametrize("at_once", [0, 50])  # it drips the headers too, or only the body
def test_a_server_that_drips_holds_nobody_beyond_the_deadline(at_once: int) -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\n\r\n" + b" " * 400
    started = time.monotonic()
    with serving(drip(answer, at_once, 0.02)) as server, pytest.raises(Lost):
        send(http(server.url, Clock(), timeouts=Timeouts(0.5, 0.3, 0.6)), idempotent=False)
    assert time.monotonic() - started < 2


def test_a_wait_that_takes_all_the_time_leaves_what_was_known_before_it() -> None:
    """A machine may be too busy to wake up in time; that is not why nobody was reached."""
    out = http(f"http://127.0.0.1:{unused_port()}", Late(), timeouts=Timeouts(0.5, 0.3, 0.6), chance=0.1)
    with pytest.raises(Unreachable, match="cannot be reached"):
        send(out)


class Late(Clock):
    def pause(self, seconds: float) -> None:
        time.sleep(max(seconds, 0.7))


def test_nobody_there_means_that_nothing_was_sent() -> None:
    with pytest.raises(Unreachable):
        send(http(f"http://127.0.0.1:{unused_port()}", Clock()), idempotent=False)


def test_an_attempt_that_was_lost_stays_lost_when_the_next_ones_find_nobody() -> None:
    """The first request may have been carried out; that the server went away after it says nothing about that."""
    with serving(reset()) as server:
        server.script = [lambda connection: server.leave()]
        with pytest.raises(Lost):
            send(http(server.url, Clock()))
        assert len(server.requests) == 1


def test_an_attempt_that_was_lost_stays_lost_when_the_next_ones_are_turned_away() -> None:
    with serving(reset(), TOO_MANY) as server, pytest.raises(Lost):
        send(http(server.url, Clock()))


def test_too_many_requests_come_back_as_an_answer() -> None:
    clock = Clock()
    with serving(TOO_MANY) as server:
        assert send(http(server.url, clock), idempotent=False) == 429
        assert len(server.requests) == 1
    assert clock.waits == []


def test_the_server_says_how_long_to_wait() -> None:
    clock = Clock()
    with serving(reply(429, retry_after="7"), reply(429, x_ratelimit_reset="3"), TOO_MANY, WELL) as server:
        assert send(http(server.url, clock)) == 200
    assert clock.waits == [7.0, 3.0, 4.0]


def test_a_silence_that_is_too_long_is_not_waited_for_but_kept_by_every_process() -> None:
    clock = Clock()
    with serving(reply(429, retry_after="45"), WELL) as server:
        out = http(server.url, clock)
        assert send(out) == 429
        with pytest.raises(RateLimited):
            send(out)
        assert (len(server.requests), clock.waits) == (1, [])
        assert send(out, urgency=Urgency.KILL) == 200


def test_what_we_do_not_send_ourselves_is_no_failure_of_the_other_side() -> None:
    clock = Clock()
    orders = ("orders", Direction.ENTRIES)
    with serving(reply(429, retry_after="45"), WELL) as server:
        out = http(server.url, clock)
        for _ in range(6):
            with pytest.raises(RateLimited):
                ask(out, orders)
        clock.pause(45)
        assert ask(out, orders) == 200


def ask(out: Http, breaker: tuple[str, Direction]) -> int:
    status = out.send("GET", "/x", bucket="private", breaker=breaker, idempotent=True).status
    if status == 429:
        raise RateLimited("turned away")
    return status


def test_who_asks_for_no_silence_at_all_is_given_a_second() -> None:
    clock = Clock()
    with serving(reply(429, retry_after="0"), WELL) as server:
        assert send(http(server.url, clock)) == 200
    assert clock.waits == [1.0]


def test_kill_waits_half_a_second_at_most() -> None:
    clock = Clock()
    with serving(reply(429, retry_after="20"), BUSY, BUSY, WELL) as server:
        assert send(http(server.url, clock), urgency=Urgency.KILL) == 200
    assert clock.waits == [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "5"}, 5.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:30 GMT"}, 10.0),
        ({"retry-after": "Tue, 14 Nov 2023 22:13:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "9" * 30}, None),
        ({"retry-after": "\u0665"}, None),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": "1700000020"}, 20.0),
        ({"x-ratelimit-reset": "1600000000"}, None),
        ({"x-ratelimit-reset": "86400"}, None),
        ({"retry-after": "soon", "x-ratelimit-reset": "2"}, 2.0),
    ],
)
def test_only_a_delay_that_makes_sense_is_believed(headers: dict[str, str], seconds: float | None) -> None:
    assert server_delay_s(headers, 1_700_000_000_000) == seconds


def test_connections_are_kept_and_cookies_are_not() -> None:
    with serving(reply(200, b"{}", set_cookie="a=b; Path=/")) as server:
        out = http(server.url, Clock())
        for _ in range(5):
            send(out)
        assert server.connections == 1
        assert not any("cookie" in request.headers for request in server.requests)


def test_an_answer_without_end_is_lost() -> None:
    with serving(reply(200, b" " * (BODY_MAX + 1))) as server, pytest.raises(Lost):
        send(http(server.url, Clock(), timeouts=Timeouts()), idempotent=False)


def test_nothing_is_sent_to_a_server_whose_certificate_we_do_not_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(named))
    monkeypatch.setenv("SSL_CERT_FILE", str(named))
    with serving(WELL, tls=named) as server:
        with pytest.raises(Unreachable):
            send(http(server.url, Clock()), idempotent=False)
        assert server.requests == []
        assert send(http(server.url, Clock(), ca_bundle=named), idempotent=False) == 200


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    with serving(WELL) as elsewhere, serving(reply(302, location=elsewhere.url)) as server:
        assert send(http(server.url, Clock()), headers=lambda: {"Authorization": "Bearer token"}) == 302
        assert elsewhere.requests == []


def test_a_redirect_is_read_like_every_answer() -> None:
    """No further than to the bound, and whatever the address that it names."""
    endless = reply(302, b"x" * (BODY_MAX + 1), location="https://evil.example")
    with serving(endless) as server, pytest.raises(Lost, match="without end"):
        send(http(server.url, Clock()), idempotent=False)
    with serving(reply(302, b"moved", location="http://[")) as server:
        answer = http(server.url, Clock()).send("GET", "/x", bucket="public", breaker=None, idempotent=True)
    assert (answer.status, answer.body) == (302, b"moved")


def test_the_environment_changes_neither_the_way_nor_whom_we_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(WELL) as proxy, serving(WELL) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        assert send(http(server.url, Clock())) == 200
        assert proxy.requests == []


@pytest.mark.parametrize(
    "path", ["x", "//evil.example/x", "@evil.example", "/a b", "/a?b", "/a#b", "/a/../b", "/\u00e9"]
)
def test_a_path_never_becomes_another_address(path: str) -> None:
    with serving(WELL) as server:
        with pytest.raises(ValueError, match="path"):
            http(server.url, Clock()).send("GET", path, bucket="public", breaker=None, idempotent=True)
        assert server.requests == []


def test_no_text_of_an_error_or_an_answer_has_the_token() -> None:
    acts: list[bytes | Act] = [hang(0.4), reset(), reply(500, SECRET.encode())]
    for act in acts:
        with serving(act) as server, pytest.raises((Lost, Unreachable)) as caught:
            send(http(server.url, Clock()), False, headers=lambda: {"Authorization": f"Bearer {SECRET}"})
        shown = "".join(traceback.format_exception(caught.value))
        assert SECRET not in f"{caught.value} {caught.value!r} {shown}"
    with serving(reply(200, SECRET.encode(), x_secret=SECRET)) as server:
        answer = http(server.url, Clock()).send("GET", "/x", bucket="public", breaker=None, idempotent=True)
    assert SECRET not in f"{answer} {answer!r}"


def test_one_call_is_one_outcome_for_its_breaker() -> None:
    clock = Clock()
    with serving(BUSY) as server:
        out = http(server.url, clock)
        for _ in range(5):
            with pytest.raises(Lost):
                out.send("GET", "/x", bucket="private", breaker=("orders", Direction.ENTRIES), idempotent=True)
        asked = len(server.requests)
        with pytest.raises(Unreachable, match="failed too often: no entry is tried"):
            out.send("GET", "/x", bucket="private", breaker=("orders", Direction.ENTRIES), idempotent=True)
        assert (asked, len(server.requests)) == (20, 20)
        with pytest.raises(Lost):
            out.send("GET", "/x", bucket="private", breaker=("orders", Direction.EXITS), idempotent=False)


def test_refusals_leave_the_breaker_closed() -> None:
    with serving(reply(400, b"{}")) as server:
        out = http(server.url, Clock())
        for _ in range(12):
            out.send("GET", "/x", bucket="private", breaker=("orders", Direction.ENTRIES), idempotent=True)
        assert len(server.requests) == 12


def test_the_three_ends_are_what_the_engine_knows() -> None:
    assert issubclass(Unreachable, VenueUnavailable) and issubclass(Lost, OutcomeUnknown)
    with pytest.raises(GateClosed):
        http("ftp://127.0.0.1", Clock())
