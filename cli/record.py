"""A cycle in the log: one record with its figures, and one for each order and fill, all under the cycle's number. And
what broke off before it came to one."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cli.account import counts
from cli.plain import moment
from cli.show import money
from trader_core.domain.clocktime import short
from trader_core.domain.errors import PlanDrifted, StateLocked, UsageError
from trader_core.domain.halt import Trading
from trader_core.domain.money import plain
from trader_core.talk import PLAIN, TALK, Level

if TYPE_CHECKING:
    from trader_core.engine.cycle import CycleReport
    from trader_core.settings.options import Options
    from trader_core.worlds.system import System

OF_A_PERSON = (UsageError, StateLocked, PlanDrifted, BrokenPipeError)  # nothing went wrong but what was asked for


@contextmanager
def overheard(options: "Options") -> Iterator[None]:
    """A start or a cycle that breaks off in here is told of; the exception goes on."""
    try:
        yield
    except Exception as error:
        if not _is_of_a_person(error):
            from trader_core.telling import broke_off

            broke_off(options, error)
        raise


def _is_of_a_person(error: Exception) -> bool:
    """An account that another process has is not opened; one that is held once it is open has broken a cycle off."""
    return isinstance(error, OF_A_PERSON) and not (isinstance(error, StateLocked) and TALK.cycle is not None)


def opening(system: "System") -> None:
    """From now on records are of this account's next cycle."""
    TALK.mode, TALK.cycle = system.mode, system.journal.next_cycle


def recorded(report: "CycleReport") -> None:
    """Of a cycle that is over; what comes after belongs to the next one."""
    TALK.cycle = report.cycle_id
    if TALK.form != PLAIN:
        _orders(report)
        _cycle(report)
    TALK.cycle = report.cycle_id + 1


def _cycle(report: "CycleReport") -> None:
    book, refusals = report.book, dict[str, int]()
    for one in report.decision.refusals if report.decision else ():
        refusals[one.outcome] = refusals.get(one.outcome, 0) + 1
    against = [report.problem] * bool(report.problem) + [one.what for one in report.objections]
    against += [f"{one.order.symbol} {one.why_not}" for one in report.not_placed]
    halted = "" if book.halt.trading is Trading.ACTIVE else f", {book.halt.state.value}"
    took_ms = sum(report.spent_ms.values())
    told = f"decided at {short(report.decision_ms)} UTC: "
    told += f"{counts(report.placed, len(report.fills), refusals)}, equity {money(book.equity)}, "
    told += f"{len(book.held)} held, {took_ms:.0f} ms{halted}" + "".join(f"; {one}" for one in against)
    TALK.log(
        told, Level.WARNING if against or halted else Level.INFO,
        event="cycle", decision_time=moment(report.decision_ms) or "", trading=book.halt.trading.value,
        equity="" if book.equity is None else plain(book.equity), cash="" if book.cash is None else plain(book.cash),
        positions=str(len(book.held)), placed=str(report.placed), fills=str(len(report.fills)),
        refusals=str(sum(refusals.values())), took_ms=f"{took_ms:.1f}", problem=report.problem,
    )  # fmt: skip


def _orders(report: "CycleReport") -> None:
    ids = {id(one.approved): name for name, one in report.book.orders.items()}
    for order in report.decision.orders if report.decision else ():
        TALK.log(
            f"{order.side.value} {plain(order.quantity)} {order.symbol}: {order.role.value.lower()}, {order.reason}",
            event="order", symbol=order.symbol, side=order.side.value, role=order.role.value, reason=order.reason,
            order_id=ids.get(id(order), ""),
        )  # fmt: skip
    for told in report.fills:
        fill = told.fill
        TALK.log(
            f"{fill.side.value} {plain(fill.quantity)} {fill.symbol} filled at {plain(fill.price)}",
            event="fill", symbol=fill.symbol, side=fill.side.value, price=plain(fill.price),
            quantity=plain(fill.quantity), fee=plain(fill.fee), order_id=fill.client_order_id,
        )  # fmt: skip
