"""`trader size calc`: how large a position would be, and why. The rule is the law's own; nothing is asked or sent."""

from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from cli.exits import Result
from cli.options import MONEY_MAX, options_of, shared_of

if TYPE_CHECKING:
    from trader_core.report.size import Size, Wish
    from trader_core.settings.options import Options
    from trader_core.settings.schema import Settings

REFUSED = 20  # exit code
Text = str | None


def calc(
    ctx: typer.Context,
    equity: Annotated[str, typer.Option("--equity", metavar="QUOTE", help="What the account is worth.")],
    conviction: Annotated[str, typer.Option("--conviction-pct", metavar="PCT", help="Of the proposal, 0 to 100.")],
    stop: Annotated[str, typer.Option("--stop-pct", metavar="PCT", help="How far the stop is below the price.")],
    tier: Annotated[int, typer.Option("--tier", min=1, max=3, help="Whose position the budget is.")] = 1,
    regime: Annotated[Text, typer.Option("--regime", metavar="NAME", help="bull, chop, bear or crash.")] = None,
    sizer: Annotated[Text, typer.Option("--sizer", metavar="NAME", help="Instead of the policy's.")] = None,
    leverage: Annotated[str, typer.Option("--leverage", metavar="X", help="Asked for.")] = "1",
    venue_leverage: Annotated[str, typer.Option("--venue-leverage", metavar="X", help="1 is spot.")] = "1",
    exposure: Annotated[str, typer.Option("--exposure", metavar="QUOTE", help="Open and working by now.")] = "0",
    asset_exposure: Annotated[str, typer.Option("--asset-exposure", metavar="QUOTE", help="The asset's part.")] = "0",
    cash: Annotated[Text, typer.Option("--cash", metavar="QUOTE", help="Free. Default: the equity.")] = None,
    price: Annotated[Text, typer.Option("--price", metavar="QUOTE", help="To round down to whole lots.")] = None,
    lot: Annotated[str, typer.Option("--lot", metavar="SIZE", help="Smallest step of a quantity.")] = "0.00000001",
    drawdown: Annotated[str, typer.Option("--drawdown-pct", metavar="PCT", help="From the highest equity.")] = "0",
    volatility: Annotated[Text, typer.Option("--volatility-pct", metavar="PCT", help="Realised, a year.")] = None,
    day_range: Annotated[Text, typer.Option("--range-pct", metavar="PCT", help="Mean true range of an hour.")] = None,
    wins: Annotated[int, typer.Option("--wins", min=0, help="Closed positions that the strategy won.")] = 0,
    losses: Annotated[int, typer.Option("--losses", min=0, help="And lost.")] = 0,
    gained: Annotated[str, typer.Option("--gained", metavar="QUOTE", help="By those that won.")] = "0",
    lost: Annotated[str, typer.Option("--lost", metavar="QUOTE", help="By the others.")] = "0",
    pair_wins: Annotated[int, typer.Option("--pair-wins", min=0, help="Of them, won in this pair.")] = 0,
    pair_losses: Annotated[int, typer.Option("--pair-losses", min=0, help="And lost in it.")] = 0,
    budget: Annotated[Text, typer.Option("--budget-pct", metavar="PCT", help="Instead of the tier's position.")] = None,
    max_position: Annotated[Text, typer.Option("--max-position", metavar="QUOTE", help="Not the policy's.")] = None,
    min_position: Annotated[Text, typer.Option("--min-position", metavar="QUOTE", help="Not the policy's.")] = None,
    max_stop_loss: Annotated[Text, typer.Option("--max-stop-loss-pct", metavar="PCT", help="Not the policy's.")] = None,
    max_exposure: Annotated[Text, typer.Option("--max-exposure-pct", metavar="PCT", help="Not the policy's.")] = None,
    max_asset: Annotated[Text, typer.Option("--max-asset-pct", metavar="PCT", help="Not the policy's.")] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Every multiplier and every cap.")] = False,
) -> Result:
    """Size a position by the rule of the law: budget, multipliers, caps, and which of them binds."""
    from trader_core.domain.money import grains_down
    from trader_core.engine.law import sizing_of
    from trader_core.report.size import Wish, offer, record, size, sizing_by

    policy, told = _policy(options_of(shared_of(ctx)))
    risk, limits = policy.policy.risk_in_force, sizing_of(policy)
    limits = limits._replace(risk_per_trade=limits.risk_per_trade * float(_scale(policy, regime)))
    if sizer is not None:
        limits = sizing_by(limits, sizer)
    if max_position is not None:
        limits = limits._replace(max_position=grains_down(_amount("--max-position", max_position)))
    if max_stop_loss is not None:
        limits = limits._replace(max_stop_loss=float(_share("--max-stop-loss-pct", max_stop_loss)))
    whole = _amount("--equity", equity)
    wish = Wish(
        equity=whole,
        budget=_budget(policy, tier, regime) if budget is None else _share("--budget-pct", budget),
        conviction=_share("--conviction-pct", conviction),
        stop=_share("--stop-pct", stop),
        leverage=_amount("--leverage", leverage),
        venue_leverage=_amount("--venue-leverage", venue_leverage),
        profile_leverage=_amount("max_leverage_ratio", str(policy.policy.active_profile.max_leverage_ratio)),
        cash=whole if cash is None else _amount("--cash", cash),
        max_exposure=_cap(policy, "--max-exposure-pct", max_exposure, risk.max_total_at_risk_pct, regime),
        exposure=_amount("--exposure", exposure),
        max_asset=_cap(policy, "--max-asset-pct", max_asset, risk.max_per_asset_pct, regime),
        asset_exposure=_amount("--asset-exposure", asset_exposure),
        day_range=None if day_range is None else _share("--range-pct", day_range),
        volatility=None if volatility is None else _share("--volatility-pct", volatility),
        drawdown=_share("--drawdown-pct", drawdown),
        record=record(
            (pair_wins, pair_losses), (wins, losses), _amount("--gained", gained), _amount("--lost", lost)
        ),
        price=None if price is None else _amount("--price", price),
        lot=_amount("--lot", lot),
        min_position=_amount("--min-position", min_position or str(policy.policy.sizing.min_notional_quote)),
        fee=_share("taker_fee_bps", str(policy.app.paper.taker_fee_bps)) / 100,
    )  # fmt: skip
    found = size(limits, wish)
    page = _page(found, wish, offer(limits, wish), explain)
    return Result(found, page, REFUSED if found.refused else 0, (*found.notes, *told))


def _policy(options: "Options") -> "tuple[Settings, tuple[str, ...]]":
    """What is in force of the policy, and what is wrong with its store: what is written is looked at all the same."""
    from cli.exits import warned
    from trader_core.bootstrap import settings_of
    from trader_core.domain.errors import JournalBroken, StateUnusable
    from trader_core.policies import place_of

    written = settings_of(options)
    try:
        place = place_of(options, written=written)
    except (JournalBroken, StateUnusable) as unknown:
        return written, warned([unknown.what])
    return place.in_force, warned([place.reading.note] if place.reading.note else [])


def _budget(policy: "Settings", tier: int, regime: str | None) -> Decimal:
    """What the policy offers for a position of that tier: the profile's scale included, and the regime's, if named."""
    position = Decimal(str(getattr(policy.policy.sizing, f"tier_{tier}_position_pct")))
    scaled = position * Decimal(str(policy.policy.active_profile.position_scale_pct)) / 10_000
    return scaled * _scale(policy, regime)


def _scale(policy: "Settings", regime: str | None) -> Decimal:
    """The regime's, if one is named."""
    from trader_core.settings.schema import REGIMES

    if regime is None:
        return Decimal(1)
    name = _one_of("--regime", regime, REGIMES)
    return Decimal(str(getattr(policy.policy.regime, f"{name}_scale_pct"))) / 100


def _cap(policy: "Settings", name: str, asked: str | None, written: float, regime: str | None) -> Decimal:
    """As asked for, else the policy's, which a regime may lower and never raises."""
    return (
        _share(name, str(written)) * min(_scale(policy, regime), Decimal(1)) if asked is None else _share(name, asked)
    )


def _amount(name: str, text: str) -> Decimal:
    from decimal import InvalidOperation

    from trader_core.domain.errors import UsageError
    from trader_core.report.size import REMEDY, SAFE

    try:
        amount = Decimal(text)
    except InvalidOperation as wrong:
        raise UsageError(f"INPUT_INVALID: {name} {text} is no number", safe=SAFE, remedy=REMEDY) from wrong
    if not amount.is_finite() or not 0 <= amount <= MONEY_MAX:
        what = f"INPUT_INVALID: {name} {text}: a number from 0 on, at most {MONEY_MAX}"
        raise UsageError(what, safe=SAFE, remedy=REMEDY)
    return amount


def _share(name: str, text: str) -> Decimal:
    return _amount(name, text) / 100


def _one_of(name: str, text: str, known: tuple[str, ...]) -> str:
    from trader_core.domain.errors import UsageError
    from trader_core.report.size import REMEDY, SAFE

    if text not in known:
        raise UsageError(f"{name} {text}: one of {', '.join(known)}", safe=SAFE, remedy=REMEDY)
    return text


def _page(found: "Size", wish: "Wish", offered: tuple[float, str], explain: bool) -> str:
    from cli.show import money, pairs
    from trader_core.domain.money import plain

    rows = [
        ("position", money(found.notional)),
        ("own money", f"{money(found.margin)} at leverage {plain(found.leverage)}"),
        *([("quantity", plain(found.quantity))] if found.quantity is not None else []),
        ("at the stop", f"loses {money(found.loss_at_stop)}, both fees included"),
        ("bound by", found.binding),
    ]
    if found.refused:
        rows.append(("refused", found.refused))
    parts = [pairs(rows)]
    if explain:
        parts += ["", _explained(found, wish, offered)]
    return "\n".join([*parts, *("\n" + one for one in found.notes)])


def _explained(found: "Size", wish: "Wish", offered: tuple[float, str]) -> str:
    from cli.show import money, pairs

    share, what = offered
    rows = [
        ("sizer", found.sizer),
        ("budget", f"{share:g} % of {money(wish.equity)}: {what}"),
        *((name, f"x {scale:g}") for name, scale in found.multipliers.items()),
        ("wanted", money(found.wanted)),
        *((f"cap {one.name}", f"{money(one.quote)} of {one.of}{' <- binds' * one.binds}") for one in found.caps),
    ]
    if found.kelly:
        rows.append(("kelly", ", ".join(f"{name} {_figure(value)}" for name, value in found.kelly.items())))
    return pairs(rows)


def _figure(value: float | int | None) -> str:
    return "unknown" if value is None else f"{value:g}"
