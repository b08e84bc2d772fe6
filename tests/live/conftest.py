"""One venue and three time servers for a worker; an account of its own, on that venue made anew, for each test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import Live, Venue, staged, venue_served
from tests.ops.ntp import NtpServer, ntp_servers

Stage = Callable[..., Live]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """How long nothing happens between two looks is not the point: how often it is looked is as ever."""
    monkeypatch.setattr("trader_core.venues.coinbase.venue.CANCEL_PAUSE_S", 0.05)
    monkeypatch.setattr("trader_core.hand.PAUSE_S_MAX", 0.1)


@pytest.fixture(scope="session")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    with venue_served(tmp_path_factory.mktemp("venue")) as served:
        yield served


@pytest.fixture(scope="session")
def servers() -> Iterator[list[NtpServer]]:
    with ntp_servers(0, 0, 0) as three:
        yield three


@pytest.fixture
def stage(venue: Venue, servers: list[NtpServer], tmp_path: Path) -> Stage:
    """`stage("BTC", policy__orders__maker_ttl_bars=9)`: an armed LIVE account that trades these coins."""

    def made(*bases: str, **edits: Any) -> Live:
        for server in servers:
            server.skew_ms = 0.0
        return staged(tmp_path, venue, servers, *bases, **edits)

    return made


@pytest.fixture
def bought(stage: Stage) -> Live:
    """A LIVE account that holds BTC, with its stop."""
    live = stage("BTC")
    live.sim.risen()
    done = live.cycle()
    assert (done.code, done.data["positions"]) == (0, 1), done.err
    assert [one["side"] for one in live.sim.open_orders()] == ["SELL"]
    return live
