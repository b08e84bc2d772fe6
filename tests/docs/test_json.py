"""The JSON of every command is as published, when it does something and when it refuses; and what was published stays.

Every document that any other test reads is held against the same schemas (`tests/docs/published.py`).
"""

import shutil
from pathlib import Path

import pytest

from cli.commands.schema import SCHEMAS
from cli.manual import Page, manual
from tests.cli.program import Done, Inside, Program
from tests.docs.published import broken, kept, meet, promises

PAPER = ("--mode", "PAPER", "--venue", "simulated")
DID = {  # what each command is asked here, in this order; the account is one that has traded for a day
    "queue.list": (),
    "queue.cancel": ("MATIC",),
    "init": (),
    "run-cycle": PAPER,
    "preview": (*PAPER, "--out", "plan.json"),
    "trials": (),
    "compile": (),
    "validate-config": (),
    "config.diff": ("config", "config"),
    "status": (),
    "positions": (),
    "orders": ("--all",),
    "trades": ("--stats",),
    "pnl": (),
    "export": ("--csv", "fills.csv"),
    "why": ("--no-trade",),
    "decisions.list": (),
    "decisions.show": ("3",),
    "decisions.verify": (),
    "decisions.export": ("told",),
    "replay": ("3",),
    "what-if": ("--set", "risk.max_open_positions=2", "3"),
    "pause": ("--reason", "to see it"),
    "resume": ("--reason", "seen"),
    "reconcile": PAPER,
    "halt.trip": ("--reason", "to see it"),
    "halt.show": (),
    "halt.ack": (),
    "halt.reset": ("--user", "me", "--reason", "seen, and over", "--force"),
    "halt.history": (),
    "breaker.list": (),
    "policy.set": ("risk.max_open_positions=3", "--reason", "to see it"),
    "policy.show": (),
    "policy.profile": ("CAUTIOUS", "--reason", "to see it"),
    "policy.diff": ("1", "2"),
    "policy.history": (),
    "retain": (),
    "policy.rollback": ("2", "--reason", "to see it", "--expires", "1h"),
    "bans.add": ("DOGE", "--reason", "to see it"),
    "bans.list": (),
    "bans.lift": ("DOGE", "--reason", "seen"),
    "paper.deposit": ("100",),
    "paper.withdraw": ("50",),
    "size.calc": ("--equity", "1000", "--conviction-pct", "80", "--stop-pct", "5", "--explain"),
    "sim.cert": ("tls",),
    "completions": ("fish",),
    "schema": ("status",),
    "runbook.list": (),
    "runbook.show": ("halted",),
    "alerts.raise": ("a drill",),
    "backup": (),
    "audit.verify": (),
    "audit.export": ("--out", "journal.jsonl"),
    "incident.start": ("something",),
    "incident.note": ("seen",),
    "incident.list": (),
    "incident.timeline": (),
    "incident.close": ("over",),
    "shadow.report": (),
    "support-bundle": (),
    "install-units": ("--dry-run",),
    "metrics": (),
    "alerts.list": ("--all",),
    "prove.sim": ("--seeds", "1", "--cycles", "20", "--workers", "1"),
    "prove.soak": ("--cycles", "20"),
}
ELSEWHERE = {  # who needs a venue or some time, or something that the sample market does not give
    "run": "tests/cli/test_run.py",
    "backtest": "tests/cli/test_backtest.py",
    "parity": "tests/cli/test_parity.py",
    "prove.kills": "tests/live/test_kill_campaign.py",
    "prove.parity": "tests/prove/test_recorded.py",
    "prove.planted": "tests/prove/test_planted.py",
    "compare": "tests/cli/test_research.py",
    "risk.var": "tests/cli/test_risk.py",
    "risk.corr": "tests/cli/test_risk.py",
    "risk.exposure": "tests/cli/test_risk.py",
    "gate.explain": "tests/cli/test_risk.py",
    "liquidate": "tests/live/test_liquidate.py",
    "close-all-positions": "tests/live/test_liquidate.py",
    "prove.crash": "tests/prove/test_crash.py",
    "prove.failing": "tests/prove/test_crash.py",
    "prove.sigkill": "tests/prove/test_crash.py",
    "arm": "tests/cli/test_live_gate.py",
    "disarm": "tests/cli/test_live_gate.py",
    "check-clock": "tests/cli/test_live_keys.py",
    "rotate-secrets": "tests/cli/test_live_keys.py",
    "kill": "tests/live/test_kill.py",
    "breaker.reset": "tests/cli/test_breaker.py",
    "data.import": "tests/cli/test_data.py",
    "data.list": "tests/cli/test_data.py",
    "data.check": "tests/cli/test_data.py",
    "data.fetch": "tests/live/test_fetch.py",
    "montecarlo": "tests/cli/test_research.py",
    "paper.reset": "tests/cli/test_acts.py",
    "sweep": "tests/cli/test_research.py",
    "walk-forward": "tests/cli/test_research.py",
    "restore": "tests/cli/test_upkeep.py",
    "audit.anchor": "tests/cli/test_upkeep.py",
    "doctor": "tests/cli/test_doctor.py",
    "promote": "tests/cli/test_logbook.py",
    "alerts.test": "tests/alerts/test_delivery.py",
    "alerts.ack": "tests/alerts/test_delivery.py",
    "alerts.drain": "tests/alerts/test_delivery.py",
    "sim.serve": "tests/cli/rehearsal.py",  # a line of its own, when it is ready
}
WITHOUT = {"sim.serve"}  # what tells no document


def name(page: Page) -> str:
    return ".".join(page.path)


def ends() -> list[Page]:
    """Commands that do something themselves."""
    return [one for one in manual().all() if one.path and not one.below]


def told(program: Program, command: str, *words: str) -> Done:
    place = () if "--state" in words else ("--state", program.state)
    return program(*command.split("."), *words, *place, "--json")


def test_every_command_is_tried_here_or_elsewhere() -> None:
    assert DID.keys().isdisjoint(ELSEWHERE)
    assert DID.keys() | ELSEWHERE.keys() == {name(one) for one in ends()}
    root = Path(__file__).parents[2]
    assert [one for one in ELSEWHERE.values() if not (root / one).exists()] == []


def test_every_command_tells_what_is_published(traded: Program, tmp_path: Path) -> None:
    program = Inside(tmp_path)
    shutil.copytree(traded.state, program.state)
    shutil.copytree(SCHEMAS.parents[1] / "config", tmp_path / "config")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path)
        patched.setenv("HOME", str(tmp_path))
        patched.delenv("XDG_CONFIG_HOME", raising=False)
        done = {command: told(program, command, *words) for command, words in DID.items()}
    assert {command: one.document["schema"] for command, one in done.items()} == {
        command: f"trader.{command}/v1" for command in DID
    }
    assert {command: one.err for command, one in done.items() if one.code} == {}


def test_every_command_that_is_asked_wrongly_tells_so_in_the_same_envelope(tmp_path: Path) -> None:
    program = Inside(tmp_path)
    for page in ends():
        done = told(program, name(page), "--no-such-option")
        if page.path == ("kill",):  # it never refuses
            continue
        assert (done.code, done.document["data"]["error"]["safe"]) == (2, "nothing was done")


def test_every_command_has_a_published_schema_and_every_schema_a_command() -> None:
    published = {one.stem for one in SCHEMAS.glob("*.json")}
    assert published == {name(one) for one in ends()} - WITHOUT | {"version"}


def test_what_was_promised_holds_and_what_is_published_is_promised() -> None:
    assert broken() == [], "published paths are gone or changed; if that is right, take their lines out of promised.txt"
    assert sorted({*promises()} - {*kept()}) == [], "type `make docs-write`"


def test_a_document_that_is_not_as_published_is_noticed(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    document = told(program, "completions", "fish").document
    monkeypatch.delenv("TRADER_WRITE", raising=False)
    for spoilt in (
        document | {"data": document["data"] | {"more": 1}},
        document | {"data": {key: value for key, value in document["data"].items() if key != "shell"}},
        document | {"data": document["data"] | {"shell": 1}},
        document | {"ok": "yes"},
        {key: value for key, value in document.items() if key != "warnings"},
    ):
        with pytest.raises(AssertionError, match="is not as published"):
            meet(spoilt)


def test_a_schema_is_printed_and_listed(program: Program) -> None:
    assert program("schema", "halt", "show").out == (SCHEMAS / "halt.show.json").read_text(encoding="utf-8")
    assert "halt.show" in program("schema").out.split()
    assert program("schema", "halt", "shown").code == 2
