"""The alert matrix: everything that people are told of, one row each, judged anew after every cycle.

An alarm stands for as long as its row says so; what is not raised any more is over. What only happens is an event and
over by itself.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from trader_core.domain.alert import Alarm, Severity
from trader_core.domain.money import cents
from trader_core.domain.values import replace
from trader_core.ledger.pnl import valuation
from trader_core.report.trouble import (
    Around,
    Cycle,
    Found,
    api_errors,
    asks_for_entries,
    breaker_open,
    clock,
    day_stop,
    delisting,
    disk,
    drawdown,
    empty_universe,
    halt,
    kill,
    latency,
    limit_loosened,
    losing_position,
    no_trade,
    not_of_a_cycle,
    objection,
    reconcile_break,
    rejections,
    secrets_age,
    stale_data,
    stop_hit,
    strategy_failed,
    target_hit,
    unknown_order,
    unprotected,
    unreadable,
    week_stop,
)

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

_COMMAND = re.compile(r"\btrader (?:(?:alerts|breaker|halt|policy) )?[a-z][a-z-]*")
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL

Judge = Callable[[Cycle, Around, "Settings"], Iterator[Found]]


class Row(NamedTuple):
    """`trigger` is for the documentation; `done` and `remedy` are told with the alert, SYMBOL being its subject."""

    code: str
    severity: Severity
    trigger: str
    done: str
    remedy: str
    judge: Judge
    is_event: bool = False
    escalates: bool = True
    of_market: bool = False  # it is asked of what a cycle reads: one that reads nothing does not know


def alarms_of(cycle: Cycle, around: Around, policy: "Settings", exposure: str) -> tuple[Alarm, ...]:
    """Everything that is wrong after this cycle."""
    return tuple(_alarm(row, found, exposure) for row in MATRIX for found in row.judge(cycle, around, policy))


def unasked(cycle: Cycle) -> frozenset[str]:
    """Codes of which this cycle cannot say whether they are over: it saw no market, or asked for no entry."""
    unseen = set() if cycle.prices else {row.code for row in MATRIX if row.of_market}
    return frozenset(unseen if asks_for_entries(cycle) else unseen | {"empty_universe"})


def _alarm(row: Row, found: Found, exposure: str) -> Alarm:
    return Alarm(
        row.code, found.subject, found.severity or row.severity, found.what, found.since_ms, exposure,
        row.done.replace("SYMBOL", found.subject), row.remedy.replace("SYMBOL", found.subject), row.is_event,
        row.escalates,
    )  # fmt: skip


def alarm_of(code: str, what: str, exposure: str, subject: str = "", severity: Severity | None = None) -> Alarm:
    """One that is not found by a cycle: there was none."""
    row = next(one for one in MATRIX if one.code == code)
    return _alarm(row, Found(what, subject, None, severity), exposure)


def addressed(alarms: Iterable[Alarm], words: str) -> tuple[Alarm, ...]:
    """What is read on a telephone is typed anywhere: each command with the options of the account that it is about."""
    return tuple(replace(one, remedy=_COMMAND.sub(lambda found: found[0] + words, one.remedy)) for one in alarms)


def exposure_of(cycle: Cycle, quote: str) -> str:
    """'2 positions worth 1,003.20 of 10,000.00 USD (10.0 %), 1 order open'."""
    book, worth = cycle.book, valuation(cycle.book, cycle.prices)
    count = sum(1 for one in book.orders.values() if one.is_open)
    orders = f"{count} {'order' if count == 1 else 'orders'} open"
    held = len(book.held | book.stranded)
    positions = f"{held} {'position' if held == 1 else 'positions'}" if held else "no position"
    if worth is None:
        return f"{positions}, worth unknown; {orders}"
    share = f" ({100 * worth.positions / worth.equity:.1f} %)" if worth.equity > 0 else ""
    return f"{positions} worth {cents(worth.positions):,} of {cents(worth.equity):,} {quote}{share}, {orders}"


NOTHING_ENTERS = "no entry is made; exits and stops go on"
MATRIX: tuple[Row, ...] = (
    Row("kill", CRITICAL, "a kill is in force",
        "entries are canceled; but for --flatten and --all stops stay at the venue, and nothing is sold",
        "trader halt show, and when it is right: trader halt reset --user NAME --reason TEXT", kill),
    Row("halt", CRITICAL, "the halt machine is TRIPPED; a WARNING while it is COOLING_DOWN",
        "no entry; what rests is dealt with as policy.halt.on_trip says; exits and stops go on",
        "trader halt show, then, while TRIPPED: trader halt ack", halt),
    Row("day_stop", CRITICAL, "the day's loss has reached policy.risk.max_day_loss_pct, or the profile's",
        f"{NOTHING_ENTERS}, until the UTC day is over", "trader pnl, trader positions", day_stop),
    Row("week_stop", CRITICAL, "the week's loss has reached policy.risk.max_week_loss_pct",
        f"{NOTHING_ENTERS}, until the UTC week is over", "trader pnl, trader positions", week_stop),
    Row("drawdown", CRITICAL, "the loss from the highest equity has reached policy.risk.max_drawdown_pct",
        NOTHING_ENTERS, "trader pnl, trader positions, and the runbook: halted", drawdown),
    Row("losing_position", WARNING, "a position has lost more than app.alerts.max_position_loss_pct of its cost",
        "nothing before its stop is reached", "trader positions", losing_position, escalates=False, of_market=True),
    Row("unprotected", CRITICAL, "a position has neither a stop nor an exit at the venue",
        "a stop is sent in every cycle; refused three times, the position is sold",
        "trader positions, then: trader run-cycle, or trader liquidate", unprotected),
    Row("unknown_order", CRITICAL, "an order was written down and nobody knows what became of it",
        "its whole value stays reserved, and nothing else trades SYMBOL", "trader orders, then: trader reconcile",
        unknown_order),
    Row("reconcile_break", CRITICAL, "ledger and venue differ", NOTHING_ENTERS, "trader reconcile", reconcile_break),
    Row("delisting", CRITICAL, "the venue stopped listing something that is held",
        "it is worth nothing in every figure; nothing of ours can sell it",
        "sell SYMBOL by hand, then: trader reconcile --apply --reason TEXT", delisting),
    Row("stop_hit", WARNING, "a position was sold by its stop", "it is sold; the asset has its cooldown",
        "trader trades", stop_hit, is_event=True),
    Row("target_hit", INFO, "a position, or a part of it, was sold at its target", "it is sold", "trader trades",
        target_hit, is_event=True),
    Row("unreadable", WARNING, "a cycle could not read the account or the market",
        f"{NOTHING_ENTERS} where a price is known", "trader status, trader breaker list", unreadable),
    Row("stale_data", WARNING, "a quote is older than app.alerts.max_feed_age_min; CRITICAL of something held",
        "nothing is bought on old data", "trader status, trader breaker list", stale_data, of_market=True),
    Row("empty_universe", CRITICAL, "fewer than app.alerts.min_eligible instruments may be bought", "nothing is bought",
        "trader why --no-trade", empty_universe, of_market=True),
    Row("api_errors", WARNING, "more than app.alerts.max_api_errors_pct of the calls to the venue failed",
        "calls are tried again, and a breaker stops them", "trader breaker list", api_errors),
    Row("rejections", WARNING, "more than app.alerts.max_rejected_pct of the orders were rejected",
        "too many in a row trip the halt machine", "trader orders --all", rejections),
    Row("breaker_open", WARNING, "a breaker has been open for more than app.alerts.breaker_open_s",
        "a probe is let through now and then", "trader breaker list", breaker_open),
    Row("exception", WARNING, "a start or a cycle broke off; CRITICAL where app.alerts.max_exceptions did within"
        " app.alerts.exception_window_min", "what was recorded stays recorded; stops stay at the venue",
        "trader status, then: trader run-cycle", not_of_a_cycle),
    Row("reported", CRITICAL, "somebody outside says so with `trader alerts raise`: a unit that failed", "nothing",
        "trader status, and look at the log of SYMBOL", not_of_a_cycle, is_event=True),
    Row("cycle_missing", CRITICAL, "the newest cycle is older than app.alerts.missing_bars bars",
        "nothing: stops stay at the venue, and nothing else happens",
        "trader status, and look at the timer or the service; trader run-cycle runs one now", not_of_a_cycle),
    Row("undelivered", WARNING, "a channel has taken nothing for app.alerts.undelivered_min, though it was asked",
        "it is tried again, each time after a longer while; the other channels have it",
        "trader alerts test, and mend the address of SYMBOL", not_of_a_cycle),
    Row("latency", WARNING, "a cycle took longer than app.alerts.max_cycle_s, or a part is over app.latency",
        "nothing", "trader status --latency", latency),
    Row("disk", CRITICAL, "less than app.alerts.min_free_mb is left for the state, or nobody knows",
        "what cannot be written is not sent", "make room on the disk of the state directory", disk),
    Row("clock", CRITICAL, "this machine's time is too far from the true one, or nobody knows how far", NOTHING_ENTERS,
        "trader check-clock", clock, of_market=True),
    Row("secrets_age", WARNING, "the key is older than app.secrets.warn_age_days; CRITICAL beyond max_age_days",
        "beyond max_age_days no entry is made", "trader rotate-secrets --stage --verify --activate", secrets_age,
        escalates=False, of_market=True),
    Row("objection", WARNING, "something else stands against entries: a grant that ended, a policy that is too old",
        NOTHING_ENTERS, "trader status; for a new grant: trader arm", objection, of_market=True),
    Row("strategy_failed", WARNING, "a strategy cannot be computed", "it proposes nothing; the others go on",
        "trader why --no-trade", strategy_failed),
    Row("no_trade", WARNING, "no entry for app.alerts.no_trade_h while strategies want some", "nothing",
        "trader why --no-trade", no_trade),
    Row("limit_loosened", WARNING, "a limit is looser than it will be again", "it ends by itself",
        "trader policy show", limit_loosened, escalates=False),
)  # fmt: skip


def table() -> str:
    """The matrix as a table in Markdown."""
    lines = [
        "| alert | severity | when | what the tool does about it | what to type | escalates |",
        "|---|---|---|---|---|---|",
    ]
    for row in MATRIX:
        how = "over by itself" if row.is_event else "yes" if row.escalates else "no"
        lines.append(f"| {row.code} | {row.severity} | {row.trigger} | {row.done} | {row.remedy} | {how} |")
    return "\n".join(lines)
