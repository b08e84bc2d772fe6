"""The schema keeps its own conventions."""

from tests.settings.keys import leaf_keys
from trader_core.settings.schema import UNITS, unit_of

COUNTS = {"max_open_positions"}


def test_every_number_says_its_unit_or_is_a_count() -> None:
    for leaf in leaf_keys():
        name = leaf.path[-1]
        if leaf.is_number or name == "base_bar_min":
            assert unit_of(name) or (name in COUNTS and leaf.kind == "int"), leaf.path


def test_every_unit_has_one_type() -> None:
    of_unit = {"_pct": "float", "_bps": "float", "_quote": "money"}
    for leaf in leaf_keys():
        if leaf.is_number:
            assert leaf.kind == of_unit.get(unit_of(leaf.path[-1]), "int"), leaf.path


def test_no_key_outside_the_numbers_looks_like_one() -> None:
    assert not [
        leaf.path for leaf in leaf_keys() if leaf.kind in ("flag", "list", "mapping") and unit_of(leaf.path[-1])
    ]
    assert set(UNITS) == {"_pct", "_bps", "_ms", "_s", "_min", "_bars", "_quote"}


def test_every_shipped_value_is_within_its_range_and_both_ends_differ() -> None:
    for leaf in leaf_keys():
        assert leaf.low != leaf.high, leaf.path
        if leaf.is_number:
            assert leaf.low <= leaf.shipped <= leaf.high, leaf.path
