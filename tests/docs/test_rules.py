"""The reference page of the rules says what the code says."""

import re
from pathlib import Path

from tests.settings.keys import leaf_keys
from trader_core.rulebook.codes import GATES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "rules.md").read_text(encoding="utf-8")


def test_every_gate_stands_there_in_the_order_of_judgement() -> None:
    rows = re.findall(r"^\| (\w+) \| ([A-Z_]+) \| (\w+) \|", PAGE, re.MULTILINE)
    assert rows == [(gate.name, gate.verdict.name, gate.unit) for gate in GATES]


def test_every_key_that_it_names_exists() -> None:
    keys = {".".join(leaf.path) for leaf in leaf_keys()}
    named = re.findall(r"`((?:policy|universe|signals|strategies|app|risk|pacing|adds|sizing|data|orders|liquidity)"
                       r"\.[\w.*]+)`", PAGE)  # fmt: skip
    assert len(named) > 30
    for name in (one for one in named if not one.endswith(".yaml")):
        pattern = re.escape(name).replace(r"\*", r"\w+").replace("_N_", r"_\d_")
        assert any(re.search(rf"(^|\.){pattern}(\.|$)", key) for key in keys), name
