"""One receiver for a module, empty and well at the beginning of each test."""

import warnings
from collections.abc import Iterator

import pytest

from tests.alerts.receiver import Receiver, receiving

with warnings.catch_warnings():  # here a warning is an error, and this library's own imports have some
    warnings.simplefilter("ignore")
    from apprise import Apprise

    Apprise.instantiate("json://localhost")


@pytest.fixture(scope="module")
def server() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def receiver(server: Receiver) -> Receiver:
    server.took.clear()
    server.beats.clear()
    server.status, server.moved, server.begun = 200, "", 0
    server.free.set()
    return server
