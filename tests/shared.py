"""The shared data and fixtures, wherever TRADER_SHARED says they are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def shared(part: str) -> Path:
    """That folder of the shared data; the test, or the file that asks as it is read, is skipped, and says why, where it
    is not there."""
    folder = Path(os.environ.get("TRADER_SHARED", ROOT.parent / "shared"), part)
    if not folder.exists():
        pytest.skip(f"{folder} is not there; name the shared folder with TRADER_SHARED", allow_module_level=True)
    return folder
