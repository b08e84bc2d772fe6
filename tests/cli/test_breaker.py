"""breaker list and reset: what is known of a dependency, and a person who says that it is well again."""

from pathlib import Path

import pytest

from tests.cli.program import Inside
from trader_core.domain.errors import Unreachable
from trader_core.domain.grant import BreakerReset
from trader_core.net.breaker import Breakers, Direction
from trader_core.ops.clock import host_ms
from trader_core.store.buckets import SharedRows
from trader_core.store.grants import Permits

ORDERS, NAME = "coinbase orders", "coinbase-orders-entries"


@pytest.fixture
def program(tmp_path: Path) -> Inside:
    return Inside(tmp_path)


def failing(program: Inside, times: int) -> Breakers:
    program.state.mkdir(exist_ok=True)
    found = Breakers(SharedRows(program.state), host_ms, lambda: 0.5)
    for _ in range(times):
        found.tell(found.enter(ORDERS, Direction.ENTRIES, 1.0), well=False)
    return found


def asked(program: Inside, *words: str, code: int = 0) -> object:
    done = program("breaker", *words, "--state", program.state, "--json")
    assert done.code == code, done.err
    return done.data


def test_a_breaker_is_listed_with_the_time_to_its_probe_and_closed_by_a_person(program: Inside) -> None:
    assert asked(program, "list") == {"breakers": []}
    breakers = failing(program, 4)
    (one,) = asked(program, "list")["breakers"]  # type: ignore[index]
    assert (one["name"], one["state"], one["failures"], one["opened"]) == (NAME, "CLOSED", 4, None)
    failing(program, 1)
    (one,) = asked(program, "list")["breakers"]  # type: ignore[index]
    assert (one["state"], one["failures"], 50 <= one["seconds_to_probe"] <= 60) == ("OPEN", 5, True)
    with pytest.raises(Unreachable):
        breakers.enter(ORDERS, Direction.ENTRIES, 1.0)
    asked(program, "reset", "nobody", "--reason", "why", code=2)
    asked(program, "reset", NAME, "--reason", "the venue says it is back")
    assert breakers.enter(ORDERS, Direction.ENTRIES, 1.0)
    (fact,) = Permits(program.state).facts()
    assert isinstance(fact, BreakerReset)
    assert (fact.name, fact.condition, fact.failures, fact.reason) == (NAME, "OPEN", 5, "the venue says it is back")
    assert fact.host_user


def test_a_breaker_that_cannot_be_read_is_listed_and_can_be_closed(program: Inside) -> None:
    breakers = failing(program, 1)
    SharedRows(program.state).change(f"breaker {ORDERS} entries", lambda old: ("nonsense", None))
    assert not breakers.closed(ORDERS, Direction.ENTRIES)
    assert "UNREADABLE" in program("breaker", "list", "--state", program.state).out
    asked(program, "reset", NAME, "--reason", "the file was damaged")
    assert breakers.closed(ORDERS, Direction.ENTRIES)
