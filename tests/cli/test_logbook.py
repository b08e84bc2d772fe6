"""Incidents, promotion and the support bundle, through the program; each criterion of a promotion, missed alone."""

import io
import json
import resource
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Inside
from tests.report.journals import Account
from tests.tampering import altered
from trader_core.domain.facts import DiscrepancyFound, HaltChanged, Intended
from trader_core.domain.fill import Side
from trader_core.domain.halt import ARMED, tripped
from trader_core.domain.incident import Promoted
from trader_core.domain.order import OrderKind, Role
from trader_core.domain.values import replace
from trader_core.engine.journal import Journal
from trader_core.ops.clock import host_ms
from trader_core.report.promotion import Lived, criteria
from trader_core.store.logbook import Logbook
from trader_core.store.sqlite import SqliteStore

CANARY = "canary-0123456789abcdef0123456789abcdef"


@pytest.fixture
def program(tmp_path: Path) -> Inside:
    found = Inside(tmp_path)
    found.state.mkdir(mode=0o700)
    return found


def acted(program: Inside, *words: str | Path, code: int = 0) -> dict[str, Any]:
    done = program(*words, "--state", program.state, "--json")
    assert done.code == code, done.out + done.err
    return done.data


def lived(program: Inside, mode: str, cycles: int) -> None:
    words = ("run", "--mode", mode, "--venue", "simulated", "--cycles", str(cycles))
    equity = ("--equity", "10000") if mode == "DRY_RUN" else ()
    assert program(*words, *equity, "--state", program.state).code == 0


def on_the_wall_clock(program: Inside, mode: str) -> None:
    """The account as it would be had its market kept the time of this machine."""
    change = "UPDATE identity SET value = replace(value, 'virtual', 'wall') WHERE key = 'clock'"
    altered(program.state / f"{mode.lower()}.db", change)


# --- incidents -------------------------------------------------------------------------------------------------------


def test_an_incident_is_written_down_while_it_lasts_and_tells_what_the_account_did(program: Inside) -> None:
    assert acted(program, "incident", "start", "the venue  answers slowly")["title"] == "the venue answers slowly"
    now = host_ms()
    halt = HaltChanged(tripped(ARMED, "too slow", now))
    store = SqliteStore(program.state / "paper.db", {"mode": "PAPER", "clock": "wall, 900000 ms"}, "")
    Journal(store).record(now, [halt, DiscrepancyFound("cash", "1 is missing", now)])
    store.close()
    acted(program, "incident", "note", "called them")
    told = [one["what"] for one in acted(program, "incident", "timeline")["timeline"]]
    assert told[0] == "started: the venue answers slowly" and told[-1] == "called them"
    assert {"halt_changed: TRIPPED too slow", "discrepancy_found: 1 is missing"} <= {*told}
    closed = acted(program, "incident", "close", "they mended it")
    assert closed["ended"] and [one["text"] for one in closed["notes"]] == ["called them", "they mended it"]
    assert acted(program, "incident", "list")["incidents"][0]["ended"]


def test_of_two_open_incidents_one_must_be_named(program: Inside) -> None:
    acted(program, "incident", "start", "one")
    acted(program, "incident", "start", "two")
    done = program("incident", "note", "which?", "--state", program.state)
    assert done.code == 2 and "open: 1, 2" in done.err
    assert acted(program, "incident", "note", "this one", "--number", "1")["number"] == 1
    acted(program, "incident", "close", "over", "--number", "2")
    assert acted(program, "incident", "note", "now it is clear")["number"] == 1


def test_what_is_refused_begins_no_logbook(program: Inside) -> None:
    for word in ("note", "close"):
        assert program("incident", word, "of what", "--state", program.state / "new").code == 2
    assert not list((program.state / "new").glob("*"))


def test_incidents_that_begin_in_the_same_moment_are_each_one_of_their_own(program: Inside) -> None:
    titles = [f"thing {n}" for n in range(4)]
    begun = [program.start("incident", "start", one, "--state", program.state) for one in titles]
    ended = [(one.communicate(), one.returncode) for one in begun]
    assert [code for _, code in ended] == [0] * len(titles), ended
    found = acted(program, "incident", "list")["incidents"]
    assert sorted(one["title"] for one in found) == titles
    assert [one["number"] for one in found] == [4, 3, 2, 1]


def test_a_logbook_that_was_changed_is_refused_and_kept(program: Inside) -> None:
    acted(program, "incident", "start", "one")
    altered(program.state / "logbook.db", "UPDATE log SET body = replace(body, 'one', 'two')")
    done = program("incident", "list", "--state", program.state)
    assert done.code == 13 and "another hand" in done.err
    assert program("incident", "start", "more", "--state", program.state).code == 13


# --- promotion -------------------------------------------------------------------------------------------------------


def missing(program: Inside) -> set[str]:
    return {one["name"] for one in acted(program, "promote", code=20)["criteria"] if not one["passed"]}


def test_a_stage_is_written_down_only_when_everything_holds(program: Inside) -> None:
    lived(program, "DRY_RUN", 100)
    acted(program, "incident", "start", "something")
    assert missing(program) == {"days in the stage before", "incidents"}  # a market's own time is no day lived
    acted(program, "incident", "close", "nothing it was")
    on_the_wall_clock(program, "DRY_RUN")
    assert acted(program, "promote", "--record")["recorded"] is True
    lived(program, "PAPER", 12)
    on_the_wall_clock(program, "PAPER")
    assert missing(program) == {"days in the stage before", "cycles", "backtest", "churn"}
    done = program("promote", "--record", "--state", program.state)
    assert done.code == 2 and "nothing was recorded" in done.err
    assert acted(program, "promote", code=20)["stage"] == "PAPER"


def test_the_share_of_makers_is_of_entries_that_are_over(program: Inside) -> None:
    """One was taken; one rests, a quarter filled."""
    now, account = host_ms(), Account().buy("BTC-USD", "1", "100")
    ordered = next(n for n, one in enumerate(account.facts) if isinstance(one, Intended))
    taken = account.facts[ordered]
    assert isinstance(taken, Intended)
    account.facts[ordered] = replace(taken, approved=replace(taken.approved, kind=OrderKind.TAKER))
    account.fill(account.place("ETH-USD", Role.ENTRY, "4"), "ETH-USD", Side.BUY, "1", "100", "0.5")
    store = SqliteStore(program.state / "live.db", {"mode": "LIVE", "clock": "wall, 900000 ms"}, "")
    Journal(store).record(now, account.cycle().facts[1:])
    store.close()
    Logbook(program.state).append(lambda _: Promoted("TINY_LIVE", (), "", "me", now), now)
    found = {one["name"]: one["found"] for one in acted(program, "promote", code=20)["criteria"]}
    assert (found["filled as maker, %"], found["entries filled, %"]) == ("0", "100")


GOOD = Lived(
    days=30, cycles=3_000, troubled=10, halts=0, discrepancies=0, equity=1_000.0, earned=10.0, trades=60,
    maker_pct=80.0, filled_pct=90.0, altered=0, incidents_open=0, quiet_days=None,
)  # fmt: skip
BACKTEST: dict[str, Any] = {
    "metadata": {"config_digest": "d", "seed": None},
    "summary": {"win_rate": "50", "average_win_pct": "3", "average_loss_pct": "-2", "max_drawdown_pct": "5"},
    "performance": {"sharpe": {"value": 1.5}, "days": 10},
    "breakdown": {
        "regime": {name: {"pnl": "5"} for name in ("bull", "chop", "bear")},
        "symbol": {name: {"pnl": "5"} for name in ("BTC-USD", "ETH-USD", "SOL-USD")},
    },
    "trades": [{"symbol": "BTC-USD", "hold_hours": "2"}] * 20,
}
FLIPS: dict[str, tuple[str, dict[str, Any]]] = {
    "days in the stage before": ("LIVE", {"days": 13.0}),
    "cycles": ("LIVE", {"cycles": 999}),
    "venue read whole": ("LIVE", {"troubled": 151}),
    "halts": ("LIVE", {"halts": 1}),
    "discrepancies": ("LIVE", {"discrepancies": 1}),
    "incidents": ("LIVE", {"incidents_open": 1}),
    "decisions come out again": ("LIVE", {"altered": None}),
    "equity": ("LIVE", {"equity": None}),
    "quiet": ("LIVE", {"quiet_days": 29.0}),
    "closed positions": ("LIVE", {"trades": 49}),
    "earned after all costs": ("LIVE", {"earned": -0.01}),
    "filled as maker, %": ("LIVE", {"maker_pct": None}),
    "entries filled, %": ("LIVE", {"filled_pct": 84.0}),
}


@pytest.mark.parametrize("name", FLIPS)
def test_each_criterion_of_what_was_lived_is_missed_alone(name: str) -> None:
    stage, change = FLIPS[name]
    assert all(one.passed for one in criteria(stage, GOOD, None, "d"))
    found = criteria(stage, replace(GOOD, **change), None, "d")
    assert [one.name for one in found if not one.passed] == [name]


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("backtest of this configuration", ("metadata", "config_digest"), "another"),
        ("real candles", ("metadata", "seed"), 7),
        ("earns in every regime", ("breakdown", "regime", "bear"), {"pnl": "-1"}),
        ("Sharpe ratio", ("performance", "sharpe"), {"value": 1.0}),
        ("drawdown, %", ("summary", "max_drawdown_pct"), "15.1"),
        ("winners", ("summary", "win_rate"), "45"),
        ("earned by one symbol, %", ("breakdown", "symbol", "BTC-USD"), {"pnl": "50"}),
        ("trades a symbol and day", ("performance", "days"), 2),
        ("median hold, minutes", ("trades",), [{"symbol": "BTC-USD", "hold_hours": "0.5"}] * 20),
    ],
)
def test_each_criterion_of_a_backtest_is_missed_alone(name: str, path: tuple[str, ...], value: object) -> None:
    assert all(one.passed for one in criteria("TINY_LIVE", GOOD, BACKTEST, "d"))
    changed = json.loads(json.dumps(BACKTEST))
    inner = changed
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = value
    found = criteria("TINY_LIVE", GOOD, changed, "d")
    assert [one.name for one in found if not one.passed] == [name]


def test_few_winners_that_win_much_are_winners_too() -> None:
    changed = {**BACKTEST, "summary": {**BACKTEST["summary"], "win_rate": "30", "average_win_pct": "4.1"}}
    assert all(one.passed for one in criteria("TINY_LIVE", GOOD, changed, "d"))


# --- for somebody who helps ------------------------------------------------------------------------------------------


def test_the_bundle_has_what_is_asked_for_and_no_secret(program: Inside, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COINBASE_API_KEY", f"organizations/{CANARY}")
    monkeypatch.setenv("COINBASE_API_SECRET", f"-----BEGIN EC PRIVATE KEY-----\n{CANARY}\n-----END EC PRIVATE KEY-----")
    assert program.paper("run", "--cycles", "5").code == 0
    acted(program, "incident", "start", "something")
    out = program.home / "bundle.tar.gz"
    acted(program, "support-bundle", "--out", out)
    with tarfile.open(fileobj=io.BytesIO(out.read_bytes())) as archive:
        texts = {one.name: (archive.extractfile(one) or io.BytesIO()).read().decode() for one in archive.getmembers()}
    names = {name.removeprefix("trader-support/") for name in texts}
    assert {"doctor.json", "status.json", "version.json", "config/policy.yaml", "journal/paper.jsonl"} <= names
    assert json.loads(texts["trader-support/status.json"])["cycles"] == 5
    assert CANARY not in "".join(texts.values())
    assert program("support-bundle", "--out", out, "--state", program.state).code == 2  # it is there already


def test_a_bundle_on_a_full_disk_leaves_nothing_and_says_so(program: Inside) -> None:
    out = program.home / "bundle.tar.gz"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, before[1]))
    try:
        done = program("support-bundle", "--out", out, "--state", program.state, "--json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (done.code, done.data["error"]["what"]) == (2, f"--out {out} cannot be written: File too large")
    assert not list(program.home.glob("*bundle*"))
    acted(program, "support-bundle", "--out", out)
    assert out.stat().st_mode & 0o777 == 0o600


def test_a_bundle_of_a_broken_account_says_what_could_not_be_had(program: Inside) -> None:
    (program.state / "paper.db").write_bytes(b"no database at all")
    out = program.home / "bundle.tar.gz"
    acted(program, "support-bundle", "--out", out)
    with tarfile.open(out) as archive:
        member = archive.extractfile("trader-support/status.json")
        assert member is not None and b"it could not be had" in member.read()
