"""Misbehaviour on command: rules that say which calls go wrong, how, and how often. One seed, one run."""

import re
import time
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from trader_core.loopback.calls import Call
from trader_core.loopback.chance import share
from trader_core.loopback.numbers import parsed
from trader_core.loopback.products import FLAGS, STATUSES
from trader_core.loopback.trouble import Misused

LAG_MAX_MS = 60_000
ORDERS = r"/orders$"
LISTS = r"/orders/historical/(batch|fills)$"
FILLS = r"/orders/historical/fills$"

# kind: (the calls it is about where a rule names no path, its own figures with their defaults; None must be said)
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "latency": ("", {"ms": None, "jitter": 0, "phase": "before"}),
    "429_json": ("", {"retry_after": 0}),
    "429_html": ("", {"retry_after": 0}),
    "rate_limit": ("", {"per_s": 30, "burst": 30, "html": False}),
    "5xx_before": ("", {"status": 503}),
    "5xx_after": ("", {"status": 503}),
    "hang_before": ("", {}),
    "hang_after": ("", {}),
    "reset_mid_body": ("", {}),
    "truncated_json": ("", {}),
    "partial_fill": (ORDERS, {"fraction": "0.5"}),
    "cancel_lost_to_fill": (r"/orders/batch_cancel$", {}),
    "list_lag": (LISTS, {"ms": None}),
    "duplicate_fills": (FILLS, {}),
    "unordered_fills": (FILLS, {}),
    "fills_in_quote": (FILLS, {}),
    "strange_fills": (FILLS, {"product": None, "word": "CORRECTION"}),
    "torn_orders": (r"/orders/historical/", {"field": None, "order": ""}),
    "repeat_cursor": (r"/(accounts|orders/historical/(batch|fills))$", {}),
    "product_status": ("", {"product": None, "status": "", "flags": {}}),
    "delist": ("", {"product": None}),
    "clock_skew": ("", {"ms": None}),
    "expired_token": ("", {}),
    "unauthorized_text": ("", {}),
    "maintenance_html": ("", {}),
}
ONCE = ("product_status", "delist")  # a flip happens once unless the rule says how often
MATCH = ("method", "path", "product", "side")
WHEN = ("nth", "after", "count", "probability", "for_ms")


@dataclass
class Rule:
    """One rule. `seen` counts the calls it is about, `fired` those that went wrong."""

    number: int
    kind: str
    match: dict[str, str]
    when: dict[str, Any]
    figures: dict[str, Any]
    added_s: float = field(default_factory=time.monotonic)
    seen: int = 0
    fired: int = 0
    _tokens: float = -1.0
    _filled_s: float = 0.0

    def told(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "match": self.match,
            **self.when,
            **self.figures,
            "seen": self.seen,
            "fired": self.fired,
        }

    def about(self, call: Call, products: Iterable[str], sides: Iterable[str]) -> bool:
        wanted = self.match
        path = wanted.get("path") or KINDS[self.kind][0]
        return (
            wanted.get("method", call.method) == call.method
            and re.search(path, call.path) is not None
            and ("product" not in wanted or wanted["product"] in products)
            and ("side" not in wanted or wanted["side"] in sides)
        )

    def fires(self, seed: int) -> bool:
        """Called once for each call that it is about."""
        self.seen += 1
        when, nth = self.when, self.when.get("nth")
        lasting = "for_ms" not in when or (time.monotonic() - self.added_s) * 1_000 < when["for_ms"]
        due = nth is None or self.seen in (nth if isinstance(nth, list) else [nth])
        enough = "count" in when and self.fired >= when["count"]
        if not lasting or not due or enough or self.seen <= when.get("after", 0):
            return False
        if "probability" in when and share(seed, "fault", self.number, self.seen) >= when["probability"]:
            return False
        if self.kind == "rate_limit" and self._within():
            return False
        self.fired += 1
        return True

    def _within(self) -> bool:
        """A token bucket on the wall clock; it is full at first."""
        now_s, burst = time.monotonic(), float(self.figures["burst"])
        had = burst if self._tokens < 0 else self._tokens + (now_s - self._filled_s) * self.figures["per_s"]
        self._tokens, self._filled_s = min(burst, had), now_s
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


def rule_of(document: object, number: int) -> Rule:
    """A rule as written; every key is known, or the rule is refused."""
    if not isinstance(document, Mapping) or document.get("kind") not in KINDS:
        raise Misused(f"a fault names its kind: {', '.join(KINDS)}")
    kind = str(document["kind"])
    figures = dict(KINDS[kind][1])
    match, when = dict(document.get("match") or {}), {}
    for key, value in document.items():
        if key in figures:
            figures[key] = value
        elif key in MATCH:
            match[key] = value
        elif key in WHEN:
            when[key] = value
        elif key not in ("kind", "match"):
            raise Misused(f"{kind} knows no {key}")
    _check(kind, match, when, figures)
    if kind in ONCE and not when:
        when["count"] = 1
    return Rule(number, kind, {key: str(value) for key, value in match.items()}, when, figures)


def _check(kind: str, match: Mapping[str, Any], when: Mapping[str, Any], figures: Mapping[str, Any]) -> None:
    missing = [key for key, value in figures.items() if value is None]
    if missing:
        raise Misused(f"{kind} needs {', '.join(missing)}")
    if set(match) - set(MATCH):
        raise Misused(f"match knows {', '.join(MATCH)}")
    try:
        re.compile(str(match.get("path", "")))
    except re.error as wrong:
        raise Misused(f"path is no pattern: {wrong}") from wrong
    if kind == "product_status":
        strange = set(figures["flags"]) - set(FLAGS) if isinstance(figures["flags"], Mapping) else {"flags"}
        if strange or (figures["status"] and figures["status"] not in STATUSES):
            raise Misused(f"status is one of {', '.join(STATUSES)}, flags are of {', '.join(FLAGS)}")
    if kind == "list_lag" and not 0 <= _number(figures["ms"]) <= LAG_MAX_MS:
        raise Misused(f"a list lags at most {LAG_MAX_MS} ms")
    if kind == "partial_fill" and not 0 < (parsed(str(figures["fraction"])) or 0) <= 1:
        raise Misused("fraction is above 0 and at most 1")
    for key in ("ms", "jitter", "retry_after", "status", "per_s", "burst"):
        _number(figures.get(key, 0) or 0)
    for key in ("after", "count", "probability", "for_ms"):
        _number(when.get(key, 0))
    nth = when.get("nth", 1)
    for one in nth if isinstance(nth, list) else [nth]:
        _number(one)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Misused(f"{value!r} is no number")
    return value


@dataclass(frozen=True)
class Plan:
    """The rules that fired for one call."""

    rules: tuple[Rule, ...] = ()

    def first(self, *kinds: str) -> Rule | None:
        return next((rule for rule in self.rules if rule.kind in kinds), None)

    def has(self, kind: str) -> bool:
        return self.first(kind) is not None

    def each(self, *kinds: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.kind in kinds]

    @property
    def lag_ms(self) -> int:
        return max((int(rule.figures["ms"]) for rule in self.each("list_lag")), default=0)

    @property
    def skew_ms(self) -> int:
        return sum(int(rule.figures["ms"]) for rule in self.each("clock_skew"))

    @property
    def part(self) -> Decimal | None:
        rule = self.first("partial_fill")
        return None if rule is None else parsed(str(rule.figures["fraction"]))


@dataclass
class Faults:
    """All rules, in the order in which they were given."""

    seed: int
    rules: list[Rule] = field(default_factory=list)
    _numbers: int = 0

    def add(self, documents: object, products: Container[str], afresh: bool = False) -> None:
        """All of them or none, in the place of the others if `afresh`. `products` are those that a rule may flip."""
        if not isinstance(documents, list):
            raise Misused("faults are a list of rules")
        fresh = [rule_of(one, self._numbers + place) for place, one in enumerate(documents, start=1)]
        for product in (rule.figures.get("product") for rule in fresh):
            if product is not None and product not in products:
                raise Misused(f"there is no product {product}")
        self._numbers += len(fresh)
        self.rules = fresh if afresh else self.rules + fresh

    def clear(self) -> None:
        self.rules = []

    def plan(self, call: Call, products: Iterable[str], sides: Iterable[str]) -> Plan:
        about = [rule for rule in self.rules if rule.about(call, products, sides)]
        return Plan(tuple(rule for rule in about if rule.fires(self.seed)))

    def delay_s(self, plan: Plan, phase: str) -> float:
        """What the latencies of that phase come to; the jitter is the seed's."""
        rules = [rule for rule in plan.each("latency") if rule.figures["phase"] == phase]
        jitters = (rule.figures["jitter"] * share(self.seed, "jitter", rule.number, rule.seen) for rule in rules)
        return float(sum(rule.figures["ms"] for rule in rules) + sum(jitters)) / 1_000


def rules_in(path: Path) -> object:
    """The documents of a YAML file: a list, or a list under `faults`."""
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as wrong:
        raise Misused(f"{path} is no readable YAML") from wrong
    return found["faults"] if isinstance(found, dict) and set(found) == {"faults"} else found
