"""No text whatsoever makes the loader fail in another way than by saying what is wrong."""

import shutil
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.settings.keys import CONFIG, shipped
from trader_core.domain.errors import ConfigInvalid
from trader_core.settings.document import read
from trader_core.settings.load import load

NAMES = list(shipped())
PIECES = [
    *(
        "&a ",
        "*a",
        "!!float ",
        "!x ",
        "? ",
        ": ",
        "- ",
        "\n",
        "\t",
        "  ",
        "{",
        "}",
        "[",
        "]",
        ",",
        "'",
        '"',
        "#",
        "|",
        ">",
    ),
    *("%YAML 1.1\n", "---\n", "...\n", "<<: ", "\\x00", '"\\uD800"', '"\\UFFFFFFFF"', "\0", "\ud7ff", ">", "BTC"),
    *("0x1F", "1e999", ".nan", "-.inf", "true", "~", "9" * 38, "9" * 50, "-0.0", "2024-01-01", "risk:", "mode:"),
]
EDITS = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.integers(0, 12),
        st.one_of(st.sampled_from(PIECES), st.text(st.characters(codec="utf-8"), max_size=5)),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(CONFIG, tmp_path_factory.mktemp("fuzz") / "config"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(NAMES), edits=EDITS)
def test_mutated_yaml_raises_nothing_but_config_invalid(
    directory: Path, name: str, edits: list[tuple[float, int, str]]
) -> None:
    original = (CONFIG / f"{name}.yaml").read_text()
    text = original
    for where, cut, piece in edits:
        at = int(where * len(text))
        text = text[:at] + piece + text[at + cut :]
    path = directory / f"{name}.yaml"
    path.write_bytes(text.encode())
    _only_config_invalid(directory)
    path.write_text(original)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(name=st.sampled_from(NAMES), edits=EDITS)
def test_both_parsers_read_the_same(directory: Path, name: str, edits: list[tuple[float, int, str]]) -> None:
    """Where the fast one is not installed, and apart from tabs, which it takes for spaces in more places."""
    text = (CONFIG / f"{name}.yaml").read_text()
    for where, cut, piece in edits:
        at = int(where * len(text))
        text = text[:at] + piece.replace("\t", " ") + text[at + cut :]
    path = directory / "mutated.yaml"
    path.write_bytes(text.encode())
    fast = read(path)
    with pytest.MonkeyPatch.context() as without:
        without.delattr(yaml, "CSafeLoader", raising=False)
        plain = read(path)
    assert fast.values == plain.values
    assert fast.problems == plain.problems


@settings(max_examples=50, deadline=None)
@given(name=st.sampled_from(NAMES), raw=st.binary(max_size=60))
def test_any_bytes_raise_nothing_but_config_invalid(directory: Path, name: str, raw: bytes) -> None:
    path = directory / f"{name}.yaml"
    path.write_bytes(raw)
    with pytest.raises(ConfigInvalid):
        load(directory)
    shutil.copy(CONFIG / f"{name}.yaml", path)


def _only_config_invalid(directory: Path) -> None:
    problems: tuple[str, ...] = ()
    try:
        load(directory)
    except ConfigInvalid as refused:
        problems = refused.problems or ("refused for no reason",)
        str(refused).encode()
    assert all(problem.startswith(f"{directory}/") and "\n" not in problem for problem in problems)
