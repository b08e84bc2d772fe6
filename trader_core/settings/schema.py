"""Every setting there is, with its unit and its closed range. Nothing has a default here: the YAML is the only owner.

A number's key ends in its unit (`UNITS`); whole-number counts need none. Percent and basis points are floats with at
most two decimals, money and quantities are Decimals with at most eight, times and counts are ints. A bool is never a
number and text is never a number. All models are frozen and refuse unknown keys.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.fields import FieldInfo

UNITS = {
    "_pct": "percent",
    "_bps": "basis points",
    "_ms": "milliseconds",
    "_s": "seconds",
    "_min": "minutes",
    "_bars": "bars",
    "_quote": "the account currency",
}

Mode = Literal["DRY_RUN", "PAPER", "LIVE"]
VenueName = Literal["coinbase", "simulated"]
ProfileName = Literal["NORMAL", "DEFENSIVE", "AGGRESSIVE", "CAUTIOUS"]


def _to_float(value: Any) -> Any:
    return float(value) + 0.0 if type(value) in (int, float, Decimal) else value  # + 0.0: there is one zero


def _to_decimal(value: Any) -> Any:
    return (Decimal(value) or Decimal(0)) if type(value) in (int, Decimal) else value


def _two_decimals(value: float) -> float:
    if round(value, 2) != value:
        raise ValueError("must have at most 2 decimals")
    return value


def _whole(value: Any) -> Any:
    if type(value) is not int:  # a Literal compares, and True == 1
        raise ValueError("must be a whole number")
    return value


Hundredths = Annotated[float, BeforeValidator(_to_float), Field(allow_inf_nan=False), AfterValidator(_two_decimals)]
Money = Annotated[Decimal, BeforeValidator(_to_decimal), Field(allow_inf_nan=False, decimal_places=8)]
Quantity = Annotated[Money, Field(ge=0, le=1_000_000_000_000)]
Asset = Annotated[str, Field(pattern=r"^[A-Z0-9]{1,16}$")]
Holdings = Annotated[Mapping[Asset, Quantity], AfterValidator(MappingProxyType), PlainSerializer(dict)]


class Section(BaseModel):
    """A block of settings: frozen, strict, complete, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Exchange(Section):
    venue: VenueName
    read_only: bool


class Paper(Section):
    """The simulated account, and the venue that fills its orders. `holdings` are coins the bot did not buy."""

    cash_quote: Money = Field(ge=0, le=1_000_000_000)
    holdings: Holdings
    maker_fee_bps: Hundredths = Field(ge=0, le=500)
    taker_fee_bps: Hundredths = Field(ge=0, le=500)
    half_spread_bps: Hundredths = Field(ge=0, le=500)
    slippage_bps: Hundredths = Field(ge=0, le=500)
    max_share_of_volume_pct: Hundredths = Field(ge=0.01, le=100)


class App(Section):
    mode: Mode
    exchange: Exchange
    paper: Paper


class Profile(Section):
    position_scale_pct: Hundredths = Field(ge=1, le=200)


class Profiles(Section):
    NORMAL: Profile
    DEFENSIVE: Profile
    AGGRESSIVE: Profile
    CAUTIOUS: Profile


class Cycle(Section):
    base_bar_min: Annotated[Literal[1, 5, 15], BeforeValidator(_whole)]


class Risk(Section):
    """Ceilings, as percent of the bot's equity where the key says so."""

    max_total_at_risk_pct: Hundredths = Field(ge=0.01, le=100)
    max_open_positions: int = Field(ge=1, le=50)
    max_per_asset_pct: Hundredths = Field(ge=0.01, le=100)
    max_day_loss_pct: Hundredths = Field(ge=0.01, le=50)
    cooldown_after_exit_min: int = Field(ge=0, le=1440)
    cooldown_after_stop_min: int = Field(ge=0, le=1440)


class Sizing(Section):
    position_pct: Hundredths = Field(ge=0.01, le=100)
    min_notional_quote: Money = Field(ge=0, le=100_000)


class Data(Section):
    max_data_age_s: int = Field(ge=1, le=86_400)


class Orders(Section):
    maker_ttl_bars: int = Field(ge=0, le=96)
    max_entry_cost_bps: Hundredths = Field(ge=0, le=1000)
    limit_band_bps: Hundredths = Field(ge=0, le=1000)


class Policy(Section):
    profile: ProfileName
    profiles: Profiles
    cycle: Cycle
    risk: Risk
    sizing: Sizing
    data: Data
    orders: Orders

    @property
    def active_profile(self) -> Profile:
        """The profile in force."""
        active: Profile = getattr(self.profiles, self.profile)
        return active


class Universe(Section):
    """Asset codes. The order of `bases` is kept."""

    bases: tuple[Asset, ...]
    never_trade: tuple[Asset, ...]


class Windows(Section):
    max_missing_bars: int = Field(ge=0, le=100)


class Signals(Section):
    windows: Windows


class SmaCross(Section):
    enabled: bool
    fast_bars: int = Field(ge=2, le=500)
    slow_bars: int = Field(ge=3, le=1000)
    stop_pct: Hundredths = Field(ge=0.01, le=99)
    target_pct: Hundredths = Field(ge=0.01, le=1000)


class Strategies(Section):
    sma_cross: SmaCross


class Settings(Section):
    """The five files, one attribute each."""

    app: App
    policy: Policy
    universe: Universe
    signals: Signals
    strategies: Strategies


def section_of(field: FieldInfo) -> type[Section] | None:
    """The model behind a field that is a block of its own, else None."""
    kind = field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def range_of(field: FieldInfo) -> tuple[Any, Any] | None:
    """Lowest and highest allowed number, both inclusive; None where the field is no ranged number."""
    bounds = {name: getattr(rule, name) for rule in field.metadata for name in ("ge", "le") if hasattr(rule, name)}
    return (bounds["ge"], bounds["le"]) if len(bounds) == 2 else None


def unit_of(key: str) -> str:
    """The key's unit suffix, or '' where it has none."""
    return next((suffix for suffix in UNITS if key.endswith(suffix)), "")


FILES: dict[str, type[Section]] = {name: model for name, f in Settings.model_fields.items() if (model := section_of(f))}
