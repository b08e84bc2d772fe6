"""The options: the six global ones, accepted before and after every command, and those that several commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperOption

from trader_core.domain.clocktime import EpochMs, parse_utc
from trader_core.domain.errors import UsageError
from trader_core.talk import CHOICES, begin

if TYPE_CHECKING:
    from decimal import Decimal

    from trader_core.settings.options import Options

MODES = ("DRY_RUN", "PAPER", "LIVE")
VENUES = ("coinbase", "simulated")
SAMPLE_SEED = 58
CONFIG_HELP = (
    "The five YAML files. Default: $TRADER_CONFIG, else ./config, $CONFIGURATION_DIRECTORY or the user's own "
    "where there is one, else what was installed."
)
MONEY_DIGITS = 8
MONEY_MAX = 1_000_000_000

Cycles = Annotated[int | None, typer.Option("--cycles", min=1, metavar="N", help="Stop after N cycles.")]
From = Annotated[str | None, typer.Option("--from", metavar="TIME", help="First decision, UTC, inclusive.")]
To = Annotated[str | None, typer.Option("--to", metavar="TIME", help="End of the period, UTC, exclusive.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="One venue's folder of candles. Default: the sample market."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of the sample market.")]
Equity = Annotated[
    str | None, typer.Option("--equity", metavar="AMOUNT", help="What the account holds, where a mode cannot ask.")
]


@dataclass
class Shared:
    """The global options as far as the command line has been read; `command` is the one that was asked for."""

    command: str = ""
    state: str | None = None
    config: str | None = None
    mode: str | None = None
    venue: str | None = None
    log: str | None = None
    json: bool = False


def shared_of(ctx: typer.Context) -> Shared:
    shared = ctx.find_root().obj
    if not isinstance(shared, Shared):
        raise TypeError("the command was not started by cli.main")
    return shared


def shared_options() -> list[TyperOption]:
    """Fresh copies of the global options, for the root or for one command. Each writes itself into the root."""
    return [
        _option("state", "DIR", "Where the state is kept. Default: $TRADER_STATE, $STATE_DIRECTORY or the user's own."),
        _option("config", "DIR", CONFIG_HELP),
        _option("mode", "MODE", f"{', '.join(MODES)}. Default: what app.yaml says.", MODES),
        _option("venue", "NAME", f"{', '.join(VENUES)}. Default: what app.yaml says.", VENUES),
        _option("log", "FORM", f"Log on stderr as {' or '.join(CHOICES)}. Default: $TRADER_LOG.", CHOICES, begin),
        TyperOption(
            param_decls=["--json"],
            is_flag=True,
            default=False,
            expose_value=False,
            callback=_keep,
            help="Print one JSON document.",
        ),
    ]


def _option(
    name: str, metavar: str, text: str, known: tuple[str, ...] = (), act: Callable[[str], None] | None = None
) -> TyperOption:
    def keep(ctx: typer.Context, parameter: TyperOption, value: str | None) -> None:
        if value == "":
            raise typer.BadParameter("it is empty; leave it out or say what is meant.", ctx=ctx, param=parameter)
        if value is not None and known and value not in known:
            raise typer.BadParameter(f"'{value}' is not one of {', '.join(known)}.", ctx=ctx, param=parameter)
        _keep(ctx, parameter, value)
        if value and act is not None:
            act(value)

    return TyperOption(
        param_decls=[f"--{name}"], metavar=metavar, type=str, default=None, expose_value=False, callback=keep, help=text
    )


def _keep(ctx: Any, parameter: TyperOption, value: Any) -> None:
    """What was said later wins; what was not said changes nothing."""
    if value and parameter.name:
        setattr(shared_of(ctx), parameter.name, value)


def options_of(
    shared: Shared,
    since: str | None = None,
    until: str | None = None,
    data: Path | None = None,
    seed: int = SAMPLE_SEED,
    equity: str | None = None,
) -> "Options":
    """The command line in bootstrap's words. Raises UsageError on what makes no sense."""
    from trader_core.settings.options import Options

    since_ms, until_ms = _time("--from", since), _time("--to", until)
    if since_ms is not None and until_ms is not None and until_ms <= since_ms:
        raise UsageError(f"--to {until} is not after --from {since}", remedy="the period is [--from, --to), in UTC")
    return Options(
        state=Path(shared.state) if shared.state else None,
        config=Path(shared.config) if shared.config else None,
        mode=shared.mode,
        venue=shared.venue,
        data=data,
        since_ms=since_ms,
        until_ms=until_ms,
        seed=seed,
        equity=amount_of("--equity", equity),
    )


def _time(option: str, text: str | None) -> EpochMs | None:
    try:
        return None if text is None else parse_utc(text)
    except ValueError as wrong:
        raise UsageError(f"{option}: {wrong}", remedy=f"{option} 2024-08-01") from wrong


def amount_of(name: str, text: str | None, example: str = "10000") -> "Decimal | None":
    """An amount that was said as text. Raises UsageError on anything else, with an option's example to be copied."""
    from decimal import Decimal, InvalidOperation

    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    exponent = amount.as_tuple().exponent
    sound = amount.is_finite() and 0 <= amount <= MONEY_MAX and isinstance(exponent, int) and exponent >= -MONEY_DIGITS
    if not sound:
        raise UsageError(
            f"{name}: '{text}' is not an amount from 0 to {MONEY_MAX} with at most {MONEY_DIGITS} decimals",
            remedy=f"{name} {example}" if name.startswith("-") else "an amount is like 10000 or 0.5",
        )
    return amount
