"""T16 and its kind: alerts arrive whatever becomes of those who take them and bring them, and no cycle waits."""

import shutil
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import pytest

from tests.alerts.receiver import TOKEN, Receiver
from tests.alerts.told import Teller, drained, environment
from tests.cli.program import Inside, Program
from tests.world import write_config
from trader_core.alerts.addresses import addresses
from trader_core.alerts.channels import beat
from trader_core.alerts.drain import BEAT_AGAIN_S, Drainer, retry_ms
from trader_core.alerts.outbox import Outbox
from trader_core.alerts.policy import Rules
from trader_core.bootstrap import open_system
from trader_core.domain.alert import Alarm, Severity
from trader_core.engine.cycle import CycleReport
from trader_core.engine.run import cycles
from trader_core.settings.options import Options

CONFIG = Path(__file__).parents[2] / "config"
RULES = Rules(60_000, 120_000, 1_800_000, Severity.INFO)
MINUTE_MS = 60_000


@pytest.fixture
def teller(tmp_path: Path) -> Iterator[Teller]:
    made = Teller(tmp_path)
    yield made
    made.end()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state with a cycle behind it, to be copied."""
    program = Program(tmp_path_factory.mktemp("account"))
    assert program.paper("run-cycle").code == 0
    return program.state


@pytest.fixture
def killed(teller: Teller, account: Path) -> Teller:
    """An account with a cycle behind it, and an order to stop in front of it."""
    shutil.copytree(account, teller.state)
    (teller.state / "KILL_SWITCH").touch()
    return teller


def an_alarm(subject: str = "BTC-USD", severity: Severity = Severity.WARNING) -> Alarm:
    return Alarm("losing_position", subject, severity, "it lost 5 %", None, "1 position", "its stop rests", "look")


@contextmanager
def refusing() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"json://127.0.0.1:{taken.getsockname()[1]}/{TOKEN}"


def test_a_cycle_starts_who_delivers_and_the_alert_says_all_that_it_must(killed: Teller, receiver: Receiver) -> None:
    done = killed.telling(receiver.url, TRADER_HEARTBEAT_URL=receiver.heartbeat).paper("run-cycle", "--json")
    assert done.code == 21
    assert receiver.wait(lambda one: one.took and one.beats)
    (alert,) = receiver.took
    assert alert["title"] == "CRITICAL trader PAPER kill"
    assert alert["type"] == "failure"
    lines = alert["message"].splitlines()
    assert lines[0] == "a kill is in force: kill file KILL_SWITCH exists"
    for part in ("since: ", "exposure now: no position worth 0.00 of 10,000.00 USD", "already done: ", "next: "):
        assert any(line.startswith(part) for line in lines), part
    assert receiver.beats == [f"/beat-{TOKEN}"], "the cycle itself is well"


def test_t16_who_answers_nobody_delays_no_cycle_and_is_asked_again(killed: Teller, receiver: Receiver) -> None:
    receiver.free.clear()
    assert killed.telling(receiver.url).paper("run-cycle").code == 21
    assert receiver.wait(lambda one: one.begun), "it was asked"
    held, alone = list[float](), list[float]()
    for _ in range(3):
        held.append(seconds_of_telling(killed, receiver.url))
        alone.append(seconds_of_telling(killed, ""))
    assert not receiver.took, "and has not answered all the time"
    assert median(held) - median(alone) < 0.05
    receiver.free.set()
    assert receiver.wait(lambda one: "CRITICAL trader PAPER kill" in one.titles)


def seconds_of_telling(teller: Teller, urls: str) -> float:
    """What the next cycle spends on telling, with these addresses in the environment."""
    took: list[float] = []
    options = Options(state=teller.state, config=CONFIG, mode="PAPER", venue="simulated")
    with environment(TRADER_ALERT_URLS=urls), open_system(options) as system:

        def tell(report: CycleReport, took_ms: int) -> None:
            began_s = time.monotonic()
            system.telling.cycle(report, took_ms)
            took.append(time.monotonic() - began_s)

        assert len(list(cycles(system.ports, system.policy, system.journal, lambda: False, 1, tell))) == 1
        assert system.telling.problem == ""
    return took[0]


def test_a_file_that_is_moved_away_beneath_a_loop_is_begun_anew(teller: Teller, account: Path) -> None:
    """As a person does who reads that it holds nothing else: the loop goes on telling where everybody looks."""
    shutil.copytree(account, teller.state)
    options = Options(state=teller.state, config=CONFIG, mode="PAPER", venue="simulated")
    with environment(TRADER_ALERT_URLS=""), open_system(options) as system:
        ended: list[int] = []
        tell = system.telling.cycle
        for report in cycles(system.ports, system.policy, system.journal, lambda: False, 2, tell):
            if not ended:
                for file in [*teller.state.glob("alerts.db*"), *teller.state.glob("telemetry.db*")]:
                    file.rename(teller.home / file.name)
                (teller.state / "KILL_SWITCH").touch()
            ended.append(report.cycle_id)
    alerts = teller.paper("alerts", "list", "--json").data["alerts"]
    assert [(one["code"], one["account"]) for one in alerts if one["code"] == "kill"] == [("kill", "PAPER")]
    assert "trader_kill_latch 1" in teller.paper("metrics").out


def test_a_kill_of_the_one_who_delivers_loses_nothing(killed: Teller, receiver: Receiver) -> None:
    with closing(Outbox(killed.state)) as outbox:
        outbox.tell("PAPER", [an_alarm("ETH-USD"), an_alarm("SOL-USD")], RULES, now_ms(), whole=False)
    receiver.free.clear()
    killed.telling(receiver.url).paper("run-cycle")
    assert receiver.wait(lambda one: one.begun)
    killed.end(signal.SIGKILL)
    receiver.free.set()
    killed.telling(receiver.url)("alerts", "drain", "--once", "--state", killed.state)
    wanted = {
        "CRITICAL trader PAPER kill",
        *(f"WARNING trader PAPER losing_position {one}-USD" for one in ("ETH", "SOL")),
    }
    assert wanted <= set(receiver.titles)
    assert all(receiver.titles.count(one) <= 2 for one in wanted), "once more, at most, what was under way"


def test_two_do_not_deliver_at_once_and_the_one_has_no_key(killed: Teller, receiver: Receiver) -> None:
    receiver.free.clear()
    keys = {"COINBASE_API_KEY": "organizations/1/apiKeys/2", "COINBASE_API_SECRET": "what nobody else must have"}
    killed.telling(receiver.url, **keys).paper("run-cycle")
    assert receiver.wait(lambda one: one.begun)
    has = Path(f"/proc/{killed.drainer()}/environ").read_text()
    assert "TRADER_ALERT_URLS=" in has and "COINBASE" not in has
    other = killed("alerts", "drain", "--state", killed.state, "--json")
    assert (other.code, other.data["another"]) == (0, True)
    receiver.free.set()
    assert receiver.wait(lambda one: one.took)
    assert receiver.begun == 1


@dataclass
class Scene:
    """An outbox, who drains it, and the time, which only a test moves."""

    outbox: Outbox
    at_ms: int = 1_700_000_000_000

    def drainer(self, *urls: str, urgent: tuple[str, ...] = (), timeout_s: float = 10.0) -> Drainer:
        return Drainer(self.outbox, addresses(urls, urgent, ""), RULES, timeout_s, lambda: self.at_ms)

    def drain(self, drainer: Drainer, after_ms: int = 0) -> None:
        self.at_ms += after_ms
        drainer.run(lambda _: time.sleep(0.01), lambda: False, linger_ms=0)

    def tell(self, *alarms: Alarm) -> None:
        self.outbox.tell("LIVE", alarms, RULES, self.at_ms, whole=True)


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with closing(Outbox(tmp_path)) as outbox:
        yield Scene(outbox)


def test_t16_what_a_dead_channel_does_not_take_waits_longer_each_time_and_the_others_have_it(
    scene: Scene, receiver: Receiver
) -> None:
    scene.tell(an_alarm())
    with refusing() as dead:
        drainer = scene.drainer(receiver.url, dead)
        scene.drain(drainer)
        assert receiver.titles == ["WARNING trader LIVE losing_position BTC-USD"]
        tries = [0]
        for after_ms in (4_999, 1, 9_999, 1, 19_999, 1):
            scene.drain(drainer, after_ms)
            tries.append(next(one.tries for one in scene.outbox.deliveries(1) if one.problem))
    assert tries == [0, 1, 2, 2, 3, 3, 4]
    assert len(receiver.took) == 1, "once is enough for who has taken it"
    assert [retry_ms(n) for n in (1, 2, 3, 9, 50)] == [5_000, 10_000, 20_000, 900_000, 900_000]


def test_a_channel_that_refuses_is_asked_again_and_what_it_said_is_kept(scene: Scene, receiver: Receiver) -> None:
    receiver.status = 503
    scene.tell(an_alarm())
    drainer = scene.drainer(receiver.url)
    scene.drain(drainer)
    (delivery,) = scene.outbox.deliveries(1)
    assert (delivery.tries, delivery.taken_ms) == (1, None)
    assert "503" in delivery.problem
    assert scene.outbox.stuck(scene.at_ms - 1) == 0
    assert scene.outbox.stuck(scene.at_ms) == 1
    receiver.status = 200
    scene.drain(drainer, 5_000)
    assert scene.outbox.stuck(scene.at_ms) == 0
    assert scene.outbox.waiting() == 0


def test_a_clock_that_went_back_keeps_no_try_away(scene: Scene, receiver: Receiver) -> None:
    """What is tried again in seconds would be in a day."""
    receiver.status = 503
    scene.tell(an_alarm())
    drainer = scene.drainer(receiver.url)
    scene.drain(drainer)
    receiver.status = 200
    scene.drain(drainer, -24 * 60 * MINUTE_MS)
    assert scene.outbox.waiting() == 0
    assert len(receiver.took) == 2


def test_a_slow_channel_holds_up_no_other_and_is_left_behind_in_time(scene: Scene, receiver: Receiver) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        slow = f"json://127.0.0.1:{silent.getsockname()[1]}/{TOKEN}"
        scene.tell(an_alarm())
        began_s = time.monotonic()
        scene.drain(scene.drainer(slow, receiver.url, timeout_s=0.5))
        assert time.monotonic() - began_s < 5
    assert len(receiver.took) == 1
    problems = {one.channel.partition("-")[0]: one.problem for one in scene.outbox.deliveries(1) if one.problem}
    assert len(problems) == 1


def test_two_minutes_later_it_goes_to_others_as_well_unless_somebody_has_it(scene: Scene, receiver: Receiver) -> None:
    urgent = receiver.url.replace(TOKEN, f"{TOKEN}-urgent")
    scene.tell(an_alarm("BTC-USD"), an_alarm("ETH-USD"))
    drainer = scene.drainer(receiver.url, urgent=(urgent,))
    scene.drain(drainer)
    assert len(receiver.took) == 2
    scene.outbox.acknowledge(2, scene.at_ms, "on it")
    scene.drain(drainer, 120_000)
    assert receiver.titles[2:] == ["CRITICAL trader LIVE losing_position BTC-USD"] * 2, "to both addresses"
    scene.tell()
    scene.drain(drainer)
    assert sorted(receiver.titles[4:]) == [
        "OVER CRITICAL trader LIVE losing_position BTC-USD", "OVER CRITICAL trader LIVE losing_position BTC-USD",
        "OVER WARNING trader LIVE losing_position ETH-USD",
    ]  # fmt: skip


def test_who_looks_for_what_is_to_be_sent_keeps_nobody_from_telling(scene: Scene) -> None:
    """Ten thousand messages for a channel that is down are looked at for longer than a cycle waits."""
    scene.outbox.tell("PAPER", [an_alarm()], RULES, scene.at_ms, whole=False)
    wanted = scene.outbox.jobs(["json-1"], [], scene.at_ms)
    with closing(sqlite3.connect(scene.outbox.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert [one.channel for one in wanted] == ["json-1"]
        assert scene.outbox.jobs(["json-1"], [], scene.at_ms) == wanted


def test_nothing_is_sent_that_nobody_took_for_a_day(scene: Scene, receiver: Receiver) -> None:
    scene.tell(an_alarm())
    for _ in range(25):
        scene.outbox.prune(scene.at_ms)
        scene.at_ms += 60 * MINUTE_MS
    assert scene.outbox.waiting() == 1
    scene.outbox.prune(scene.at_ms)
    assert scene.outbox.waiting() == 0


@pytest.mark.parametrize("hours", [25, 24 * 100])
def test_what_waits_is_still_sent_where_the_clock_was_set_forward(scene: Scene, receiver: Receiver, hours: int) -> None:
    """Or the machine was off: nobody had a day to take it."""
    scene.tell(an_alarm())
    receiver.status = 503
    scene.drain(scene.drainer(receiver.url))
    receiver.status = 200
    for after_ms in (hours * 60 * MINUTE_MS, 20 * MINUTE_MS):
        scene.at_ms += after_ms
        scene.outbox.prune(scene.at_ms)  # a cycle that has no address
    scene.drain(scene.drainer(receiver.url))
    assert len(receiver.took) == 2 and scene.outbox.waiting() == 0


def test_a_kill_is_told_of_though_no_cycle_runs(killed: Teller, receiver: Receiver) -> None:
    (killed.state / "KILL_SWITCH").unlink()
    done = killed.telling(receiver.url)("kill", "--state", killed.state, "--mode", "PAPER", "--reason", "a drill")
    assert done.code == 0
    assert receiver.wait(lambda one: one.took)
    assert receiver.titles == ["CRITICAL trader PAPER kill"]
    assert "no cycle has seen it yet: kill file KILL_SWITCH exists" in receiver.took[0]["message"]
    assert killed.paper("run-cycle").code == 21
    assert len(receiver.took) == 1, "the cycle says the same"


def test_where_nobody_is_to_be_told_a_cycle_forgets_what_is_old(killed: Teller) -> None:
    (killed.state / "KILL_SWITCH").unlink()
    with closing(sqlite3.connect(killed.state / "alerts.db", isolation_level=None)) as db:
        db.execute("INSERT INTO samples VALUES ('PAPER', 'calls', 1, 1, 0)")
        assert killed.paper("run-cycle").code == 0
        assert db.execute("SELECT count(*) FROM samples WHERE at_ms = 1").fetchone() == (0,)


# --- through the commands ---------------------------------------------------------------------------------------------


def test_an_outbox_that_is_locked_or_broken_is_70_and_the_cycle_is_done(killed: Teller) -> None:
    (killed.state / "KILL_SWITCH").unlink()
    with closing(sqlite3.connect(killed.state / "alerts.db", isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        locked = killed.paper("run-cycle", "--json")
    assert (locked.code, locked.document["exit_name"]) == (70, "ALERT_UNDELIVERED")
    assert locked.data["cycle"] == 2
    assert "alerts could not be told" in locked.err
    for name in ("alerts.db-wal", "alerts.db-shm"):
        (killed.state / name).unlink(missing_ok=True)
    (killed.state / "alerts.db").write_bytes(b"no database at all, and long enough to be seen as none" * 20)
    broken = killed.paper("run", "--cycles", "2", "--json")
    assert (broken.code, broken.data["cycles"]) == (70, 2)
    listed = killed("alerts", "list", "--state", killed.state)
    assert listed.code == 13
    assert "move" in listed.err


def test_what_reached_nobody_for_too_long_is_70(killed: Teller) -> None:
    with refusing() as dead:
        assert killed.telling(dead).paper("run-cycle").code == 21
        assert wait_for(lambda: tries_in(killed.state) >= 1)
        killed.end()
        with closing(sqlite3.connect(killed.state / "alerts.db", isolation_level=None)) as db:
            db.execute("UPDATE notices SET made_ms = made_ms - ?", (5 * MINUTE_MS,))
        done = killed.telling().paper("run-cycle")
    assert done.code == 70
    assert "1 alert has reached nobody for 5 min" in done.err


def test_a_heartbeat_that_fails_says_so_in_its_path_whatever_else_its_address_says(receiver: Receiver) -> None:
    assert beat(f"{receiver.heartbeat}/?rid=7&create=1", False) == "" == beat(f"{receiver.heartbeat}?rid=7", True)
    assert receiver.beats == [f"/beat-{TOKEN}/fail?rid=7&create=1", f"/beat-{TOKEN}?rid=7"]


def test_under_a_timer_nobody_waits_for_a_heartbeat_that_fails(killed: Teller) -> None:
    assert killed.telling("").paper("run-cycle").code == 21
    began_s = time.monotonic()
    with refusing() as dead:
        killed.telling("", TRADER_HEARTBEAT_URL=dead.replace("json:", "http:"))
        done = killed("alerts", "drain", "--once", "--state", killed.state)
    assert done.code == 70
    assert done.out.startswith("0 delivered, 1 try failed\n  heartbeat: ")
    assert time.monotonic() - began_s < BEAT_AGAIN_S


def test_a_start_that_fails_is_told_of_two_are_a_burst_and_a_good_one_ends_it(
    killed: Teller, account: Path, receiver: Receiver
) -> None:
    (killed.state / "KILL_SWITCH").unlink()
    state = killed.state / "paper.db"
    state.write_bytes(b"\0" * 4096)
    assert killed.paper("run-cycle").code == 13
    (killed.home / "bad").mkdir()
    options = ("--mode", "PAPER", "--venue", "simulated", "--config", killed.home / "bad", "--state", killed.state)
    assert killed("run", *options).code == 10
    done = drained(killed.home, killed.state, CONFIG, receiver, TRADER_HEARTBEAT_URL=receiver.heartbeat)
    assert done.data["delivered"] == 3
    assert receiver.titles == ["WARNING trader PAPER exception", "CRITICAL trader PAPER exception"]
    assert "paper.db" in receiver.took[0]["message"]
    assert "2 times within 5 min" in receiver.took[1]["message"]
    assert "no position worth 0.00 of 10,000.00 USD" in receiver.took[1]["message"], "as of the newest cycle"
    assert receiver.beats == [f"/beat-{TOKEN}/fail"]
    assert killed.paper("run-cycle", "--bogus").code == 2
    assert Outbox(killed.state).all(9)[0].alert.count == 2, "a mistake at the keyboard is none of its"
    shutil.copy(account / "paper.db", state)
    assert killed.paper("run-cycle").code == 0
    assert drained(killed.home, killed.state, CONFIG, receiver).data["delivered"] == 1
    assert receiver.titles[2:] == ["OVER CRITICAL trader PAPER exception"]


def test_test_says_of_each_channel_whether_it_works(tmp_path: Path, receiver: Receiver) -> None:
    program = Inside(tmp_path)
    with refusing() as dead:
        urls = f"{receiver.url} {dead} nonsense"
        with environment(TRADER_ALERT_URLS=urls, TRADER_HEARTBEAT_URL=receiver.heartbeat):
            done = program("alerts", "test", "--state", tmp_path, "--json")
            text = program("alerts", "test", "--state", tmp_path)
    assert done.code == text.code == 70
    found = {one["channel"].partition("-")[0]: one for one in done.data["channels"]}
    assert [one["ok"] for one in done.data["channels"]] == [True, False, False, True]
    assert found["heartbeat"]["ok"]
    assert "it is no address that Apprise knows" in text.out
    assert receiver.titles == ["INFO trader test"] * 2
    assert not any(TOKEN in one for one in (done.out, done.err, text.out, text.err))


def test_test_says_how_long_each_channel_took_whatever_the_others_do(tmp_path: Path, receiver: Receiver) -> None:
    write_config(tmp_path / "config", {"app.alerts.timeout_s": 2})
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it takes a connection and never says a word
        urls = f"json://127.0.0.1:{silent.getsockname()[1]}/{TOKEN} {receiver.url}"
        with environment(TRADER_ALERT_URLS=urls):
            done = Inside(tmp_path)("alerts", "test", "--json", "--config", tmp_path / "config")
    slow, quick = done.data["channels"]
    assert (done.code, slow["ok"], slow["ms"], quick["ok"]) == (70, False, 2_000, True)
    assert quick["ms"] < 2_000


def test_a_channel_that_leads_elsewhere_has_not_taken_a_message(scene: Scene, receiver: Receiver) -> None:
    """A redirect is followed with a GET, which is answered as well, and has no message in it."""
    receiver.moved = receiver.heartbeat
    scene.tell(an_alarm())
    drainer = scene.drainer(receiver.url)
    scene.drain(drainer)
    assert (drainer.done.delivered, receiver.beats, receiver.took) == (0, [], [])
    assert "302" in "".join(drainer.done.problems.values())
    receiver.moved = ""
    scene.drain(drainer, after_ms=retry_ms(1))
    assert drainer.done.delivered == 1


def test_what_is_no_address_is_a_secret_all_the_same(tmp_path: Path) -> None:
    with environment(TRADER_ALERT_URLS=f"{TOKEN} hooks.example/services/{TOKEN}"):
        done = Inside(tmp_path)("alerts", "test", "--state", tmp_path)
    assert done.code == 70
    assert done.out.count("it is no address that Apprise knows") == done.out.count("unknown-") == 2
    assert TOKEN[:6] not in done.out + done.err


def test_without_an_address_test_says_where_to_put_one(tmp_path: Path) -> None:
    done = Inside(tmp_path)("alerts", "test", "--state", tmp_path)
    assert done.code == 20
    assert "TRADER_ALERT_URLS" in done.err


def test_addresses_come_from_the_service_manager_first_and_are_never_seen(killed: Teller, receiver: Receiver) -> None:
    folder = killed.home / "credentials"
    folder.mkdir(mode=0o700)
    (folder / "alert_urls").write_text(f"{receiver.url}\n")
    (folder / "alert_urls").chmod(0o600)
    killed.telling("json://127.0.0.1:1/never-asked-at-all", CREDENTIALS_DIRECTORY=str(folder))
    done = killed.paper("run-cycle")
    assert receiver.wait(lambda one: one.took)
    killed.end()
    listed = killed("alerts", "list", "--all", "--state", killed.state, "--json")
    written = b"".join(one.read_bytes() for one in killed.state.iterdir() if one.is_file())
    assert TOKEN not in done.out + done.err + listed.out
    assert TOKEN.encode() not in written
    (alert,) = [one for one in listed.data["alerts"] if one["code"] == "kill"]
    assert [one["problem"] for one in alert["deliveries"]] == [""]
    (folder / "alert_urls").chmod(0o644)
    folder.chmod(0o755)
    exposed = killed.paper("run-cycle")
    assert exposed.code == 70
    assert "can be read by everybody" in exposed.err


def test_who_has_nobody_to_tell_waits_for_nothing(killed: Teller) -> None:
    killed.paper("run-cycle")
    began_s = time.monotonic()
    done = Inside(killed.home)("alerts", "drain", "--state", killed.state, "--json")
    assert (done.code, done.data["delivered"]) == (0, 0)
    assert time.monotonic() - began_s < 30, "it would wait three minutes"


def test_acknowledging_is_by_number_and_with_a_reason(killed: Teller) -> None:
    killed.paper("run-cycle")
    program = Inside(killed.home)
    done = program("alerts", "ack", "1", "--reason", "looking", "--state", killed.state, "--json")
    assert done.data["state"] == "acknowledged"
    assert program("alerts", "ack", "7", "--state", killed.state).code == 2
    text = program("alerts", "list", "--state", killed.state).out
    assert "acknowledged" in text and "a kill is in force" in text
    assert program("alerts", "ack", "1", "--state", killed.home / "elsewhere").code == 13


def tries_in(state: Path) -> int:
    with closing(sqlite3.connect(state / "alerts.db")) as db:
        return int(db.execute("SELECT coalesce(sum(tries), 0) FROM deliveries").fetchone()[0])


def wait_for(done: Callable[[], bool], seconds: float = 10.0) -> bool:
    until_s = time.monotonic() + seconds
    while not done() and time.monotonic() < until_s:
        time.sleep(0.02)
    return done()


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_all_lists_what_is_open_also_where_two_hundred_are_newer(tmp_path: Path) -> None:
    """Without --all it was there."""
    program = Inside(tmp_path)
    old, *newer = (an_alarm(f"C{n}-USD") for n in range(202))
    with closing(Outbox(program.state)) as outbox:
        outbox.tell("PAPER", [old], RULES, 1, whole=True)
        outbox.tell("LIVE", newer, RULES, 1, whole=True)
        outbox.tell("LIVE", [], RULES, 2 * MINUTE_MS, whole=True)
    for all_ in ((), ("--all",)):
        found = program("alerts", "list", *all_, "--state", program.state, "--json").data["alerts"]
        assert [one["account"] for one in found if one["subject"] == "C0-USD"] == ["PAPER"]
