"""What an account must have shown before it goes a stage further, with figures from the seeds' own gates.

Each criterion is a figure that was found against one that is wanted; what cannot be known has not been shown.
"""

from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from msgspec import Struct

DAYS = {"PAPER": 1, "TINY_LIVE": 7, "LIVE": 14}  # lived in the stage before
CYCLES = {"PAPER": 24, "TINY_LIVE": 500, "LIVE": 1_000}
QUIET_DAYS = 30  # without an incident, before the last stage
TRADES = 50  # closed with little money, before more of it
SHARPE, DRAWDOWN_PCT, WON_PCT, WINNER_RATIO, ONE_PCT = 1.0, 15.0, 45.0, 2.0, 40.0
TRADES_A_DAY, HOLD_MIN = 8.0, 30.0
MAKER_PCT, FILLED_PCT = 70.0, 85.0
EQUITY = 100.0  # below it no order is worth its fee
REGIMES = ("bull", "chop", "bear")


class Criterion(Struct, frozen=True):
    name: str
    passed: bool
    found: str
    wanted: str


class Lived(Struct, frozen=True):
    """What the account of the stage before has been through. None where it cannot be known."""

    days: float
    cycles: int
    troubled: int  # cycles in which the venue was not read whole
    halts: int  # trips and kills
    discrepancies: int  # still open
    equity: float | None
    earned: float | None  # since the beginning, deposits apart
    trades: int
    maker_pct: float | None
    filled_pct: float | None  # of entries that were sent
    altered: int | None  # of its decisions, those that come out otherwise today
    incidents_open: int
    quiet_days: float | None  # since the newest incident; None: there never was one


def criteria(stage: str, lived: Lived, backtest: Mapping[str, Any] | None, digest: str) -> tuple[Criterion, ...]:
    """Everything that is asked for before `stage`, which is not the first one."""
    found = [
        _least("days in the stage before", lived.days, DAYS[stage]),
        _least("cycles", lived.cycles, CYCLES[stage]),
        Criterion("venue read whole", lived.troubled * 20 <= lived.cycles, f"{lived.troubled} not", "95 % of cycles"),
        Criterion("halts", lived.halts == 0, str(lived.halts), "none"),
        Criterion("discrepancies", lived.discrepancies == 0, str(lived.discrepancies), "none open"),
        Criterion("incidents", lived.incidents_open == 0, f"{lived.incidents_open} open", "none open"),
        Criterion("decisions come out again", lived.altered == 0, _figure(lived.altered, "altered"), "all of them"),
        _least("equity", lived.equity, EQUITY),
    ]
    if stage == "TINY_LIVE":
        found += [*edge(backtest, digest), *churn(backtest)]
    if stage == "LIVE":
        quiet = lived.quiet_days is None or lived.quiet_days >= QUIET_DAYS
        since = "never one" if lived.quiet_days is None else f"{lived.quiet_days:.0f} days since the last"
        found += [
            Criterion("quiet", quiet, since, f"{QUIET_DAYS} days without an incident"),
            _least("closed positions", lived.trades, TRADES),
            _least("earned after all costs", lived.earned, 0),
            _least("filled as maker, %", lived.maker_pct, MAKER_PCT),
            _least("entries filled, %", lived.filled_pct, FILLED_PCT),
        ]
    return tuple(found)


def edge(backtest: Mapping[str, Any] | None, digest: str) -> list[Criterion]:
    """Whether there is anything to be earned: a backtest under the very configuration, over every kind of market."""
    if backtest is None:
        return [Criterion("backtest", False, "none given", "trader backtest --out FILE, then --backtest FILE")]
    summary, of, seed = backtest["summary"], backtest["metadata"]["config_digest"], backtest["metadata"]["seed"]
    regimes = backtest["breakdown"]["regime"]
    earning = [name for name in REGIMES if float(regimes.get(name, {}).get("pnl", 0) or 0) > 0]
    sharpe = backtest["performance"]["sharpe"]["value"]
    won, average, lost = (float(summary[name] or 0) for name in ("win_rate", "average_win_pct", "average_loss_pct"))
    winners = won > WON_PCT or (lost < 0 and average > WINNER_RATIO * -lost)
    return [
        Criterion("backtest of this configuration", of == digest, of[:12], digest[:12]),
        Criterion("real candles", seed is None, "yes" if seed is None else f"sample market {seed}", "--data DIR"),
        Criterion(
            "earns in every regime", len(earning) == len(REGIMES), " ".join(earning) or "none", " ".join(REGIMES)
        ),
        _above("Sharpe ratio", sharpe, SHARPE),
        _below("drawdown, %", float(summary["max_drawdown_pct"] or 0), DRAWDOWN_PCT),
        Criterion("winners", winners, f"{won:.1f} % won", f"above {WON_PCT:g} %, or {WINNER_RATIO:g} x the loss"),
        _below("earned by one symbol, %", _largest_share(backtest["breakdown"]["symbol"]), ONE_PCT),
    ]


def churn(backtest: Mapping[str, Any] | None) -> list[Criterion]:
    """Whether it trades for itself or for the venue."""
    trades: Sequence[Mapping[str, Any]] = backtest["trades"] if backtest else ()
    if not backtest or not trades:
        return [Criterion("churn", False, "no trades to look at", "a backtest with trades")]
    days = max(float(backtest["performance"]["days"] or 0), 1.0)
    symbols = {one["symbol"] for one in trades}
    busiest = max(sum(one["symbol"] == symbol for one in trades) for symbol in symbols) / days
    held = median(float(one["hold_hours"]) * 60 for one in trades)
    return [_below("trades a symbol and day", busiest, TRADES_A_DAY), _above("median hold, minutes", held, HOLD_MIN)]


def _largest_share(symbols: Mapping[str, Mapping[str, Any]]) -> float | None:
    """Of what was earned, in percent; None where nothing was."""
    earned = [float(one.get("pnl", 0) or 0) for one in symbols.values()]
    gained = sum(one for one in earned if one > 0)
    return 100 * max(earned) / gained if gained > 0 else None


def _figure(value: float | None, of: str = "") -> str:
    return "unknown" if value is None else f"{value:,.6g} {of}".rstrip()


def _least(name: str, found: float | None, wanted: float) -> Criterion:
    return Criterion(name, found is not None and found >= wanted, _figure(found), f"at least {wanted:,g}")


def _above(name: str, found: float | None, wanted: float) -> Criterion:
    return Criterion(name, found is not None and found > wanted, _figure(found), f"above {wanted:,g}")


def _below(name: str, found: float | None, wanted: float) -> Criterion:
    return Criterion(name, found is not None and found <= wanted, _figure(found), f"at most {wanted:,g}")
