"""One table, from processes of this machine, a Dask cluster or a Ray cluster; and nothing is lost with a worker."""

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.plain import document
from tests.research.make import ONE_BY_ONE, candidates, policy, study
from tests.research.work import Broken, Deadly, Poison, Told
from trader_core.domain.errors import UsageError
from trader_core.research.pools import DaskPool, RayPool, WorkersLost, opened
from trader_core.research.sweep import Study, best_first, table, tried, worlds_of
from trader_core.research.tasks import Held, Pool, Task, run_tasks
from trader_core.research.trial import Trial, trial_of
from trader_core.settings.edit import to_text

WIDE = {"fast_bars": (2, 4, 8, 40), "slow_bars": (9, 30)}  # 40 is not below either: no configuration


def quiet(done: int, total: int) -> None:
    """Nobody looks."""


@pytest.fixture(scope="module", params=["local", "dask://local", "ray://local"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("RAY_AUTH_MODE", "disabled")  # of a person who once had trouble with it
        with opened(request.param, 2) as found:
            yield found


def table_of(of: Study) -> str:
    return document(table(tried(of, candidates(of, **WIDE)), "sharpe", None))


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The table as this process alone makes it."""
    return table_of(study(tmp_path_factory.mktemp("worlds")))


def trials(of: Study) -> list[Trial]:
    found = [one for one in candidates(of, **WIDE) if one.policy is not None]
    worlds = worlds_of(of, found)
    base = to_text(of.base)
    return [trial_of(base, one, at := worlds[one.edits], (at.start_ms, at.end_ms)) for one in found]


def test_every_engine_makes_the_same_table(pool: Pool, expected: str, tmp_path: Path) -> None:
    assert table_of(study(tmp_path, pool)) == expected
    assert expected.count('"total_trades"') == 6
    assert expected.count("is not below slow_bars") == 2


def test_a_worker_killed_in_the_middle_loses_nothing(pool: Pool, tmp_path: Path) -> None:
    replays: list[Task] = [*trials(study(tmp_path))]
    tasks = [*replays[:3], Deadly("deadly", str(tmp_path)), *replays[3:], Told("told", str(tmp_path))]
    found = run_tasks(tasks, pool, Held(), quiet)
    assert (tmp_path / "deadly.death").exists()
    assert found[3] == "outcome of deadly"
    assert found[-1] == "outcome of told"
    assert [*found[:3], *found[4:-1]] == [one.run() for one in replays]


def test_a_task_that_kills_every_worker_ends_the_study_and_keeps_the_rest(pool: Pool, tmp_path: Path) -> None:
    results = Held()
    told: list[Task] = [Told(f"told {n}", str(tmp_path)) for n in range(4)]
    run_tasks(told, pool, results, quiet)
    with pytest.raises(WorkersLost, match="workers died"):
        run_tasks([*told, Poison("poison", str(tmp_path))], pool, results, quiet)
    assert sorted(results.found) == [f"told {n}" for n in range(4)]
    assert {path.read_text() for path in tmp_path.glob("*.runs")} == {"."}


def test_a_bug_in_a_task_is_told_as_it_is(pool: Pool, tmp_path: Path) -> None:
    with pytest.raises(ArithmeticError, match="bug"):
        run_tasks([Broken("bug", str(tmp_path))], pool, Held(), quiet)


def test_a_cluster_that_runs_already_is_used_by_its_address(pool: Pool, tmp_path: Path) -> None:
    if not isinstance(pool, DaskPool):
        pytest.skip("only Dask lets one process meet its own cluster twice")
    address = pool.client.scheduler.address.removeprefix("tcp://")
    with opened(f"dask://{address}", 1) as other:
        assert run_tasks([Told("told", str(tmp_path))], other, Held(), quiet) == ("outcome of told",)


def test_a_cluster_that_is_started_here_lets_nobody_else_in(pool: Pool) -> None:
    """Ray listens to the network whatever it is told, so its workers ask for a token that only this process has."""
    if not isinstance(pool, RayPool):
        pytest.skip("only Ray listens to more than this machine")
    address = pool.ray.get_runtime_context().gcs_address
    others = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    join = [sys.executable, "-c", f"import ray; ray.init('{address}'); print('inside')"]
    with subprocess.Popen(join, env=others, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as outsider:
        told = next(line for line in outsider.stdout or () if "InvalidAuthToken" in line or line == "inside\n")
        outsider.kill()
    assert "InvalidAuthToken" in told


def test_a_market_is_mapped_and_never_sent(tmp_path: Path) -> None:
    """What goes to a worker are names and times, as many for a long market as for a short one."""
    short, long = (study(tmp_path / str(count), count=count) for count in (2, 12))
    sent = [max(len(pickle.dumps(one)) for one in trials(of)) for of in (short, long)]
    mapped = [sum(path.stat().st_size for path in of.folder.rglob("*.npy")) for of in (short, long)]
    assert abs(sent[1] - sent[0]) < 10
    assert max(sent) < 50_000 < mapped[1] - mapped[0]
    assert len(list(tmp_path.rglob("world.json"))) == 2


@pytest.mark.parametrize("engine", ["Local", "dask", "dask://", "spark://here:1", "local://"])
def test_an_engine_that_nobody_knows_is_refused(engine: str) -> None:
    with pytest.raises(UsageError, match="is not known"), opened(engine, 1):
        pass


def test_the_best_comes_first_and_what_is_unknown_comes_last(tmp_path: Path) -> None:
    found = tried(of := study(tmp_path), candidates(of, **WIDE))
    sharpes = [one.figures.sharpe for one in best_first(found, "sharpe") if one.figures]
    falls = [one.figures.max_drawdown_pct for one in best_first(found, "max_drawdown_pct") if one.figures]
    known = [one for one in sharpes if one is not None]
    assert known == sorted(known, reverse=True)
    assert sharpes[: len(known)] == known
    assert falls == sorted(falls)
    assert [one.figures is None for one in best_first(found, "sharpe")] == [False] * 6 + [True] * 2


def test_policies_that_look_at_other_markets_have_worlds_of_their_own(tmp_path: Path) -> None:
    """In bars of five minutes the same days are another market."""
    from trader_core.research.space import Choice, grid
    from trader_core.research.sweep import candidates_of

    of = study(tmp_path)
    found = candidates_of(of, grid([Choice("policy.cycle.base_bar_min", (5, 15))]))
    worlds = worlds_of(of, found)
    assert [worlds[one.edits].bar_ms for one in found] == [300_000, 900_000]
    assert ONE_BY_ONE.workers == 1
    assert policy().policy.cycle.base_bar_min == 15
    assert len({one.figures for one in tried(of, found)}) == 2
