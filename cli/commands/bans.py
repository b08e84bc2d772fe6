"""`trader bans`: assets that must not be bought for a while. A ban ends by itself, and is in the journal."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.again import typed
from cli.commands.halt import Reason, said
from cli.exits import Result, warned
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trader_core.domain.account import Account
    from trader_core.domain.book import Ban, Book
    from trader_core.domain.clocktime import EpochMs

Asset = Annotated[str, typer.Argument(metavar="ASSET", help="An asset code, like DOGE.")]
Hours = Annotated[int | None, typer.Option("--hours", min=1, max=87_600, metavar="N", help="Default: universe.yaml.")]


def add(ctx: typer.Context, asset: Asset, reason: Reason, hours: Hours = None) -> Result:
    """Ban an asset: exploit, regulation, delisting, rug pull. What is held of it keeps its exits."""
    from trader_core.desk import open_desk
    from trader_core.domain.clocktime import HOUR_MS, EpochMs
    from trader_core.domain.facts import Banned

    code = _code(asset)
    with open_desk(options_of(shared_of(ctx))) as desk:
        lasts = hours or desk.policy.universe.bans.default_h
        until = EpochMs(desk.at_ms + lasts * HOUR_MS)
        desk.journal.record(desk.at_ms, [Banned(code, said(reason), desk.at_ms, until)])
        strange = warned([typed(line, shared_of(ctx)) for line in _strange(code, desk.policy.universe.bases)])
        return _listed(desk.journal.book, desk.at_ms, desk.account, strange)


def show(ctx: typer.Context) -> Result:
    """List the bans in force."""
    from trader_core.desk import account_ms, open_state
    from trader_core.engine.journal import Journal

    with open_state(options_of(shared_of(ctx))) as (store, account):
        book = Journal(store).book
        return _listed(book, account_ms(store, book), account)


def lift(ctx: typer.Context, asset: Asset, reason: Reason) -> Result:
    """End a ban before its time."""
    from trader_core.desk import open_desk
    from trader_core.domain.errors import UsageError
    from trader_core.domain.facts import BanLifted

    code = _code(asset)
    with open_desk(options_of(shared_of(ctx))) as desk:
        bans = _in_force(desk.journal.book, desk.at_ms)
        if code not in bans:
            known = ", ".join(bans) or "none"
            raise UsageError(f"{code} is not banned; banned: {known}", remedy="trader bans list")
        desk.journal.record(desk.at_ms, [BanLifted(code, said(reason), desk.at_ms)])
        return _listed(desk.journal.book, desk.at_ms, desk.account)


def _code(asset: str) -> str:
    """'doge' and 'DOGE' are one asset. Raises UsageError where it is none."""
    from trader_core.domain.errors import UsageError

    code = asset.strip().upper()
    if not code.isalnum() or not code.isascii():
        raise UsageError(f"'{asset}' is no asset code", remedy="trader bans add DOGE --reason TEXT")
    return code


def _strange(code: str, known: "Sequence[str]") -> list[str]:
    """It is banned all the same: discovery may find it, and a tier may name it tomorrow."""
    from difflib import get_close_matches

    if code in known:
        return []
    near = get_close_matches(code, known, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    return [f"no tier of the universe names {code}, which is banned now; {hint}trader bans lift {code} --reason TEXT"]


def _in_force(book: "Book", now_ms: "EpochMs") -> "dict[str, Ban]":
    """By asset, in the order of their codes."""
    return {asset: ban for asset, ban in sorted(book.bans.items()) if ban.until_ms > now_ms}


def _listed(book: "Book", now_ms: "EpochMs", account: "Account", warnings: "Sequence[str]" = ()) -> Result:
    from cli.plain import moment
    from cli.show import table
    from trader_core.domain.clocktime import short

    bans = _in_force(book, now_ms)
    data: list[dict[str, Any]] = [
        {"asset": asset, "reason": ban.reason, "since": moment(ban.since_ms), "until": moment(ban.until_ms)}
        for asset, ban in bans.items()
    ]
    rows = [[asset, short(ban.since_ms), short(ban.until_ms), ban.reason] for asset, ban in bans.items()]
    text = table(["asset", "since, UTC", "until, UTC", "reason"], rows, left=4) if rows else "no asset is banned"
    return Result({"bans": data}, text, 0, warnings, account=account)
