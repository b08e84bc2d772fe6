"""Parity: a paper account lives a period cycle by cycle, a replay walks it at once, and the two are compared.

Paper is the whole program: the composition root, a state on disk, the simulated venue. What it decided and did is read
from its journal, so what is compared is what anybody can look up.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trader_core.bootstrap import open_system
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.errors import UsageError
from trader_core.domain.facts import Decided
from trader_core.domain.values import replace
from trader_core.engine.replay import Flow, replay
from trader_core.engine.run import cycles
from trader_core.prove import account
from trader_core.prove.compare import Agreement, Difference, compare, explained
from trader_core.prove.sides import Amount, lived_in_replay, lived_on_paper
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.store.files import StateFiles
from trader_core.worlds.simulated import LAST_CYCLES, span_of
from trader_core.worlds.system import System

LEG_CYCLES = 10_000  # between two copies of the account

Stop = Callable[[], bool]
Progress = Callable[[int, int], object]  # cycles lived in this run, of how many


@dataclass(frozen=True)
class Parity:
    """What the comparison found. `differences` tell the first of the `differing_cycles`."""

    from_ms: EpochMs
    to_ms: EpochMs
    cycles: int
    cycles_left: int
    data_fingerprint: str
    config_digest: str
    cash: Decimal | None
    cash_replayed: Decimal
    agreements: tuple[Agreement, ...]
    differing_cycles: int
    differences: tuple[Difference, ...]
    warnings: tuple[str, ...]


def parity(options: Options, limit: int | None, stop: Stop, progress: Progress) -> Parity:
    """Live up to `limit` more cycles in the state directory's account, and compare all that it has lived.

    Raises UsageError where there is nothing to compare, StateUnusable where the directory is not ours.
    """
    options = replace(options, mode="PAPER", venue="simulated")
    files = StateFiles(options.state_directory, "PAPER")
    account.claim(files)
    account.check_beginning(files, options.since_ms)
    done = 0
    while True:
        with open_system(options) as system:
            left = cycles_left(system, options)
            total = done + (left if limit is None else min(left, limit - done))
            done = _live(system, stop, progress, done, total)
            if done >= total or stop():
                return compared(system, cycles_left(system, options))
            lived = system.journal.book.cycles
        account.keep(files, lived)


def _live(system: System, stop: Stop, progress: Progress, done: int, total: int) -> int:
    """One leg; returns how many cycles this run has lived after it."""
    leg = min(total - done, LEG_CYCLES)
    for _ in cycles(system.ports, system.policy, system.journal, stop, leg):
        done += 1
        progress(done, total)
    return done


def cycles_left(system: System, options: Options) -> int:
    """Cycles of the period that are still to come. An endless market's period is that of a run without --to."""
    bar_ms, lived_ms, end_ms = system.source.bar_ms, system.journal.book.closed_ms, system.source.end_ms
    start_ms, until_ms = span_of(system.source, options)
    ends = [] if until_ms is None else [until_ms]
    ends += [] if end_ms is None else [end_ms + bar_ms]
    over_ms = min(ends, default=start_ms + LAST_CYCLES * bar_ms)
    following_ms = start_ms if lived_ms < 0 else max(start_ms, lived_ms + bar_ms)
    return max(0, -(-(over_ms - following_ms) // bar_ms))


def compared(system: System, left: int) -> Parity:
    """Everything that the account has lived, beside a replay of the same."""
    paper = lived_on_paper(system.ports.store.facts())
    if not paper:
        raise UsageError("the period is empty", remedy="choose --from and --to inside the data")
    source, policy, first, last = system.source, system.policy, paper[0], paper[-1]
    flows: list[Flow] = [(one.at_ms, amount) for one in paper for amount in one.flows]
    replayed = replay(source, policy, first.at_ms, last.at_ms + source.bar_ms, flows=flows)
    found, cash = compare(paper, lived_in_replay(replayed)), system.journal.book.cash
    found.cash(len(paper), last.at_ms, Amount("", cash), Amount("", replayed.cash))
    asked = {one.at_ms for one in found.differing}
    decided = (one for one in (system.ports.store.facts() if asked else ()) if isinstance(one, Decided))
    seen = {one.decision_ms: one.judgements for one in decided if one.decision_ms in asked}
    return Parity(
        from_ms=first.at_ms,
        to_ms=EpochMs(last.at_ms + source.bar_ms),
        cycles=len(paper),
        cycles_left=left,
        data_fingerprint=source.fingerprint,
        config_digest=digest(policy),
        cash=cash,
        cash_replayed=replayed.cash,
        agreements=found.agreements,
        differing_cycles=len(asked),
        differences=tuple(explained(found.differing, seen, source, policy)),
        warnings=tuple(
            f"cycle {number}: the account was {words}, and no replay was"
            for number, one in enumerate(paper, 1)
            for words in one.by_hand
        ),
    )
