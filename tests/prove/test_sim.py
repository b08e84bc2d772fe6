"""Whole lives, drawn from seeds: a few of them here, all that ever failed, and whether a wrong one would be found."""

import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.world import CONFIG
from trader_core.prove import witness
from trader_core.prove.proved import Proved
from trader_core.prove.sim import campaign
from trader_core.prove.sim.dice import Dice
from trader_core.prove.sim.drawn import FEATURES, drawn, write_settings
from trader_core.prove.sim.life import Life, Lived
from trader_core.settings.coherence import check
from trader_core.settings.load import load

SEEDS = Path(__file__).parent / "seeds.txt"
KEPT = [tuple(map(int, line.split()[:2])) for line in SEEDS.read_text().splitlines() if line and line[0] != "#"]
BOUNDED = (3, 9, 12)  # seeds with orders, late fills, deaths, kills, outages and trips
CYCLES = 40


def never() -> bool:
    return False


def lived(folder: Path, seeds: int = 1, first: int = BOUNDED[0], cycles: int = CYCLES) -> Proved:
    told = list[int]()
    return campaign.campaign(campaign.Asked(first, seeds, cycles, folder), never, lambda done, _: told.append(done))


@pytest.mark.parametrize(("seed", "cycles"), KEPT)
def test_what_failed_once_never_fails_again(seed: int, cycles: int, tmp_path: Path) -> None:
    assert not lived(tmp_path, 1, seed, cycles).violations


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sim")


@pytest.mark.parametrize("seed", BOUNDED)
def test_lives_hold(seed: int, work: Path) -> None:
    proved = lived(work, 1, seed)
    assert not proved.violations
    assert proved.finished and int(proved.figures["cycles"]) >= CYCLES


def test_a_campaign_goes_on_where_it_was_stopped(work: Path) -> None:
    """What is done is told again and not lived again; a line that a kill cut short is."""
    lines = work / f"lived-{CYCLES}.jsonl"
    kept = lines.read_text()
    lines.write_text(kept + kept[:20])
    before = lines.stat().st_size
    proved = lived(work, 1, BOUNDED[0])
    assert (lines.stat().st_size, proved.figures["seeds"], proved.finished) == (before, 1, True)


class Seen:
    """One life whose files stay, to be tampered with."""

    def __init__(self, place: Path) -> None:
        self.life = Life(drawn(9, CYCLES, CONFIG), place, restarts=False)
        self.lived = self.life.live()
        self.place = place

    def judged(self, tampered: str, state: bool = False) -> list[str]:
        """What the judge says where somebody has done that to the venue's books, or to the journal."""
        path = self.place / "state" / ("paper.db" if state else "paper.venue.db")
        kept = path.with_suffix(".kept")
        shutil.copy(path, kept)
        try:
            with closing(sqlite3.connect(path)) as db, db:
                db.executescript(tampered)
            before = len(self.lived.wrong)
            self.life.judge()
            return self.lived.wrong[before:]
        finally:
            for log in ("-wal", "-shm"):
                path.with_name(path.name + log).unlink(missing_ok=True)
            kept.replace(path)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Seen:
    return Seen(tmp_path_factory.mktemp("seen"))


PLANTED = {
    "an order that nobody intended": (
        "INSERT INTO orders SELECT NULL, 'nobody', symbol, buys, kind, lots, filled, limit_ticks, trigger_ticks, hold, "
        "status, reason, at_ms, until_ms FROM orders WHERE status = 'FILLED' AND buys = 1 LIMIT 1",
        "nobody intended it",
    ),
    "a fill that was never told": (
        "INSERT INTO fills SELECT NULL, client_order_id, symbol, buys, limit_ticks, 1, 1, 0, at_ms FROM orders "
        "WHERE status = 'FILLED' AND buys = 1 LIMIT 1",
        "the ledger does not know",
    ),
    "cash that went away": ("INSERT INTO transfers VALUES (NULL, -5, 0, 'gone')", "for us"),
    "an order of which nobody knows the end": (
        "INSERT INTO noted SELECT NULL, 'order', number, at_ms FROM orders WHERE status = 'FILLED' LIMIT 1",
        "2 venue orders of one intent",
    ),
}


def test_that_life_was_sound_and_not_idle(seen: Seen) -> None:
    assert not seen.lived.wrong
    assert seen.lived.counts["venue orders"] > 5


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_violation_is_found(what: str, seen: Seen) -> None:
    tampered, words = PLANTED[what]
    assert any(words in one for one in seen.judged(tampered)), what


def test_a_changed_row_is_found(seen: Seen) -> None:
    undone = "DROP TRIGGER journal_is_not_changed; UPDATE journal SET at_ms = at_ms + 1 WHERE seq = 5"
    assert any("row 5" in one for one in seen.judged(undone, state=True))


def test_a_purchase_while_killed_is_found(seen: Seen) -> None:
    truth = witness.truth(seen.place / "state" / "paper.venue.db", {})
    assert list(witness.bought_while_killed(truth, [[0, float("inf")]], 0))
    assert not list(witness.bought_while_killed(truth, [[0, 1]], 0))


def test_a_purchase_after_a_loss_is_found(seen: Seen) -> None:
    journal = seen.place / "state" / "paper.db"
    assert list(witness.bought_after_a_loss(journal, -1, 100, 100))
    assert list(witness.bought_after_a_loss(journal, 100, -1, 100))
    assert list(witness.bought_after_a_loss(journal, 100, 100, -1))
    assert not list(witness.bought_after_a_loss(journal, 100, 100, 100))


def test_the_same_seed_is_the_same_life(seen: Seen, tmp_path: Path) -> None:
    again: Lived = Life(drawn(9, CYCLES, CONFIG), tmp_path, restarts=True).live()
    assert (again.head, again.wrong) == (seen.lived.head, [])


def test_every_feature_is_drawn_and_every_policy_is_sound(tmp_path: Path) -> None:
    found = Counter[str]()
    for seed in range(25):
        one = drawn(seed, CYCLES, CONFIG)
        found.update(one.features)
        assert not check(one.settings)
    assert found.keys() == set(FEATURES)
    write_settings(tmp_path / "config", one.settings)
    assert load(tmp_path / "config") == one.settings


def test_dice_fall_by_words_alone() -> None:
    one, same, other = Dice("a", 1), Dice("a", 1), Dice("a", 2)
    assert [one.share(n) for n in range(9)] == [same.share(n) for n in range(9)]
    assert one.share(1) != other.share(1)
    assert {one.whole(2, 4, n) for n in range(60)} == {2, 3, 4}
    assert sorted(one.shares(9, "x")) != list(one.shares(9, "x"))


def test_a_seed_that_failed_is_kept_once(tmp_path: Path) -> None:
    proved = campaign.proved_of(campaign.Asked(7, 1, 30, tmp_path), [
        {"seed": 7, "wrong": ["a", "b"], "counts": {}, "head": "", "took_s": 0.0}
    ], 0.0)  # fmt: skip
    campaign.keep(tmp_path / "seeds.txt", proved)
    campaign.keep(tmp_path / "seeds.txt", proved)
    assert (tmp_path / "seeds.txt").read_text().split() == ["7", "30"]
    assert [one.again for one in proved.violations] == ["trader prove sim --seed 7 --seeds 1 --cycles 30"] * 2
