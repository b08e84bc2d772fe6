"""The few lines of app.yaml that a kill wants to know. They are looked for, not parsed: no mistake elsewhere in the
file, and none in the other four, keeps a kill from its work. What is not found is as in the shipped file."""

import re
from dataclasses import dataclass
from pathlib import Path

from trader_core.settings.environment import read_environment
from trader_core.settings.locate import config_directory

FILE = "app.yaml"
BYTES_MAX = 65_536
_KEY = r"""(?:^|[\s{,])["']?%s["']?\s*:\s*(?:"([^"\n]*)"(?!\s*:)|'([^'\n]*)'(?!\s*:)|(?!\S*:\s)([^\s#,}"']+))"""
_TRUE, _NOTHING = ("true", "yes", "on"), ("null", "~")  # as YAML has them, in any case
_COMMENT = re.compile(r"(?m)(^|\s)#.*$")


@dataclass(frozen=True)
class Hints:
    """`venue_url` is empty for the venue's own address, `hook` where there is none, `mode` where none is found."""

    venue_url: str = ""
    files_allowed: bool = False
    hook: str = ""
    mode: str = ""


def hints_of(config: str) -> Hints:
    """From the directory that the option or the environment names, as every command finds it."""
    try:
        path = config_directory(Path(config) if config else None, read_environment()) / FILE
        with path.open("rb") as file:
            text = _COMMENT.sub("", file.read(BYTES_MAX).decode(errors="replace"))
    except (OSError, ValueError):
        return Hints()
    return Hints(
        venue_url=_value(text, "venue_url"),
        files_allowed=_value(text, "files_allowed").lower() in _TRUE,
        hook=_value(text, "hook"),
        mode=_value(text, "mode"),
    )


def _value(text: str, key: str) -> str:
    found = re.search(_KEY % key, text, re.MULTILINE)
    value = next((one for one in found.groups() if one), "") if found else ""
    return "" if value.lower() in _NOTHING else value
