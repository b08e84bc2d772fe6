"""The page of a backtest: it shows what the report and the replay say, and asks nothing of the outside world."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.shared import shared
from tests.world import write_config
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, day_index, parse_utc
from trader_core.domain.errors import UsageError
from trader_core.domain.instrument import Instrument
from trader_core.domain.values import replace
from trader_core.engine.replay import Replayed
from trader_core.report.html import Charts, charts_of, page
from trader_core.report.html.charts import FILLS_MAX, PRICES_MAX, REFUSALS_MAX
from trader_core.rulebook import codes
from trader_core.rulebook.codes import Verdict
from trader_core.rulebook.limits import Ints
from trader_core.settings.options import Options
from trader_core.study import report_on, study_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
BROWSER_TIMEOUT_S = 60
BROWSED_SYMBOLS = 3  # drawing one takes a browser a third of a second
NEAR_LIMITS = {  # so that every loss gate closes within weeks
    **{f"policy.sizing.{name}_scale_pct": 100 for name in ("doubtful", "cautious", "protective")},
    "policy.risk.max_day_loss_pct": 0.1,
    "policy.risk.max_week_loss_pct": 0.4,
    "policy.risk.max_drawdown_pct": 0.6,
}
EMPTY = Charts((), (), 0)
HOSTILE = "</script><img src=x onerror=\"alert('1')\"><!--&amp;%{y}"


@dataclass(frozen=True, repr=False)
class Seen:
    replayed: Replayed
    report: dict[str, Any]
    charts: Charts
    page: str


def seen(root: Path, since: str, until: str, data: Path | None, **edits: Any) -> Seen:
    """A replay, its report as JSON holds it, and its page."""
    write_config(root / "config", edits)
    chosen = Options(
        state=root / "state", config=root / "config", mode="PAPER", venue="simulated", data=data, seed=19,
        since_ms=parse_utc(since), until_ms=parse_utc(until),
    )  # fmt: skip
    study = study_of(chosen)
    replayed = study.replayed()
    report = json.loads(json.dumps(report_on(study, replayed, "1.2.3")[0]))
    charts = charts_of(replayed)
    return Seen(replayed, report, charts, page(report, charts))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return seen(tmp_path_factory.mktemp("sample"), "2024-03-01", "2024-03-22", None, **NEAR_LIMITS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return seen(tmp_path_factory.mktemp("folder"), "2024-08-01", "2024-08-09", shared("data/coinbase"))


# --- reading a page --------------------------------------------------------------------------------------------------


class Reader(HTMLParser):
    """Tags and attributes in their order, the text outside scripts, and what is in each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.said: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and len(self.scripts) == self._opened():
            self.scripts[-1] += data
        else:
            self.said.append(data)

    def _opened(self) -> int:
        return sum(tag == "script" for tag, _ in self.tags)

    @property
    def figures(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.scripts[0])
        return found

    @property
    def charts(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.tags if attributes.get("class") == "chart"]


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from strings(one)


# --- in a browser ----------------------------------------------------------------------------------------------------


def browsed(text: str, folder: Path) -> tuple[str, str]:
    """(the page's tree without its scripts, after they ran and opened everything; what they said on the console)."""
    browser = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if browser is None:
        pytest.skip(f"no browser is installed; one of {', '.join(BROWSERS)} would look at the page")
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            browser, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--enable-logging=stderr",
            "--v=0", "--virtual-time-budget=1000", f"--user-data-dir={folder / 'profile'}", "--dump-dom",
            f"{file.as_uri()}#all",
        ],
        capture_output=True, text=True, timeout=BROWSER_TIMEOUT_S, check=True,
    )  # fmt: skip
    tree = re.sub(r"<script.*?</script>", "", done.stdout, flags=re.DOTALL)
    return tree, "\n".join(line for line in done.stderr.splitlines() if "CONSOLE" in line)


def drawn_in(tree: str) -> dict[str, int]:
    """How many traces each chart shows; a chart that drew nothing is not named."""
    parts = re.split(r'<div class="chart[^"]*" id="([^"]+)"', tree)[1:]
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return {name: len(re.findall(r'<g class="trace (?:scatter|bars)', body)) for name, body in pairs if "<svg" in body}


@pytest.mark.parametrize("which", ["sample", "folder"])
def test_a_browser_draws_every_chart_and_has_nothing_to_complain_of(
    which: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    found: Seen = request.getfixturevalue(which)
    text = page(found.report, replace(found.charts, symbols=found.charts.symbols[:BROWSED_SYMBOLS]))
    tree, console = browsed(text, tmp_path)
    figures = Reader(text).figures
    assert console == ""
    assert {"equity", "exposure-asset", "exposure-theme", "trades", "gates", "symbol-0"} <= figures.keys()
    assert drawn_in(tree) == {name: len(figure["data"]) for name, figure in figures.items()}
    assert "modebar-btn" not in tree, "no button of a tool bar, of which one uploads the chart"


# --- the page alone --------------------------------------------------------------------------------------------------


def test_nothing_is_fetched_and_nothing_sent(sample: Seen) -> None:
    found = Reader(sample.page)
    outside = [
        value
        for _, attributes in found.tags
        for name, value in attributes.items()
        if name in ("src", "href", "srcset", "action", "data", "poster", "ping") and value != "#all"
    ]
    assert outside == []
    assert not {tag for tag, _ in found.tags} & {"link", "img", "iframe", "object", "embed", "base", "form"}
    (style,) = re.findall(r"<style>(.*?)</style>", sample.page, re.DOTALL)
    assert "url(" not in style and "@import" not in style
    (policy,) = [one["content"] for _, one in found.tags if one.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(one.strip().split(" ", 1) for one in (policy or "").split(";"))
    assert rules["default-src"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert not any("http" in rule or "*" in rule for rule in rules.values())


def test_every_figure_is_one_that_the_library_knows(sample: Seen) -> None:
    from plotly.graph_objects import Figure

    figures = Reader(sample.page).figures
    assert list(figures) == Reader(sample.page).charts
    for figure in figures.values():
        Figure(figure)


def test_every_chart_says_in_words_what_it_shows(sample: Seen) -> None:
    charts = [attributes for _, attributes in Reader(sample.page).tags if attributes.get("class") == "chart"]
    assert all(one["role"] == "img" and len(one["aria-label"] or "") > 30 for one in charts)


def test_the_same_report_is_the_same_page(sample: Seen) -> None:
    assert page(deepcopy(sample.report), charts_of(sample.replayed)) == sample.page


def test_what_comes_from_the_data_is_only_text(sample: Seen) -> None:
    """Hostile words make the same tags and scripts as harmless ones."""
    made, harmless = (Reader(renamed(sample, word)) for word in (HOSTILE, "harmless"))
    assert any(HOSTILE in said for said in made.said)
    assert [(tag, *names) for tag, names in made.tags] == [(tag, *names) for tag, names in harmless.tags]
    assert len(made.scripts) == len(harmless.scripts) and made.scripts[1:] == harmless.scripts[1:]
    written = [re.sub(r"</?extra>|<br>", "", one) for one in strings(made.figures)]
    assert any("&lt;img" in one for one in written) and not any("<" in one for one in written)
    assert "<" not in made.scripts[0]
    templates = [trace.get("hovertemplate", "") for figure in made.figures.values() for trace in figure["data"]]
    assert any("&lt;img" in one for one in templates) and not any("amp;%{" in one for one in templates)


def renamed(found: Seen, word: str) -> str:
    """The page with this word in place of every word that came with the data: names, reasons, warnings, keys."""
    told = deepcopy(found.report)
    told["metadata"] |= dict.fromkeys(("trader", "seed", "data_fingerprint", "config_digest", "quote"), word)
    told["metadata"] |= {"warnings": [word], "exclusions": [{"symbol": word, "reason": word}], "candles": {word: word}}
    told["series"]["about"] = word
    told["flows"] = [{"time": word, "amount": word}]
    for trade in told["trades"]:
        trade |= dict.fromkeys(("symbol", "strategy", "exit_reason", "entry_time", "exit_price"), word)
    parts = [told["costs"], told["verdict_counts"], told["verdicts_by_strategy"]]
    for part in (*parts, *told["exposure"].values(), *told["breakdown"].values()):
        if part:
            part[word] = part.pop(next(name for name in part if name != "OK"))
    symbols = tuple(replace(one, symbol=word) for one in found.charts.symbols)
    return page(told, replace(found.charts, symbols=symbols))


def test_the_head_has_the_reports_own_figures(sample: Seen) -> None:
    said, summary = " ".join(Reader(sample.page).said), sample.report["summary"]
    assert f"{Decimal(summary['total_pnl_pct']):+,.2f} %".replace("-", "\N{MINUS SIGN}") in said
    assert f"{Decimal(summary['final_equity']):,.2f} USD" in said
    assert sample.report["metadata"]["data_fingerprint"] in said
    low, high = (f"{sample.report['performance']['win_rate'][end]:.2f}" for end in ("low", "high"))
    assert f"95 %: {low} to {high} %" in said


def test_losers_are_never_the_best_nor_winners_the_worst(sample: Seen) -> None:
    lost = [one for one in sample.report["trades"] if Decimal(one["pnl"]) < 0]
    won = [one for one in sample.report["trades"] if Decimal(one["pnl"]) > 0]
    titles = re.compile(r"(Best|Worst) \d+ trades")
    for trades, expected in ((lost + won, {"Best", "Worst"}), (lost, {"Worst"}), (won, {"Best"})):
        assert trades and set(titles.findall(page({**sample.report, "trades": trades}, EMPTY))) == expected


def test_closures_are_shaded_behind_the_equity(sample: Seen) -> None:
    shapes = Reader(sample.page).figures["equity"]["layout"]["shapes"]
    shaded = [(one["x0"], one["x1"]) for one in shapes if one["type"] == "rect"]
    assert shaded == [(one.from_ms, one.to_ms) for one in sample.charts.closures]
    assert len({one["fillcolor"] for one in shapes if one["type"] == "rect"}) == 3


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(UsageError, match="extra 'html'") as refused:
        page({}, EMPTY)
    assert "trader[html]" in refused.value.remedy


@pytest.mark.parametrize("report", [{}, {"trades": [], "series": {"points": []}, "verdict_counts": {}}])
def test_what_a_report_lacks_is_named(report: dict[str, Any]) -> None:
    said = " ".join(Reader(page(report, EMPTY)).said)
    assert said.count("This report has no") >= 6
    assert ("No trade was closed." in said) == ("trades" in report)


def test_a_replay_without_a_trade_has_a_page(tmp_path: Path) -> None:
    found = seen(tmp_path, "2024-03-01", "2024-03-01T00:15", None)
    assert found.report["trades"] == []
    assert "No trade was closed." in found.page and "No entry was refused for a loss." in found.page
    assert "By asset: nothing was held." in found.page and "equity" in Reader(found.page).figures


# --- what is drawn of a replay ---------------------------------------------------------------------------------------

BAR_MS = 15 * MINUTE_MS
COIN = Instrument("AAA-USD", "AAA", "USD", Decimal("0.1"), Decimal("0.001"), Decimal(1))


@dataclass(frozen=True)
class Told:
    """A replay of one instrument."""

    close: Ints
    judged: Ints
    filled: Ints
    instruments: tuple[Instrument, ...] = (COIN,)
    bar_ms: int = BAR_MS

    @property
    def at_ms(self) -> Ints:
        return parse_utc("2024-03-04") + BAR_MS * np.arange(1, len(self.close) + 1)


def told(closes: list[int], verdicts: dict[int, Verdict] | None = None, fills: list[list[int]] | None = None) -> Told:
    judged = [[row, 0, 0, int(verdict)] for row, verdict in sorted((verdicts or {}).items())]
    return Told(
        np.array(closes, np.int64).reshape(-1, 1),
        np.array(judged, np.int64).reshape(-1, codes.JUDGED_FIELDS),
        np.array(fills or [], np.int64).reshape(-1, 1 + codes.FILL_FIELDS),
    )


@settings(max_examples=25, deadline=None)
@given(
    closes=st.lists(st.sampled_from([0, *range(10, 50)]), max_size=60),
    times=st.sampled_from([1, 300]),
    peak=st.integers(0, 7_199),
    dip=st.integers(0, 7_199),
)
def test_a_thinned_price_keeps_its_ends_its_highest_and_its_lowest(
    closes: list[int], times: int, peak: int, dip: int
) -> None:
    series = closes * times
    if series:
        series[peak % len(series)], series[dip % len(series)] = 60, 5
    known = [(row, close) for row, close in enumerate(series) if close > 0]
    of = told(series)
    (chart,) = charts_of(of).symbols
    drawn = [(one.at_ms, one.price) for one in chart.prices]
    assert len(drawn) == len(known) if len(known) <= PRICES_MAX else len(drawn) <= PRICES_MAX
    assert set(drawn) <= {(int(of.at_ms[row]), close * COIN.tick) for row, close in known} and drawn == sorted(drawn)
    if known:
        ticks = [int(price / COIN.tick) for _, price in drawn]
        assert (ticks[0], ticks[-1]) == (known[0][1], known[-1][1])
        assert (min(ticks), max(ticks)) == (min(c for _, c in known), max(c for _, c in known))


@settings(max_examples=25, deadline=None)
@given(counts=st.dictionaries(st.sampled_from(list(Verdict)[1:-1]), st.integers(1, 400), max_size=8))
def test_a_frequent_refusal_hides_no_rare_one(counts: dict[Verdict, int]) -> None:
    verdicts = [verdict for verdict, count in counts.items() for _ in range(count)]
    (chart,) = charts_of(told([7] * (len(verdicts) + 1), dict(enumerate(verdicts)))).symbols
    assert chart.refusal_count == len(verdicts)
    assert len(chart.refusals) == min(len(verdicts), REFUSALS_MAX)
    assert {one.word for one in chart.refusals} == {verdict.name for verdict in counts}
    share = REFUSALS_MAX // max(len(counts), 1)
    for verdict, count in counts.items():
        assert sum(one.word == verdict.name for one in chart.refusals) >= min(count, share)


def test_a_sale_that_ends_a_position_says_what_came_of_it() -> None:
    """Bought for 100 and 50 with fees of 2, sold for 90 and 70 with fees of 1: seven up. Then nine down."""
    e8 = 100_000_000
    bought = [
        [1, 0, codes.ENTRY, 5, 70, 100 * e8, e8, 0, codes.BY_SIGNAL, 0],
        [2, 0, codes.ENTRY, 5, 71, 50 * e8, e8, 1, codes.BY_REPRICE, 0],
    ]
    sold = [
        [3, 0, codes.EXIT, 4, 72, 90 * e8, e8 // 2, 2, codes.BY_TARGET, 0],
        [4, 0, codes.STOP, 6, 73, 70 * e8, e8 // 2, 3, codes.BY_STOP, 0],
    ]
    again = [
        [5, 0, codes.ENTRY, 1, 70, 20 * e8, 0, 4, codes.BY_SIGNAL, 0],
        [6, 0, codes.EXIT, 1, 70, 11 * e8, 0, 5, codes.BY_TIME, 0],
    ]
    (chart,) = charts_of(told([70] * 8, fills=[*bought, *sold, *again])).symbols
    assert [one.word for one in chart.entries] == ["signal", "reprice", "signal"]
    assert [(one.word, one.pnl) for one in chart.exits] == [
        ("target", None),
        ("stop", Decimal(7)),
        ("time", Decimal(-9)),
    ]
    assert chart.exits[0].price == Decimal("7.2")


def test_too_many_fills_are_thinned_and_counted() -> None:
    fills = [[0, 0, codes.ENTRY, 1, 1, 1, 0, n, codes.BY_SIGNAL, 0] for n in range(FILLS_MAX + 50)]
    charts = charts_of(told([1], fills=fills))
    assert (len(charts.symbols[0].entries), charts.symbols[0].entry_count) == (FILLS_MAX, FILLS_MAX + 50)
    assert f"{FILLS_MAX:,} of {FILLS_MAX + 50:,} entries" in page({}, charts)


DAY = DAY_MS // BAR_MS
SPANS: list[tuple[dict[int, Verdict], list[tuple[str, int, int]]]] = [
    ({3: Verdict.DAY_LOSS}, [("DAY_LOSS", 3, DAY - 1)]),
    ({3: Verdict.DAY_LOSS, 9: Verdict.DAY_LOSS}, [("DAY_LOSS", 3, DAY - 1)]),
    ({3: Verdict.DAY_LOSS, DAY + 5: Verdict.DAY_LOSS}, [("DAY_LOSS", 3, DAY - 1), ("DAY_LOSS", DAY + 5, 2 * DAY - 1)]),
    ({DAY + 5: Verdict.WEEK_LOSS, 3 * DAY: Verdict.WEEK_LOSS}, [("WEEK_LOSS", DAY + 5, 7 * DAY - 1)]),
    ({3: Verdict.DAY_STOP, 9: Verdict.DAY_STOP}, [("DAY_STOP", 3, DAY - 1)]),
    ({3: Verdict.DRAWDOWN, 9: Verdict.DRAWDOWN}, [("DRAWDOWN", 3, 10)]),
    ({3: Verdict.DRAWDOWN, 5: Verdict.REGIME, 9: Verdict.DRAWDOWN}, [("DRAWDOWN", 3, 10)]),
    ({3: Verdict.DRAWDOWN, 5: Verdict.CASH, 9: Verdict.DRAWDOWN}, [("DRAWDOWN", 3, 4), ("DRAWDOWN", 9, 10)]),
    ({3: Verdict.DRAWDOWN, 5: Verdict.OK, 9: Verdict.DRAWDOWN}, [("DRAWDOWN", 3, 4), ("DRAWDOWN", 9, 10)]),
    ({3: Verdict.HALTED}, [("HALTED", 3, 4)]),
    ({3: Verdict.CASH, 4: Verdict.OK}, []),
]


@pytest.mark.parametrize(("verdicts", "spans"), SPANS)
def test_a_loss_closes_entries_until_its_window_ends_or_one_came_past(
    verdicts: dict[int, Verdict], spans: list[tuple[str, int, int]]
) -> None:
    of = told([7] * (9 * DAY), verdicts)
    charts = charts_of(of)
    assert [(one.verdict, one.from_ms, one.to_ms) for one in charts.closures] == [
        (verdict, int(of.at_ms[first]), int(of.at_ms[end])) for verdict, first, end in spans
    ]
    assert charts.closure_count == len(spans)


def test_every_refusal_for_a_loss_lies_in_a_shade_and_no_entry_does(sample: Seen) -> None:
    losses = {"DAY_LOSS", "WEEK_LOSS", "DRAWDOWN"}
    assert {one.verdict for one in sample.charts.closures} == losses
    for one in sample.replayed.verdicts:
        inside = {c.verdict for c in sample.charts.closures if c.from_ms <= one.decision_ms < c.to_ms}
        assert one.verdict not in losses or one.verdict in inside
        assert one.verdict != "OK" or not inside & {"DAY_LOSS", "WEEK_LOSS"}
    assert all(
        day_index(one.from_ms) == day_index(one.to_ms - 1)
        for one in sample.charts.closures
        if one.verdict == "DAY_LOSS"
    )


def test_the_exits_add_up_to_what_the_report_says_was_realised(sample: Seen) -> None:
    drawn = sum((one.pnl for chart in sample.charts.symbols for one in chart.exits if one.pnl is not None), Decimal(0))
    assert drawn == sum(Decimal(one["pnl"]) for one in sample.report["trades"]) != 0
