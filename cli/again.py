"""A command that is told is told as it has to be typed: without the options that were said, it acts elsewhere."""

import re
from collections.abc import Mapping

from cli.options import Shared

OF_NO_ACCOUNT = ("compare", "data", "prove", "runbook", "schema", "sim", "size", "version")
_ENDS = re.compile(r"\btrader |[,;()]")


def typed(text: str, shared: Shared) -> str:
    """Every command in the text with the place, the configuration, the mode and the venue that were said."""
    said = {name: getattr(shared, name) for name in ("mode", "venue", "state", "config")}
    if "trader " not in text or not any(said.values()):
        return text
    from cli.show import shell
    from cli.table import COMMANDS

    groups = {name: "|".join(of) for name, of in COMMANDS.items() if isinstance(of, Mapping)}
    paths = [f"{name} (?:{of})" for name, of in groups.items()] + [one for one in COMMANDS if one not in groups]

    def whole(found: "re.Match[str]") -> str:
        if found[1].partition(" ")[0] in OF_NO_ACCOUNT:
            return found[0]
        rest = _ENDS.split(text[found.end() :], maxsplit=1)[0].replace("=", " ").split()
        return found[0] + shell({name: value for name, value in said.items() if f"--{name}" not in rest})

    return re.sub(rf"\btrader ({'|'.join(paths)})(?![\w-])", whole, text)
