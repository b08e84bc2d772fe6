"""The schema keeps its own conventions."""

from tests.settings.keys import leaf_keys, mapped_keys
from trader_core.settings.schema import UNITS, unit_of

COUNTS = {
    "max_open_positions", "max_losing_streak", "max_entries_per_cycle", "max_entries_per_hour", "max_entries_per_day",
    "max_per_day", "maker_max_reprices", "max_assets", "max_triggers_per_cycle", "reversal_min_qualifiers",
    "max_trades_per_cycle", "max_execution_errors", "max_stop_hits",
    "poor_record_trades", "kelly_min_trades",
    "max_cluster_assets", "max_venue_troubles", "over_in_a_row",
    "min_api_calls", "min_orders", "max_exceptions", "min_eligible",
}  # fmt: skip
FLOATS = ("_pct", "_bps", "_sigma", "_atr", "_ratio")


def test_every_number_says_its_unit_or_is_a_count() -> None:
    for leaf in leaf_keys():
        name = leaf.path[-1]
        if leaf.is_number or name == "base_bar_min":
            assert unit_of(name) or (name in COUNTS and leaf.kind == "int"), leaf.path


def test_every_unit_has_one_type() -> None:
    of_unit = dict.fromkeys(FLOATS, "float") | {"_quote": "money"}
    for leaf in leaf_keys():
        if leaf.is_number:
            assert leaf.kind == of_unit.get(unit_of(leaf.path[-1]), "int"), leaf.path


def test_no_key_outside_the_numbers_looks_like_one() -> None:
    others = [leaf for leaf in leaf_keys() if not leaf.is_number and leaf.path[-1] != "base_bar_min"]
    assert [leaf.path[-1] for leaf in others if unit_of(leaf.path[-1])] == ["max_per_theme_pct"]
    assert {leaf.path[-2] for leaf in mapped_keys()} == {"max_per_theme_pct"}


def test_every_unit_is_of_use() -> None:
    used = {unit_of(leaf.path[-1]) for leaf in leaf_keys()} - {""}
    assert used == UNITS.keys()


def test_every_shipped_value_is_within_its_range_and_both_ends_differ() -> None:
    for leaf in leaf_keys():
        assert leaf.low != leaf.high, leaf.path
        if leaf.is_number:
            assert leaf.low <= leaf.shipped <= leaf.high, leaf.path
