"""Whatever is wrong with the five files is refused, all of it at once, with file and line."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.settings.keys import CONFIG, Leaf, block_keys, leaf_keys, mapped_keys, shipped
from tests.settings.spoil import Config
from trader_core.domain.errors import ConfigInvalid
from trader_core.settings.coherence import warnings
from trader_core.settings.load import load
from trader_core.settings.schema import unit_of

LEAVES = leaf_keys()
NUMBERS = [leaf for leaf in LEAVES if leaf.is_number] + mapped_keys()
FILES = list(shipped())
WITH_UNIT = [leaf for leaf in LEAVES if leaf.is_number and unit_of(leaf.path[-1])]


def of_file(name: str, leaves: list[Leaf]) -> list[Leaf]:
    return [leaf for leaf in leaves if leaf.path[0] == name]


def dots(value: Any) -> str:
    path = value.path if isinstance(value, Leaf) else value
    return ".".join(path)


def test_the_shipped_configuration_can_only_look() -> None:
    settings = load(CONFIG)
    assert settings.app.mode == "DRY_RUN"
    assert settings.app.exchange.read_only is True
    assert settings.policy.risk.max_total_at_risk_pct == 25
    assert settings.policy.risk.max_open_positions == 6
    assert settings.policy.profile == "DEFENSIVE"
    assert settings.policy.active_profile.position_scale_pct == 70
    assert warnings(settings) == ()


def test_every_shipped_key_says_what_it_is() -> None:
    for name in shipped():
        for line in (CONFIG / f"{name}.yaml").read_text().splitlines():
            key = re.match(r"\s*([a-z]\w*):( |$)", line)  # a name in capitals is a theme's or a profile's
            assert not key or "# " in line or line.endswith(":"), line  # a block's name may speak for itself


def test_an_unknown_key_is_refused_with_the_nearest_known_one(config: Config) -> None:
    line = config.replace("policy", "max_open_positions: 6", "max_open_positoins: 6")
    what = "risk.max_open_positoins is not a known key; did you mean max_open_positions?"
    assert config.problem() == f"policy.yaml:{line}: {what}"


def test_an_unknown_key_like_no_other_is_refused_with_those_that_exist(config: Config) -> None:
    line = config.replace("app", "  read_only: true", "  read_only: true\n  zzz: 1")
    what = "exchange.zzz is not a known key; known here: venue, venue_url, quote, read_only"
    assert config.problem() == f"app.yaml:{line + 1}: {what}"


def test_an_unknown_key_at_the_top_and_an_unknown_profile_are_refused(config: Config) -> None:
    crossed = config.replace("strategies", "sma_cross:", "sma_crss:")
    line = config.replace("policy", "  CAUTIOUS:", "  BRAVE:")
    known = "known here: NORMAL, DEFENSIVE, AGGRESSIVE, CAUTIOUS"
    assert config.problems() == (
        f"policy.yaml:{line - 19}: profiles.CAUTIOUS is missing",
        f"policy.yaml:{line}: profiles.BRAVE is not a known key; {known}",
        f"strategies.yaml:{crossed}: sma_crss is not a known key; did you mean sma_cross?",
    )


@pytest.mark.parametrize("leaf", WITH_UNIT, ids=dots)
def test_a_limit_without_its_unit_is_refused_with_the_key_that_has_it(config: Config, leaf: Leaf) -> None:
    bare, unit = leaf.path[-1].rsplit("_", 1)
    config.change(leaf.path, lambda block, key: block.__setitem__(bare, block.pop(key)))
    where = dots((*leaf.path[1:-1], bare))
    assert f": {where} is not a known key, it does not say its unit; write {bare}_{unit}, in " in config.problem()


def test_a_limit_in_another_unit_is_refused_with_the_right_one(config: Config) -> None:
    config.replace("policy", "max_data_age_s", "max_data_age_ms")
    assert "it has the wrong unit; write max_data_age_s, in seconds" in config.problem()


def test_a_limit_without_its_unit_is_the_one_that_is_not_there(config: Config) -> None:
    config.replace("signals", "  momentum_h: 24", "  momentum: 24")
    assert config.problem().endswith("it does not say its unit; write momentum_h, in hours")
    config.replace("signals", "  momentum_pct: 2 ", "  momentum_bars: 2 ")
    assert config.problems()[1].endswith(
        "it has the wrong unit; write momentum_h, in hours or momentum_pct, in percent"
    )


def test_a_duplicate_key_is_refused_with_both_lines(config: Config) -> None:
    first = config.replace("app", "mode: DRY_RUN", "mode: DRY_RUN\nmode: LIVE")
    assert config.problem() == f"app.yaml:{first + 1}: mode is given twice, first on line {first}"


def test_a_duplicate_block_is_refused(config: Config) -> None:
    config.replace("policy", "data:\n", "risk: {max_open_positions: 50}\n\ndata:\n")
    assert "risk is given twice" in config.problem()


def each_is_refused(config: Config, leaves: list[Leaf], value_of: Callable[[Leaf], Any], what: str) -> None:
    """All of them at once, each under its own name, and nothing else."""
    for name in FILES:
        here = of_file(name, leaves)
        if here:
            config.put_all(here, value_of)
            found = [problem.split(": ", 1)[1] for problem in config.problems()]
            assert len(found) == len(here)
            assert all(any(re.match(rf"{dots(leaf.path[1:])}:? {what}", one) for one in found) for leaf in here)
            config.write(name, (CONFIG / f"{name}.yaml").read_text())


@pytest.mark.parametrize("text", [".nan", ".NaN", ".inf", "-.inf"])
def test_nan_and_infinity_are_refused(config: Config, text: str) -> None:
    number = float(text.replace(".", ""))
    each_is_refused(config, NUMBERS, lambda leaf: number, r"-?\.\w+ is not a finite number")


@pytest.mark.parametrize("value", [True, False, "5", None, [], {}], ids=repr)
def test_a_number_or_choice_takes_no_other_type(config: Config, value: Any) -> None:
    choices = [leaf for leaf in LEAVES if leaf.kind == "choice"]
    each_is_refused(config, NUMBERS + choices, lambda leaf: value, "must be ")


@pytest.mark.parametrize("value", [1, 0, "true", None], ids=repr)
def test_a_flag_is_true_or_false(config: Config, value: Any) -> None:
    flags = [leaf for leaf in LEAVES if leaf.kind == "flag"]
    each_is_refused(config, flags, lambda leaf: value, "must be true or false")


def test_a_count_is_a_whole_number(config: Config) -> None:
    counts = [leaf for leaf in NUMBERS if leaf.kind == "int"]
    each_is_refused(config, counts, lambda leaf: float(leaf.high), "must be a whole number")


@pytest.mark.parametrize("name", FILES)
def test_both_ends_of_a_range_are_allowed(config: Config, name: str) -> None:
    for end in (lambda leaf: leaf.low, lambda leaf: leaf.high):
        config.put_all(of_file(name, NUMBERS), end)
        assert not any(" outside " in problem for problem in config.all_problems())  # other keys may speak against it


@pytest.mark.parametrize("end", ["low", "high"])
def test_nothing_beyond_a_range_is_allowed(config: Config, end: str) -> None:
    def beyond(leaf: Leaf) -> Any:
        step = 1 if leaf.kind == "int" else 0.01
        return round(leaf.low - step if end == "low" else leaf.high + step, 2)

    each_is_refused(config, NUMBERS, beyond, r"is -?[\d.]+, outside -?[\d.]+ to \d+$")


@pytest.mark.parametrize("text", ["010", "0x10", "1_000", "1:30", "+5", "5.", ".5", "1.5e+3", "1" * 41])
def test_a_number_is_written_in_plain_digits(config: Config, text: str) -> None:
    config.replace("policy", "max_data_age_s: 1800", f"max_data_age_s: {text}")
    assert "policy.yaml:" in config.problem()


def test_percent_and_basis_points_have_two_decimals_and_money_eight(config: Config) -> None:
    config.replace("policy", "max_total_at_risk_pct: 25", "max_total_at_risk_pct: 25.001")
    config.replace("app", "cash_quote: 10000", "cash_quote: 0.000000001")
    assert [problem.partition(": ")[2] for problem in config.problems()] == [
        "paper.cash_quote must have at most 8 decimals, not 0.000000001",
        "risk.max_total_at_risk_pct must have at most 2 decimals, not 25.001",
    ]


def test_money_is_exactly_what_the_text_says(config: Config) -> None:
    config.replace("app", "cash_quote: 10000", "cash_quote: 100000000.00000001")
    config.replace("app", "holdings: {}", "holdings: {BTC: 0.1, 1INCH: 3}")
    paper = config.load().app.paper
    assert str(paper.cash_quote) == "100000000.00000001"
    assert {asset: str(quantity) for asset, quantity in paper.holdings.items()} == {"BTC": "0.1", "1INCH": "3"}


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("{}", "{btc: 1}", "paper.holdings.btc must be an asset code in capitals, like BTC, not btc"),
        ("{}", "{BTC: -1}", "paper.holdings.BTC is -1, outside 0 to 1000000000000"),
        ("{}", "{BTC: yes}", "paper.holdings.BTC must be a number, not true"),
        ("{}", "{BTC: 1, BTC: 2}", "paper.holdings.BTC is given twice"),
        ("{}", "[]", "paper.holdings must be a block of keys, not a list"),
    ],
)
def test_holdings_are_quantities_by_asset(config: Config, old: str, new: str, what: str) -> None:
    config.replace("app", f"holdings: {old}", f"holdings: {new}")
    assert what in config.problem()


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("MEME: 4", "meme: 4", ".meme must be the name of a theme in capitals, like LAYER1, not meme"),
        ("MEME: 4", "MEME: 0", ".MEME is 0, outside 0.01 to 100"),
        ("MEME: 4", "MEME: 4.001", ".MEME must have at most 2 decimals, not 4.001"),
        ("MEME: 4", 'MEME: "4"', '.MEME must be a number, not "4": leave the quotes out'),
        ("MEME: 4", 'MEME: "1e5"', ".MEME must be a number, not 1e5"),
        ("MEME: 4", "MEME: {max: 4}", ".MEME must be a number, not a block of keys"),
        ("MEME: 4", "MEME: 4\n    MEME: 5", ".MEME is given twice"),
    ],
)
def test_a_theme_cap_is_a_percent_by_theme(config: Config, old: str, new: str, what: str) -> None:
    line = config.replace("policy", f"    {old} #", f"    {new} #") + new.count("\n")
    assert config.problem().startswith(f"policy.yaml:{line}: risk.max_per_theme_pct{what}")


@pytest.mark.parametrize(
    ("new", "what"),
    [
        ("[DOGE, shib]", "[1] must be an asset code in capitals, like BTC, not shib"),
        ("[DOGE, [SHIB]]", "[1] must be text; put quotes around it, not a list"),
        ("{DOGE: 1}", " must be a list, not a block of keys"),
        ("DOGE", " must be a list, not DOGE"),
    ],
)
def test_a_theme_is_a_list_of_assets(config: Config, new: str, what: str) -> None:
    line = config.replace("universe", "[DOGE, SHIB, PEPE]", new)
    assert config.problem() == f"universe.yaml:{line}: themes.MEME{what}"


@pytest.mark.parametrize("value", ["5", "LAYER1", "[LAYER1]"])
def test_a_mapping_is_not_a_number_and_a_number_no_mapping(config: Config, value: str) -> None:
    text = (config.directory / "policy.yaml").read_text()
    start, end = text.index("  max_per_theme_pct:"), text.index("  max_tier_1_pct")
    config.write("policy", f"{text[:start]}  max_per_theme_pct: {value}\n{text[end:]}")
    assert "risk.max_per_theme_pct must be a block of keys, not " in config.problem()
    config.write("policy", text.replace("max_open_positions: 6", "max_open_positions: {LAYER1: 6}"))
    assert "risk.max_open_positions must be a whole number, not a block of keys" in config.problem()


def test_a_list_item_is_named_with_its_own_line(config: Config) -> None:
    lines = config.replace("universe", "  - SOL", "  - sol"), config.replace("universe", "  - XRP", "  - on")
    core, rotational = "tiers.tier_1_core.bases[2]", "tiers.tier_2_rotational.bases[0]"
    assert config.problems() == (
        f"universe.yaml:{lines[0]}: {core} must be an asset code in capitals, like BTC, not sol",
        f"universe.yaml:{lines[1]}: {rotational} must be text; put quotes around it, not true",
    )


def test_a_choice_names_what_it_may_be(config: Config) -> None:
    config.replace("app", "mode: DRY_RUN", "mode: LVIE")
    config.replace("policy", "base_bar_min: 15", "base_bar_min: 7")
    assert "mode must be DRY_RUN, PAPER or LIVE, not LVIE" in config.problems()[0]
    assert "cycle.base_bar_min must be 1, 5, 15 or 60, not 7" in config.problems()[1]


@pytest.mark.parametrize("path", [leaf.path for leaf in LEAVES] + block_keys(), ids=dots)
def test_deleting_any_key_is_refused(config: Config, path: tuple[str, ...]) -> None:
    config.change(path, lambda block, key: block.pop(key))
    assert any(f": {dots(path[1:])} is missing" in problem for problem in config.problems()) or len(path) == 2


@pytest.mark.parametrize("name", FILES)
def test_deleting_or_emptying_any_file_is_refused(config: Config, name: str) -> None:
    config.write(name, "# nothing here\n")
    assert config.problem() == f"{name}.yaml:1: the file is empty"
    (config.directory / f"{name}.yaml").unlink()
    assert config.problem() == f"{name}.yaml:1: the file is missing"


def test_a_missing_directory_is_five_missing_files(tmp_path: Path) -> None:
    problems = Config(tmp_path / "nowhere").problems()
    assert [problem.partition(".")[0] for problem in problems] == FILES


def test_everything_wrong_in_every_file_is_listed_at_once(config: Config) -> None:
    lines = [
        config.replace("app", "mode: DRY_RUN", "mode: FAST"),
        config.replace("app", "read_only: true", "read_only: 1"),
        config.replace("policy", "max_open_positions: 6", "max_open_positions: 0"),
        config.replace("policy", "tier_1_position_pct: 3", "tier_1_position: 3"),
    ]
    config.write("signals", "windows: [\n")
    (config.directory / "strategies.yaml").unlink()
    found = [problem.split(": ")[0] for problem in config.problems()]
    assert found == [*(f"{n}.yaml:{line}" for n, line in zip(("app", "app", "policy", "policy"), lines, strict=True)),
                     "signals.yaml:2", "strategies.yaml:1"]  # fmt: skip


def test_the_path_is_shown_as_it_was_given(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(config.directory.parent)
    line = config.replace("policy", "profile: DEFENSIVE", "profile: BOLD")
    with pytest.raises(ConfigInvalid, match=f"config/policy.yaml:{line}: profile must be"):
        load(Path("config"))


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("windows: &a {max_missing_bars: 2}\n", "1: anchors (&) and aliases (*) are not allowed"),
        ("windows: &a [*a]\n", "1: anchors (&) and aliases (*) are not allowed"),
        ("windows: !!python/object/apply:os.system [x]\n", "1: tags (!) are not allowed"),
        ("windows: {max_missing_bars: !!int '2'}\n", "1: tags (!) are not allowed"),
        ("? [a, b]\n: 1\n", "1: a key in the file is not a plain word"),
        ("? {a: b}\n: 1\n", "1: a key in the file is not a plain word"),
        ("windows: {max_missing_bars: 2}\n---\nwindows: {}\n", "2: is not YAML: but found another document"),
        ("windows: {<<: {max_missing_bars: 2}}\n", "1: windows.<< is not a known key"),
        ("windows:\n\tmax_missing_bars: 2\n", "2: is not YAML"),
        ('windows: "\\UFFFFFFFF"\n', "1: is not YAML"),
        ('windows: "\\uD800"\n', "1: windows: the text has a character that cannot be printed"),
        ('"\\uD800": 1\n', "1: a key in the file is not a plain word"),
        ("windows: " + "[" * 5000, "1: blocks are nested more than 20 deep"),
        ("- 1\n", "1: the file must be a block of keys, not a list"),
        ("windows\n", "1: the file must be a block of keys, not windows"),
        ("windows: {max_missing_bars: 2}\n" + "#" * (1 << 20), "1: the file is larger than"),
    ],
)
def test_only_plain_yaml_is_read(config: Config, text: str, what: str) -> None:
    config.write("signals", text)
    assert any(problem.startswith(f"signals.yaml:{what}") for problem in config.problems())


def test_bytes_that_are_no_text_are_refused_with_their_line(config: Config) -> None:
    (config.directory / "signals.yaml").write_bytes(b"windows:\n  max_missing_bars: \xff\n")
    assert config.problem() == "signals.yaml:2: the file is not UTF-8 text"


def test_a_file_that_cannot_be_read_is_refused(config: Config) -> None:
    path = config.directory / "signals.yaml"
    path.unlink()
    path.mkdir()
    assert config.problem().startswith("signals.yaml:1: the file cannot be read: ")


def test_the_settings_cannot_be_changed() -> None:
    settings = load(CONFIG)
    with pytest.raises(ValueError, match="frozen"):
        settings.policy.risk.max_open_positions = 50
    for mapping in (settings.app.paper.holdings, settings.policy.risk.max_per_theme_pct, settings.universe.themes):
        with pytest.raises(TypeError):
            mapping["BTC"] = 1  # type: ignore[index]


def test_a_file_that_is_named_as_the_folder_is_one_problem(config: Config) -> None:
    file = config.directory / "app.yaml"
    with pytest.raises(ConfigInvalid) as refused:
        load(file)
    assert refused.value.problems == (f"{file}:1: it is a file; name the folder that holds the five",)
