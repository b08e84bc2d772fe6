"""The alert matrix: everything that people are told of, one row each, judged anew after every cycle.

An alarm stands for as long as its row says so; what is not raised any more is over. What only happens is an event and
over by itself. No number that changes is part of what an alarm is, so a hundred of them are one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, Protocol

from trader_core.domain.alert import Alarm, Severity
from trader_core.domain.book import Book
from trader_core.domain.breaker import BreakerSeen, Condition
from trader_core.domain.clocktime import HOUR_MS, MINUTE_MS, SECOND_MS, EpochMs, day_index, short, week_index
from trader_core.domain.decision import Decision, Judgement
from trader_core.domain.facts import Filled
from trader_core.domain.fill import Side
from trader_core.domain.halt import HaltState, Trading
from trader_core.domain.instrument import base_of
from trader_core.domain.money import cents, plain
from trader_core.domain.objection import Objection
from trader_core.domain.order import OrderStatus
from trader_core.execution.protection import naked_since
from trader_core.ledger.pnl import valuation

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

CLOCK, KEY = 12, 11  # exit codes of the objections that have a row of their own
STOPS, TARGETS = ("stop", "trailing", "break_even"), ("target", "partial")  # reasons of orders
LOSS_DIGITS = 2
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


class Rate(NamedTuple):
    """So many of a kind in its window, and how many of them went wrong."""

    total: int
    bad: int


@dataclass(frozen=True, slots=True)
class Around:
    """What a cycle does not know of itself. Times are of this machine's clock, but those that say otherwise."""

    now_ms: int
    took_ms: int
    calls: Rate  # to the venue
    orders: Rate
    breakers: tuple[BreakerSeen, ...] = ()
    loosened: tuple[str, ...] = ()  # versions, keys and values that are looser than they will be again
    key_age: str = ""  # what is to be said of the key's age before it is too old
    free_mb: int | None = None  # None: nobody knows
    wanted_ms: int | None = None  # decision time: since when strategies have wanted entries and got none


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that a row has found. A severity of its own goes before the row's."""

    what: str
    subject: str = ""
    since_ms: int | None = None
    severity: Severity | None = None


Judge = Callable[[Cycle, Around, "Settings"], Iterator[Found]]


class Row(NamedTuple):
    """`trigger` is for the documentation; `done` and `remedy` are told with the alert."""

    code: str
    severity: Severity
    trigger: str
    done: str
    remedy: str
    judge: Judge
    is_event: bool = False
    escalates: bool = True


def alarms_of(cycle: Cycle, around: Around, policy: "Settings", exposure: str) -> tuple[Alarm, ...]:
    """Everything that is wrong after this cycle."""
    return tuple(_alarm(row, found, exposure) for row in MATRIX for found in row.judge(cycle, around, policy))


def _alarm(row: Row, found: Found, exposure: str) -> Alarm:
    return Alarm(
        row.code, found.subject, found.severity or row.severity, found.what, found.since_ms, exposure, row.done,
        row.remedy.replace("SYMBOL", found.subject), row.is_event, row.escalates,
    )  # fmt: skip


def alarm_of(code: str, what: str, exposure: str, subject: str = "", severity: Severity | None = None) -> Alarm:
    """One that is not found by a cycle: there was none."""
    row = next(one for one in MATRIX if one.code == code)
    return _alarm(row, Found(what, subject, None, severity), exposure)


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
    """The newest of each symbol speaks for all of them."""
    found: dict[str, Found] = {}
    for one in cycle.fills:
        fill, order = one.fill, cycle.book.orders.get(one.fill.client_order_id)
        if fill.side is Side.SELL and order is not None and order.approved.reason in reasons:
            why = order.approved.reason
            told = f"{fill.symbol} was sold by its {name} ({why}): {plain(fill.quantity)} at {plain(fill.price)}"
            found[fill.symbol] = Found(told, fill.symbol, fill.at_ms)
    yield from found.values()


# --- data and venue --------------------------------------------------------------------------------------------------


def unreadable(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    if cycle.problem:
        yield Found(f"the cycle could not read everything: {cycle.problem}")


def stale_data(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    limit_min = policy.app.alerts.max_feed_age_min
    limit_s = limit_min * MINUTE_MS / SECOND_MS
    old = {one.symbol: age for one in _judged(cycle) if (age := _age_s(one)) is not None and age > limit_s}
    if old:
        oldest = max(old, key=lambda symbol: old[symbol])
        held = sorted(old.keys() & cycle.book.held)
        severity = CRITICAL if held else WARNING
        told = f"{len(old)} quotes are older than {limit_min} min, {oldest} the oldest by {old[oldest] / 60:.0f} min"
        yield Found(told + (f"; held of these: {' '.join(held)}" if held else ""), severity=severity)


def _judged(cycle: Cycle) -> tuple[Judgement, ...]:
    return cycle.decision.judgements if cycle.decision else ()


def _age_s(judgement: Judgement) -> float | None:
    return next((row.value for row in judgement.rows if row.gate == "data_age"), None)


def empty_universe(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    if cycle.decision is None:
        return
    eligible = sum(1 for one in _judged(cycle) if one.outcome not in ("excluded", "INELIGIBLE"))
    if eligible < policy.app.alerts.min_eligible:
        told = f"{eligible} instruments may be bought; told below {policy.app.alerts.min_eligible}"
        yield Found(told)


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
    limit_s = policy.app.alerts.max_cycle_s
    if around.took_ms > limit_s * SECOND_MS:
        yield Found(f"the cycle took {around.took_ms / SECOND_MS:.1f} s, its budget is {limit_s} s", "cycle")


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
        yield Found(f"version {version} of the policy allows more risk: {change}", change.partition("=")[0])


def not_of_a_cycle(cycle: Cycle, around: Around, policy: "Settings") -> Iterator[Found]:
    """Where there was none that could tell."""
    yield from ()


NOTHING_ENTERS = "no entry is made; exits and stops go on"
MATRIX: tuple[Row, ...] = (
    Row("kill", CRITICAL, "a kill is in force", "entries are canceled, stops stay at the venue, nothing is sold",
        "trader halt show, and when it is right: trader halt reset --user NAME --reason TEXT", kill),
    Row("halt", CRITICAL, "the halt machine is TRIPPED; a WARNING while it is COOLING_DOWN",
        "no entry; what rests is dealt with as policy.halt.on_trip says; exits and stops go on",
        "trader halt show, then: trader halt ack", halt),
    Row("day_stop", CRITICAL, "the day's loss has reached policy.risk.max_day_loss_pct, or the profile's",
        f"{NOTHING_ENTERS}, until the UTC day is over", "trader pnl, trader positions", day_stop),
    Row("week_stop", CRITICAL, "the week's loss has reached policy.risk.max_week_loss_pct",
        f"{NOTHING_ENTERS}, until the UTC week is over", "trader pnl, trader positions", week_stop),
    Row("drawdown", CRITICAL, "the loss from the highest equity has reached policy.risk.max_drawdown_pct",
        NOTHING_ENTERS, "trader pnl, trader positions", drawdown),
    Row("losing_position", WARNING, "a position has lost more than app.alerts.max_position_loss_pct of its cost",
        "its stop rests at the venue", "trader positions", losing_position, escalates=False),
    Row("unprotected", CRITICAL, "a position has neither a stop nor an exit at the venue",
        "a stop is sent in every cycle; refused three times, the position is sold",
        "trader positions, then: trader run-cycle, or trader liquidate", unprotected),
    Row("unknown_order", CRITICAL, "an order was written down and nobody knows what became of it",
        "its whole value stays reserved, and nothing else trades SYMBOL", "trader orders, then: trader reconcile",
        unknown_order),
    Row("reconcile_break", CRITICAL, "ledger and venue differ", NOTHING_ENTERS, "trader reconcile", reconcile_break),
    Row("delisting", CRITICAL, "the venue stopped listing something that is held",
        "it is worth nothing in every figure; nothing of ours can sell it", "sell SYMBOL by hand at the venue",
        delisting),
    Row("stop_hit", WARNING, "a position was sold by its stop", "it is sold; the asset has its cooldown",
        "trader trades", stop_hit, is_event=True),
    Row("target_hit", INFO, "a position, or a part of it, was sold at its target", "it is sold", "trader trades",
        target_hit, is_event=True),
    Row("unreadable", WARNING, "a cycle could not read the account or the market",
        f"{NOTHING_ENTERS} where a price is known", "trader status, trader breaker list", unreadable),
    Row("stale_data", WARNING, "a quote is older than app.alerts.max_feed_age_min; CRITICAL of something held",
        "nothing is bought on old data", "trader status, trader breaker list", stale_data),
    Row("empty_universe", CRITICAL, "fewer than app.alerts.min_eligible instruments may be bought", "nothing is bought",
        "trader why --no-trade", empty_universe),
    Row("api_errors", WARNING, "more than app.alerts.max_api_errors_pct of the calls to the venue failed",
        "calls are tried again, and a breaker stops them", "trader breaker list", api_errors),
    Row("rejections", WARNING, "more than app.alerts.max_rejected_pct of the orders were rejected",
        "too many in a row trip the halt machine", "trader orders, trader why SYMBOL", rejections),
    Row("breaker_open", WARNING, "a breaker has been open for more than app.alerts.breaker_open_s",
        "a probe is let through now and then", "trader breaker list", breaker_open),
    Row("exception", WARNING, "a start or a cycle broke off; CRITICAL where app.alerts.max_exceptions did within"
        " app.alerts.exception_window_min", "what was recorded stays recorded; stops stay at the venue",
        "trader status, then: trader run-cycle", not_of_a_cycle),
    Row("cycle_missing", CRITICAL, "the newest cycle is older than app.alerts.missing_bars bars",
        "nothing: stops stay at the venue, and nothing else happens",
        "trader status, and look at the timer or the service; trader run-cycle runs one now", not_of_a_cycle),
    Row("latency", WARNING, "a cycle took longer than app.alerts.max_cycle_s", "nothing", "trader status", latency),
    Row("disk", CRITICAL, "less than app.alerts.min_free_mb is left for the state, or nobody knows",
        "what cannot be written is not sent", "make room on the disk of the state directory", disk),
    Row("clock", CRITICAL, "this machine's time is too far from the true one, or nobody knows how far", NOTHING_ENTERS,
        "trader check-clock", clock),
    Row("secrets_age", WARNING, "the key is older than app.secrets.warn_age_days; CRITICAL beyond max_age_days",
        "beyond max_age_days no entry is made", "trader rotate-secrets --stage --verify --activate", secrets_age,
        escalates=False),
    Row("objection", WARNING, "something else stands against entries: a grant that ended, a policy that is too old",
        NOTHING_ENTERS, "trader status; for a new grant: trader arm", objection),
    Row("strategy_failed", WARNING, "a strategy cannot be computed", "it proposes nothing; the others go on",
        "trader why --no-trade", strategy_failed),
    Row("no_trade", WARNING, "no entry for app.alerts.no_trade_h while strategies want some", "nothing",
        "trader why --no-trade", no_trade),
    Row("limit_loosened", WARNING, "a limit is looser than it will be again", "it ends by itself",
        "trader policy show", limit_loosened, escalates=False),
)  # fmt: skip
