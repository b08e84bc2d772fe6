"""The page of the proof, made from the files that the campaigns wrote: docs/explanation/proof/*.json, and from
found.yaml beside them, in which a person wrote what they found."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.docs.reference import page, table
from tests.shared import ROOT
from trader_core.prove.proved import read

RESULTS = ROOT / "docs" / "explanation" / "proof"
FOUND = RESULTS / "found.yaml"


@dataclass(frozen=True)
class Campaign:
    """`name` is that of its result; `typed` is how it is run whole."""

    name: str
    typed: str
    tries: str


CAMPAIGNS = (
    Campaign("crash", "make prove-crash", "a crash at every write, flush and request, times every answer of the venue"),
    Campaign("failing", "make prove-failing", "the n-th write, statement or call fails, for every n"),
    Campaign("sigkill", "make prove-sigkill", "real processes, killed with SIGKILL while they trade, then started"),
    Campaign("sim", "make prove-sim", "whole lives drawn from seeds: markets, faults, an operator, restarts"),
    Campaign("soak", "make prove-soak", "a year of minutely cycles on a real disk"),
    Campaign("fuzz", "make prove-fuzz", "settings, plans, journals, old schemas, command lines, cut files, answers"),
    Campaign("parity", "make prove-parity", "cycles on real candles over HTTP, beside the compiled replay"),
    Campaign("kills", "make prove-kills", "`trader kill` in storms, behind hung loops, on full disks, without DNS"),
    Campaign("planted", "make prove-planted", "mistakes made on purpose, and which campaign finds them"),
    Campaign("mutation", "make mutation", "every small mistake in every rule, and who notices"),
)
HEAD = """\
Claims are cheap, so this page is made from files that campaigns write when they were run whole. Each tries to break the
program, and something that shares no code with it decides whether it did: the venue's own log, and
`trader_core/prove/checker.py`, which imports nothing of ours. A campaign prints its figures last, ends with 60 on a
violation, and goes on where it was stopped."""
NOT_PROVED = """\
- **A real venue.** Every order of every campaign went to a venue of ours on this machine. It speaks the documented
  format and misbehaves in the ways that we know of; a real one knows more.
- **A real network.** Answers were lost, late, cut short and refused on loopback. No route and no proxy was there.
- **A real power cut.** Processes were killed and disks were full. That a flushed byte survives a power cut is the word
  of the disk, and of whoever made it.
- **A machine that lies.** Memory that flips bits, clocks that run wild inside one process, a root user who edits what
  runs: only what is on disk is checked.
- **Another machine.** Times were measured on the one that the result files name, mostly beside other work.
- **Fills.** Parity says that a replay does what a paper account does. Neither says that a real order fills at the price
  of the model; `trader shadow report` compares the two, on your own trades.
- **That it earns.** No campaign asks whether a strategy is any good."""


def text(results: Path = RESULTS) -> str:
    """The page. What was not run yet says so."""
    found = read(results) if results.is_dir() else {}
    known = [*CAMPAIGNS, *(Campaign(one, "", "") for one in found if one not in {its.name for its in CAMPAIGNS})]
    return page(
        "The proof", HEAD, "## What was tried", _overview(known, found),
        *(_told(found[one.name]) for one in known if one.name in found),
        "## What it found", _bugs(results / FOUND.name), "## What is not proved", NOT_PROVED,
    )  # fmt: skip


def _overview(known: list[Campaign], found: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for one in known:
        result = found.get(one.name)
        run = [f"`{one.typed}`" if one.typed else "", one.tries]
        if result is None:
            rows.append([one.name, *run, "not yet run", "", ""])
        else:
            whole = "" if result["finished"] else ", not to its end"
            says = f"{_count(len(result['violations']), 'violation')}{whole}"
            rows.append([f"[{one.name}](#{one.name})", *run, says, f"`{result['commit']}`", result["day"]])
    return table(["campaign", "type", "what it tries", "what came of it", "commit", "day"], rows)


def _told(result: Mapping[str, Any]) -> str:
    name, took_s = result["campaign"], float(result["took_s"])
    took = f"{took_s / 60:,.0f} minutes" if took_s >= 120 else f"{took_s:,.0f} s"
    where = f"In {took}, on {_count(result['cores'], 'core')}, with Python {result['python']}."
    parts = [f"### {name}", f"{result['claim']} {where}"]
    if result.get("table"):
        heads, *rows = result["table"]
        parts.append(table([str(one) for one in heads], [[str(one) for one in row] for row in rows]))
    figures = [[str(what).replace("_", " "), _number(figure)] for what, figure in result["figures"].items()]
    parts.append(table(["figure", ""], figures))
    if result["violations"]:
        parts.append(table(["at", "violation"], [[one["at"], one["words"]] for one in result["violations"]]))
    return "\n\n".join(parts)


def _bugs(file: Path) -> str:
    known = yaml.safe_load(file.read_text(encoding="utf-8")) if file.exists() else []
    rows = [[one["campaign"], one["at"], one["what"], one["now"]] for one in known or []]
    head = "Each bug is mended, and tried again at the seed or the boundary that showed it."
    return f"{head}\n\n{table(['campaign', 'seed or boundary', 'what was wrong', 'what holds now'], rows)}"


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _number(figure: object) -> str:
    return f"{figure:,}" if isinstance(figure, int) else str(figure)
