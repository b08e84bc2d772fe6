"""Scenes of a LIVE account that are worth being killed in: each a state directory and a venue just before it happens.

All of them begin at the same moment of the same market, so that the boundaries of a scene are the same each time.
"""

import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import import_module
from pathlib import Path
from time import perf_counter
from typing import Any

from trader_core.bootstrap import open_system
from trader_core.domain.clock_reading import ClockReading
from trader_core.domain.clocktime import DAY_MS, MINUTE_MS, SECOND_MS, EpochMs
from trader_core.domain.grant import Granted, KeyActivated, KeyStaged, KeyVerified, LiveGrant
from trader_core.engine.run import cycles
from trader_core.keyring import clock_rules
from trader_core.loopback.cert import es256_pair
from trader_core.ops.clock import host_ms
from trader_core.ops.clock_drift import keep
from trader_core.prove.calm import BAR_MIN, CALM
from trader_core.prove.checker import Checked, check, truth_of
from trader_core.prove.hooks import place_key
from trader_core.prove.inside import VenueInside
from trader_core.prove.lives import Account, Act, Serial
from trader_core.prove.virtual import VirtualTime
from trader_core.settings.digest import digest
from trader_core.settings.load import load
from trader_core.settings.options import Options
from trader_core.settings.variant import write_variant
from trader_core.store.grants import Permits
from trader_core.venues.coinbase.sign import ApiKey, fingerprint
from trader_core.worlds import live

BAR_MS = BAR_MIN * MINUTE_MS
LATER_MS = 2 * SECOND_MS  # until somebody starts it again
MUCH_LATER_MS = 95 * SECOND_MS  # what no list has shown by then was never there
LIVES_MAX = 8  # until all is settled
HELD, FLAT = "60000.00", "60600.00"
CASH = 10_000
BTC = "BTC-USD"
ALL_WELL = (0, 21)  # a halted account is well
URL = "http://127.0.0.1:80"
ORDERS, CANCELS = "/orders", "/orders/batch_cancel"


@dataclass(frozen=True)
class Scene:
    """`played` brings an account there; `act` is the life that is killed, and `again` what is started after it."""

    name: str
    played: Callable[["Stage"], None]
    act: Callable[["Stage"], Act]
    again: Callable[["Stage"], Act]
    path: str  # of the requests that meet an outcome, and the side of their orders
    side: str
    edits: Mapping[str, Any]
    times: int = 1  # how often the outcome strikes
    ends_flat: bool = False


class Stage:
    """One account in a folder of its own, ready for the first cycle."""

    def __init__(self, folder: Path, config: Path, time: VirtualTime, key: Mapping[str, str]) -> None:
        self.folder, self.config, self.time, self.key = folder, config, time, key
        self.took_s = 0.0  # the newest of the lives before the scene, by a clock that is not virtual
        folder.mkdir(parents=True)
        balances = {"USD": Decimal(CASH), "BTC": Decimal(0), "ETH": Decimal(0)}
        venue = VenueInside(dict(key), balances, self.truth)
        self.account = Account(self.state, venue, time)
        venue.admin("permissions", can_view=True, can_trade=True, can_transfer=False)

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def truth(self) -> Path:
        return self.folder / "truth.jsonl"

    @property
    def options(self) -> Options:
        return Options(state=self.state, config=self.config, mode="LIVE")

    def allowed(self) -> None:
        """A key in force, a grant, and a clock that was found sound."""
        policy, now_ms = load(self.config), host_ms()
        mark = fingerprint(ApiKey(self.key["name"], self.key["privateKey"]))
        portfolio = self.account.venue.venue.exchange.account.portfolio
        grant = LiveGrant(digest(policy), mark, portfolio, Decimal(1_000_000), now_ms, EpochMs(now_ms + DAY_MS))
        permits = Permits(self.state)
        for fact in (
            KeyStaged(mark, now_ms), KeyVerified(mark, portfolio, now_ms), KeyActivated(mark, "", portfolio, now_ms),
            Granted(grant),
        ):  # fmt: skip
            permits.append(fact, now_ms)
        keep(self.state, clock_rules(policy), ClockReading(now_ms, 0.0, 1.0, (), None, ""), host_ms)

    def cycle(self) -> int:
        """As `run-cycle`."""
        with open_system(self.options) as system:
            report = next(cycles(system.ports, system.policy, system.journal, lambda: False, 1, system.telling.cycle))
            halted = report.book.halt.trading.value != "ACTIVE"
            return 30 if report.problem else 21 if halted else 0

    def kill(self) -> int:
        """As `kill --flatten`."""
        from trader_core.kill.run import Wish, kill

        return kill(Wish(str(self.state), str(self.config), live=True, flatten=True), lambda _: None).exit_code

    def price(self, price: str, product: str = BTC) -> None:
        self.account.venue.admin("price", product=product, price=price)

    def must(self, act: Act) -> None:
        """A life that has to end well before the scene begins."""
        began_s = perf_counter()
        ended = self.account.live(act)
        self.took_s = perf_counter() - began_s
        assert ended.code == 0, (ended.code, ended.words)  # noqa: S101 - the stage itself would be wrong
        self.time.sleep(LATER_MS / SECOND_MS)

    def checked(self) -> Checked:
        return check(self.state / "live.db", truth_of(self.truth, 0), CASH, permits=self.state / "permits.db")

    def copied(self, folder: Path) -> "Stage":
        """The same account in another folder; for a process that is a copy of this one."""
        made = object.__new__(Stage)
        made.folder, made.config, made.time, made.key = folder, self.config, self.time, self.key
        made.took_s = self.took_s
        shutil.copytree(self.folder, folder)
        made.account = Account(made.state, self.account.venue, self.time)
        made.account.venue.tells(made.truth)
        return made


# --- what is played --------------------------------------------------------------------------------------------------


def warmed(stage: Stage) -> None:
    """What a life loads is loaded here once."""

    def told() -> int:
        code = stage.cycle()
        (stage.folder / "modules").write_text("\n".join(sys.modules))
        return code

    stage.must(told)
    for name in (stage.folder / "modules").read_text().split():
        with suppress(ImportError):
            import_module(name)


def risen(stage: Stage) -> None:
    """A first quiet cycle, and then a bar in which the price rose: somebody wants to buy."""
    at = host_ms() % BAR_MS
    path = [{"after_ms": -at - 8 * BAR_MS, "price": HELD}]
    stage.account.venue.admin("price", product=BTC, path=path)
    warmed(stage)
    stage.price(FLAT)
    stage.time.sleep(BAR_MS / SECOND_MS)


def holding(stage: Stage) -> None:
    """A position with its stop at the venue."""
    risen(stage)
    stage.must(stage.cycle)
    assert stage.checked().held.get(BTC), "nothing was bought"  # noqa: S101


def holding_beside_others(stage: Stage) -> None:
    """A position, and coins in the account that nobody may sell."""
    holding(stage)
    stage.account.venue.admin("deposit", currency="BTC", amount="0.5")


def on_target(stage: Stage) -> None:
    holding(stage)
    stage.price("95000.00")


def resting_and_killed(stage: Stage) -> None:
    """A purchase that rests, and somebody who wants everything to stop."""
    risen(stage)
    stage.must(stage.cycle)
    assert list(stage.checked().working.values()) == ["BUY"], "nothing rests"  # noqa: S101
    (stage.state / "KILL_SWITCH").touch()


def cycle_of(stage: Stage) -> Act:
    return stage.cycle


def kill_of(stage: Stage) -> Act:
    return stage.kill


RESTS = {"policy.orders.maker_ttl_bars": 9}
SCENES = {
    one.name: one
    for one in (
        Scene("entry", risen, cycle_of, cycle_of, ORDERS, '"BUY"', {}),
        Scene("stop", risen, cycle_of, cycle_of, ORDERS, '"SELL"', {}),
        Scene("exit", on_target, cycle_of, cycle_of, ORDERS, '"SELL"', {}, ends_flat=True),
        Scene("cancel", resting_and_killed, cycle_of, cycle_of, CANCELS, "", RESTS, times=2),
        Scene("kill", holding_beside_others, kill_of, kill_of, ORDERS, '"SELL"', {}, ends_flat=True),
    )
}


def prepared(folder: Path, source: Path, scene: Scene, time: VirtualTime) -> Stage:
    """The scene, played up to where it begins. For a process that does nothing else any more."""
    (name, secret), remembered = es256_pair(), cache(load)
    key = {"name": name, "privateKey": secret}
    place_key(key)
    vars(live).update(ThreadPoolExecutor=Serial)
    for module in [one for one in sys.modules.values() if vars(one).get("load") is load]:
        vars(module).update(load=remembered)
    config = folder / "config"
    edits = {
        **CALM, "app.mode": "LIVE", "app.exchange.venue": "coinbase", "app.exchange.read_only": False,
        "app.exchange.venue_url": URL, **scene.edits,
    }  # fmt: skip
    write_variant(source, config, edits)
    remembered(config)
    stage = Stage(folder / "home", config, time, key)
    stage.allowed()
    scene.played(stage)
    return stage
