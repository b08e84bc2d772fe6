"""The digest changes with every value and with nothing else."""

import random
import re
from functools import cache
from typing import Any

import pytest
import yaml

from tests.settings.keys import CONFIG, Leaf, leaf_keys, shipped
from tests.settings.spoil import Config
from trader_core.domain.errors import ConfigInvalid
from trader_core.settings.digest import digest
from trader_core.settings.load import load
from trader_core.settings.schema import Settings


def shuffled(values: Any, rng: random.Random) -> Any:
    if not isinstance(values, dict):
        return values
    keys = list(values)
    rng.shuffle(keys)
    return {key: shuffled(values[key], rng) for key in keys}


def test_comments_order_and_layout_do_not_count(config: Config) -> None:
    for seed in range(5):
        for name, values in shipped().items():
            text = yaml.safe_dump(
                shuffled(values, random.Random(seed)), sort_keys=False, default_flow_style=bool(seed % 2)
            )
            config.write(name, f"# {seed}\n{text}")
        assert digest(config.load()) == digest(load(CONFIG))


def test_the_spelling_of_numbers_does_not_count(config: Config) -> None:
    config.replace("policy", "max_total_at_risk_pct: 25", "max_total_at_risk_pct: 25.00")
    config.replace("app", "cash_quote: 10000", "cash_quote: 10000.0")
    config.replace("app", "tier_1_bps: 5", "tier_1_bps: 5.0")
    assert digest(config.load()) == digest(load(CONFIG))


def test_zero_is_zero(config: Config) -> None:
    digests = set()
    for zero in ("0", "0.0", "-0.0", "-0"):
        config.put(("app", "paper", "slippage", "tier_1_bps"), 0)
        text = (config.directory / "app.yaml").read_text()
        config.write("app", text.replace("tier_1_bps: 0", f"tier_1_bps: {zero}"))
        digests.add(digest(config.load()))
    assert len(digests) == 1


@pytest.mark.parametrize("leaf", leaf_keys(), ids=lambda leaf: ".".join(leaf.path))
def test_every_value_counts(config: Config, leaf: Leaf) -> None:
    """Read straight into the schema: an end of a range may contradict another key, and it must count all the same."""
    seen = {_shipped_digest()}
    for value in (leaf.low, leaf.high):
        if value == leaf.shipped:
            continue
        config.put(leaf.path, value)
        seen.add(digest(_unchecked(config)))
    assert len(seen) == 1 + sum(value != leaf.shipped for value in (leaf.low, leaf.high))


def test_the_digest_is_sha256_in_hex() -> None:
    assert re.fullmatch("[0-9a-f]{64}", digest(load(CONFIG)))


@cache
def _shipped_digest() -> str:
    return digest(load(CONFIG))


def _unchecked(config: Config) -> Settings:
    try:
        return config.load()
    except ConfigInvalid:
        from trader_core.settings.document import read

        return Settings.model_validate({name: read(config.directory / f"{name}.yaml").values for name in shipped()})
