"""Where the configuration and the state are."""

from pathlib import Path

import pytest

from trader_core.domain.errors import StateUnusable
from trader_core.settings.environment import read_environment, state_directory
from trader_core.settings.load import load
from trader_core.settings.locate import config_directory, defaults


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({"TRADER_STATE": "/a", "STATE_DIRECTORY": "/b", "XDG_STATE_HOME": "/c", "HOME": "/d"}, "/a"),
        ({"STATE_DIRECTORY": "/b:/bb", "XDG_STATE_HOME": "/c", "HOME": "/d"}, "/b"),
        ({"XDG_STATE_HOME": "/c", "HOME": "/d"}, "/c/trader"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/d"}, "/d/.local/state/trader"),
        ({"TRADER_STATE": "", "STATE_DIRECTORY": "", "XDG_STATE_HOME": "", "HOME": "/d"}, "/d/.local/state/trader"),
    ],
)
def test_the_state_is_where_the_first_variable_says(environ: dict[str, str], state: str) -> None:
    assert read_environment(environ).state == Path(state)
    assert state_directory(None, read_environment(environ)) == Path(state)


def test_the_state_option_wins_and_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    environment = read_environment({"TRADER_STATE": "elsewhere"})
    assert state_directory(Path("here"), environment) == tmp_path / "here"
    assert state_directory(None, environment) == tmp_path / "elsewhere"


def test_without_any_place_the_state_is_refused() -> None:
    with pytest.raises(StateUnusable) as caught:
        state_directory(None, read_environment({}))
    assert caught.value.exit_code == 13
    assert "--state" in caught.value.remedy


def test_the_environment_of_this_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADER_CONFIG", "/somewhere")
    monkeypatch.setenv("NO_COLOR", "1")
    assert read_environment().config == Path("/somewhere")
    assert read_environment().no_color
    assert not read_environment({"NO_COLOR": ""}).no_color


def test_the_configuration_is_the_nearest_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    bare, named = read_environment({}), read_environment({"TRADER_CONFIG": "other"})
    assert config_directory(None, bare) == defaults()
    assert load(defaults()).app.mode == "DRY_RUN"
    (tmp_path / "config").mkdir()
    assert config_directory(None, bare) == Path("config")
    assert config_directory(None, named) == Path("other")
    assert config_directory(Path("mine"), named) == Path("mine")
