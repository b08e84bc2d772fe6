"""One record for each decision, with its events; exported under the same name and bytes for ever."""

import json
import re
from pathlib import Path
from typing import Any

from tests.cli.program import Inside
from tests.tampering import altered
from trader_core.report.decisions import decisions
from trader_core.store.files import StateFiles

KINDS = {"gated", "reserved", "sent", "partial", "filled", "rejected", "closed"}


def shown(program: Inside, cycle: int) -> dict[str, Any]:
    done = program("decisions", "show", str(cycle), "--state", program.state, "--json")
    found: Any = done.document["data"]
    (record,) = found
    return dict(record)


def test_a_record_has_what_was_decided_and_what_became_of_it(lived: Inside) -> None:
    record = shown(lived, 2)
    assert (record["schema_version"], record["cycle"], record["decision_time"]) == (2, 2, "2024-01-01T00:15:00Z")
    assert record["hash"] and record["prev_hash"] and record["inputs"] and record["config_digest"]
    assert len(record["judgements"]) > 15 and record["orders"]
    kinds = [one["kind"] for one in record["events"]]
    assert set(kinds) <= KINDS and {"gated", "reserved", "sent"} <= set(kinds)
    for order in {one["client_order_id"] for one in record["events"] if one["client_order_id"]}:
        life = [one["kind"] for one in record["events"] if one["client_order_id"] == order]
        assert life[:2] == ["reserved", "sent"]
    with StateFiles(lived.state, "PAPER").reading() as store:
        hashes = {row.seq: row.hash for row in store.rows()}
    assert all(hashes[one["seq"]] == one["hash"] for one in record["events"])


def test_every_fill_and_every_end_of_an_order_is_an_event_of_its_decision(lived: Inside) -> None:
    with StateFiles(lived.state, "PAPER").reading() as store:
        kinds = [row.kind for row in store.rows()]
        told = [event.kind for one in decisions(store.told(), "x") for event in one.events]
    assert told.count("filled") + told.count("partial") == kinds.count("filled") > 0
    assert told.count("closed") + told.count("rejected") == kinds.count("closed") > 0
    assert told.count("reserved") == kinds.count("intended")


def test_the_list_is_the_newest_first_and_is_filtered(lived: Inside) -> None:
    def listed(*words: str) -> list[dict[str, Any]]:
        done = lived("decisions", "list", *words, "--state", lived.state, "--json")
        assert done.code == 0, done.err
        assert done.data["total"] == len(done.data["decisions"])
        return list(done.data["decisions"])

    every = listed()
    assert [one["cycle"] for one in every] == list(range(96, 0, -1))
    assert len({one["id"] for one in every}) == 96 and all(one["replayable"] for one in every)
    assert [one["cycle"] for one in listed("--since", "1h")] == [96, 95, 94, 93, 92]
    passed = listed("--verdict", "OK")
    assert passed and {one["cycle"] for one in passed} == {one["cycle"] for one in every if one["passed"]}
    assert len(listed("--verdict", "OK", "--symbol", "BTC")) < len(passed)
    assert listed("--verdict", "ok") == passed
    assert listed("--verdict", "NO_SIGNAL") == listed("--verdict", "no_signal")
    for wrong, near in (("REGME", "--verdict REGIME"), ("zz", "--verdict OK")):
        done = lived("decisions", "list", "--verdict", wrong, "--state", lived.state)
        assert done.code == 2 and f"there is no verdict {wrong}" in done.err and near in done.err
    done = lived("decisions", "list", "--state", lived.state)
    assert done.out.splitlines()[1] == "96 decisions"


def test_an_export_writes_the_same_bytes_again_and_refuses_others(lived: Inside, tmp_path: Path) -> None:
    def exported() -> Any:
        return lived("decisions", "export", tmp_path / "out", "--state", lived.state, "--json")

    first = exported()
    files = {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()}
    assert first.code == 0 and first.data["written"] == len(files) and first.data["written"] + first.data["left"] == 96
    assert all(re.fullmatch(r"2024-01-01_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.json", name) for name in files)
    for name, content in files.items():
        record = json.loads(content)
        assert name == f"2024-01-01_{record['id']}.json" and record["over"]
        assert isinstance(record["equity"], str)
    again = exported()
    assert (again.code, again.data["written"], again.data["present"]) == (0, 0, len(files))
    assert {one.name: one.read_bytes() for one in (tmp_path / "out").iterdir()} == files
    some = tmp_path / "out" / min(files)
    some.write_bytes(files[some.name] + b" ")
    (tmp_path / "out" / max(files)).unlink()
    refused = lived("decisions", "export", tmp_path / "out", "--state", lived.state)
    assert refused.code == 20 and str(some) in refused.err
    assert not (tmp_path / "out" / max(files)).exists(), "no file was written"


def test_a_decision_whose_orders_are_open_is_left_for_later(copied: Inside, tmp_path: Path) -> None:
    done = copied("decisions", "export", tmp_path / "out", "--state", copied.state, "--json")
    record = shown(copied, 5)
    names = {one.name for one in (tmp_path / "out").iterdir()}
    left = [one for one in (shown(copied, n) for n in range(1, 7)) if not one["over"]]
    assert done.data["left"] == len(left) > 0
    assert all(f"2024-01-01_{one['id']}.json" not in names for one in left), record["cycle"]


def test_no_decision_and_no_cycle_are_told(copied: Inside) -> None:
    assert copied("decisions", "show", "77", "--state", copied.state).code == 2
    nothing = "UPDATE head SET (seq, hash) = (SELECT seq, hash FROM journal WHERE seq = 1)"
    altered(copied.state / "paper.db", "DELETE FROM journal WHERE seq > 1", nothing)
    done = copied("decisions", "list", "--state", copied.state)
    assert done.code == 13 and "nothing was decided yet" in done.err
