"""Every key of app.alerts has a consumer: between two of its values somebody is told, or is not."""

from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from tests.world import CONFIG
from trader_core.domain.book import Book, Holding
from trader_core.domain.breaker import BreakerSeen, Condition
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision, GateRow, Judgement
from trader_core.domain.money import Base, Quote
from trader_core.domain.values import replace
from trader_core.report.alarms import alarms_of
from trader_core.report.trouble import Around, Cycle, Rate
from trader_core.settings.load import load
from trader_core.settings.schema import Alerts, Settings
from trader_core.telling import rules_of

SHIPPED = load(CONFIG)
NOW_MS = 1_700_000_000_000
HOUR_MS = 3_600_000
WELL = Around(NOW_MS, 1_000, Rate(100, 0), Rate(100, 0), free_mb=10_000)


def with_key(key: str, value: Any) -> Settings:
    alerts = SHIPPED.app.alerts.model_copy(update={key: value})
    return SHIPPED.model_copy(update={"app": SHIPPED.app.model_copy(update={"alerts": alerts})})


def judged(*ages_s: float) -> Decision:
    judgements = tuple(
        Judgement(f"{n}-USD", "no_signal", "", (GateRow("data_age", age, 900.0, 0.0, "s", "OK"),))
        for n, age in enumerate(ages_s)
    )
    return Decision(EpochMs(NOW_MS), Quote(Decimal(1_000)), judgements, (), (), (), "", ())


def cycle(decision: Decision | None = None, **book: Any) -> Cycle:
    made: Any = SimpleNamespace(
        cycle_id=1, decision_ms=EpochMs(NOW_MS), decision=decision or judged(0), fills=(), problem="", objections=(),
        ages_ms={}, prices={"BTC-USD": Decimal(96)}, book=Book(cash=Quote(Decimal(1_000)), **book),
    )  # fmt: skip
    return made  # type: ignore[no-any-return]


HELD = Holding(Base(Decimal(1)), Quote(Decimal(100)))
OPEN = BreakerSeen("coinbase", Condition.OPEN, 5, NOW_MS - 30_000, 0)
TOLD: dict[str, tuple[str, Any, Any, Cycle, Around]] = {
    "max_cycle_s": ("latency", 2, 3, cycle(), replace(WELL, took_ms=2_500)),
    "max_api_errors_pct": ("api_errors", 9.99, 10, cycle(), replace(WELL, calls=Rate(100, 10))),
    "min_api_calls": ("api_errors", 3, 4, cycle(), replace(WELL, calls=Rate(3, 3))),
    "max_rejected_pct": ("rejections", 19, 20, cycle(), replace(WELL, orders=Rate(10, 2))),
    "min_orders": ("rejections", 2, 3, cycle(), replace(WELL, orders=Rate(2, 2))),
    "min_eligible": ("empty_universe", 3, 2, cycle(judged(0, 0)), WELL),
    "max_feed_age_min": ("stale_data", 1, 2, cycle(judged(0, 120)), WELL),
    "no_trade_h": ("no_trade", 4, 5, cycle(), replace(WELL, wanted_ms=NOW_MS - 4 * HOUR_MS)),
    "min_free_mb": ("disk", 10_001, 10_000, cycle(), WELL),
    "breaker_open_s": ("breaker_open", 29, 30, cycle(), replace(WELL, breakers=(OPEN,))),
    "max_position_loss_pct": (
        "losing_position", 3.99, 4, cycle(holdings={"BTC-USD": HELD}, dust=frozenset({"BTC-USD"})), WELL,
    ),
}  # fmt: skip
RULED = {"dedupe_s": "dedupe_ms", "escalate_s": "escalate_ms", "remind_min": "remind_ms", "min_severity": "least"}
BY_PROGRAM = {  # in test_delivery.py and below
    "timeout_s", "undelivered_min", "api_window_min", "rejected_window_min", "max_exceptions", "exception_window_min",
    "missing_bars",
}  # fmt: skip


def test_every_key_is_here() -> None:
    assert Alerts.model_fields.keys() == TOLD.keys() | RULED.keys() | BY_PROGRAM


@pytest.mark.parametrize("key", TOLD)
def test_a_threshold_is_what_it_says(key: str) -> None:
    code, tells, silent, seen, around = TOLD[key]
    for value, expected in ((tells, [code]), (silent, [])):
        policy = with_key(key, value)
        assert [one.code for one in alarms_of(seen, around, policy, "") if one.code == code] == expected, value


@pytest.mark.parametrize("key", RULED)
def test_a_rule_reaches_the_policy(key: str) -> None:
    value: Any = "CRITICAL" if key == "min_severity" else 7
    before, after = rules_of(SHIPPED.app.alerts), rules_of(with_key(key, value).app.alerts)
    unit = {"dedupe_s": 1_000, "escalate_s": 1_000, "remind_min": 60_000}.get(key)
    assert getattr(after, RULED[key]) == (value if unit is None else value * unit)
    assert replace(after, **{RULED[key]: getattr(before, RULED[key])}) == before


def test_unknown_room_on_the_disk_is_as_none() -> None:
    found = alarms_of(cycle(), replace(WELL, free_mb=None), SHIPPED, "")
    assert [one.code for one in found] == ["disk"]
