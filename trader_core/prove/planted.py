"""Mistakes made on purpose, each in a copy of the program, and which campaign finds it, how soon.

A campaign that finds nothing may have looked well, or not at all: this tells which.
"""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from trader_core.domain.errors import UsageError
from trader_core.domain.values import as_dict
from trader_core.prove.proved import Figure, Proved, Violation
from trader_core.settings.environment import process_environment

CLAIM = "A mistake that costs money is noticed by a campaign."
PACKAGES = ("cli", "trader_core")
BROKEN = 60  # how a campaign ends that has found something
GIVEN_UP_S = 900.0
START = "from cli.main import main; main()"
Told = Callable[[str], None]


class Edit(Struct, frozen=True):
    """In this file of the package this text, which stands there once, becomes another."""

    file: str
    old: str
    new: str


class Plant(Struct, frozen=True):
    name: str
    edits: tuple[Edit, ...]


class Found(Struct, frozen=True):
    """`campaign` is empty where none found it."""

    plant: str
    campaign: str
    took_s: float


PLANTS = (
    Plant(
        "the intent is not committed before its order leaves",
        (
            Edit(
                "engine/journal.py",
                "            self._store.append(self.next_cycle, at_ms, facts, taken)\n",
                "            news = [(self.next_cycle, at_ms, facts, taken)]\n"
                "            if any(type(one).__name__ == 'Intended' for one in facts):\n"
                "                self.__dict__['late'] = news\n"
                "            else:\n"
                "                for one in [*self.__dict__.pop('late', []), *news]:\n"
                "                    self._store.append(*one)\n",
            ),
        ),
    ),
    Plant(
        "an order of unknown fate is not reserved",
        (
            Edit(
                "ledger/integers.py",
                "        if order.is_open and order.approved.symbol in index:\n            _put_order",
                "        if order.is_open and order.status.name != 'INTENDED' and order.approved.symbol in index:\n"
                "            _put_order",
            ),
        ),
    ),
    Plant(
        "a trade is counted as often as it is told",
        (
            Edit("ledger/fold.py", "    if fill.trade_id in holding.trades:\n", "    if False:\n"),
            Edit(
                "engine/settle.py",
                "    return holding is None or told.fill.trade_id not in holding.trades",
                "    return True",
            ),
        ),
    ),
    Plant(
        "a restart forgets a halt",
        (
            Edit(
                "engine/journal.py",
                "            self.rows, self.book = self.rows + 1, apply(self.book, fact)\n",
                "            self.rows, self.book = self.rows + 1, apply(self.book, fact)\n"
                "        values = __import__('trader_core.domain.values').domain.values\n"
                "        self.book = values.replace(self.book, halt=Book().halt)\n",
            ),
        ),
    ),
    Plant(
        "orders leave before anybody looks for a kill",
        (
            Edit("engine/send.py", "why_not = _news_of_a_kill(halts, journal) or against(order)", 'why_not = ""'),
            Edit(
                "engine/send.py",
                'return "" if journal.book.halt.trading is Trading.HALTED else halts.kill_requested() or ""',
                'return ""',
            ),
            Edit("engine/cycle.py", "    if reason and killed(halt", "    if False and killed(halt"),
        ),
    ),
    Plant(
        "a gate makes an order larger",
        (
            Edit(
                "rulebook/gates/caps.py",
                "    return min(buys.lots, note(trace, Verdict.TOTAL_EXPOSURE, judged))",
                "    return 2 * min(buys.lots, note(trace, Verdict.TOTAL_EXPOSURE, judged))",
            ),
        ),
    ),
    Plant(
        "the fee of a position's last sale is dropped",
        (
            Edit(
                "ledger/fold.py",
                "else fill.value) - fill.fee)\n",
                "else fill.value) - (fill.fee if grown.quantity else 0))\n",
            ),
        ),
    ),
)


def campaigns(lives: int) -> dict[str, tuple[str, ...]]:
    """A part of each, with its words, in the order in which they look."""
    return {
        "sim": ("--seeds", str(lives), "--cycles", "300", "--until-wrong"),
        "crash": ("--sample", "240"),
        "failing": ("--sample", "120"),
        "kills": ("--kills", "16"),
    }


def planted(work: Path, tell: Told, plants: Sequence[Plant], campaigns: Mapping[str, Sequence[str]]) -> Proved:
    """Each mistake before every campaign, in turn, until one finds it. What was found in `work` before is not looked
    for again. Raises UsageError where the place of a mistake is gone."""
    began, found = time.monotonic(), list[Found]()
    work.mkdir(parents=True, exist_ok=True)
    for plant in plants:
        kept = work / f"{plant.name.replace(' ', '-')}.json"
        if kept.exists():
            found.append(Found(**json.loads(kept.read_text())))
        else:
            found.append(_looked_for(plant, campaigns, work))
            kept.write_text(json.dumps(as_dict(found[-1])))
        tell(f"{plant.name}: {found[-1].campaign or 'nobody'}, {found[-1].took_s:.0f} s")
    figures: dict[str, Figure] = {one.plant: f"{one.campaign or 'not found'} after {one.took_s:.0f} s" for one in found}
    missed = [one for one in found if not one.campaign]
    again = "trader prove planted"
    violations = [Violation(one.plant, f"nobody found it in {one.took_s:.0f} s", again) for one in missed]
    figures["planted"], figures["found"] = len(found), len(found) - len(missed)
    return Proved("planted", CLAIM, figures, violations, time.monotonic() - began)


def _looked_for(plant: Plant, campaigns: Mapping[str, Sequence[str]], work: Path) -> Found:
    copy, spent = work / "copy", 0.0
    plant_in(copy, plant)
    for name, words in campaigns.items():
        began = time.monotonic()
        broken = _finds(copy, [name, *words])
        spent += time.monotonic() - began
        if broken:
            return Found(plant.name, name, time.monotonic() - began)
    return Found(plant.name, "", spent)


def plant_in(copy: Path, plant: Plant) -> None:
    """The program with that mistake in it. Raises UsageError where the place of an edit is gone."""
    root = Path(__file__).parents[2]
    shutil.rmtree(copy, ignore_errors=True)
    for package in PACKAGES:
        shutil.copytree(root / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    if (root / "config").is_dir():
        shutil.copytree(root / "config", copy / "config")
    for edit in plant.edits:
        file = copy / "trader_core" / edit.file
        text = file.read_text()
        if text.count(edit.old) != 1:
            raise UsageError(f"{plant.name}: its place in {edit.file} is gone")
        file.write_text(text.replace(edit.old, edit.new))


def _finds(copy: Path, words: Sequence[str]) -> bool:
    """Whether the campaign ends as one that has found something. One that breaks down has not."""
    environment = {**process_environment(), "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-c", START, "prove", *words], cwd=copy, env=environment, capture_output=True, check=False,
            timeout=GIVEN_UP_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == BROKEN
