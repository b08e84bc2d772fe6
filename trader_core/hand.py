"""The hand: what a person does to an account besides looking. Each deed is first a plan, and a plan that no longer
holds is refused."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from time import sleep
from typing import Any

from trader_core.bootstrap import open_preview, open_system, settings_of
from trader_core.candles.fetched import FetchedCandles
from trader_core.candles.fetching import Counted, Fetched, Told, fetch_pairs
from trader_core.candles.files import PAIR, granularity_name
from trader_core.candles.writing import only_writer
from trader_core.domain.clocktime import MINUTE_MS, SECOND_MS, EpochMs, rfc3339
from trader_core.domain.errors import GateClosed, UsageError, VenueUnavailable
from trader_core.domain.instrument import base_of
from trader_core.domain.money import plain
from trader_core.engine.cycle import CycleReport
from trader_core.engine.journal import Journal
from trader_core.engine.liquidate import Liquidation, Survey, liquidate, survey
from trader_core.engine.plan import (
    Document,
    Now,
    amount_of,
    check_decision,
    check_ground,
    entries_of,
    is_away,
    refuse,
    sealed,
    text_of,
    unsealed,
)
from trader_core.engine.reconciling import DUST, Applied, Finding, compare, settle_up
from trader_core.engine.run import told_cycle
from trader_core.keyring import client_of
from trader_core.ops.clock import SETTLE_MS, host_ms
from trader_core.ops.lock import WAIT_MS, alone
from trader_core.settings.digest import digest
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.store.backups import FOLDER, back_up
from trader_core.store.files import CANDLES, StateFiles, newest
from trader_core.store.memory import MemoryStore
from trader_core.venues.coinbase.words import Granularity
from trader_core.worlds.live import HISTORY_MS, fetch_of
from trader_core.worlds.system import System

CYCLE_PLAN, LIQUIDATION_PLAN, RECONCILE_PLAN = "trader.plan/v1", "trader.liquidation/v1", "trader.reconciliation/v1"
GOOD_MS = 15 * MINUTE_MS  # how long a plan to sell, or to book, can be agreed to
PAUSE_S_MAX = 8  # between rounds of a liquidation in which nothing moved
FETCHABLE = ("coinbase",)  # venues whose candles anybody may ask for
BESIDE = 4  # pairs at once; the venue lets no more through
Stop = Callable[[], bool]


def plan_in(path: Path, schema: str) -> Document:
    """A plan as it was written. Raises UsageError."""
    try:
        return unsealed(path.read_text(encoding="utf-8"), schema)
    except (OSError, UnicodeDecodeError) as unreadable:
        raise UsageError(f"--plan {path} cannot be read: {unreadable}", remedy="name the file of a plan") from None


# --- one cycle as it was previewed -----------------------------------------------------------------------------------


def planned_cycle(system: System, plan: Document) -> CycleReport | None:
    """The next cycle, if it is the one of the plan; None at the end of the market. Raises PlanDrifted."""
    ports, policy = system.ports, system.policy
    check_ground(plan, now_of(system))
    decision_ms = ports.clock.next_decision_ms(system.journal.book.closed_ms)
    if decision_ms is None:
        return None
    band_bps = policy.policy.orders.limit_band_bps
    tell = system.telling.cycle
    return told_cycle(ports, policy, system.journal, decision_ms, tell, lambda one: check_decision(plan, one, band_bps))


def now_of(system: System) -> Now:
    book = system.journal.book
    now_ms = EpochMs(system.ports.clock.seen_ms())
    return Now(system.mode, digest(system.policy), book.cycles, book.intents, now_ms)


# --- liquidation -----------------------------------------------------------------------------------------------------


def survey_of(options: Options, assets: Sequence[str]) -> tuple[Survey, Document]:
    """(what would be sold, the plan to do so), on a copy of the state: nothing is recorded."""
    with open_preview(options) as system:
        _check_trader(system)
        book, mode = system.journal.book, system.mode
        ground: dict[str, Any] = {"mode": mode, "config_digest": digest(system.policy)}
        ground |= {"after_cycle": book.cycles, "after_intents": book.intents}
        found = survey(system.ports, system.policy, system.journal, assets)
        until = rfc3339(system.ports.clock.seen_ms() + GOOD_MS)
    return found, sealed({"schema": LIQUIDATION_PLAN, **ground, "expires_time": until, **_sales_in(found)})


def _sales_in(found: Survey) -> dict[str, Any]:
    def text(amount: Any) -> str | None:
        return None if amount is None else plain(amount)

    positions = [
        {
            "symbol": one.symbol, "quantity": plain(one.quantity), "bid": text(one.bid), "worst": text(one.worst),
            "dust": one.is_dust, "why_not": one.why_not,
        }
        for one in found.sales
    ]  # fmt: skip
    foreign = [{"symbol": one.symbol, "quantity": plain(one.quantity), "bid": plain(one.bid)} for one in found.foreign]
    return {"positions": positions, "foreign": foreign, "cancels": list(found.entries)}


def liquidated(options: Options, assets: Sequence[str], plan: Document | None, stop: Stop) -> Liquidation:
    """Sell, after a last look whether everything is as the plan says. Raises PlanDrifted, and GateClosed where nothing
    can be sent."""
    with open_system(options) as system:
        _check_trader(system)
        if plan is not None:
            check_ground(plan, now_of(system))
            assets = assets or [base_of(text_of(one, "symbol")) for one in entries_of(plan, "foreign")]
        found = survey(system.ports, system.policy, system.journal, assets)
        if plan is not None:
            refuse(_drifts(plan, found, system.policy.policy.orders.limit_band_bps))
        return liquidate(system.ports, system.policy, system.journal, found, _pause, stop)


def _drifts(plan: Document, found: Survey, band_bps: float) -> list[str]:
    """Other positions, or bids that fell by more than the band."""
    drifts: list[str] = []
    for name, here in (("positions", found.sales), ("foreign", found.foreign)):
        then = {text_of(one, "symbol"): one for one in entries_of(plan, name)}
        now = {one.symbol: one for one in here}
        drifts += [f"{one} is new" for one in now.keys() - then.keys()]
        drifts += [f"{one} is gone" for one in then.keys() - now.keys()]
        for one in sorted(now.keys() & then.keys()):
            quantity, bid = amount_of(then[one], "quantity"), amount_of(then[one], "bid")
            if quantity != now[one].quantity:
                drifts.append(f"{plain(now[one].quantity)} {one} are held, and then {plain(quantity)}")
            lower = now[one].bid or Decimal(0)
            if lower < bid and is_away(bid, lower, band_bps):
                drifts.append(f"{one} is bid at {plain(lower)}, and then at {plain(bid)}")
    return drifts


def _check_trader(system: System) -> None:
    if system.ports.trader is None:
        raise GateClosed(f"{system.mode} has no account: there is nothing to sell and nothing to compare")


def _pause(fruitless: int) -> None:
    sleep(min(2 ** (fruitless - 1), PAUSE_S_MAX))


# --- account against ledger ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reconciled:
    """What differs, and, where it was applied, what was done about it and where the state as it was is kept."""

    findings: tuple[Finding, ...]
    plan: Document
    applied: Applied | None = None
    backup: tuple[Path, ...] = ()
    before: tuple[Finding, ...] = ()


def compared(options: Options, dust: bool = False) -> Reconciled:
    """Everything in which account and ledger differ; and `dust`, which does not. Nothing is recorded; the state's lock
    is held meanwhile."""
    policy, files = _begun(options)
    with alone(files.lock, files.turn, WAIT_MS), open_preview(options) as system:
        _check_trader(system)
        return _compared(system, policy, _dust_bps(policy, dust))


def _dust_bps(policy: Settings, dust: bool) -> float | None:
    return policy.policy.orders.limit_band_bps if dust else None


def _compared(system: System, policy: Settings, dust_bps: float | None) -> Reconciled:
    copy = Journal(MemoryStore(system.ports.store.facts(judged=False)))
    found = compare(system.ports, copy, _at_ms(system), dust_bps)
    book = system.journal.book
    plan = {
        "schema": RECONCILE_PLAN, "mode": system.mode, "config_digest": digest(policy), "after_cycle": book.cycles,
        "after_intents": book.intents, "expires_time": rfc3339(system.ports.clock.seen_ms() + GOOD_MS),
        "findings": [_finding_in(one) for one in found],
    }  # fmt: skip
    return Reconciled(found, sealed(plan))


def _finding_in(one: Finding) -> dict[str, str]:
    amounts = {"ledger": one.ledger, "venue": one.venue}
    told = {name: plain(amount) for name, amount in amounts.items() if amount is not None}
    return {"kind": one.kind, "subject": one.subject, "detail": one.detail, **told}


def applied(options: Options, plan: Document | None, reason: str, dust: bool = False) -> Reconciled:
    """Book what differs, if it is what the plan says; and give `dust`, where it is asked for or planned, to its owner.
    Before that the state is copied. Raises PlanDrifted."""
    policy, files = _begun(options)
    planned = [] if plan is None else entries_of(plan, "findings")
    dust_bps = _dust_bps(policy, dust or any(one.get("kind") == DUST for one in planned))
    with open_system(options) as system:
        _check_trader(system)
        if plan is not None:
            check_ground(plan, now_of(system))
        seen = _compared(system, policy, dust_bps)
        if plan is not None:
            now = entries_of(seen.plan, "findings")
            refuse([f"new: {_words(one)}" for one in now if one not in planned])
            refuse([f"gone: {_words(one)}" for one in planned if one not in now])
        if not seen.findings:
            return seen
        kept = back_up(files, files.directory / FOLDER, host_ms())
        done = settle_up(system.ports, system.journal, _at_ms(system), reason, dust_bps)
        left = _compared(system, policy, dust_bps)
        return Reconciled(left.findings, left.plan, done, (kept.place / files.state.name,), seen.findings)


def _words(finding: Document) -> str:
    return f"{finding.get('kind')} {finding.get('subject')} ({finding.get('detail')})"


def _at_ms(system: System) -> EpochMs:
    return EpochMs(max(system.ports.clock.seen_ms(), system.journal.book.closed_ms))


def _begun(options: Options) -> tuple[Settings, StateFiles]:
    """Raises StateUnusable where there is nothing to compare with, and GateClosed before the first cycle."""
    policy = settings_of(options)
    files = newest(options.state_directory, (options.mode or policy.app.mode,))
    if files.decided_ms()[1] < 0:
        raise GateClosed(
            f"the {files.mode} account has not run a cycle yet: its ledger is empty", safe="nothing was changed",
            remedy="trader run-cycle, then this again",
        )  # fmt: skip
    return policy, files


# --- candles ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fetching:
    """What was asked for, and what came of it."""

    directory: Path
    since_ms: int
    until_ms: int
    pairs: tuple[Fetched, ...]
    calls: int
    unsound: int


def fetched(options: Options, pairs: Sequence[str], granularity: str, directory: Path | None, told: Told) -> Fetching:
    """Public candles into a folder that `--data` reads; no key is needed. Without `pairs` those of every tier, without
    times the last 90 days. Raises UsageError."""
    policy = settings_of(options)
    bar_ms, venue = _bar_ms(granularity), options.venue or policy.app.exchange.venue
    if venue not in FETCHABLE:
        raise UsageError(f"the {venue} venue has no candles of its own to fetch", remedy=f"--venue {FETCHABLE[0]}")
    until_ms = min((host_ms() - SETTLE_MS) // bar_ms * bar_ms, options.until_ms or host_ms())
    since_ms = until_ms - HISTORY_MS if options.since_ms is None else options.since_ms
    wanted = tuple(dict.fromkeys(pairs)) or tuple(f"{one}-{policy.app.exchange.quote}" for one in policy.universe.bases)
    wrong = [one for one in wanted if not PAIR.fullmatch(one)]
    if wrong or since_ms >= until_ms:
        told_wrong = f"no pair: {', '.join(wrong)}" if wrong else "there is no closed bar between --from and --to"
        raise UsageError(told_wrong, remedy="--pairs BTC-USD,ETH-USD --from 2024-08-01")
    files = StateFiles(options.state_directory, options.mode or policy.app.mode)
    files.make_directory()
    place = directory or files.directory / CANDLES / venue
    counted = Counted(fetch_of(client_of(policy, files.directory, None), bar_ms), told, bar_ms)
    source = FetchedCandles(
        bar_ms=bar_ms, quote=policy.app.exchange.quote, fingerprint="", first_ms=EpochMs(since_ms), directory=place,
        fetch=counted, listed=_not_asked,
    )  # fmt: skip
    with only_writer(place), ThreadPoolExecutor(BESIDE) as pool:
        found = fetch_pairs(source, counted, wanted, since_ms, until_ms, pool)
    return Fetching(place, since_ms, until_ms, found, counted.done, counted.unsound)


def _not_asked() -> Any:
    raise VenueUnavailable("the venue's list was not asked for")


def _bar_ms(granularity: str) -> int:
    """Raises UsageError for a length that the venue does not have."""
    known = {granularity_name(one.value * SECOND_MS): one.value * SECOND_MS for one in Granularity}
    if granularity not in known:
        told = f"--granularity: the venue has no bars of '{granularity}'"
        raise UsageError(told, remedy=f"--granularity {', '.join(known)}")
    return known[granularity]
