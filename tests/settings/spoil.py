"""A copy of the shipped configuration that a test may spoil, and what the loader says about it."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.settings.keys import Leaf, shipped
from trader_core.domain.errors import ConfigInvalid
from trader_core.settings.load import load
from trader_core.settings.schema import Settings


class Config:
    """Five files in a directory of their own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def replace(self, name: str, old: str, new: str) -> int:
        """Change the text of one file in one place; the number of the line where it was."""
        path = self.directory / f"{name}.yaml"
        text = path.read_text()
        assert text.count(old) == 1, f"'{old}' is {text.count(old)} times in {name}.yaml"
        path.write_text(text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1

    def line(self, name: str, text: str) -> int:
        """The number of the one line with this text."""
        lines = (self.directory / f"{name}.yaml").read_text().splitlines()
        (number,) = (number for number, line in enumerate(lines, 1) if text in line)
        return number

    def write(self, name: str, text: str) -> None:
        (self.directory / f"{name}.yaml").write_text(text)

    def change(self, path: tuple[str, ...], edit: Callable[[dict[str, Any], str], object]) -> None:
        """Rewrite one file as plain YAML after `edit(block, key)`."""
        values = shipped()[path[0]]
        block = values
        for step in path[1:-1]:
            block = block[step]
        edit(block, path[-1])
        self.write(path[0], yaml.dump(values, Dumper=yaml.CSafeDumper, sort_keys=False))

    def put(self, path: tuple[str, ...], value: Any) -> None:
        self.change(path, lambda block, key: block.__setitem__(key, value))

    def put_all(self, leaves: Sequence[Leaf], value_of: Callable[[Leaf], Any]) -> None:
        """Rewrite the file of these keys, each with a value of its own."""
        (name,) = {leaf.path[0] for leaf in leaves}
        values = shipped()[name]
        for leaf in leaves:
            block = values
            for step in leaf.path[1:-1]:
                block = block[step]
            block[leaf.path[-1]] = deepcopy(value_of(leaf))  # one and the same would become an alias
        self.write(name, yaml.dump(values, Dumper=yaml.CSafeDumper, sort_keys=False))

    def load(self) -> Settings:
        return load(self.directory)

    def all_problems(self) -> tuple[str, ...]:
        """As the loader lists them; empty where there are none."""
        try:
            self.load()
        except ConfigInvalid as refused:
            return refused.problems
        return ()

    def problems(self) -> tuple[str, ...]:
        """Each without the directory: 'policy.yaml:12: what'."""
        with pytest.raises(ConfigInvalid) as caught:
            self.load()
        assert caught.value.exit_code == 10
        lead = f"{self.directory}/"
        assert all(problem.startswith(lead) for problem in caught.value.problems)
        return tuple(problem.removeprefix(lead) for problem in caught.value.problems)

    def problem(self) -> str:
        (only,) = self.problems()
        return only
