"""The year of minutes, a few hours of it; and whether growth would be found."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from trader_core.prove import soak, witness
from trader_core.prove.proved import Proved


def lived(work: Path, cycles: int) -> Proved:
    return soak.campaign(soak.Asked(cycles, work, leg=40), lambda: False, lambda done, of: None)


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("soak")
    lived(place, 40)
    return place


def test_it_goes_on_where_it_was_stopped_and_the_chain_holds(work: Path) -> None:
    proved = lived(work, 80)
    assert proved.finished and (proved.figures["cycles"], proved.figures["legs"]) == (80, 2)
    assert not [one for one in proved.violations if "yards" not in one.words], "but for the time of a busy machine"


def test_a_changed_row_is_found(work: Path) -> None:
    journal = work / "state" / "paper.db"
    assert not list(witness.chain_breaks(journal))
    with closing(sqlite3.connect(journal)) as db, db:
        db.executescript("DROP TRIGGER journal_is_not_changed; UPDATE journal SET cycle_id = 9 WHERE seq = 7")
    assert [one.split()[0] for one in witness.chain_breaks(journal)] == ["7"]


LEG: dict[str, Any] = {"cycles": 40, "ms": 4.0, "yard_ms": 1.0, "fills": 0, "rss_kb": 60_000, "bytes": 1, "stale": 0}


@pytest.mark.parametrize(
    ("change", "words"),
    [({}, ""), ({"ms": 4.5}, "yards"), ({"rss_kb": 67_000}, "memory"), ({"bytes": 1 << 40}, "bytes"),
     ({"stale": 1}, "old decisions"), ({"ms": 8.0, "yard_ms": 2.0}, "")],
)  # fmt: skip
def test_what_grows_is_a_violation(change: dict[str, Any], words: str, tmp_path: Path, work: Path) -> None:
    legs = [{**LEG, "cycles": 40 * n} for n in range(1, 10)] + [{**LEG, "cycles": 400, **change}]
    (tmp_path / "config").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "legs.jsonl").write_text("".join(json.dumps(one) + "\n" for one in legs))
    with closing(sqlite3.connect(tmp_path / "state" / "paper.db")) as db, db:
        db.executescript("CREATE TABLE segments (last INTEGER); CREATE TABLE journal (seq INTEGER)")
    found = lived(tmp_path, 400).violations
    assert [words in one.words for one in found] == [True] * bool(words)
