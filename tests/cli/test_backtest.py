"""`trader backtest` as a person meets it: its page, its files, its gate, and the trials it keeps count of."""

import json
import re
import resource
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from cli.chart import Pen
from tests.cli.program import Done, Inside
from tests.shared import ROOT

BASELINE = ROOT / "tests" / "baselines" / "sample.json"
CONFIG = ROOT / "config"
SAMPLE = ("--seed", "19", "--from", "2024-01-01", "--to", "2024-01-25")
SHORT = ("--seed", "19", "--from", "2024-01-01", "--to", "2024-01-02T12:00:00Z")


class Backtests(Inside):
    def run(self, *words: str | Path, state: Path | None = None) -> Done:
        return self("backtest", *words, "--state", state or self.state)


@pytest.fixture
def program(tmp_path: Path) -> Backtests:
    return Backtests(tmp_path)


def other_config(folder: Path) -> Path:
    """As shipped, but for one limit that matters."""
    folder.mkdir()
    for one in CONFIG.glob("*.yaml"):
        text = one.read_text()
        changed = text.replace("max_open_positions: 6", "max_open_positions: 3")
        (folder / one.name).write_text(changed)
    return folder


# --- the regression gate ---------------------------------------------------------------------------------------------


def test_the_sample_market_gives_what_was_accepted(program: Backtests) -> None:
    """A change of law, strategies or shipped values that moves these figures needs a new baseline, and a reason:
    trader backtest --seed 19 --from 2024-01-01 --to 2024-01-25 --write-baseline tests/baselines/sample.json --reason
    TEXT"""
    done = program.run(*SAMPLE, "--baseline", BASELINE)
    assert done.code == 0, done.out + done.err
    assert int(json.loads(BASELINE.read_text())["regression_keys"]["total_trades"]) >= 20
    assert done.out.endswith("the baseline holds, within 2 %\n")
    assert done.out.count("pass") == 5


def test_a_change_that_moves_a_figure_fails_the_gate(program: Backtests) -> None:
    changed = other_config(program.home / "config")
    done = program.run(*SAMPLE, "--baseline", BASELINE, "--config", changed, "--json")
    assert (done.code, done.document["ok"], done.document["exit_name"]) == (1, False, "REGRESSION")
    rows = {row["key"]: row for row in done.data["gate"]["rows"]}
    assert rows["total_trades"]["passed"] is False
    assert done.data["gate"]["passed"] is False
    wide = program.run(*SAMPLE, "--baseline", BASELINE, "--config", changed, "--tolerance", "1e5")
    assert (wide.code, "the baseline holds, within 100000 %" in wide.out) == (0, True)


def test_what_cannot_be_compared_is_2_before_anything_is_replayed(program: Backtests) -> None:
    text = json.loads(BASELINE.read_text())
    for name, content in (("bad", "{"), ("empty", "{}"), ("half", json.dumps({"metadata": text["metadata"]}))):
        (program.home / name).write_text(content)
    for words in (
        ["--baseline", "absent.json"],
        ["--baseline", program.home / "bad"],
        ["--baseline", program.home / "empty"],
        ["--baseline", program.home / "half"],
        ["--baseline", BASELINE, "--write-baseline", program.home / "new.json", "--reason", "x"],
        ["--write-baseline", program.home / "new.json"],
        ["--baseline", BASELINE, "--tolerance", "-1"],
    ):
        done = program.run(*SHORT, *words)
        assert (done.code, done.out) == (2, ""), words
    assert "next: --tolerance 2" in done.err
    assert not (program.home / "new.json").exists()
    assert not program.state.exists(), "nothing was tried"


def test_other_data_or_too_few_trades_are_2(program: Backtests) -> None:
    other = program.run(*SHORT, "--baseline", BASELINE)
    assert other.code == 2 and "to_time is 2024-01-25" in other.err
    few = program.run(*SHORT, "--write-baseline", program.home / "few.json", "--reason", "x")
    assert few.code == 2 and "fewer than 10" in few.err
    allowed = program.run(
        *SHORT, "--write-baseline", program.home / "few.json", "--reason", "a day", "--min-trades", "1"
    )
    assert allowed.code == 0
    again = program.run(*SHORT, "--baseline", program.home / "few.json")
    assert again.code == 2 and "fewer than 10" in again.err
    assert program.run(*SHORT, "--baseline", program.home / "few.json", "--min-trades", "1").code == 0


def test_a_run_with_a_deposit_and_one_without_cannot_be_compared(program: Backtests) -> None:
    flow, few = ("--deposit", "2024-01-01T06:00=5000"), ("--min-trades", "1")
    kept, report = program.home / "kept.json", program.home / "report.json"
    done = program.run(*SHORT, *flow, *few, "--write-baseline", kept, "--reason", "a deposit", "--out", report)
    assert done.code == 0, done.err
    for file in (kept, report):
        assert program.run(*SHORT, *flow, *few, "--baseline", file).code == 0
        without = program.run(*SHORT, *few, "--baseline", file)
        assert without.code == 2 and f"{file} was made with other deposits" in without.err
    old = {name: part for name, part in json.loads(kept.read_text()).items() if name != "flows"}
    kept.write_text(json.dumps(old))
    assert program.run(*SHORT, *flow, *few, "--baseline", kept).code == 2


def test_what_json_printed_is_a_baseline_too(program: Backtests) -> None:
    kept = program.home / "kept.json"
    kept.write_text(program.run(*SHORT, "--json").out)
    assert program.run(*SHORT, "--min-trades", "1", "--baseline", kept).code == 0


# --- its files -------------------------------------------------------------------------------------------------------


@contextmanager
def full_disk() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize(
    ("option", "more"), [("--out", ()), ("--html", ()), ("--write-baseline", ("--reason", "x", "--min-trades", "1"))]
)
def test_a_full_disk_leaves_the_file_that_was_there(option: str, more: tuple[str, ...], program: Backtests) -> None:
    kept = program.home / "made" / "kept"
    kept.parent.mkdir()
    assert program.run(*SHORT, option, kept, *more).code == 0
    kept.chmod(0o600)
    before = kept.read_bytes()
    with full_disk():
        done = program.run(*SHORT, option, kept, *more)
    assert (done.code, f"{option} {kept} cannot be written: File too large" in done.err) == (2, True), done.err
    assert (kept.read_bytes(), [one.name for one in kept.parent.iterdir()]) == (before, ["kept"])
    assert program.run(*SHORT, option, kept, *more).code == 0
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("command", ["backtest", "sweep", "walk-forward", "montecarlo"])
@pytest.mark.parametrize(
    ("place", "why"),
    [("nowhere/x.json", "no such folder"), ("a-file/x.json", "no such folder"), (".", "it is a folder")],
)
def test_a_place_that_takes_no_file_is_told_before_the_work(
    command: str, place: str, why: str, program: Backtests
) -> None:
    tried = {"sweep": (), "walk-forward": ("--train", "1", "--test", "1")}
    grid = ("--grid", "strategies.sma_cross.fast_bars=5,10", *tried[command]) if command in tried else ()
    (program.home / "a-file").touch()
    done = program(command, *SHORT, *grid, "--out", program.home / place, "--state", program.state)
    assert (done.code, why in done.err, done.out) == (2, True, ""), done.err
    assert not program.state.exists(), "nothing was tried"


def test_one_file_is_not_written_twice(program: Backtests) -> None:
    """The baseline took the report's place, and the page named the file for both."""
    named, same = program.home / "made", program.home / "here" / ".." / "made"
    (program.home / "here").mkdir()
    done = program.run(*SHORT, "--out", named, "--write-baseline", same, "--reason", "x", "--min-trades", "1")
    assert (done.code, done.out, named.exists()) == (2, "", False)
    assert "--out and --write-baseline name one file" in done.err


def test_a_baseline_is_not_overwritten_by_what_is_compared_with_it(program: Backtests) -> None:
    kept = program.home / "kept.json"
    kept.write_bytes(BASELINE.read_bytes())
    for option in ("--out", "--html"):
        done = program.run(*SHORT, "--baseline", kept, option, kept)
        assert done.code == 2 and f"--baseline and {option} name one file" in done.err
    assert kept.read_bytes() == BASELINE.read_bytes()


@pytest.mark.parametrize(
    ("words", "beside"),
    [
        (("--tolerance", "1"), "--baseline FILE"),
        (("--tolerance", "2", "--write-baseline", "x", "--reason", "y"), "--baseline FILE"),
        (("--min-trades", "10"), "--baseline FILE"),
        (("--reason", "y", "--baseline", BASELINE), "--write-baseline FILE"),
        (("--full",), "--out FILE or --json"),
        (("--full", "--html", "x"), "--out FILE or --json"),
    ],
)
def test_an_option_that_would_change_nothing_is_2(words: tuple[str, ...], beside: str, program: Backtests) -> None:
    done = program.run(*SHORT, *words)
    option = next(one for one in words if one not in ("--html", "x"))
    assert (done.code, done.out) == (2, "") and f"{option} changes nothing without {beside}" in done.err
    assert not program.state.exists(), "nothing was tried"


# --- the report ------------------------------------------------------------------------------------------------------


def test_the_report_has_every_section_and_the_same_bytes_again(program: Backtests) -> None:
    one, two = program.home / "one.json", program.home / "two.json"
    for file in (one, two):
        assert program.run(*SHORT, "--out", file).code == 0
    assert one.read_bytes() == two.read_bytes()
    report = json.loads(one.read_bytes())
    assert list(report) == [
        "metadata", "summary", "regression_keys", "performance", "trials", "costs", "turnover", "holding_times",
        "monthly", "breakdown", "verdict_counts", "verdicts_by_strategy", "series", "exposure", "halts", "flows",
        "trades", "open_positions",
    ]  # fmt: skip
    assert re.fullmatch("[0-9a-f]{64}", report["metadata"]["law_digest"])
    assert re.fullmatch("[0-9a-f]{64}", report["metadata"]["config_digest"])
    for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", re.sub(r'"[^"]*"', "", one.read_text())):
        assert float(f"{float(number):.10g}") == float(number), "ten significant digits"


def test_interpreted_the_report_is_the_same(program: Backtests) -> None:
    fast, slow = program.home / "fast.json", program.home / "slow.json"
    assert program.run(*SHORT, "--full", "--out", fast).code == 0
    assert program.run(*SHORT, "--full", "--out", slow, "--slow").code == 0
    assert fast.read_bytes() == slow.read_bytes()
    report = json.loads(fast.read_bytes())
    assert len(report["fills"]) == report["summary"]["fills"] > 0
    assert len(report["orders"]) == report["summary"]["orders"]
    assert len(report["equity"]) == report["summary"]["cycles"] == 144
    assert sum(one["verdict"] != "OK" for one in report["verdicts"]) == report["summary"]["refusals"]


def test_deposits_come_and_go_and_are_no_gain(program: Backtests) -> None:
    words = (*SHORT, "--deposit", "2024-01-01T06:00:00Z=5000", "--deposit", "2024-01-02=-1500.5")
    found = program.run(*words, "--json").data
    assert found["flows"] == [
        {"time": "2024-01-01T06:00:00Z", "amount": "5000"}, {"time": "2024-01-02T00:00:00Z", "amount": "-1500.5"},
    ]  # fmt: skip
    of = found["summary"]
    assert Decimal(of["flows"]) == Decimal("3499.5")
    assert Decimal(of["final_equity"]) == 10_000 + Decimal("3499.5") + Decimal(of["total_pnl"])
    assert abs(Decimal(of["total_pnl_pct"])) < 5
    assert found["costs"]["funding"] == "0"


def test_nobody_takes_cash_that_is_held_in_coins(program: Backtests) -> None:
    """As the paper account, which holds some 300 in coins by then: it refuses more than what is free."""
    assert program.run(*SHORT, "--deposit", "2024-01-02=-9400").code == 0
    done = program.run(*SHORT, "--deposit", "2024-01-02=-9950")
    assert (done.code, done.out) == (2, "")
    assert "a withdrawal of 9950 on 2024-01-02T00:00:00Z is more than the account had free then" in done.err


@pytest.mark.parametrize(
    "flow",
    [
        "2023-12-31=5",
        "2024-01-03=5",
        "2024-01-02T11:45:01Z=5",
        "tomorrow=5",
        "2024-01-01=much",
        "5",
        "2024-01-02=-20000",
    ],
)
def test_a_deposit_that_makes_no_sense_is_2(flow: str, program: Backtests) -> None:
    """The last decision is at 11:45; what comes after it would be told nowhere."""
    done = program.run(*SHORT, "--deposit", flow)
    assert (done.code, done.out) == (2, "")
    assert ("no =" in done.err) == ("=" not in flow)
    assert "--deposit 10000\n" not in done.err, "what to type says when"


def test_a_deposit_at_the_last_decision_counts(program: Backtests) -> None:
    found = program.run(*SHORT, "--deposit", "2024-01-02T11:45:00Z=5", "--json").data
    assert (found["flows"][0]["time"], found["summary"]["flows"]) == ("2024-01-02T11:45:00Z", "5")


def test_an_account_that_begins_with_nothing_is_measured_from_what_came_first(program: Backtests) -> None:
    empty = program.home / "empty"
    shutil.copytree(CONFIG, empty)
    words = (empty / "app.yaml").read_text()
    (empty / "app.yaml").write_text(words.replace("cash_quote: 10000", "cash_quote: 0"))
    found = program.run(*SAMPLE, "--config", empty, "--deposit", "2024-01-02=10000", "--json").data
    gained = Decimal(found["summary"]["total_pnl"])
    assert gained, "or this shows nothing"
    assert Decimal(found["summary"]["total_pnl_pct"]) == round(gained / 100, 4)
    told = [found["performance"]["return_pct"]["value"], found["monthly"][0]["return_pct"]]
    assert told == pytest.approx([float(gained / 100)] * 2)


def test_a_folder_is_told_what_it_cannot_know(program: Backtests) -> None:
    from tests.scenarios.scenes import RISE
    from tests.world import START, World

    world = World(program.home).market(BTC=RISE).configured()
    done = program.run("--data", world.data, "--config", world.config, "--from", START, "--json")
    assert done.code == 0, done.err
    told = done.data["metadata"]["warnings"]
    assert any(one.startswith("survivorship: all 1 pairs") for one in told)
    assert any(one.startswith("venue rules are assumed") for one in told)
    assert done.data["metadata"]["seed"] is None
    assert done.document["warnings"] == told


def test_a_period_begins_with_the_market(program: Backtests) -> None:
    """Days before its first candle are no days without a gain: they would thin out every ratio."""
    from tests.scenarios.scenes import RISE
    from tests.world import World

    world = World(program.home).market(BTC=RISE).configured()
    words = ("--data", world.data, "--config", world.config, "--json")
    early, there = (program.run(*words, "--from", since).data for since in ("2019-01-01", "2024-03-02"))
    assert early["metadata"]["from_time"] == "2024-03-02T18:00:00Z", "120 bars before START"
    assert early["performance"]["days"] == there["performance"]["days"] == 3
    done = program.run("--seed", "7", "--from", "1970-01-01", "--to", "1970-01-02")
    assert (done.code, "the period is empty" in done.err) == (2, True)


def test_the_page_says_which_pairs_of_a_folder_were_in_it(program: Backtests) -> None:
    from tests.scenarios.scenes import RISE
    from tests.world import START, World

    world = World(program.home).market(BTC=RISE, NEW=RISE).configured()
    (world.data / "ETH-EUR").mkdir()
    (world.data / "ETH-EUR" / "15m.parquet").write_bytes((world.data / "BTC-USD" / "15m.parquet").read_bytes())
    words = ("--data", world.data, "--config", world.config, "--from", START)
    page = program.run(*words).out
    assert "  pairs          BTC-USD\n" in page
    assert "  left out       ETH-EUR: quoted in EUR, the account is in USD\n" in page
    assert "                 NEW-USD: NEW is in no tier of the universe\n" in page
    for gone in ("BTC-USD", "ETH-EUR"):
        shutil.rmtree(world.data / gone)
    done = program.run(*words)
    assert "  pairs          none\n" in done.out
    assert "what stopped it: nothing was proposed" in done.out
    assert "warning: nothing can be traded: the coin of not one pair is in a tier of universe.yaml" in done.err
    assert "survivorship" not in done.err
    assert "  pairs " not in program.run(*SHORT).out


def test_prices_too_fine_for_any_position_are_told(program: Backtests) -> None:
    from tests.world import START, World

    noisy = [61_234.0703125, 61_200.87890625] * 8  # decimals that went through 32 bits on their way
    world = World(program.home).market(BTC=noisy).configured()
    done = program.run("--data", world.data, "--config", world.config, "--from", START)
    assert done.code == 0, done.err
    assert "warning: BTC-USD 15m: prices have 8 decimals, so a lot is 1 BTC, worth 61,200.88 USD" in done.err


# --- the registry of trials ------------------------------------------------------------------------------------------


def test_trials_are_counted_by_what_was_tried(program: Backtests) -> None:
    assert program("trials", "--state", program.state).out == "nothing was tried yet: trader backtest\n"
    changed = other_config(program.home / "config")
    counted = [
        program.run(*SHORT, *words, "--json").data["trials"]["tried"]
        for words in ((), (), ("--config", changed), ("--slow",), ("--to", "2024-01-02"))
    ]
    assert counted == [1, 1, 2, 2, 3]
    listed = program("trials", "--state", program.state, "--json").data["trials"]
    assert [one["command"] for one in listed] == ["backtest"] * 3
    assert len({one["config"] for one in listed}) == 2
    page = program("trials", "--state", program.state).out
    assert page.endswith("3 trials on 1 market\n")


def test_the_same_with_money_that_comes_is_another_trial(program: Backtests) -> None:
    """What moves the equity moves the ratio: neither may take the other's place."""
    flow = ("--deposit", "2024-01-01T06:00=5000")
    plain, more = (program.run(*SHORT, *words, "--json").data for words in ((), flow))
    assert program.run(*SHORT, *flow, "--deposit", "2024-01-02=0", "--json").data["trials"]["tried"] == 2
    ratios = [one["performance"]["sharpe"]["value"] for one in (plain, more)]
    assert (plain["trials"]["tried"], more["trials"]["tried"]) == (1, 2)
    listed = program("trials", "--state", program.state, "--json").data["trials"]
    assert [one["sharpe"] for one in listed] == ratios and ratios[0] != ratios[1]
    config = plain["metadata"]["config_digest"]
    assert [one["config"] for one in listed] == [config, f"{config} 2024-01-01T06:00:00Z=5000"]
    page = program("trials", "--state", program.state).out
    assert f"  {config[:12]}+  " in page and "+: cash came or went (backtest --deposit)" in page


def test_what_chance_alone_shows_is_unknown_where_the_ratios_of_other_trials_are(program: Backtests) -> None:
    """One trial traded, another did not: how far the ratios of worthless trials lie apart cannot be told from one."""
    idle = program.home / "idle"
    shutil.copytree(CONFIG, idle)
    words = (idle / "strategies.yaml").read_text()
    (idle / "strategies.yaml").write_text(words.replace("enabled: true", "enabled: false"))
    assert program.run(*SHORT, "--config", idle).code == 0
    found = program.run(*SHORT, "--json").data
    assert (found["trials"], found["performance"]["luckiest_sharpe"]) == ({"tried": 2, "with_sharpe": 1}, None)
    assert found["performance"]["probabilistic_sharpe"] is not None
    assert found["performance"]["deflated_sharpe"] is None


def test_an_unusable_registry_costs_the_count_and_nothing_else(program: Backtests) -> None:
    program.state.mkdir()
    (program.state / "trials.sqlite").write_text("not a database, but long enough to be taken for one at first sight")
    done = program.run(*SHORT, "--json")
    assert done.code == 0
    assert done.data["trials"] == {"tried": None, "with_sharpe": None}
    assert done.data["performance"]["deflated_sharpe"] is None
    assert any("registry of trials" in one for one in done.document["warnings"])
    assert "warning: the registry of trials" in done.err
    damaged = program("trials", "--state", program.state)
    assert damaged.code == 13 and "next: move it away: only the count of what was tried is lost" in damaged.err


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_is_plain_text_of_eighty_columns_without_a_terminal(program: Backtests) -> None:
    done = program.run(*SHORT)
    assert done.code == 0
    assert done.out.isascii()
    assert max(map(len, done.out.splitlines())) <= 80
    for part in ("equity", "what stopped it: ", "costs: ", "performance, 2 days", "95 % from"):
        assert part in done.out
    assert "HELD" in done.out.partition("what stopped it")[2]


def test_a_curve_begins_low_and_ends_high_where_its_values_do() -> None:
    for pen in (Pen(True), Pen(False)):
        lines = pen.curve([float(n) for n in range(100)], 40, 6)
        assert [len(line) for line in lines] == [40] * 6
        empty = "\N{BRAILLE PATTERN BLANK}" if pen.fine else " "
        assert lines[0][0] == empty != lines[0][-1]
        assert lines[-1][-1] == empty != lines[-1][0]
        assert all(any(line[x] != empty for line in lines) for x in range(40)), "no hole"
        flat = pen.curve([5.0, 5.0], 10, 5)
        assert sum(any(one != empty for one in line) for line in flat) == 1


def test_a_bar_is_as_long_as_its_share_and_never_invisible() -> None:
    for pen in (Pen(True), Pen(False)):
        assert len(pen.bar(10, 10, 20)) == 20
        assert len(pen.bar(5, 10, 20)) == 10
        assert len(pen.bar(1, 10_000, 20)) == 1
        assert pen.bar(0, 10, 20) == pen.bar(1, 0, 20) == ""


def test_progress_is_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.progress import Progress

    with Progress("replaying", "rows") as progress:
        progress(1, 10)
    assert capsys.readouterr() == ("", "")


def test_progress_tells_rate_and_time_left_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from cli import progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    with progress.Progress("replaying", "rows") as told:
        told(500, 1_000)
    shown = screen.getvalue()
    assert "replaying: 500 of 1,000 rows, " in shown and " s left" in shown
    assert shown.endswith("\r\x1b[K"), "the line is gone in the end"


@pytest.mark.parametrize("how", [(), ("--slow",)], ids=["compiled", "interpreted"])
def test_an_end_between_two_closes_is_that_of_the_later_one(program: Backtests, how: tuple[str, ...]) -> None:
    """What a run decides before that end, a backtest decides; and cash that comes with the last decision is told."""
    words = ("--seed", "7", "--from", "2024-03-17", "--deposit", "2024-03-17=5", "--json", *how)
    between, there = (program.run(*words, "--to", f"2024-03-17T00:{minute}:00Z") for minute in ("05", "15"))
    assert (between.code, between.data["summary"]["cycles"], between.data["summary"]["flows"]) == (0, 1, "5")
    assert between.data == there.data
