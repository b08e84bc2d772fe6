"""The program measures itself: a text file, a command, a port, and a table of what takes how long."""

import json
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.cli.program import Done, Program
from tests.figures.test_text import read
from tests.world import write_config
from trader_core.domain.halt import Trading
from trader_core.figures import health_of
from trader_core.report.metrics import BY_NAME
from trader_core.store.telemetry import NAME

CYCLES = 30
PAPER = ("--mode", "PAPER", "--venue", "simulated")
Labels = tuple[tuple[str, str], ...]
Figures = dict[tuple[str, Labels], float]


def configured(program: Program, **edits: object) -> Path:
    config = program.home / "config"
    write_config(config, {f"app.{key.replace('__', '.')}": value for key, value in edits.items()})
    return config


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, Path, Done]:
    """An account of some cycles, its text file, and what the run said. Only for looking."""
    program = Program(tmp_path_factory.mktemp("measured"))
    textfile = program.home / "trader.prom"
    config = configured(program, metrics__textfile=str(textfile))
    return program, textfile, program.paper("run", "--cycles", str(CYCLES), "--config", config, "--json")


def test_the_text_file_is_what_the_account_is(measured: tuple[Program, Path, Done]) -> None:
    program, textfile, run = measured
    text = textfile.read_text()
    found, status = read(text), program.paper("status", "--json").data
    assert found["trader_equity_quote", ()] == float(status["equity"]) == float(run.data["equity"])
    assert found["trader_positions", ()] == status["positions"]
    assert found["trader_cycles_total", (("outcome", "ok"),)] == CYCLES
    assert found["trader_cycle_duration_seconds_count", ()] == CYCLES
    assert sum(value for (name, _), value in found.items() if name == "trader_fills_total") == run.data["fills"]
    refused = {
        dict(labels)["verdict"]: value for (name, labels), value in found.items() if name == "trader_refusals_total"
    }
    assert refused == run.data["refusals_by_verdict"] != {}
    assert found["trader_orders_open", (("role", "STOP"),)] == len(status["open_orders"])
    assert found["trader_trading", (("state", "ACTIVE"),)] == 1
    assert stat.S_IMODE(textfile.stat().st_mode) == 0o644
    assert [one.name for one in textfile.parent.iterdir() if one.name.startswith(".trader")] == []


def test_the_command_prints_the_same(measured: tuple[Program, Path, Done]) -> None:
    program, textfile, _ = measured
    assert program.paper("metrics").out == textfile.read_text()
    listed = program.paper("metrics", "--json").data["metrics"]
    found = {(one["name"], tuple(sorted(one["labels"].items()))): one["value"] for one in listed}
    read_back = read(textfile.read_text())
    assert len(found) > 100
    assert {key: value for key, value in read_back.items() if key in found}.items() <= found.items()


def test_labels_take_the_values_of_the_table_alone(measured: tuple[Program, Path, Done]) -> None:
    for name, labels in read(measured[1].read_text()):
        metric = BY_NAME.get(name) or BY_NAME[re.sub(r"_(bucket|sum|count)$", "", name)]
        for label, value in labels:
            known = metric.labels.get(label)
            assert label == "le" or known is not None
            assert not isinstance(known, tuple) or value in known
        assert not any(re.search(r"[0-9a-f]{8}-[0-9a-f]{4}", value) for _, value in labels), "an order's id"


def test_stages_are_the_whole_cycle(measured: tuple[Program, Path, Done]) -> None:
    found = read(measured[1].read_text())
    sums = {key: value for key, value in found.items() if key[0] == "trader_stage_duration_seconds_sum"}
    stages = {dict(labels)["stage"]: value for (_, labels), value in sums.items()}
    assert set(stages) == {"guard", "account", "market", "mend", "decide", "record", "send", "close"}
    assert sum(stages.values()) == pytest.approx(found["trader_cycle_duration_seconds_sum", ()])
    assert min(stages.values()) > 0


def test_latency_is_told_beside_its_budgets(measured: tuple[Program, Path, Done], tmp_path: Path) -> None:
    program, _, _ = measured
    calm = program.paper("status", "--latency")
    assert calm.code == 0
    assert "OVER" not in calm.out
    assert max(map(len, calm.out.splitlines())) <= 80
    strict = tmp_path / "config"
    write_config(strict, {"app.latency.stages.decide_ms": 1, "app.latency.cycle_p95_ms": 1})
    done = program.paper("status", "--latency", "--config", strict)
    over = [line.split(":")[0] for line in done.out.splitlines() if line.startswith("OVER")]
    assert over == ["OVER BUDGET cycle", "OVER BUDGET stage decide"]
    told = program.paper("status", "--latency", "--config", strict, "--json").data["latency"]["operations"]
    decide = next(one for one in told if one["operation"] == "stage decide")
    assert decide["count"] == CYCLES
    assert decide["budget_ms"] == 1
    assert 0 < decide["p50_ms"] <= decide["p95_ms"] <= decide["p99_ms"] <= decide["max_ms"]


def test_cycles_of_many_processes_add_up_and_what_is_slow_is_marked(program: Program) -> None:
    textfile = program.home / "trader.prom"
    config = configured(
        program, metrics__textfile=str(textfile), latency__over_in_a_row=2, latency__stages__decide_ms=1
    )
    for n in (1, 2):
        assert program.paper("run-cycle", "--config", config).code == 0
        found = read(textfile.read_text())
        assert found["trader_cycles_total", (("outcome", "ok"),)] == n
        marked = ("trader_over_budget", (("operation", "stage decide"),))
        assert (marked in found) == (n == 2)
    raised = program.paper("alerts", "list", "--json").data["alerts"]
    assert [one["subject"] for one in raised if one["code"] == "latency"] == ["stage decide"]


def test_what_cannot_be_measured_is_a_cycle_all_the_same(program: Program) -> None:
    program.state.mkdir()
    (program.state / NAME).mkdir()
    done = program.paper("run", "--cycles", "3", "--json")
    assert (done.code, done.data["cycles"]) == (0, 3)
    assert done.err.count("not measured") == 1
    (program.state / NAME).rmdir()
    config = configured(program, metrics__textfile="/nowhere/at/all.prom")
    done = program.paper("run-cycle", "--config", config, "--json")
    assert done.code == 0
    assert "/nowhere/at/all.prom" in done.err or "No such file" in done.err


def test_a_start_that_breaks_off_is_counted(program: Program) -> None:
    textfile = program.home / "trader.prom"
    config = configured(program, metrics__textfile=str(textfile))
    assert program.paper("run-cycle", "--config", config).code == 0
    state = program.state / "paper.db"
    kept = state.read_bytes()
    state.write_bytes(b"garbage" * 2_000)
    assert program.paper("run-cycle", "--config", config).code == 13
    state.write_bytes(kept)
    found = read(program.paper("metrics").out)
    assert found == read(textfile.read_text())
    assert found["trader_cycles_total", (("outcome", "failed"),)] == 1
    assert found["trader_degraded_cycles_ratio", ()] == 0.5
    assert ("trader_equity_quote", ()) in found


# --- the port --------------------------------------------------------------------------------------------------------


@contextmanager
def running(program: Program) -> Iterator[str]:
    """A run without an end, and the address of its figures."""
    started = program.start("run", *PAPER, "--state", program.state, "--metrics-port", "0")
    assert started.stderr is not None
    try:
        found = next(told for line in started.stderr if (told := re.search(r"figures at (\S+)/metrics", line)))
        yield found[1]
    finally:
        started.terminate()
        started.communicate(timeout=20)


def asked(url: str, **headers: str) -> tuple[int, str]:
    try:
        with urlopen(Request(url, headers=headers), timeout=10) as answer:  # noqa: S310 - loopback
            return answer.status, answer.read().decode()
    except HTTPError as refused:
        return refused.code, refused.read().decode()


def wait_for(url: str, status: int) -> str:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        found, text = asked(url)
        if found == status:
            return text
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer {status}: {found} {text}")


def test_a_run_shows_itself_on_loopback_and_denies_its_health_when_killed(program: Program) -> None:
    with running(program) as url:
        assert wait_for(f"{url}/healthz", 200) == "ok\n"
        first = read(asked(f"{url}/metrics")[1])["trader_cycles_total", (("outcome", "ok"),)]
        assert asked(f"{url}/secrets")[0] == 404
        assert asked(f"{url}/metrics", Host="evil.example")[0] == 403
        port = int(url.rpartition(":")[2])
        other = socket.gethostbyname(socket.gethostname())
        if not other.startswith("127."):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((other, port), timeout=2)
        silent = socket.create_connection(("127.0.0.1", port))  # says nothing, and keeps nobody waiting
        assert program("kill", "--state", program.state, "--offline").code in (0, 50)
        assert "kill" in wait_for(f"{url}/healthz", 503)
        silent.close()
        for _ in range(100):
            found = read(asked(f"{url}/metrics")[1])
            if found["trader_halt", (("state", "KILLED"),)]:
                break
            time.sleep(0.1)
        assert found["trader_kill_latch", ()] == 1
        assert found["trader_trading", (("state", "HALTED"),)] == 1
        assert found["trader_cycles_total", (("outcome", "ok"),)] > first


def test_a_port_that_is_taken_is_refused_before_a_cycle(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = program.paper("run", "--cycles", "1", "--metrics-port", str(port), "--json")
    assert (done.code, done.document["exit_name"]) == (2, "USAGE")
    assert program.paper("status", "--json").data["cycles"] == 0


@pytest.mark.parametrize(
    ("at_ms", "trading", "killed", "told"),
    [
        (9_000, "ACTIVE", None, "ok"),
        (0, "ACTIVE", None, "no cycle yet"),
        (6_999, "ACTIVE", None, "the newest cycle was over 3 s ago"),
        (12_999, "ACTIVE", None, "ok"),
        (13_001, "ACTIVE", None, "the newest cycle was over 3 s after now: the clock was set back"),
        (9_000, "REDUCING", None, "trading is REDUCING"),
        (9_000, "HALTED", "kill file exists", "kill file exists; trading is HALTED"),
    ],
)
def test_health_is_a_young_cycle_and_leave_to_trade(at_ms: int, trading: str, killed: str | None, told: str) -> None:
    found = health_of(at_ms, 10_000, 3_000, Trading(trading), killed)
    assert (found.is_well, found.words) == (told == "ok", told)


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed: nobody scrapes the port")
def test_a_real_prometheus_reads_the_port(program: Program, tmp_path: Path) -> None:
    with running(program) as url, socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        free.close()
        scrape = {"job_name": "trader", "scrape_interval": "1s", "static_configs": [{"targets": [url[7:]]}]}
        (tmp_path / "prometheus.yml").write_text(json.dumps({"scrape_configs": [scrape]}))
        words = [
            "prometheus", f"--config.file={tmp_path / 'prometheus.yml'}", f"--storage.tsdb.path={tmp_path / 'tsdb'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]  # fmt: skip
        server = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            query = f"http://127.0.0.1:{port}/api/v1/query?query=trader_cycles_total"
            until, result = time.monotonic() + 30, list[Any]()
            while not result and time.monotonic() < until:
                time.sleep(0.5)
                with suppress(OSError):
                    result = json.loads(asked(query)[1])["data"]["result"]
            assert result
            assert result[0]["metric"]["outcome"] == "ok"
            assert float(result[0]["value"][1]) > 0
        finally:
            server.terminate()
            server.wait(20)
