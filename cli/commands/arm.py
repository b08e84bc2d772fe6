"""`trader arm` and `trader disarm`: leave to trade real money, given by a person for a while, and taken back."""

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.consent import agreed
from cli.exits import Result, warned
from cli.options import amount_of, options_of, shared_of

if TYPE_CHECKING:
    from decimal import Decimal

    from trader_core.domain.grant import LiveGrant
    from trader_core.keyring import Terms

MINUTES = {"m": 1, "h": 60, "d": 24 * 60}
MINUTES_MAX = 31 * 24 * 60

MaxEquity = Annotated[
    str, typer.Option("--max-equity", metavar="AMOUNT", help="Above this equity of the bot, no more entries.")
]
Expires = Annotated[str, typer.Option("--expires", metavar="TIME", help="How long: 30m, 24h, 7d; at most 31d.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask. Without a terminal nobody can be asked.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept with the grant.")]


def arm(ctx: typer.Context, max_equity: MaxEquity, expires: Expires = "24h", yes: Yes = False) -> Result:
    """Allow real money to be traded: with this configuration, this key and this portfolio, up to an equity, for a
    while. What is allowed is printed first."""
    from trader_core import keyring
    from trader_core.domain.clocktime import MINUTE_MS

    ceiling, lasts_ms = _ceiling(max_equity), minutes_of(expires) * MINUTE_MS
    terms = keyring.terms_of(options_of(shared_of(ctx)), ceiling, lasts_ms)
    warnings = warned(terms.warnings)
    if not yes:
        agreed(_text(terms, terms.grant, "arms"), "Trade real money on these terms?", "armed")
    grant = keyring.arm(terms)
    return Result(_data(terms, grant), _text(terms, grant, "armed"), 0, warnings)


def disarm(ctx: typer.Context, reason: Why = "disarmed by a person") -> Result:
    """Take the leave back: no more entries. Exits, stops and cancels go on until everything is flat."""
    from cli.plain import moment
    from trader_core import keyring

    grant = keyring.disarm(options_of(shared_of(ctx)), reason.strip() or "disarmed by a person")
    if grant is None:
        return Result({"disarmed": False, "grant": None}, "nothing was ever armed here")
    data = {"disarmed": True, "revoked": moment(grant.revoked_ms), "reason": grant.note, "grant": _grant(grant)}
    return Result(data, "disarmed: entries are refused; exits, stops and cancels go on until everything is flat")


def minutes_of(text: str) -> int:
    """A while that was said as text. Raises UsageError on anything else."""
    from trader_core.domain.errors import UsageError

    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text.strip())
    minutes = int(found[1]) * MINUTES[found[2]] if found else 0
    if not 0 < minutes <= MINUTES_MAX:
        raise UsageError(f"--expires: '{text}' is not a while of at most 31 days", remedy="--expires 24h, 30m or 7d")
    return minutes


def _ceiling(text: str) -> "Decimal":
    from trader_core.domain.errors import UsageError

    amount = amount_of("--max-equity", text)
    if not amount:
        raise UsageError("--max-equity: nothing could be traded with 0", remedy="--max-equity 1000")
    return amount


def _rows(terms: "Terms", grant: "LiveGrant") -> list[tuple[str, str]]:
    from cli.show import length, money
    from trader_core.domain.clocktime import short

    policy = terms.policy.policy
    risk, pacing = policy.risk_in_force, policy.pacing
    return [
        ("configuration", grant.config_digest),
        ("key", grant.key_fingerprint),
        ("portfolio", grant.portfolio_uuid),
        ("equity", f"entries up to {money(grant.max_equity)}"),
        ("until", f"{short(grant.expires_ms)} UTC, that is {length(grant.expires_ms - grant.granted_ms)}"),
        ("venue", _venue(terms)),
        ("profile", policy.profile),
        ("at risk", f"{risk.max_total_at_risk_pct:g} % in all, {risk.max_per_asset_pct:g} % an asset"),
        ("positions", f"{risk.max_open_positions} at most, {pacing.max_entries_per_day} entries a day"),
        ("losses", f"{risk.max_day_loss_pct:g} % a day, {risk.max_week_loss_pct:g} % a week"),
        ("drawdown", f"{risk.max_drawdown_pct:g} %"),
        ("state", str(terms.state)),
    ]


def _venue(terms: "Terms") -> str:
    exchange = terms.policy.app.exchange
    return f"{exchange.venue}, rehearsed at {exchange.venue_url}" if exchange.venue_url else exchange.venue


def _text(terms: "Terms", grant: "LiveGrant", verb: str) -> str:
    from cli.show import pairs

    heads = {"arms": "this allows real money to be traded:", "armed": "armed: real money may be traded"}
    return f"{heads[verb]}\n" + pairs(_rows(terms, grant))


def _data(terms: "Terms", grant: "LiveGrant") -> dict[str, Any]:
    policy = terms.policy.policy
    risk = policy.risk_in_force
    limits = {
        "max_total_at_risk_pct": risk.max_total_at_risk_pct, "max_per_asset_pct": risk.max_per_asset_pct,
        "max_open_positions": risk.max_open_positions, "max_entries_per_day": policy.pacing.max_entries_per_day,
        "max_day_loss_pct": risk.max_day_loss_pct, "max_week_loss_pct": risk.max_week_loss_pct,
        "max_drawdown_pct": risk.max_drawdown_pct,
    }  # fmt: skip
    exchange = terms.policy.app.exchange
    about = {"venue": exchange.venue, "venue_url": exchange.venue_url or None, "profile": policy.profile}
    return {"armed": True, "grant": _grant(grant), "limits": limits, **about, "state": str(terms.state)}


def _grant(grant: "LiveGrant") -> dict[str, Any]:
    from cli.plain import moment

    return {
        "config_digest": grant.config_digest, "key_fingerprint": grant.key_fingerprint,
        "portfolio_uuid": grant.portfolio_uuid, "max_equity": grant.max_equity,
        "granted": moment(grant.granted_ms), "expires": moment(grant.expires_ms),
    }  # fmt: skip
