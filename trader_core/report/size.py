"""A position's size, asked for by a person: the rule of the law with everything that it looked at."""

from collections.abc import Iterator
from decimal import ROUND_FLOOR, Decimal

from msgspec import Struct

from trader_core.domain.errors import UsageError
from trader_core.domain.money import EXACT, from_grains, grains_down, plain
from trader_core.rulebook.codes import ATR_RISK, BINDING, KELLY, SIZERS
from trader_core.rulebook.limits import Sizing
from trader_core.rulebook.sizing import (
    LEVERAGE_MAX,
    Ask,
    Record,
    Sized,
    kelly_fraction,
    least_rate,
    sized,
)  # fmt: skip

SAFE = "nothing was changed"
REMEDY = "trader size calc --help"


class Wish(Struct, frozen=True):
    """What a person says. Amounts are quote, shares fractions; `fee` is what a taker pays, of the value."""

    equity: Decimal
    budget: Decimal  # of equity offered
    conviction: Decimal
    stop: Decimal  # distance, of the price
    leverage: Decimal
    venue_leverage: Decimal  # 1 on spot
    profile_leverage: Decimal
    cash: Decimal
    max_exposure: Decimal  # of equity
    exposure: Decimal  # what is open and working
    max_asset: Decimal
    asset_exposure: Decimal
    day_range: Decimal | None  # of the price
    volatility: Decimal | None  # a year
    drawdown: Decimal
    record: Record
    price: Decimal | None
    lot: Decimal
    min_position: Decimal
    fee: Decimal


class Cap(Struct, frozen=True):
    """A ceiling, what it allows, and of what: own money, or the position's value."""

    name: str
    quote: Decimal
    of: str
    binds: bool


class Size(Struct, frozen=True):
    """The answer. Amounts are quote; `refused` says why there is none, and is empty where there is one."""

    sizer: str
    margin: Decimal
    notional: Decimal
    leverage: Decimal
    quantity: Decimal | None  # whole lots; None: no price was given
    loss_at_stop: Decimal  # both fees included
    wanted: Decimal  # own money before any cap
    multipliers: dict[str, float]
    caps: tuple[Cap, ...]
    binding: str
    kelly: dict[str, float | int | None] | None
    notes: tuple[str, ...]
    refused: str


def sizing_by(sizing: Sizing, name: str) -> Sizing:
    """The same limits with another sizer. Raises UsageError."""
    if name not in SIZERS:
        raise UsageError(f"--sizer {name}: one of {', '.join(SIZERS)}", safe=SAFE, remedy=REMEDY)
    return sizing._replace(sizer=SIZERS.index(name))


def record(pair: tuple[int, int], strategy: tuple[int, int], gained: Decimal, lost: Decimal) -> Record:
    """What positions that are over say: (won, lost) of the pair and of the whole strategy, and its money."""
    return Record(sum(pair), pair[0], *strategy, grains_down(gained), grains_down(lost))


def offer(sizing: Sizing, wish: Wish) -> tuple[float, str]:
    """What the sizer begins with: how many percent of the equity, and what they are."""
    if sizing.sizer == ATR_RISK and wish.day_range is not None:
        far = f"{sizing.risk_ranges:g} x {plain(wish.day_range * 100)} %"
        return 100 * sizing.risk_per_trade, f"what is lost where the price falls by {far}"
    return float(wish.budget * 100), "own money offered, not what may be lost"


def size(sizing: Sizing, wish: Wish) -> Size:
    """Raises UsageError on what is missing, negative or no number; too small a position is an answer, not an error."""
    _check(wish)
    ask = _ask(sizing, wish)
    found = sized(sizing, ask)
    margin, notional = from_grains(found.margin), from_grains(found.notional)
    leverage, quantity = Decimal(str(found.leverage)), None
    if wish.price is not None:
        lots = EXACT.divide(EXACT.divide(notional, wish.price), wish.lot).to_integral_value(ROUND_FLOOR)
        quantity = EXACT.multiply(lots, wish.lot)
        notional = EXACT.multiply(quantity, wish.price)
        margin = EXACT.divide(notional, leverage)
    return Size(
        sizer=SIZERS[sizing.sizer],
        margin=margin,
        notional=notional,
        leverage=leverage,
        quantity=quantity,
        loss_at_stop=EXACT.multiply(notional, wish.stop + wish.fee + wish.fee * (1 - wish.stop)),
        wanted=from_grains(found.wanted),
        multipliers={
            "confidence": found.confidence, "calm": found.calm, "recovery": found.recovery, "record": found.record,
        },
        caps=tuple(_caps(sizing, ask, found)),
        binding=BINDING[found.bound_by],
        kelly=_kelly(sizing, ask.record, found) if sizing.sizer == KELLY else None,
        notes=tuple(_notes(wish, found)),
        refused=_refusal(wish, margin),
    )  # fmt: skip


def _check(wish: Wish) -> None:
    amounts = {
        "--equity": wish.equity, "--budget-pct": wish.budget, "--conviction-pct": wish.conviction,
        "--leverage": wish.leverage, "--venue-leverage": wish.venue_leverage, "--cash": wish.cash,
        "--exposure": wish.exposure, "--max-exposure-pct": wish.max_exposure, "--asset-exposure": wish.asset_exposure,
        "--max-asset-pct": wish.max_asset, "--drawdown-pct": wish.drawdown, "--min-position": wish.min_position,
    }  # fmt: skip
    for name, amount in amounts.items():
        if not amount.is_finite() or amount < 0:
            raise UsageError(f"INPUT_INVALID: {name} is {amount}", safe=SAFE, remedy=REMEDY)
    shares = {"--conviction-pct": wish.conviction, "--drawdown-pct": wish.drawdown, "--budget-pct": wish.budget}
    for name, share in shares.items():
        if share > 1:
            told = f"INPUT_INVALID: {name} {plain(share * 100)}: a number from 0 to 100"
            raise UsageError(told, safe=SAFE, remedy=REMEDY)
    if wish.equity == 0 or min(wish.leverage, wish.venue_leverage) < 1:
        raise UsageError("INPUT_INVALID: an equity above 0, and leverages of at least 1", safe=SAFE, remedy=REMEDY)
    if not wish.stop.is_finite() or not 0 < wish.stop < 1:
        what = f"STOP_INVALID: a stop lies below the price, by {plain(wish.stop * 100)} % it does not"
        raise UsageError(what, safe=SAFE, remedy=REMEDY)
    if wish.lot <= 0 or (wish.price is not None and not (wish.price.is_finite() and wish.price > 0)):
        raise UsageError("INPUT_INVALID: --price and --lot are above 0", safe=SAFE, remedy=REMEDY)


def _ask(sizing: Sizing, wish: Wish) -> Ask:
    if sizing.sizer == ATR_RISK and wish.day_range is None:
        raise UsageError("INPUT_INVALID: the sizer atr_risk needs --range-pct", safe=SAFE, remedy=REMEDY)
    return Ask(
        equity=grains_down(wish.equity),
        share=float(wish.budget),
        scale=1.0,
        conviction=float(wish.conviction),
        stop=float(wish.stop),
        leverage=float(wish.leverage),
        max_leverage=float(min(wish.venue_leverage, wish.profile_leverage)),
        cash=grains_down(wish.cash),
        held=0,
        exposure_room=_room(wish.equity, wish.max_exposure, wish.exposure),
        asset_room=_room(wish.equity, wish.max_asset, wish.asset_exposure),
        day_range=-1.0 if wish.day_range is None else float(100 * wish.day_range),
        volatility=-1.0 if wish.volatility is None else float(100 * wish.volatility),
        drawdown=float(wish.drawdown),
        record=wish.record,
    )


def _room(equity: Decimal, share: Decimal, used: Decimal) -> int:
    return max(grains_down(equity * share - used), 0)


def _caps(sizing: Sizing, ask: Ask, found: Sized) -> Iterator[Cap]:
    amounts = {
        "max_position": (sizing.max_position, "margin"),
        "cash": (ask.cash, "margin"),
        "kelly": (None if found.kelly < 0 else int(found.kelly * ask.equity), "margin"),
        "stop_loss": (found.stop_cap, "notional"),
        "exposure": (ask.exposure_room, "notional"),
        "asset": (ask.asset_room, "notional"),
    }
    for name, (grains, of) in amounts.items():
        if grains is not None:
            yield Cap(name, from_grains(grains), of, BINDING[found.bound_by] == name)


def _kelly(sizing: Sizing, record: Record, found: Sized) -> dict[str, float | int | None]:
    """The fraction by the win rate as it was, a share of that, and what remains of it at the rate's lower bound."""
    trades, needed = record.wins + record.losses, sizing.kelly.min_trades
    told: dict[str, float | int | None] = {"trades": trades, "needed": needed, "raw": None, "least_rate": None}
    if found.kelly < 0:
        return told | {"used": None}
    gain, loss = record.gained / max(record.wins, 1), record.lost / max(record.losses, 1)
    raw = sizing.kelly.share * kelly_fraction(record.wins / trades, gain, loss)
    return told | {"raw": raw, "least_rate": least_rate(record.wins, trades), "used": found.kelly}


def _notes(wish: Wish, found: Sized) -> Iterator[str]:
    if Decimal(str(found.leverage)) < wish.leverage:
        if wish.venue_leverage == 1:
            allows = "spot is bought with own money alone, whatever the profile says"
        else:
            limits = f"venue {plain(wish.venue_leverage)}, profile {plain(wish.profile_leverage)}"
            allows = f"{limits} and hard cap {LEVERAGE_MAX:g} allow no more"
        yield f"leverage {plain(wish.leverage)} was asked for and {found.leverage:g} is used: {allows}"


def _refusal(wish: Wish, margin: Decimal) -> str:
    if margin >= wish.min_position and margin > 0:
        return ""
    return f"BELOW_MIN_POSITION: {plain(margin)} of own money, and at least {plain(wish.min_position)} is asked for"
