"""What looks after an account rather than trades it: copies and the way back from one, an anchor for its journal, the
units of a service manager.
"""

import hmac
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from trader_core.bootstrap import MODES
from trader_core.domain.account import Account
from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.errors import JournalBroken, KeyUnusable, StateUnusable, TraderError, UsageError
from trader_core.domain.facts import Banned, Fact, HaltChanged, Moved, Paused, Restored
from trader_core.domain.halt import HaltState, killed, tripped
from trader_core.domain.values import names_of, replace
from trader_core.engine.journal import Journal
from trader_core.ops.clock import host_ms
from trader_core.ops.lock import WAIT_MS, StateLock, alone
from trader_core.ops.service import Service
from trader_core.ops.units import SYSUSERS, Place, units
from trader_core.settings.environment import process_environment
from trader_core.settings.options import Options
from trader_core.settings.secrets import audit_key
from trader_core.store.backups import FOLDER, RECORDS, Backup, Shelf, back_up, backups_in, check_backup, read_backup
from trader_core.store.files import StateFiles, newest, only
from trader_core.store.latch import read_row
from trader_core.store.policies import PolicyStore
from trader_core.store.proof import Proof, proven
from trader_core.store.sqlite import SqliteStore, folder_of, is_older, upgrade_copy
from trader_core.store.trials import LOST
from trader_core.store.trials import NAME as TRIALS

ROW_S = 5.0  # how long the row of a kill is waited for
SKIPPED = 100_000  # intents that an account may have numbered after its copy was taken
ANCHOR = "trader.anchor/v1"
_ANCHORED = {"at_ms": int, "mode": str, "instance": str, "seq": int, "hash": str, "seal": str}
_UNCHANGED, _ANCHOR_MADE = "nothing was changed", "trader audit anchor --to FILE makes one"
Copy = Backup
UNSEEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108 - ProtectHome, PrivateTmp
MACHINE, SYSUSERS_FOLDER = Path("/etc/systemd/system"), Path("/etc/sysusers.d")


# --- copies ----------------------------------------------------------------------------------------------------------


class Copies(Struct, frozen=True):
    """What a backup left on its shelf: a copy of each account, the one that was written last first, and older copies
    that it let go of; `notes` say what is not in them, or cannot be read there."""

    made: tuple[Backup, ...]
    gone: tuple[Path, ...]
    notes: tuple[str, ...]


def backed_up(options: Options, to: Path | None, keep: int) -> Copies:
    """Copy every account in the directory, or that of the mode, check the copies, and let go of the oldest beyond so
    many of each. One that cannot be copied keeps no other from it. Raises StateUnusable and JournalBroken."""
    first, made, failed = newest(options.state_directory, _modes(options)), list[Copies](), list[TraderError]()
    others = (StateFiles(first.directory, mode) for mode in _modes(options) if mode != first.mode)
    for files in (first, *others):
        try:
            if files.begun:
                made.append(_backed_up(files, to or files.directory / FOLDER, keep))
        except (StateUnusable, JournalBroken) as broken:
            failed.append(broken)
    copies = tuple(copy for one in made for copy in one.made)
    if failed:
        failed[0].safe = f"{', '.join(one.mode for one in copies)} is copied" if copies else failed[0].safe
        raise failed[0]
    notes = dict.fromkeys(note for one in made for note in one.notes)
    return Copies(copies, tuple(place for one in made for place in one.gone), tuple(notes))


def _backed_up(files: StateFiles, shelf: Path, keep: int) -> Copies:
    """One account, and of the older copies none of another's in the same place. What cannot be read there stays, and is
    told; a copy with a later date stays too, for nobody knows how old it is. One of a broken journal is none."""
    made = back_up(files, shelf, host_ms())
    try:
        verified_backup(made.place)
    except (StateUnusable, JournalBroken):
        shutil.rmtree(made.place, onerror=_gone)
        raise
    whose, found = _whose(made), backups_in(shelf)
    dated = [one for one in found.copies if one.made_ms <= made.made_ms]
    older = [one.place for one in dated if one.mode == made.mode and _whose(one) == whose][:-keep]
    for one in older:
        shutil.rmtree(one, onerror=_gone)
    registry = files.directory / TRIALS
    is_left = registry.exists() and TRIALS not in made.files
    left = (f"{registry} cannot be read and is not in the copy: {LOST}",) if is_left else ()
    return Copies((made,), tuple(older), (*left, *found.damaged))


def _gone(_: object, __: str, error: tuple[type[BaseException], BaseException, object]) -> None:
    """Another one that keeps copies here has taken it away meanwhile, or it stays, which is told."""
    if not isinstance(error[1], FileNotFoundError):
        raise error[1]


def _whose(backup: Backup) -> str | None:
    """The live account that a copy is of, '' of a simulated one; None where it cannot be read."""
    with suppress(StateUnusable), _read(backup) as store:
        return store.identity().get("instance", "")
    return None


def listed_backups(options: Options, to: Path | None) -> Shelf:
    return backups_in(to or options.state_directory / FOLDER)


def verified_backup(place: Path) -> tuple[Backup, Proof]:
    """Raises StateUnusable or JournalBroken where one byte of it, or one row of its journal, is not as it was
    written."""
    backup = read_backup(place)
    check_backup(backup)
    with _read(backup) as store:
        proof = proven(store)
    if (proof.rows, proof.head) != (backup.rows, backup.head):
        raise JournalBroken(f"the journal in {place} does not end where its page says", safe="nothing was changed")
    return backup, proof


@contextmanager
def _read(backup: Backup) -> Iterator[SqliteStore]:
    """The journal of a copy, to be read. One that an older version took stays as it is: a copy of it gets the tables
    that it lacks."""
    files = StateFiles(backup.place, backup.mode)
    with ExitStack() as stack:
        if is_older(files.state):
            files = StateFiles(Path(stack.enter_context(TemporaryDirectory(prefix="trader-"))), backup.mode)
            folder_of(files.state).symlink_to(folder_of(backup.place / files.state.name), target_is_directory=True)
            shutil.copyfile(backup.place / files.state.name, files.state)
            upgrade_copy(files.state)
        yield stack.enter_context(files.reading())


class Forbidden(Struct, frozen=True):
    """What stands against an account: why a kill stops it, '' where none does; its pause and its bans."""

    kill: str = ""
    facts: tuple[Paused | Banned, ...] = ()


@dataclass(frozen=True)
class Back:
    """An account that is an older copy of itself now; `archived` is where it was moved as it had been."""

    backup: Backup
    archived: Path | None
    kept: tuple[str, ...]  # files that stayed as they were
    venue: str | None  # as the account names it


def restored(options: Options, place: Path) -> Back:
    """Put a verified copy in the account's place, halted: what happened since is at the venue and not in the ledger.

    Permits never come back: one that was revoked would be in force again. A policy that is there stays: an older one
    would be a looser one. Nor is a kill forgotten, a pause or a ban: what says so is in the state that goes.
    """
    backup, _ = verified_backup(place)
    if options.mode not in (None, backup.mode):
        raise UsageError(f"{place} is a copy of the {backup.mode} account", remedy=f"--mode {backup.mode}")
    files = StateFiles(options.state_directory, backup.mode)
    files.make_directory()
    with alone(files.lock, files.turn, WAIT_MS), StateLock(files.moving, WAIT_MS), StateLock(files.changing, WAIT_MS):
        cut_short = files.cut_short()
        before = [files, *(StateFiles(one, files.mode) for one in cut_short if not _begun(files))]
        forbidden, made = _together(map(_forbidden, before)), files.aside()
        with _undone(made, files):
            stays = _made(made, backup, forbidden, [files.directory, *reversed(cut_short)])
        archived = _archived(files)
        for one in sorted(made.directory.iterdir(), key=lambda found: found == made.state):
            one.rename(files.directory / one.name)  # the state last: without it nothing has begun
        for folder in (*cut_short, made.directory):
            shutil.rmtree(folder)
        with files.reading() as store:
            venue = store.identity().get("venue")
    return Back(backup, archived, stays, venue)


def _made(made: StateFiles, backup: Backup, forbidden: Forbidden, places: Sequence[Path]) -> tuple[str, ...]:
    """The account as it will be, halted, beside the one that is there: whoever cuts a restore short finds one of them
    or none, and the next restore finds what stood against it. Returns what stays of the policy: that of the first place
    which has one."""
    policy, closed = f"{made.mode.lower()}.policy", PurePosixPath(folder_of(made.state).name)
    stays = next((found for one in places if (found := sorted(one.glob(f"{policy}.*")))), [])
    for one in stays:
        _copied(one, made.directory / one.name)
    wanted = {made.state.name, made.venue.name} | ({f"{policy}.db", f"{policy}.json"} if not stays else set())
    wanted |= {name for name in RECORDS if not (places[0] / name).exists()}
    for name in backup.files:
        if name in wanted or PurePosixPath(name).parent == closed:
            _copied(backup.place / name, made.directory / name)
    made.bring_up_to_date()
    _halted(made, backup, forbidden)
    return tuple(one.name for one in stays)


@contextmanager
def _undone(made: StateFiles, files: StateFiles) -> Iterator[None]:
    """What cannot be made ready takes no room from the account that is there. Raises StateUnusable."""
    try:
        yield
    except (OSError, StateUnusable) as failed:
        if _begun(files):
            shutil.rmtree(made.directory, ignore_errors=True)
        if isinstance(failed, StateUnusable):
            failed.remedy = failed.remedy.replace(str(made.directory), str(files.directory))
            raise
        raise StateUnusable(
            f"{made.directory} cannot be made ready: {failed.strerror}", safe="the account is as it was",
            remedy=f"make room on its disk, or mend that (df -h {quote(str(files.directory))}), and run it again",
        ) from failed  # fmt: skip


def _copied(source: Path, target: Path) -> None:
    target.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def _begun(files: StateFiles) -> bool:
    """Whether there is a state that can be read."""
    with suppress(StateUnusable):
        return files.begun
    return False


def _archived(files: StateFiles) -> Path | None:
    """None where nothing of the account is there, not even a policy."""
    policy = PolicyStore(files.directory, files.mode)
    there = any(one.exists() for one in (files.state, files.venue, policy.path, policy.backup))
    return files.archive() if there else None


def _forbidden(files: StateFiles) -> Forbidden:
    """Of the account that is there, whether or not a cycle has seen the kill. Nothing where nobody can read it."""
    found = Forbidden()
    with suppress(StateUnusable, JournalBroken):
        if files.begun:
            found = Forbidden(read_row(files.state, ROW_S).reason)
            with files.reading() as store:
                book = Journal(store).book
            killed_by = book.halt.reason if book.halt.state is HaltState.KILLED else ""
            bans = (Banned(asset, one.reason, one.since_ms, one.until_ms) for asset, one in book.bans.items())
            pause = (Paused(book.paused, book.closed_ms),) if book.paused else ()
            found = Forbidden(found.kill or killed_by, (*pause, *bans))
    return found


def _together(found: Iterable[Forbidden]) -> Forbidden:
    """What any of them says; of two that forbid one thing, the later."""
    every = list(found)
    facts = {getattr(fact, "asset", ""): fact for one in every for fact in one.facts}
    return Forbidden(next((one.kill for one in every if one.kill), ""), tuple(facts.values()))


def _halted(files: StateFiles, backup: Backup, forbidden: Forbidden) -> None:
    """In the journal of the copy: what it is, and that a person has to compare it with the venue first. What stood
    against the one before stands against it too."""
    now_ms = host_ms()
    with closing(SqliteStore.writing(files.state, "")) as store:
        journal = Journal(store)
        halt, at_ms = journal.book.halt, EpochMs(max(journal.book.closed_ms, 0))
        facts: list[Fact] = [Restored(backup.place.name, SKIPPED, now_ms), *forbidden.facts]
        if halt.state is not HaltState.KILLED:
            why = f"restored from {backup.place.name}: reconcile first"
            after = killed(halt, f"{forbidden.kill}; {why}", at_ms) if forbidden.kill else tripped(halt, why, at_ms)
            facts.append(HaltChanged(after))
        journal.record(at_ms, facts)


# --- the journal, for others -----------------------------------------------------------------------------------------


class Anchor(Struct, frozen=True):
    """The end of a journal as it was at a time, sealed with a key that is not kept beside it."""

    at_ms: EpochMs
    mode: str
    instance: str
    seq: int
    hash: str
    seal: str

    def text(self) -> str:
        """One line, to be kept where whoever may write to the state may not."""
        told = {"schema": ANCHOR, **{name: getattr(self, name) for name in names_of(self)}, "at": rfc3339(self.at_ms)}
        return json.dumps(told, sort_keys=True)


def anchored(options: Options) -> Anchor:
    """The journal's end, after all of it was walked. Raises KeyUnusable without a key, UsageError where there are
    several accounts and none is named, and JournalBroken."""
    key = _key()
    files = only(options.state_directory, _modes(options))
    with files.reading() as store:
        proof, identity = proven(store), store.identity()
    bare = Anchor(host_ms(), files.mode, identity.get("instance", ""), proof.rows, proof.head, "")
    return replace(bare, seal=_sealed(bare, key))


@dataclass(frozen=True)
class Audit:
    """A journal that was walked and found whole, and the anchors that it holds to."""

    account: Account
    proof: Proof
    anchors: tuple[Anchor, ...]


def audited(options: Options, anchors: Path | None) -> Audit:
    """Raises JournalBroken where a row is not as it was written, or an anchor names another, or a later one.

    Raises UsageError where the file of anchors cannot be read or nobody says whose they are, and KeyUnusable where
    there are anchors and no key: then nothing can be said of them.
    """
    files = (only if anchors else newest)(options.state_directory, _modes(options))
    held = tuple(_anchors_in(anchors)) if anchors else ()
    if anchors and not held:
        raise UsageError(f"--anchors {anchors} has no anchor in it", safe=_UNCHANGED, remedy=_ANCHOR_MADE)
    key = _key() if held else b""
    with files.reading() as store:
        proof, identity = proven(store), store.identity()
        known = dict(store.query("SELECT seq, hash FROM journal"))
    for one in held:
        if not hmac.compare_digest(one.seal, _sealed(one, key)):
            raise _torn(f"the anchor of row {one.seq} was not sealed with this key, or was changed")
        if (one.mode, one.instance) != (files.mode, identity.get("instance", "")):
            raise _torn(f"the anchor of {rfc3339(one.at_ms)} is of another account")
        if known.get(one.seq) != one.hash:
            lost = "is missing" if one.seq not in known else "is another one"
            raise _torn(f"row {one.seq} of the journal {lost}: the anchor of {rfc3339(one.at_ms)} names it")
    return Audit(Account(files.mode, identity.get("venue", "?")), proof, held)


def exported(options: Options, since_ms: int) -> Iterator[Mapping[str, Any]]:
    """Rows of the journal with their hashes from a time on, verified from the first row, as documents."""
    with newest(options.state_directory, _modes(options)).reading() as store:
        for row, fact in store.told():
            if row.at_ms >= since_ms:
                body = {"moved": fact.file} if isinstance(fact, Moved) else json.loads(row.body)
                yield {**row._asdict(), "body": body}


def _anchors_in(file: Path) -> Iterator[Anchor]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as gap:
        told = f"--anchors {file} cannot be read: {gap.strerror}"
        raise UsageError(told, safe=_UNCHANGED, remedy=_ANCHOR_MADE) from gap
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            try:
                found = json.loads(line)
                if found.pop("schema") != ANCHOR:
                    raise ValueError
                found.pop("at")
                kinds = {name: type(value) for name, value in found.items()}
                if kinds != _ANCHORED or not "".join(map(str, found.values())).isascii():
                    raise ValueError
                yield Anchor(**found)
            except (ValueError, KeyError, TypeError, AttributeError):
                half = "a line that was cut off may be taken out: the others hold by themselves"
                raise _torn(f"line {number} of {file} is no anchor", half) from None


def _sealed(anchor: Anchor, key: bytes) -> str:
    told = (ANCHOR, anchor.at_ms, anchor.mode, anchor.instance, anchor.seq, anchor.hash)
    return hmac.new(key, "\x1f".join(map(str, told)).encode(), sha256).hexdigest()


def _key() -> bytes:
    found = audit_key(process_environment())
    if found is None:
        raise KeyUnusable(
            "there is no key to seal with", safe="nothing was changed",
            remedy="pass 32 random characters or more as the credential audit_key, or in TRADER_AUDIT_KEY",
        )  # fmt: skip
    return found


def _torn(what: str, remedy: str = "compare with a backup: trader restore DIR --verify") -> JournalBroken:
    return JournalBroken(what, safe="nothing was changed", remedy=remedy)


# --- the machine -----------------------------------------------------------------------------------------------------


def service_manager() -> Service:
    """Whoever started us, if it listens."""
    return Service(process_environment())


class Unit(Struct, frozen=True):
    """One file of a service manager, and what it is beside the one that is there."""

    path: Path
    text: str
    news: str  # new, changed or same


def units_for(program: Path, state: Path | None, config: Path | None, to: Path | None) -> tuple[Unit, ...]:
    """What would be installed: for the machine, or with a `state` for the person whose it is. Nothing is written."""
    place = Place(PurePosixPath(program), config=PurePosixPath(config) if config else None)
    if state is not None:
        place = replace(place, state=PurePosixPath(state), is_machine=False)
    folder = to or (MACHINE if place.is_machine else Path.home() / ".config" / "systemd" / "user")
    found = [Unit(folder / name, text, _news(folder / name, text)) for name, text in units(place).items()]
    if place.is_machine:
        path = (to or SYSUSERS_FOLDER) / "trader.conf"
        found.append(Unit(path, SYSUSERS, _news(path, SYSUSERS)))
    return tuple(found)


def unseen(places: Iterable[Path]) -> tuple[str, ...]:
    """What the machine's units would start or read and cannot see: these folders are hidden from them."""
    return tuple(
        f"{place} is under {hidden}, where the machine's units see nothing: put it elsewhere, like /opt or /etc"
        for place in places
        for hidden in UNSEEN
        if hidden in (*place.parents, *place.resolve().parents, place)
    )


def write_units(found: Iterable[Unit]) -> None:
    """Each whole or not at all. Raises UsageError where the place does not let us."""
    for one in found:
        beside = one.path.with_name(f".{one.path.name}.new")
        try:
            one.path.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(one.text, encoding="utf-8")
            beside.replace(one.path)
        except OSError as failed:
            raise UsageError(
                f"{one.path} cannot be written: {failed.strerror}", safe="nothing was started",
                remedy="run it as root, or for yourself: trader install-units --user",
            ) from failed  # fmt: skip


def _news(path: Path, text: str) -> str:
    if not path.exists():
        return "new"
    return "same" if path.read_text(encoding="utf-8", errors="replace") == text else "changed"


def _modes(options: Options) -> tuple[str, ...]:
    return tuple(one for one in MODES if options.mode in (None, one))
