"""What can be wrong with an account after a cycle: one question each, pure.

No number that changes is part of what is found, so a hundred of them are one; `alarms` says how severe each is.
"""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msgspec import Struct

from trader_core.domain.alert import Severity
from trader_core.domain.book import Book
from trader_core.domain.breaker import BreakerSeen, Condition
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, SECOND_MS, EpochMs, day_index, short, week_index
from trader_core.domain.decision import Decision, Judgement
from trader_core.domain.facts import Filled
from trader_core.domain.fill import Fill, Side
from trader_core.domain.halt import HaltState, Trading
from trader_core.domain.instrument import base_of
from trader_core.domain.money import plain
from trader_core.domain.objection import Objection
from trader_core.domain.order import OrderStatus
from trader_core.execution.protection import naked_since

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

CLOCK, KEY = 12, 11  # exit codes of the objections that have a row of their own
STOPS, TARGETS = ("stop", "trailing", "break_even"), ("target", "partial")  # reasons of orders
INFO, WARNING, CRITICAL = Severity.INFO, Severity.WARNING, Severity.CRITICAL


class Cycle(Protocol):
    """What one cycle says of itself."""

    @property
    def cycle_id(self) -> int: ...
    @property
    def decision_ms(self) -> EpochMs: ...
    @property
    def decision(self) -> Decision | None: ...
    @property
    def fills(self) -> tuple[Filled, ...]: ...
    @property
    def prices(self) -> dict[str, Decimal]: ...
    @property
    def problem(self) -> str: ...
    @property
    def book(self) -> Book: ...
    @property
    def objections(self) -> tuple[Objection, ...]: ...
    @property
    def ages_ms(self) -> Mapping[str, int]: ...  # of the quotes, by symbol


class Rate(NamedTuple):
    """So many of a kind in its window, and how many of them went wrong."""

    total: int
    bad: int


class Around(Struct, frozen=True):
    """What a cycle does not know of itself. Times are of this machine's clock, but those that say otherwise."""

    now_ms: int
    took_ms: int
    calls: Rate  # to the venue
    orders: Rate
    breakers: tuple[BreakerSeen, ...] = ()
    loosened: tuple[str, ...] = ()  # versions, keys and values that are looser than they will be again
    key_age: str = ""  # what is to be said of the key's age before it is too old
    free_mb: int | None = None  # None: nobody knows
    over: tuple[tuple[str, str], ...] = ()  # operations that are over their budget of time, and why
    wanted_ms: int | None = None  # decision time: since when strategies have wanted entries and got none


class Found(Struct, frozen=True):
    """One thing that a row has found. A severity of its own goes before the row's."""

    what: str
    subject: str = ""
    since_ms: int | None = None
    severity: Severity | None = None


# --- halts and losses ------------------------------------------------------------------------------------------------


def kill(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    halt = cycle.book.halt
    if halt.state is HaltState.KILLED:
        yield Found(f"a kill is in force: {halt.reason}", since_ms=halt.since_ms)


def halt(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    halt = cycle.book.halt
    if halt.trading is not Trading.ACTIVE and halt.state is not HaltState.KILLED:
        until = "" if halt.until_ms is None else f", cooling down until {short(halt.until_ms)} UTC"
        severity = CRITICAL if halt.state is HaltState.TRIPPED else WARNING
        yield Found(f"the halt machine is {halt.state}: {halt.reason}{until}", "", halt.since_ms, severity)


def day_stop(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    book, limit = cycle.book, policy.policy.risk_in_force.max_day_loss_pct
    if book.day == day_index(cycle.decision_ms):
        yield from _lost("since the day began", book.day_open, book.day_low, limit)


def week_stop(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    book, limit = cycle.book, policy.policy.risk_in_force.max_week_loss_pct
    if book.week == week_index(cycle.decision_ms):
        yield from _lost("since the week began", book.week_open, book.week_low, limit)


def drawdown(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    book = cycle.book
    yield from _lost("from the highest equity", book.high, book.equity, policy.policy.risk_in_force.max_drawdown_pct)


def _lost(since: str, mark: Decimal | None, low: Decimal | None, limit_pct: float) -> Iterator[Found]:
    if mark is None or low is None or mark <= 0:
        return
    lost_pct = 100 * (mark - low) / mark
    if lost_pct >= Decimal(str(limit_pct)):
        yield Found(f"the account has lost {lost_pct:.2f} % {since}; the limit is {limit_pct:g} %")


def losing_position(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    book, limit = cycle.book, policy.app.alerts.max_position_loss_pct
    for symbol in sorted(book.held & cycle.prices.keys()):
        held = book.holdings[symbol]
        if held.cost > 0:
            lost_pct = 100 * (held.cost - held.quantity * cycle.prices[symbol]) / held.cost
            if lost_pct > Decimal(str(limit)):
                yield Found(f"{symbol} has lost {lost_pct:.2f} % of its cost; told from {limit:g} % on", symbol)


# --- what is held and ordered ----------------------------------------------------------------------------------------


def unprotected(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    for symbol, since_ms in naked_since(cycle.book).items():
        held = plain(cycle.book.holdings[symbol].quantity)
        yield Found(f"nothing at the venue protects {held} {base_of(symbol)}", symbol, since_ms)


def unknown_order(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    for order in cycle.book.orders.values():
        if order.status is OrderStatus.INTENDED:
            terms = order.approved
            told = f"nobody knows what became of an order to {terms.side} {plain(terms.quantity)} {terms.symbol}"
            yield Found(told, terms.symbol, order.placed_ms)


def reconcile_break(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    for subject, detail in cycle.book.discrepancies.items():
        yield Found(f"ledger and venue differ in {subject}: {detail}", subject)


def delisting(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    for symbol in sorted(cycle.book.stranded):
        held = f"{plain(cycle.book.holdings[symbol].quantity)} {base_of(symbol)}"
        yield Found(f"the venue lists {symbol} no more, and {held} are held", symbol, cycle.book.delisted[symbol])


def stop_hit(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    yield from _sold(cycle, STOPS, "stop")


def target_hit(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    yield from _sold(cycle, TARGETS, "target")


def _sold(cycle: Cycle, reasons: Sequence[str], name: str) -> Iterator[Found]:
    """All that was sold of a symbol, with the reason of the newest sale."""
    sold: dict[str, list[Fill]] = {}
    why: dict[str, str] = {}
    for one in cycle.fills:
        fill, order = one.fill, cycle.book.orders.get(one.fill.client_order_id)
        if fill.side is Side.SELL and order is not None and order.approved.reason in reasons:
            sold.setdefault(fill.symbol, []).append(fill)
            why[fill.symbol] = order.approved.reason
    for symbol, fills in sold.items():
        prices = sorted({fill.price for fill in fills})
        quantity = plain(sum((fill.quantity for fill in fills), Decimal(0)))
        at = " to ".join(plain(price) for price in dict.fromkeys((prices[0], prices[-1])))
        told = f"{symbol} was sold by its {name} ({why[symbol]}): {quantity} at {at}"
        yield Found(told, symbol, fills[-1].at_ms)


# --- data and venue --------------------------------------------------------------------------------------------------


def unreadable(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    if cycle.problem:
        yield Found(f"the cycle could not read everything: {cycle.problem}")


def stale_data(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    limit_min = policy.app.alerts.max_feed_age_min
    limit_s = limit_min * MINUTE_MS / SECOND_MS
    held = {symbol: age_ms / SECOND_MS for symbol, age_ms in cycle.ages_ms.items() if symbol in cycle.book.held}
    judged = {one.symbol: age for one in _judged(cycle) if (age := _age_s(one)) is not None}
    old = {symbol: age for symbol, age in {**held, **judged}.items() if age > limit_s}  # what is excluded is not judged
    if old:
        oldest = max(old, key=lambda symbol: old[symbol])
        ours = sorted(old.keys() & cycle.book.held)
        severity = CRITICAL if ours else WARNING
        told = f"{len(old)} quotes are older than {limit_min} min, {oldest} the oldest by {old[oldest] / 60:.0f} min"
        yield Found(told + (f"; held of these: {' '.join(ours)}" if ours else ""), severity=severity)


def _judged(cycle: Cycle) -> tuple[Judgement, ...]:
    return cycle.decision.judgements if cycle.decision else ()


def _age_s(judgement: Judgement) -> float | None:
    return next((row.value for row in judgement.rows if row.gate == "data_age"), None)


def empty_universe(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    if not asks_for_entries(cycle):
        return
    eligible = sum(1 for one in _judged(cycle) if _has_a_place(one))
    if eligible < policy.app.alerts.min_eligible:
        told = f"{eligible} instruments may be bought; told below {policy.app.alerts.min_eligible}"
        yield Found(told)


def asks_for_entries(cycle: Cycle) -> bool:
    """Between two bars nobody is asked whether it may be bought."""
    return cycle.decision is not None and all(one.outcome != "decided_before" for one in _judged(cycle))


def _has_a_place(judgement: Judgement) -> bool:
    """In the universe, whatever else refused it first: a pause is no larger universe."""
    return judgement.outcome != "excluded" and all(row.verdict != "INELIGIBLE" for row in judgement.rows)


def api_errors(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    rules = policy.app.alerts
    if _beyond(around.calls, rules.min_api_calls, rules.max_api_errors_pct):
        yield Found(
            f"{around.calls.bad} of {around.calls.total} calls to the venue failed within {rules.api_window_min} min;"
            f" told beyond {rules.max_api_errors_pct:g} %"
        )


def rejections(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    rules = policy.app.alerts
    if _beyond(around.orders, rules.min_orders, rules.max_rejected_pct):
        yield Found(
            f"{around.orders.bad} of {around.orders.total} orders were rejected within {rules.rejected_window_min} min;"
            f" told beyond {rules.max_rejected_pct:g} %"
        )


def _beyond(rate: Rate, least: int, limit_pct: float) -> bool:
    return rate.total >= least and 100 * rate.bad > limit_pct * rate.total


def breaker_open(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    limit_s = policy.app.alerts.breaker_open_s
    for one in around.breakers:
        since_ms = one.opened_ms
        if one.condition is Condition.UNREADABLE:
            yield Found(f"the breaker {one.name} cannot be read: entries are refused", one.name)
        elif since_ms is not None and around.now_ms - since_ms > limit_s * SECOND_MS:
            told = f"the breaker {one.name} has been open for more than {limit_s} s: {one.failures} failures in a row"
            yield Found(told, one.name, since_ms)


# --- this machine and this program -----------------------------------------------------------------------------------


def latency(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    limit_s, over = policy.app.alerts.max_cycle_s, dict(around.over)
    if around.took_ms > limit_s * SECOND_MS:
        over["cycle"] = f"it took {around.took_ms / SECOND_MS:.1f} s, its budget is {limit_s} s"
    for operation, why in over.items():
        yield Found(f"{operation} is too slow: {why}", operation)


def disk(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    limit = policy.app.alerts.min_free_mb
    if around.free_mb is None:
        yield Found("nobody knows how much room is left for the state")
    elif around.free_mb < limit:
        yield Found(f"{around.free_mb} MB are left for the state; told below {limit} MB")


def clock(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    yield from (Found(one.what) for one in cycle.objections if one.exit_code == CLOCK)


def secrets_age(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    expired = [Found(one.what, severity=CRITICAL) for one in cycle.objections if one.exit_code == KEY]
    yield from expired
    if around.key_age and not expired:
        yield Found(around.key_age)


def objection(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    told = [one.what for one in cycle.objections if one.exit_code not in (CLOCK, KEY)]
    if told:
        yield Found(f"entries are closed: {'; '.join(told)}")


def strategy_failed(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    for strategy, detail in sorted(cycle.book.failures.items()):
        yield Found(f"the strategy {strategy} cannot be computed: {detail}", strategy)


def no_trade(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    hours = policy.app.alerts.no_trade_h
    since_ms = around.wanted_ms
    if (
        since_ms is not None
        and cycle.decision_ms - since_ms >= hours * HOUR_MS
        and cycle.book.halt.trading is Trading.ACTIVE
    ):
        refused = {one.outcome for one in cycle.decision.refusals} if cycle.decision else set[str]()
        why = f", now because of {', '.join(sorted(refused))}" if refused else ""
        yield Found(f"strategies want entries and get none since {short(since_ms)} UTC{why}", since_ms=since_ms)


def limit_loosened(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    for one in around.loosened:
        version, _, change = one.partition(" ")
        yield Found(
            f"{change} is looser than it will be again, by version {version} of the policy", change.partition("=")[0]
        )


def not_of_a_cycle(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    """Where there was none that could tell."""
    yield from ()
