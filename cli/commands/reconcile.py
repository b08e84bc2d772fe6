"""`trader reconcile`: account against ledger. What differs is told; what a person wants booked of it is booked."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.again import typed
from cli.exits import Result, warned
from cli.options import SAMPLE_SEED, Data, Seed, Shared, options_of, shared_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trader_core.engine.reconciling import Finding
    from trader_core.hand import Reconciled

DIFFERS = 40

PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Write what differs; with --apply, book it only if it is still that."),
]
Apply = Annotated[bool, typer.Option("--apply", help="Book what differs, after a copy of the state.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; coins are written down only with one.")]
Dust = Annotated[
    bool, typer.Option("--dust", help="Also what can be sold no more; with --apply it is its owner's, not the bot's.")
]


def reconcile(
    ctx: typer.Context,
    plan: PlanFile = None,
    apply: Apply = False,
    reason: Why = "",
    dust: Dust = False,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
) -> Result:
    """Compare balances, orders, fills and stops with the ledger. Buys and sells nothing. A difference is 40."""
    from cli.commands.backtest import write
    from trader_core import hand

    shared = shared_of(ctx)
    options = options_of(shared, None, None, data, seed)
    if apply:
        agreed = None if plan is None else hand.plan_in(plan, hand.RECONCILE_PLAN)
        found = hand.applied(options, agreed, reason.strip(), dust)
    else:
        found = hand.compared(options, dust)
        if plan is not None:
            write(plan, dict(found.plan), "--plan")
    warnings = warned(found.applied.why_not if found.applied else ())
    text = _text(found, None if apply else plan, shared)
    return Result(_data(found), text, DIFFERS if found.findings else 0, warnings)


def _text(found: "Reconciled", plan: Path | None, shared: Shared) -> str:
    from shlex import quote

    from cli.show import count

    parts: list[str] = []
    if found.applied:
        parts += [*found.applied.done, f"the state as it was: {', '.join(map(str, found.backup))}", ""]
    if not found.findings:
        return "\n".join([*parts, "account and ledger agree"])
    still = "left" if found.applied else "found"
    told = f"{count(len(found.findings), 'difference')} {still}"
    told += ": entries stay closed" if any(one.closes for one in found.findings) else "; that alone closes no entries"
    parts += [_table(found.findings), "", told]
    if plan is not None:
        command = f"trader reconcile --apply --plan {quote(str(plan))}"
        parts.append(typed(f"the plan is in {plan}; to book it: {command}", shared))
    elif not found.applied:
        parts.append(typed("to book what can be: trader reconcile --apply --reason TEXT", shared))
    return "\n".join(parts)


def _table(findings: "Sequence[Finding]") -> str:
    from cli.show import pairs

    blocks = [
        f"{one.kind}: {one.subject}\n" + pairs([("differs", one.detail), ("--apply", one.does)]) for one in findings
    ]  # fmt: skip
    return "\n".join(blocks)


def _data(found: "Reconciled") -> dict[str, Any]:
    def listed(findings: "Sequence[Finding]") -> list[dict[str, Any]]:
        return [
            {
                "kind": one.kind, "subject": one.subject, "detail": one.detail, "ledger": one.ledger,
                "venue": one.venue, "applying": one.does,
            }
            for one in findings
        ]  # fmt: skip

    done = found.applied
    return {
        "differences": listed(found.findings),
        "digest": found.plan["digest"],
        "applied": list(done.done) if done else None,
        "not_applied": list(done.why_not) if done else [],
        "before": listed(found.before),
        "backup": [str(one) for one in found.backup],
    }
