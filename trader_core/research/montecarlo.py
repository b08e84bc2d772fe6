"""How much of a result is luck: the same trades in other orders, and the same policy on other histories."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from trader_core.domain.codec import to_json
from trader_core.domain.errors import UsageError
from trader_core.domain.words import count
from trader_core.engine.replay import World, replay_world
from trader_core.report.rounds import folded
from trader_core.research.chance import stream
from trader_core.research.figures import quantiles, rounded
from trader_core.research.resample import resampled, source_rows
from trader_core.research.shelf import Shelved, opened_world
from trader_core.research.sweep import Study
from trader_core.research.tasks import digest_of, run_tasks
from trader_core.research.trial import Scored, read_scored, scored
from trader_core.rulebook.limits import Floats, Ints
from trader_core.settings.edit import from_text, to_text

if TYPE_CHECKING:
    from trader_core.engine.replay import Replayed

TRADES, BARS = 2, 3  # names of the streams
LEVELS_PCT = (5, 25, 50, 75, 95)
CELLS_MAX = 4_000_000  # of the paths that are held at a time
TRADES_MIN = 2
ROUNDING = 1e-9  # the same factors in another order


class Spread(Struct, frozen=True):
    """One figure over all paths, at each of LEVELS_PCT. Drawdowns are above zero."""

    figure: str
    levels: Mapping[str, float]
    observed: float | None  # in the history that happened


class Paths(Struct, frozen=True):
    """`ruin_pct` is the share of the paths that fell to or below that much of the first equity; `alike` says that
    all of them came to the same figures."""

    paths: int
    block: int  # trades, or bars
    spreads: tuple[Spread, ...]
    ruin_at_pct: float
    ruin_pct: float
    alike: bool


# --- trades ----------------------------------------------------------------------------------------------------------


def of_trades(replayed: "Replayed", paths: int, block: int | None, ruin_at_pct: float, seed: int) -> Paths:
    """Blocks of neighbouring trades in any order, each with its gain as a share of the equity at its entry.

    Trades that were open at the same time follow one another here. Raises UsageError where there are too few.
    """
    gains = gains_of(replayed)
    if len(gains) < TRADES_MIN:
        raise UsageError(
            f"{count(len(gains), 'closed trade is', 'closed trades are')} too few to draw from",
            remedy="a longer --from --to",
        )
    length = min(block or max(1, round(len(gains) ** (1 / 3))), len(gains))
    finals, falls, lows = drawn_paths(gains, paths, length, seed)
    happened = _followed(gains[None, :])
    spreads = (
        _spread("total_pnl_pct", finals, float(happened[0][0])),
        _spread("max_drawdown_pct", falls, float(happened[1][0])),
    )
    return Paths(paths, length, spreads, ruin_at_pct, _share(lows <= ruin_at_pct), _alike([finals, falls]))


def gains_of(replayed: "Replayed") -> Floats:
    """[trade], what each closed trade gained, as a share of the newest equity that was known at its entry."""
    trades, worth = folded(replayed).trades, replayed.worth
    known = np.maximum.accumulate(np.where(worth >= 0, np.arange(len(worth)), 0))
    entry = np.minimum(np.searchsorted(replayed.at_ms, trades.entry_ms), len(worth) - 1)
    return np.asarray(trades.pnl / np.maximum(worth[known[entry]], 1).astype(np.float64))


def drawn_paths(gains: Floats, paths: int, block: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """([path], gain in percent; deepest fall in percent; lowest equity in percent of the first)."""
    count = len(gains)
    chance, blocks, at_once = stream(seed, TRADES), -(-count // block), max(1, CELLS_MAX // count)
    sizes = [min(at_once, paths - n) for n in range(0, paths, at_once)]
    parts = [_followed(gains[_drawn(chance.integers(count, size=(size, blocks)), block, count)]) for size in sizes]
    finals, falls, lows = (np.concatenate(column) for column in zip(*parts, strict=True))
    return finals, falls, lows


def _drawn(starts: Ints, block: int, count: int) -> Ints:
    """[path, trade], blocks that go round at the end of the history."""
    whole = (starts[:, :, None] + np.arange(block)) % count
    return np.asarray(whole.reshape(len(starts), -1)[:, :count])


def _followed(gains: Floats) -> tuple[Floats, Floats, Floats]:
    worth = np.cumprod(np.concatenate([np.ones((len(gains), 1)), np.maximum(1 + gains, 0.0)], axis=1), axis=1)
    peak = np.maximum.accumulate(worth, axis=1)
    return 100 * (worth[:, -1] - 1), (100 * (peak - worth) / peak).max(axis=1), 100 * worth.min(axis=1)


# --- bars ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Path:
    """The policy on one history that did not happen."""

    folder: str
    world: str
    settings: str
    seed: int
    number: int
    block_ms: int

    @cached_property
    def digest(self) -> str:
        return digest_of("path", self.world, self.settings, str(self.seed), str(self.number), str(self.block_ms))

    def run(self) -> str:
        world = opened_world(self.folder)
        source = source_rows(world.frame, self.block_ms, stream(self.seed, BARS, self.number))
        other = World(world.instruments, world.exclusions, resampled(world.frame, source), world.first)
        policy = from_text(self.settings)
        return to_json(scored(replay_world(other, policy), policy, series=True))


def of_bars(study: Study, world: Shelved, paths: int, block_ms: int, ruin_at_pct: float, seed: int) -> Paths:
    """So many other histories, each replayed by the whole law."""
    settings = to_text(study.base)
    tasks = [Path(world.folder, world.digest, settings, seed, n, block_ms) for n in range(paths)]
    found = [read_scored(text) for text in run_tasks(tasks, study.pool, study.results, study.progress)]
    happened = scored(replay_world(opened_world(world.folder), study.base), study.base, series=True)
    columns = [_figures(one) for one in found]
    values = {name: np.array([one[name] for one in columns]) for name in columns[0]}
    spreads = tuple(_spread(name, values[name], was) for name, was in _figures(happened).items())
    lows, alike = np.array([_lowest_pct(one) for one in found]), _alike(list(values.values()))
    return Paths(paths, block_ms // world.bar_ms, spreads, ruin_at_pct, _share(lows <= ruin_at_pct), alike)


def _figures(of: Scored) -> dict[str, float]:
    figures = of.figures
    return {
        "total_pnl_pct": float(figures.total_pnl_pct),
        "max_drawdown_pct": float(figures.max_drawdown_pct),
        "win_rate": float(figures.win_rate),
        "total_trades": float(figures.total_trades),
    }


def _lowest_pct(of: Scored) -> float:
    """Lowest equity at a day's end, in percent of the first."""
    return 100 * min([of.initial, *of.closes]) / of.initial if of.initial > 0 else 0.0


def _spread(figure: str, values: Floats, observed: float) -> Spread:
    names = [f"p{level:02d}" for level in LEVELS_PCT]
    return Spread(figure, dict(zip(names, quantiles(values, LEVELS_PCT), strict=True)), rounded(observed))


def _alike(columns: Sequence[Floats]) -> bool:
    return all(float(np.ptp(values)) <= ROUNDING for values in columns)


def _share(flags: Sequence[bool] | np.ndarray) -> float:
    return rounded(100 * float(np.count_nonzero(flags)) / len(flags))
