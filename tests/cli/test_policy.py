"""`trader policy` as a person uses it, and what an account does under it: the production composition root, cycle by
cycle, in processes of their own."""

from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Done, Inside, Program
from tests.scenarios.scenes import RISE
from tests.world import START, World, outcomes
from trader_core.domain.clocktime import HOUR_MS, parse_utc, rfc3339
from trader_core.domain.facts import HaltChanged, PolicyApplied
from trader_core.domain.halt import tripped
from trader_core.kill.run import Wish, kill
from trader_core.rulebook.codes import Verdict

POSITIONS, DAY_LOSS = "policy.risk.max_open_positions", "policy.risk.max_day_loss_pct"


class Account:
    """A paper account of some candles, and the commands that a person types beside it."""

    def __init__(self, root: Path, program: type[Program] = Inside) -> None:
        self.world = World(root, restarts=program is Program).market(
            BTC=RISE, ETH=RISE, SOL=(*RISE, 106, 100, 100, 104, 106, 108)
        )
        self._program = program(root)

    def __call__(self, *words: str, code: int = 0) -> Done:
        at = ("--state", self.world.state, "--config", self.world.config, "--mode", "PAPER", "--venue", "simulated")
        done = self._program(*words, *at)
        assert done.code == code, done.err
        return done

    def within(self) -> None:
        """The commands in this process from here on: starting up is not the point any more."""
        self._program = Inside(self.world.root)

    def policy(self, *words: str, code: int = 0) -> Any:
        return self("policy", *words, "--json", code=code).data

    def key(self, name: str) -> dict[str, Any]:
        rows: list[dict[str, Any]] = self.policy("show", "--effective")["keys"]
        return next(one for one in rows if one["key"] == name)


@pytest.fixture
def account(tmp_path: Path) -> Account:
    made = Account(tmp_path)
    made.world.configured()
    return made


# --- what an account does under it -----------------------------------------------------------------------------------


def test_a_tightening_refuses_an_entry_at_the_next_cycle_survives_restarts_and_is_explained(tmp_path: Path) -> None:
    """In processes of their own: three coins rise at once, and after the change there is room for one."""
    account = Account(tmp_path, Program)
    account.world.configured()
    account.world.run(limit=1)
    told = account.policy("set", "risk.max_open_positions=1", "--reason", "a storm", "--user", "Ada")
    account.within()
    assert (told["version"], told["kind"]) == (2, "tightening")
    assert told["author"].endswith("(Ada)")
    reports = account.world.run()
    entered = [symbol for symbol in ("BTC-USD", "ETH-USD", "SOL-USD") if "OK" in outcomes(reports, symbol)]
    assert entered == ["BTC-USD"]
    refused = next(one for one in reports if "MAX_POSITIONS" in outcomes([one], "ETH-USD"))
    why = account("why", "ETH-USD", "--cycle", str(refused.cycle_id))
    assert "MAX_POSITIONS" in why.out and "open_positions" in why.out
    (gate,) = [one for one in account.world.why(refused.cycle_id, "ETH-USD").gates if one.gate == "open_positions"]
    assert (gate.verdict, gate.value, gate.limit) == (Verdict.MAX_POSITIONS.name, 2, 1)
    applied = [fact for fact in account.world.facts() if isinstance(fact, PolicyApplied)]
    assert [fact.version for fact in applied] == [2]
    assert applied[0].digest == account.policy("show")["digest"]


def test_without_the_tightening_all_three_enter(account: Account) -> None:
    reports = account.world.run()
    assert all("OK" in outcomes(reports, symbol) for symbol in ("BTC-USD", "ETH-USD", "SOL-USD"))
    assert not [fact for fact in account.world.facts() if isinstance(fact, PolicyApplied)]


@pytest.mark.parametrize(("minutes", "entered"), [(30, False), (45, True)])
def test_a_loosening_is_gone_at_its_minute(account: Account, minutes: int, entered: bool) -> None:
    """Entries are shut by a limit of the files and let in until a moment: the coins rise in the cycle of 01:30."""
    account.world.configured(policy__sizing__min_notional_quote=100_000)
    account.world.run(limit=1)
    until = rfc3339(parse_utc(START) + HOUR_MS + minutes * 60_000)
    told = account.policy("set", "sizing.min_notional_quote=10", "--reason", "a look", "--expires", until)
    assert told["kind"] == "loosening"
    reports = account.world.run()
    assert ("OK" in outcomes(reports, "BTC-USD")) == entered
    refused = next(one for one in reports if "MIN_NOTIONAL" in outcomes([one], "BTC-USD")) if not entered else None
    if refused:
        (gate,) = [one for one in account.world.why(refused.cycle_id, "BTC-USD").gates if one.gate == "min_notional"]
        assert gate.limit == 100_000
    versions = [(fact.version, fact.at_ms) for fact in account.world.facts() if isinstance(fact, PolicyApplied)]
    assert [version for version, _ in versions] == [2, 2], "what is in force changed twice: by a person, and by time"
    assert rfc3339(versions[1][1]) == until
    assert not account.policy("show")["keys"] or account.key("policy.sizing.min_notional_quote")["binds"] == "written"


def test_where_the_store_cannot_be_read_entries_are_refused_and_a_cycle_ends_with_20(account: Account) -> None:
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=4", "--reason", "a drill")
    account("run-cycle", "--data", str(account.world.data))
    for name in ("paper.policy.db", "paper.policy.json"):
        (account.world.state / name).write_text("?")
    done = account("run-cycle", "--data", str(account.world.data), "--json", code=20)
    assert any("the policy was not read for more than 600 s" in one for one in done.data["objections"])
    assert any("policy store cannot be read" in one for one in done.document["warnings"])
    status = account("status", "--json")
    assert status.data["policy"] is None and "entries are refused" in status.document["warnings"][0]
    assert account("policy", "show", code=13).err.startswith("trader: the policy store cannot be read")


# --- set, profile, rollback ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["risk.max_open_positoins=2"], 2, "did you mean max_open_positions?"),
        (["max_open_positions=2"], 2, "did you mean policy.risk.max_open_positions?"),
        (["nonsense=2"], 2, "nonsense is not a known key"),
        (["risk.max_open_positions=51"], 2, "policy.risk.max_open_positions is 51, outside 1 to 50"),
        (["risk.max_open_positions=1.5"], 2, "must be a whole number"),
        (["risk.max_open_positions=5"], 2, "policy.risk.max_open_positions is 5 already"),
        ([f"risk.max_open_positions={'1' * 5_000}"], 2, "has more than 40 characters"),
        (["risk.max_open_positions"], 2, "'risk.max_open_positions' is no KEY=VALUE"),
        (["risk.max_open_positions=1", "risk.max_open_positions=2"], 2, "second value of that key"),
        (["risk.max_open_positions=1", "policy.risk.max_open_positions=2"], 2, "second value of that key"),
        (["cycle.base_bar_min=5"], 2, "policy.cycle.base_bar_min cannot be changed here"),
        (["app.mode=LIVE"], 2, "app.mode cannot be changed here"),
        (["signals.guards.outlier_deviation_pct=5"], 2, "outlier_deviation_pct cannot be changed here"),
        (["signals.guards.outlier_volume_pct=100"], 2, "outlier_volume_pct cannot be changed here"),
        (["universe.never_trade=X"], 2, "universe.never_trade is a list, not a single value"),
        (["profile=BRAVE"], 2, "policy.profile must be"),
        (["risk.max_open_positions=9"], 2, "this loosens policy.risk.max_open_positions, which needs an end"),
        (["risk.max_open_positions=9", "--expires", "32d"], 2, "at most 31 days"),
        (["risk.max_open_positions=9", "--expires", "2024-01-01"], 2, "is not within 31 days after"),
        (["risk.max_open_positions=9", "--expires", "2099-01-01"], 2, "is not within 31 days after"),
        (["risk.max_open_positions=9", "--expires", "2024-13-01"], 2, "--expires"),
        (["risk.max_open_positions=2", "--expires", "1h"], 2, "a tightening has no end"),
        (["risk.max_open_positions=2", "--expect-version", "7"], 22, "POLICY_CONFLICT"),
        (["risk.max_total_at_risk_pct=26", "risk.max_day_loss_pct=50", "risk.max_week_loss_pct=20",
          "--expires", "1h"], 10, "not below max_week_loss_pct"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_changes_nothing(account: Account, words: list[str], code: int, said: str) -> None:
    account.world.run(limit=1)
    done = account("policy", "set", *words, "--reason", "a test", code=code)
    assert said in done.err
    assert account.policy("show")["version"] == 1


def test_values_that_do_not_go_together_are_no_fault_of_the_files(account: Account) -> None:
    account.world.run(limit=1)
    loose = ("policy", "set", "risk.max_week_loss_pct=20", "risk.max_day_loss_pct=50", "--reason", "a test")
    done = account(*loose, "--expires", "1h", code=10)
    assert "mend the lines above" not in done.err and "next: other values" in done.err


def test_a_reason_must_say_something(account: Account) -> None:
    account.world.run(limit=1)
    assert "the reason is empty" in account("policy", "set", "risk.max_open_positions=2", "--reason", " ", code=2).err


def test_a_tightening_that_makes_limits_meaningless_is_taken_with_a_warning(account: Account) -> None:
    account.world.run(limit=1)
    done = account("policy", "set", "risk.max_total_at_risk_pct=1", "--reason", "out of here", "--json")
    assert any("max_per_asset_pct 10 is above max_total_at_risk_pct 1" in one for one in done.document["warnings"])


def test_nothing_is_loosened_while_the_halt_machine_is_not_armed(account: Account) -> None:
    account.world.run(limit=1)
    book = account.world.run(limit=1)[-1].book
    account.world.tell(HaltChanged(tripped(book.halt, "a drill", book.closed_ms)))
    loosen = ("policy", "set", "risk.max_open_positions=9", "--reason", "more", "--expires", "1h")
    assert "cannot be loosened: the halt machine is TRIPPED" in account(*loosen, code=21).err
    assert account.policy("set", "risk.max_open_positions=3", "--reason", "less")["version"] == 2
    account("halt", "reset", "--user", "me", "--reason", "the drill is over", "--force")
    assert account.policy(*loosen[1:])["version"] == 3
    (account.world.state / "KILL_SWITCH").touch()
    assert "cannot be loosened" in account("policy", "set", "risk.max_open_positions=10", *loosen[3:], code=21).err


def test_nothing_is_loosened_under_a_kill_whose_file_was_deleted(account: Account) -> None:
    """No cycle has seen it yet: only the row in the account's own database says so."""
    account.world.run(limit=1)
    assert kill(Wish(str(account.world.state), offline="PAPER", reason="hacked"), lambda _: None).exit_code == 0
    (account.world.state / "KILL_SWITCH").unlink()
    loosen = ("policy", "set", "risk.max_open_positions=9", "--reason", "more", "--expires", "1h")
    assert "cannot be loosened: killed: hacked" in account(*loosen, code=21).err


def test_an_account_without_a_time_takes_tightenings_alone(account: Account) -> None:
    assert account.policy("set", "risk.max_open_positions=2", "--reason", "shy")["time"] is None
    done = account("policy", "set", "risk.max_open_positions=3", "--reason", "bold", "--expires", "1h", code=20)
    assert "has no time of its own" in done.err
    account.world.run(limit=1)
    assert account.key(POSITIONS)["effective"] == 2


def test_status_shows_what_is_looser_until_it_lapses(account: Account) -> None:
    account.world.run(limit=1)
    assert "as written, DEFENSIVE" in account("status").out
    made = account("policy", "set", "risk.max_open_positions=9", "--reason", "room", "--expires", "20m")
    assert "looser, until" in made.out and "trader arm" not in made.out, "no grant is of a paper account"
    shown = account("status")
    assert (
        "version 2, DEFENSIVE" in shown.out and "LOOSER risk.max_open_positions 9 until 2024-03-04T01:20" in shown.out
    )
    (loosened,) = account("status", "--json").data["policy"]["loosened"]
    assert (loosened["key"], loosened["until"]) == ("policy.risk.max_open_positions", "2024-03-04T01:20:00Z")
    assert "LOOSENED POLICY" in account("status", "--oneline").out
    account.world.run(limit=2)
    assert "LOOSER" not in account("status").out
    assert account("status", "--json").data["policy"] == {"version": 2, "profile": "DEFENSIVE", "loosened": []}


@pytest.mark.parametrize(("lasts", "in_vain"), [("14m", True), ("15m", True), ("16m", False)])
def test_a_loosening_that_is_over_before_the_next_decision_says_so(account: Account, lasts: str, in_vain: bool) -> None:
    """The newest one was at 01:00, and a bar is a quarter of an hour."""
    account.world.run(limit=1)
    done = account("policy", "set", "risk.max_open_positions=9", "--reason", "room", "--expires", lasts)
    assert ("the next decision is at 2024-03-04T01:15:00Z, and by then it is over" in done.err) == in_vain, done.err
    account.world.run(limit=1)
    assert (account.key(POSITIONS)["binds"] == "written") == in_vain


def test_each_decision_tells_under_which_policy_it_was_taken(account: Account) -> None:
    """As written, under a loosening for one cycle, as written again, and under a tightening."""
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=9", "--reason", "room", "--expires", "16m")
    account.world.run(limit=2)
    account.policy("set", "risk.max_open_positions=2", "--reason", "a storm")
    account.world.run(limit=1)
    shown: list[Any] = [account("decisions", "show", str(n), "--json").document["data"][0] for n in (1, 2, 3, 4)]
    assert len({one["config_digest"] for one in shown}) == 1
    as_written = [one["policy_digest"] == one["config_digest"] for one in shown]
    assert (as_written, [one["policy_version"] for one in shown]) == ([True, False, True, False], [1, 2, 2, 3])
    assert f"version 3, {shown[3]['policy_digest']}" in " ".join(account("decisions", "show", "4").out.split())


def test_a_bolder_profile_ends_and_is_clipped_and_spot_has_no_leverage(account: Account) -> None:
    """V23: AGGRESSIVE asks for a leverage of 50."""
    account.world.configured(policy__profiles__AGGRESSIVE__max_open_positions=50)
    account.world.run(limit=1)
    assert "needs an end" in account("policy", "profile", "AGGRESSIVE", "--reason", "brave", code=2).err
    account.policy("profile", "aggressive", "--reason", "brave", "--expires", "1h")
    shown = account.policy("show", "--effective")
    assert shown["profile"] == "AGGRESSIVE"
    leverage = account.key("policy.profiles.AGGRESSIVE.max_leverage_ratio")
    assert (leverage["profile"], leverage["effective"], leverage["binds"]) == (50.0, 1, "spot")
    assert "profile AGGRESSIVE: max_leverage_ratio 50 is clipped to 1: on spot nobody lends" in shown["notes"]
    assert "profile AGGRESSIVE: max_open_positions 50 is clipped to 5 by risk.max_open_positions" in shown["notes"]
    stop = account.key("policy.risk.max_stop_loss_pct")
    assert (stop["effective"], stop["binds"]) == (5, "profile")
    account.policy("profile", "CAUTIOUS", "--reason", "shy")
    assert account.policy("show")["profile"] == "CAUTIOUS", "at once, and for good"


def test_a_limit_that_is_moved_under_a_tighter_profile_is_told_to_change_nothing_yet(account: Account) -> None:
    account.world.configured(policy__profiles__CAUTIOUS__max_open_positions=2, policy__profile="CAUTIOUS")
    account.world.run(limit=1)
    stays = f"{POSITIONS} stays 2 in force: profile CAUTIOUS is tighter"
    for words, told in ((("=4",), [stays]), (("=5", "--expires", "1h"), [stays]), (("=1",), [])):
        value, *more = words
        done = account("policy", "set", f"risk.max_open_positions{value}", "--reason", "a test", *more, "--json")
        assert done.document["warnings"] == told
    assert account.key(POSITIONS)["effective"] == 1


def test_the_profile_tightens_what_risk_allows(account: Account) -> None:
    account.world.configured(policy__profiles__CAUTIOUS__max_open_positions=2, policy__profile="CAUTIOUS")
    reports = account.world.run()
    assert max(len(one.book.watched) for one in reports) == 2
    assert (account.key(POSITIONS)["effective"], account.key(POSITIONS)["binds"]) == (2, "profile")
    limits = account("validate-config", "--json").data["limits"]
    assert limits["max_open_positions"] == 2


@pytest.mark.parametrize("edited", [2, 4, 9])
def test_what_is_written_tighter_under_a_loosening_is_as_written(account: Account, edited: int) -> None:
    """5 are written, 8 are allowed for a while, and somebody edits the file."""
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=8", "--reason", "room", "--expires", "20m")
    assert account.key(POSITIONS)["effective"] == 8
    account.world.configured(policy__risk__max_open_positions=edited)
    row = account.key(POSITIONS)
    assert (row["effective"], row["binds"]) == (edited, "written")
    account.policy("set", "risk.max_open_positions=1", "--reason", "a storm")
    account.policy("set", "risk.max_open_positions=2", "--reason", "over", "--expires", "20m")
    account.world.configured(policy__risk__max_open_positions=edited - 1)
    assert account.key(POSITIONS)["effective"] == min(2, edited - 1), "what was loosened is no more than is written"


def test_a_loosening_is_prolonged_at_the_value_that_it_has(account: Account) -> None:
    """As a loosening: it wants an end, and an armed halt machine. A tightening ends it sooner."""
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=8", "--reason", "room", "--expires", "20m")
    again = ("set", "risk.max_open_positions=8", "--reason", "still room")
    assert "needs an end" in account("policy", *again, code=2).err
    for lasts in ("20m", "16m"):
        sooner = account("policy", *again, "--expires", lasts, code=2)
        assert f"{POSITIONS} is 8 until 2024-03-04T01:20:00Z already" in sooner.err
    told = account.policy(*again, "--expires", "31m")
    assert (told["kind"], told["changes"][0]["before"], told["changes"][0]["value"]) == ("loosening", "8", "8")
    row = account.key(POSITIONS)
    assert (row["effective"], row["binds"], row["version"], row["until"]) == (8, "loosened", 3, "2024-03-04T01:31:00Z")
    (account.world.state / "KILL_SWITCH").touch()
    assert "cannot be loosened" in account("policy", *again, "--expires", "2h", code=21).err
    (account.world.state / "KILL_SWITCH").unlink()
    for effective in (8, 8, 5):
        account.world.run(limit=1)
        assert account.key(POSITIONS)["effective"] == effective
    assert "is 5 already" in account("policy", "set", "risk.max_open_positions=5", "--reason", "as it is", code=2).err


def test_what_is_left_of_a_loosening_is_shown_until_it_lapses(account: Account) -> None:
    """5 are written: what a tightening, and then the file, leaves of 8 is still more than will be allowed again."""
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=8", "--reason", "room", "--expires", "20m")
    account.policy("set", "risk.max_open_positions=7", "--reason", "a little less")
    row = account.key(POSITIONS)
    assert (row["effective"], row["binds"], row["version"], row["store"]) == (7, "loosened", 3, 7)
    assert row["until"] == "2024-03-04T01:20:00Z"
    assert "LOOSER risk.max_open_positions 7 until 2024-03-04T01:20" in account("status").out
    account.policy("set", "risk.max_open_positions=2", "--reason", "a storm")
    assert account.key(POSITIONS)["binds"] == "store"
    account.policy("set", "risk.max_open_positions=5", "--reason", "over", "--expires", "20m")
    account.world.configured(policy__risk__max_open_positions=4)
    row = account.key(POSITIONS)
    assert (row["effective"], row["binds"], row["until"]) == (4, "loosened", "2024-03-04T01:20:00Z")
    account.world.run(limit=2)
    assert (account.key(POSITIONS)["effective"], account.key(POSITIONS)["binds"]) == (2, "store")
    assert "LOOSER" not in account("status").out


def test_a_loosening_of_which_the_profile_leaves_a_part_is_shown_until_it_lapses(account: Account) -> None:
    """4 are written, 9 are allowed for a while, and the profile has no more than 6."""
    edits: dict[str, Any] = {"policy__risk__max_open_positions": 4, "policy__profiles__CAUTIOUS__max_open_positions": 6}
    account.world.configured(policy__profile="CAUTIOUS", **edits).run(limit=1)
    account.policy("set", "risk.max_open_positions=9", "--reason", "room", "--expires", "20m")
    row = account.key(POSITIONS)
    assert (row["effective"], row["binds"], row["until"]) == (6, "profile", "2024-03-04T01:20:00Z")
    assert "LOOSER risk.max_open_positions 6 until 2024-03-04T01:20" in account("status").out
    assert account("validate-config", "--json").data["limits"]["max_open_positions"] == 6
    account.world.run(limit=2)
    row = account.key(POSITIONS)
    assert (row["effective"], row["binds"], row["until"]) == (4, "written", None)
    assert "LOOSER" not in account("status").out


def test_what_is_tightened_beside_a_loosening_lasts_longer_than_that(account: Account) -> None:
    """One change of two keys: only what it allows more of has an end."""
    account.world.run(limit=1)
    both = ("risk.max_open_positions=8", "risk.max_day_loss_pct=1")
    account.policy("set", *both, "--reason", "more of them, and careful", "--expires", "20m")
    assert [account.key(one)["effective"] for one in (POSITIONS, DAY_LOSS)] == [8, 1]
    account.world.run(limit=2)
    assert [account.key(one)["effective"] for one in (POSITIONS, DAY_LOSS)] == [5, 1]


def test_a_change_of_which_no_second_copy_can_be_written_says_so(account: Account) -> None:
    account.world.run(limit=1)
    (account.world.state / "paper.policy.json.new").mkdir()
    done = account("policy", "set", "risk.max_open_positions=2", "--reason", "a storm", "--json")
    (told,) = done.document["warnings"]
    assert "the policy's backup" in told and "cannot be written" in told
    assert account.key(POSITIONS)["effective"] == 2


def test_everything_that_looks_at_a_damaged_store_says_so(account: Account) -> None:
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=2", "--reason", "a storm")
    (account.world.state / "paper.policy.db").write_bytes(b"what is this?")
    looks = ("policy show", "policy history", "policy diff 1 2", "status", "validate-config", "queue list",
             "size calc --equity 10000 --conviction-pct 70 --stop-pct 5")  # fmt: skip
    for words in looks:
        told = account(*words.split(), "--json").document["warnings"]
        assert any("the policy is read from paper.policy.json" in one for one in told), words
    assert account.key(POSITIONS)["effective"] == 2


def test_history_diff_and_rollback(account: Account) -> None:
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=2", "risk.max_day_loss_pct=1", "--reason", "a storm")
    account.policy("set", "risk.max_open_positions=4", "--reason", "it passes", "--expires", "6h")
    versions = account.policy("history")["versions"]
    assert [(one["version"], one["kind"], one["reason"]) for one in versions] == [
        (2, "tightening", "a storm"), (3, "loosening", "it passes"),
    ]  # fmt: skip
    assert "max_open_positions: 5 -> 2, tighter" in account("policy", "history").out
    changes = account.policy("diff", "1", "3", "--risk")["changes"]
    assert {one["key"]: one["way"] for one in changes} == {
        "risk.max_open_positions": "tighter", "risk.max_day_loss_pct": "tighter",
    }  # fmt: skip
    assert account.policy("diff", "2", "3")["changes"][0]["way"] == "looser"
    assert "there is no version 9" in account("policy", "diff", "1", "9", code=2).err
    back = account.policy("rollback", "2", "--reason", "it does not")
    assert (back["version"], back["kind"]) == (4, "tightening")
    assert account.key(POSITIONS)["effective"] == 2
    assert "needs an end" in account("policy", "rollback", "1", "--reason", "as it was", code=2).err
    assert account.policy("rollback", "1", "--reason", "as it was", "--expires", "1h")["kind"] == "loosening"
    assert account.key(POSITIONS)["effective"] == 5
    assert "is in force now" in account("policy", "rollback", "1", "--reason", "again", "--expires", "1h", code=2).err


def test_a_rollback_leaves_out_what_the_files_no_longer_have(account: Account) -> None:
    """A theme was tightened, and then taken out of the files."""
    account.world.configured(policy__risk__max_per_theme_pct={"LAYER1": 50, "MEME": 50, "OTHER": 50},
                             universe__themes={"LAYER1": ["BTC", "ETH", "SOL"], "MEME": ["DOGE"]})  # fmt: skip
    account.world.run(limit=1)
    both = ("risk.max_per_theme_pct.MEME=20", "risk.max_open_positions=2")
    account.policy("set", *both, "--reason", "no jokes")
    account.world.configured(policy__risk__max_per_theme_pct={"LAYER1": 50, "OTHER": 50},
                             universe__themes={"LAYER1": ["BTC", "ETH", "SOL"]})  # fmt: skip
    back = account.policy("rollback", "1", "--reason", "as it was", "--expires", "1h")
    assert [(one["key"], one["value"]) for one in back["changes"]] == [(POSITIONS, "5")]


def test_what_looks_at_the_configuration_shows_what_is_in_force(account: Account) -> None:
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=2", "--reason", "a storm")
    checked = account("validate-config", "--json").data
    assert checked["limits"]["max_open_positions"] == 2
    assert [one["key"] for one in checked["policy"]] == [POSITIONS]
    page = account("validate-config", "--effective").out
    (line,) = [one for one in page.splitlines() if "policy store, version 2" in one]
    assert line.split() == ["max_open_positions:", "2", "#", "policy", "store,", "version", "2"]
    preview = account("preview", "--data", str(account.world.data), "--json")
    assert preview.code == 0


def test_a_size_is_calculated_by_what_is_in_force(account: Account) -> None:
    """Where nobody can read the store it is by what is written, and says so."""
    account.world.run(limit=1)
    words = ("size", "calc", "--equity", "10000", "--conviction-pct", "70", "--stop-pct", "5", "--json")
    before = account(*words).data["notional"]
    account.policy("set", "sizing.max_position_quote=50", "--reason", "small steps")
    assert account(*words).data["notional"] == "50"
    for name in ("paper.policy.db", "paper.policy.json"):
        (account.world.state / name).write_text("?")
    lost = account(*words)
    assert lost.data["notional"] == before and "policy store cannot be read" in lost.document["warnings"][0]


def test_who_waits_for_a_slot_is_told_until_when_by_what_is_in_force(account: Account) -> None:
    account.world.configured(policy__risk__max_open_positions=1, policy__risk__max_slot_wait_min=600)
    account.world.run(limit=3)
    (first, *_) = account("queue", "list", "--json").data["waiting"]
    assert parse_utc(first["until"]) - parse_utc(first["since"]) == 10 * HOUR_MS
    account.policy("set", "risk.max_slot_wait_min=60", "--reason", "no old hats")
    (first, *_) = account("queue", "list", "--json").data["waiting"]
    assert parse_utc(first["until"]) - parse_utc(first["since"]) == HOUR_MS


def test_each_account_has_a_policy_of_its_own(account: Account) -> None:
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=2", "--reason", "a storm")
    other = ("--state", account.world.state, "--config", account.world.config, "--mode", "LIVE", "--json")
    assert Inside(account.world.root)("policy", "show", *map(str, other)).data["version"] == 1


def test_of_two_accounts_the_newest_is_shown_as_everywhere_and_none_is_changed_unnamed(account: Account) -> None:
    account.world.run(mode="DRY_RUN", limit=1)
    account.world.run(limit=1)
    account.policy("set", "risk.max_open_positions=2", "--reason", "a storm")
    program, given = Inside(account.world.root), ("--state", account.world.state, "--config", account.world.config)
    status = program("status", "--json", *given).data
    shown = program("policy", "show", "--json", *given).data
    assert (shown["mode"], shown["version"]) == (status["mode"], status["policy"]["version"]) == ("PAPER", 2)
    unnamed = program("policy", "set", "risk.max_open_positions=1", "--reason", "a storm", *given)
    assert unnamed.code == 2 and "say which one" in unnamed.err


def test_where_the_files_are_of_real_money_no_other_account_is_changed_unnamed(account: Account) -> None:
    """Who is about to begin it would tighten the dry run."""
    account.world.run(mode="DRY_RUN", limit=1)
    account.world.configured(app__mode="LIVE")
    program, given = Inside(account.world.root), ("--state", account.world.state, "--config", account.world.config)
    words = ("policy", "set", "risk.max_open_positions=1", "--reason", "a storm", "--json", *given)
    unnamed = program(*words)
    assert unnamed.code == 2 and "LIVE" in unnamed.err and "say which one" in unnamed.err
    for mode in ("DRY_RUN", "LIVE"):
        assert program(*words, "--mode", mode).data["mode"] == mode
    assert program("policy", "show", "--json", *given).data["mode"] == "DRY_RUN", "a look is at the newest there is"
