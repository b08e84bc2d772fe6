"""Hindsight: historic decisions taken once more on what they were taken from. It reads an account, also one in use."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from trader_core.domain.book import Book
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.decision import Decision
from trader_core.domain.errors import ConfigInvalid, JournalBroken, StateUnusable, UsageError
from trader_core.domain.facts import Decided, Intended, Marked, Moved
from trader_core.domain.inputs import Inputs, digest_of, unpacked
from trader_core.domain.money import Quote
from trader_core.domain.order import ApprovedOrder
from trader_core.domain.words import count
from trader_core.engine.columns import lookback_of
from trader_core.engine.decide import decide
from trader_core.engine.digest import decision_digest
from trader_core.engine.inputs import Shelf, snapshot_of
from trader_core.engine.law import bar_ms_of
from trader_core.engine.observe import Snapshot
from trader_core.ledger.checkpoint import code_digest, to_text
from trader_core.ledger.fold import apply
from trader_core.market.returns import days_back
from trader_core.report.altered import Altered, altered
from trader_core.settings.edit import Value, edited, from_text
from trader_core.settings.schema import Settings
from trader_core.store.proof import Proof, proven
from trader_core.store.recorded import Recorded
from trader_core.store.sqlite import SqliteStore

Progress = Callable[[int, int], None]
SAFE = "nothing was changed and nothing was sent"
LATER = "an older trader wrote it; later cycles can be replayed"
OTHER_SETTINGS = "taken under settings of another version of trader"
_DECIDED = "SELECT seq, cycle_id FROM journal WHERE kind = 'decided' ORDER BY seq"


@dataclass
class Past:
    """One decision as it was written down, and the book that it was taken on."""

    seq: int
    cycle: int
    decided: Decided
    equity: Quote | None = None
    orders: list[ApprovedOrder] = field(default_factory=list)
    inputs: Inputs | None = None  # None: recorded by an older trader, without what it was taken from
    away: str = ""  # the closed file in which it stands, or part of its window, where that is not there
    book: Book = field(default_factory=Book)


@dataclass(frozen=True)
class Again:
    """A decision then and now. It is the same where the bytes of both are."""

    cycle: int
    decision_ms: EpochMs
    digest_before: str
    digest_after: str
    equity_before: Quote | None
    equity_after: Quote | None
    altered: tuple[Altered, ...]

    @property
    def same(self) -> bool:
        return self.digest_before == self.digest_after


@dataclass(frozen=True)
class Replayed:
    """`differing` are those whose bytes are not the same; `silent` have no record of what they were taken from, `away`
    stand in closed files that are not there, and `foreign` were taken under settings that this version cannot read."""

    replayed: int
    identical: int
    silent: int
    away: int
    foreign: int
    differing: tuple[Again, ...]
    warnings: tuple[str, ...] = ()


def verified(store: SqliteStore) -> Proof:
    """Everything that is written down, walked from its beginning. Raises JournalBroken with the row that was changed;
    a checkpoint that is not the fold of the journal up to it is named too, also one in a closed file."""
    proof, book, code = proven(store), Book(), code_digest()
    with store.at_once(), Recorded(store) as recorded:
        kept = recorded.checkpoints(code)
        if newest := store.remembered(code):
            kept.append((*newest, "the checkpoint"))
        for seq, fact in enumerate(store.facts() if kept else (), 1):
            book = apply(book, fact)
            for at, text, what in kept:
                if at == seq and to_text(book) != text:
                    raise _broken(what)
            if seq >= max(at for at, *_ in kept):
                break
    return proof


class Records:
    """What decisions were taken from, read in their order."""

    def __init__(self, recorded: Recorded) -> None:
        self._recorded = recorded
        self._shelf: Shelf | None = None
        self._read = 0  # candles of records up to this row are on the shelf
        self._documents: dict[str, str] = {}
        self._policies: dict[str, Settings | None] = {}

    def inputs(self, past: Past) -> Inputs | None:
        """Raises JournalBroken where the record is not the one that the decision names."""
        if not past.decided.inputs:
            return None
        body = self._recorded.inputs(past.seq)
        if body is None or digest_of(body) != past.decided.inputs:
            raise _broken(f"row {past.seq} of inputs")
        return unpacked(body)

    def lacking(self, past: Past, inputs: Inputs) -> str:
        """The closed file that its window reaches into, where that is not there."""
        segment = self._recorded.lacks(past.seq, inputs.first_ms)
        return str(self._recorded.segments.path(segment)) if segment else ""

    def policy(self, inputs: Inputs) -> Settings | None:
        """None where another version of trader wrote it, which knows other keys."""
        if inputs.policy not in self._policies:
            text = self.document(inputs.policy)
            try:
                self._policies[inputs.policy] = from_text(text)
            except ConfigInvalid:
                self._policies[inputs.policy] = None
        return self._policies[inputs.policy]

    def document(self, digest: str) -> str:
        if digest not in self._documents:
            found = self._recorded.document(digest)
            if found is None or digest_of(found) != digest:
                raise _broken(f"document {digest}")
            self._documents[digest] = found
        return self._documents[digest]

    def snapshot(self, past: Past, inputs: Inputs, rows: int = 0) -> Snapshot:
        return snapshot_of(inputs, self._filled(past.seq, inputs.bar_ms), self.document, rows)

    def _filled(self, seq: int, bar_ms: int) -> Shelf:
        if self._shelf is None:
            self._shelf = Shelf(self._recorded.first_ms(), bar_ms)
        self._shelf.put(self._recorded.bars(self._read, seq))
        self._read = max(self._read, seq)
        return self._shelf


def _broken(what: str) -> JournalBroken:
    return JournalBroken(f"{what} is not as it was written", safe=SAFE, remedy="trader decisions verify")


def pasts(store: SqliteStore, records: Records) -> Iterator[Past]:
    """Every decision, oldest first, each with the book it was taken on. Raises JournalBroken."""
    book, books, marked, open_one = Book(), {0: Book()}, Marked(EpochMs(0), None, ()), None
    for row, fact in store.told():
        if open_one is not None and isinstance(fact, Intended):
            open_one.orders.append(fact.approved)
        elif open_one is not None:
            yield open_one
            open_one = None
        if isinstance(fact, Marked):
            marked = fact
        elif isinstance(fact, Decided):
            open_one = Past(row.seq, row.cycle_id, fact, marked.equity)
            open_one.inputs = records.inputs(open_one)
            if isinstance(fact, Moved):
                open_one.away = fact.file
            if open_one.inputs is not None:
                if open_one.inputs.after not in books:
                    raise _broken(f"row {row.seq} of inputs")
                open_one.book = books[open_one.inputs.after]
                open_one.away = records.lacking(open_one, open_one.inputs)
            books = {}
        book = apply(book, fact)
        books[row.seq] = book
    if open_one is not None:
        yield open_one


def taken_again(past: Past, inputs: Inputs, records: Records, policy: Settings) -> Again:
    """The decision under a policy, with as long a window as that reads."""
    snapshot = records.snapshot(past, inputs, lookback_of(policy))
    return _beside(past, snapshot, decide(snapshot, past.book, policy))


def _beside(past: Past, snapshot: Snapshot, now: Decision) -> Again:
    lots = {one.symbol: one.lot for one in snapshot.instruments}
    digest, then = decision_digest(now), past.decided
    sides = (then.judgements, past.orders), (now.judgements, now.orders)
    differences = () if digest == then.digest else altered(*sides, lots)
    return Again(past.cycle, then.decision_ms, then.digest, digest, past.equity, now.equity, differences)


def replayed(store: SqliteStore, cycle: int | None, policy: Settings | None, told: Progress) -> Replayed:
    """One cycle's decisions, or all, again: under the policy that each was taken under, or under `policy`.

    Raises UsageError where there is no such cycle, and StateUnusable where nothing was recorded to replay.
    """
    known = store.query(_DECIDED)
    wanted = [seq for seq, number in known if cycle in (None, number)]
    if cycle is not None and not wanted:
        raise UsageError(f"cycle {cycle} took no decision", safe=SAFE, remedy="trader decisions list")
    done, silent, foreign, differing, away = 0, 0, 0, list[Again](), list[str]()
    with store.at_once(), Recorded(store) as recorded:
        records = Records(recorded)
        for past in pasts(store, records):
            if cycle is not None and past.cycle != cycle:
                continue
            if past.away:
                away.append(past.away)
                continue
            if past.inputs is None:
                silent += 1
                continue
            ours = policy or records.policy(past.inputs)
            if ours is None:
                foreign += 1
                continue
            found = taken_again(past, past.inputs, records, _fitting(ours, past.inputs))
            done += 1
            told(done + silent + foreign + len(away), len(wanted))
            if not found.same:
                differing.append(found)
            if cycle is not None and done + silent == len(wanted):
                break
    which = "every decision" if cycle is None else f"cycle {cycle}"
    if away and not done:
        raise _away(which, away[0])
    if foreign and not done:
        raise _foreign(which)
    if not done:
        raise StateUnusable(f"{which} was recorded without what it was taken from", safe=SAFE, remedy=LATER)
    words = "decision was recorded without what it was", "decisions were recorded without what they were"
    warnings = [f"{count(silent, *words)} taken from"] if silent else []
    need = count(len(away), "decision needs", "decisions need")
    warnings += [f"{need} closed files that are not there, the first {away[0]}"] if away else []
    were = count(foreign, "decision was", "decisions were")
    warnings += [f"{were} {OTHER_SETTINGS}: --config DIR decides all of them under one"] if foreign else []
    return Replayed(done, done - len(differing), silent, len(away), foreign, tuple(differing), tuple(warnings))


def _away(what: str, file: str) -> StateUnusable:
    return StateUnusable(f"{what} was moved into {file}, which is not there", safe=SAFE, remedy="put that file back")


def _foreign(what: str) -> StateUnusable:
    """Nothing is damaged: there are keys which this version must know and that one did not, or the other way."""
    remedy = "trader replay --all --config DIR, with today's settings"
    return StateUnusable(f"{what} was {OTHER_SETTINGS}", safe=SAFE, remedy=remedy)


def _fitting(policy: Settings, inputs: Inputs) -> Settings:
    """Raises UsageError for a policy that reads other bars than were recorded."""
    if bar_ms_of(policy) != inputs.bar_ms:
        raise UsageError("that policy has another base bar: its candles were never read", safe=SAFE)
    return policy


@dataclass(frozen=True)
class WhatIf:
    """One decision under the policy it was taken under, and under another."""

    cycle: int
    decision_ms: EpochMs
    edits: Mapping[str, str]
    same: bool
    equity: Quote | None
    altered: tuple[Altered, ...]
    warnings: tuple[str, ...]


def what_if(store: SqliteStore, cycle: int, edits_of: Callable[[Settings], Mapping[str, Value]]) -> WhatIf:
    """Both sides by the present code, so that only the policy differs. Raises ConfigInvalid for an unsound one."""
    with store.at_once(), Recorded(store) as recorded:
        records = Records(recorded)
        found = [one for one in pasts(store, records) if one.cycle == cycle]
        if not found:
            raise UsageError(f"cycle {cycle} took no decision", safe=SAFE, remedy="trader decisions list")
        past = found[0]
        if past.away:
            raise _away(f"cycle {cycle}", past.away)
        if past.inputs is None:
            raise StateUnusable(f"cycle {cycle} was recorded without what it was taken from", safe=SAFE, remedy=LATER)
        policy = records.policy(past.inputs)
        if policy is None:
            raise _foreign(f"cycle {cycle}")
        edits = edits_of(policy)
        other = _fitting(edited(policy, edits), past.inputs)
        snapshot = records.snapshot(past, past.inputs)
        longer = records.snapshot(past, past.inputs, lookback_of(other))
    before, after = decide(snapshot, past.book, policy), decide(longer, past.book, other)
    lots = {one.symbol: one.lot for one in snapshot.instruments}
    differences = altered((before.judgements, before.orders), (after.judgements, after.orders), lots)
    return WhatIf(
        cycle, past.decided.decision_ms, {key: str(value) for key, value in edits.items()},
        decision_digest(before) == decision_digest(after), after.equity, differences,
        _warned(past, before, (snapshot, policy), (longer, other)),
    )  # fmt: skip


def _warned(
    past: Past, before: Decision, here: tuple[Snapshot, Settings], there: tuple[Snapshot, Settings]
) -> tuple[str, ...]:
    """What keeps the answer from being the whole truth."""
    (short, policy), (longer, other), found = here, there, []
    if decision_digest(before) != past.decided.digest:
        found.append("the present code decides this cycle otherwise than it was decided then: trader replay shows how")
    more, days = longer.frame.rows - short.frame.rows, days_back(other) - days_back(policy)
    if days > 0 or (more and not longer.frame.present[:more].all()):
        found.append("that policy reads further back than all candles that were recorded")
    return tuple(found)
