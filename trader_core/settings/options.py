"""What the command line says, in one value."""

from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from shlex import quote

from trader_core.settings.environment import Environment, read_environment, state_directory
from trader_core.settings.locate import config_directory

SAMPLE_SEED = 58


@dataclass(frozen=True)
class Options:
    """None where the command line says nothing. Times are UTC epoch ms; `since_ms` inclusive, `until_ms` exclusive."""

    state: Path | None = None
    config: Path | None = None
    mode: str | None = None
    venue: str | None = None
    data: Path | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    seed: int = SAMPLE_SEED
    equity: Decimal | None = None
    environment: Environment = field(default_factory=read_environment)

    @property
    def state_directory(self) -> Path:
        """Absolute. Raises StateUnusable where nothing names one."""
        return state_directory(self.state, self.environment)

    @property
    def config_directory(self) -> Path:
        return config_directory(self.config, self.environment)

    @property
    def words(self) -> str:
        """Which account was meant, as it is typed: a hint without them would act on another one."""
        said = {"--mode": self.mode, "--venue": self.venue, "--state": self.state, "--config": self.config}
        return "".join(f" {name} {quote(str(value))}" for name, value in said.items() if value is not None)
