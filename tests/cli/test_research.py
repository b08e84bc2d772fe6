"""sweep, walk-forward, montecarlo and compare as a person types them; and a sweep that was killed goes on."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import ROOT, START, Inside

CROSS = "strategies.sma_cross."
PERIOD = ("--from", "2024-01-01", "--to", "2024-01-04")
GRID = ("--grid", f"{CROSS}enabled=true", "--grid", f"{CROSS}fast_bars=5,10,60", "--grid", f"{CROSS}slow_bars=50,80")
COUNT = 24
MANY = ("--grid", CROSS + "fast_bars=" + ",".join(map(str, range(5, 5 + COUNT))))
LONG = ("--grid", f"{CROSS}enabled=true", *MANY, *PERIOD[:3], "2024-01-02")
GONE_S = 20
KILL_S = 240  # a law that was never compiled here takes its time


@pytest.fixture
def program(tmp_path: Path) -> Inside:
    return Inside(tmp_path)


def words(program: Inside, command: str, *more: str | Path) -> tuple[str | Path, ...]:
    return (command, "--state", program.state, "--config", ROOT / "config", *more)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return list(map(int, found))


def gone(pids: list[int]) -> bool:
    """Whether none of them is left, soon."""
    until = time.monotonic() + GONE_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_a_sweep_ranks_what_is_sound_and_says_what_is_not(program: Inside) -> None:
    out = program.home / "table.json"
    done = program(*words(program, "sweep", *GRID, *PERIOD, "--out", out))
    assert (done.code, done.err) == (0, "")
    table = read(out)
    sharpes = [one["figures"]["sharpe"] for one in table["rows"] if one["figures"]]
    assert sharpes == sorted(sharpes, reverse=True)
    assert len(sharpes) == 5
    assert table["rows"][-1]["problems"] == ["strategies: sma_cross.fast_bars 60 is not below slow_bars 50"]
    assert table["metadata"]["trials"] == 5
    assert "5 combinations, best sharpe first" in done.out
    assert max(map(len, done.out.splitlines())) <= 80


def test_the_same_seed_gives_the_same_file_and_trials_are_counted_once(program: Inside) -> None:
    drawn = ("sweep", "--random", "5", "--range", f"{CROSS}fast_bars=2..40", *GRID[:2], *PERIOD)
    files = [program.home / name for name in ("a", "b", "c")]
    for path, seed in zip(files, ("3", "3", "4"), strict=True):
        assert program(*words(program, *drawn, "--seed", seed, "--out", path)).code == 0
    one, two, three = (path.read_bytes() for path in files)
    assert one == two != three
    assert [read(path)["metadata"]["trials"] for path in files] == [5, 5, 5]  # another seed, another market
    more = program(*words(program, "sweep", *GRID, *PERIOD, "--seed", "3", "--json"))
    assert more.data["metadata"]["trials"] > 5


def test_a_search_is_the_same_with_one_worker_and_with_two(program: Inside) -> None:
    asked = ("sweep", "--optuna", "12", "--range", f"{CROSS}fast_bars=2..40", "--range", f"{CROSS}stop_pct=1..9:log")
    files = [program.home / jobs for jobs in ("1", "2")]
    for path in files:
        assert program(*words(program, *asked, *PERIOD, "--jobs", path.name, "--out", path)).code == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    assert 9 <= len(read(files[0])["rows"]) <= 12


def test_a_search_takes_any_seed(program: Inside) -> None:
    asked = ("sweep", "--optuna", "2", "--range", f"{CROSS}fast_bars=2..40", "--seed", str(2**32 + 1))
    done = program(*words(program, *asked, *PERIOD, "--jobs", "1"))
    assert (done.code, done.err) == (0, "")


def test_a_killed_sweep_goes_on_where_it_was(program: Inside) -> None:
    """The command is killed with SIGKILL after its first outcomes; nothing that was finished is done again."""
    kept, out, whole = program.home / "kept", program.home / "out.json", program.home / "whole.json"
    asked = [str(one) for one in words(program, "sweep", *LONG, "--resume", kept, "--out", out)]
    running = subprocess.Popen([*START, *asked], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        until = time.monotonic() + KILL_S
        while not list(kept.glob("results/*.json")) and time.monotonic() < until:
            time.sleep(0.01)
        workers = children(running.pid)
    finally:
        running.kill()
        running.wait()
    assert len(workers) >= 2
    assert gone(workers)
    before = {path: path.stat().st_mtime_ns for path in kept.glob("results/*.json")}
    assert 0 < len(before) < COUNT
    assert not out.exists()
    assert program(*asked).code == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(list(kept.glob("results/*.json"))) == COUNT
    assert program(*words(program, "sweep", *LONG, "--out", whole)).code == 0
    assert whole.read_bytes() == out.read_bytes()


def test_walk_forward_tells_each_fold_and_the_whole(program: Inside) -> None:
    out = program.home / "folds.json"
    asked = ("walk-forward", *GRID[:4], "--train", "2", "--test", "1", "--purge", "24", "--embargo", "4")
    whole = (*asked, "--from", "2024-01-01", "--to", "2024-01-06", "--resume", program.home / "kept")
    done = program(*words(program, *whole, "--out", out))
    assert (done.code, done.err) == (0, "")
    found = read(out)
    assert [(one["train_from"], one["train_to"], one["test_from"]) for one in found["folds"]] == [
        ("2024-01-01T00:00:00Z", "2024-01-03T00:00:00Z", "2024-01-03T07:00:00Z"),
        ("2024-01-02T00:00:00Z", "2024-01-04T00:00:00Z", "2024-01-04T07:00:00Z"),
    ]
    assert (found["total"]["folds"], found["metadata"]["trials"]) == (2, 4)
    assert "walk-forward, 2 folds, 28 bars between training and test" in done.out
    assert program(*words(program, *whole, "--json")).data["folds"] == found["folds"]
    one_key = (*asked[:3], *asked[5:])
    assert "enabled=true" in program(*words(program, *one_key, *whole[-6:])).out, "as it was said"
    short = program(*words(program, *asked, *PERIOD))
    assert (short.code, "not one fold fits" in short.err) == (2, True)


def test_what_is_spread_is_the_market_that_a_backtest_replays(program: Inside) -> None:
    told = [program(*words(program, one, *PERIOD, "--json")) for one in ("backtest", "montecarlo")]
    one, other = ({done.data["metadata"][key] for key in ("seed", "data_fingerprint")} for done in told)
    assert one == other


def test_a_folder_of_which_nothing_can_be_traded_is_told_as_in_a_backtest(program: Inside) -> None:
    from tests.scenarios.scenes import RISE
    from tests.world import START, World

    world = World(program.home).market(BTC=RISE, NEW=RISE).configured()
    shutil.rmtree(world.data / "BTC-USD")
    market = ("--data", world.data, "--config", world.config, "--state", program.state, "--from", START)
    one, other = program("backtest", *market), program("sweep", *GRID[:2], "--jobs", "1", *market)
    assert (one.code, other.code) == (0, 0)
    told = other.err.splitlines()
    assert set(told) <= set(one.err.splitlines())
    assert ["nothing can be traded" in line for line in told] == [True, False]
    assert "venue rules are assumed" in told[1]


def test_what_a_sweep_was_made_of_is_that_of_every_market_in_it(program: Inside) -> None:
    """Whoever is found by a setting, and a bar of another length, make another market and another period."""
    from tests.scenarios.scenes import RISE
    from tests.world import START, World

    world = World(program.home).market(BTC=RISE, NEW=RISE).configured()
    market = ("--data", world.data, "--config", world.config, "--state", program.state, "--json")
    found = ("sweep", "--grid", "universe.discovery.enabled=false,true", "--from", START, *market)
    made = program(*found).data["metadata"]
    assert (made["instruments"], len(made["market_digests"])) == (["BTC-USD", "NEW-USD"], 2)
    assert "NEW-USD" not in [one["symbol"] for one in made["exclusions"]]
    bars = ("sweep", "--grid", "strategies.rules.enabled=false", "--grid", "cycle.base_bar_min=60,15")
    early = (*words(program, *bars), "--from", "2024-01-01T00:15", "--to", "2024-01-02T00:45", "--json")
    made = program(*early).data["metadata"]
    assert len(made["market_digests"]) == 2
    assert (made["from_time"], made["to_time"]) == ("2024-01-01T00:15:00Z", "2024-01-02T01:00:00Z")


def test_folds_are_the_same_in_whatever_order_bars_of_several_lengths_are_said(program: Inside) -> None:
    """A period that begins between two hours begins, for all, with the first hour in it."""
    cross = ("--grid", "strategies.rules.enabled=false", "--grid", f"{CROSS}enabled=true")
    asked = ("walk-forward", *cross, "--purge", "0", "--train", "2", "--test", "1", "--json")
    one, other = (
        program(*words(program, *asked, "--grid", f"cycle.base_bar_min={bars}"),
                "--from", "2024-01-01T00:15", "--to", "2024-01-05T03:00").data["folds"]
        for bars in ("15,60", "60,15")
    )  # fmt: skip
    assert one == other and one[0]["train_from"] == "2024-01-01T01:00:00Z"


def test_montecarlo_spreads_trades_and_bars(program: Inside) -> None:
    week = (*PERIOD[:3], "2024-01-08")  # in three days too few positions close: most orders of them lose nothing first
    for more, drawn in (((), "trades"), (("--bars", "--paths", "4"), "bars")):
        done = program(*words(program, "montecarlo", *week, "--json", *more))
        assert (done.code, done.data["metadata"]["method"]) == (0, drawn)
        (found,) = [one for one in done.data["paths"]["spreads"] if one["figure"] == "max_drawdown_pct"]
        assert 0 < found["levels"]["p05"] <= found["levels"]["p95"]
    assert program(*words(program, "montecarlo", "--bars", "--block", "7")).code == 2


@pytest.mark.parametrize("asked", [("--block", "10000"), ("--bars",), ("--paths", "1")], ids=str)
def test_paths_that_are_all_the_same_say_nothing_of_luck_and_say_so(asked: tuple[str, ...], program: Inside) -> None:
    period = ("--from", "2024-01-01", "--to", "2024-01-05" if "--bars" not in asked else "2024-01-01T00:15")
    done = program(*words(program, "montecarlo", "--paths", "4", *period, *asked, "--json"))
    assert done.code == 0
    (told,) = done.document["warnings"]
    assert told.startswith("every path came to the same, so it says nothing of luck: ") and told in done.err


def test_compare_puts_two_reports_side_by_side(program: Inside) -> None:
    one, two = program.home / "one.json", program.home / "two.json"
    assert program(*words(program, "backtest", *PERIOD, "--out", one)).code == 0
    assert program(*words(program, "backtest", *PERIOD[:3], "2024-01-12", "--out", two)).code == 0
    done = program("compare", one, two, "--json")
    assert done.code == 0
    assert [row["key"] for row in done.data["figures"] if row["key"] == "summary.total_trades"]
    count = len(read(two)["trades"]) - len(read(one)["trades"])
    assert len(done.data["only_after"]) - len(done.data["only_before"]) == count > 0
    assert program("compare", two, one, "--json").data["only_before"] == done.data["only_after"]
    assert "only in B" in program("compare", one, two).out
    same = program("compare", one, one, "--json").data
    assert (same["metadata"], same["only_before"], same["only_after"]) == ([], [], [])
    for name, wrong in (("trades", ["x"]), ("trades", 5), ("summary", []), ("metadata", [3])):
        two.write_text(json.dumps({**read(one), name: wrong}))
        done = program("compare", one, two)
        assert (done.code, f"it has no {name}" in done.err) == (2, True), done.err


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (("sweep",), "nothing is to be tried"),
        (("sweep", "--grid", f"{CROSS}fast_bar=5"), "did you mean fast_bars"),
        (("sweep", "--grid", f"{CROSS}fast_bars=900"), "not one combination is a sound configuration"),
        (("sweep", "--range", f"{CROSS}fast_bars=5..9"), "no end of values"),
        (("sweep", "--range", f"{CROSS}fast_bars=1..99999999999999999999", "--random", "2"), "beyond 1000000000"),
        (("sweep", "--range", f"{CROSS}stop_pct=1..1e400", "--random", "2"), "not LOW..HIGH"),
        (("sweep", *GRID, "--resume", "/dev/null"), "--resume /dev/null cannot be used: it is no folder"),
        (("montecarlo", "--resume", "pyproject.toml/kept"), "pyproject.toml is no folder"),
        (("sweep", *GRID, "--random", "2", "--optuna", "2"), "two ways"),
        (("sweep", *GRID, "--objective", "luck"), "--objective luck is not known"),
        (("sweep", *GRID, "--engine", "spark://here"), "--engine spark://here is not known"),
        (("sweep", *GRID, "--engine", "dask://127.0.0.1:1"), "no dask cluster answers at 127.0.0.1:1\n"),
        (("montecarlo", "--ruin", "nan"), "--ruin nan is no number"),
        (("compare", "pyproject.toml", "pyproject.toml"), "is not JSON"),
        (("compare", "nowhere.json", "nowhere.json"), "cannot be read"),
    ],
)
def test_what_makes_no_sense_is_2_with_what_to_type(
    program: Inside, asked: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trader_core.research.pools.CONNECT_S", 0.5)
    done = program(*asked, "--state", program.state, "--config", ROOT / "config")
    assert (done.code, told in done.err) == (2, True), done.err
    assert "next:" in done.err
