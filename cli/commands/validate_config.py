"""`trader validate-config`: the five files, read as every other command reads them."""

from typing import TYPE_CHECKING

import typer

from cli.exits import Result
from cli.options import options_of, shared_of

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings


def validate_config(ctx: typer.Context) -> Result:
    """Check the five YAML files and name everything that is wrong in them."""
    from cli.show import pairs
    from trader_core.bootstrap import settings_of
    from trader_core.settings.digest import digest

    options = options_of(shared_of(ctx))
    settings = settings_of(options)
    limits = headline(settings)
    found = {"directory": str(options.config_directory.absolute()), "digest": digest(settings), "limits": limits}
    rows = [("directory", found["directory"]), ("digest", found["digest"]), *limits.items()]
    return Result(found, "configuration is valid\n" + pairs([(name, str(value)) for name, value in rows]))


def headline(settings: "Settings") -> dict[str, object]:
    """What a reader wants to know before anything trades."""
    risk, profile = settings.policy.risk, settings.policy.active_profile
    return {
        "mode": settings.app.mode,
        "venue": settings.app.exchange.venue,
        "read_only": settings.app.exchange.read_only,
        "profile": settings.policy.profile,
        "base_bar_min": settings.policy.cycle.base_bar_min,
        "position_pct": settings.policy.sizing.position_pct * profile.position_scale_pct / 100,
        "max_open_positions": risk.max_open_positions,
        "max_per_asset_pct": risk.max_per_asset_pct,
        "max_total_at_risk_pct": risk.max_total_at_risk_pct,
        "max_day_loss_pct": risk.max_day_loss_pct,
    }
