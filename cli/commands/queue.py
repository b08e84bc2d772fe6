"""`trader queue`: proposals that found every slot taken and wait for a free one, and how to send one away."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, warned
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from trader_core.domain.account import Account
    from trader_core.domain.book import Book

Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="A pair or its coin, like SOL-USD or SOL.")]


def show(ctx: typer.Context) -> Result:
    """List what waits for a free slot, the first first."""
    from trader_core.desk import open_state
    from trader_core.engine.journal import Journal
    from trader_core.policies import place_beside

    options = options_of(shared_of(ctx))
    with open_state(options) as (store, account):
        book, clock = Journal(store).book, store.identity().get("clock", "")
    place = place_beside(options, account.mode, clock, book)
    told = warned([place.reading.note] if place.reading.note else [])
    return _listed(book, account, place.in_force.policy.risk.max_slot_wait_min, told)


def cancel(ctx: typer.Context, symbol: Symbol) -> Result:
    """Send one away before its turn."""
    from trader_core.desk import open_desk
    from trader_core.domain.errors import UsageError
    from trader_core.domain.facts import QueueChanged

    name = symbol.strip().upper()
    with open_desk(options_of(shared_of(ctx))) as desk:
        waiting = desk.journal.book.waiting
        gone = [one.symbol for one in waiting if name in (one.symbol, one.symbol.split("-")[0])]
        if not gone:
            there = ", ".join(one.symbol for one in waiting) or "nobody"
            raise UsageError(f"{name} does not wait for a slot; waiting: {there}", remedy="trader queue list")
        rest = tuple(one for one in waiting if one.symbol not in gone)
        left = tuple((one, "sent away") for one in gone)
        desk.journal.record(desk.at_ms, [QueueChanged(rest, left, desk.at_ms)])
        return _listed(desk.journal.book, desk.account, desk.policy.policy.risk.max_slot_wait_min)


def _listed(book: "Book", account: "Account", lasts_min: int, told: tuple[str, ...] = ()) -> Result:
    from cli.plain import moment
    from cli.show import table
    from trader_core.domain.clocktime import MINUTE_MS, EpochMs, short

    until = [EpochMs(one.since_ms + lasts_min * MINUTE_MS) for one in book.waiting]
    data = [
        {"symbol": one.symbol, "strategy": one.strategy, "since": moment(one.since_ms), "until": moment(end)}
        for one, end in zip(book.waiting, until, strict=True)
    ]
    rows = [
        [str(n + 1), one.symbol, one.strategy, short(one.since_ms), short(end)]
        for n, (one, end) in enumerate(zip(book.waiting, until, strict=True))
    ]
    head = ["turn", "pair", "strategy", "since, UTC", "until, UTC"]
    text = table(head, rows, left=5) if rows else "nobody waits for a slot"
    return Result({"waiting": data}, text, 0, told, account=account)
