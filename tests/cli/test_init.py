"""`trader init`: a configuration of one's own, found again by every command, and places that are nobody else's."""

import os
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.world import CONFIG
from trader_core.settings.schema import FILES

NAMES = sorted(f"{name}.yaml" for name in FILES)


def own(program: Program) -> Path:
    return program.home / ".config" / "trader"


def test_it_makes_a_configuration_and_directories_asks_nothing_and_commands_find_them(program: Program) -> None:
    done = program("init", "--json")
    assert (done.code, done.err) == (0, "")
    state = program.home / ".local" / "state" / "trader"
    assert (done.data["config"], done.data["state"]) == (str(own(program)), str(state))
    assert done.data["config"] == done.data["in_force"] and done.data["present"] == []
    assert {(own(program) / name).read_bytes() == (CONFIG / name).read_bytes() for name in NAMES} == {True}
    assert [place.stat().st_mode & 0o777 for place in (state, state / "candles", state / "backups")] == [0o700] * 3
    spare = [".kill-orders-spare", ".latch-spare"]
    assert sorted(one.name for one in state.iterdir()) == [*spare, "backups", "candles"], "no account yet"
    (own(program) / "app.yaml").write_text((own(program) / "app.yaml").read_text().replace("DRY_RUN #", "PAPER #"))
    assert (
        program("validate-config", "--json").data["digest"]
        != program("validate-config", "--config", CONFIG, "--json").data["digest"]
    )
    next_ = done.data["next"].split()
    assert next_[0] == "trader" and program(*next_[1:]).code == 0


def test_what_is_there_stays_as_it_is_to_the_byte(program: Program) -> None:
    program("init")
    (own(program) / "app.yaml").write_text("mine: 1\n")
    (own(program) / "policy.yaml").unlink()
    done = program("init", "--json")
    assert done.code == 10 and any("app.yaml" in one for one in done.data["problems"])
    assert done.data["made"] == [str(own(program) / "policy.yaml")] and len(done.data["present"]) == 8
    assert (own(program) / "app.yaml").read_text() == "mine: 1\n"
    assert done.data["next"].startswith("trader validate-config")


def test_what_is_nearer_is_told(program: Program) -> None:
    (program.home / "config").mkdir()
    done = program("init", "--json")
    assert done.data["in_force"] == str(program.home / "config")
    assert "config is nearer" in done.document["warnings"][0]


def test_places_that_were_named_are_named_in_what_to_type_next(program: Program) -> None:
    done = program("init", "--config", "my config", "--state", "my state", "--json")
    assert done.data["next"].endswith(f"--config '{program.home}/my config' --state '{program.home}/my state'")
    assert (program.home / "my config" / "app.yaml").exists() and not own(program).exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_cannot_be_made_is_told_with_another_to_try(program: Program) -> None:
    (program.home / "closed").mkdir(mode=0o500)
    done = program("init", "--config", "closed/config")
    assert done.code == 13 and "trader init --config DIR --state DIR" in done.err


def test_a_file_in_the_place_of_a_directory_is_told(program: Program) -> None:
    (program.home / "file").write_text("")
    done = program("init", "--config", "file")
    assert done.code == 13 and "cannot be made" in done.err and (program.home / "file").read_text() == ""


def test_without_one_of_its_files_a_configuration_of_one_s_own_closes_everything(program: Program) -> None:
    """What is missing never lets the defaults, or another place, have their say."""
    program("init")
    for name in NAMES:
        content = (own(program) / name).read_bytes()
        (own(program) / name).unlink()
        assert program("validate-config").code == 10
        (own(program) / name).write_bytes(content)
    assert program("validate-config").code == 0
