"""Journals of whole facts, by hand and by Hypothesis: what an account may have lived through."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import strategies as st

from trader_core.domain.clocktime import MINUTE_MS, EpochMs, parse_utc
from trader_core.domain.decision import GateRow, Judgement
from trader_core.domain.facts import (
    Acknowledged,
    CashFlow,
    Closed,
    CycleClosed,
    Decided,
    Fact,
    Filled,
    Intended,
    Marked,
    Opened,
)
from trader_core.domain.fill import Fill, Side
from trader_core.domain.money import Base, Quote, from_grains, grains_down, grains_up, plain
from trader_core.domain.order import ApprovedOrder, OrderKind, OrderStatus, Role
from trader_core.rulebook.codes import GATES

START = parse_utc("2024-03-04")
BAR_MS = 15 * MINUTE_MS
SYMBOLS = ("BTC-USD", "ETH-USD", "SOL-USD")
REASONS = ("stop", "target", "trailing", "signal", "time")
KIND_OF = {Role.ENTRY: OrderKind.MAKER, Role.EXIT: OrderKind.TAKER, Role.STOP: OrderKind.STOP}
NEVER = EpochMs(-1)


@dataclass
class Account:
    """Writes down what happens to it. Every order is acknowledged, and filled in as many parts as are given."""

    cash: str = "10000"
    facts: list[Fact] = field(default_factory=list)
    now_ms: int = START
    orders: int = 0
    fills: int = 0

    def __post_init__(self) -> None:
        identity = (("clock", f"virtual, {BAR_MS} ms"), ("mode", "PAPER"), ("venue", "simulated"))
        self.facts.append(Opened(identity))
        self.facts.append(CashFlow(Quote(Decimal(self.cash)), EpochMs(START), "initial", "1"))

    def wait(self, bars: int = 1) -> "Account":
        self.now_ms += bars * BAR_MS
        return self

    def place(
        self, symbol: str, role: Role, quantity: str | Decimal, *, reason: str = "signal", strategy: str = "sma_cross",
        price: str = "100", acknowledged: bool = True, hold_ms: int = 0,
    ) -> str:  # fmt: skip
        """An order that was written down; its id."""
        self.orders += 1
        name = f"order-{self.orders}"
        stop = role is Role.STOP
        terms = ApprovedOrder(
            symbol, Side.BUY if role is Role.ENTRY else Side.SELL, role, KIND_OF[role], Base(Decimal(quantity)),
            Decimal(0) if stop else Decimal(price), Decimal(price) if stop else Decimal(0), reason, strategy,
            300, 900, hold_ms, 0, NEVER,
        )  # fmt: skip
        self.facts.append(Intended(name, terms, EpochMs(self.now_ms)))
        if acknowledged:
            self.facts.append(Acknowledged(name, EpochMs(self.now_ms)))
        return name

    def fill(
        self, name: str, symbol: str, side: Side, quantity: str | Decimal, price: str | Decimal, fee: str | Decimal
    ) -> Fill:
        """One execution; its value is rounded as the paper venue does it."""
        self.fills += 1
        amount = Decimal(quantity)
        rounded = (grains_up if side is Side.BUY else grains_down)(amount * Decimal(price))
        fill = Fill(
            f"trade-{self.fills}", name, symbol, side, Decimal(price), Base(amount), Quote(from_grains(rounded)),
            Quote(Decimal(fee)), EpochMs(self.now_ms),
        )  # fmt: skip
        self.facts.append(Filled(fill, str(self.fills)))
        return fill

    def buy(self, symbol: str, quantity: str, price: str, fee: str = "0.5", **terms: str) -> "Account":
        name = self.place(symbol, Role.ENTRY, quantity, price=price, **terms)  # type: ignore[arg-type]
        self.fill(name, symbol, Side.BUY, quantity, price, fee)
        return self

    def sell(self, symbol: str, quantity: str, price: str, fee: str = "0.5", **terms: str) -> "Account":
        name = self.place(symbol, Role.EXIT, quantity, price=price, **terms)  # type: ignore[arg-type]
        self.fill(name, symbol, Side.SELL, quantity, price, fee)
        return self

    def reject(self, symbol: str, words: str) -> "Account":
        name = self.place(symbol, Role.ENTRY, "1", acknowledged=False)
        self.facts.append(Closed(name, OrderStatus.REJECTED, words, EpochMs(self.now_ms)))
        return self

    def cycle(
        self, *judgements: Judgement, equity: str | None = "10000", problem: str = "", troubled: bool = False
    ) -> "Account":
        """A cycle that ran to its end, with a mark where something could be read; then a bar passes."""
        at_ms = EpochMs(self.now_ms)
        if not problem:
            self.facts.append(Marked(at_ms, None if equity is None else Quote(Decimal(equity)), ()))
            self.facts.append(Decided(at_ms, "digest", judgements))
        self.facts.append(CycleClosed(at_ms, 0, 0, 0, problem, EpochMs(0), troubled))
        return self.wait()


def judged(symbol: str, outcome: str = "OK", shrank: str = "", **values: tuple[float, float]) -> Judgement:
    """A proposal before all gates, each with room to spare but those that are named, with value and limit; `shrank`
    is the one that let a smaller order pass."""
    rows = [GateRow("sma_cross", 1.1, 1.0, 0.1, "ratio", "OK")]
    for gate in GATES:
        value, limit = values.get(gate.name, (1.0, 9.0) if gate.sense > 0 else (9.0, 1.0))
        margin = gate.sense * (limit - value)
        closed = margin < 0 and gate.name != shrank
        rows.append(GateRow(gate.name, value, limit, margin, gate.unit, gate.verdict.name if closed else "OK"))
    return Judgement(symbol, outcome, "sma_cross", tuple(rows))


def quiet(symbol: str, value: float = 0.9, limit: float = 1.0) -> Judgement:
    """An instrument that no strategy proposed."""
    rows = (
        GateRow("data_age", 0.0, 1800.0, 1800.0, "s", "OK"),
        GateRow("sma_cross", value, limit, value - limit, "ratio", "no_signal"),
    )
    return Judgement(symbol, "no_signal", "", rows)


def figures(*amounts: Decimal | None) -> str:
    """'2 105 -', to be compared with what one expects."""
    return " ".join("-" if one is None else plain(one) for one in amounts)


# --- by Hypothesis ---------------------------------------------------------------------------------------------------

quantities = st.decimals("0.00000001", "50", places=8)
prices = st.decimals("0.01", "70000", places=2)
fees = st.decimals("0", "30", places=8)


@st.composite
def accounts(draw: st.DrawFn, late: bool = False) -> Account:
    """An account that buys, adds, sells parts and wholes, and closes cycles; it never sells what it has not.

    With `late` the venue tells some fills after later ones, and some twice.
    """
    account = Account(cash="100000000")
    held: dict[str, Decimal] = {}
    for _ in range(draw(st.integers(1, 14))):
        symbol = draw(st.sampled_from(SYMBOLS))
        have = held.get(symbol, Decimal(0))
        if have and draw(st.booleans()):
            quantity = have if draw(st.booleans()) else draw(st.decimals("0.00000001", have, places=8))
            name = account.place(symbol, Role.EXIT, quantity, reason=draw(st.sampled_from(REASONS)))
            account.fill(name, symbol, Side.SELL, quantity, draw(prices), draw(fees))
            held[symbol] = have - quantity
        else:
            quantity = draw(quantities)
            name = account.place(symbol, Role.ENTRY, quantity, strategy=draw(st.sampled_from(("one", "two"))))
            account.fill(name, symbol, Side.BUY, quantity, draw(prices), draw(fees))
            held[symbol] = have + quantity
        draw(_something_unfilled(account, symbol))
        account.wait(draw(st.integers(0, 120)))
        if draw(st.booleans()):
            account.cycle(equity=draw(st.sampled_from(("10000", "9000.5", None))))
    account.cycle()
    if late:
        account.facts = draw(told_late(account.facts))
    return account


@st.composite
def _something_unfilled(draw: st.DrawFn, account: Account, symbol: str) -> None:
    """An order that went another way than being filled, or none."""
    fate = draw(st.sampled_from(("none", "none", "intended", "working", *UNFILLED)))
    if fate == "none":
        return
    name = account.place(symbol, Role.STOP, "1", acknowledged=fate != "intended")
    if fate in UNFILLED:
        account.facts.append(Closed(name, OrderStatus(fate), "the venue's words", EpochMs(account.now_ms)))


UNFILLED = ("CANCELED", "EXPIRED", "REJECTED")


@st.composite
def told_late(draw: st.DrawFn, facts: Sequence[Fact]) -> list[Fact]:
    """The same facts with some fills moved towards the end, and some told again."""
    told = list(facts)
    for fact in facts:
        if isinstance(fact, Filled) and draw(st.integers(0, 3)) == 0:
            if draw(st.booleans()):
                told.remove(fact)
            told.insert(draw(st.integers(told_after(told, fact), len(told))), fact)
    return told


def told_after(told: Sequence[Fact], fact: Filled) -> int:
    """The first place where the fill may stand: its order must have been written down."""
    name = fact.fill.client_order_id
    return 1 + max(n for n, one in enumerate(told) if isinstance(one, Intended) and one.client_order_id == name)
