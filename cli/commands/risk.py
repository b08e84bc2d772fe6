"""`trader risk`: what the book is together, by the gates' own figures. Nothing is recorded and nothing is sent."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result, note
from cli.looking import SAFE
from cli.options import SAMPLE_SEED, Data, Equity, From, Seed, To, options_of, shared_of

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.domain.account import Account
    from trader_core.engine.glance import Glance
    from trader_core.report.risk import Cluster, Correlations, Part
    from trader_core.settings.schema import Settings

Given = tuple[str | None, str | None, Any, int, str | None]  # --from, --to, --data, --seed, --equity
QUALITIES = {
    "good": "every position has a return of every day",
    "incomplete": "some positions lack days, on which they count with the stress",
    "unknown": "too few days are known: new entries are refused",
    "empty": "nothing is held or ordered",
}


def var(
    ctx: typer.Context, since: From = None, until: To = None, data: Data = None, seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
) -> Result:  # fmt: skip
    """Say what a bad day would cost: value at risk and expected shortfall, of all and of each position."""
    from cli.plain import moment
    from cli.show import Ink, colours, figure, pairs, table
    from trader_core.report.risk import value_at_risk

    with seen_now(ctx, (since, until, data, seed, equity)) as (seen, _, account):
        found = value_at_risk(seen.law, seen.state, seen.columns, seen.row, seen.axes, seen.equity)
    ink = Ink(colours())
    told = [
        ("value at risk", f"{_pct(found.var_pct)} of equity, at most {figure(found.limit_pct)} % allows an entry"),
        ("expected shortfall", f"{_pct(found.shortfall_pct)} of equity, the mean of the worst days"),
        ("days", f"{found.days} of {found.window_days}, {found.needed_days} are needed; {found.confidence_pct:g} %"),
        ("quality", f"{found.quality}: {QUALITIES[found.quality]}"),
    ]
    text = [ink.bold(_head("a bad day", seen)), pairs(told)]
    if found.parts:
        head = ["position", "weight", "value at risk", "shortfall", "days", "stressed"]
        text += ["", table(head, [_part_row(one) for one in found.parts])]
    return Result(
        {"time": moment(seen.at_ms), "equity": _worth(seen), **_plain(found)}, "\n".join(text), account=account
    )


def corr(
    ctx: typer.Context, since: From = None, until: To = None, data: Data = None, seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
    everything: Annotated[bool, typer.Option("--all", help="All instruments, not only those held or ordered.")] = False,
) -> Result:  # fmt: skip
    """Say who moves with whom: correlations of daily returns, and the clusters of what is held."""
    from cli.plain import moment
    from cli.show import Ink, colours
    from trader_core.report.risk import correlations

    with seen_now(ctx, (since, until, data, seed, equity)) as (seen, _, account):
        found = correlations(seen.law, seen.state, seen.columns, seen.row, seen.axes, seen.equity, everything)
    ink = Ink(colours())
    text = [ink.bold(_head("who moves with whom", seen)), *_matrix(found, ink), *_clusters(found, ink)]
    return Result({"time": moment(seen.at_ms), **_plain(found)}, "\n".join(text), account=account)


def exposure(
    ctx: typer.Context, since: From = None, until: To = None, data: Data = None, seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
) -> Result:  # fmt: skip
    """Say how near each cap is: exposure by asset, theme, tier and strategy against what is in force now."""
    from cli.plain import moment
    from cli.show import Ink, colours, figure, table
    from trader_core.report.risk import exposure_rows

    with seen_now(ctx, (since, until, data, seed, equity)) as (seen, policy, account):
        themes = tuple(policy.policy.risk.max_per_theme_pct)
        rows = exposure_rows(seen.law, seen.guard, seen.state, seen.columns, seen.row, seen.axes, themes, seen.equity)
    ink, lines = Ink(colours()), []
    for one in rows:
        cap = (
            figure(one.cap_pct) if one.cap_pct == one.written_cap_pct else f"{one.cap_pct:g} of {one.written_cap_pct:g}"
        )
        style = ink.no if one.pct > one.cap_pct else str
        lines.append([one.kind, one.name, style(figure(one.pct)), cap, figure(round(one.cap_pct - one.pct, 6))])
    text = [ink.bold(_head("exposure", seen)), ""]
    text += [table(["", "of", "% of equity", "cap", "room"], lines, left=2)] if lines else ["the equity is unknown"]
    data_ = {"time": moment(seen.at_ms), "equity": _worth(seen), "exposures": rows}
    return Result(data_, "\n".join(text), account=account)


# --- what they share -------------------------------------------------------------------------------------------------


@contextmanager
def seen_now(ctx: typer.Context, given: Given) -> "Iterator[tuple[Glance, Settings, Account]]":
    """The newest state in front of the newest market, on a copy. Raises StateUnusable where there is neither."""
    from trader_core.bootstrap import open_preview
    from trader_core.domain.account import Account
    from trader_core.domain.errors import StateUnusable
    from trader_core.engine.glance import glance

    since, until, data, seed, equity = given
    options = options_of(shared_of(ctx), since, until, data, seed, equity)
    with open_preview(options) as system:
        seen = glance(system.ports, system.policy, system.journal)
        if seen is None:
            raise StateUnusable("there is no market to look at: it has no bar in that period", safe=SAFE)
        venue = options.venue or system.policy.app.exchange.venue
        if not system.journal.book.cycles:
            note(f"there is no {system.mode} account in {system.state} that ran a cycle: this is how a new one stands")
        yield seen, system.policy, Account(system.mode, venue)


def _head(what: str, seen: "Glance") -> str:
    from cli.show import money
    from trader_core.domain.clocktime import short

    return f"{what} at {short(seen.at_ms)} UTC, equity {money(_worth(seen))}"


def _worth(seen: "Glance") -> Any:
    from trader_core.domain.money import from_grains

    return None if seen.equity < 0 else from_grains(seen.equity)


def _plain(found: Any) -> dict[str, Any]:
    from cli.plain import jsonable

    made: dict[str, Any] = jsonable(found)
    return made


def _pct(value: float | None) -> str:
    from cli.show import figure

    return "unknown" if value is None else f"{figure(value)} %"


def _part_row(one: "Part") -> list[str]:
    lost = [_pct(one.var_pct), _pct(one.shortfall_pct)]
    return [one.symbol, _pct(one.weight_pct), *lost, str(one.days), str(one.stressed_days)]


def _matrix(found: "Correlations", ink: "Ink") -> list[str]:
    """One line a pair: a matrix of more than a few does not fit into 80 columns."""
    from cli.show import table, wrapped

    if not found.pairs:
        return ["", "fewer than two instruments: nothing moves together"]
    rows = []
    for one in sorted(found.pairs, key=lambda pair: -(2.0 if pair.correlation is None else pair.correlation)):
        told = "unknown" if one.correlation is None else f"{one.correlation:+.3f}"
        rows.append([one.one, one.other, told, str(one.days), ink.no("together") if one.together else "apart"])
    note = f"together from {found.threshold:g} on; what nobody knows counts as together, a negative one is a hedge"
    text = table(["", "and", "correlation", "days", ""], rows, left=2, words=1)
    return ["", text, *(ink.dim(line) for line in wrapped(note))]


def _clusters(found: "Correlations", ink: "Ink") -> list[str]:
    from cli.show import figure, table

    if not found.clusters:
        return []
    limit = f"at most {found.max_assets} assets and {figure(found.max_pct)} % of equity in one"

    def row(one: "Cluster") -> list[str]:
        full = one.assets > found.max_assets or one.exposure_pct > found.max_pct
        return [" ".join(one.symbols), str(one.assets), (ink.no if full else str)(f"{figure(one.exposure_pct)} %")]

    return ["", table(["cluster", "assets", "exposure"], [row(one) for one in found.clusters]), ink.dim(limit)]
