"""When a market is open: a pure function of its class and an instant."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.laws.make import SHIPPED, instrument
from trader_core.domain.clocktime import DAY_MS, SECOND_MS
from trader_core.market.calendar import hours_open, is_open, market_hours, next_close, next_open, sessions_of
from trader_core.rulebook.state import NOBODY_KNOWS, OPEN, SHUT


def ny(text: str) -> int:
    """A wall clock's time in New York."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("America/New_York")).timestamp()) * SECOND_MS


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND_MS


@pytest.mark.parametrize("friday", ["2024-03-08", "2024-03-15", "2024-11-01", "2024-11-08"])
def test_v37_currencies_shut_on_friday_at_17_in_new_york_on_either_side_of_both_clock_changes(friday: str) -> None:
    shuts = ny(f"{friday}T17:00:00")
    assert is_open("FX", shuts - SECOND_MS) and not is_open("FX", shuts)
    opens = next_open("FX", shuts)
    assert opens is not None
    assert not is_open("FX", opens - 1) and is_open("FX", opens)
    here = datetime.fromtimestamp(opens / SECOND_MS, ZoneInfo("America/New_York"))
    assert (here.weekday(), here.hour, here.minute) == (6, 17, 0)
    assert next_close("FX", shuts - 1) == shuts


def test_v37_the_instant_moves_with_the_clock_of_new_york() -> None:
    """Five hours behind in winter, four in summer; the week in which it changes is an hour shorter or longer."""
    assert not is_open("FX", utc("2024-03-08T22:00")) and is_open("FX", utc("2024-03-08T21:59"))
    assert is_open("FX", utc("2024-03-10T21:00")) and not is_open("FX", utc("2024-03-10T20:59"))
    assert is_open("FX", utc("2024-11-03T22:00")) and not is_open("FX", utc("2024-11-03T21:59"))


@pytest.mark.parametrize("day", ["2024-12-25", "2025-01-01"])
def test_currencies_rest_on_two_days_a_year(day: str) -> None:
    begins = ny(f"{day}T00:00:00")
    assert is_open("FX", begins - 1) and not is_open("FX", begins)
    assert not is_open("FX", begins + DAY_MS - 1) and is_open("FX", begins + DAY_MS)
    assert (next_close("FX", begins - 1), next_open("FX", begins)) == (begins, begins + DAY_MS)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2024-12-25T12:00", SHUT),  # V38
        ("2024-12-24T12:59", OPEN), ("2024-12-24T13:00", SHUT),  # a half day
        ("2024-03-04T09:29", SHUT), ("2024-03-04T09:30", OPEN), ("2024-03-04T15:59", OPEN), ("2024-03-04T16:00", SHUT),
        ("2024-03-11T09:30", OPEN), ("2024-11-04T09:30", OPEN),  # the days after both clock changes
        ("2024-03-09T12:00", SHUT), ("2025-01-09T12:00", SHUT), ("2026-07-03T12:00", SHUT),
        ("2027-12-31T15:59", OPEN), ("2027-12-31T16:00", NOBODY_KNOWS), ("2028-03-06T12:00", NOBODY_KNOWS),
        ("2017-03-06T12:00", NOBODY_KNOWS),
    ],
)  # fmt: skip
def test_shares_trade_in_the_sessions_of_the_table_and_past_it_nobody_knows(at: str, expected: int) -> None:
    assert market_hours("EQUITY", np.array([ny(at)])).tolist() == [expected]


def test_crypto_trades_always_and_an_unknown_class_never() -> None:
    for at in (0, utc("2024-12-25T12:00"), utc("2099-01-01T00:00")):
        assert is_open("CRYPTO", at)
        assert market_hours("UNKNOWN", np.array([at])).tolist() == [NOBODY_KNOWS]
    assert next_open("CRYPTO", 0) is None and next_close("CRYPTO", 0) is None
    assert next_open("UNKNOWN", 0) is None and next_close("UNKNOWN", 0) is None
    assert next_open("EQUITY", ny("2028-01-03T12:00")) is None


@given(st.integers(utc("2018-01-02T15:00"), utc("2027-12-30T00:00")), st.sampled_from(["FX", "EQUITY"]))
def test_it_opens_and_shuts_when_it_says(at_ms: int, kind: str) -> None:
    opens, closes = next_open(kind, at_ms), next_close(kind, at_ms)
    assert opens is not None and closes is not None
    assert is_open(kind, opens) and not is_open(kind, closes)
    assert is_open(kind, at_ms) == (closes < opens)
    assert is_open(kind, min(opens, closes) - 1) == is_open(kind, at_ms), "nothing changes before"


@pytest.mark.parametrize("kind", ["FX", "EQUITY"])
def test_sessions_are_in_order_and_apart(kind: str) -> None:
    ends = sessions_of(kind).ravel()
    assert (np.diff(ends) >= 0).all() and len(ends) > 1000


def test_an_asset_has_the_hours_of_its_tier_and_one_that_no_tier_names_has_none() -> None:
    tiers = SHIPPED.universe.tiers
    first = tiers.tier_1_core.model_copy(update={"asset_class": "FX"})
    universe = SHIPPED.universe.model_copy(update={"tiers": tiers.model_copy(update={"tier_1_core": first})})
    some = (instrument("BTC-USD"), instrument("XRP-USD"), instrument("ZZZ-USD"))
    at = np.array([ny("2024-03-08T16:59:59"), ny("2024-03-08T17:00")])
    assert hours_open(some, universe, at).tolist() == [[OPEN, OPEN, NOBODY_KNOWS], [SHUT, OPEN, NOBODY_KNOWS]]
    found = SHIPPED.universe.discovery.model_copy(update={"enabled": True})
    discovering = universe.model_copy(update={"discovery": found})
    assert hours_open(some, discovering, at)[:, 2].tolist() == [OPEN, OPEN]
