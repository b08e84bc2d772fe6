"""`trader decisions`: what was decided, one record each, from the hash-chained journal; nothing here changes it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result, warned
from cli.files import save_new
from cli.looking import NEAREST_MAX, SAFE, Since, Symbol, meant, since_of
from cli.options import Shared, options_of, shared_of
from trader_core.domain.errors import GateClosed, StateUnusable, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trader_core.domain.account import Account
    from trader_core.report.decisions import Record

LISTED_MAX = 1_000
Cycle = Annotated[int, typer.Argument(metavar="CYCLE", min=1, help="Number of a cycle.")]


def list_(
    ctx: typer.Context,
    since: Since = None,
    symbol: Symbol = None,
    verdict: Annotated[
        str | None, typer.Option("--verdict", metavar="NAME", help="Only where somebody met it: OK, REGIME, no_signal.")
    ] = None,
) -> Result:
    """List decisions, the newest first: how many were entered, refused and ordered, and the id of each."""
    from cli.plain import moment
    from cli.show import count, fitted
    from trader_core.domain.clocktime import short
    from trader_core.report.decisions import wanted
    from trader_core.report.why import is_judged

    records, account = _records(shared_of(ctx))
    known = tuple(sorted({name for one in records for name in one.symbols}))
    symbols = meant(known, symbol, "the account", "trader decisions list --symbol")
    from_ms = since_of(since, records[-1].decision_ms)
    chosen = wanted(records, from_ms, symbols, _outcome(verdict, records))[::-1]
    found = [one for one in chosen if not one.away]
    away = len(chosen) - len(found)
    shown = found[:LISTED_MAX]
    data = [
        {
            "cycle": one.cycle, "decision_time": moment(one.decision_ms), "id": one.id, "digest": one.digest,
            "judged": sum(is_judged(it.outcome) for it in one.judgements), "orders": len(one.orders),
            "passed": sum(it.outcome == "OK" for it in one.judgements), "events": len(one.events), "over": one.over,
            "replayable": bool(one.inputs),
        }
        for one in shown
    ]  # fmt: skip
    rows = [
        [str(each["cycle"]), short(one.decision_ms), str(each["passed"]), str(each["judged"]), str(each["orders"]),
         "yes" if one.over else "open", one.id]
        for each, one in zip(data, shown, strict=True)
    ]  # fmt: skip
    head = count(len(found), "decision") + (f", the newest {LISTED_MAX} of them" if len(found) > LISTED_MAX else "")
    columns = ["cycle", "time, UTC", "passed", "judged", "orders", "over", "id"]
    text = fitted(columns, rows, ("id",), left=2, words=2) if rows else ""
    data_of = {"total": len(found), "decisions": data, "away": away}
    return Result(data_of, f"{head}\n{text}".rstrip(), 0, warned(_lost(away)), account=account)


def _outcome(asked: str | None, records: "Sequence[Record]") -> str | None:
    """The verdict that somebody means by 'held' or 'HELD'. Raises UsageError on a stranger."""
    from difflib import get_close_matches

    from cli.commands.why import WORDS
    from trader_core.report.decisions import verdicts

    if asked is None:
        return None
    names = verdicts(records) | set(WORDS)
    known = {name.upper(): name for name in names}
    wanted = asked.strip().upper()
    if wanted not in known:
        near = [known[name] for name in get_close_matches(wanted, known, n=NEAREST_MAX)]
        there_are = "" if near else f"; there are {', '.join(sorted(names))}"
        raise UsageError(
            f"there is no verdict {asked}{there_are}",
            safe=SAFE,
            remedy=" or ".join(f"trader decisions list --verdict {name}" for name in near or ["OK"]),
        )
    return known[wanted]


def _lost(away: int) -> list[str]:
    from cli.show import count

    return [f"{count(away, 'decision')} in closed files that are not there: trader decisions verify"] if away else []


def show(ctx: typer.Context, cycle: Cycle) -> Result:
    """Show one cycle's decision with its events: gated, reserved, sent, filled, rejected, closed."""
    from json import loads

    from trader_core.report.decisions import canonical

    records, account = _records(shared_of(ctx))
    found = [one for one in records if one.cycle == cycle]
    if not found:
        raise UsageError(f"cycle {cycle} took no decision", safe=SAFE, remedy="trader decisions list")
    if any(one.away for one in found):
        raise StateUnusable(
            f"cycle {cycle} was moved into a closed file that is not there", safe=SAFE,
            remedy="trader decisions verify names it; put it back",
        )  # fmt: skip
    text = "\n\n".join(map(_page, found))
    return Result([loads(canonical(one)) for one in found], f"{account}\n{text}")  # data are the records alone


def verify(ctx: typer.Context) -> Result:
    """Walk the journal and every record of inputs; name the row that is not as it was written."""
    from cli.show import count
    from trader_core.desk import open_state
    from trader_core.hindsight import verified

    with open_state(options_of(shared_of(ctx))) as (store, account):
        proof = verified(store)
    data = {
        "rows": proof.rows, "decisions": proof.decisions, "recorded": proof.recorded,
        "documents": proof.documents, "candles": proof.bars, "head": proof.head, "files": proof.files,
        "missing": proof.missing, "moved": proof.moved,
    }  # fmt: skip
    told = [
        f"the journal is as it was written: {count(proof.rows, 'row')}, the last with hash {proof.head}",
        f"{count(proof.decisions, 'decision')}, {proof.recorded} with what they were taken from: "
        f"{count(proof.bars, 'candle')}, {count(proof.documents, 'document')}",
    ]
    told += [f"{count(proof.files, 'closed file')} of older rows, whole"] if proof.files else []
    return Result(data, "\n".join(told), 0, warned(proof.not_walked), account=account)


def export(
    ctx: typer.Context, directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where to.")], since: Since = None
) -> Result:
    """Write each decision that is over as YYYY-MM-DD_<id>.json. What is there already must be the same."""
    from cli.show import count
    from trader_core.report.decisions import canonical, wanted

    records, account = _records(shared_of(ctx))
    chosen = wanted(records, since_of(since, records[-1].decision_ms), (), None)
    away = sum(one.away for one in chosen)
    texts = {directory / one.file_name: canonical(one) for one in chosen if one.over and not one.away}
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    present = [path for path in texts if path.exists()]
    for path in present:
        if path.read_bytes() != texts[path].encode():
            raise GateClosed(
                f"{path} is there already and says something else", safe="no file was written",
                remedy="keep it aside, or export into another directory",
            )  # fmt: skip
    written = [path for path in texts if path not in present]
    for path in written:
        save_new(path, "DIR", texts[path])
    left = len(chosen) - len(texts) - away
    data = {"directory": str(directory), "written": len(written), "present": len(present), "left": left, "away": away}
    told = f"{count(len(written), 'decision')} written to {directory}, {count(len(present), 'was', 'were')} there"
    told += f"; {left} left for later: more may come of them" if left else ""
    return Result(data, told, 0, warned(_lost(away)), account=account)


def _records(shared: Shared) -> "tuple[tuple[Record, ...], Account]":
    """(those of the newest account, oldest first; which that is). Raises StateUnusable where there is none."""
    from trader_core.desk import open_state
    from trader_core.report.decisions import decisions, instance_of

    with open_state(options_of(shared)) as (store, account):
        found = decisions(store.told(), instance_of(store.identity()))
    if not found:
        raise StateUnusable("nothing was decided yet", safe=SAFE, remedy="trader run")
    return found, account


def _page(one: "Record") -> str:
    from cli.show import fitted, order_words, pairs, price, table
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain
    from trader_core.report.why import is_judged

    facts = [
        ("id", one.id), ("digest", one.digest), ("inputs", one.inputs or "not recorded, by an older trader"),
        ("config", one.config_digest), ("policy", f"version {one.policy_version}, {one.policy_digest}"),
        ("journal", f"row {one.seq}, hash {one.hash}"),
    ]  # fmt: skip
    parts = [f"cycle {one.cycle}, {short(one.decision_ms)} UTC", pairs(facts)]
    judged = [[it.symbol, it.outcome, it.detail] for it in one.judgements if is_judged(it.outcome)]
    parts += ["", table(["symbol", "verdict", "because"], judged, left=3)] if judged else []
    parts += [""] if one.orders else []
    parts += [f"order: {order_words(it)}" for it in one.orders]
    events = [
        [str(it.seq), short(it.at_ms), it.kind, it.symbol, plain(it.quantity) if it.quantity is not None else "",
         price(it.price) if it.price is not None else "", it.detail]
        for it in one.events
    ]  # fmt: skip
    columns = ["row", "time, UTC", "event", "symbol", "quantity", "price", ""]
    parts += ["", fitted(columns, events, ("row",), left=4, words=1)] if events else []
    return "\n".join(parts)
