"""`trader validate-config`: the five files, read as every other command reads them, and what follows from them."""

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import Result, note, warned
from cli.options import options_of, shared_of
from trader_core.domain.errors import UsageError

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.policies import KeyRow
    from trader_core.settings.feasibility import Band
    from trader_core.settings.options import Options
    from trader_core.settings.schema import Settings

INVALID = 10
LEGEND = "open at: the equity from which an order fits; full at: one of every strategy's"
LIMITS = {
    "sizing": "position",
    "risk.max_per_asset": "asset cap",
    "risk.max_per_theme": "theme cap",
    "risk.max_tier": "tier cap",
    "risk.max_total": "total cap",
    "regime": "regime",
}

Equity = Annotated[
    str | None, typer.Option("--equity", metavar="AMOUNT", help="Show which orders are legal with so much.")
]
Effective = Annotated[bool, typer.Option("--effective", help="Show every value and the line it comes from.")]
Schema = Annotated[
    str | None,
    typer.Option(
        "--schema", metavar="NAME", help="JSON Schema of one file: app, policy, universe, signals or strategies."
    ),
]


def validate_config(
    ctx: typer.Context, equity: Equity = None, effective: Effective = False, schema: Schema = None
) -> Result:
    """Check the five YAML files: everything that is wrong, and every limit that can never bind."""
    from trader_core.bootstrap import settings_of
    from trader_core.settings.coherence import warnings
    from trader_core.settings.edit import edited
    from trader_core.settings.load import exposed

    if sum((equity is not None, effective, schema is not None)) > 1:
        raise UsageError("--equity, --effective and --schema are three questions", remedy="ask one at a time")
    if schema is not None:
        return _schema(schema)
    options = options_of(shared_of(ctx), equity=equity)
    settings = settings_of(options)
    written, (rows, broken) = settings, _moved(options, settings)
    told = warned([*exposed(options.config_directory), *warnings(settings), *broken])
    if effective:
        return _effective(settings, options, rows, told)
    for row in rows:
        settings = edited(settings, {row.key: row.effective}, coherent=False)
    if options.equity is not None:
        return _bands(settings, options.equity, told)
    return _valid(written, settings, options, rows, told)


def _moved(options: "Options", written: "Settings") -> "tuple[list[KeyRow], list[str]]":
    """(what the policy store makes of keys, what is wrong with it): the files are checked all the same."""
    from trader_core.domain.errors import StateUnusable
    from trader_core.policies import moved_keys, place_of

    try:
        place = place_of(options, written=written)
        return list(moved_keys(place)), [place.reading.note] if place.reading.note else []
    except StateUnusable as unknown:
        return [], [unknown.what]


def _valid(
    written: "Settings", settings: "Settings", options: "Options", moved: "list[KeyRow]", told: Sequence[str]
) -> Result:
    """The limits are those in force; the digest is that of the files."""
    from cli.commands.policy import row_data
    from cli.show import pairs
    from trader_core.policies import notes_of
    from trader_core.settings.digest import digest

    limits = headline(settings)
    about = {"directory": str(options.config_directory.absolute()), "digest": digest(written)}
    found = {**about, "limits": limits, "policy": [row_data(one) for one in moved], "notes": notes_of(settings)}
    rows = [*about.items(), *limits.items()]
    rows += [("policy store", f"{one.key.removeprefix('policy.')} {_text(one.effective)}") for one in moved]
    return Result(found, "configuration is valid\n" + pairs([(name, _text(value)) for name, value in rows]), 0, told)


def headline(settings: "Settings") -> dict[str, Any]:
    """What a reader wants to know before anything trades. Positions are those of the profile in force."""
    policy = settings.policy
    risk, scale = policy.risk_in_force, policy.active_profile.position_scale_pct
    return {
        "mode": settings.app.mode,
        "venue": settings.app.exchange.venue,
        "read_only": settings.app.exchange.read_only,
        "profile": policy.profile,
        "base_bar_min": policy.cycle.base_bar_min,
        **{
            f"position_tier_{tier}_pct": round(getattr(policy.sizing, f"tier_{tier}_position_pct") * scale / 100, 6)
            for tier in (1, 2, 3)
        },
        "max_open_positions": risk.max_open_positions,
        "max_per_asset_pct": risk.max_per_asset_pct,
        "max_total_at_risk_pct": risk.max_total_at_risk_pct,
        "max_day_loss_pct": risk.max_day_loss_pct,
        "max_week_loss_pct": risk.max_week_loss_pct,
        "max_drawdown_pct": risk.max_drawdown_pct,
    }


def _text(value: object) -> str:
    from trader_core.settings.document import shown

    return value if isinstance(value, str) else shown(value)


# --- --schema and --effective ----------------------------------------------------------------------------------------


def _schema(file: str) -> Result:
    from cli.plain import document
    from trader_core.settings.describe import json_schema
    from trader_core.settings.schema import FILES

    name = file.removesuffix(".yaml")
    if name not in FILES:
        raise UsageError(f"--schema: there is no file {file}; there are {', '.join(FILES)}", remedy="--schema policy")
    found = json_schema(name)
    return Result({"file": f"{name}.yaml", "schema": found}, document(found).rstrip("\n"))


def _effective(settings: "Settings", options: "Options", moved: "list[KeyRow]", told: Sequence[str]) -> Result:
    """What was asked for on the command line stands over the files, and what the policy store holds too."""
    from trader_core.settings.describe import as_yaml, origins
    from trader_core.settings.digest import digest
    from trader_core.settings.document import dotted

    values, notes = settings.model_dump(), origins(options.config_directory)
    for option, path, value in (
        ("--mode", ("app", "mode"), options.mode),
        ("--venue", ("app", "exchange", "venue"), options.venue),
        *((f"policy store, version {one.version}", tuple(one.key.split(".")), one.effective) for one in moved),
    ):
        if value is not None:
            block = values
            for step in path[:-1]:
                block = block[step]
            block[path[-1]], notes[path] = value, option
    head = {"directory": str(options.config_directory.absolute()), "digest": digest(settings)}
    found = {
        **head,
        "effective": values,
        "origins": {dotted(at): origin for at, origin in notes.items() if len(at) > 1},
    }
    text = "\n".join([*(f"# {name}: {value}" for name, value in head.items()), as_yaml(values, notes)])
    return Result(found, text, 0, told)


# --- --equity --------------------------------------------------------------------------------------------------------


def _bands(settings: "Settings", equity: Decimal, told: Sequence[str]) -> Result:
    """The smallest and the largest legal order. Where there is none nothing can ever be bought: that is an error."""
    from cli.plain import jsonable
    from cli.show import Ink, colours, money
    from trader_core.settings.feasibility import bands, halved_line, starved_line

    found = bands(settings, equity)
    lines = [starved_line(one) for one in found if one.starved]
    lines += [halved_line(one) for one in found if one.is_shut_by_halving]
    warnings = (*told, *warned(lines))
    data = {"equity": equity, "profile": settings.policy.profile, "bands": jsonable([_told(one) for one in found])}
    head = f"legal orders before their fee: equity {money(equity)}, profile {settings.policy.profile}"
    table = _table(found, Ink(colours())) if found else "none: no tier holds an asset"
    text = f"{head}\n\n{table}\n\n{LEGEND}"
    error = _error(found, money(equity))
    if error is None:
        return Result(data, text, 0, warnings)
    problems = "".join(f"\n  {line}" for line in error["problems"])
    note(f"trader: {error['what']}:{problems}\n  safe now: {error['safe']}\n  next: {error['remedy']}")
    return Result(data | {"error": error}, text, INVALID, warnings)


def _told(band: "Band") -> dict[str, Any]:
    """What programs read of a band."""
    names = "tier regime state smallest largest limit starved open_from full_from halved halved_from"
    return {name: getattr(band, name) for name in names.split()}


def _error(found: "Sequence[Band]", equity: str) -> dict[str, Any] | None:
    """What is wrong where bands are empty, and the equity that opens all of them."""
    from cli.show import count
    from trader_core.settings.feasibility import empty_line

    empty = [one for one in found if one.state == "empty"]
    if not empty:
        return None
    some, every = _highest([one.open_from for one in empty]), _highest([one.full_from for one in empty])
    full = f" ({every} for all that may buy)" if every and every != some else ""
    bring = f"bring the equity to {some}{full}, or mend" if some else "mend"
    return {
        "what": f"no order is legal in {len(empty)} of {count(len(found), 'band')} with an equity of {equity}",
        "safe": "nothing was sent",
        "remedy": f"{bring} the keys above, then: trader validate-config",
        "problems": [empty_line(one) for one in empty],
    }


def _highest(equities: "Sequence[Decimal | None]") -> str:
    """'' where one of them is never enough."""
    known = [one for one in equities if one is not None]
    return f"{max(known):,.2f}" if len(known) == len(equities) else ""


def _table(found: "Sequence[Band]", ink: "Ink") -> str:
    from cli.show import fitted

    styles = {"open": ink.good, "closed": ink.dim, "empty": ink.bad}
    rows = [
        [f"tier {one.tier} {one.regime}", styles[one.state](one.state), _limit(one.limit), *_amounts(one)]
        for one in found
    ]
    head = ["band", "state", "limited by", "smallest", "largest", "open at", "full at"]
    return fitted(head, rows, ("full at", "limited by"), left=3)


def _limit(key: str) -> str:
    return next((words for start, words in LIMITS.items() if key.startswith(start)), "strategy cap")


def _amounts(band: "Band") -> list[str]:
    if band.state == "closed":
        return ["-"] * 4
    equities = ("never" if one is None else f"{one:,.2f}" for one in (band.open_from, band.full_from))
    return [f"{band.smallest_cents:,}", f"{band.largest_cents:,}", *equities]
