"""The policy of a cycle: asked for once, and written down where it is another one than before."""

from typing import TYPE_CHECKING

from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import PolicyApplied
from trader_core.domain.objection import Objection
from trader_core.domain.policy import WRITTEN, PolicyAge
from trader_core.engine.journal import Journal
from trader_core.ports import Ports

if TYPE_CHECKING:
    from trader_core.settings.schema import Settings

STALE = 20  # exit code of a cycle whose policy is too old


def policy_in_force(ports: Ports, written: "Settings", journal: Journal, decision_ms: EpochMs) -> "Settings":
    """The settings that this decision time is judged by now. Where nothing but what is written ever was in force, there
    is nothing to write down."""
    book = journal.book
    found = ports.policies.in_force(written, decision_ms, book.policy_version, ports.clock.seen_ms())
    moved = (found.version, found.digest) != (book.policy_version, book.policy_digest)
    if moved and max(found.version, book.policy_version) > WRITTEN:
        journal.record(decision_ms, [PolicyApplied(found.version, found.digest, decision_ms)])
    settings: Settings = found.settings
    return settings


def too_old(age: PolicyAge, policy: "Settings") -> tuple[Objection, ...]:
    """What a cycle says of a policy that closes its entries."""
    limit_s = policy.policy.data.max_policy_age_s
    if age.age_ms <= limit_s * 1_000:
        return ()
    return (Objection(f"the policy was not read for more than {limit_s} s: {age.problem}", STALE),)
