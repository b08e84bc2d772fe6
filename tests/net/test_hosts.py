"""Where a signed request may go."""

import pytest

from trader_core.domain.errors import GateClosed
from trader_core.net.hosts import may_sign, origin_of

OFFICIAL = origin_of("https://api.coinbase.com")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.coinbase.com",
        "https://api.coinbase.com/",
        "https://API.Coinbase.com:443",
        "https://127.0.0.1:8443",
        "http://127.0.0.1:8080",
        "http://127.9.9.9",
        "http://localhost:1",
        "https://[::1]:8443",
    ],
)
def test_the_venue_and_this_machine_get_signed_requests(url: str) -> None:
    assert may_sign(origin_of(url), OFFICIAL)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.coinbase.com",
        "https://api.coinbase.com:8443",
        "https://api.coinbase.com.evil.example",
        "https://api-sandbox.coinbase.com",
        "https://coinbase.com",
        "https://localhost.evil.example",
        "https://127.0.0.1.evil.example",
        "https://10.0.0.1",
        "https://0.0.0.0",
        "https://128.0.0.1",
        "https://127.1",
        "https://2130706433",
        "https://[::ffff:10.0.0.1]",
        "https://[2001:db8::1]",
    ],
)
def test_nobody_else_does(url: str) -> None:
    assert not may_sign(origin_of(url), OFFICIAL)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.coinbase.com",
        "ftp://127.0.0.1",
        "https://",
        "https://api.coinbase.com@evil.example",
        "https://evil.example@api.coinbase.com",
        "https://api.coinbase.com/path",
        "https://api.coinbase.com?x",
        "https://api.coinbase.com#x",
        "https://api.coinbase.com\\@evil.example",
        "https://127.0.0.1:99999",
        "https://127.0.0.1:x",
        "https://[::1",
        "https://api.coinbase.c\u043em",
        "https://api.coinbase.com\n.evil.example",
        "https://%31%32%37.0.0.1",
    ],
)
def test_what_is_more_or_less_than_an_origin_is_refused(url: str) -> None:
    with pytest.raises(GateClosed, match="address"):
        origin_of(url)


def test_an_origin_is_written_as_it_is_asked_for() -> None:
    assert str(origin_of("https://[::1]:8443")) == "https://[::1]:8443"
    assert str(OFFICIAL) == "https://api.coinbase.com" and OFFICIAL.authority == "api.coinbase.com"
    assert origin_of("http://127.0.0.1:80").authority == "127.0.0.1:80"
