"""What a person does to an account between its cycles, through what the commands call."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trader_core.desk import host_user, move_cash, open_desk
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS
from trader_core.domain.errors import ConfigInvalid, GateClosed, Halted, UsageError
from trader_core.domain.facts import HaltChanged
from trader_core.domain.halt import acknowledged, killed, tripped
from trader_core.domain.money import Quote, plain
from trader_core.engine.halting import reset_fact
from trader_core.hand import applied
from trader_core.kill.back import lift, standing
from trader_core.kill.latch import write_file, write_rows
from trader_core.ops.halts import KILL_FILE
from trader_core.policies import Asked, change
from trader_core.prove.sim.dice import Dice
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings

CASH = (-3_000, 3_000)  # of a deposit or a withdrawal, in quote
MOVED = (
    "risk.max_total_at_risk_pct", "risk.max_open_positions", "risk.max_per_asset_pct", "risk.max_day_loss_pct",
    "pacing.cooldown_after_loss_min", "sizing.max_position_quote", "orders.maker_max_reprices", "data.max_data_age_s",
)  # fmt: skip


@dataclass(frozen=True)
class Hand:
    """Whose account, under which settings, and by which dice; `n` tells one act from another."""

    options: Options
    written: Settings
    dice: Dice
    n: int


def kill(hand: Hand) -> None:
    """As `trader kill` does it, or by hand: a file is enough."""
    state = hand.options.state_directory
    if hand.dice.falls(0.5, "kill", hand.n):
        write_file(state, "the dice said so")
        write_rows(state, "the dice said so")
    else:
        (state / KILL_FILE).touch()


def trip(hand: Hand) -> None:
    with suppress(GateClosed), open_desk(hand.options) as desk:
        halt = tripped(desk.journal.book.halt, "the dice said so", desk.at_ms)
        desk.journal.record(desk.at_ms, [HaltChanged(halt)])


def acknowledge(hand: Hand) -> None:
    with suppress(GateClosed), open_desk(hand.options) as desk:
        cooldown_ms = desk.policy.policy.halt.cooldown_min * MINUTE_MS
        halt = acknowledged(desk.journal.book.halt, cooldown_ms, desk.at_ms)
        desk.journal.record(desk.at_ms, [HaltChanged(halt)])


def reset(hand: Hand) -> None:
    """As `trader halt reset --force` does it."""
    with suppress(GateClosed), open_desk(hand.options) as desk:
        book, latch = desk.journal.book, standing(desk.files.state)
        halt = killed(book.halt, f"killed: {latch.reason}", desk.at_ms) if latch else book.halt
        seen = [HaltChanged(halt)] if halt != book.halt else []
        policy, why = desk.policy, "the dice have calmed down"
        done = reset_fact(book, halt, policy, desk.at_ms, "sim", host_user(), why, True, digest(policy))
        desk.journal.record(desk.at_ms, [*seen, done])
        if latch:
            lift(desk.files.state, latch, why)


def move_policy(hand: Hand) -> None:
    """Tighten one key, or loosen it for a while; some of it is refused."""
    key = hand.dice.one_of(MOVED, "moved", hand.n)
    value: Any = hand.written.model_dump()["policy"]
    for step in key.split("."):
        value = value[step]
    share = Decimal(hand.dice.whole(20, 100 if key == MOVED[0] else 140, "share", hand.n)) / 100
    text = plain((Decimal(str(value)) * share).quantize(Decimal(1) if isinstance(value, int) else Decimal("0.01")))
    for lasts_ms in (None, DAY_MS // 2):
        with suppress(GateClosed, ConfigInvalid, Halted, UsageError):
            change(hand.options, {key: text}, Asked("the dice said so", lasts_ms=lasts_ms))
            return


def pay(hand: Hand) -> None:
    with suppress(GateClosed):
        move_cash(hand.options, Decimal(hand.dice.whole(*CASH, "cash", hand.n)), "the dice said so")


def adopt(hand: Hand) -> None:
    """What a person has traded by hand is booked, as `trader reconcile --apply` does it."""
    applied(hand.options, None, "traded by hand")


def amount_by_hand(dice: Dice, n: int) -> Quote:
    return Quote(Decimal(dice.whole(20, 400, "by hand", n)))


ACTS: dict[str, Callable[[Hand], None]] = {
    "kills": kill, "trips": trip, "acknowledgements": acknowledge, "resets": reset, "policy": move_policy,
    "cash": pay, "adopt": adopt,
}  # fmt: skip
ENDS = {"kills": ("resets",), "trips": ("acknowledgements", "resets"), "manual trades": ("adopt",)}
