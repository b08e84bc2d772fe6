"""Everything the engine needs from the world, as capabilities. What must not happen has no method to call."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from trader_core.domain.account import BalancePage
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import CashFlow, Fact, Filled
from trader_core.domain.instrument import Exclusion, Instrument
from trader_core.domain.market import Candles, TopOfBook
from trader_core.domain.order import ApprovedOrder, OrderReport

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
    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles:
        """Bars that open in [since_ms, until_ms), oldest first."""


class VenueReader(Protocol):
    """Look, do not touch. Every call raises VenueUnavailable when there is no answer."""

    def instruments(self) -> tuple[Instrument, ...]: ...
    def exclusions(self) -> tuple[Exclusion, ...]: ...
    def candles(self, symbol: str, since_ms: int, until_ms: int) -> Candles: ...
    def quotes(self, symbols: Sequence[str]) -> dict[str, TopOfBook]: ...
    def balances(self, cursor: str) -> BalancePage: ...
    def fills(self, cursor: str) -> tuple[Filled, ...]:
        """Fills after `cursor`, oldest first; an empty cursor means from the beginning."""

    def flows(self, cursor: str) -> tuple[CashFlow, ...]:
        """Deposits and withdrawals after `cursor`, oldest first; the first is what the account was opened with."""

    def orders(self, client_order_ids: Sequence[str]) -> dict[str, OrderReport]:
        """What became of these orders; an id the venue has never seen is absent."""


class VenueTrader(Protocol):
    """Permission to send. Only bootstrap hands one out, and `place` takes nothing but an approved order."""

    def place(self, client_order_id: str, order: ApprovedOrder) -> OrderReport:
        """Send once. Raises OutcomeUnknown when the answer is lost."""

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel and report what the order has become."""


class Store(Protocol):
    """The journal and what can be read from it."""

    def append(self, cycle_id: int, at_ms: int, facts: Iterable[Fact]) -> None:
        """All of them or none, on disk when this returns."""

    def facts(self) -> Iterable[Fact]:
        """Every fact, oldest first. Raises JournalBroken where the hash chain does not hold."""

    def close(self) -> None: ...


class Clock(Protocol):
    """`decision_ms` is the market's time, virtual on a replayed market; `host_ms` is this machine's."""

    def next_decision_ms(self, after_ms: int) -> EpochMs | None:
        """Move to the next decision time after `after_ms` and return it; None where the market has ended."""

    @property
    def host_ms(self) -> Callable[[], EpochMs]: ...


class Halts(Protocol):
    """Where an order to stop can come from outside the process."""

    def kill_requested(self) -> str | None:
        """The reason, or None. What cannot be read counts as requested."""


class OrderIds(Protocol):
    def __call__(self, sequence: int, attempt: int) -> str:
        """The client order id of an intent; the same words give the same id for ever."""


@dataclass(frozen=True, slots=True)
class Ports:
    """One wiring of the world. Without a trader nothing can be sent."""

    reader: VenueReader
    trader: VenueTrader | None
    store: Store
    clock: Clock
    halts: Halts
    order_id: OrderIds
    account_quote: str  # the account's currency
    observed_equity: Decimal | None  # where there is no ledger: what the operator said the account holds
