"""A place to begin: the five files of a configuration of one's own, and the directories of the state.

What is there already stays as it is, to the byte. Nothing of an account is made: its first cycle does that.
"""

from pathlib import Path

from msgspec import Struct

from trader_core.domain.errors import ConfigInvalid, StateUnusable
from trader_core.kill.latch import prepare_latch
from trader_core.settings.load import load
from trader_core.settings.locate import config_directory, defaults, own_directory
from trader_core.settings.options import Options
from trader_core.settings.schema import FILES
from trader_core.store.backups import FOLDER
from trader_core.store.files import CANDLES

PRIVATE = 0o700  # what is in the state is nobody else's; a configuration holds no secret, and its user decides


class Places(Struct, frozen=True):
    """`in_force` is the configuration that commands without --config read here; `problems` are the own one's."""

    config: Path
    state: Path
    made: tuple[Path, ...]
    present: tuple[Path, ...]
    in_force: Path
    problems: tuple[str, ...]


def make_places(options: Options) -> Places:
    """Raises UsageError or StateUnusable where a place is not named, or cannot be made."""
    config, state = own_directory(options.config, options.environment), options.state_directory
    made, present = list[Path](), list[Path]()
    for place, mode in ((config, 0o777), (state, PRIVATE), (state / CANDLES, PRIVATE), (state / FOLDER, PRIVATE)):
        (made if _made_directory(place, mode) else present).append(place)
    for name in FILES:
        file = config / f"{name}.yaml"
        (made if _copied(defaults() / file.name, file) else present).append(file)
    prepare_latch(state)
    in_force = config_directory(options.config, options.environment).absolute()
    return Places(config, state, tuple(made), tuple(present), in_force, _problems(config))


def _made_directory(place: Path, mode: int) -> bool:
    if place.is_dir():
        return False
    try:
        place.mkdir(parents=True, mode=mode)
    except OSError as failed:
        raise _refused(place, failed) from failed
    return True


def _copied(source: Path, target: Path) -> bool:
    """Whether it was made now; a copy that fails half way leaves nothing."""
    if target.exists():
        return False
    try:
        with target.open("xb") as file:
            try:
                file.write(source.read_bytes())
            except OSError:
                target.unlink()
                raise
    except OSError as failed:
        raise _refused(target, failed) from failed
    return True


def _refused(place: Path, failed: OSError) -> StateUnusable:
    return StateUnusable(
        f"{place} cannot be made: {failed.strerror}", safe="what was there is as it was",
        remedy="name other places: trader init --config DIR --state DIR",
    )  # fmt: skip


def _problems(config: Path) -> tuple[str, ...]:
    try:
        load(config)
    except ConfigInvalid as invalid:
        return invalid.problems
    return ()
