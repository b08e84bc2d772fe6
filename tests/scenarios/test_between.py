"""What comes in between the steps of one cycle: nothing is bought that a kill, or an order still at work, speaks
against."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest

from tests.scenarios.test_acceptance import RISE, fills
from tests.world import Bar, World
from trader_core.domain.errors import OutcomeUnknown
from trader_core.domain.facts import Closed
from trader_core.domain.fill import Side
from trader_core.domain.halt import HaltState
from trader_core.domain.order import ApprovedOrder, Order, OrderReport
from trader_core.domain.values import replace
from trader_core.engine.send import PREDECESSOR
from trader_core.ports import VenueTrader

THIN = Bar(102, 102.01, 101, 102, 10)  # fills a part of the resting entry, which then takes the rest at once


@dataclass
class Between:
    """The account's own trader; before the first cancel something comes in between."""

    trader: VenueTrader
    comes: Callable[[], None]

    def payload(self, client_order_id: str, order: ApprovedOrder) -> str:
        return self.trader.payload(client_order_id, order)

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        return self.trader.place(client_order_id, order, payload)

    def cancel(self, order: Order) -> OrderReport:
        self.comes()
        return self.trader.cancel(order)


class Ahead(Between):
    """It counts more as filled than it has told of."""

    def cancel(self, order: Order) -> OrderReport:
        return replace(super().cancel(order), filled=order.approved.quantity)


def scene(root: Path, comes: Callable[[World], None], trader: type[Between] = Between) -> World:
    """An entry that filled in part; its rest is canceled, and ordered again in the same cycle."""
    world = World(root).market(BTC=(*RISE, THIN, 103, 104, 105)).configured(policy__orders__maker_ttl_bars=1)

    world.wired = lambda ports: replace(ports, trader=trader(cast(VenueTrader, ports.trader), lambda: comes(world)))
    return world


def unsent(world: World) -> list[str]:
    return [one.reason for one in world.facts() if isinstance(one, Closed) and "not sent" in one.reason]


def kill(world: World) -> None:
    (world.state / "KILL_SWITCH").touch()


def unanswered(world: World) -> None:
    raise OutcomeUnknown("nobody answers")


def nothing(world: World) -> None:
    """Comes in between."""


CASES = [
    (Between, kill, "kill file KILL_SWITCH exists"), (Between, unanswered, PREDECESSOR), (Ahead, nothing, PREDECESSOR)
]  # fmt: skip


@pytest.mark.parametrize(("trader", "comes", "why"), CASES, ids=["kill", "no answer", "fills to come"])
def test_a_purchase_whose_predecessor_may_still_count_stays_here(
    trader: type[Between], comes: Callable[[World], None], why: str, tmp_path: Path
) -> None:
    world = scene(tmp_path, comes, trader)
    found: Any = world.run()
    assert unsent(world)[:1] == [f"not sent: {why}"]
    (bought,) = {one.fill.client_order_id for one in fills(world) if one.fill.side == "BUY"}
    assert found[-1].book.orders[bought].approved.kind == "MAKER"


def test_a_cancel_that_nobody_answers_is_a_failure_that_the_halt_machine_counts(tmp_path: Path) -> None:
    halt = scene(tmp_path, unanswered).configured(policy__halt__max_execution_errors=1).run()[-1].book.halt
    assert (halt.state, [one.name for one in halt.causes]) == (HaltState.TRIPPED, ["execution_errors"])


class Lost(Between):
    """Nobody hears what became of a purchase."""

    def place(self, client_order_id: str, order: ApprovedOrder, payload: str) -> OrderReport:
        if order.side is Side.BUY:
            raise OutcomeUnknown("no answer")
        return self.trader.place(client_order_id, order, payload)


def test_a_purchase_without_an_answer_is_a_failure_that_the_halt_machine_counts(tmp_path: Path) -> None:
    world = World(tmp_path).market(BTC=(*RISE, 104, 106, 108)).configured(policy__halt__max_execution_errors=1)
    world.wired = lambda ports: replace(ports, trader=Lost(cast(VenueTrader, ports.trader), lambda: None))
    halt = world.run()[-1].book.halt
    assert (halt.state, [one.name for one in halt.causes]) == (HaltState.TRIPPED, ["execution_errors"])
