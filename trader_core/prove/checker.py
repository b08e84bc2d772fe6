"""An independent checker: it reads the venue's truth and the journal's rows, and none of the program's own code."""

import json
import sqlite3
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

ZERO = Decimal(0)
OVER = ("filled", "cancelled", "expired")
Truth = list[dict[str, Any]]


@dataclass(frozen=True)
class Checked:
    """What is wrong, in words; nothing where all holds. The rest is for tests that ask for more."""

    wrong: tuple[str, ...]
    venue_orders: dict[str, int]  # accepted orders by our id
    unresolved: tuple[str, ...]  # intents whose fate the journal does not know
    held: dict[str, Decimal]  # by product, as the fills have it
    working: dict[str, str]  # orders open at the venue: side by our id


@dataclass
class Told:
    """One account as its journal's rows tell it."""

    intents: dict[str, list[Any]] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    fills: dict[str, tuple[str, str, str, Decimal, Decimal, Decimal]] = field(default_factory=dict)
    cash: Decimal = ZERO
    sends: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)  # why, by product, in the newest decision


def truth_of(path: Path, since: int) -> Truth:
    with path.open("rb") as lines:
        lines.seek(since)
        return [json.loads(line) for line in lines]


def told_by(journal: Path) -> Told:
    told = Told()
    if not journal.exists():
        return told
    with closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT kind, body FROM journal ORDER BY seq").fetchall()
    for kind, body in rows:
        fact = json.loads(body)
        if kind == "intended":
            told.intents[fact[0]], told.status[fact[0]], told.sends[fact[0]] = fact[1], "INTENDED", 1
        elif kind == "resent":
            told.sends[fact[0]] += 1
        elif kind == "acknowledged" and told.status[fact[0]] == "INTENDED":
            told.status[fact[0]] = "WORKING"
        elif kind == "closed" and told.status[fact[0]] != "FILLED":
            told.status[fact[0]] = fact[1]
            told.notes.append(fact[2])
        elif kind == "decided":
            told.excluded = {one[0]: one[2] for one in fact[2] if one[1] == "excluded"}
        elif kind == "cash_flow":
            told.cash += Decimal(fact[0])
        elif kind == "filled":
            _fold(told, fact[0])
    return told


def _fold(told: Told, fill: list[str]) -> None:
    entry, ours, symbol, side, _, size, value, fee = fill[:8]
    if entry in told.fills:
        return
    told.fills[entry] = (ours, symbol, side, Decimal(size), Decimal(value), Decimal(fee))
    told.cash += (Decimal(value) if side == "SELL" else -Decimal(value)) - Decimal(fee)
    done = sum((one[3] for one in told.fills.values() if one[0] == ours), ZERO)
    if done >= Decimal(told.intents[ours][4]):
        told.status[ours] = "FILLED"
    elif told.status[ours] == "INTENDED":
        told.status[ours] = "WORKING"


def check(
    journal: Path, truth: Truth, opening: int, strangers: frozenset[str] = frozenset(), cap_pct: int = 25
) -> Checked:
    """At most one venue order per intent, every venue order ours, the ledger the venue's, and every cap held."""
    told, wrong = told_by(journal), list[str]()
    orders = [one for one in truth if one["kind"] == "order" and one["client_order_id"] not in strangers]
    fills = [one for one in truth if one["kind"] == "fill" and one["client_order_id"] not in strangers]
    accepted: dict[str, int] = defaultdict(int)
    for order in orders:
        accepted[order["client_order_id"]] += 1
    wrong += [f"{one}: {times} venue orders of one intent" for one, times in accepted.items() if times > 1]
    wrong += [f"{one}: nobody intended it" for one in accepted if one not in told.intents]
    wrong += [f"{one}: sent {times} times" for one, times in told.sends.items() if times > 2]
    over = {one["client_order_id"] for one in truth if one["kind"] == "state" and one["state"] in OVER}
    working = {one["client_order_id"]: one["side"] for one in orders if one["client_order_id"] not in over}
    unresolved = tuple(one for one, status in told.status.items() if status == "INTENDED")
    wrong += [f"{one}: works at the venue, and is {told.status.get(one)}" for one in working if not _open(told, one)]
    known = (one for one, status in told.status.items() if status == "WORKING" and one not in working)
    wrong += [f"{one}: works for us, and not at the venue" for one in known]
    wrong += _money(told, fills, opening, {one["client_order_id"] for one in orders} & set(unresolved))
    wrong += _exposure(truth, strangers, Decimal(opening) * cap_pct / 100)
    return Checked(tuple(wrong), dict(accepted), unresolved, _held(fills), working)


def _open(told: Told, ours: str) -> bool:
    return told.status.get(ours) in ("WORKING", "INTENDED")


def _money(told: Told, fills: Truth, opening: int, waited_for: set[str]) -> list[str]:
    """Every fill once, to the last digit; of an order whose fate is unknown they may still be on their way."""
    theirs, cash = dict[str, tuple[Any, ...]](), Decimal(opening)
    for one in fills:
        size, fee = Decimal(one["size"]), Decimal(one["commission"])
        value = Decimal(one["price"]) * size
        who, product, side = one["client_order_id"], one["product_id"], one["side"]
        if who in waited_for and one["entry_id"] not in told.fills:
            continue
        theirs[one["entry_id"]] = (who, product, side, size, value, fee)
        cash += (value if side == "SELL" else -value) - fee
    wrong = [f"{one}: the venue filled it and the ledger does not know" for one in theirs.keys() - told.fills.keys()]
    wrong += [f"{one}: the ledger has it and the venue never filled it" for one in told.fills.keys() - theirs.keys()]
    both = theirs.keys() & told.fills.keys()
    wrong += [f"{one}: {told.fills[one]} for us, {theirs[one]} there" for one in both if told.fills[one] != theirs[one]]
    return wrong + ([f"cash is {told.cash} for us, {cash} there"] if told.cash not in (cash, ZERO) else [])


def _held(fills: Truth) -> dict[str, Decimal]:
    held: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for one in fills:
        held[one["product_id"]] += Decimal(one["size"]) * (1 if one["side"] == "BUY" else -1)
    return dict(held)


def _exposure(truth: Truth, strangers: frozenset[str], cap: Decimal) -> list[str]:
    """Line by line: what was paid for what is held, and every open purchase, never beyond the cap; never more sold, or
    offered at once, than is held."""
    paid, held = dict[str, Decimal](), dict[str, Decimal]()
    open_: dict[str, tuple[str, str, Decimal, Decimal]] = {}  # product, side, size, limit
    wrong = list[str]()
    for line in truth:
        ours = line["client_order_id"]
        if ours in strangers:
            continue
        if line["kind"] == "order":
            (terms,) = line["order_configuration"].values()
            size = Decimal(terms["base_size"])
            open_[ours] = (line["product_id"], line["side"], size, Decimal(terms["limit_price"]))
        elif line["kind"] == "state" and line["state"] in OVER:
            open_.pop(ours, None)
        elif line["kind"] == "fill":
            product, size, price = line["product_id"], Decimal(line["size"]), Decimal(line["price"])
            before = held.get(product, ZERO)
            bought = line["side"] == "BUY"
            held[product] = before + (size if bought else -size)
            worth = paid.get(product, ZERO)
            paid[product] = worth + size * price if bought else worth * held[product] / before
            if ours in open_:
                name, side, rest, limit = open_[ours]
                open_[ours] = (name, side, rest - size, limit)
        exposure = sum(paid.values()) + sum(size * limit for _, side, size, limit in open_.values() if side == "BUY")
        if exposure > cap:
            wrong.append(f"exposure of {exposure} is beyond {cap}")
        for product in held:
            offered = sum((one[2] for one in open_.values() if one[0] == product and one[1] == "SELL"), ZERO)
            if offered > held[product]:
                wrong.append(f"{offered} {product} offered, {held[product]} held")
    return wrong
