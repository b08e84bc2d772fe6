"""What a cycle leaves on disk: one record each, small when nothing happened, and answers for every symbol."""

from pathlib import Path

from tests.world import CONFIG
from trader_core.bootstrap import open_system
from trader_core.desk import open_state
from trader_core.domain.facts import CycleClosed, Decided
from trader_core.engine.run import cycles
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles

QUIET_BYTES_MAX = 4096


def test_a_quiet_cycle_over_sixteen_instruments_is_recorded_in_four_kilobytes(tmp_path: Path) -> None:
    options = Options(state=tmp_path, config=CONFIG, mode="PAPER", venue="simulated")
    with open_system(options) as system:
        reports = list(cycles(system.ports, system.policy, system.journal, lambda: False, 96))
    quiet = [r.cycle_id for r in reports if r.decision and not (r.decision.orders or r.decision.refusals or r.fills)]
    with open_state(options) as (store, _):
        rows = list(store.rows())
    sizes = {one: sum(len("".join(map(str, row))) for row in rows if row.cycle_id == one) for one in quiet}
    assert len(sizes) > 10
    assert max(sizes.values()) <= QUIET_BYTES_MAX


def test_every_cycle_has_exactly_one_decision_and_one_closing_record(tmp_path: Path) -> None:
    options = Options(state=tmp_path, config=CONFIG, mode="PAPER", venue="simulated")
    for _ in range(2):
        with open_system(options) as system:
            list(cycles(system.ports, system.policy, system.journal, lambda: False, 10))
    with StateFiles(tmp_path, "PAPER").reading() as store:
        facts = list(store.facts())
    decided = [fact for fact in facts if isinstance(fact, Decided)]
    closed = [fact for fact in facts if isinstance(fact, CycleClosed)]
    assert [one.decision_ms for one in decided] == [one.decision_ms for one in closed]
    assert len({one.decision_ms for one in closed}) == 20
    for one in decided:
        listed = [judged for judged in one.judgements if judged.symbol.endswith("-USD")]
        assert len(listed) == 16 and all(judged.rows for judged in listed)
        assert all(judged.detail for judged in one.judgements if judged.outcome == "excluded")
