"""Replays by hand and by Hypothesis: the integers that a walk writes down, without a market behind them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from tests.laws.make import FOUR
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, parse_utc
from trader_core.domain.money import E8
from trader_core.engine.replay import Replayed
from trader_core.ledger.integers import Axes
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Ints

START = parse_utc("2024-03-04")
BAR_MS = HOUR_MS
CASH = 10_000 * E8
AXES = Axes(FOUR, ("one", "two"))
ORDER = codes.ASKED_FIELDS - codes.ORDER_FIELDS


@dataclass
class Tale:
    """What happened, row by row; an order is placed in the row before its fill."""

    rows: int = 48
    bar_ms: int = BAR_MS
    filled: list[list[int]] = field(default_factory=list)
    asked: dict[tuple[int, int, int], list[int]] = field(default_factory=dict)
    worth: Mapping[int, int] = field(default_factory=dict)  # from that row on; CASH before
    flows: Sequence[tuple[int, int]] = ()
    close: int = 10_000  # ticks, of everything
    judged: Sequence[tuple[int, int, int, int]] = ()
    regime: int = codes.CHOP
    cash: int = CASH
    halted: Sequence[Sequence[int]] = ()

    def at_ms(self, row: int) -> int:
        return START + row * self.bar_ms

    def fill(
        self, row: int, i: int, slot: int, lots: int, ticks: int, value: int, fee: int = 0, *, opens: bool = False,
        kind: int = codes.TAKER, trigger: int = 0, reason: int = codes.BY_SIGNAL, strategy: int = 0,
        stop_bps: int = 500,
    ) -> "Tale":  # fmt: skip
        """At the bar's opening, or written at its close."""
        at_ms = self.at_ms(row) - (self.bar_ms if opens else 0)
        self.filled.append([row, i, slot, lots, ticks, value, fee, at_ms, reason, strategy])
        order = [row - 1, codes.PLACE, i, slot, *[0] * codes.ORDER_FIELDS]
        order[ORDER + codes.KIND], order[ORDER + codes.TRIGGER] = kind, trigger
        order[ORDER + codes.STOP_BPS] = stop_bps
        self.asked.setdefault((row - 1, i, slot), order)
        return self

    def told(self) -> Replayed:
        at_ms = self.at_ms(0) + self.bar_ms * np.arange(self.rows, dtype=np.int64)
        worth = np.full(self.rows, CASH, np.int64)
        for row, amount in sorted(self.worth.items()):
            worth[row:] = amount
        return Replayed(
            axes=AXES, exclusions=(), bar_ms=self.bar_ms, at_ms=at_ms, worth=worth,
            close=np.full((self.rows, len(FOUR)), self.close, np.int64),
            hour=np.zeros(self.rows, np.int64), regimes=np.array([self.regime], np.int64),
            judged=_table(self.judged, codes.JUDGED_FIELDS),
            asked=_table([self.asked[key] for key in sorted(self.asked)], codes.ASKED_FIELDS),
            filled=_table(self.filled, 1 + codes.FILL_FIELDS), flows=_table(self.flows, 2),
            halted=_table(self.halted, codes.HALTED_FIELDS), cash_grains=self.cash,
        )  # fmt: skip


def _table(rows: Sequence[Sequence[int]], fields: int) -> Ints:
    return np.array(rows, np.int64).reshape(-1, fields)


@st.composite
def tales(draw: st.DrawFn) -> Tale:
    """Purchases, adds and sales of parts and wholes, several in a bar, at its opening and inside it."""
    tale, held, row = Tale(rows=200), [0] * len(FOUR), 1
    for _ in range(draw(st.integers(0, 25))):
        row = min(row + draw(st.sampled_from((0, 0, 1, 7))), 199)
        i, opens = draw(st.integers(0, len(FOUR) - 1)), draw(st.booleans())
        value, fee = draw(st.integers(1, 10**13)), draw(st.integers(0, 10**10))
        sells = held[i] > 0 and draw(st.booleans())
        most = held[i] if sells else 10**9
        lots = most if sells and draw(st.booleans()) else draw(st.integers(1, most))
        slot = draw(st.sampled_from((codes.EXIT, codes.STOP))) if sells else codes.ENTRY
        tale.fill(
            row, i, slot, lots, 1, value, fee, opens=opens, reason=draw(st.integers(1, 7)),
            strategy=draw(st.integers(0, 1)), stop_bps=draw(st.integers(1, 900)),
        )  # fmt: skip
        held[i] += -lots if sells else lots
    return tale


def days(*equities: int) -> Tale:
    """An account of which only the worth at each day's end is told, in quote; None after the last."""
    rows = {day * 24: equity * E8 for day, equity in enumerate(equities)}
    return Tale(rows=len(equities) * (DAY_MS // BAR_MS), worth=rows)
