"""validate-config and config diff: what the five files say, what follows from them, and what differs."""

import json
import shlex
import shutil
from decimal import Decimal
from pathlib import Path

import pytest

from tests.cli.program import ROOT, AtHome, Done, Program

TIMES = "\N{MULTIPLICATION SIGN}"
WIDTH = 80


@pytest.fixture
def program(tmp_path: Path) -> AtHome:
    return AtHome(tmp_path)


@pytest.fixture
def config(program: Program) -> Path:
    """A private copy of the shipped configuration, found without being named."""
    return Path(shutil.copytree(ROOT / "config", program.home / "config"))


def replace(config: Path, name: str, old: str, new: str) -> None:
    path = config / f"{name}.yaml"
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))


def narrow(done: Done) -> bool:
    """In a terminal; a directory may be as long as it is."""
    return max(len(line) for line in done.out.splitlines() if not line.startswith("# directory")) <= WIDTH


# --- validate-config -------------------------------------------------------------------------------------------------


def test_the_shipped_configuration_is_valid_and_warns_of_nothing(program: Program) -> None:
    done = program("validate-config")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("configuration is valid\n")
    assert program("validate-config", "--json").document["warnings"] == []


@pytest.mark.parametrize("name", ["", "policy.yaml"])
def test_what_everybody_may_change_is_warned_of(program: Program, config: Path, name: str) -> None:
    place = config / name
    place.chmod(place.stat().st_mode | 0o002)
    done = program("validate-config", "--json")
    (warning,) = done.document["warnings"]
    assert done.code == 0 and warning == f"{place} can be changed by everybody: chmod o-w {place}"
    checks = {one["name"]: one for one in program("doctor", "--state", program.state, "--json").data["checks"]}
    assert checks["configuration"]["status"] == "WARN" and warning in checks["configuration"]["detail"]
    config.chmod(0o1777)
    assert name or program("validate-config", "--json").document["warnings"] == [], "a sticky folder is as good"


def test_positions_are_told_as_the_profile_makes_them(program: Program, config: Path) -> None:
    replace(config, "policy", "profile: DEFENSIVE", "profile: CAUTIOUS")
    limits = program("validate-config", "--json").data["limits"]
    assert [limits[f"position_tier_{tier}_pct"] for tier in (1, 2, 3)] == [1.5, 1.0, 0.35]


def test_a_limit_that_can_never_bind_is_a_warning_and_no_error(program: Program, config: Path) -> None:
    replace(config, "policy", "max_tier_1_pct: 20", "max_tier_1_pct: 30")
    what = "risk.max_tier_1_pct 30 can never bind: risk.max_total_at_risk_pct is 25"
    done = program("validate-config")
    assert (done.code, done.err) == (0, f"warning: {what}\n")
    assert program("validate-config", "--json").document["warnings"] == [what]


def test_the_hint_checks_the_configuration_that_was_named(program: Program) -> None:
    other = Path(shutil.copytree(ROOT / "config", program.home / "my other"))
    replace(other, "policy", "max_open_positions: 6", "max_open_positions: many")
    done = program("backtest", "--config", "my other")
    assert done.code == 10
    hint = shlex.split(done.err.partition("then: trader ")[2])
    again = program(*hint)
    assert (again.code, again.err.count("policy.yaml:")) == (10, done.err.count("policy.yaml:"))


def test_a_typo_a_missing_file_and_a_zeroed_limit_are_all_listed_and_10(program: Program, config: Path) -> None:
    replace(config, "policy", "max_open_positions: 6", "max_open_positoins: 6")
    replace(config, "policy", "max_day_loss_pct: 3 # loss since", "max_day_loss_pct: 0 # loss since")
    (config / "signals.yaml").unlink()
    done = program("validate-config", "--json")
    problems = done.data["error"]["problems"]
    assert (done.code, len(problems)) == (10, 3)
    assert "did you mean max_open_positions?" in problems[0]
    assert "risk.max_day_loss_pct is 0, outside 0.01 to 50" in problems[1]
    assert problems[2].endswith("signals.yaml:1: the file is missing")


# --- --equity --------------------------------------------------------------------------------------------------------


def test_the_legal_orders_of_an_equity_are_shown(program: Program) -> None:
    done = program("validate-config", "--equity", "10000")
    assert (done.code, done.err) == (0, "")
    assert narrow(done)
    (line,) = (line for line in done.out.splitlines() if line.startswith("tier 2 bear"))
    assert line.split() == ["tier", "2", "bear", "open", "position", "10.13", "83.99", "1,204.94", "1,807.41"]


def test_an_equity_without_a_legal_order_is_10_and_says_what_would_be_enough(program: Program) -> None:
    done = program("validate-config", "--equity", "255")
    assert done.code == 10
    assert narrow(done)
    assert "tier 1 chop   empty" in done.out
    assert "trader: no order is legal in 6 of 8 bands with an equity of 255.00:\n" in done.err
    assert "from an equity of 1,204.94 one does" in done.err
    assert "next: bring the equity to 1,204.94 (1,807.41 for all that may buy), or mend the keys above" in done.err


def test_what_is_told_to_programs_is_enough_when_it_is_there(program: Program) -> None:
    poor = program("validate-config", "--equity", "255", "--json")
    assert (poor.code, poor.document["ok"], poor.document["exit_name"]) == (10, False, "CONFIG")
    assert len(poor.data["error"]["problems"]) == 6
    needed = {Decimal(one["open_from"]) for one in poor.data["bands"] if one["open_from"]}
    rich = program("validate-config", "--equity", str(max(needed)), "--json")
    assert rich.code == 0
    assert {one["state"] for one in rich.data["bands"]} == {"open", "closed"}
    nearly = program("validate-config", "--equity", str(max(needed) - Decimal("0.01")), "--json")
    assert nearly.code == 10


def test_a_trigger_that_wants_too_little_is_a_warning(program: Program) -> None:
    done = program("validate-config", "--equity", "1800", "--json")
    assert done.code == 0
    starved = (
        "tier 2 in bear: rules.reversal wants less than the smallest order, 10.13;"
        " from an equity of 1,807.41 nothing does"
    )
    assert starved in done.document["warnings"]


def test_a_universe_without_assets_has_no_legal_order_to_show(program: Program, config: Path) -> None:
    text = (config / "universe.yaml").read_text()
    start, end = text.index("tiers:"), text.index("\nnear_threshold:")
    empty = "".join(
        f"  {name}: {{asset_class: FX, bases: [], min_day_volume_quote: 1, max_spread_bps: 35, min_depth_quote: 1}}\n"
        for name in ("tier_1_core", "tier_2_rotational", "tier_3_event_driven")
    )
    (config / "universe.yaml").write_text(f"{text[:start]}tiers:\n{empty}{text[end:]}")
    done = program("validate-config", "--equity", "1000")
    assert (done.code, "none: no tier holds an asset" in done.out) == (0, True)


# --- --effective and --schema ----------------------------------------------------------------------------------------


def test_the_effective_configuration_names_the_line_of_every_key(program: Program, config: Path) -> None:
    done = program("validate-config", "--effective")
    assert (done.code, narrow(done)) == (0, True)
    assert "    max_open_positions: 6" in done.out
    (line,) = (line for line in done.out.splitlines() if "max_open_positions: 6" in line)
    number = int(line.rpartition("# policy.yaml:")[2])
    assert "max_open_positions: 6" in (config / "policy.yaml").read_text().splitlines()[number - 1]
    data = program("validate-config", "--effective", "--json").data
    assert data["effective"]["policy"]["risk"]["max_open_positions"] == 6
    assert data["origins"]["policy.risk.max_open_positions"] == f"policy.yaml:{number}"


def test_what_the_command_line_says_stands_over_the_files(program: Program) -> None:
    done = program("--mode", "PAPER", "validate-config", "--effective", "--venue", "simulated", "--json")
    assert done.data["effective"]["app"]["mode"] == "PAPER"
    assert done.data["effective"]["app"]["exchange"]["venue"] == "simulated"
    assert (done.data["origins"]["app.mode"], done.data["origins"]["app.exchange.venue"]) == ("--mode", "--venue")


@pytest.mark.parametrize("file", ["policy", "policy.yaml"])
def test_a_file_has_a_json_schema(program: Program, file: str) -> None:
    printed = json.loads(program("validate-config", "--schema", file).out)
    data = program("validate-config", "--schema", file, "--json").data
    assert data == {"file": "policy.yaml", "schema": printed}
    loss = printed["properties"]["risk"]["properties"]["max_day_loss_pct"]
    assert loss == {
        "type": "number", "minimum": 0.01, "maximum": 50, "description": "percent, at most 2 decimals",
    }  # fmt: skip


def test_a_schema_is_told_whatever_the_files_say(program: Program, config: Path) -> None:
    (config / "app.yaml").unlink()
    assert program("validate-config", "--schema", "app").code == 0


@pytest.mark.parametrize(
    "words",
    [
        ("--schema", "polices"),
        ("--schema", ""),
        ("--equity", "-1"),
        ("--equity", "100", "--effective"),
        ("--schema", "app", "--effective"),
    ],
)
def test_a_question_that_makes_no_sense_is_2(program: Program, words: tuple[str, ...]) -> None:
    done = program("validate-config", *words)
    assert (done.code, done.out) == (2, "")
    assert "Traceback" not in done.err


# --- config diff -----------------------------------------------------------------------------------------------------


@pytest.fixture
def looser(program: Program, config: Path) -> Path:
    """A second configuration with a wider daily loss, a longer pause and other assets."""
    other = Path(shutil.copytree(config, program.home / "other"))
    replace(other, "policy", "max_day_loss_pct: 3 # loss since", "max_day_loss_pct: 6.5 # loss since")
    replace(other, "policy", "streak_pause_min: 60", "streak_pause_min: 120")
    replace(other, "policy", "maker_ttl_bars: 1", "maker_ttl_bars: 2")
    replace(other, "universe", "  - PUMP", "  - DOGEX")
    return other


def test_a_difference_says_what_it_means_for_risk(program: Program, config: Path, looser: Path) -> None:
    done = program("config", "diff", config, looser)
    assert (done.code, done.err, narrow(done)) == (0, "", True)
    assert done.out.splitlines() == [
        "4 settings differ: more risk 2, less risk 1, neither for certain 1",
        "",
        "more risk",
        "  policy.yaml: risk.max_day_loss_pct",
        f"      3 -> 6.5   max daily loss {TIMES} 2.17",
        "  universe.yaml: never_trade",
        "      + DOGEX, - PUMP",
        "",
        "less risk",
        "  policy.yaml: pacing.losing_streak_pause_min",
        f"      60 -> 120   losing streak pause {TIMES} 2",
        "",
        "neither for certain",
        "  policy.yaml: orders.maker_ttl_bars",
        f"      1 -> 2   maker ttl {TIMES} 2",
    ]


def test_a_difference_is_told_to_programs(program: Program, config: Path, looser: Path) -> None:
    done = program("config", "diff", config, looser, "--json")
    assert done.document["schema"] == "trader.config.diff/v1"
    first = done.data["changes"][0]
    assert {name: first[name] for name in ("file", "key", "before", "after", "factor", "effect")} == {
        "file": "policy", "key": "risk.max_day_loss_pct", "before": 3.0, "after": 6.5, "factor": "2.17",
        "effect": "loosens",
    }  # fmt: skip
    (listed,) = (one for one in done.data["changes"] if one["key"] == "never_trade")
    assert (listed["before"][4], listed["after"][4], listed["factor"]) == ("PUMP", "DOGEX", None)


def test_what_is_the_same_differs_in_nothing(program: Program, config: Path) -> None:
    done = program("config", "diff", config, config)
    assert (done.code, done.out) == (0, "no setting differs\n")
    assert program("config", "diff", config, config, "--json").data["changes"] == []


def test_an_invalid_side_is_10_with_the_problems_of_both(program: Program, config: Path, looser: Path) -> None:
    replace(config, "policy", "max_open_positions: 6", "max_open_positions: 0")
    replace(looser, "policy", "max_open_positions: 6", "max_open_positions: 99")
    done = program("config", "diff", config, looser, "--json")
    problems = done.data["error"]["problems"]
    assert done.data["error"]["remedy"] == f"mend the lines above, then: trader config diff {config} {looser}"
    assert (done.code, len(problems)) == (10, 2)
    assert problems[0].startswith(str(config))
    assert problems[1].startswith(str(looser))


def test_without_two_directories_it_is_2(program: Program, config: Path) -> None:
    assert program("config", "diff", config).code == 2
