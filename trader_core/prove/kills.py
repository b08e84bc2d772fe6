"""The kill campaign: hundreds of `trader kill` in worlds that are broken, judged by the venue's own log.

Each is a process of its own on a LIVE account in rehearsal whose purchases rest at the venue. What cannot be done must
be said, with what to do by hand; the latch stands; and the first cycle in a mended world finishes the job.
"""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from msgspec import Struct

from trader_core.domain.values import as_dict, replace
from trader_core.ops.clock import host_ms
from trader_core.prove.aftermath import accepted_after, cleared_ms, open_at, purchases
from trader_core.prove.conditions import CONDITIONS, Condition, During
from trader_core.prove.proved import Figure, Proved, Violation
from trader_core.prove.stage import START, Stage, staged

CLAIM = "After a kill nothing is open that adds risk and nothing more is bought, or it says what it could not do."
MINUTE_MS = 60_000
BAR_MS = 15 * MINUTE_MS
ROOM_MS = 12_000  # from a purchase to the end of its bar
LOOK_S = 0.2
KILL_S = 60.0
PRICES = {
    "BTC-USD": ("60000.00", "62400.00"), "ETH-USD": ("3000.00", "3120.00"), "SOL-USD": ("150.00", "156.00"),
    "AVAX-USD": ("30.00", "31.20"), "LINK-USD": ("15.00", "15.60"),
}  # fmt: skip
EDITS = {
    "policy.orders.maker_ttl_bars": 9,  # purchases rest, and do not run out by themselves meanwhile
    "policy.pacing.max_entries_per_cycle": 5,
    "policy.pacing.max_entries_per_hour": 5,
    "policy.pacing.max_entries_per_day": 50,
    "policy.pacing.min_spacing_s": 0,
    "policy.pacing.min_asset_spacing_s": 0,
}
OPENING = {"USD": "100000", "BTC": "0", "ETH": "0"}
PERMISSIONS = {"can_view": True, "can_trade": True, "can_transfer": False}
PORTFOLIO = "11111111-1111-4111-8111-111111111111"
KEPT = "prepared"
HALTED, INCOMPLETE = 21, 50
VERIFIED, NOT_DONE, BY_HAND = "verified by two clean looks", "NOT DONE", "at the venue by hand"
PHASES = ("latch", "cancel", "verified", "alert", "in all")
SHARES = (50, 95, 99)


class Killed(Struct, frozen=True):
    """One kill. Times in ms from the start of the process; None where it did not come to that."""

    number: int
    condition: str
    code: int
    orders: int  # purchases that were open when it started
    latch: float | None
    cancel: float | None
    verified: float | None
    alert: float | None
    in_all: float
    after: int  # the code of the first cycle in a mended world
    wrong: tuple[str, ...]


def kills(
    config: Path, work: Path, numbers: Sequence[int], stop: Callable[[], bool], told: Callable[[str], object]
) -> Proved:
    """The kills of these numbers, a condition each in turn; those that `work` knows already are not done again."""
    began_s = monotonic()
    work.mkdir(parents=True, exist_ok=True)
    log = work / "kills.jsonl"
    done = {one.number: one for one in _known(log)}
    left = [number for number in numbers if number not in done]
    place = work / "stage"
    shutil.rmtree(place, ignore_errors=True)
    if left:
        place.mkdir()
        with staged(place, config, **EDITS) as stage, log.open("a") as lines:
            prepare(stage)
            for number in left:
                if stop():
                    break
                condition = CONDITIONS[number % len(CONDITIONS)]
                told(f"kill {number}, {len(numbers)} in all: {condition.name}")
                done[number] = killed_once(stage, condition, number)
                lines.write(f"{json.dumps(as_dict(done[number]))}\n")
                lines.flush()
        shutil.rmtree(place, ignore_errors=True)
    found = [done[number] for number in numbers if number in done]
    return replace(judged(found, monotonic() - began_s), finished=len(found) == len(numbers))


def _known(log: Path) -> Iterator[Killed]:
    """What was done before; a line that was cut short is done again."""
    for line in log.read_text().splitlines() if log.exists() else []:
        try:
            told = json.loads(line)
        except ValueError:
            continue
        yield Killed(**{**told, "wrong": tuple(told["wrong"])})


# --- one kill --------------------------------------------------------------------------------------------------------


def prepare(stage: Stage) -> None:
    """A key, leave to trade, and the candles of three months: what every kill finds, and no account."""
    _anew(stage)
    stage.must("rotate-secrets", "--stage", "--verify", "--activate")
    stage.must("arm", "--max-equity", "100000000", "--expires", "24h", "--yes")
    _risen(stage)
    stage.program("run-cycle")
    kept = stage.folder / KEPT
    shutil.copytree(stage.state, kept)
    for path in kept.glob("live.*"):
        path.unlink()


def killed_once(stage: Stage, condition: Condition, number: int) -> Killed:
    since = _bought(stage, condition)
    with condition.made(stage, number) as during:
        stage.heard.clear()
        began_ms = host_ms()
        done = _killed(stage, during)
        ended_ms = host_ms()
        lines = purchases(stage.truth, since)
        latch_ms, heard = _latched_ms(stage), _heard(stage)
    after = stage.program("run-cycle")
    lines_after = purchases(stage.truth, since)
    says = VERIFIED in done.stdout
    killed = Killed(
        number, condition.name, done.returncode, len(open_at(lines, began_ms)),
        _from(latch_ms, began_ms), _from(cleared_ms(lines, began_ms, ended_ms), began_ms),
        ended_ms - began_ms if says else None, _from(heard, began_ms), ended_ms - began_ms, after.code, (),
    )  # fmt: skip
    wrong = [
        *([] if latch_ms else ["the latch does not stand"]),
        *([] if heard else ["nobody was alerted"]),
        *([] if killed.orders or condition.by_loop else ["nothing rested that could be canceled"]),
        *(_true(done, open_at(lines, ended_ms)) if says else _honest(done, condition)),
        *(f"{one}: bought after it was verified" for one in accepted_after(lines_after, ended_ms if says else 1e18)),
        *(f"{one}: still open in a mended world" for one in open_at(lines_after, 1e18)),
        *([] if after.code == HALTED else [f"the cycle after it ended with {after.code}: {after.err.strip()[-300:]}"]),
    ]
    return replace(killed, wrong=tuple(wrong))


def _true(done: "subprocess.CompletedProcess[str]", open_: set[str]) -> list[str]:
    """It says that all is gone. What else it could not do, it says as well."""
    found = [f"{one}: open, and it said verified" for one in open_]
    if done.returncode and NOT_DONE not in done.stdout:
        found.append(f"it ended with {done.returncode} and does not say why")
    return found


def _honest(done: "subprocess.CompletedProcess[str]", condition: Condition) -> list[str]:
    """It does not say that all is gone: then it says so, and what to do by hand."""
    found = [] if done.returncode == INCOMPLETE else [f"not verified, and it ended with {done.returncode}"]
    found += [f"it does not say '{one}'" for one in (NOT_DONE, BY_HAND) if one not in done.stdout]
    return found + ["the venue could be reached, and it is not verified"] * condition.clears


def _bought(stage: Stage, condition: Condition) -> int:
    """A new account, a market that has just risen, and purchases of ours at the venue; where its log begins."""
    shutil.rmtree(stage.state, ignore_errors=True)
    shutil.copytree(stage.folder / KEPT, stage.state)
    _anew(stage)
    since = stage.truth.stat().st_size
    _risen(stage)
    if not condition.by_loop:
        stage.must("run-cycle")
    return since


def _anew(stage: Stage) -> None:
    stage.admin("reset")
    stage.admin("permissions", **PERMISSIONS, portfolio_uuid=PORTFOLIO)
    stage.admin("balances", **OPENING)


def _risen(stage: Stage) -> None:
    """The last closed bar rose; early enough in this one."""
    while (now_ms := host_ms()) % BAR_MS > BAR_MS - ROOM_MS or now_ms % BAR_MS < LOOK_S * 20_000:
        sleep(LOOK_S)
    begun_ms = now_ms // BAR_MS * BAR_MS
    for product, (flat, up) in PRICES.items():
        path = [
            {"after_ms": begun_ms - now_ms - 24 * BAR_MS, "price": flat},
            {"after_ms": begun_ms - now_ms - BAR_MS // 2, "price": up},
        ]
        stage.admin("price", product=product, path=path)


def _killed(stage: Stage, during: During) -> "subprocess.CompletedProcess[str]":
    under = ["prlimit", "--fsize=0", "--"] if during.bytes_max == 0 else []
    return subprocess.run(  # noqa: S603 - our own program
        [*under, *START, "kill", "--reason", "the campaign"], env={**stage.environment, **during.environment},
        cwd=stage.folder, capture_output=True, text=True, check=False, timeout=KILL_S,
    )  # fmt: skip


def _latched_ms(stage: Stage) -> float | None:
    try:
        return (stage.state / "KILL_SWITCH").stat().st_mtime_ns / 1e6
    except FileNotFoundError:
        return None


def _heard(stage: Stage) -> float | None:
    return stage.heard[0] if stage.heard else None


def _from(at_ms: float | None, began_ms: float) -> float | None:
    return None if at_ms is None else round(at_ms - began_ms, 1)


# --- all of them -----------------------------------------------------------------------------------------------------


def judged(found: Sequence[Killed], took_s: float) -> Proved:
    violations = [
        Violation(f"kill {one.number}, {one.condition}", words, f"trader prove kills --only {one.number} --work DIR")
        for one in found
        for words in one.wrong
    ]
    verified = sum(one.verified is not None for one in found)
    figures: dict[str, Figure] = {
        "kills": len(found),
        "purchases_open": sum(one.orders for one in found),
        "verified": verified,
        "said_not_verified": len(found) - verified,
        "said_incomplete_50": sum(one.code == INCOMPLETE for one in found),
        "finished_by_the_next_cycle": sum(one.after == HALTED for one in found),
    }
    return Proved("kills", CLAIM, figures, violations, round(took_s, 1), table=table(found))


def table(found: Sequence[Killed]) -> list[list[str]]:
    """p50 / p95 / p99 of every phase in ms by condition; '-' where the condition makes it impossible."""
    heads = ["condition", "kills", *(f"{phase}, ms" for phase in PHASES), "exit codes"]
    rows: list[list[str]] = []
    for condition in CONDITIONS:
        these = [one for one in found if one.condition == condition.name]
        if these:
            told = [_shares([getattr(one, phase.replace(" ", "_")) for one in these]) for phase in PHASES]
            codes = sorted({one.code for one in these})
            counts = ", ".join(f"{code} x {sum(one.code == code for one in these)}" for code in codes)
            rows.append([condition.name, str(len(these)), *told, counts])
    return [heads, *rows]


def _shares(times: Sequence[Any]) -> str:
    known = sorted(one for one in times if one is not None)
    if not known:
        return "-"
    return " / ".join(f"{known[min(len(known) - 1, len(known) * share // 100)]:,.0f}" for share in SHARES)
