"""A private copy of the shipped configuration for each test."""

import shutil
from pathlib import Path

import pytest

from tests.settings.keys import CONFIG
from tests.settings.spoil import Config


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(Path(shutil.copytree(CONFIG, tmp_path / "config")))
