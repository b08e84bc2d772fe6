"""Where the configuration and the state are."""

from pathlib import Path

import pytest

from trader_core.domain.errors import ConfigInvalid, StateUnusable, UsageError
from trader_core.kill.hints import hints_of
from trader_core.settings.environment import Environment, read_environment, state_directory
from trader_core.settings.load import load
from trader_core.settings.locate import config_directory, defaults, own_directory


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


OWN = {"CONFIGURATION_DIRECTORY": "etc:other", "XDG_CONFIG_HOME": "xdg", "HOME": "home"}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Environment, list[Path]]:
    """An environment that names every place, and these, the nearest first; none of them is there."""
    monkeypatch.chdir(tmp_path)
    named = {name: str(tmp_path / value) for name, value in OWN.items()}
    return read_environment(named), [tmp_path / "config", tmp_path / "etc", tmp_path / "xdg" / "trader"]


def test_of_the_places_that_are_there_the_nearest_counts(own: tuple[Environment, list[Path]]) -> None:
    environment, places = own
    assert config_directory(None, environment) == defaults()
    for place in reversed(places):
        place.mkdir(parents=True)
        assert config_directory(None, environment).absolute() == place
    for place, behind in zip(places, [*places[1:], defaults()], strict=True):
        place.rmdir()
        assert config_directory(None, environment).absolute() == behind


@pytest.mark.parametrize(
    ("environ", "place"),
    [
        ({"XDG_CONFIG_HOME": "/x", "HOME": "/h"}, "/x/trader"),
        ({"XDG_CONFIG_HOME": "relative", "HOME": "/h"}, "/h/.config/trader"),
        ({"HOME": "/h"}, "/h/.config/trader"),
        ({"CONFIGURATION_DIRECTORY": "/etc/a:/etc/b", "XDG_CONFIG_HOME": "/x"}, "/etc/a"),
        ({"TRADER_CONFIG": "/t", "CONFIGURATION_DIRECTORY": "/etc/a"}, "/t"),
    ],
)
def test_a_configuration_of_one_s_own_is_made_where_it_will_be_found(environ: dict[str, str], place: str) -> None:
    assert own_directory(None, read_environment(environ)) == Path(place)
    assert own_directory(Path("/option"), read_environment(environ)) == Path("/option")


def test_without_any_place_a_configuration_is_refused() -> None:
    with pytest.raises(UsageError, match="HOME"):
        own_directory(None, read_environment({}))


def test_a_place_that_is_there_counts_though_it_is_empty(own: tuple[Environment, list[Path]]) -> None:
    """Deleting a file closes everything; it never lets the next place have its say."""
    environment, places = own
    places[2].mkdir(parents=True)
    with pytest.raises(ConfigInvalid):
        load(config_directory(None, environment))


def test_a_kill_finds_its_hints_where_every_command_finds_its_configuration(
    own: tuple[Environment, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, places = own
    for name in ("TRADER_CONFIG", *OWN):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(places[2].parent))
    places[2].mkdir(parents=True)
    (places[2] / "app.yaml").write_text("venue_url: https://127.0.0.1:8443\n")
    assert hints_of("").venue_url == "https://127.0.0.1:8443"
