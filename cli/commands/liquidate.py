"""`trader liquidate`: sell what the bot owns, as a person wants it; what would be sold is told first."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.consent import agreed as consented
from cli.exits import Result, warned
from cli.options import SAMPLE_SEED, Data, From, Seed, To, options_of, shared_of

if TYPE_CHECKING:
    from trader_core.engine.liquidate import Liquidation, Survey
    from trader_core.settings.options import Options

INCOMPLETE = 50

Asset = Annotated[
    list[str] | None,
    typer.Option("--asset", metavar="COIN", help="Also sell this coin, which the bot did not buy. May be repeated."),
]
PlanFile = Annotated[
    Path | None,
    typer.Option("--plan", metavar="FILE", help="Write what would be sold; with --yes, sell only if it still holds."),
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask. Without a terminal nobody can be asked.")]


def liquidate(
    ctx: typer.Context,
    plan: PlanFile = None,
    yes: Yes = False,
    asset: Asset = None,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
) -> Result:
    """Sell everything that the bot owns, and buy nothing any more. Not flat at the end is 50."""
    from cli.commands.backtest import write
    from cli.commands.run import stopping
    from trader_core import hand

    options = options_of(shared_of(ctx), since, until, data, seed)
    coins = tuple(one.upper() for one in asset or ())
    if yes:
        agreed = None if plan is None else hand.plan_in(plan, hand.LIQUIDATION_PLAN)
    else:
        found, document = hand.survey_of(options, coins)
        warnings = warned([found.problem] if found.problem else [])
        if plan is not None:
            write(plan, dict(document), "--plan")
            again = _again(options, coins, plan)
            text = f"{_survey_text(found, options)}\n\nthe plan is in {plan}; to sell: {again}"
            return Result(dict(document), text, 0, warnings)
        consented(_survey_text(found, options), "Sell all of this now?", "sold")
        agreed = None
    with stopping() as asked:
        done = hand.liquidated(options, coins, agreed, lambda: bool(asked))
    return Result(_data(done), _text(done, options, coins), 0 if done.is_flat else INCOMPLETE, warned(_warnings(done)))


def _again(options: "Options", coins: tuple[str, ...], plan: Path | None = None) -> str:
    """As it can be copied: without what was said it would sell another account."""
    from shlex import quote

    asked = f" --data {quote(str(options.data))}" if options.data else ""
    asked += "".join(f" --asset {quote(one)}" for one in coins)
    return f"trader liquidate{options.words}{asked}{f' --plan {quote(str(plan))}' if plan else ''} --yes"


def _survey_text(found: "Survey", options: "Options") -> str:
    from cli.show import table
    from trader_core.domain.money import plain

    rows = [_row(one) for one in found.sales]
    rows += [[one.symbol, plain(one.quantity), _price(one.bid), "", "not ours, and asked for"] for one in found.foreign]
    parts = [table(["sells", "quantity", "bid", "not below", ""], rows, left=1)] if rows else ["nothing is held"]
    if found.entries:
        parts.append(f"purchases that rest are canceled: {', '.join(found.entries)}")
    parts.append(f"entries stay refused afterwards, until: {_way_back(options)}")
    return "\n".join(parts)


def _way_back(options: "Options") -> str:
    return f"trader halt reset{options.words} --user NAME --reason TEXT\n  before the cooldown is over with --force"


def _row(one: Any) -> list[str]:
    from trader_core.domain.money import plain

    return [one.symbol, plain(one.quantity), _price(one.bid), _price(one.worst), one.why_not]


def _price(amount: Any) -> str:
    from cli.show import price

    return price(amount)


def _warnings(done: "Liquidation") -> list[str]:
    told = [f"{one.symbol}: {one.why_not or 'not sold'}" for one in done.left]
    told += [f"{one}: an order may still fill" for one in dict.fromkeys(done.pending)]
    return [*told, *([done.unsure] if done.unsure else []), *([done.stopped] if done.stopped else [])]


def _text(done: "Liquidation", options: "Options", coins: tuple[str, ...]) -> str:
    from cli.show import count, money, table
    from trader_core.domain.money import plain

    rows = [
        [one.symbol, plain(one.quantity), _price(one.price), money(one.value), money(one.fee)] for one in done.sold
    ]  # fmt: skip
    parts = [table(["sold", "quantity", "price", "value", "fee"], rows)] if rows else ["nothing was sold"]
    if done.left:
        parts += ["", table(["left", "quantity", "bid", "not below", ""], [_row(one) for one in done.left])]
    head = "flat" if done.is_flat else "NOT FLAT"
    parts += ["", f"{head} after {count(done.rounds, 'round')}; cash {money(done.book.cash)}"]
    if not done.is_flat:
        said = options.words
        parts.append(f"to go on: {_again(options, coins)}")
        parts.append(f"to see what waits: trader orders{said}, trader positions{said}")
    parts.append(f"entries stay refused until: {_way_back(options)}")
    return "\n".join(parts)


def _data(done: "Liquidation") -> dict[str, Any]:
    from cli.account import fill_data, trouble_data

    return {
        "flat": done.is_flat,
        "rounds": done.rounds,
        "sold": [fill_data(one) for one in done.sold],
        "left": list(done.left),
        "pending": list(done.pending),
        "unsure": done.unsure,
        "stopped": done.stopped,
        "cash": done.book.cash,
        **trouble_data(done.book),
    }
