"""The composition root: settings and a mode in, a wired world out.

A mode on a venue is a line in WORLDS, never a branch: what it must not do, it is not handed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from trader_core.domain.values import replace
from trader_core.kill.latch import prepare_latch
from trader_core.ops.lock import alone
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.files import StateFiles
from trader_core.worlds.lending import lending
from trader_core.worlds.system import System, World


def settings_of(options: Options) -> Settings:
    """The five files, validated. Raises ConfigInvalid."""
    return load(options.config_directory)


@contextmanager
def open_system(options: Options, *, waits: bool = False) -> Iterator[System]:
    """Lock, state and venue of a mode, ready for cycles; on a clock that `waits` for the next one, where there is one
    to wait for, and lends the account meanwhile. Raises TraderError with nothing sent."""
    policy, files, world = _resolved(options)
    files.make_directory()
    prepare_latch(files.directory)
    with alone(files.lock, files.turn) as turn:
        files.bring_up_to_date()
        with world.opened(policy, options, files, waits) as system:
            from trader_core.telling import Telling

            yield replace(lending(system, turn) if waits else system, telling=Telling(system, options))


@contextmanager
def open_preview(options: Options) -> Iterator[System]:
    """A copy of the state in memory: what happens there stays there."""
    policy, files, world = _resolved(options)
    with world.previewed(policy, options, files) as system:
        yield system


def _resolved(options: Options) -> tuple[Settings, StateFiles, World]:
    policy = settings_of(options)
    mode, venue = options.mode or policy.app.mode, options.venue or policy.app.exchange.venue
    return policy, StateFiles(options.state_directory, mode), WORLDS[mode, venue]()


def _simulated(name: str) -> World:
    from trader_core.worlds import simulated

    found: World = getattr(simulated, name)
    return found


def _coinbase(name: str) -> World:
    """Loaded where it is asked for: HTTP and signatures cost start-up time."""
    from trader_core.worlds import live

    found: World = getattr(live, name)
    return found


WORLDS: dict[tuple[str, str], Callable[[], World]] = {
    ("DRY_RUN", "simulated"): partial(_simulated, "LOOKING"),
    ("PAPER", "simulated"): partial(_simulated, "ON_PAPER"),
    ("LIVE", "simulated"): partial(_simulated, "CLOSED"),
    ("DRY_RUN", "coinbase"): partial(_coinbase, "LOOKING"),
    ("PAPER", "coinbase"): partial(_coinbase, "ON_PAPER"),
    ("LIVE", "coinbase"): partial(_coinbase, "TRADING"),
}
MODES = tuple(dict.fromkeys(mode for mode, _ in WORLDS))
