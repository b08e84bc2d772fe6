"""`trader gate explain`: what every gate would say of an entry now. Nothing is recorded and nothing is sent."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.commands.risk import seen_now
from cli.exits import Result
from cli.looking import SAFE, near_to
from cli.options import SAMPLE_SEED, Data, Equity, From, Seed, To
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.domain.decision import GateRow
    from trader_core.engine.glance import Glance, Hypothesis

OPENS = {  # what has no more or less
    "halt": "trader halt show",
    "pause": "trader resume",
    "eligible": "its tier's floors are cleared",
    "calendar": "its market is known to be open",
}


def explain(
    ctx: typer.Context,
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="BTC-USD or BTC.")],
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
) -> Result:
    """Judge an entry that nobody may have proposed: each gate's figure, its limit, and what would make it pass."""
    from cli.plain import jsonable, moment
    from cli.show import Ink, colours
    from trader_core.engine.glance import hypothesis
    from trader_core.report.why import SENSE_OF

    with seen_now(ctx, (since, until, data, seed, equity)) as (seen, _, account):
        wanted = _meant(seen, symbol)
        found = hypothesis(seen, wanted)
    rows = [row for row in found.judgement.rows if row.gate in SENSE_OF]
    one = seen.axes.instruments[seen.axes.index[wanted]]
    sizes = {"wanted_quantity": found.wanted_lots * one.lot, "quantity": found.lots * one.lot}
    gates = [{**jsonable(row), "passes": row.verdict not in _noes(rows), "needs": needs(row)} for row in rows]
    data_ = {
        "time": moment(seen.at_ms), "symbol": wanted, "outcome": found.judgement.outcome, "strategy": found.strategy,
        "proposed": found.proposed, "conviction_pct": round(100 * found.conviction, 6), "price": found.price * one.tick,
        **sizes, "gates": gates,
    }  # fmt: skip
    return Result(data_, _page(seen, wanted, found, rows, Ink(colours())), account=account)


def _meant(seen: "Glance", asked: str) -> str:
    """One instrument. Raises UsageError where none is meant, or it is no candidate."""
    from trader_core.report.why import matching

    known = tuple(one.symbol for one in seen.axes.instruments)
    excluded = {one.symbol: one.reason for one in seen.exclusions}
    found = matching(known, asked) or matching(tuple(excluded), asked)
    remedy = " or ".join(f"trader gate explain {one}" for one in near_to(asked, known))
    if not seen.axes.strategies:
        raise UsageError("no strategy is enabled, so nothing proposes", safe=SAFE, remedy="strategies.yaml: enabled")
    if not found:
        raise UsageError(f"the universe knows no {asked}", safe=SAFE, remedy=remedy)
    if found[0] not in known:
        raise UsageError(f"{found[0]} is excluded: {excluded[found[0]]}", safe=SAFE, remedy=remedy)
    return found[0]


def _noes(rows: "list[GateRow]") -> set[str]:
    return {row.verdict for row in rows} - {"OK", "NOT_APPLICABLE"}


def needs(row: "GateRow") -> str:
    """What lets a gate pass, in words."""
    from cli.show import figure
    from trader_core.report.why import SENSE_OF

    if row.verdict == "NOT_APPLICABLE" or row.limit is None:
        return ""
    if row.gate in OPENS:
        return OPENS[row.gate]
    unit = "" if row.unit == "count" else f" {row.unit}"
    return f"{'at most' if SENSE_OF[row.gate] > 0 else 'at least'} {figure(row.limit)}{unit}"


def _page(seen: "Glance", symbol: str, found: "Hypothesis", rows: "list[GateRow]", ink: "Ink") -> str:
    from cli.show import price, table, wrapped
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    one, outcome = seen.axes.instruments[seen.axes.index[symbol]], found.judgement.outcome
    told = "passes every gate" if outcome == "OK" else f"is refused, {outcome}"
    who = f"{found.strategy} {'proposes it' if found.proposed else 'does not propose it'}"
    size = f"{plain(found.wanted_lots * one.lot)} at {price(found.price * one.tick)}"
    clipped = f", of which {plain(found.lots * one.lot)} is left" if 0 < found.lots < found.wanted_lots else ""
    head = f"an entry in {symbol} at {short(seen.at_ms)} UTC {told}"
    lines = [_line(row, row.verdict in _noes(rows), ink) for row in rows]
    return "\n".join([
        ink.bold(head), *wrapped(f"{who}; wanted are {size}{clipped}"), "",
        table(["  gate", "value", "passes with", "verdict"], lines, left=1),
    ])  # fmt: skip


def _line(row: "GateRow", closed: bool, ink: "Ink") -> list[Any]:
    from cli.show import figure

    value = "-" if row.verdict == "NOT_APPLICABLE" else figure(row.value)
    words = {"NOT_APPLICABLE": "not applicable"}.get(row.verdict, row.verdict)
    return [f"{'>' if closed else ' '} {row.gate}", value, needs(row), ink.no(words) if closed else words]
