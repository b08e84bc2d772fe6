"""Everything the engine needs from the world, as capabilities. What must not happen has no method to call."""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Protocol

from msgspec import Struct

from trader_core.domain.account import BalancePage, Fees
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.emergency import Emergencies, no_emergency
from trader_core.domain.facts import CashFlow, Fact, Filled
from trader_core.domain.inputs import Bar, Taken
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles, TopOfBook
from trader_core.domain.objection import Objection
from trader_core.domain.order import ApprovedOrder, Order, OrderReport
from trader_core.domain.policy import AS_WRITTEN, Policies

PAGES_MAX = 200


class CandleSource(Protocol):
    """Closed candles in steps of the base bar: a data folder or the generated sample market."""

    @property
    def bar_ms(self) -> int: ...
    @property
    def quote(self) -> str: ...
    @property
    def fingerprint(self) -> str:
        """Same pairs and same first bars, same fingerprint; appended candles keep it."""

    @property
    def first_ms(self) -> EpochMs:
        """Opening time of the first bar."""

    @property
    def end_ms(self) -> EpochMs | None:
        """Closing time of the last bar; None where the market is endless."""

    @property
    def warnings(self) -> tuple[str, ...]: ...
    def instruments(self) -> tuple[Instrument, ...]: ...
    def exclusions(self) -> tuple[Exclusion, ...]: ...
    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles: ...  # that open in [since, until)
    def day_closes(self, symbol: str, days: range) -> Sequence[int]:
        """The newest close of each of these UTC days in ticks; 0 where there is none."""


class VenueReader(Protocol):
    """Look, do not touch. Every call raises VenueUnavailable when there is no answer."""

    def instruments(self) -> tuple[Instrument, ...]: ...
    def exclusions(self) -> tuple[Exclusion, ...]: ...
    def knows(self, symbol: str) -> bool: ...  # asked by its name, whatever the list says
    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles: ...
    def day_closes(self, symbol: str, days: range) -> Sequence[int]: ...
    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]: ...
    def balances(self, cursor: str) -> BalancePage: ...
    def fills(self, cursor: str) -> tuple[Filled, ...]:
        """Fills after `cursor`, oldest first; an empty cursor means from the beginning."""

    def flows(self, cursor: str) -> tuple[CashFlow, ...]:
        """Deposits and withdrawals after `cursor`, oldest first; the first is what the account was opened with."""

    def orders(self, asked: Sequence[Order]) -> dict[str, OrderReport]:
        """What became of these orders, by our id; one that the venue has never seen is absent."""

    def marked(self) -> tuple[OrderReport, ...]:
        """Orders that bear our mark, whoever sent them: all that are open, and those of the last minutes."""

    def oddities(self) -> tuple[str, ...]: ...  # told as fills of orders with our mark, and none: for a person
    def fees(self) -> Fees | None: ...  # what the account pays; None where the policy says
    def frozen(self) -> frozenset[str]:
        """Symbols whose market takes no order of any kind now."""

    def read_account(self, asked: Sequence[Order], fill_cursor: str) -> None:
        """Look at the account at once, as of now: fills, orders and balances are told of that look."""

    def read_markets(self, symbols: Sequence[str], since_ms: int, until_ms: int, days: range) -> None:
        """Look at these markets at once: candles, closes and quotes are of that look. What fails here, fails there."""


class VenueTrader(Protocol):
    """Permission to send. Only bootstrap hands one out, and `place` takes nothing but an approved order."""

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        """The bytes that will be sent, for the record; empty where nothing leaves this process."""

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        """Send once. Raises OutcomeUnknown when the answer is lost; who sends the same again never orders twice."""

    def cancel(self, order: Order) -> OrderReport:
        """Cancel and report what the order has become. Raises OutcomeUnknown while it may still be filled."""


class Store(Protocol):
    """The journal, what decisions were taken from, and what can be read of both."""

    def append(self, cycle_id: int, at_ms: int, facts: Iterable[Fact], taken: Taken | None = None) -> None:
        """All of it or nothing, on disk when this returns."""

    def facts(self, after: int = 0, judged: bool = True) -> Iterable[Fact]:
        """After so many, oldest first; who only folds needs no judgements. Raises JournalBroken on a broken chain."""

    def newest(self) -> int: ...  # how many facts there are, whoever wrote them
    def bars(self, symbol: str, since_ms: int, until_ms: int) -> Iterable[Bar]: ...
    def remembered(self, code: str) -> tuple[int, str] | None: ...  # (rows that are folded, the book), by that code
    def remember(self, code: str, book: str) -> None: ...
    def close(self) -> None: ...


class Clock(Protocol):
    """`decision_ms` is the market's time, virtual on a replayed market; `host_ms` is this machine's."""

    def next_decision_ms(
        self, after_ms: int, given_up: Callable[[], bool] = ..., is_due: Callable[[], bool] = ...
    ) -> EpochMs | None:  # fmt: skip
        """Move to the next decision time, or wait for it; None where the market has ended, or whoever waits has given
        up. A real clock asks now and then whether something `is_due` before: then the newest time comes again."""

    @property
    def host_ms(self) -> Callable[[], EpochMs]: ...
    @property
    def seen_ms(self) -> Callable[[], EpochMs]:
        """The market's time now, by which the age of a quote is told."""


class Halts(Protocol):
    """Where an order to stop can come from outside the process."""

    def kill_requested(self) -> str | None:
        """The reason, or None. What cannot be read counts as requested."""


class OrderIds(Protocol):
    def __call__(self, sequence: int, attempt: int) -> str:
        """The client order id of an intent; the same words give the same id for ever."""


class Objections(Protocol):
    def __call__(self, equity: Decimal | None) -> tuple[Objection, ...]:
        """What stands against entries now, at this worth of the account."""


def nothing_objected(equity: Decimal | None) -> tuple[Objection, ...]:
    """Where no permission is asked for: on a simulated venue, or without a trader."""
    return ()


class Patience(Struct, frozen=True):
    """How a venue takes its time. A simulated one knows everything at once."""

    passes: int = 1  # how often a cycle goes round while it has sent something: what fills at once wants its stop
    looks: int = 1  # how often the account is looked at before a difference is believed
    unseen_ms: int = 0  # how long an intent that no list shows may still turn up
    cash: Decimal = Decimal(0)  # the smallest difference in cash that is one, in quote


class Ports(Struct, frozen=True):
    """One wiring of the world. Without a trader nothing can be sent."""

    reader: VenueReader
    trader: VenueTrader | None
    store: Store
    clock: Clock
    halts: Halts
    order_id: OrderIds
    account_quote: str  # the account's currency
    observed_equity: Decimal | None  # where there is no ledger: what the operator said the account holds
    objections: Objections = nothing_objected
    patience: Patience = Patience()
    policies: Policies = AS_WRITTEN
    emergencies: Emergencies = no_emergency
