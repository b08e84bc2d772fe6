"""What a person agreed to, as a file that was written before: sealed, and compared with what would happen now.

A plan names everything that it depends on. Whatever is not as it was then is named, and nothing is sent.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs, parse_utc, rfc3339
from trader_core.domain.decision import Decision
from trader_core.domain.errors import PlanDrifted, UsageError
from trader_core.domain.money import plain
from trader_core.domain.words import count
from trader_core.engine.digest import decision_digest

SEAL = "digest"
BPS = 10_000
NAMED_BY = ("symbol", "side", "role", "kind")
Document = Mapping[str, Any]


def sealed(document: Document) -> dict[str, Any]:
    """The document, which is plain JSON, with its own digest in it."""
    body = {key: value for key, value in document.items() if key != SEAL}
    return {**body, SEAL: sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()}


def unsealed(text: str, schema: str) -> Document:
    """A plan of that kind, as it was written. Raises UsageError on anything else."""
    remedy = "write a new one"
    try:
        found = json.loads(text)
    except ValueError as wrong:
        raise UsageError(f"the plan is no JSON: {wrong}", remedy=remedy) from wrong
    if not isinstance(found, dict) or found.get("schema") != schema:
        raise UsageError(f"the file is no plan of the kind {schema}", remedy=remedy)
    if sealed(found) != found:
        raise UsageError("the plan was changed after it was written", remedy=remedy)
    return found


class Now(Struct, frozen=True):
    """What a plan is compared with before anything is looked at."""

    mode: str
    config_digest: str
    cycles: int
    intents: int
    now_ms: EpochMs


def check_ground(plan: Document, now: Now) -> None:
    """Configuration, state and time. Raises PlanDrifted, and UsageError where the plan does not say."""
    found = [
        (text_of(plan, "mode") != now.mode, f"it is for {plan['mode']}, and this is {now.mode}"),
        (text_of(plan, "config_digest") != now.config_digest, "the configuration is another one"),
        (
            whole_of(plan, "after_cycle") != now.cycles,
            f"{count(now.cycles, 'cycle was', 'cycles were')} run, and then {plan['after_cycle']}",
        ),
        (
            whole_of(plan, "after_intents") != now.intents,
            f"{count(now.intents, 'order was', 'orders were')} written down, and then {plan['after_intents']}",
        ),
        (now.now_ms > time_of(plan, "expires_time"), f"it was good until {plan['expires_time']}"),
    ]
    refuse([what for differs, what in found if differs])


def refuse(drifts: Sequence[str]) -> None:
    """Raises PlanDrifted where there is any."""
    if drifts:
        raise PlanDrifted(
            f"the plan does not hold any more: {'; '.join(drifts)}",
            safe="nothing was sent",
            remedy="look again, and write a new plan",
        )


def check_decision(plan: Document, decision: Decision, band_bps: float) -> None:
    """The same decision, or at least the same orders, none of them by more than the band away in price or quantity.
    Raises PlanDrifted."""
    if decision_digest(decision) == plan.get("decision_digest"):
        return
    drifts = []
    if rfc3339(decision.decision_ms) != text_of(plan, "decision_time"):
        drifts.append(f"it was for {plan['decision_time']}, and a newer bar has closed since")
    if len(decision.cancels) != whole_of(plan, "cancels"):
        drifts.append(f"{count(len(decision.cancels), 'order')} would be canceled, and not {plan['cancels']}")
    planned = {_name(*(text_of(one, word) for word in NAMED_BY)): one for one in entries_of(plan, "orders")}
    now = {_name(one.symbol, one.side, one.role, one.kind): one for one in decision.orders}
    drifts += [f"{name} is new" for name in now.keys() - planned.keys()]
    drifts += [f"{name} is gone" for name in planned.keys() - now.keys()]
    for name in sorted(now.keys() & planned.keys()):
        for what in ("quantity", "limit", "trigger"):
            then, here = amount_of(planned[name], what), getattr(now[name], what)
            if is_away(then, here, band_bps):
                drifts.append(f"the {what} of {name} was {plain(then)} and is {plain(here)}")
    refuse(sorted(drifts))


def _name(symbol: str, side: str, role: str, kind: str) -> str:
    return f"{symbol} {side} ({role}, {kind})"


def is_away(then: Decimal, here: Decimal, band_bps: float) -> bool:
    return abs(here - then) * BPS > abs(then) * Decimal(str(band_bps))


# --- words of a plan -------------------------------------------------------------------------------------------------


def text_of(plan: Document, name: str) -> str:
    value = plan.get(name)
    if not isinstance(value, str):
        raise _nonsense(name)
    return value


def whole_of(plan: Document, name: str) -> int:
    value = plan.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _nonsense(name)
    return value


def time_of(plan: Document, name: str) -> EpochMs:
    try:
        return parse_utc(text_of(plan, name))
    except ValueError as wrong:
        raise _nonsense(name) from wrong


def amount_of(plan: Document, name: str) -> Decimal:
    """An amount as text; what is absent is 0."""
    try:
        return Decimal(plan.get(name) or 0)
    except (InvalidOperation, TypeError, ValueError) as wrong:
        raise _nonsense(name) from wrong


def entries_of(plan: Document, name: str) -> list[Document]:
    found = plan.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise _nonsense(name)
    return found


def _nonsense(name: str) -> UsageError:
    return UsageError(f"the plan does not say its {name}", remedy="write a new one")
