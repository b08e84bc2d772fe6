"""Real crashes, traded once per policy through the whole program, and what can be said of such a run."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.scenarios.checks import VERDICTS
from tests.shared import shared
from tests.world import CONFIG, write_config
from trader_core.bootstrap import open_system, settings_of
from trader_core.desk import open_state
from trader_core.domain.clocktime import EpochMs, parse_utc
from trader_core.domain.facts import Decided, Fact, Filled, Intended
from trader_core.domain.fill import Side
from trader_core.domain.order import ApprovedOrder, Role
from trader_core.domain.values import replace
from trader_core.engine.replay import Replayed, replay
from trader_core.engine.run import cycles
from trader_core.ledger.fold import fold
from trader_core.ledger.laws import broken_laws
from trader_core.settings.options import Options
from trader_core.strategies import STRATEGIES
from trader_core.worlds.simulated import source_of

AUGUST_2024 = Options(since_ms=parse_utc("2024-08-01"), until_ms=parse_utc("2024-08-09"))  # bitcoin -29 %
MAY_2021 = Options(since_ms=parse_utc("2021-05-18"), until_ms=parse_utc("2021-05-23"))  # bitcoin -40 %
SHIPPED_POLICY = CONFIG / "policy.yaml"
CRASH_POLICY = Path(__file__).parents[1] / "policies" / "crash.yaml"
ALL_STRATEGIES = {f"strategies.{name}.enabled": True for name in STRATEGIES}


@dataclass(frozen=True)
class Ran:
    """A paper run, closed: its journal, and the regime that each cycle saw."""

    options: Options
    facts: tuple[Fact, ...]
    regimes: dict[EpochMs, str]

    def outcomes(self) -> list[tuple[EpochMs, str, str]]:
        """(time, symbol, verdict) of every proposal."""
        return [
            (one.decision_ms, judged.symbol, judged.outcome)
            for one in self._of(Decided)
            for judged in one.judgements
            if judged.outcome in VERDICTS
        ]

    def refusals(self) -> Counter[str]:
        return Counter(verdict for _, _, verdict in self.outcomes() if verdict != "OK")

    def orders(self, *roles: Role) -> list[tuple[EpochMs, ApprovedOrder]]:
        return [(one.at_ms, one.approved) for one in self._of(Intended) if not roles or one.approved.role in roles]

    def sales(self) -> list[tuple[EpochMs, str]]:
        """(time, why) of every fill that sold."""
        why = {one.client_order_id: one.approved.reason for one in self._of(Intended)}
        fills = [one.fill for one in self._of(Filled) if one.fill.side is Side.SELL]
        return [(fill.at_ms, why[fill.client_order_id]) for fill in fills]

    def fills(self) -> list[Any]:
        return [one.fill for one in self._of(Filled)]

    def _of(self, kind: Any) -> list[Any]:
        return [one for one in self.facts if isinstance(one, kind)]


def options_in(root: Path, crash: Options, venue: str, policy: Path, edits: dict[str, Any]) -> Options:
    """That crash under the shipped configuration, with another policy and some keys changed."""
    config = root / "config"
    write_config(config, edits)
    (config / "policy.yaml").write_text(policy.read_text())
    return replace(
        crash, state=root / "state", config=config, mode="PAPER", venue="simulated", data=shared(f"data/{venue}")
    )


def ran(options: Options) -> Ran:
    """Every cycle, checked as it ends: it adds up, it agrees with the venue, and nothing was in its way."""
    regimes: dict[EpochMs, str] = {}
    with open_system(options) as system:
        for report in cycles(system.ports, system.policy, system.journal, lambda: False):
            worth = report.valuation
            assert worth and report.decision
            assert worth.cash + worth.positions == worth.equity == report.decision.equity
            assert worth.equity - worth.flows == worth.realised + worth.unrealised
            assert not broken_laws(report.book) and not report.book.discrepancies and not report.problem
            assert not report.decision.failures
            regimes[report.decision_ms] = report.decision.regime.partition(":")[0]
    with open_state(options) as (store, _):
        return Ran(options, tuple(store.facts()), regimes)


def replayed(options: Options) -> Replayed:
    policy = settings_of(options)
    assert options.since_ms is not None and options.until_ms is not None
    return replay(source_of(policy, options), policy, options.since_ms, options.until_ms)


def assert_the_same(paper: Ran, backtest: Replayed) -> None:
    """Verdicts, orders, fills and cash, one by one."""
    assert [(one.decision_ms, one.symbol, one.verdict) for one in backtest.verdicts] == paper.outcomes()
    assert [(one.decision_ms, one.order) for one in backtest.orders] == paper.orders()
    assert sorted(_in_full(one) for one in backtest.fills) == sorted(_in_full(one) for one in paper.fills())
    assert backtest.cash == fold(paper.facts).cash


def _in_full(fill: Any) -> tuple[Any, ...]:
    return (fill.at_ms, fill.symbol, fill.side, fill.price, fill.quantity, fill.value, fill.fee)
