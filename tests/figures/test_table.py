"""The table of metrics, what is made from it, and the rules and pictures over it, all speak of the same names."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import jsonschema
import pytest
import yaml

from tests.figures.page import SEED
from tests.shared import ROOT
from trader_core.report.metrics import BY_NAME, COUNTER, HISTOGRAM, METRICS

OPERATE = ROOT / "docs/operate"
RULES = OPERATE / "prometheus/alerts.yml"
TESTS = OPERATE / "prometheus/alerts_test.yml"
BOARD: dict[str, Any] = json.loads((OPERATE / "grafana/dashboard.json").read_text())
PARTS = ("_bucket", "_sum", "_count")
ADDED = {"instance", "job", "le"}  # labels that a scrape or a histogram brings along
FOREIGN = {"up", "node_textfile_mtime_seconds"}
NO_PROMTOOL = pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed: rules unchecked")


def rules() -> list[dict[str, Any]]:
    found = yaml.safe_load(RULES.read_text())
    return [rule for group in found["groups"] for rule in group["rules"]]


def drawn() -> list[str]:
    return [target["expr"] for panel in BOARD["panels"] for target in panel["targets"]]


def selectors(expr: str) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Every metric that an expression names, with what it asks of its labels."""
    for name, asked in re.findall(r"\b((?:trader|node)_\w+)(?:\{([^}]*)\})?", expr):
        matchers = re.findall(r'(\w+)(=~|!~|!=|=)"([^"]*)"', asked or "")
        yield name, {label: value.split("|") for label, _, value in matchers}


def test_names_say_their_unit_and_kind() -> None:
    assert len(BY_NAME) == len(METRICS) > 40
    for one in METRICS:
        assert re.fullmatch(r"trader_[a-z0-9]+(_[a-z0-9]+)*", one.name)
        assert one.name.endswith("_total") == (one.kind == COUNTER), one.name
        assert not re.search(r"_(ms|pct|bps|min|s)(_|$)", one.name), one.name
        assert one.kind != HISTOGRAM or one.unit == "seconds"
        assert one.about.endswith(".") and not {"le", "instance", "job"} & one.labels.keys()


def test_every_metric_of_the_seed_has_its_place() -> None:
    for meant in SEED.values():
        ((name, asked),) = selectors(meant)
        assert name in BY_NAME and asked.keys() <= BY_NAME[name].labels.keys()
    assert len(SEED) > 16


@pytest.mark.parametrize("expr", [*(rule["expr"] for rule in rules()), *drawn()])
def test_an_expression_asks_for_what_there_is(expr: str) -> None:
    found = list(selectors(expr))
    assert found
    for name, asked in found:
        if name in FOREIGN:
            continue
        part = next((one for one in PARTS if name.endswith(one) and name.removesuffix(one) in BY_NAME), "")
        metric = BY_NAME[name.removesuffix(part)]
        assert bool(part) == (metric.kind == HISTOGRAM), name
        for label, values in asked.items():
            known = metric.labels.get(label)
            assert label in ADDED or known is not None, f"{name} has no label {label}"
            assert not isinstance(known, tuple) or set(values) <= set(known), f"{label} is never {values}"
    assert expr.count("(") == expr.count(")") and expr.count("{") == expr.count("}")


def test_every_rule_says_how_bad_it_is_and_what_to_do() -> None:
    runbooks = ROOT / "docs/runbooks"
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 25
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        told = rule["annotations"]
        assert told.keys() == {"summary", "description", "runbook", "command"}
        assert re.match(r"(trader|systemctl|df) ", told["command"])
        assert not runbooks.is_dir() or (ROOT / told["runbook"]).is_file(), told["runbook"]


def test_the_tests_of_the_rules_are_of_the_rules() -> None:
    """What can be seen of them without promtool: they name rules, and expect what those say."""
    by_name = {rule["alert"]: rule for rule in rules()}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for check in test["alert_rule_test"]:
            rule = by_name[check["alertname"]]
            for alert in check["exp_alerts"]:
                assert alert["exp_labels"]["severity"] == rule["labels"]["severity"]
                for name, text in rule["annotations"].items():
                    pattern = re.sub(r"\\\{\\\{.*?\\\}\\\}", ".+", re.escape(text))
                    assert re.fullmatch(pattern, alert["exp_annotations"][name]), (check["alertname"], name)
        for one in test["input_series"]:
            assert one["series"].startswith("up{") or next(selectors(one["series"]))[0] in BY_NAME


@NO_PROMTOOL
@pytest.mark.parametrize("words", [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]], ids=str)
def test_promtool_agrees(words: list[str]) -> None:
    done = subprocess.run(["promtool", *words], cwd=RULES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


PANEL = {
    "type": "object",
    "required": ["id", "title", "type", "gridPos", "datasource", "targets", "fieldConfig"],
    "properties": {
        "type": {"enum": ["stat", "timeseries"]},
        "title": {"type": "string", "minLength": 3},
        "datasource": {"const": {"type": "prometheus", "uid": "${datasource}"}},
        "gridPos": {
            "type": "object", "required": ["x", "y", "w", "h"], "additionalProperties": False,
            "properties": {one: {"type": "integer", "minimum": 0, "maximum": 200} for one in ("x", "y", "w", "h")},
        },
        "targets": {
            "type": "array", "minItems": 1,
            "items": {"type": "object", "required": ["refId", "expr", "legendFormat"]},
        },
    },
}  # fmt: skip
SCHEMA = {
    "type": "object",
    "required": ["title", "uid", "schemaVersion", "panels", "templating", "time"],
    "properties": {
        "schemaVersion": {"type": "integer", "minimum": 36},
        "id": {"type": "null"},  # an installation gives it its own
        "panels": {"type": "array", "minItems": 12, "items": PANEL},
        "templating": {"type": "object", "required": ["list"]},
    },
}


def test_the_dashboard_is_one() -> None:
    jsonschema.validate(BOARD, SCHEMA)
    panels = BOARD["panels"]
    assert len({one["id"] for one in panels}) == len({one["title"] for one in panels}) == len(panels)
    for one in panels:
        place = one["gridPos"]
        assert place["x"] + place["w"] <= 24
        assert len({target["refId"] for target in one["targets"]}) == len(one["targets"])
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    known = {one["name"] for one in BOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(BOARD))) == known
