"""A live account whose file is emptied or lost is no new one: its limits would begin anew, its coins be nobody's."""

from pathlib import Path

from tests.live.conftest import Stage
from tests.live.stage import Venue


def test_an_account_that_was_begun_never_begins_again_by_itself(stage: Stage, venue: Venue) -> None:
    live = stage("BTC")
    venue.risen("BTC-USD")
    assert live.settled().data["positions"] == 1
    files = [one for end in ("", "-wal", "-shm") if (one := live.state / f"live.db{end}").exists()]
    kept = {one: one.read_bytes() for one in files}
    sent = venue.truth.stat().st_size
    for left in (b"", None):
        _lost(files, live.journal, left)
        done = live.cycle()
        assert (done.code, "was begun" in done.err) == (13, True), (left, done.err)
        assert venue.truth.stat().st_size == sent
    for one, body in kept.items():
        one.write_bytes(body)
    assert live.settled().data["positions"] == 1


def _lost(files: list[Path], journal: Path, left: bytes | None) -> None:
    for one in files:
        one.unlink(missing_ok=True)
    if left is not None:
        journal.write_bytes(left)
