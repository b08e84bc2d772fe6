"""What is done is kept at once, whole, and never done again; what other code or another market made is never found."""

from pathlib import Path

import numpy as np
import pytest

from tests.research.make import ONE_BY_ONE, START, candidates, days, policy, scored_over, study, world
from tests.research.work import Broken, Told
from trader_core.domain.clocktime import DAY_MS
from trader_core.domain.errors import DataUnavailable
from trader_core.domain.values import replace
from trader_core.ports import CandleSource
from trader_core.research.shelf import ARRAYS, opened_world, part_of, write
from trader_core.research.sweep import tried, worlds_of
from trader_core.research.tasks import BATCH_MAX, Held, Kept, batched, run_tasks
from trader_core.research.trial import trial_of
from trader_core.settings.edit import to_text
from trader_core.settings.schema import Settings

BAR_MS = 900_000


def runs(folder: Path, name: str) -> int:
    path = folder / f"{name}.runs"
    return len(path.read_text()) if path.exists() else 0


def test_what_is_kept_is_not_run_again(tmp_path: Path) -> None:
    tasks = [Told(name, str(tmp_path)) for name in ("a", "b", "a")]
    for _ in range(2):
        found = run_tasks(tasks, ONE_BY_ONE, Kept(tmp_path / "kept"), lambda done, total: None)
        assert found == ("outcome of a", "outcome of b", "outcome of a")
    assert (runs(tmp_path, "a"), runs(tmp_path, "b")) == (1, 1)


def test_what_was_done_before_a_failure_is_kept(tmp_path: Path) -> None:
    """Tasks of a batch share its fate; those of batches before it are safe."""
    tasks = [Told(f"t{n}", str(tmp_path)) for n in range(8)] + [Broken("bug", str(tmp_path))]
    kept = Kept(tmp_path / "kept")
    with pytest.raises(ArithmeticError):
        run_tasks(tasks, ONE_BY_ONE, kept, lambda done, total: None)
    before = [name for name in (f"t{n}" for n in range(8)) if kept.find(name)]
    assert len(before) >= 6
    run_tasks(tasks[:8], ONE_BY_ONE, kept, lambda done, total: None)
    assert all(runs(tmp_path, name) == 1 for name in before)


@pytest.mark.parametrize("damage", [b"", b"outcome", b"outcome of a\n", b"\xff\xfe", b"outcome of b\n0000\n"])
def test_a_file_in_pieces_counts_as_none(tmp_path: Path, damage: bytes) -> None:
    kept = Kept(tmp_path)
    kept.keep("a", "outcome of a")
    assert kept.find("a") == "outcome of a"
    (tmp_path / "a.json").write_bytes(damage)
    assert kept.find("a") is None


def test_progress_ends_at_the_total_and_counts_what_was_kept() -> None:
    seen: list[tuple[int, int]] = []
    held = Held({"a": "outcome of a"})
    run_tasks([Told("a", "/nowhere")], ONE_BY_ONE, held, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 1)]


@pytest.mark.parametrize("count", [0, 1, 7, 100, 1000])
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_batches_hold_every_task_once(count: int, workers: int) -> None:
    tasks = [Told(str(n), "") for n in range(count)]
    found = batched(tasks, workers)
    assert [one for batch in found for one in batch] == tasks
    assert all(1 <= len(batch) <= BATCH_MAX for batch in found)


def test_an_outcome_belongs_to_its_market_its_policy_and_its_span(tmp_path: Path) -> None:
    two, three = study(tmp_path), study(tmp_path, count=3)
    (one,) = candidates(two, fast_bars=(3,))
    (other,) = candidates(two, fast_bars=(4,))
    short, longer = worlds_of(two, [one])[one.edits], worlds_of(three, [one])[one.edits]
    base, span = to_text(policy()), (short.start_ms, short.end_ms)
    digests = {
        trial_of(base, one, short, span).digest,
        trial_of(base, one, short, (span[0], span[1] - short.bar_ms)).digest,
        trial_of(base, one, short, span, series=True).digest,
        trial_of(base, one, longer, span).digest,
        trial_of(base, other, short, span).digest,
    }
    assert len(digests) == 5


def test_a_world_comes_back_as_it_was_and_read_only(tmp_path: Path) -> None:
    made = world(2)
    place, digest = write(made, tmp_path)
    found = opened_world(str(place))
    assert write(found, tmp_path) == (place, digest)
    assert (found.instruments, found.exclusions, found.first) == (made.instruments, made.exclusions, made.first)
    for name in ARRAYS:
        assert np.array_equal(getattr(found.frame, name), getattr(made.frame, name))
        assert not getattr(found.frame, name).flags.writeable
    close = made.frame.close.copy()
    close[-1, 0] += 1
    assert write(replace(made, frame=replace(made.frame, close=close)), tmp_path)[1] != digest


def test_a_folder_that_another_machine_does_not_see_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable, match="is not there on") as told:
        opened_world(str(tmp_path / "gone"))
    assert "--resume" in told.value.remedy


@pytest.mark.parametrize("name", ["close.npy", "present.npy", "world.json"])
@pytest.mark.parametrize("keep", [0, 90, -8])
def test_a_world_that_a_power_cut_left_in_pieces_is_written_again(tmp_path: Path, name: str, keep: int) -> None:
    made = world(2)
    place, digest = write(made, tmp_path)
    whole = (place / name).read_bytes()
    (place / name).write_bytes(whole[:keep])
    assert write(made, tmp_path) == (place, digest)
    assert (place / name).read_bytes() == whole


def test_a_part_of_a_world_decides_as_if_it_had_been_opened_for_that_span(tmp_path: Path) -> None:
    """Windows are exact, so the history in front is the same wherever the file begins."""
    of = study(tmp_path, count=4)
    (one,) = candidates(of, fast_bars=(3,))
    part = scored_over(of, one, START + 2 * DAY_MS, START + 4 * DAY_MS).figures

    def later(settings: Settings) -> tuple[CandleSource, int, int]:
        source, start_ms, end_ms = days(4)(settings)
        return source, start_ms + 2 * DAY_MS, end_ms

    (alone,) = tried(replace(study(tmp_path, count=4), markets=later), [one])
    assert alone.figures == part
    assert part.total_trades > 0
    (shelf,) = worlds_of(of, [one]).values()
    cut = part_of(shelf.folder, START + 2 * DAY_MS, START + 3 * DAY_MS)
    assert (cut.first, cut.frame.rows) == (shelf.back, shelf.back + 96)
    assert (cut.frame.closes_ms[cut.first], cut.frame.closes_ms[-1]) == (
        START + 2 * DAY_MS,
        START + 3 * DAY_MS - BAR_MS,
    )
