"""An account after a cycle as metrics: what stands, and what has happened since the book before it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from trader_core.domain.book import ZERO, Book
from trader_core.domain.clocktime import day_index, week_index
from trader_core.domain.decision import Decision
from trader_core.domain.facts import CycleClosed, Fact, Filled, Intended
from trader_core.domain.halt import HaltState, Trading
from trader_core.domain.objection import Objection
from trader_core.domain.order import ApprovedOrder, Order, OrderStatus, Role
from trader_core.domain.telemetry import Series
from trader_core.execution.protection import naked_since
from trader_core.ledger.pnl import valuation
from trader_core.report.metrics import NO_SIGNAL, OBJECTED, UNREADABLE, series
from trader_core.rulebook.codes import GATES, Verdict

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

CASH, COINS = "cash", "coins"
SUBJECTS = ("ledger", "orders")  # of a discrepancy that is none of an amount
Figures = dict[Series, float]


@dataclass(frozen=True)
class Cycle:
    """One cycle that is over, and the book before it."""

    before: Book
    book: Book
    decision: Decision | None
    placed: int
    told: tuple[Fact, ...]  # written down since the cycle before, by whomever
    prices: Mapping[str, Decimal]
    problem: str
    objections: tuple[Objection, ...]
    ages_ms: Mapping[str, int]


def counts_of(cycle: Cycle) -> Figures:
    """What the cycle adds to what only grows."""
    found: dict[Series, float] = defaultdict(float)
    found[series("trader_cycles_total", outcome="degraded" if cycle.problem else "ok")] = 1
    orders, refusals = (cycle.decision.orders, cycle.decision.refusals) if cycle.decision else ((), ())
    for refusal in refusals:
        found[series("trader_refusals_total", verdict=refusal.outcome)] += 1
    for order in _written_down(cycle) or orders:  # in a dry run none is
        found[series("trader_orders_total", role=order.role.value, reason=order.reason)] += 1
    if not any(order.role is Role.ENTRY for order in orders):
        found[series("trader_no_trade_total", reason=_why_none(cycle))] = 1
    for fill in (one.fill for one in cycle.told if isinstance(one, Filled)):
        found[series("trader_fills_total", side=fill.side.value)] += 1
        found[series("trader_traded_quote_total", side=fill.side.value)] += float(fill.value)
        found[series("trader_fees_quote_total")] += float(fill.fee)
    for one in _ended_since(cycle.before, cycle.book):
        found[series("trader_orders_closed_total", role=one.approved.role.value, status=one.status.value)] += 1
    if cycle.book.halt.trips > cycle.before.halt.trips:
        found[series("trader_halt_trips_total")] = cycle.book.halt.trips - cycle.before.halt.trips
    return found


def _written_down(cycle: Cycle) -> list[ApprovedOrder]:
    return [one.approved for one in cycle.told if isinstance(one, Intended)]


def _why_none(cycle: Cycle) -> str:
    """Few words for many reasons: why the first proposal of something new was refused; where there was none, why."""
    if cycle.decision is None:
        return UNREADABLE
    refused = [one.outcome for one in cycle.decision.refusals]
    if refused:
        return next((one for one in refused if one != Verdict.HELD.name), Verdict.HELD.name)
    return UNREADABLE if cycle.problem else OBJECTED if cycle.objections else NO_SIGNAL


def _ended_since(before: Book, book: Book) -> list[Order]:
    return [
        one
        for name, one in book.orders.items()
        if not one.is_open and (name not in before.orders or before.orders[name].is_open)
    ]


def levels_of(cycle: Cycle, policy: "Settings", host_ms: int) -> Figures:
    """How the account stands. What is unknown is not there."""
    found = {**_money(cycle), **_losses(cycle.book), **_orders(cycle.book, host_ms), **_limits(policy)}
    found |= _standing(cycle)
    for symbol, age_ms in cycle.ages_ms.items():
        found[series("trader_data_age_seconds", symbol=symbol)] = age_ms / 1_000
    return found


def _money(cycle: Cycle) -> Figures:
    book, worth = cycle.book, valuation(cycle.book, cycle.prices)
    found = {series("trader_realised_quote"): float(book.realised)}
    equity = worth.equity if worth else book.equity
    if equity is not None:
        found[series("trader_equity_quote")] = float(equity)
    if book.cash is not None:
        found[series("trader_cash_quote")] = float(book.cash)
    if worth:
        found[series("trader_unrealised_quote")] = float(worth.unrealised)
    if worth and worth.equity > 0:
        found[series("trader_exposure_ratio", kind="held")] = float(worth.positions / worth.equity)
        found[series("trader_exposure_ratio", kind="pending")] = float(_pending(book) / worth.equity)
    for symbol in sorted(book.held & cycle.prices.keys()):
        value = book.holdings[symbol].quantity * cycle.prices[symbol]
        found[series("trader_position_quote", symbol=symbol)] = float(value)
    return found


def _pending(book: Book) -> Decimal:
    entries = (one for one in book.orders.values() if one.is_open and one.approved.role is Role.ENTRY)
    return sum((one.remaining * one.approved.limit for one in entries), ZERO)


def _losses(book: Book) -> Figures:
    """Since the marks that the gates go by."""
    known, now = book.closed_ms >= 0, book.closed_ms
    opens = {
        "day": book.day_open if known and day_index(now) == book.day else None,
        "week": book.week_open if known and week_index(now) == book.week else None,
        "drawdown": book.high,
    }
    return {
        series("trader_loss_ratio", window=window): float((opened - book.equity) / opened)
        for window, opened in opens.items()
        if opened and book.equity is not None
    }


def _limits(policy: "Settings") -> Figures:
    risk = policy.policy.risk_in_force
    limits = {"day": risk.max_day_loss_pct, "week": risk.max_week_loss_pct, "drawdown": risk.max_drawdown_pct}
    found = {series("trader_loss_limit_ratio", window=window): pct / 100 for window, pct in limits.items()}
    return found | {series("trader_exposure_limit_ratio"): risk.max_total_at_risk_pct / 100}


def _orders(book: Book, host_ms: int) -> Figures:
    opened = [one for one in book.orders.values() if one.is_open]
    unknown = [one for one in opened if one.status is OrderStatus.INTENDED]
    found = {
        series("trader_orders_open", role=role.value): float(sum(one.approved.role is role for one in opened))
        for role in Role
    }
    found[series("trader_orders_unknown")] = len(unknown)
    if unknown:
        waited_ms = host_ms - min(one.sent_ms for one in unknown)
        found[series("trader_orders_unknown_oldest_seconds")] = max(waited_ms, 0) / 1_000
    found[series("trader_order_failures")] = len(book.failed)
    entries = [one for one in book.orders.values() if not one.is_open and one.approved.role is Role.ENTRY]
    if entries:
        found[series("trader_fill_ratio")] = sum(one.filled > 0 for one in entries) / len(entries)
    return found


def _standing(cycle: Cycle) -> Figures:
    book, naked = cycle.book, naked_since(cycle.book)
    decision = cycle.decision
    closed = (
        {row.gate for one in decision.refusals for row in one.rows if row.verdict == one.outcome} if decision else ()
    )
    judged = decision.judgements if decision else ()
    proposed = sum(one.outcome.isupper() for one in judged)
    kinds = Counter(one if one in SUBJECTS else _kind(one, book) for one in book.discrepancies)
    return {
        series("trader_last_decision_timestamp_seconds"): book.closed_ms / 1_000,
        series("trader_cycle_orders", step="proposed"): proposed,
        series("trader_cycle_orders", step="approved"): _approved(cycle),
        series("trader_cycle_orders", step="placed"): cycle.placed,
        **{series("trader_gate_closed", gate=one.name): float(one.name in closed) for one in GATES},
        series("trader_positions"): len(book.held | book.stranded),
        series("trader_unprotected_positions"): len(naked),
        series("trader_unprotected_quote"): float(sum((_worth(cycle, one) for one in naked), ZERO)),
        **{series("trader_trading", state=one.value): float(one is book.halt.trading) for one in Trading},
        **{series("trader_halt", state=one.value): float(one is book.halt.state) for one in HaltState},
        series("trader_paused"): float(bool(book.paused)),
        series("trader_objections"): len(cycle.objections),
        **{series("trader_reconcile_breaks", kind=one): kinds[one] for one in (*SUBJECTS, CASH, COINS)},
        series("trader_strategies_failed"): len(book.failures),
        series("trader_universe_instruments"): sum(one.outcome != "excluded" for one in judged),
        series("trader_policy_version"): book.policy_version,
    }


def _approved(cycle: Cycle) -> int:
    """In all rounds of this cycle; what was ordered since the one before it, by a liquidation, is of another."""
    closed = [n for n, one in enumerate(cycle.told) if isinstance(one, CycleClosed)]
    mine = cycle.told[closed[-2] + 1 :] if len(closed) > 1 else cycle.told
    written = sum(isinstance(one, Intended) for one in mine)
    return written or (len(cycle.decision.orders) if cycle.decision else 0)  # in a dry run none is


def _kind(subject: str, book: Book) -> str:
    """A discrepancy of an amount is named by its asset: one that we hold, or the currency."""
    return COINS if any(one.partition("-")[0] == subject for one in book.holdings) else CASH


def _worth(cycle: Cycle, symbol: str) -> Decimal:
    held = cycle.book.holdings[symbol]
    return held.quantity * cycle.prices[symbol] if symbol in cycle.prices else Decimal(held.cost)
