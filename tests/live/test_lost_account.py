"""A live account whose file is emptied or lost is no new one: its limits would begin anew, its coins be nobody's."""

from tests.live.conftest import Stage
from tests.live.stage import Venue


def test_an_account_that_was_begun_never_begins_again_by_itself(stage: Stage, venue: Venue) -> None:
    live = stage("BTC")
    venue.risen("BTC-USD")
    assert live.settled().data["positions"] == 1
    files = [one for end in ("", "-wal", "-shm") if (one := live.state / f"live.db{end}").exists()]
    kept = {one: one.read_bytes() for one in files}
    sent = venue.truth.stat().st_size
    for name, lose in (("emptied", lambda path: path.write_bytes(b"")), ("gone", lambda path: path.unlink())):
        for one in files:
            one.unlink(missing_ok=True)
        live.journal.write_bytes(b"")
        lose(live.journal)
        done = live.cycle()
        assert (done.code, "was begun" in done.err) == (13, True), (name, done.err)
        assert venue.truth.stat().st_size == sent
    for one, body in kept.items():
        one.write_bytes(body)
    assert live.settled().data["positions"] == 1
