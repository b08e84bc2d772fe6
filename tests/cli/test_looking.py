"""positions, orders, trades, pnl, export, why --no-trade and status: what was recorded, told without a market."""

import csv
import fcntl
import io
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from tests.cli.program import START as COMMAND
from tests.cli.program import AtHome, Done, Inside, Program
from tests.report.journals import BAR_MS, Account, judged, quiet
from tests.scenarios.scenes import DIP, RISE
from tests.world import World, write_config
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, EpochMs, parse_utc, rfc3339
from trader_core.domain.facts import (
    Banned,
    CycleClosed,
    Delisted,
    DiscrepancyFound,
    Fact,
    HaltChanged,
    Opened,
    Paused,
    StrategyFailed,
)
from trader_core.domain.halt import ARMED, Halt, HaltState, acknowledged, killed, tripped
from trader_core.domain.order import Role
from trader_core.ops.clock import host_ms
from trader_core.rulebook.codes import GATE_COUNT
from trader_core.store.sqlite import SqliteStore

WIDTH = 80
LOOKING = ("positions", "orders", "trades", "pnl", "export --csv -", "why --no-trade", "status")


def write(program: Program, facts: Sequence[Fact]) -> None:
    """These facts as the state of a paper account."""
    (opened,) = [one for one in facts if isinstance(one, Opened)]
    program.state.mkdir(parents=True)
    store = SqliteStore(program.state / "paper.db", dict(opened.identity), "digest")
    append(store, [one for one in facts if one is not opened])
    store.close()


def append(store: SqliteStore, facts: Sequence[Fact]) -> None:
    cycle = 1 + sum(isinstance(one, CycleClosed) for one in store.facts())
    for fact in facts:
        store.append(cycle, 0, [fact])
        cycle += isinstance(fact, CycleClosed)


def lived() -> Account:
    """Three days: a win, a loss, a refusal of the venue's, a position with its stop, and gates that said no."""
    account = Account()
    account.buy("BTC-USD", "0.02", "65432.10", "1.2", strategy="momentum").cycle(quiet("ETH-USD", 0.98))
    account.wait(20).sell("BTC-USD", "0.02", "66000.00", "1.3", reason="trailing", strategy="momentum").cycle()
    account.wait(96).buy("ETH-USD", "0.5", "3000", "0.9").cycle(judged("BTC-USD", "SPREAD", spread=(55, 50)))
    account.wait(30).sell("ETH-USD", "0.5", "2900", "0.8", reason="stop").reject("SOL-USD", "too little cash").cycle()
    account.wait(60).buy("SOL-USD", "3", "150.25", "0.7").cycle(judged("BTC-USD", "CASH", cash=(130, 100)))
    account.place("SOL-USD", Role.STOP, "3", price="140", reason="stop")
    return Account.cycle(account, judged("SOL-USD", shrank="theme_cap", theme_cap=(11, 10)), equity="9990")


Told = Callable[..., Done]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Runs a looking command on the account that has lived."""
    program = AtHome(tmp_path_factory.mktemp("lived"))
    write(program, lived().facts)
    return looker(program)


def looker(program: Program) -> Told:
    """Runs commands on a state in this process: they start nothing and change nothing."""
    return lambda *words: here(*words, "--state", program.state)


def here(*words: str | Path) -> Done:
    before, out, err = sys.argv, io.StringIO(newline=""), io.StringIO()
    sys.argv = ["trader", *map(str, words)]
    try:
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    assert isinstance(ended.value.code, int)
    return Done(ended.value.code, out.getvalue(), err.getvalue())


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def total(found: Sequence[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(one[name]) for one in found if one[name]), Decimal(0))


# --- trades ----------------------------------------------------------------------------------------------------------


def test_trades_tells_each_position_with_its_reason(told: Told) -> None:
    data = told("trades", "--json").data
    assert [(one["symbol"], one["strategy"], one["exit_reason"], one["pnl"]) for one in data["trades"]] == [
        ("BTC-USD", "momentum", "trailing", "8.858"), ("ETH-USD", "sma_cross", "stop", "-51.7"),
    ]  # fmt: skip
    assert data["trades"][0]["entry_time"] == "2024-03-04T00:00:00Z"
    assert [(one["symbol"], one["cost"]) for one in data["open"]] == [("SOL-USD", "450.75")]
    assert data["totals"] | {"win_rate_pct": ""} == {
        "trades": 2, "won": 1, "lost": 1, "pnl": "-42.842", "fees": "4.2", "win_rate_pct": "",
    }  # fmt: skip
    page = told("trades").out
    assert "1 win, 1 loss (50.0 % won), pnl -42.84, fees 4.20" in page
    assert page.index("trailing") < page.index("stop")
    assert "1 open position" in page


def test_a_length_counts_back_from_the_last_cycle_and_not_from_now(told: Told) -> None:
    newest = told("status", "--json").data["last_decision_time"]
    sold = told("trades", "--json").data["trades"][-1]["exit_time"]
    assert (newest, sold) == ("2024-03-06T04:45:00Z", "2024-03-05T13:15:00Z")
    assert len(told("trades", "--since", "16h", "--json").data["trades"]) == 1
    assert len(told("trades", "--since", "930m", "--json").data["trades"]) == 1
    assert len(told("trades", "--since", "929m", "--json").data["trades"]) == 0
    assert len(told("trades", "--since", "3d", "--json").data["trades"]) == 2
    assert told("trades", "--since", "12h", "--json").data["since"] == "2024-03-05T16:45:00Z"
    assert len(told("trades", "--since", "2024-03-05", "--json").data["trades"]) == 1


@pytest.mark.parametrize("span", ["yesterday", "7", "7w", "-7d", "2024-13-01", ""])
def test_a_span_that_is_none_is_2(told: Told, span: str) -> None:
    done = told("trades", f"--since={span}")
    assert (done.code, done.out) == (2, "")
    assert "neither a length like 7d, 12h or 30m nor a UTC date" in done.err


@pytest.mark.parametrize("command", ["trades", "orders", "positions", "why --no-trade"])
def test_a_stranger_is_2_and_told_who_is_known(told: Told, command: str) -> None:
    done = told(*command.split(), "--symbol", "SOLL")
    assert done.code == 2
    assert "the account knows no SOLL; it knows BTC-USD, ETH-USD, SOL-USD" in done.err
    assert "SOL" in done.err.partition("next: ")[2]


def test_a_symbol_may_be_named_by_its_coin(told: Told) -> None:
    data = told("trades", "--symbol", "eth", "--json").data
    assert (data["symbols"], len(data["trades"]), data["open"]) == (["ETH-USD"], 1, [])


@pytest.mark.parametrize(
    "command",
    ["positions", "orders", "trades", "pnl", "why", "why SOL", "why --no-trade", "decisions list",
     "decisions verify", "queue list", "bans list", "halt show", "halt history", "audit verify", "shadow report"],
)  # fmt: skip
def test_who_looks_is_told_at_which_account(told: Told, command: str) -> None:
    words = command.split()
    page, data = told(*words), told(*words, "--json").data
    assert (page.code, page.out.splitlines()[0]) == (0, "PAPER on the simulated venue")
    assert (data["mode"], data["venue"]) == ("PAPER", "simulated")


# --- orders and positions --------------------------------------------------------------------------------------------


def test_orders_are_the_open_ones_or_all_of_a_span(told: Told) -> None:
    (stop,) = told("orders", "--json").data["orders"]
    assert (stop["symbol"], stop["kind"], stop["status"], stop["trigger"]) == ("SOL-USD", "STOP", "WORKING", "140")
    everything = told("orders", "--all", "--json").data
    assert (len(everything["orders"]), everything["open"]) == (7, 1)
    assert len(told("orders", "--since", "16h", "--json").data["orders"]) == 4
    page = told("orders", "--all").out
    assert "SOL-USD 2024-03-05 13:15 UTC entry maker: too little cash" in page
    assert "rejected" in page


def test_positions_tell_what_protects_them_and_what_they_are_worth(told: Told) -> None:
    data = told("positions", "--json").data
    (one,) = data["positions"]
    assert (one["symbol"], one["stop"], one["opened_time"]) == ("SOL-USD", "140", "2024-03-06T04:30:00Z")
    assert Decimal(data["value"]) == Decimal(9990) - Decimal(told("status", "--json").data["cash"])
    assert Decimal(data["unrealised"]) == Decimal(data["value"]) - Decimal("451.45")
    assert "140.00" in told("positions").out
    assert told("positions", "--symbol", "BTC").out == "PAPER on the simulated venue\nnothing is held\n"


# --- pnl -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["day", "symbol", "strategy"])
def test_the_total_is_the_ledgers_figure(told: Told, by: str) -> None:
    data = told("pnl", "--by", by, "--json").data
    assert data["total"]["realised"] == told("status", "--json").data["realised"] == "-42.842"
    assert total(data["rows"], "realised") == Decimal("-42.842")
    assert "total" in told("pnl", "--by", by).out.splitlines()[-1]


def test_a_day_has_its_closing_equity(told: Told) -> None:
    found = told("pnl", "--json").data["rows"]
    assert [(one["key"], one["equity"], one["trades"], one["won"]) for one in found] == [
        ("2024-03-04", "10000", 1, 1), ("2024-03-05", "10000", 1, 0), ("2024-03-06", "9990", 0, 0),
    ]  # fmt: skip
    assert told("pnl", "--by", "month").code == 2


# --- export ----------------------------------------------------------------------------------------------------------


def test_an_export_is_csv_by_the_book(told: Told, tmp_path: Path) -> None:
    target = tmp_path / "fills.csv"
    assert told("export", "--csv", target).code == 0
    raw = target.read_bytes().decode()
    assert (raw.count("\r\n"), raw.replace("\r\n", "").count("\n")) == (6, 0)
    first, *_ = found = rows(raw)
    assert (first["at_time"], first["side"], first["value"], first["reason"]) == (
        "2024-03-04T00:00:00Z", "BUY", "1308.642", "signal",
    )  # fmt: skip
    assert total(found, "realised") == Decimal("-42.842")
    assert [path.name for path in tmp_path.iterdir()] == ["fills.csv"]


def test_a_pipe_gets_the_same_bytes_as_a_file(program: Program) -> None:
    write(program, lived().facts)
    words = ("export", "--state", str(program.state), "--what", "trades", "--csv")
    piped = subprocess.run(
        [*COMMAND, *words, "-"], cwd=program.home, env=program.environment, capture_output=True, check=True
    )
    assert program(*words, "trades.csv").code == 0
    assert piped.stdout == (program.home / "trades.csv").read_bytes()


@pytest.mark.parametrize("method", ["FIFO", "LIFO", "HIFO"])
def test_lots_add_up_to_the_fills(told: Told, tmp_path: Path, method: str) -> None:
    done = told("export", "--csv", tmp_path / "lots.csv", "--what", "lots", "--method", method, "--json")
    lots = rows((tmp_path / "lots.csv").read_text())
    fills = rows(told("export", "--csv", "-").out)
    sold = [one for one in fills if one["side"] == "SELL"]
    bought = [one for one in fills if one["side"] == "BUY"]
    assert total(lots, "proceeds") == total(sold, "value") - total(sold, "fee")
    assert total(lots, "cost") == total(bought, "value") + total(bought, "fee")
    assert total(lots, "gain") == Decimal(done.data["totals"]["gain"]) == Decimal("-42.842")
    assert [one["symbol"] for one in lots if not one["disposed_time"]] == ["SOL-USD"]


def test_lots_go_by_the_method_that_is_asked_for(tmp_path: Path) -> None:
    program, account = AtHome(tmp_path), Account()
    for price in ("100", "300", "200"):
        account.buy("BTC-USD", "1", price, "0").wait()
    write(program, account.sell("BTC-USD", "1", "400", "0").cycle().facts)
    look = looker(program)
    words = ("export", "--csv", tmp_path / "lots.csv", "--what", "lots", "--force", "--json", "--method")
    gains = [look(*words, method).data["totals"]["gain"] for method in ("FIFO", "LIFO", "HIFO")]
    assert gains == ["300", "200", "100"]


def test_an_export_of_a_span_has_what_happened_in_it(told: Told) -> None:
    def exported(what: str) -> list[dict[str, str]]:
        return rows(told("export", "--csv", "-", "--what", what, "--since", "16h").out)

    assert [one["symbol"] for one in exported("fills")] == ["ETH-USD", "SOL-USD"]
    assert [one["symbol"] for one in exported("trades")] == ["ETH-USD"]
    assert [(one["symbol"], bool(one["gain"])) for one in exported("lots")] == [("ETH-USD", True), ("SOL-USD", False)]


def test_an_export_replaces_nothing_unless_it_is_forced(told: Told, tmp_path: Path) -> None:
    target = tmp_path / "trades.csv"
    target.write_text("mine")
    refused = told("export", "--csv", target, "--what", "trades")
    assert (refused.code, target.read_text()) == (2, "mine")
    assert "is there already" in refused.err
    assert told("export", "--csv", target, "--what", "trades", "--force").code == 0
    assert [one["exit_reason"] for one in rows(target.read_text())] == ["trailing", "stop"]


def test_an_export_passes_through_no_file_of_another(told: Told, tmp_path: Path) -> None:
    """In a folder where everybody writes, somebody has laid a link under the name of its draft."""
    theirs = tmp_path / "theirs"
    theirs.touch()
    (tmp_path / f".trades.csv.{os.getpid()}.tmp").symlink_to(theirs)
    assert told("export", "--csv", tmp_path / "trades.csv", "--what", "trades").code == 0
    assert theirs.read_text() == "" and not (tmp_path / "trades.csv").is_symlink()
    assert (tmp_path / "trades.csv").stat().st_mode & 0o777 == 0o600


def test_an_export_goes_where_a_link_leads_and_into_a_pipe_that_is_there(told: Told, tmp_path: Path) -> None:
    link, kept, pipe = tmp_path / "newest.csv", tmp_path / "kept.csv", tmp_path / "pipe"
    kept.write_text("old")
    link.symlink_to(kept)
    assert told("export", "--csv", link).code == 2
    assert told("export", "--csv", link, "--force").code == 0
    assert link.is_symlink() and len(rows(kept.read_text())) == 5
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    assert told("export", "--csv", pipe).code == 0
    assert pipe.is_fifo() and os.read(reader, 100_000) == kept.read_bytes()
    os.close(reader)


def test_what_has_balances_in_it_is_for_its_owner_alone(told: Told, tmp_path: Path) -> None:
    assert told("export", "--csv", tmp_path / "fills.csv").code == 0
    assert (tmp_path / "fills.csv").stat().st_mode & 0o777 == 0o600


def test_an_export_that_cannot_be_written_leaves_nothing(told: Told, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert told("export", "--csv", tmp_path / "no" / "such.csv").code == 2
    assert told("export", "--csv", tmp_path / "folder", "--force").code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert told("export", "--csv", "-", "--json").code == 2
    assert told("export", "--csv", "-", "--what", "everything").code == 2
    assert told("export").code == 2


# --- why -------------------------------------------------------------------------------------------------------------


def test_an_empty_symbol_is_none_that_is_known(told: Told) -> None:
    """A variable of a script that is not set is no question about everything."""
    for words in (("why", ""), ("why", "--no-trade", "")):
        done = told(*words)
        assert done.code == 2 and "knows no ; it knows" in done.err


def test_why_shows_what_matters_and_all_on_demand(told: Told) -> None:
    page = told("why", "BTC", "--cycle", "3").out
    assert "refused, SPREAD; proposed by sma_cross" in page
    assert "> spread" in page
    assert f"{GATE_COUNT - 4} more gates passed: --all shows them" in page
    assert len(told("why", "BTC", "--cycle", "3", "--all").out.splitlines()) == 7 + GATE_COUNT
    shrank = told("why", "SOL").out
    assert "shrank" in next(line for line in shrank.splitlines() if "theme_cap" in line)
    gates = told("why", "SOL", "--json").data["symbols"][0]["gates"]
    assert {one["gate"]: one["verdict"] for one in gates}["theme_cap"] == "SHRANK"


def test_why_no_trade_counts_and_names_the_nearest_miss(told: Told) -> None:
    data = told("why", "--no-trade", "--json").data
    assert [(one["code"], one["times"]) for one in data["refusals"]] == [("CASH", 1), ("SPREAD", 1)]
    assert (data["cycles"], data["proposals"], data["passed"]) == (6, 3, 1)
    nearest = data["nearest_refusal"]
    assert (nearest["cycle"], nearest["row"]["gate"], nearest["short_pct"]) == (3, "spread", 10.0)
    page = told("why", "--no-trade").out
    assert "BTC-USD in cycle 3: spread 55 vs 50 bps, 10.00 % short" in page
    command = next(line for line in page.splitlines() if "--cycle 3" in line).split()[1:]
    assert told(*command).out.splitlines()[1].startswith("BTC-USD in cycle 3, ")
    assert told("why", "--no-trade", "--since", "30m", "--json").data["proposals"] == 2
    assert told("why", "--no-trade", "ETH", "--json").data["proposals"] == 0


@pytest.mark.parametrize(
    "words", ["--since 7d", "--no-trade --cycle 1", "--no-trade --all", "BTC --symbol ETH", "--no-trade --since never"]
)
def test_why_takes_no_contradictions(told: Told, words: str) -> None:
    assert told("why", *words.split()).code == 2


# --- all of them -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", LOOKING)
def test_no_state_is_13(program: Program, command: str) -> None:
    done = looker(program)(*command.split())
    assert (done.code, done.out) == (13, "")
    assert "there is no state" in done.err


@pytest.mark.parametrize("command", LOOKING)
def test_an_account_without_a_cycle_has_nothing_to_tell(tmp_path: Path, command: str) -> None:
    program = AtHome(tmp_path)
    write(program, Account().facts)
    done = looker(program)(*command.split())
    assert done.code == (13 if "--no-trade" in command else 0)
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "command", [*LOOKING, "orders --all", "pnl --by strategy", "why SOL", "why BTC --cycle 3 --all"]
)
def test_what_is_piped_is_plain_and_80_columns_wide(told: Told, command: str) -> None:
    done = told(*command.split())
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    lines = [line for line in done.out.splitlines() if "--state" not in line]
    assert command.startswith("export") or max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize(
    "command",
    ["positions", "orders", "orders --all", "trades", "status", "status --oneline", "why BTC --cycle 1", "why SOL",
     "why --no-trade", "decisions list", "decisions show 1", "halt history"],
)  # fmt: skip
def test_a_moment_has_its_year_and_its_zone(told: Told, command: str) -> None:
    """A year later, and in another country, it is the same."""
    lines = told(*command.split()).out.splitlines()
    for n, line in enumerate(lines):
        if re.search(r"\d\d-\d\d \d\d:\d\d", line):
            table = max((k for k in range(n) if lines[k].startswith("--")), default=0)
            assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d", line), line
            assert "UTC" in line or "UTC" in lines[table - 1], line


def test_figures_of_a_run_are_the_ledgers_in_every_table(traded: Program) -> None:
    told = looker(traded)

    def look(*words: str) -> dict[str, Any]:
        return told(*words, "--json").data

    state, trades = look("status"), look("trades")
    assert trades["trades"]
    realised = Decimal(state["realised"])
    assert total(trades["trades"], "pnl") + total(trades["open"], "realised") == realised
    assert {look("pnl", "--by", by)["total"]["realised"] for by in ("day", "symbol", "strategy")} == {state["realised"]}
    assert [one["symbol"] for one in look("positions")["positions"]] == [one["symbol"] for one in trades["open"]]
    assert look("orders")["open"] == len(state["open_orders"])
    stops = {one["symbol"]: one["trigger"] for one in look("orders")["orders"]}
    assert stops == {one["symbol"]: one["stop"] for one in look("positions")["positions"]}
    judged_, ordered = look("why", "--no-trade"), look("orders", "--all")["orders"]
    assert judged_["passed"] == sum(one["role"] == "ENTRY" for one in ordered)
    assert judged_["proposals"] - judged_["passed"] == sum(one["times"] for one in judged_["refusals"])


# --- trouble ---------------------------------------------------------------------------------------------------------

NOW = EpochMs(Account().now_ms)
HALTS = {
    "killed": (
        killed(ARMED, "kill file", NOW),
        "HALTED since 2024-03-04 00:00 UTC: kill file",
        "--user NAME --reason TEXT",
    ),
    "tripped": (tripped(ARMED, "told so", NOW), "REDUCING since 2024-03-04 00:00 UTC: told so", "trader halt ack"),
    "cooling": (
        acknowledged(tripped(ARMED, "told so", NOW), BAR_MS, NOW),
        "cooling down until 2024-03-04 00:15 UTC",
        "--user NAME --reason TEXT",
    ),
    "disabled": (
        Halt(HaltState.DISABLED, "halt.enabled is false", NOW),
        "HALT DISABLED: halt.enabled is false",
        "nothing trips by itself",
    ),
}


@pytest.mark.parametrize("which", HALTS)
def test_a_halt_is_told_with_the_way_out_of_it(tmp_path: Path, which: str) -> None:
    halt, *words = HALTS[which]
    program, account = AtHome(tmp_path), Account()
    account.facts.append(HaltChanged(halt))
    write(program, account.cycle().facts)
    look = looker(program)
    assert all(one in look("status").out for one in words)
    data = look("status", "--json").data
    assert (data["trading"], data["halt_state"], data["halted"]) == (halt.trading, halt.state, which == "killed")


def test_a_halt_machine_that_never_moved_is_armed_since_the_first_cycle(tmp_path: Path) -> None:
    program, account = AtHome(tmp_path), Account()
    write(program, account.cycle().cycle().facts)
    data = looker(program)("status", "--json").data
    assert (data["halt"]["state"], data["cycles"]) == ("ARMED", 2)
    assert data["halt"]["since_time"] == rfc3339(parse_utc(data["last_decision_time"]) - BAR_MS)


def test_a_cycle_in_which_a_halt_refuses_entries_is_21(program: Program) -> None:
    program.paper("run", "--cycles", "1")
    assert here("halt", "trip", "--reason", "a drill", "--state", program.state).code == 0
    done = program.paper("run-cycle", "--json")
    assert (done.code, done.data["trading"], done.data["halted"]) == (21, "REDUCING", False)
    refused = next(one["symbol"] for one in done.data["refusals"] if one["verdict"] == "HALTED")
    assert "refused, HALTED: a drill\n" in here("why", refused, "--state", program.state).out, "it proposes nothing"


def test_everything_that_needs_a_person_is_told(tmp_path: Path) -> None:
    program, account = AtHome(tmp_path), Account().buy("PEPE-USD", "1000", "0.5")
    account.place("ETH-USD", Role.ENTRY, "1", acknowledged=False)
    account.facts += [
        Paused("holiday", NOW),
        Banned("DOGE", "exploit", NOW, EpochMs(NOW + DAY_MS)),
        Banned("OLD", "over", NOW, NOW),
        Delisted("PEPE-USD", NOW),
        StrategyFailed("momentum", "ValueError: no such shape", NOW),
        DiscrepancyFound("BTC", "ours 1, theirs 2", NOW),
    ]
    write(program, account.cycle().facts)
    look = looker(program)
    page = look("status").out
    for words in (
        "PAUSED: holiday", "BANNED DOGE until 2024-03-05 00:00 UTC: exploit", "sell 1000 PEPE by hand",
        "STRATEGY FAILED momentum: ValueError", "DISCREPANCY in BTC", "UNKNOWN ORDER in ETH-USD",
    ):  # fmt: skip
        assert words in " ".join(page.split())
    assert "OLD" not in page
    data = look("status", "--json").data
    assert (data["paused"], list(data["bans"]), data["delisted"]) == ("holiday", ["DOGE"], ["PEPE-USD"])
    assert (data["failed_strategies"], data["unknown_orders"]) == ({"momentum": "ValueError: no such shape"}, 1)
    assert "sell by hand" in look("positions").out
    line = look("status", "--oneline").out
    assert re.search(
        r", 1 discrepancy, UNKNOWN ORDER for \d+ min, PAUSED, 1 delisted position, 1 failed strategy$", line
    )


def test_the_one_line_tells_what_nothing_protects_and_for_how_long_an_order_has_been_unknown(tmp_path: Path) -> None:
    """Two bare positions that cost 100 and 50, one that its stop protects, and an order sent long ago."""
    program, account = AtHome(tmp_path), Account().buy("ETH-USD", "2", "50").buy("SOL-USD", "1", "50")
    account.buy("BTC-USD", "1", "70").place("BTC-USD", Role.STOP, "1")
    account.place("DOGE-USD", Role.ENTRY, "1", acknowledged=False)
    write(program, account.cycle().cycle().facts)
    line = looker(program)("status", "--oneline").out
    (waited,) = re.findall(r", UNKNOWN ORDER for (\d+) min, NAKED 150\.00 for 15 min$", line)
    assert 0 <= (host_ms() - NOW) // MINUTE_MS - int(waited) <= 1


# --- on a terminal ---------------------------------------------------------------------------------------------------


@contextmanager
def terminal(program: Program, columns: int, *words: str | Path) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """The program on a terminal of its own, and our end of it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    process = subprocess.Popen(
        [*COMMAND, *map(str, words), "--state", str(program.state)],
        cwd=program.home, env=program.environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job has it ignored
    )  # fmt: skip
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(ours: int, words: str, seconds: float = 30) -> str:
    """What came on the terminal up to these words, or to the end."""
    seen, end = "", time.monotonic() + seconds
    while words not in seen and time.monotonic() < end:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                part = os.read(ours, 65_536).decode()
            except OSError:  # the other end is closed
                break
            seen += part
    return seen


def test_a_wide_terminal_shows_every_column(tmp_path: Path) -> None:
    program = AtHome(tmp_path)
    write(program, lived().facts)
    with terminal(program, 140, "trades") as (_, ours):
        wide = read_until(ours, "open position")
    with terminal(program, 80, "trades") as (_, ours):
        narrow = read_until(ours, "open position")
    assert "fees" in wide.splitlines()[3] and "not shown" not in wide
    assert "not shown at 80 columns: opened, fees" in narrow
    assert "\x1b[32m" in wide  # a gain is green


def test_a_watch_draws_again_and_ends_well(tmp_path: Path) -> None:
    program, account = AtHome(tmp_path), Account()
    write(program, account.cycle().facts)
    with terminal(program, 80, "status", "--watch") as (process, ours):
        first = read_until(ours, "Ctrl-C")
        assert "next      2024-03-04 00:15 UTC, market time" in first
        store = SqliteStore.writing(program.state / "paper.db", "digest")
        append(store, [account.cycle().facts[-1]])
        store.close()
        assert "cycles    2, " in read_until(ours, "cycles    2, ")
        process.send_signal(signal.SIGINT)
        rest = read_until(ours, "nothing more")
        assert (process.wait(10), "Traceback" in rest) == (0, False)


def test_a_watch_without_a_terminal_tells_once(told: Told) -> None:
    once = told("status", "--watch")
    assert (once.code, once.out) == (0, told("status").out)
    assert told("status", "--watch", "--json").data["next_decision_time"] == "2024-03-06T05:00:00Z"


def test_of_a_sale_why_tells_what_it_asked_for_and_not_where_its_rest_would_be_protected(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(*RISE[:6], DIP, 110, 110, 110)).configured(strategies__sma_cross__target_pct=6)
    reports = world.run()
    own = ("--mode", "PAPER", "--state", world.state, "--config", world.config)
    (sale,) = [one for one in here("orders", "--all", "--json", *own).data["orders"] if one["role"] == "EXIT"]
    assert sale["trigger"] and Decimal(sale["trigger"]) < Decimal(sale["limit"]) < Decimal(sale["average_price"])
    (cycle,) = [one.cycle_id for one in reports if one.decision and Role.EXIT in [o.role for o in one.decision.orders]]
    told = here("why", "BTC", "--cycle", str(cycle), *own).out
    assert f"sell {sale['quantity']} at {Decimal(sale['limit']):.2f}, exit taker" in told


def test_one_of_anything_is_told_as_one(program: Program) -> None:
    """Of an account of one cycle, and of a backtest of one: "1 cycles" is a slip that a reader trips over."""
    made = [program.paper("run", "--cycles", "1"), program.paper("backup", "--to", program.home / "copies")]
    (copy,) = [one for one in (program.home / "copies").iterdir() if one.is_dir()]
    sample = ("--state", program.state, "--from", "2024-01-01", "--to", "2024-01-01T00:15")
    export = ("--out", program.home / "rows.jsonl", "--since", "15m")
    made += [program.paper(*words) for words in (
        ("status",), ("doctor",), ("why",), ("decisions", "list"), ("decisions", "export", program.home / "kept"),
        ("replay", "--all"), ("restore", copy, "--verify"), ("audit", "export", *export), ("promote",),
    )]  # fmt: skip
    made += [program("backtest", *sample), program("montecarlo", *sample)]
    text = "\n".join(one.out + one.err for one in made)
    assert "1 cycle\n" in text and "1 day\n" not in text.replace("performance, 1 day\n", "")
    assert re.findall(r"(?<![\w.,:%-])1 (?!is |was |has |does )[a-z]+s\b.*", text) == []


def test_many_that_one_reason_excludes_have_one_line_together(tmp_path: Path) -> None:
    """A venue lists hundreds that are in no tier."""
    program, tiers = Inside(tmp_path), "universe.tiers.{}.bases"
    one_coin = {tiers.format("tier_1_core"): ["BTC"], tiers.format("tier_2_rotational"): []}
    write_config(tmp_path / "config", {**one_coin, tiers.format("tier_3_event_driven"): []})
    told = " ".join(program.paper("run", "--cycles", "1", "--config", tmp_path / "config").out.split())
    page = " ".join(program("why", "--state", program.state).out.split())
    assert "SHIB-USD SOL-USD and 3 more: in no tier of the universe" in told
    assert "excluded, in no tier of the universe: ADA-USD ATOM-USD" in page and "SOL-USD and 3 more" in page
    assert page.count("no tier") == 1 and "BTC-USD" in page
    assert "ADA is in no tier" in program("why", "ADA", "--state", program.state).out
