"""A bounded part of `make prove-sigkill`."""

from pathlib import Path

from tests.prove_sigkill import campaign


def test_three_kills_at_random_moments_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    assert campaign(kills=3, seed=20261121, root=tmp_path) > 0
