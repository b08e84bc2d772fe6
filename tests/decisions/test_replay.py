"""Historic decisions, taken again on what they were taken from, come out to the byte; what would alter one is told."""

import json
import sqlite3
from pathlib import Path

import pytest

from tests.cli.program import Inside
from tests.decisions.conftest import YOUNG
from tests.scenarios.crash import AUGUST_2024, SHIPPED_POLICY, options_in
from tests.tampering import rewritten, unguarded
from tests.world import CONFIG, write_config
from trader_core.bootstrap import open_system
from trader_core.domain.facts import Decided, Fact
from trader_core.domain.inputs import digest_of, packed, unpacked
from trader_core.domain.values import replace
from trader_core.engine.run import cycles
from trader_core.settings.options import Options


def test_every_cycle_of_the_sample_market_is_decided_again_to_the_byte(lived: Inside) -> None:
    done = lived("replay", "--all", "--state", lived.state, "--json")
    assert done.code == 0
    assert (done.data["replayed"], done.data["identical"], done.data["without_inputs"]) == (96, 96, 0)
    assert "\n1 decision taken again, 1 identical" in lived("replay", "2", "--state", lived.state).out


def test_every_cycle_on_real_candles_is_decided_again_to_the_byte(tmp_path: Path) -> None:
    options = options_in(tmp_path, AUGUST_2024, "coinbase", SHIPPED_POLICY, {})
    for _ in range(2):
        with open_system(options) as system:
            assert len(list(cycles(system.ports, system.policy, system.journal, lambda: False, 12))) == 12
    done = Inside(tmp_path)("replay", "--all", "--state", tmp_path / "state", "--json")
    assert (done.code, done.data["identical"]) == (0, 24)


def test_a_replay_reads_only_also_while_the_account_is_in_use(young: Inside) -> None:
    options = Options(state=young.state, config=CONFIG, mode="PAPER", venue="simulated")
    with open_system(options):
        before = (young.state / "paper.db").read_bytes()
        assert young("replay", "--all", "--state", young.state).code == 0
        assert young("what-if", "--set", "risk.max_open_positions=1", "1", "--state", young.state).code == 0
        assert (young.state / "paper.db").read_bytes() == before


def test_a_decision_that_the_present_code_takes_otherwise_is_told_judgement_by_judgement(copied: Inside) -> None:
    """Here it is the record that is made to say something else, as another version's law would have."""
    at = 0

    def other(fact: Fact) -> Fact:
        nonlocal at
        at += isinstance(fact, Decided)
        if not isinstance(fact, Decided) or at != 3:
            return fact
        first, *rest = fact.judgements
        return replace(fact, digest="0" * 64, judgements=(replace(first, outcome="FRESHNESS", rows=()), *rest))

    rewritten(copied.state / "paper.db", other)
    done = copied("replay", "3", "--state", copied.state)
    assert done.code == 60
    assert "1 decision taken again, 0 identical to the byte, 1 other" in done.out
    assert "FRESHNESS ->" in done.out and "not asked ->" in done.out
    every = copied("replay", "--all", "--state", copied.state, "--json")
    assert every.code == 60 and every.data["identical"] == 5
    (differing,) = every.data["differing"]
    (judged,) = differing["altered"]
    assert differing["cycle"] == 3 and judged["verdict_before"] == "FRESHNESS"


def test_another_configuration_tells_which_historic_decisions_it_would_alter_and_how(
    young: Inside, tmp_path: Path
) -> None:
    other = tmp_path / "config"
    write_config(other, {"policy.risk.max_open_positions": 1})
    done = young("replay", "--all", "--config", other, "--state", young.state, "--json")
    assert done.code == 60 and done.data["differing"]
    changed = [one for each in done.data["differing"] for one in each["altered"]]
    lost = [one for one in changed if one["verdict_before"] == "OK" and one["verdict_after"] != "OK"]
    assert lost and all(one["lots_before"] > 0 == one["lots_after"] for one in lost)
    words = young("replay", "--all", "--config", other, "--state", young.state).out
    assert f"{lost[0]['symbol']}: OK -> {lost[0]['verdict_after']}, entry {lost[0]['lots_before']} -> 0 lots" in words
    same = young("replay", "--all", "--config", CONFIG, "--state", young.state)
    assert same.code == 0, "the policy that it was"


def of_other_keys(state: Path, cycles: int) -> None:
    """The first decisions as a version without one of today's keys recorded them."""
    db = sqlite3.connect(state)
    renamed = {}
    for seq, body in db.execute("SELECT seq, body FROM inputs ORDER BY seq LIMIT ?", (cycles,)).fetchall():
        inputs = unpacked(body)
        (text,) = db.execute("SELECT body FROM documents WHERE digest = ?", (inputs.policy,)).fetchone()
        policy = json.loads(text)
        del policy["policy"]["risk"]["max_open_positions"]
        older = json.dumps(policy)
        db.execute("INSERT OR IGNORE INTO documents (digest, body) VALUES (?, ?)", (digest_of(older), older))
        record = packed(replace(inputs, policy=digest_of(older)))
        renamed[digest_of(body)] = digest_of(record)
        unguarded(db).execute("UPDATE inputs SET body = ? WHERE seq = ?", (record, seq))
    db.commit()
    db.close()

    def named(fact: Fact) -> Fact:
        return replace(fact, inputs=renamed.get(fact.inputs, fact.inputs)) if isinstance(fact, Decided) else fact

    rewritten(state, named)


def test_decisions_under_the_keys_of_another_version_are_told_apart_and_no_damage(copied: Inside) -> None:
    of_other_keys(copied.state / "paper.db", 2)
    at = ("--state", copied.state)
    every = copied("replay", "--all", *at, "--json")
    assert (every.code, every.data["replayed"], every.data["other_settings"]) == (0, YOUNG - 2, 2)
    assert "2 decisions were taken under settings of another version" in str(every.document["warnings"])
    for words in (("replay", "1"), ("what-if", "--set", "risk.max_open_positions=1", "1")):
        done = copied(*words, *at)
        assert done.code == 13 and "cycle 1 was taken under settings of another version" in done.err
        assert "trader replay" in done.err and "--all --config DIR" in done.err
    assert copied("replay", "--all", "--config", CONFIG, *at, "--json").data["identical"] == YOUNG


def test_what_if_shows_the_gate_that_flips(young: Inside) -> None:
    words = ("--set", "risk.max_open_positions=1", "2", "--state", young.state)
    done = young("what-if", *words, "--json")
    assert done.code == 0 and done.data["edits"] == {"policy.risk.max_open_positions": "1"}
    flips = {it["gate"] for one in done.data["altered"] for it in one["gates"]}
    refused = {one["verdict_after"] for one in done.data["altered"] if one["verdict_before"] == "OK"}
    assert flips and refused
    said = young("what-if", *words).out
    assert "with policy.risk.max_open_positions = 1:" in said and all(f"gate {one}:" in said for one in flips)


def test_what_if_with_what_is_there_already_changes_nothing(young: Inside) -> None:
    done = young("what-if", "--set", "policy.cycle.base_bar_min=15", "2", "--state", young.state)
    assert (done.code, "the same to the byte" in done.out) == (0, True)


def test_what_if_asks_also_where_a_tightening_had_left_another_limit_without_a_meaning(copied: Inside) -> None:
    """The clash was taken with a warning then; one that the question itself makes is refused."""
    at = ("--state", copied.state)
    done = copied("policy", "set", "risk.max_total_at_risk_pct=3", "--reason", "a storm", *at)
    assert done.code == 0 and "above max_total_at_risk_pct" in done.err
    assert copied.paper("run-cycle").code == 0
    cycle = str(YOUNG + 1)
    assert copied("what-if", "--set", "risk.max_open_positions=1", cycle, *at).code == 0
    clash = copied("what-if", "--set", "risk.max_day_loss_pct=8", cycle, *at)
    assert clash.code == 10 and "max_day_loss_pct 8" in clash.err and "max_total_at_risk_pct" not in clash.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("replay",), 2, "say which cycle, or --all"),
        (("replay", "3", "--all"), 2, "say which cycle, or --all"),
        (("replay", "99"), 2, "cycle 99 took no decision"),
        (("what-if", "2"), 2, "nothing is altered"),
        (("what-if", "--set", "risk.max_open_positons=1", "2"), 2, "did you mean"),
        (("what-if", "--set", "risk.max_open_positions", "2"), 2, "no ="),
        (("what-if", "--set", "risk.max_open_positions=0", "2"), 10, "next: another value for --set"),
        (("what-if", "--set", "risk.max_open_positions=1", "99"), 2, "cycle 99 took no decision"),
        (("what-if", "--set", "cycle.base_bar_min=5", "2"), 2, "its candles were never read"),
    ],
)
def test_what_makes_no_sense_is_refused_in_words(words: tuple[str, ...], code: int, said: str, young: Inside) -> None:
    done = young(*words, "--state", young.state)
    assert (done.code, said in done.err) == (code, True), done.err
