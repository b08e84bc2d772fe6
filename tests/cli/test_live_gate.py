"""Real money needs leave: `arm` checks everything before it writes a grant, and `disarm` takes it back.

Against a venue over TLS and time servers over UDP, both on loopback. Whatever fails, the key is never seen.
"""

import json
import os
import pty
import subprocess
from collections.abc import Callable
from decimal import Decimal

import pytest

from tests.cli.program import START, Done
from tests.cli.rehearsal import Rehearsal, pieces
from trader_core.domain.clocktime import DAY_MS, HOUR_MS, EpochMs, parse_utc
from trader_core.domain.errors import GateClosed
from trader_core.domain.facts import HaltChanged
from trader_core.domain.grant import Granted, KeyActivated, LiveGrant, Permission, grants_of
from trader_core.domain.halt import ARMED, Halt, HaltState
from trader_core.keyring import check_ever_granted, gate
from trader_core.ops.clock import host_ms
from trader_core.policies import PolicyWatch
from trader_core.settings.load import load
from trader_core.store.grants import Permits
from trader_core.store.latch import write_row
from trader_core.store.policies import PolicyStore
from trader_core.store.sqlite import SqliteStore

ARM = ("arm", "--max-equity", "1000", "--expires", "24h", "--yes")


def granted(live: Rehearsal) -> list[LiveGrant]:
    return [fact.grant for fact in Permits(live.state).facts() if isinstance(fact, Granted)]


def unseen(live: Rehearsal, *told: Done) -> None:
    """Not one piece of the secret is in what was said or written."""
    said = "".join(one.out + one.err for one in told) + live.written()
    assert [one for one in pieces(live.key) if one in said] == []


# --- the whole way ---------------------------------------------------------------------------------------------------


def test_from_a_new_key_to_a_grant_and_back_in_processes_of_their_own(live: Rehearsal) -> None:
    first = live(*ARM)
    assert first.code == 11
    assert "there is no record of when the key" in first.err
    assert "trader rotate-secrets --stage --verify --activate" in first.err
    rotated = live("rotate-secrets", "--stage", "--verify", "--activate", "--json")
    assert rotated.code == 0
    key = rotated.data["active"]
    armed = live(*ARM, "--json")
    assert armed.code == 0, armed.err
    grant = armed.data["grant"]
    assert (grant["key_fingerprint"], grant["max_equity"]) == (key, "1000")
    assert parse_utc(grant["expires"]) - parse_utc(grant["granted"]) == 24 * HOUR_MS
    assert grant["portfolio_uuid"] == rotated.data["portfolio_uuid"]
    assert armed.data["limits"]["max_day_loss_pct"] == 3.0
    revoked = live("disarm", "--reason", "holidays", "--json")
    assert (revoked.code, revoked.data["reason"]) == (0, "holidays")
    unseen(live, first, rotated, armed, revoked)


def test_what_was_armed_is_open_until_something_no_longer_fits(live: Rehearsal) -> None:
    live.rotated()
    key = Permits(live.state).facts()[0]
    fingerprint = getattr(key, "fingerprint", "")
    with pytest.raises(GateClosed, match="no grant was ever given to the key") as closed:
        check_ever_granted(live.state, fingerprint)
    assert closed.value.exit_code == 20
    assert live.inside(*ARM).code == 0
    check_ever_granted(live.state, fingerprint)
    (grant,) = granted(live)

    watch = PolicyWatch(PolicyStore(live.state, "LIVE"))

    def now(equity: int = 1000, after_ms: int = 0) -> Permission:
        at_ms = EpochMs(host_ms() + after_ms)
        found = gate(load(live.config), live.state, fingerprint, grant.portfolio_uuid, Decimal(equity), at_ms, watch)
        return found.permission

    assert now() is Permission.OPEN
    assert now(equity=1001) is now(after_ms=24 * HOUR_MS) is Permission.REDUCING
    live.configured(paper__cash_quote=123)
    assert now() is Permission.REDUCING
    del live.edits["app.paper.cash_quote"]
    live.configured()
    assert now() is Permission.OPEN
    assert live.inside("disarm").code == 0
    assert now() is Permission.REDUCING


def test_a_loosening_voids_the_grant_a_tightening_and_a_lapse_do_not(live: Rehearsal) -> None:
    live.rotated()
    fingerprint, store = getattr(Permits(live.state).facts()[0], "fingerprint", ""), PolicyStore(live.state, "LIVE")

    def now(after_ms: int = 0) -> Permission:
        watch, at_ms = PolicyWatch(store), EpochMs(host_ms() + after_ms)
        watch.in_force(load(live.config), at_ms, 1)
        portfolio = granted(live)[-1].portfolio_uuid
        return gate(load(live.config), live.state, fingerprint, portfolio, Decimal(1), at_ms, watch).permission

    def policy(*words: str) -> None:
        done = live.inside("policy", "set", *words, "--reason", "a test")
        assert done.code == 0, done.err
        assert ("a live grant that was given before does not cover this" in done.out) == ("--expires" in words)

    assert live.inside(*ARM).code == 0
    policy("risk.max_open_positions=2")
    assert now() is Permission.OPEN
    policy("risk.max_open_positions=3", "--expires", "1h")
    assert now() is Permission.REDUCING
    assert now(after_ms=HOUR_MS) is Permission.OPEN, "it has lapsed, and what was granted is in force again"
    armed = live.inside(*ARM, "--json")
    assert armed.data["limits"]["max_open_positions"] == 3, "the terms are those in force"
    assert now() is now(after_ms=HOUR_MS) is Permission.OPEN
    policy("risk.max_open_positions=1")
    assert now() is Permission.OPEN


# --- what arm refuses ------------------------------------------------------------------------------------------------


def _key_file(live: Rehearsal, mode: int, allowed: bool) -> None:
    file = live.home / "key.json"
    file.write_text(live.key.read_text())
    file.chmod(mode)
    live.presenting().configured(secrets__files_allowed=allowed)
    live.given["COINBASE_API_KEY_FILE"] = str(file)


def _garbage(live: Rehearsal) -> None:
    live.given["COINBASE_API_SECRET"] = live.given["COINBASE_API_SECRET"].replace("M", "N", 3)


def _other_key(live: Rehearsal) -> None:
    live.presenting(live.new_key("other"))


def _aged(live: Rehearsal, days: int) -> None:
    permits = Permits(live.state)
    (known,) = [fact for fact in permits.facts() if isinstance(fact, KeyActivated)]
    since = EpochMs(host_ms() - days * DAY_MS)
    permits.path.unlink()
    permits.append(KeyActivated(known.fingerprint, "", known.portfolio_uuid, since), since)


def _skewed(live: Rehearsal, skew_ms: int) -> None:
    for server in live.servers:
        server.skew_ms = skew_ms


def _silent(live: Rehearsal) -> None:
    live.servers[0].silent = live.servers[1].silent = True


def _killed(live: Rehearsal) -> None:
    """As it stands before a cycle has seen it: the row in the account's own database."""
    store = SqliteStore(live.state / "live.db", {"mode": "LIVE"}, "digest")
    store.append(0, 1, [HaltChanged(ARMED)])
    store.close()
    assert write_row(live.state / "live.db", "hacked")


def _halted(live: Rehearsal) -> None:
    store = SqliteStore(live.state / "live.db", {"mode": "LIVE"}, "digest")
    store.append(0, 1, [HaltChanged(Halt(HaltState.TRIPPED, "drawdown", EpochMs(1)))])
    store.close()


def _tampered(live: Rehearsal) -> None:
    assert live.inside(*ARM).code == 0
    path = Permits(live.state).path
    path.write_bytes(path.read_bytes().replace(b'"1000"', b'"9999"'))


REFUSED: dict[str, tuple[Callable[[Rehearsal], object], int, str]] = {
    "the mode is another": (lambda live: live.configured(mode="DRY_RUN"), 20, "the mode is DRY_RUN"),
    "the account is read only": (lambda live: live.configured(exchange__read_only=True), 20, "read_only is true"),
    "there is no key": (lambda live: live.presenting(), 11, "there is no key"),
    "half a key": (lambda live: live.given.pop("COINBASE_API_SECRET"), 11, "the key's secret is missing"),
    "a key that cannot sign": (_garbage, 11, "no private key that can sign"),
    "another key than the one in force": (_other_key, 11, "the key in force is"),
    "a file that is not allowed": (lambda live: _key_file(live, 0o600, False), 11, "does not allow keys in files"),
    "a file that others can read": (lambda live: _key_file(live, 0o644, True), 11, "can be read or changed by others"),
    "a key that is too old": (lambda live: _aged(live, 91), 11, "the key is 91 days old, and may be 90"),
    "a key that may transfer": (lambda live: live.sim.permit(can_transfer=True), 11, "may transfer money out"),
    "a key that may not trade": (lambda live: live.sim.permit(can_trade=False), 11, "it may not trade"),
    "a key that the venue does not know": (
        lambda live: live.sim.admin("keys", remove=json.loads(live.key.read_text())["name"]), 11, "key",
    ),
    "a clock that is behind": (lambda live: _skewed(live, 300), 12, "ms behind the time servers"),
    "a clock that nobody confirms": (_silent, 12, "the time is unknown"),
    "a venue in another time": (
        lambda live: live.sim.admin("faults", add=[{"kind": "clock_skew", "ms": -400}]), 12, "ahead of the venue",
    ),
    "a venue that is away": (
        lambda live: live.configured(exchange__venue_url="http://127.0.0.1:9"), 12, "the venue's time is unknown",
    ),
    "a host that is not the venue": (
        lambda live: live.configured(exchange__venue_url="https://venue.example"), 20, "nothing is signed for",
    ),
    "the kill file": (lambda live: (live.state / "KILL_SWITCH").touch(), 21, "kill file"),
    "a kill whose file was deleted": (_killed, 21, "killed: hacked"),
    "a halt": (_halted, 21, "the live account is TRIPPED (drawdown)"),
    "permits that were changed": (_tampered, 13, "were changed by another hand"),
    "a venue that is not the configured one": (lambda live: live, 20, "coinbase and --venue simulated"),
    "no amount": (lambda live: live, 2, "nothing could be traded with 0"),
    "no end": (lambda live: live, 2, "not a while of at most 31 days"),
}  # fmt: skip
WORDS = {
    "a venue that is not the configured one": (*ARM, "--venue", "simulated"),
    "no amount": ("arm", "--max-equity", "0", "--yes"),
    "no end": ("arm", "--max-equity", "5", "--expires", "32d", "--yes"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_arm_refuses_and_grants_nothing_and_shows_no_key(
    live: Rehearsal, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil, code, words = REFUSED[what]
    live.rotated()
    if spoil is _silent:
        monkeypatch.setattr("trader_core.ops.clock_drift.TIMEOUT_S", 0.5)
    spoil(live)
    before = [] if code == 13 else granted(live)
    done = live.inside(*WORDS.get(what, ARM), "--json")
    assert done.code == code, done.err
    assert words in done.err
    assert "Traceback" not in done.err
    assert (done.document["exit_code"], done.data["error"]["what"] in done.err) == (code, True)
    assert code == 13 or granted(live) == before == []
    unseen(live, done)
    live.sim.accept(live.key)


def test_a_file_only_its_owner_can_read_will_do_where_files_are_allowed(live: Rehearsal) -> None:
    live.configured(secrets__files_allowed=True).rotated()
    _key_file(live, 0o600, True)
    assert live.inside(*ARM).code == 0


def test_the_service_managers_credentials_come_first(live: Rehearsal) -> None:
    live.rotated()
    other = live.new_key("other")
    live.given["CREDENTIALS_DIRECTORY"] = str(other.parent)
    assert "the key in force is" in live.inside(*ARM).err
    live.given["CREDENTIALS_DIRECTORY"] = str(live.key.parent)
    assert live.presenting().inside(*ARM).code == 0


def test_a_key_near_its_end_is_armed_with_a_warning(live: Rehearsal) -> None:
    live.rotated()
    _aged(live, 84)
    done = live.inside(*ARM, "--json")
    assert done.code == 0
    assert done.document["warnings"] == ["the key is 84 days old; past 90 days it closes entries: rotate it"]


# --- asking ----------------------------------------------------------------------------------------------------------


def test_without_a_terminal_nobody_is_asked_and_nothing_is_armed(live: Rehearsal) -> None:
    live.rotated()
    done = live(*ARM[:-1])
    assert done.code == 2
    assert "there is no terminal to ask on" in done.err
    assert "this allows real money to be traded:" in done.err
    assert granted(live) == []


@pytest.mark.parametrize(("answer", "killed", "code"), [("\n", False, 20), ("y\n", False, 0), ("y\n", True, 21)])
def test_on_a_terminal_a_person_is_asked(live: Rehearsal, answer: str, killed: bool, code: int) -> None:
    """A kill that comes while the terms are read outranks the answer."""
    live.rotated()
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        [*START, *ARM[:-1]],
        cwd=live.home, env=live.environment, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, text=True,
    )  # fmt: skip
    os.close(theirs)
    told = ""
    while "Trade real money on these terms? [y/N]" not in told:
        told += os.read(ours, 65_536).decode()
    if killed:
        (live.state / "KILL_SWITCH").touch()
    os.write(ours, answer.encode())
    out, _ = running.communicate(timeout=60)
    told += os.read(ours, 65_536).decode()
    os.close(ours)
    assert running.returncode == code, told
    assert ("armed: real money may be traded" in out) == (code == 0)
    assert len(granted(live)) == (code == 0)


# --- disarm ----------------------------------------------------------------------------------------------------------


def test_disarm_needs_no_configuration_no_key_and_no_network(live: Rehearsal) -> None:
    live.rotated()
    assert live.inside(*ARM).code == 0
    (live.config / "app.yaml").write_text("nonsense: [")
    done = live.presenting().inside("disarm", "--reason", "enough")
    assert (done.code, done.err) == (0, "")
    assert [one.note for one in grants_of(Permits(live.state).facts())] == ["enough"]


def test_there_is_nothing_to_disarm_where_nothing_was_armed(live: Rehearsal) -> None:
    done = live.inside("disarm", "--json")
    assert (done.code, done.data["disarmed"]) == (0, False)
    assert not live.state.exists()


def test_nothing_is_loosened_by_a_clock_that_was_found_to_be_wrong(live: Rehearsal) -> None:
    """It would end by the true time: a clock that is a week ahead makes an hour of it a week."""
    loosen = ("policy", "set", "pacing.max_entries_per_day=999", "--reason", "for an hour", "--expires", "1h")
    _skewed(live, -7 * DAY_MS)
    assert live.inside("check-clock").code == 12
    done = live.inside(*loosen)
    assert (done.code, "trader check-clock" in done.err) == (12, True), done.out + done.err
    _skewed(live, 0)
    assert live.inside("check-clock").code == 0
    assert live.inside(*loosen).code == 0
