"""Where the five files are. One directory holds all of them; directories are never laid over one another."""

from pathlib import Path

from trader_core.settings.environment import Environment

_HERE = Path("config")


def config_directory(option: Path | None, environment: Environment) -> Path:
    """The `--config` option, else $TRADER_CONFIG, else ./config where it exists, else the defaults that came along.

    What was asked for is returned even where it does not exist: a wrong path is a problem to report, not to skip.
    """
    return option or environment.config or (_HERE if _HERE.exists() else defaults())


def defaults() -> Path:
    """The shipped files: inside the installed package, or in the checkout that the package runs from."""
    installed = Path(__file__).with_name("defaults")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "config"
