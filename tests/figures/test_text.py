"""What is written is what Prometheus reads: by its own client's parser, for whatever may stand in a label."""

import math
import shutil
import subprocess
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from tests.world import CONFIG
from trader_core.domain.telemetry import BOUNDS_MS, CALL, CYCLE, STAGE, Histogram, Measured, Series, operation
from trader_core.report.exposition import exposition
from trader_core.report.latency import over_budget, percentile
from trader_core.report.metrics import METRICS, series
from trader_core.settings.load import load

BUDGETS = load(CONFIG).app
LABELS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.floats(allow_nan=False, allow_infinity=False)
TIMES = st.lists(st.floats(0, 100_000), max_size=30)


def read(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample by its name and labels, as Prometheus' own client reads it."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def timed(times: list[float]) -> Histogram:
    found = Histogram()
    for ms in times:
        found = found.with_one(ms)
    return found


@settings(max_examples=60)
@given(st.dictionaries(LABELS, VALUES, max_size=4), VALUES, TIMES)
@example({'a\nb\\n"': 1.0}, 0.5, [5.0, 60_000.1])
def test_whatever_was_measured_is_read_back(ages: dict[str, float], equity: float, times: list[float]) -> None:
    levels = {series("trader_data_age_seconds", symbol=symbol): age for symbol, age in ages.items()}
    levels[series("trader_equity_quote")] = equity
    text = exposition(Measured(1, {}, {operation(STAGE, "decide"): timed(times)}, levels))
    found = read(text)
    assert {key: found[key] for key in levels} == levels
    for bound in BOUNDS_MS:
        key = ("trader_stage_duration_seconds_bucket", (("le", f"{bound / 1_000:g}"), ("stage", "decide")))
        assert found[key] == sum(ms <= bound for ms in times)
    assert found["trader_stage_duration_seconds_count", (("stage", "decide"),)] == len(times)
    total = found["trader_stage_duration_seconds_sum", (("stage", "decide"),)]
    assert math.isclose(total, sum(times) / 1_000, abs_tol=1e-9)
    assert text.endswith("\n") and "\n\n" not in text


def whole() -> Measured:
    """One value of every metric and label."""
    counts, levels = dict[Series, float](), dict[Series, float]()
    for one in METRICS:
        labels: Mapping[str, str] = {name: "x" if isinstance(v, str) else v[-1] for name, v in one.labels.items()}
        (counts if one.kind == "counter" else levels)[series(one.name, **labels)] = 1.5
    durations = {name: timed([1, 20]) for name in (CYCLE, operation(STAGE, "send"), operation(CALL, "fills"))}
    drop = [one for one in levels if one[0].endswith("_duration_seconds")]
    return Measured(1, counts, durations, {one: value for one, value in levels.items() if one not in drop})


def test_every_metric_says_what_it_is_and_stands_once() -> None:
    text = exposition(whole())
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for one in METRICS:
        family = families[one.name.removesuffix("_total")]
        assert (family.type, family.documentation) == (one.kind, one.about)
        assert text.count(f"# TYPE {one.name} ") == 1


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed: the text is unchecked by it")
def test_promtool_finds_nothing_to_say() -> None:
    text = exposition(whole())
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_what_the_table_does_not_know_cannot_be_said() -> None:
    with pytest.raises(KeyError):
        series("trader_unheard_of")
    with pytest.raises(KeyError):
        series("trader_equity_quote", order_id="1")


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_a_percentile_is_the_textbooks(times: list[float], share: float) -> None:
    assert math.isclose(percentile(sorted(times), share), float(np.quantile(times, share)), rel_tol=1e-9, abs_tol=1e-6)


@pytest.mark.parametrize(
    ("name", "newest", "told"),
    [
        ("stage decide", [14_001.0] * 3, "the newest 3 took 14001 ms or more, and 14000 are allowed"),
        ("stage decide", [14_001.0, 14_000.0, 14_001.0], ""),
        ("stage decide", [14_001.0] * 2, ""),
        ("stage decide", [1.0, *[99_999.0] * 9], ""),
        ("call quotes", [501.0] * 3, "the newest 3 took 501 ms or more, and 500 are allowed"),
        ("call candles", [2_000.0] * 9, ""),
        ("call candles", [2_001.0] * 3, "the newest 3 took 2001 ms or more, and 2000 are allowed"),
        ("cycle", [45_001.0] * 3, "the newest 3 took 45001 ms or more, and 45000 are allowed"),
        ("cycle", [1.0] * 18 + [1_500.0] * 2, "p95 is 1500 ms, and 1000 are allowed"),
        ("cycle", [1.0] * 17 + [1_500.0] * 2, ""),
        ("cycle", [1.0] * 98 + [2_500.0] * 2, "p99 is 2500 ms, and 2000 are allowed"),
        ("cycle", [1.0] * 97 + [2_500.0] * 2, ""),
    ],
)
def test_slow_once_is_no_trouble_and_slow_in_a_row_is(name: str, newest: list[float], told: str) -> None:
    assert over_budget(name, newest, BUDGETS) == told
