"""Where the five files are. One directory holds all of them; directories are never laid over one another.

A directory that is there counts, whatever is in it: without one of its files nothing is read at all. Where it is
deleted as a whole the next place counts, and the last is what came along, which can look at a market and nothing more.
A grant for real money names the files, so another place's never trade with it.
"""

from pathlib import Path

from trader_core.domain.errors import UsageError
from trader_core.settings.environment import Environment

_HERE = Path("config")


def config_directory(option: Path | None, environment: Environment) -> Path:
    """The `--config` option, else $TRADER_CONFIG, else the first that exists of ./config, $CONFIGURATION_DIRECTORY and
    $XDG_CONFIG_HOME/trader (~/.config/trader), else the defaults that came along.

    What was asked for is returned even where it does not exist: a wrong path is a problem to report, not to skip.
    """
    if option or environment.config:
        return option or environment.config or _HERE
    return next((one for one in (_HERE, *environment.own_configs) if _is_there(one)), defaults())


def own_directory(option: Path | None, environment: Environment) -> Path:
    """Where a configuration of one's own is made: never ./config, which is wherever one happens to stand. Raises
    UsageError where nothing names a place."""
    asked = option or environment.config or next(iter(environment.own_configs), None)
    if asked is None:
        raise UsageError("there is no place for the configuration: HOME is not set", remedy="add --config DIR")
    return asked.absolute()


def _is_there(place: Path) -> bool:
    """What we are not allowed to look at is there: it is told, not skipped."""
    try:
        return place.exists()
    except OSError:
        return True


def defaults() -> Path:
    """The shipped files: inside the installed package, or in the checkout that the package runs from."""
    installed = Path(__file__).with_name("defaults")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "config"
