"""A preview of the cycle that puts a stop below a new position is as published, like every other."""

from pathlib import Path

from tests.fuzz.accounts import Account


def test_a_preview_of_a_stop_tells_its_trigger(tmp_path: Path) -> None:
    account = Account(tmp_path, 2)
    (order,) = account.command("preview", "--json").data["orders"]
    assert order["role"] == "STOP"
    assert float(order["trigger"]) > 0
