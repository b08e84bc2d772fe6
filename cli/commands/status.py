"""`trader status`: where the account stands, from its state alone."""

import sys
from contextlib import suppress
from decimal import Decimal
from time import monotonic, sleep
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result, warned
from cli.options import Shared, options_of, shared_of
from trader_core.domain.values import as_dict

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.domain.account import Account
    from trader_core.domain.book import Book
    from trader_core.report.status import Status
    from trader_core.settings.options import Options

EVERY_S = 3.0  # at least so long between two drawings
READING_SHARE = 0.1  # of the time, at most, is spent reading
UNPROTECTED = 42  # exit code
DECIDED_BY = "SELECT config_digest FROM journal WHERE kind = 'cycle_closed' ORDER BY seq DESC LIMIT 1"
CLOSED_BY = "SELECT problem FROM cycles ORDER BY cycle_id DESC LIMIT 1"
GOES_ON = "a loop that runs goes on with the files that it read at its start"
CLEAR = "\x1b[H\x1b[J"  # cursor to the upper left, and nothing below it


def status(
    ctx: typer.Context,
    oneline: Annotated[bool, typer.Option("--oneline", help="One line, for a prompt or a log.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Draw it again every few seconds, until Ctrl-C.")] = False,
    latency: Annotated[
        bool, typer.Option("--latency", help="What cycles, their stages and the venue's answers take.")
    ] = False,
) -> Result:
    """Show the newest state: equity, positions, orders, halt."""
    shared = shared_of(ctx)
    if latency:
        return _latency(shared, _look(shared, oneline=False))
    seen = _look(shared, oneline)
    if watch and sys.stdout.isatty() and not shared.json:
        with suppress(KeyboardInterrupt):
            _watch(seen, shared, oneline)
        return Result(None, "")
    return seen


def _watch(seen: Result, shared: Shared, oneline: bool) -> None:
    """Draw over what was drawn. However long the journal has become, reading it is a small part of the time."""
    pause_s = EVERY_S
    while True:
        sys.stdout.write(f"{CLEAR}{seen.text}\n\nlooking again every {pause_s:.0f} s; Ctrl-C ends it\n")
        sys.stdout.flush()
        sleep(pause_s)
        begun = monotonic()
        seen = _look(shared, oneline)
        pause_s = max(EVERY_S, (monotonic() - begun) / READING_SHARE)


def _look(shared: Shared, oneline: bool) -> Result:
    from cli.account import trouble_data, trouble_text, way_out
    from cli.plain import jsonable, moment
    from cli.show import Ink, colours
    from trader_core.desk import open_state
    from trader_core.domain.halt import HaltState, Trading
    from trader_core.engine.journal import Journal
    from trader_core.report.status import next_decision_ms
    from trader_core.report.status import status as status_of

    options, ink = options_of(shared), Ink(not shared.json and colours())
    with open_state(options) as (store, account):
        clock, book = store.identity().get("clock", ""), Journal(store).book
        ((begun_ms,),) = store.query("SELECT coalesce(min(decision_ms), 0) FROM cycles")
        decided = store.query(DECIDED_BY)
        problem = next((one for (one,) in store.query(CLOSED_BY)), "")
    found, next_ms = status_of(book), next_decision_ms(book, clock)
    about = {**as_dict(account), "clock": clock, "next_decision_time": moment(next_ms)}
    in_force, warnings = _policy(options, account.mode, clock, book, *(one for (one,) in decided))
    latched = _latched(options, account.mode)
    data = {**about, "problem": problem, **jsonable(found), **trouble_data(book), **in_force, "latch": latched}
    if not book.halt.since_ms:  # it never moved
        data["halt"]["since_time"] = moment(begun_ms)
    if latched is not None:
        data |= {"halted": True, "trading": Trading.HALTED}
    code = UNPROTECTED if (found.longest_naked_min or -1) > (in_force["max_naked_min"] or 0) else 0
    if oneline:
        line = _oneline(account, found, book, in_force, _halt_word(found, latched), problem)
        return Result(data, line, code, warnings)
    page = _page(account, found, in_force, next_words(next_ms, clock), _halt_words(found, latched), problem, ink)
    is_news = latched is not None and book.halt.state is not HaltState.KILLED
    back = ["", way_out(HaltState.KILLED, shared)] if is_news else []
    return Result(data, "\n".join([page, *back, *trouble_text(book, ink, shared)]), code, warnings)


def _latency(shared: Shared, seen: Result) -> Result:
    """Figures of the newest samples, each operation beside its budget; what is over it is marked."""
    from cli.show import Ink, colours, table
    from trader_core.bootstrap import settings_of
    from trader_core.desk import newest_state
    from trader_core.figures import latencies_of

    options, ink = options_of(shared), Ink(not shared.json and colours())
    files, policy = newest_state(options), settings_of(options)
    found = latencies_of(files.directory, files.mode, policy)
    latency = {
        "cycle_p95_ms": policy.app.latency.cycle_p95_ms,
        "cycle_p99_ms": policy.app.latency.cycle_p99_ms,
        "operations": [as_dict(one) for one in found],
    }
    data = {**seen.data, "latency": latency}
    if not found:
        return Result(data, f"{files.mode}: nothing was measured yet")
    head = ["ms", "count", "mean", "p50", "p95", "p99", "max", "budget", ""]
    rows = [
        [one.operation, str(one.count), *map(_ms, (one.mean_ms, one.p50_ms, one.p95_ms, one.p99_ms, one.max_ms)),
         str(one.budget_ms), ink.bad("OVER") if one.over else ""]
        for one in found
    ]  # fmt: skip
    over = [ink.bad(f"OVER BUDGET {one.operation}: {one.over}") for one in found if one.over]
    return Result(data, "\n".join([table(head, rows), *(["", *over] if over else [])]))


def _ms(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _latched(options: "Options", mode: str) -> str | None:
    """Why a kill stands, whether a cycle has seen it or not; None where none does."""
    from trader_core.domain.errors import StateUnusable
    from trader_core.kill.back import standing

    try:
        found = standing(options.state_directory / f"{mode.lower()}.db")
    except StateUnusable as unreadable:
        return unreadable.what
    return found.reason if found else None


def _halt_word(found: "Status", latched: str | None) -> str:
    return found.halt.state.value if latched is None else "KILLED"


def _halt_words(found: "Status", latched: str | None) -> str:
    """The halt machine's state; while a kill stands, that one."""
    if latched is not None:
        return f"KILLED: {latched}"
    return found.halt.state.value + (f": {found.halt.reason}" if found.halt.reason else "")


def next_words(next_ms: int | None, clock: str) -> str:
    """'2024-08-01 00:15 UTC, market time'; on a virtual clock no wall clock says when that is."""
    from trader_core.domain.clocktime import short
    from trader_core.report.status import is_virtual

    if next_ms is None:
        return "unknown"
    return f"{short(next_ms)} UTC" + (", market time" if is_virtual(clock) else "")


def _policy(
    options: "Options", mode: str, clock: str, book: "Book", decided_by: str = ""
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """What is in force of the policy, and what of it is looser than written for a while; of an account on the wall
    clock also that its newest cycle went by other files. A status must not fail because a configuration does, or a
    store."""
    from cli.plain import moment
    from trader_core.domain.errors import ConfigInvalid, StateUnusable
    from trader_core.keyring import leave_of
    from trader_core.policies import place_beside, running_loosenings
    from trader_core.report.status import is_virtual
    from trader_core.settings.digest import digest

    unknown = {"max_day_loss_pct": None, "max_naked_min": None, "policy": None, "armed": None}
    try:
        place = place_beside(options, mode, clock, book)
        policy, leave = place.in_force.policy, leave_of(place.written, place.files, book)
    except ConfigInvalid as invalid:
        return unknown, warned([f"{invalid.what.splitlines()[0].rstrip(':')}; {GOES_ON}"])
    except StateUnusable as broken:
        return unknown, warned([f"{broken.what}; {broken.safe}"])
    loose = [{"key": key, "value": value, "until": moment(until)} for key, value, until in running_loosenings(place)]
    found = {"version": place.reading.version, "profile": policy.profile, "loosened": loose}
    others = decided_by not in ("", digest(place.written)) and not is_virtual(clock)
    words = [f"the newest cycle went by other files than these, and {GOES_ON}: start it anew"] * others
    told = warned([*([place.reading.note] if place.reading.note else []), *words])
    limits = {"max_day_loss_pct": policy.risk_in_force.max_day_loss_pct, "max_naked_min": policy.exits.max_naked_min}
    armed = None if leave is None else {"until_time": moment(leave.until_ms), "why_not": leave.closed}
    return {**limits, "policy": found, "armed": armed}, told


def _armed(leave: dict[str, Any] | None) -> str:
    """'until 2026-11-24 08:00 UTC', 'NO: the grant was revoked ...'; '' of an account that sends no order."""
    if leave is None:
        return ""
    return f"NO: {leave['why_not']}" if leave["why_not"] else f"until {leave['until_time'][:16].replace('T', ' ')} UTC"


def _policy_words(policy: dict[str, Any] | None) -> list[str]:
    """'version 3, DEFENSIVE', and a line for each limit that is looser for a while."""
    from trader_core.settings.document import shown

    if policy is None:
        return ["unknown"]
    first = "as written" if policy["version"] == 1 else f"version {policy['version']}"
    return [f"{first}, {policy['profile']}"] + [
        f"LOOSER {one['key'].removeprefix('policy.')} {shown(one['value'])} until {one['until']}"
        for one in policy["loosened"]
    ]


def _page(
    account: "Account", found: "Status", in_force: dict[str, Any], following: str, halt: str, problem: str, ink: "Ink"
) -> str:
    from cli.commands.orders import kind_words
    from cli.show import change, money, pairs, positions_table, price, table
    from trader_core.domain.clocktime import short
    from trader_core.domain.money import plain

    last = short(found.last_decision_ms) + " UTC" if found.cycles else "none yet"
    rows = [
        ("cycles", f"{found.cycles}, the last decided at {last}" if found.cycles else "none yet"),
        ("next", following),
        ("equity", money(found.equity)),
        ("cash", money(found.cash)),
        ("realised", change(found.realised)),
        ("today", _today(found, in_force["max_day_loss_pct"])),
        ("halt", halt),
        *([("entries", f"closed at the newest cycle: {problem}")] if problem else []),
        *([("armed", _armed(in_force["armed"]))] if in_force["armed"] else []),
        *(("policy" if not n else "", line) for n, line in enumerate(_policy_words(in_force["policy"]))),
        ("restart", "safe" if found.restart_safe else "an order's fate is unknown; the next cycle asks the venue"),
    ]
    if found.longest_naked_min is not None:
        rows.append(
            ("naked", ink.bad(f"for {found.longest_naked_min} min nothing at the venue has protected a position"))
        )
    if found.dust:
        rows.append(("dust", f"{', '.join(found.dust)}: less than the venue trades; reconcile --dust closes it"))
    parts = [ink.bold(str(account)), pairs(rows)]
    if found.open_positions:
        parts += ["", positions_table(found.open_positions)]
    orders = [
        [one.symbol, kind_words(one.role, one.kind), one.status.lower(), plain(one.quantity - one.filled),
         price(one.limit or one.trigger)]
        for one in found.open_orders
    ]  # fmt: skip
    if orders:
        parts += ["", table(["order", "role", "state", "quantity", "price"], orders, left=3)]
    return "\n".join(parts)


def _today(found: "Status", limit: float | None) -> str:
    """'-0.23 % (low -3.10 %, limit -3 %)': the change since the UTC day's first mark, at its lowest where that is
    lower, and where entries close for the day, also after a recovery."""
    now, low = found.day_loss_pct, found.day_low_loss_pct
    gained = "unknown" if now is None else f"{0.0 - now:+.2f} %"
    told = [f"low {0.0 - low:+.2f} %"] if low is not None and (now is None or low > now) else []
    told += [] if limit is None else [f"limit -{limit:g} %"]
    return f"{gained} ({', '.join(told)})" if told else gained


def _oneline(
    account: "Account", found: "Status", book: "Book", in_force: dict[str, Any], halt: str, problem: str
) -> str:
    from cli.show import count, money
    from trader_core.desk import oldest_unknown_min
    from trader_core.domain.clocktime import short

    where = f"{account.mode} {account.venue}"
    if not found.cycles:
        return f"{where}: no cycle yet, halt {halt}"
    parts = [
        f"{where}: {count(found.cycles, 'cycle')}",
        f"last {short(found.last_decision_ms)} UTC",
        f"equity {money(found.equity)}",
        count(found.positions, "position"),
        count(len(found.open_orders), "open order"),
        f"today {_today(found, in_force['max_day_loss_pct'])}",
        f"halt {halt}",
        *(["ENTRIES CLOSED"] if problem else []),
        *([f"armed {_armed(in_force['armed']).partition(': ')[0]}"] if in_force["armed"] else []),
        *([] if in_force["policy"] is None or not in_force["policy"]["loosened"] else ["LOOSENED POLICY"]),
        *([count(len(found.discrepancies), "discrepancy", "discrepancies")] if found.discrepancies else []),
        "restart safe" if found.restart_safe else f"UNKNOWN ORDER for {oldest_unknown_min(book)} min",
        *([] if found.longest_naked_min is None else [f"NAKED {_naked_cost(found)} for {found.longest_naked_min} min"]),
        *(["PAUSED"] if book.paused else []),
        *([count(len(book.stranded), "delisted position")] if book.stranded else []),
        *([count(len(book.failures), "failed strategy", "failed strategies")] if book.failures else []),
    ]
    return ", ".join(parts)


def _naked_cost(found: "Status") -> str:
    """What was paid for all that nothing at the venue protects: nobody asked for a price."""
    from cli.show import money

    return money(sum((one.cost for one in found.open_positions if one.naked_min is not None), Decimal(0)))
