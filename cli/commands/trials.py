"""`trader trials`: what was ever tried, and on which data."""

import typer

from cli.exits import Result
from cli.options import options_of, shared_of

DIGEST_SHOWN = 12


def trials(ctx: typer.Context) -> Result:
    """List every configuration that was tried on some data. The more there were, the luckier the best."""
    from cli.show import count, fitted
    from trader_core.domain.clocktime import short
    from trader_core.study import trials_of

    found = trials_of(options_of(shared_of(ctx)))
    if not found:
        return Result({"trials": []}, "nothing was tried yet: trader backtest")
    head = ["data", "from, UTC", "to, UTC", "config", "Sharpe", "trades", "by"]
    rows = [
        [
            one.data[:DIGEST_SHOWN], short(one.from_ms), short(one.to_ms), _config(one.config),
            "-" if one.sharpe is None else f"{one.sharpe:.3f}", str(one.trades), one.command,
        ]
        for one in found
    ]  # fmt: skip
    markets = len({one.data for one in found})
    told = f"{count(len(found), 'trial')} on {count(markets, 'market')}"
    moved = "\n+: cash came or went (backtest --deposit); --json tells when" * any(" " in one.config for one in found)
    table = fitted(head, rows, ("by", "to, UTC", "from, UTC"), left=4)
    return Result({"trials": found}, f"{table}\n{told}{moved}")


def _config(text: str) -> str:
    config, deposits, _ = text.partition(" ")
    return config[:DIGEST_SHOWN] + "+" * bool(deposits)
