"""The policy over time: versions over what was written, and what of them is in force at a moment.

The five files are version 1 and the ceiling. Each version after it tightens limits, or loosens some for a while.
"""

from typing import Any, Protocol

from msgspec import Struct

from trader_core.domain.clocktime import EpochMs

WRITTEN = 1  # the version that the files are


class PolicyChange(Struct, frozen=True):
    """One key's new value as text. Without an end it tightens; with one it loosens, until then."""

    key: str
    before: str  # in force when it was made
    value: str
    expires_ms: EpochMs | None
    written: str = ""  # what the files said when it was made; '' where nobody noted it


class PolicyVersion(Struct, frozen=True):
    """One change of the policy, by a person and for a reason. `at_ms` is the account's own time, -1 before its first
    cycle."""

    version: int
    at_ms: EpochMs
    host_ms: EpochMs
    author: str
    reason: str
    changes: tuple[PolicyChange, ...]

    @property
    def loosens(self) -> bool:
        return any(one.expires_ms is not None for one in self.changes)


class InForce(Struct, frozen=True):
    """The settings of one decision, the version that they come from, and their digest."""

    settings: Any  # of a layer that this one does not know
    version: int
    digest: str


class PolicyAge(Struct, frozen=True):
    """How long ago the versions were last read, by the account's time, and why not since."""

    age_ms: int
    problem: str


class Policies(Protocol):
    """Where the policy in force comes from."""

    def in_force(self, written: Any, at_ms: EpochMs, known: int, seen_ms: int = 0) -> InForce:
        """Of a decision time. `known` is the newest version that the account has ever seen: one that went is missing,
        and then what was read last stays in force. `seen_ms` is the market's time now: what has ended by then is over,
        also where the newest bar is older."""

    def age(self, at_ms: EpochMs) -> PolicyAge: ...


class AsWritten:
    """Where there is no store: what is written is in force, and never old."""

    def in_force(self, written: Any, at_ms: EpochMs, known: int, seen_ms: int = 0) -> InForce:
        return InForce(written, WRITTEN, "")

    def age(self, at_ms: EpochMs) -> PolicyAge:
        return PolicyAge(0, "")


AS_WRITTEN = AsWritten()
