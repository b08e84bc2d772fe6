"""What must hold of any run, told by its journal."""

from collections.abc import Iterable, Sequence
from typing import Any

from tests.settings.keys import leaf_keys
from trader_core.domain.decision import Judgement
from trader_core.domain.facts import Acknowledged, Closed, Decided, Fact, Filled, Intended
from trader_core.domain.order import OrderStatus, Role
from trader_core.rulebook.codes import GATES
from trader_core.strategies import STRATEGIES

VERDICTS = frozenset({"OK", *(gate.verdict.name for gate in GATES)})


def shipped_values(*blocks: str) -> dict[str, Any]:
    """The shipped values of all keys in these blocks: where a test is about the policy as it is."""
    return {
        key: leaf.shipped
        for leaf in leaf_keys()
        for key in [".".join(leaf.path)]
        if any(f"{key}.".startswith(f"{block}.") for block in blocks)
    }


def nothing_is_lost(facts: Sequence[Fact]) -> None:
    """Every proposal came to a verdict with a gate's figures; what passed is one order; the venue knew each order and
    turned none away."""
    entries = {
        (one.at_ms, one.approved.symbol)
        for one in facts
        if isinstance(one, Intended) and one.approved.role is Role.ENTRY
    }
    for decided in _of(facts, Decided):
        for judged in decided.judgements:
            if proposed(judged):
                assert judged.outcome in VERDICTS, judged
                refusing = [row for row in judged.rows if row.verdict in VERDICTS - {"OK"}]
                assert bool(refusing) == (judged.outcome != "OK"), judged
                assert all(row.value is not None and row.limit is not None for row in refusing)
            assert ((decided.decision_ms, judged.symbol) in entries) == (judged.outcome == "OK"), judged
    known = {one.client_order_id for one in _of(facts, Acknowledged)} | {
        one.fill.client_order_id for one in _of(facts, Filled)
    }
    assert known >= {one.client_order_id for one in _of(facts, Intended)}, "the venue knew every order"
    assert not [one for one in _of(facts, Closed) if one.status is OrderStatus.REJECTED]


def proposed(judged: Judgement) -> bool:
    """Whether some strategy wanted to buy it."""
    return any(row.gate in STRATEGIES and row.verdict == "OK" for row in judged.rows)


def _of(facts: Iterable[Fact], kind: Any) -> list[Any]:
    return [one for one in facts if isinstance(one, kind)]
