"""Runbooks are read where the incident is."""

from pathlib import Path

from tests.cli.program import Inside


def test_every_runbook_is_listed_and_can_be_read(tmp_path: Path) -> None:
    program = Inside(tmp_path)
    listed = {one["name"]: one["title"] for one in program("runbook", "list", "--json").data["runbooks"]}
    assert {"halted", "kill", "unknown-order"} <= listed.keys()
    for name, title in listed.items():
        shown = program("runbook", "show", name)
        assert shown.code == 0 and shown.out.startswith(title) and "<!--" not in shown.out
        assert "What to type" in shown.out
    unknown = program("runbook", "show", "nothing")
    assert unknown.code == 2 and "halted" in unknown.err
