"""A configuration that differs from another in some keys: for rehearsals, which never touch a person's own files."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from trader_core.settings.schema import FILES


def write_variant(source: Path, target: Path, edits: Mapping[str, Any]) -> None:
    """The five files with some keys changed, `app.exchange.venue` one of them; values are written as YAML would."""
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        content = yaml.safe_load((source / f"{name}.yaml").read_text(encoding="utf-8"))
        for key, value in edits.items():
            file, *path = key.split(".")
            if file == name:
                _put(content, path, value)
        (target / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")


def _put(content: Any, path: Sequence[str], value: Any) -> None:
    for part in path[:-1]:
        content = content[part]
    content[path[-1]] = value
