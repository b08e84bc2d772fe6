"""The order of the suite: the longest files first, for what is begun last keeps all others waiting at the end.

And fewer looks for garbage among what is loaded once and stays; and programs that hear Ctrl-C, for a suite that a shell
started in the background would hand down that nobody does.
"""

import gc
import signal
from collections.abc import Iterator

import pytest

from tests.luck import lucky

gc.set_threshold(50_000)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # begun by nohup
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

LONGEST = (
    "tests/test_style.py", "tests/scenarios/test_crash_coinbase.py", "tests/cli/test_upkeep.py",
    "tests/laws/test_slow_twin.py", "tests/kill/test_venue.py", "tests/live/test_scenarios.py",
    "tests/docs/test_pages.py", "tests/laws/test_compiled.py", "tests/research/test_engines.py",
    "tests/virtual/test_plays.py", "tests/strategies/test_strategies.py", "tests/test_install.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> int:
        file = item.nodeid.partition("::")[0]
        return LONGEST.index(file) if file in LONGEST else len(LONGEST)

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def luck() -> Iterator[None]:
    patch = lucky()
    yield
    patch.undo()


def pytest_collection_finish() -> None:
    gc.freeze()
