"""An independent checker: it reads the venue's truth and the journal's rows, and none of the program's own code.

One function for each rule, which yields what is wrong in words; `check` asks them all.
"""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

ZERO, GRAIN = Decimal(0), Decimal("1e-8")
OVER = ("filled", "cancelled", "expired")
SHUT = ("TRIPPED", "COOLING_DOWN", "KILLED")  # states of the halt machine in which no entry may be decided
GENESIS = "0" * 64
MOVED = Decimal("1.1")  # how far prices may move a share of the account between a decision and its order
LATE_MS = 1_000  # what had left before a halt was on disk may still arrive for so long
Truth = list[dict[str, Any]]


class Row(NamedTuple):
    """One row of a chained table."""

    seq: int
    cycle_id: int
    at_ms: int
    kind: str
    body: str
    config_digest: str
    prev_hash: str
    hash: str


@dataclass(frozen=True)
class Checked:
    """What is wrong, in words that begin with their rule's name; nothing where all holds. The rest is for tests that
    ask for more."""

    wrong: tuple[str, ...]
    venue_orders: dict[str, int]  # accepted orders by our id
    unresolved: tuple[str, ...]  # intents whose fate the journal does not know
    held: dict[str, Decimal]  # by product, as the fills have it
    working: dict[str, str]  # orders open at the venue: side by our id


@dataclass
class Told:
    """One account as its journal's rows tell it. An intent is [symbol, side, role, kind, quantity, ..]."""

    intents: dict[str, list[Any]] = field(default_factory=dict)
    payloads: dict[str, str] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    fills: dict[str, tuple[str, str, str, Decimal, Decimal, Decimal]] = field(default_factory=dict)
    entries: list[str] = field(default_factory=list)  # ids of fills, as often as they stand in the journal
    cash: Decimal = ZERO
    funded: bool = False  # whether the journal knows of any money yet
    sends: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    excluded: dict[str, str] = field(default_factory=dict)  # why, by product, in the newest decision


@dataclass(frozen=True)
class Evidence:
    """Everything that a rule may look at. `truth` is without what strangers did on the same account."""

    told: Told
    facts: tuple[tuple[Row, Any], ...]  # with what stands in their bodies; None in one that was moved to a closed file
    noted: Mapping[str, tuple[tuple[Any, ...], ...]]  # other tables of the journal's file
    permits: tuple[Row, ...]
    truth: Truth
    opening: Decimal
    cap_pct: Decimal  # of all that is held and asked for, in the account's worth
    asset_cap_pct: Decimal  # of one product
    late_ms: int

    @cached_property
    def orders(self) -> Truth:
        return [one for one in self.truth if one["kind"] == "order"]

    @cached_property
    def fills(self) -> Truth:
        return [one for one in self.truth if one["kind"] == "fill"]

    @cached_property
    def working(self) -> dict[str, str]:
        over = {one["client_order_id"] for one in self.truth if one["kind"] == "state" and one["state"] in OVER}
        return {one["client_order_id"]: one["side"] for one in self.orders if one["client_order_id"] not in over}


Rule = Callable[[Evidence], Iterator[str]]


def truth_of(path: Path, since: int) -> Truth:
    with path.open("rb") as lines:
        lines.seek(since)
        return [json.loads(line) for line in lines]


def told_by(journal: Path) -> Told:
    return _told(_facts(_rows(journal, "journal")))


def check(
    journal: Path, truth: Truth, opening: int | Decimal, strangers: frozenset[str] = frozenset(), cap_pct: int = 25,
    permits: Path | None = None, late_ms: int = LATE_MS, asset_cap_pct: int | Decimal = 4,
) -> Checked:  # fmt: skip
    """All rules on one account. `opening` is the money that it began with at the venue; a truth line of kind "cash"
    with an `amount` is a deposit or a withdrawal, one of kind "price" with `product_id` and `price` what a coin is
    worth. Without `permits` nobody asks for a grant."""
    facts = _facts(_rows(journal, "journal"))
    noted = {name: _table(journal, name) for name in ("cycles", "head", "latches", "segments")}
    ours = [one for one in truth if one.get("client_order_id") not in strangers]
    grants = _rows(permits, "permits") if permits else ()
    seen = Evidence(_told(facts), facts, noted, grants, ours, Decimal(opening), Decimal(cap_pct),
                    Decimal(asset_cap_pct), late_ms)  # fmt: skip
    wrong = tuple(f"{name}: {words}" for name, rule in RULES.items() for words in rule(seen))
    unresolved = tuple(one for one, status in seen.told.status.items() if status == "INTENDED")
    accepted = dict(Counter(one["client_order_id"] for one in seen.orders))
    return Checked(wrong, accepted, unresolved, _held(seen.fills), seen.working)


# --- the rules -------------------------------------------------------------------------------------------------------


def one_order_per_intent(seen: Evidence) -> Iterator[str]:
    """Nothing is sent twice but what sells, and that once more at the most; and nothing is decided twice."""
    told = seen.told
    accepted = Counter(one["client_order_id"] for one in seen.orders)
    yield from (f"{one}: {times} venue orders of one intent" for one, times in accepted.items() if times > 1)
    yield from (f"{one}: sent {times} times" for one, times in told.sends.items() if times > 2)
    bought = (one for one, times in told.sends.items() if times > 1 and told.intents[one][2] == "ENTRY")
    yield from (f"{one}: a purchase was sent again" for one in bought)
    made = [row for row, _ in seen.facts if row.kind == "intended"]
    yield from (f"row {row.seq}: that id was used before" for row in made[len(told.intents) :])
    decided = Counter(
        (fact[2], fact[1][0], fact[1][12])
        for row, fact in seen.facts
        if row.kind == "intended" and fact[1][2] == "ENTRY"
    )
    yield from (f"{symbol} bought {times} times at {at}" for (at, symbol, _), times in decided.items() if times > 1)


def every_order_owned(seen: Evidence) -> Iterator[str]:
    """What the venue has is what was written down, and each side knows of it what the other does."""
    status = seen.told.status
    for order in seen.orders:
        ours = order["client_order_id"]
        if ours not in seen.told.intents:
            yield f"{ours}: nobody intended it"
        elif payload := seen.told.payloads[ours]:
            meant, names = json.loads(payload), ("product_id", "side", "order_configuration")
            yield from (f"{ours}: its {one} is not what was written down" for one in names if meant[one] != order[one])
    for one in seen.working:
        if one in status and status[one] not in ("WORKING", "INTENDED"):
            yield f"{one}: works at the venue, and is {status[one]}"
    for one, known in status.items():
        if known == "WORKING" and one not in seen.working:
            yield f"{one}: works for us, and not at the venue"


def no_entry_while_halted(seen: Evidence) -> Iterator[str]:
    """By the order of rows: once a halt is written down no entry is; and only a person ends a kill."""
    state = ""
    for row, fact in seen.facts:
        if row.kind in ("halt_changed", "halt_reset"):
            if state == "KILLED" and row.kind == "halt_changed" and fact[0][0] != "KILLED":
                yield f"row {row.seq}: {fact[0][0]} after a kill, and nobody reset it"
            state = fact[0][0]
        elif _is_entry(row, fact) and state in SHUT:
            yield f"row {row.seq}: {fact[0]} was decided, {state}"


def no_purchase_after_a_halt(seen: Evidence) -> Iterator[str]:
    """By the clock: what buys does not arrive after a halt was on disk, whenever it was decided."""
    shut = list(_shut(seen.facts)) + list(_latched(seen.noted["latches"]))
    for order in (one for one in seen.orders if one["side"] == "BUY"):
        at_ms = _ms(order["at"])
        for began_ms, until_ms in shut:
            if began_ms + seen.late_ms < at_ms < until_ms:
                yield f"{order['client_order_id']}: bought {at_ms - began_ms} ms after a halt"


def no_entry_against_a_verdict(seen: Evidence) -> Iterator[str]:
    """What is bought was judged, and let pass, in the newest decision; and nothing of it was of unknown fate before."""
    outcomes: dict[str, str] = {}
    open_: dict[str, str] = {}  # symbol by id: written down and not heard of
    before: set[str] = set()  # of these, symbols from before that decision
    for row, fact in seen.facts:
        if row.kind == "decided":
            outcomes = {one[0]: one[1] for one in fact[2]} if fact else {}
            before = set(open_.values())
        elif row.kind == "intended":
            symbol = fact[1][0]
            if fact[1][2] == "ENTRY" and outcomes.get(symbol) != "OK":
                yield f"row {row.seq}: {fact[0]} was bought, and the verdict on {symbol} is {outcomes.get(symbol)}"
            if fact[1][2] == "ENTRY" and symbol in before:
                yield f"row {row.seq}: {fact[0]} was bought, and an order in {symbol} is of unknown fate"
            open_[fact[0]] = symbol
        elif row.kind in ("acknowledged", "closed"):
            before.discard(open_.pop(fact[0], ""))
        elif row.kind == "filled":
            before.discard(open_.pop(fact[0][1], ""))


def no_entry_without_grant(seen: Evidence) -> Iterator[str]:
    """The newest grant at the time of an entry had neither ended nor been passed by the equity."""
    if not seen.permits:
        return
    equity: Decimal | None = None
    for row, fact in seen.facts:
        if row.kind == "marked":
            equity = None if fact[1] is None else Decimal(fact[1])
        elif _is_entry(row, fact):
            why = _ungranted(seen.permits, fact[4], equity, seen.late_ms)
            if why:
                yield f"row {row.seq}: {fact[0]} was decided, and {why}"


def exposure_capped(seen: Evidence) -> Iterator[str]:
    """Line by line: what is held, and every open purchase, never beyond the caps when somebody buys; never more sold,
    or offered at once, than is held."""
    cash, held, price = seen.opening, defaultdict[str, Decimal](lambda: ZERO), dict[str, Decimal]()
    open_: dict[str, tuple[str, str, Decimal, Decimal]] = {}  # product, side, size, limit
    for line in seen.truth:
        ours, kind = line.get("client_order_id", ""), line["kind"]
        if kind == "cash":
            cash += Decimal(line["amount"])
        elif kind == "price":
            price[line["product_id"]] = Decimal(line["price"])
        elif kind == "order":
            (terms,) = line["order_configuration"].values()
            size, limit = Decimal(terms["base_size"]), Decimal(terms["limit_price"])
            open_[ours] = (line["product_id"], line["side"], size, limit)
        elif kind == "state" and line["state"] in OVER:
            open_.pop(ours, None)
        elif kind == "fill":
            product, size, paid = line["product_id"], Decimal(line["size"]), Decimal(line["price"])
            bought, price[product] = line["side"] == "BUY", paid
            held[product] += size if bought else -size
            cash -= (size * paid if bought else -size * paid) + Decimal(line["commission"])
            if ours in open_:
                name, side, rest, limit = open_[ours]
                open_[ours] = (name, side, rest - size, limit)
        if kind in ("order", "fill") and line["side"] == "BUY":
            worth = sum((held[one] * price[one] for one in price), ZERO)
            asked = sum((size * limit for _, side, size, limit in open_.values() if side == "BUY"), ZERO)
            cap = (cash + worth) * seen.cap_pct / 100
            if worth + asked > cap * MOVED:
                yield f"{ours}: exposure of {worth + asked} is beyond {cap}"
        if kind == "order" and line["side"] == "BUY":
            product = line["product_id"]
            bids = (size * limit for name, side, size, limit in open_.values() if (name, side) == (product, "BUY"))
            used = held[product] * price.get(product, ZERO) + sum(bids, ZERO)
            cap = (cash + sum((held[one] * price[one] for one in price), ZERO)) * seen.asset_cap_pct / 100
            if used > cap * MOVED:
                yield f"{ours}: {used} of {product} is beyond {cap}"
        for product in held:
            offered = sum((one[2] for one in open_.values() if one[0] == product and one[1] == "SELL"), ZERO)
            if offered > held[product]:
                yield f"{ours}: {offered} {product} offered, {held[product]} held"


def cancel_before_flatten(seen: Evidence) -> Iterator[str]:
    """When a kill or a liquidation sells a product, nothing else of it is open at the venue."""
    flattens = {one for one, terms in seen.told.intents.items() if terms[7] == "liquidation"}
    open_: dict[str, str] = {}
    for line in seen.truth:
        ours = line.get("client_order_id", "")
        if line["kind"] == "order":
            if ours in flattens:
                rest = sorted(one for one, product in open_.items() if product == line["product_id"])
                yield from (f"{ours}: sold {line['product_id']} while {one} was open" for one in rest)
            open_[ours] = line["product_id"]
        elif line["kind"] == "state" and line["state"] in OVER:
            open_.pop(ours, None)


def every_fill_once(seen: Evidence) -> Iterator[str]:
    """To the last digit; of an order whose fate is unknown they may still be on their way."""
    ours, theirs = seen.told.fills, {one["entry_id"]: _as_ours(one) for one in _final(seen)}
    yield from (f"{one}: {times} times in the ledger" for one, times in Counter(seen.told.entries).items() if times > 1)
    yield from (f"{one}: the venue filled it and the ledger does not know" for one in theirs.keys() - ours.keys())
    yield from (f"{one}: the ledger has it and the venue never filled it" for one in ours.keys() - theirs.keys())
    both = theirs.keys() & ours.keys()
    yield from (f"{one}: {ours[one]} for us, {theirs[one]} there" for one in both if ours[one] != theirs[one])


def cash_conserved(seen: Evidence) -> Iterator[str]:
    cash = seen.opening + sum((Decimal(one["amount"]) for one in seen.truth if one["kind"] == "cash"), ZERO)
    for _, _, side, _, value, fee in map(_as_ours, _final(seen)):
        cash += (value if side == "SELL" else -value) - fee
    if seen.told.funded and seen.told.cash != cash:
        yield f"{seen.told.cash} for us, {cash} there"


def worth_as_filled(seen: Evidence) -> Iterator[str]:
    """While nothing is held, what the account was said to be worth is its cash, every flow and every fill once, to the
    eighth digit."""
    cash, held, counted = ZERO, defaultdict[str, Decimal](lambda: ZERO), set[str]()
    for row, fact in seen.facts:
        if row.kind == "cash_flow":
            cash += Decimal(fact[0])
        elif row.kind == "coins_moved":
            held[fact[1]] += Decimal(fact[3]) * (1 if fact[2] == "BUY" else -1)
        elif row.kind == "filled" and fact[0][0] not in counted:
            entry, _, symbol, side, _, size, value, fee = fact[0][:8]
            counted.add(entry)
            held[symbol] += Decimal(size) * (1 if side == "BUY" else -1)
            cash += (Decimal(value) if side == "SELL" else -Decimal(value)) - Decimal(fee)
        elif row.kind == "marked" and fact[1] is not None and seen.told.funded and not any(held.values()):
            worth = max(cash, ZERO).quantize(GRAIN, ROUND_FLOOR)
            yield from [f"row {row.seq}: {fact[1]}, and the cash is {worth}"] * (Decimal(fact[1]) != worth)


def chain_intact(seen: Evidence) -> Iterator[str]:
    """Every hash made again from its row; the newest row is the one that was noted as such."""
    rows = [row for row, _ in seen.facts]
    moved = max((last for last, *_ in seen.noted["segments"]), default=0)
    yield from _breaks(rows, moved)
    yield from (f"permits {words}" for words in _breaks(seen.permits, 0))
    noted = [one[1:3] for one in seen.noted["head"]]
    if rows and noted != [(rows[-1].seq, rows[-1].hash)]:
        yield f"row {rows[-1].seq} is the newest, and {noted} was noted"


def every_cycle_once(seen: Evidence) -> Iterator[str]:
    """Cycles are numbered as they end, each row stands in the cycle that it is told of, and each end is listed once."""
    number, ended = 1, list[tuple[Any, ...]]()
    for row, fact in seen.facts:
        if row.kind == "opened":
            continue
        if row.cycle_id != number:
            yield f"row {row.seq}: of cycle {row.cycle_id}, in cycle {number}"
        if row.kind == "cycle_closed":
            ended.append((row.cycle_id, *fact[:5]))
            number = row.cycle_id + 1
    if sorted(ended) != sorted(seen.noted["cycles"]):
        yield f"{len(ended)} cycles in the journal, {len(seen.noted['cycles'])} listed, and they are not the same"


RULES: dict[str, Rule] = {
    rule.__name__.replace("_", " "): rule
    for rule in (
        one_order_per_intent, every_order_owned, no_entry_while_halted, no_purchase_after_a_halt,
        no_entry_against_a_verdict, no_entry_without_grant, exposure_capped, cancel_before_flatten, every_fill_once,
        cash_conserved, worth_as_filled, chain_intact, every_cycle_once,
    )
}  # fmt: skip


# --- reading ---------------------------------------------------------------------------------------------------------


def _table(path: Path, name: str) -> tuple[tuple[Any, ...], ...]:
    """Its rows in their order; none where there is no such file or table."""
    if not path.exists():
        return ()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        if not db.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone():
            return ()
        return tuple(db.execute(f"SELECT * FROM {name} ORDER BY 1"))  # noqa: S608 - constant names


def _rows(path: Path, name: str) -> tuple[Row, ...]:
    return tuple(Row(*one) for one in _table(path, name))


def _facts(rows: Iterable[Row]) -> tuple[tuple[Row, Any], ...]:
    return tuple((row, json.loads(row.body) if row.body else None) for row in rows)


def _told(facts: Iterable[tuple[Row, Any]]) -> Told:
    told = Told()
    for row, fact in facts:
        kind = row.kind
        if kind == "intended":
            told.intents[fact[0]], told.status[fact[0]], told.sends[fact[0]] = fact[1], "INTENDED", 1
            told.payloads[fact[0]] = fact[3]
        elif kind == "resent":
            told.sends[fact[0]] += 1
        elif kind == "acknowledged" and told.status[fact[0]] == "INTENDED":
            told.status[fact[0]] = "WORKING"
        elif kind == "closed" and told.status[fact[0]] != "FILLED":
            told.status[fact[0]] = fact[1]
            told.notes.append(fact[2])
        elif kind == "decided" and fact:
            told.excluded = {one[0]: one[2] for one in fact[2] if one[1] == "excluded"}
        elif kind == "cash_flow":
            told.cash, told.funded = told.cash + Decimal(fact[0]), True
        elif kind == "filled":
            _fold(told, fact[0])
    return told


def _fold(told: Told, fill: list[str]) -> None:
    entry, ours, symbol, side, _, size, value, fee = fill[:8]
    told.entries.append(entry)
    if entry in told.fills:
        return
    told.fills[entry] = (ours, symbol, side, Decimal(size), Decimal(value), Decimal(fee))
    told.cash += (Decimal(value) if side == "SELL" else -Decimal(value)) - Decimal(fee)
    done = sum((one[3] for one in told.fills.values() if one[0] == ours), ZERO)
    if done >= Decimal(told.intents[ours][4]):
        told.status[ours] = "FILLED"
    elif told.status[ours] == "INTENDED":
        told.status[ours] = "WORKING"


def _is_entry(row: Row, fact: Any) -> bool:
    return row.kind == "intended" and fact[1][2] == "ENTRY"


def _final(seen: Evidence) -> Truth:
    """The venue's fills that the ledger should know."""
    waited_for = {one for one, status in seen.told.status.items() if status == "INTENDED"}
    known = seen.told.fills
    return [one for one in seen.fills if one["client_order_id"] not in waited_for or one["entry_id"] in known]


def _as_ours(fill: dict[str, Any]) -> tuple[str, str, str, Decimal, Decimal, Decimal]:
    """A line of the venue as the ledger has it: whose, what, which side, size, value, fee."""
    size = Decimal(fill["size"])
    who, product, side = fill["client_order_id"], fill["product_id"], fill["side"]
    return (who, product, side, size, Decimal(fill["price"]) * size, Decimal(fill["commission"]))


def _held(fills: Truth) -> dict[str, Decimal]:
    held: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for one in fills:
        held[one["product_id"]] += Decimal(one["size"]) * (1 if one["side"] == "BUY" else -1)
    return dict(held)


def _ms(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1_000)


def _shut(facts: Iterable[tuple[Row, Any]]) -> Iterator[tuple[float, float]]:
    """Spans of this machine's time in which a halt certainly stood: between the ends of cycles that saw it."""
    halted, began, last = False, float("inf"), float("-inf")
    for row, fact in facts:
        if row.kind in ("halt_changed", "halt_reset"):
            was, halted = halted, fact[0][0] in SHUT
            if was and not halted and began < last:
                yield began, last
            if not was:
                began = float("inf")
        elif row.kind == "cycle_closed":
            last = fact[5]
            began = min(began, last) if halted else began
    if halted and began < float("inf"):
        yield began, float("inf")


def _latched(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[float, float]]:
    """The rows of `kill`, whose times are in whole seconds."""
    for _, _, at_ms, lifted_ms, _ in rows:
        yield at_ms + 1_000, float("inf") if lifted_ms is None else lifted_ms


def _ungranted(permits: Iterable[Row], at_ms: int, equity: Decimal | None, late_ms: int) -> str:
    """Why no grant allows an entry then; empty where one does."""
    newest: list[Any] = []
    for row in permits:
        if row.at_ms > at_ms - (late_ms if row.kind != "granted" else 0):
            continue
        if row.kind == "granted":
            newest = json.loads(row.body)[0]
        elif row.kind in ("revoked", "key_activated"):
            newest = []
    if not newest:
        return "there was no grant"
    if not newest[4] <= at_ms < newest[5]:
        return f"the grant was for {newest[4]} to {newest[5]}, not {at_ms}"
    if equity is None or equity > Decimal(newest[3]):
        return f"the grant was for {newest[3]}, not {equity}"
    return ""


def _breaks(rows: Iterable[Row], moved: int) -> Iterator[str]:
    """Rows that do not follow the one before them. Of a decision that was moved to a closed file only the hash stays,
    which the next row names."""
    seq, before = 0, GENESIS
    for row in rows:
        made = sha256("\x1f".join(map(str, row[:7])).encode()).hexdigest()
        gone = row.kind == "decided" and not row.body and row.seq <= moved
        if (row.seq, row.prev_hash) != (seq + 1, before) or (made != row.hash and not gone):
            yield f"row {row.seq} does not follow row {seq}, or is not as it was written"
        seq, before = row.seq, row.hash
