"""A decision's fingerprint: the same inputs give the same bytes, on any machine."""

from hashlib import sha256

from trader_core.domain.codec import to_json
from trader_core.domain.decision import Decision


def decision_digest(decision: Decision) -> str:
    """SHA-256 (hex) of the decision's canonical JSON."""
    return sha256(to_json(decision).encode()).hexdigest()
