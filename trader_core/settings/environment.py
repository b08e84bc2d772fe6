"""What the process environment says. This file alone reads it; an empty variable counts as unset."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from trader_core.domain.errors import StateUnusable


@dataclass(frozen=True, slots=True)
class Environment:
    """Places are as the variables have them; `state` is None where nothing tells one. `own_configs` are the places that
    the service manager and the person have for a configuration, the nearest first."""

    config: Path | None
    state: Path | None
    no_color: bool
    own_configs: tuple[Path, ...] = ()


def read_environment(environ: Mapping[str, str] = os.environ) -> Environment:
    """The variables that matter: TRADER_CONFIG, CONFIGURATION_DIRECTORY, XDG_CONFIG_HOME, TRADER_STATE,
    STATE_DIRECTORY, XDG_STATE_HOME, HOME, NO_COLOR."""
    config = environ.get("TRADER_CONFIG")
    return Environment(
        config=Path(config) if config else None,
        state=_state(environ),
        no_color=bool(environ.get("NO_COLOR")),
        own_configs=tuple(_own_configs(environ)),
    )


def log_environment(environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """(TRADER_LOG, JOURNAL_STREAM): how to keep a log, and where systemd's leads to."""
    return environ.get("TRADER_LOG", ""), environ.get("JOURNAL_STREAM", "")


def refuse_plugins() -> None:
    """What happens to be installed beside us has no part in reading our settings; looking for it costs time as well."""
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"


def refuse_matrix_threads() -> None:
    """Nothing here multiplies matrices; the threads that numpy starts for it cost a tenth of a second of a core."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def process_environment() -> Mapping[str, str]:
    """As it stands, for settings.secrets alone: what is secret in it is never kept in an Environment."""
    return os.environ


def state_directory(option: Path | None, environment: Environment) -> Path:
    """Absolute: the `--state` option, else what the environment says. Raises StateUnusable where neither tells, or it
    is within a directory that is gone."""
    state = option or environment.state
    if state is None:
        raise StateUnusable("there is no place for the state: HOME is not set", remedy="add --state DIR")
    try:
        return state.absolute()
    except FileNotFoundError as gone:
        told = f"nobody can say where {state} is: the directory in which this was typed is gone"
        raise StateUnusable(told, remedy="name the whole path: --state /DIR, or TRADER_STATE=/DIR") from gone


def _own_configs(environ: Mapping[str, str]) -> Iterator[Path]:
    """systemd's first $CONFIGURATION_DIRECTORY; $XDG_CONFIG_HOME/trader (if absolute), else ~/.config/trader."""
    own = environ.get("CONFIGURATION_DIRECTORY", "").split(":")[0]
    if own:
        yield Path(own)
    shared, home = environ.get("XDG_CONFIG_HOME", ""), environ.get("HOME")
    if Path(shared).is_absolute():
        yield Path(shared, "trader")
    elif home:
        yield Path(home, ".config", "trader")


def _state(environ: Mapping[str, str]) -> Path | None:
    """$TRADER_STATE, systemd's first $STATE_DIRECTORY, $XDG_STATE_HOME/trader (if absolute), ~/.local/state/trader."""
    own = environ.get("TRADER_STATE") or environ.get("STATE_DIRECTORY", "").split(":")[0]
    if own:
        return Path(own)
    shared = environ.get("XDG_STATE_HOME", "")
    if Path(shared).is_absolute():
        return Path(shared, "trader")
    home = environ.get("HOME")
    return Path(home, ".local", "state", "trader") if home else None
