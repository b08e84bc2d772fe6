"""The configuration's fingerprint: it changes with every value and with nothing else."""

import json
from decimal import Decimal
from hashlib import sha256

from trader_core.domain.money import plain
from trader_core.settings.schema import Settings


def digest(settings: Settings) -> str:
    """SHA-256 in hex over canonical JSON of all five files as resolved.

    Comments, layout, the order of keys and the spelling of numbers (5, 5.0) do not count; the order of lists does.
    """
    text = json.dumps(
        settings.model_dump(), sort_keys=True, separators=(",", ":"), allow_nan=False, default=_decimal_text
    )
    return sha256(text.encode("ascii")).hexdigest()


def _decimal_text(value: object) -> str:
    if not isinstance(value, Decimal):
        raise TypeError(f"no canonical text for {type(value).__name__}")
    return plain(value)
