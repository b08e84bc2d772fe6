"""`trader replay` and `trader what-if`: historic decisions once more, on what they were taken from. They only read."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, warned
from cli.looking import SAFE
from cli.options import options_of, shared_of
from trader_core.domain.errors import ConfigInvalid, UsageError
from trader_core.domain.words import count

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trader_core.domain.money import Quote
    from trader_core.hindsight import Again, Replayed
    from trader_core.report.altered import Altered
    from trader_core.settings.edit import Value
    from trader_core.settings.schema import Settings

DIFFERS = 60
WITHIN = "another value for --set; trader validate-config --effective shows every key as it stands"
SHOWN = 20  # decisions that a person wants to read of many


def replay(
    ctx: typer.Context,
    cycle: Annotated[int | None, typer.Argument(metavar="[CYCLE]", min=1, help="Number of a cycle.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every decision that was recorded.")] = False,
) -> Result:
    """Decide again on recorded inputs, under the recorded policy or that of --config DIR; 60 where anything differs."""
    from cli.progress import Progress
    from trader_core.bootstrap import settings_of
    from trader_core.desk import open_state
    from trader_core.hindsight import replayed

    shared = shared_of(ctx)
    if (cycle is None) != everything:
        raise UsageError("say which cycle, or --all", safe=SAFE, remedy="trader replay 12, or trader replay --all")
    options = options_of(shared)
    policy = settings_of(options) if shared.config else None
    with open_state(options) as (store, account), Progress("deciding again", "decisions") as told:
        found = replayed(store, cycle, policy, told)
    data = {
        "policy": "recorded" if policy is None else shared.config, "replayed": found.replayed,
        "identical": found.identical, "without_inputs": found.silent, "away": found.away,
        "other_settings": found.foreign, "differing": found.differing,
    }  # fmt: skip
    warnings = warned(found.warnings)
    return Result(data, _told(found), DIFFERS if found.differing else 0, warnings, account=account)


def _told(found: "Replayed") -> str:
    told = f"{count(found.replayed, 'decision')} taken again, {found.identical} identical to the byte"
    if not found.differing:
        return told
    shown = found.differing[:SHOWN]
    parts = [f"{told}, {len(found.differing)} other"]
    for one in shown:
        parts += ["", *_again(one)]
    if len(shown) < len(found.differing):
        parts += ["", f"and {len(found.differing) - len(shown)} more: --json tells all"]
    return "\n".join(parts)


def _again(one: "Again") -> "list[str]":
    from trader_core.domain.clocktime import short

    head = f"cycle {one.cycle}, {short(one.decision_ms)} UTC: {one.digest_before[:12]} -> {one.digest_after[:12]}"
    lines = [head, *_equity(one.equity_before, one.equity_after), *_altered(one.altered)]
    return lines if len(lines) > 1 else [head, "  the same judgements and orders; cancels, peaks or the regime differ"]


def _equity(before: "Quote | None", after: "Quote | None") -> "list[str]":
    from cli.show import money

    return [] if before == after else [f"  equity {money(before)} -> {money(after)}"]


def _altered(found: "Sequence[Altered]") -> "list[str]":
    """A line for what became of each instrument, and one for each of its orders and gates that is other."""
    lines = []
    for one in found:
        verdicts = f"{one.verdict_before or '-'} -> {one.verdict_after or '-'}"
        if one.verdict_before == one.verdict_after:
            verdicts = f"{one.verdict_after}, in other numbers"
        lots = (
            f", entry {one.lots_before} -> {count(one.lots_after, 'lot')}" if one.lots_before != one.lots_after else ""
        )
        lines.append(f"  {one.symbol}: {verdicts}{lots}")
        for sign, orders, others in (
            ("-", one.orders_before, one.orders_after),
            ("+", one.orders_after, one.orders_before),
        ):
            lines += [f"    {sign} {order}" for order in orders if order not in others]
        lines += [f"    gate {it.gate}: {it.before or 'not asked'} -> {it.after or 'not asked'}" for it in one.gates]
    return lines


def what_if(
    ctx: typer.Context,
    cycle: Annotated[int, typer.Argument(metavar="CYCLE", min=1, help="Number of a cycle.")],
    edits: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A key of the policy; repeatable.")
    ] = None,
) -> Result:
    """Take one historic decision under an altered policy, and show which verdicts, orders and gates that changes."""
    from cli.show import wrapped
    from trader_core.desk import open_state
    from trader_core.domain.clocktime import short
    from trader_core.hindsight import what_if as asked
    from trader_core.research.space import edit_of

    if not edits:
        raise UsageError(
            "nothing is altered", safe=SAFE, remedy=f"trader what-if --set risk.max_per_asset_pct=10 {cycle}"
        )

    def edits_of(policy: "Settings") -> "Mapping[str, Value]":
        return dict(edit_of("--set", one, policy) for one in edits or ())

    with open_state(options_of(shared_of(ctx))) as (store, account):
        try:
            found = asked(store, cycle, edits_of)
        except ConfigInvalid as unsound:
            raise ConfigInvalid(unsound.problems, WITHIN) from unsound
    warnings = warned(found.warnings)
    data = {
        "cycle": found.cycle, "edits": found.edits, "identical": found.same, "equity": found.equity,
        "altered": found.altered,
    }  # fmt: skip
    told = ", ".join(f"{key} = {value}" for key, value in found.edits.items())
    head = wrapped(f"cycle {found.cycle}, {short(found.decision_ms)} UTC, with {told}:")
    nothing = ["  the decision is the same to the byte"] if found.same else ["  nothing but the regime's words differs"]
    text = "\n".join([*head, *(_altered(found.altered) or nothing)])
    return Result(data, text, 0, warnings, account=account)
