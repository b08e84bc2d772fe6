"""The work: files to a market in memory, and the policy of one rule in which every gate is asked and none says no."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from trader_core.candles.bars import price_digits
from trader_core.candles.files import COLUMNS, Rows
from trader_core.domain.instrument import Instrument
from trader_core.domain.values import replace
from trader_core.engine.columns import lookback_of
from trader_core.engine.replay import Replayed, World
from trader_core.market.frame import Frame
from trader_core.rulebook import codes
from trader_core.rulebook.limits import Floats, Ints
from trader_core.settings.coherence import check
from trader_core.settings.load import load
from trader_core.settings.schema import PROFILES, TIERS, Settings

CONFIG = Path(__file__).parents[1] / "config"
FAST, SLOW = 10, 50
STOP_PCT, FEE_BPS, NOTIONAL = 5, 60, 1_000
BAND_BPS = 1_000  # the widest there is: the next open is never beyond it, and the law sizes by it
CASH = 1_000_000_000
POSITION_PCT = 0.01
PROFILE_PCT = NOTIONAL * (1 + BAND_BPS / 10_000) / (CASH * POSITION_PCT / 100) * 100  # of a position
NO_CAP, CAP = 50, 5
LOT = Decimal("1e-8")
PRODUCT_MIN = Decimal("1e-15")  # of a tick and a lot in quote: $1,000 of it stays below 2^62
VOLUME_MAX = 2.0**56
NS_FROM = 10**14  # a whole number beyond it is of ns
NO_SIGMA = 1e9
DEPTH_QUOTE = 1_000.0  # a bar's volume is taken to be this at the least, so that a day's is depth enough


@dataclass(frozen=True)
class Case:
    granularity: str
    base_bar_min: int
    instruments: int
    cap: int
    reps: int


CASES = {
    "a": Case("1m", 1, 1, NO_CAP, 15),
    "b": Case("1m", 1, 16, CAP, 5),
    "c": Case("1h", 60, 16, CAP, 25),
    "sweep": Case("1m", 1, 1, NO_CAP, 3),
}

TIER: dict[str, Any] = {"bases": (), "min_day_volume_quote": 0, "max_spread_bps": 1_000, "min_depth_quote": 0}
WIDE: dict[str, Any] = {
    "app.paper.cash_quote": CASH,
    "app.paper.maker_fee_bps": FEE_BPS,
    "app.paper.taker_fee_bps": FEE_BPS,
    "app.paper.half_spread_bps": 0,
    **{f"app.paper.slippage.tier_{n}_bps": 0 for n in (1, 2, 3)},
    "app.paper.max_share_of_volume_pct": 100,
    "app.paper.depth_of_day_volume_pct": 100,
    "policy.profile": "NORMAL",
    **{f"policy.profiles.{name}.position_scale_pct": round(PROFILE_PCT, 2) for name in PROFILES},
    **{
        f"policy.profiles.{name}.{key}": most
        for name in PROFILES
        for key, most in (("max_day_loss_pct", 50), ("max_open_positions", 50), ("max_stop_loss_pct", 5))
    },
    "policy.risk.max_slot_wait_min": 0,
    "policy.risk.halve_at_day_loss_pct": 50,
    "policy.risk.max_stop_loss_pct": 100,
    "policy.halt.enabled": False,
    "policy.sizing.max_position_quote": 1_000_000_000,
    "policy.sizing.confident_scale_pct": 100,
    "policy.sizing.doubtful_scale_pct": 100,
    "policy.sizing.full_size_volatility_pct": 10_000,
    "policy.sizing.cautious_scale_pct": 100,
    "policy.sizing.protective_scale_pct": 100,
    **{f"policy.regime.{name}_scale_pct": 100 for name in codes.REGIMES[1:]},
    "policy.risk.max_total_at_risk_pct": 100,
    "policy.risk.max_per_asset_pct": 100,
    "policy.risk.max_per_theme_pct": {"OTHER": 100},
    **{f"policy.risk.max_tier_{tier}_pct": 100 for tier in (1, 2, 3)},
    "policy.risk.max_day_loss_pct": 50,
    "policy.risk.max_week_loss_pct": 75,
    "policy.risk.max_drawdown_pct": 100,
    "policy.risk.max_volatility_pct": 10_000,
    "policy.risk.min_restless_conviction_pct": 0,
    "policy.portfolio.max_cluster_assets": 50,
    "policy.portfolio.max_cluster_pct": 100,
    "policy.portfolio.cluster_window_days": 1,
    "policy.portfolio.cluster_min_days": 0,
    "policy.portfolio.max_var_pct": 100,
    "policy.portfolio.var_window_days": 1,
    "policy.portfolio.var_min_days": 0,
    "policy.portfolio.max_concentration_pct": 100,
    **{f"policy.pacing.cooldown_after_{what}_min": 0 for what in ("win", "loss", "stop")},
    "policy.pacing.max_losing_streak": 20,
    "policy.pacing.losing_streak_pause_min": 0,
    "policy.pacing.min_spacing_s": 0,
    "policy.pacing.min_asset_spacing_s": 0,
    "policy.pacing.max_entries_per_cycle": 50,
    "policy.pacing.max_entries_per_hour": 1_000,
    "policy.pacing.max_entries_per_day": 5_000,
    "policy.adds.allowed": False,
    **{f"policy.sizing.tier_{tier}_position_pct": POSITION_PCT for tier in (1, 2, 3)},
    "policy.sizing.min_notional_quote": 0,
    "policy.data.max_data_age_s": 86_400,
    "policy.orders.maker_ttl_bars": 0,
    "policy.orders.limit_band_bps": BAND_BPS,
    "policy.liquidity.max_spread_bps": 1_000,
    "policy.liquidity.max_share_of_depth_pct": 100,
    "policy.liquidity.max_slippage_bps": 500,
    "policy.liquidity.max_entry_cost_bps": 1_000,
    "policy.liquidity.min_edge_over_cost_pct": 0,
    "policy.exits.use_trailing_stop": False,
    **{
        f"universe.tiers.{tier}.{key}": value
        for tier in TIERS
        for key, value in TIER.items()
    },
    "universe.themes": {},
    "universe.never_trade": (),
    **{f"universe.hysteresis.{name}_h": 1 for name in ("enter", "leave", "recall")},
    "signals.windows.max_missing_bars": 0,
    "signals.regime.trend_h": 2,
    "signals.regime.confirm_h": 1,
    "signals.regime.recall_h": 0,
    "signals.guards.outlier_bars": 2,
    "signals.guards.outlier_deviation_pct": 1_000,
    "signals.guards.outlier_volume_pct": 0,
    "signals.guards.max_jump_sigma": 100,
    "signals.guards.atr_h": 2,
    "signals.guards.atr_median_h": 3,
    "signals.guards.volatility_h": 3,
    **{f"signals.thresholds.{name}.min_atr_ratio": 0 for name in codes.REGIMES[1:]},
    "strategies.rules.enabled": False,
    "strategies.momentum.enabled": False,
    "strategies.mean_reversion.enabled": False,
    "strategies.sma_cross.enabled": True,
    "strategies.sma_cross.max_at_risk_pct": 100,
    "strategies.sma_cross.max_trades_per_cycle": 50,
    "strategies.sma_cross.min_conviction_pct": 0,
    "strategies.sma_cross.stop_pct": STOP_PCT,
    "strategies.sma_cross.target_pct": 1_000,
    "strategies.sma_cross.max_hold_h": 8_760,
}  # fmt: skip


@dataclass(frozen=True)
class Bars:
    """What the files hold, [row, instrument], and what was not in them. An instrument's bars lie side by side."""

    symbols: tuple[str, ...]
    digits: tuple[int, ...]
    step_ms: int
    first_ms: int
    filled: int  # bars that were absent: flat ones at the last close
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats

    @property
    def rows(self) -> int:
        return len(self.close)


@dataclass(frozen=True)
class Outcome:
    """Closed round trips, and what they brought, fees paid, in quote."""

    trades: int
    pnl: float


def pairs_of(count: int) -> tuple[tuple[int, int], ...]:
    """The sweep's windows: fast ones of 5 to 14 bars under slow ones of 20 to 110, each with each."""
    grid = tuple((fast, slow) for slow in range(20, 120, 10) for fast in range(5, 15))
    return grid[:count]


def policy_of(case: Case, names: tuple[str, ...], windows: tuple[int, int] = (FAST, SLOW)) -> Settings:
    """Limits that nothing reaches, but for the cap on positions. The schema knows no limit on jumps that every jump
    keeps: it is put there after the schema has looked."""
    settings = validated(case, names, windows)
    guards = settings.signals.guards.model_copy(update={"max_jump_sigma": NO_SIGMA})
    return settings.model_copy(update={"signals": settings.signals.model_copy(update={"guards": guards})})


def validated(case: Case, names: tuple[str, ...], windows: tuple[int, int] = (FAST, SLOW)) -> Settings:
    """Limits as wide as the schema has them, but for the cap on positions."""
    edits = {
        **WIDE,
        "policy.risk.max_open_positions": case.cap,
        "policy.cycle.base_bar_min": case.base_bar_min,
        "universe.tiers.tier_1_core.bases": names,
        "signals.regime.base": names[0],
        "signals.guards.jump_bars": 500 if case.base_bar_min == 1 else 10,
        "strategies.sma_cross.fast_bars": windows[0],
        "strategies.sma_cross.slow_bars": windows[1],
    }
    content = load(CONFIG).model_dump()
    for key, value in edits.items():
        *path, last = key.split(".")
        block = content
        for part in path:
            block = block[part]
        block[last] = value
    settings = Settings.model_validate(content)
    clashes = [clash.message for clash in check(settings)]
    if clashes:
        raise ValueError("; ".join(clashes))
    return settings


def files_of(data: Path, case: Case) -> list[Path]:
    """The case's files, in the order of meta.json where there is one, else by name."""
    folder, meta = data / case.granularity, data / "meta.json"
    named = json.loads(meta.read_text()).get("symbols") if meta.is_file() else None
    found = [folder / f"{symbol}.parquet" for symbol in named] if named else sorted(folder.glob("*.parquet"))
    files = [file for file in found if file.is_file()][: case.instruments]
    if not files:
        raise FileNotFoundError(f"{folder} has no candles")
    return files


def read(files: list[Path], step_ms: int, bars: int | None = None) -> Bars:
    """The first `bars` bars of every file on one grid of times; one file at a time is in memory beside them."""
    ends = [(int(ts[0]), int(ts[-1])) for ts in map(times, files)]
    first_ms = min(first for first, _ in ends)
    count = (max(last for _, last in ends) - first_ms) // step_ms + 1
    count = count if bars is None else min(count, bars)
    columns = {name: np.empty((len(files), count)).T for name in COLUMNS[1:]}
    filled, digits = 0, []
    for i, file in enumerate(files):
        rows = _rows(file)
        filled += _place(rows, (rows.ts - first_ms) // step_ms, {name: each[:, i] for name, each in columns.items()})
        digits.append(price_digits(rows, step_ms))
    return Bars(tuple(file.stem for file in files), tuple(digits), step_ms, first_ms, filled, **columns)


def _rows(file: Path) -> Rows:
    table = pq.read_table(file, columns=list(COLUMNS[1:]))
    prices = (np.asarray(table[name].cast(pa.float64()).to_numpy(), np.float64) for name in COLUMNS[1:])
    return Rows(times(file), *prices)


def times(file: Path) -> Ints:
    """`ts` in ms, written as a timestamp of any unit or as whole ms or ns."""
    ts = pq.read_table(file, columns=["ts"])["ts"].combine_chunks()
    if pa.types.is_timestamp(ts.type):
        ts = ts.cast(pa.timestamp("ms", tz=ts.type.tz), safe=False)
    at = np.asarray(ts.cast(pa.int64()).to_numpy(zero_copy_only=False), np.int64)
    return at if at[0] < NS_FROM else at // 1_000_000


def _place(rows: Rows, at: Ints, into: Mapping[str, Floats]) -> int:
    """Put each bar into its row. An absent one is flat at the close before it; the number of those."""
    count = len(into["close"])
    inside = np.flatnonzero((at >= 0) & (at < count))
    newest = np.full(count, inside[0], np.int64)
    newest[at[inside]] = inside
    newest = np.maximum.accumulate(newest)
    absent = np.ones(count, np.bool_)
    absent[at[inside]] = False
    for name, column in into.items():
        column[:] = getattr(rows, name)[newest]
        if name != "close":
            column[absent] = 0.0 if name == "volume" else rows.close[newest[absent]]
    return int(absent.sum())


def world_of(bars: Bars, policies: tuple[Settings, ...]) -> World:
    """The bars as ticks and lots behind as much history as the law asks for: their own beginning, backwards.

    So every gate has its figures from the first bar on, as every peer decides from there; no decision is taken before
    a slow average of the bars themselves is whole, and `first` must be set for each (`started`).
    """
    lead = max(lookback_of(policy) for policy in policies)
    ticks = [10.0**digits for digits in bars.digits]
    opened, high, low, close = (
        _led(np.rint(column * ticks).astype(np.int64), lead) for column in (bars.open, bars.high, bars.low, bars.close)
    )
    opened[:lead], close[:lead] = close[:lead].copy(), opened[:lead].copy()
    instruments = tuple(
        _instrument(name, digits, float(bars.volume[:, i].max()))
        for i, (name, digits) in enumerate(zip(names_of(bars.symbols), bars.digits, strict=True))
    )
    plenty = np.maximum(bars.volume, DEPTH_QUOTE / bars.close)
    lots = np.floor(np.minimum(plenty / [float(one.lot) for one in instruments], VOLUME_MAX)).astype(np.int64)
    frame = Frame(
        symbols=tuple(one.symbol for one in instruments),
        first_ms=bars.first_ms - lead * bars.step_ms,
        bar_ms=bars.step_ms,
        open=opened,
        high=high,
        low=low,
        close=close,
        volume=_led(lots, lead),
        present=np.ones(close.shape[::-1], np.bool_).T,
    )
    return World(instruments, (), frame, lead)


def started(world: World, lead: int, slow: int) -> World:
    """The same world, decided from the first row on at which a crossing can be seen in the bars themselves."""
    return replace(world, first=lead + slow)


def _led(column: Ints, lead: int) -> Ints:
    """A column behind its own reflection, an instrument's bars side by side."""
    return np.pad(np.ascontiguousarray(column.T), ((0, 0), (lead, 0)), mode="symmetric").T


def names_of(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """An asset's code for each file."""
    return tuple(re.sub("[^A-Z0-9]", "", symbol.upper())[:16] for symbol in symbols)


def _instrument(name: str, digits: int, highest_volume: float) -> Instrument:
    """A tick is the finest decimal; lots are of 1e-8, or coarser where products would not fit into 62 bits."""
    tick = Decimal(1).scaleb(-digits)
    lot = max(LOT, PRODUCT_MIN / tick)
    while highest_volume / float(lot) > VOLUME_MAX:
        lot *= 10
    return Instrument(f"{name}-USD", name, "USD", tick, lot, Decimal(0))


def units_of(world: World) -> tuple[Ints, Ints]:
    """1e-8 quote in one tick times one lot, as (numerators, denominators)."""
    units: list[Fraction] = [one.grains_per_unit for one in world.instruments]
    return np.array([unit.numerator for unit in units]), np.array([unit.denominator for unit in units])


def outcome_of(replayed: Replayed) -> Outcome:
    """Sums over the fills. What is still held at the end is not counted, nor what was paid for it."""
    filled = replayed.filled
    instrument, buys, value, fee = filled[:, 1], filled[:, 2] == codes.ENTRY, filled[:, 5], filled[:, 6]
    newest = np.full(len(replayed.instruments), -1)
    newest[instrument] = np.arange(len(filled))
    newest = newest[newest >= 0]
    held = newest[buys[newest]]
    flow = np.where(buys, -value, value) - fee
    return Outcome(int((~buys).sum()), int(flow.sum() - flow[held].sum()) / 1e8)
