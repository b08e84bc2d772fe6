"""`trader parity`: a paper account and a replay of the same period, compared one by one."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cli.exits import Result, warned
from cli.options import SAMPLE_SEED, Cycles, Data, From, Seed, To, options_of, shared_of
from trader_core.domain.values import as_dict, replace

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.prove.compare import Difference
    from trader_core.prove.parity import Parity

DIFFERS = 60
SHOWN_MAX = 5  # differences as text; --json has more


def parity(
    ctx: typer.Context,
    cycles: Cycles = None,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
) -> Result:
    """Live a period on paper, replay it, compare every decision, order and fill. Any difference is 60.

    The account is a temporary one; with --state DIR it stays there, and the next time it goes on.
    """
    from cli.commands.run import stopping
    from cli.progress import Progress
    from cli.show import Ink, colours
    from trader_core.prove import account
    from trader_core.prove.parity import parity as prove

    shared = shared_of(ctx)
    options = options_of(shared, since, until, data, seed)
    with ExitStack() as tidy, stopping() as asked, Progress("paper", "cycles") as progress:
        directory = options.state or account.temporary()
        if options.state is None:
            tidy.callback(account.remove, directory)
        found = prove(replace(options, state=directory), cycles, lambda: bool(asked), progress)
        if found.differing_cycles:
            tidy.pop_all()  # what differs is to be looked at
    kept = directory if options.state or found.differing_cycles else None
    warnings = warned(found.warnings)
    code = DIFFERS if found.differing_cycles else 128 + asked[0] if asked else 0
    return Result(_data(found, kept), _page(found, kept, Ink(not shared.json and colours())), code, warnings)


def _data(found: "Parity", kept: Path | None) -> dict[str, Any]:
    from cli.plain import moment

    return {
        "state": None if kept is None else str(kept),
        "from": moment(found.from_ms),
        "to": moment(found.to_ms),
        "cycles": found.cycles,
        "cycles_left": found.cycles_left,
        "data_fingerprint": found.data_fingerprint,
        "config_digest": found.config_digest,
        "agreement": [{**as_dict(one), "percent": one.percent} for one in found.agreements],
        "cash": {"paper": found.cash, "replay": found.cash_replayed},
        "differing_cycles": found.differing_cycles,
        "differences": [{**as_dict(one), "at_ms": moment(one.at_ms)} for one in found.differences],
    }


def _page(found: "Parity", kept: Path | None, ink: "Ink") -> str:
    from cli.show import count, pairs, table
    from trader_core.domain.clocktime import short

    left = f", {count(found.cycles_left, 'cycle')} left" if found.cycles_left else ""
    rows = [("period", f"{short(found.from_ms)} to {short(found.to_ms)} UTC, {count(found.cycles, 'cycle')}{left}")]
    rows += [("account", str(kept))] if kept else []
    counted = [
        [one.kind, str(one.paper), str(one.replay), str(one.same), f"{one.percent:.2f} %"] for one in found.agreements
    ]
    parts = [ink.bold("parity, paper and replay"), pairs(rows), ""]
    parts.append(table(["", "paper", "replay", "same", "agreement"], counted))
    if not found.differing_cycles:
        return "\n".join([*parts, "", ink.good("nothing differs, to the last unit")])
    parts += ["", ink.bad(f"{count(found.differing_cycles, 'cycle differs', 'cycles differ')}; the first in order:")]
    for one in found.differences[:SHOWN_MAX]:
        parts += _difference(one, kept, ink)
    return "\n".join(parts)


def _difference(one: "Difference", kept: Path | None, ink: "Ink") -> list[str]:
    from cli.show import pairs, shell
    from trader_core.domain.clocktime import short

    symbol = f" {one.symbol}" if one.symbol else ""
    lines = [ink.no(f"cycle {one.cycle}, {short(one.at_ms)} UTC: {one.kind}{symbol}")]
    lines.append(pairs([("paper", one.paper), ("replay", one.replay), ("cause", one.cause)]))
    if one.cycle:
        lines.append(f"  why?    trader why{symbol} --cycle {one.cycle}{shell({'state': str(kept)})}")
    return ["", *lines]
