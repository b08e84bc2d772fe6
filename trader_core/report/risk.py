"""What the book is together, in figures: a bad day, who moves with whom, and how near each cap is.

The figures are the gates' own: the same rules, asked of what is held and ordered now, without a candidate.
"""

from collections.abc import Sequence

from msgspec import Struct

from trader_core.ledger.integers import Axes
from trader_core.rulebook.codes import ENTRY
from trader_core.rulebook.exposure import effective_cap, exposures
from trader_core.rulebook.gates import book
from trader_core.rulebook.limits import Law
from trader_core.rulebook.orders import is_open
from trader_core.rulebook.sizing import regime_scale
from trader_core.rulebook.state import Columns, Desk, Guard, State, empty_desk

DIGITS = 6
Lost = tuple[float | None, float | None]  # value at risk and expected shortfall, % of equity; None is unknown


class Part(Struct, frozen=True):
    """One instrument of the book: its share of the equity, and what a bad day of it alone costs, % of equity."""

    symbol: str
    weight_pct: float
    var_pct: float | None  # None: too few days are known
    shortfall_pct: float | None
    days: int  # that it has a return of
    stressed_days: int  # on which it counts with the stress, as others have a return


class ValueAtRisk(Struct, frozen=True):
    """Of the whole book. `quality` is good, incomplete (somebody was stressed), unknown, or empty."""

    var_pct: float | None
    shortfall_pct: float | None
    limit_pct: float
    confidence_pct: float
    days: int
    needed_days: int
    window_days: int
    quality: str
    parts: tuple[Part, ...]


class Pair(Struct, frozen=True):
    """Two instruments. Of one asset, or of too few common days, they count as moving together."""

    one: str
    other: str
    correlation: float | None  # None: nobody knows
    days: int
    together: bool


class Cluster(Struct, frozen=True):
    """What hangs together."""

    symbols: tuple[str, ...]
    assets: int
    exposure_pct: float


class Correlations(Struct, frozen=True):
    pairs: tuple[Pair, ...]
    clusters: tuple[Cluster, ...]
    threshold: float
    max_assets: int
    max_pct: float  # in force in this regime


class Exposure(Struct, frozen=True):
    """What is at risk in one asset, theme, tier or strategy, or in all, against the cap that is in force."""

    kind: str
    name: str
    pct: float
    cap_pct: float
    written_cap_pct: float


# --- a bad day -------------------------------------------------------------------------------------------------------


def value_at_risk(law: Law, state: State, columns: Columns, t: int, axes: Axes, equity: int) -> ValueAtRisk:
    limits, rows, desk = law.portfolio, _in_book(state), empty_desk(len(axes.instruments))
    parts, days = list[Part](), 0
    lost: Lost = None, None
    if rows and equity > 0:
        book.note_book(law, state, columns, t, rows[0], desk)
        book.note_weights(desk, 0, equity)
        days, lost = _lost(law, columns, t, desk)
        worth = {int(desk.book[n, book.INSTRUMENT]): float(desk.weights[n]) for n in range(int(desk.rows[0]))}
        parts = [_part(law, columns, t, axes, i, worth[i], days) for i in rows]
    stressed = any(one.stressed_days for one in parts)
    quality = "empty" if not rows else "unknown" if lost[0] is None else "incomplete" if stressed else "good"
    return ValueAtRisk(
        var_pct=lost[0], shortfall_pct=lost[1], limit_pct=_pct(limits.max_var),
        confidence_pct=100.0 - limits.var_tail_ppm / 1e4, days=days, needed_days=limits.var_min_days,
        window_days=limits.var_days, quality=quality, parts=tuple(parts),
    )  # fmt: skip


def _in_book(state: State) -> list[int]:
    """Instruments in which something is held or ordered."""
    return [i for i in range(len(state.lots)) if state.lots[i] != 0 or is_open(state, i, ENTRY)]


def _lost(law: Law, columns: Columns, t: int, desk: Desk) -> tuple[int, Lost]:
    """(days, (value at risk, expected shortfall)) of what stands on the desk, as the gate reckons."""
    days = int(book.note_days(law, columns, t, desk))
    if days < law.portfolio.var_min_days:
        return days, (None, None)
    tail = book.note_worst(law, desk, days)
    return days, (_pct(max(-desk.days[tail - 1], 0.0)), _pct(max(-book.expected_shortfall(desk, tail), 0.0)))


def _part(law: Law, columns: Columns, t: int, axes: Axes, i: int, weight: float, of_all: int) -> Part:
    alone = empty_desk(1)
    alone.rows[0], alone.book[0, book.INSTRUMENT], alone.weights[0] = 1, i, weight
    days, lost = _lost(law, columns, t, alone)
    return Part(axes.instruments[i].symbol, _pct(weight), *lost, days, max(of_all - days, 0))


# --- who moves with whom ---------------------------------------------------------------------------------------------


def correlations(
    law: Law, state: State, columns: Columns, t: int, axes: Axes, equity: int, everything: bool
) -> Correlations:
    """Of the book, or of all instruments there are."""
    rows = list(range(len(axes.instruments))) if everything else _in_book(state)
    pairs = tuple(_pair(law, columns, t, axes, i, j) for n, i in enumerate(rows) for j in rows[n + 1 :])
    limits = law.portfolio
    return Correlations(
        pairs, _clusters(law, state, columns, t, axes, equity), limits.min_correlation, limits.cluster_assets,
        _pct(effective_cap(limits.max_cluster, regime_scale(law, columns, t))),
    )  # fmt: skip


def _pair(law: Law, columns: Columns, t: int, axes: Axes, i: int, j: int) -> Pair:
    end = book.days_until(columns, t)
    first = max(end - law.portfolio.cluster_days, 0)
    both = columns.returns[first:end][:, [i, j]]
    both = both[(both >= -1.0).all(axis=1)]
    known = len(both) >= max(law.portfolio.cluster_min_days, 1) and bool(
        (both.var(axis=0) * len(both) >= book.STILL).all()
    )
    found = round(float(book.correlation(law, columns, t, i, j)), DIGITS) if known else None
    names = axes.instruments[i].symbol, axes.instruments[j].symbol
    return Pair(*names, found, len(both), bool(book.moves_with(law, columns, t, i, j)))


def _clusters(law: Law, state: State, columns: Columns, t: int, axes: Axes, equity: int) -> tuple[Cluster, ...]:
    """Of what is held and ordered; the largest first."""
    left, found, desk = _in_book(state), list[Cluster](), empty_desk(len(axes.instruments))
    while left:
        book.note_book(law, state, columns, t, left[0], desk)
        book.note_links(law, columns, t, desk)
        linked = [int(row[book.INSTRUMENT]) for row in desk.book[: int(desk.rows[0])] if row[book.LINK] != book.APART]
        now = book.together(law, desk)
        symbols = tuple(sorted(axes.instruments[i].symbol for i in linked))
        found.append(Cluster(symbols, int(now.assets), _pct(now.cluster / equity) if equity > 0 else 0.0))
        left = [i for i in left if i not in linked]
    return tuple(sorted(found, key=lambda one: (-one.exposure_pct, one.symbols)))


# --- how near each cap is --------------------------------------------------------------------------------------------


def exposure_rows(
    law: Law, guard: Guard, state: State, columns: Columns, t: int, axes: Axes, themes: Sequence[str], equity: int
) -> tuple[Exposure, ...]:
    """All, then strategies, tiers, themes and assets in which there is anything; coins that are not the bot's count
    for their asset and theme. Empty while the equity is unknown."""
    if equity <= 0:
        return ()
    scale, kinds, risk = regime_scale(law, columns, t), law.instruments, law.risk
    rows: dict[tuple[str, str], tuple[int, float]] = {}
    for i, one in enumerate(axes.instruments):
        for owner, name in enumerate(axes.strategies or ("",)):
            used = exposures(law, guard, state, columns, t, i, owner)
            rows["all", "all"] = used.total, risk.max_total
            if name:
                rows["strategy", name] = used.strategy, float(law.strategies.max_at_risk[owner])
            rows["tier", f"tier {kinds.tier[i]}"] = used.tier, float(risk.max_tier[kinds.tier[i]])
            rows["theme", themes[kinds.theme[i]]] = used.theme, float(risk.max_theme[kinds.theme[i]])
            rows["asset", one.base] = used.asset, risk.max_asset
    order = ("all", "strategy", "tier", "theme", "asset")
    return tuple(
        Exposure(kind, name, _pct(used / equity), _pct(effective_cap(cap, scale)), _pct(cap))
        for kind, name in sorted(rows, key=lambda key: (order.index(key[0]), key[1]))
        for used, cap in [rows[kind, name]]
        if used > 0 or kind in ("all", "strategy")
    )


def _pct(share: float) -> float:
    return round(100.0 * float(share), DIGITS)
