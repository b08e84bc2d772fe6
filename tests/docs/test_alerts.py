"""The page of the alerts says what the code says."""

import re
from pathlib import Path

from cli.table import COMMANDS
from tests.settings.keys import leaf_keys
from trader_core.report.alarms import MATRIX, table
from trader_core.settings.schema import Alerts
from trader_core.settings.secrets import _VARIABLES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "alerts.md").read_text(encoding="utf-8")


def test_the_matrix_is_the_programs() -> None:
    assert table() in PAGE, "write trader_core.report.alarms.table() into the page"
    assert len({row.code for row in MATRIX}) == len(MATRIX)


def test_every_key_it_names_exists_and_every_threshold_is_named() -> None:
    keys = {".".join(leaf.path) for leaf in leaf_keys()}
    named = set(re.findall(r"\b((?:app|policy)\.[a-z_]+\.[a-z_]+)\b", PAGE))
    assert named <= keys
    of_rates = {"api_window_min", "min_api_calls", "rejected_window_min", "min_orders"}
    assert {f"app.alerts.{key}" for key in Alerts.model_fields.keys() - of_rates} <= named


def test_every_command_and_address_stands_there() -> None:
    commands = COMMANDS["alerts"]
    assert isinstance(commands, dict)
    assert all(f"trader alerts {name}" in PAGE for name in commands)
    assert all(f"| `{name}` | `{variable}` |" in PAGE for name, variable in _VARIABLES.items())
