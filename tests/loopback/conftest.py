"""Two venues for each module that asks, one for each kind of key; every test begins on a fresh account."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.loopback.served import Served, serving, trader


@pytest.fixture(scope="package")
def p256(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from _served(tmp_path_factory.mktemp("p256"))


@pytest.fixture(scope="package")
def ed25519(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from _served(tmp_path_factory.mktemp("ed25519"), "--ed25519")


def _served(folder: Path, *words: str) -> Iterator[Served]:
    assert trader("sim", "cert", folder, *words).returncode == 0
    with serving(folder, "--realtime", "--truth", folder / "truth.jsonl") as served:
        yield served


@pytest.fixture
def venue(p256: Served) -> Served:
    p256.admin("reset", {})
    return p256


@pytest.fixture(params=["p256", "ed25519"])
def either(request: pytest.FixtureRequest) -> Served:
    served: Served = request.getfixturevalue(request.param)
    served.admin("reset", {})
    return served
