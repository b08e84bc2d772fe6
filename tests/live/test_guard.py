"""Nothing but LIVE writes with a key, whatever command is typed; and LIVE with one condition missing signs nothing."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cli.table import build
from tests.live.conftest import Stage
from tests.live.guard import heard
from tests.live.stage import Live
from trader_core.store.grants import Permits

AWAY: dict[str, str] = {
    "sim serve": "a server, and it has no key to sign with",
    "compile": "it takes half a minute, and there is no venue in it",
    "init": "it writes files and asks nobody",
}
REHEARSALS = "prove "  # campaigns have a venue and a key of their own, on this machine
WORDS: dict[str, tuple[str, ...]] = {
    "run": ("--cycles", "1"),
    "preview": ("--out", "plan.json"),
    "backtest": ("--data", "nowhere"),
    "parity": ("--data", "nowhere"),
    "sweep": ("--data", "nowhere"),
    "walk-forward": ("--train", "30d", "--test", "10d", "--data", "nowhere"),
    "montecarlo": ("--data", "nowhere"),
    "compare": ("a", "b"),
    "export": ("exported",),
    "why": ("BTC-USD",),
    "pause": ("--reason", "a test"),
    "resume": ("--reason", "a test"),
    "arm": ("--max-equity", "100", "--yes"),
    "rotate-secrets": ("--stage", "--verify", "--activate"),
    "kill": ("--flatten", "--all"),
    "liquidate": ("--yes",),
    "close-all-positions": ("--yes",),
    "reconcile": ("--apply",),
    "config diff": ("config", "config"),
    "halt trip": ("--reason", "a test"),
    "halt reset": ("--user", "me", "--reason", "this is a test"),
    "breaker reset": ("coinbase-orders-entries", "--reason", "a test"),
    "bans add": ("ETH", "--reason", "a test"),
    "bans lift": ("ETH", "--reason", "a test"),
    "paper deposit": ("5",),
    "paper withdraw": ("5",),
    "paper reset": ("--yes",),
    "sim cert": ("certificates",),
    "data import": ("nowhere", "somewhere"),
    "data list": ("nowhere",),
    "data check": ("nowhere",),
    "data fetch": ("--pairs", "BTC-USD", "--days", "1"),
}


def _leaves(group: Any, above: tuple[str, ...] = ()) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _leaves(command, (*above, name))
        else:
            yield " ".join((*above, name))


COMMANDS = [one for one in _leaves(build()) if one not in AWAY and not one.startswith(REHEARSALS)]
OURS = "7adeca5e-0000-5000-8000-000000000000"  # an order of ours that any command might be tempted to cancel
LAST = ("kill", "paper reset", "disarm")  # what they leave behind would stop the others


@pytest.mark.parametrize("mode", ["DRY_RUN", "PAPER"])
def test_no_command_writes_with_a_key_in_any_mode_but_live(
    stage: Stage, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = stage()
    monkeypatch.chdir(live.home)
    resting = {"limit_limit_gtc": {"base_size": "0.01", "limit_price": "40000.00"}}
    live.sim.admin("orders", client_order_id=OURS, product_id="BTC-USD", side="BUY", order_configuration=resting)
    live.configured(mode=mode)
    live.sim.risen()
    codes, asked = {}, 0
    for command in sorted(COMMANDS, key=lambda one: one in LAST):
        with heard() as ear:
            codes[command] = live.inside(*command.split(), *WORDS.get(command, ())).code
        assert ear.signed_writes == [], command
        assert ear.abroad == [], command
        asked += len(ear.requests)
    assert asked > 10  # the market was looked at
    assert codes["run-cycle"] == codes["status"] == 0
    assert len(live.sim.open_orders()) == 1


def test_the_guard_hears_what_live_sends(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    with heard() as ear:
        assert live.cycle().code == 0
    assert ear.signed_writes == ["POST /api/v3/brokerage/orders"] * 2


# --- LIVE, and one condition missing ---------------------------------------------------------------------------------


def _no_grant(live: Live) -> None:
    Permits(live.state).path.unlink()


def _another_key(live: Live) -> None:
    """Of the same account, staged and all; nobody ever granted it anything."""
    live.presenting(live.new_key("another"))


MISSING: dict[str, tuple[Callable[[Live], object], int | None]] = {  # None: the command does what that mode does
    "no grant": (_no_grant, 20),
    "read only": (lambda live: live.configured(exchange__read_only=True), 20),
    "another mode": (lambda live: live.configured(mode="PAPER"), None),
    "no key": (lambda live: live.presenting(), 11),
    "half a key": (lambda live: live.given.pop("COINBASE_API_SECRET"), 11),
    "another key": (_another_key, 11),
    "a host that is not the venue": (lambda live: live.configured(exchange__venue_url="https://venue.example"), 20),
}
SENDING = ("run-cycle", "preview", "liquidate --yes")


@pytest.mark.parametrize("what", MISSING)
def test_live_with_one_condition_missing_signs_nothing(stage: Stage, what: str) -> None:
    live = stage()
    live.sim.risen()
    spoil, code = MISSING[what]
    spoil(live)
    for command in SENDING:
        with heard() as ear:
            done = live.inside(*command.split())
        assert code in (None, done.code), (command, done.err)
        assert ear.signed == []
    assert live.checked().venue_orders == {}


def test_live_on_an_empty_state_directory_signs_nothing(stage: Stage) -> None:
    live = stage()
    live.given["TRADER_STATE"] = str(live.home / "empty")
    with heard() as ear:
        assert live.inside("run-cycle", "--json").code == 20
    assert ear.signed == []


def test_a_key_that_sees_another_portfolio_trades_nothing(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.permit(portfolio_uuid="00000000-0000-4000-8000-000000000000")
    with heard() as ear:
        done = live.inside("run-cycle", "--json")
    assert done.code != 0
    assert ear.signed_writes == []
    assert json.loads(done.out)["ok"] is False


def test_a_key_that_may_transfer_trades_nothing(stage: Stage) -> None:
    live = stage()
    live.sim.risen()
    live.sim.permit(can_transfer=True)
    with heard() as ear:
        assert live.inside("run-cycle").code == 11
    assert ear.signed_writes == []
