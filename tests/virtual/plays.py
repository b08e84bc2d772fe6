"""Plays for tests: each is a function of the time that is set up already, and what it returns is judged."""

import json
import re
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.cli.program import Inside
from tests.world import CONFIG
from trader_core.domain.book import Book
from trader_core.domain.clocktime import parse_utc
from trader_core.ledger.fold import fold
from trader_core.ops.clock import host_ms
from trader_core.prove import scenes
from trader_core.prove.lives import _refusal
from trader_core.prove.scenes import Scene, Stage, prepared, warmed
from trader_core.prove.virtual import VirtualTime
from trader_core.store.sqlite import SqliteStore

BAR_MS, HOUR_S = 900_000, 3_600
LOST = ("no answer",)
Rule = Callable[[str, str, bytes, Callable[[], Any]], Any]  # of method, address, body and what the venue says to that
PRICES = {"BTC-USD": ("60000.00", "60600.00", "95000.00"), "ETH-USD": ("3000.00", "3030.00", "5000.00"),
          "SOL-USD": ("150.00", "151.50", "250.00")}  # fmt: skip


def on_stage(time: VirtualTime, played: Callable[[Stage], None], **edits: Any) -> Stage:
    told = {key.replace("__", "."): value for key, value in edits.items()}
    scene = Scene("play", played, scenes.cycle_of, scenes.cycle_of, "/orders", "", told)
    return prepared(Path(tempfile.mkdtemp(prefix="trader-play-")), CONFIG, scene, time)


def book_of(stage: Stage) -> Book:
    store = SqliteStore(stage.state / "live.db", None)
    try:
        return fold(store.facts(judged=False))
    finally:
        store.close()


def answering(stage: Stage, rule: Rule) -> None:
    account, plain = stage.account, type(stage.account)._answered

    def answered(method: str, url: str, headers: dict[str, str], body: bytes) -> Any:
        return rule(method, url, body, lambda: plain(account, method, url, headers, body))

    account._answered = answered  # type: ignore[method-assign]


def total(stage: Stage, currency: str) -> str:
    wallets = stage.account.venue.venue.exchange.account.wallets.values()
    return str(sum(one.available + one.hold for one in wallets if one.currency == currency))


def three_held(stage: Stage) -> None:
    """Three positions, each with its stop."""
    at = host_ms() % BAR_MS
    for product, (before, _, _) in PRICES.items():
        stage.account.venue.admin("price", product=product, path=[{"after_ms": -at - 8 * BAR_MS, "price": before}])
    warmed(stage)
    for product, (_, now, _) in PRICES.items():
        stage.price(now, product)
    stage.time.sleep(BAR_MS / 1_000)
    stage.must(stage.cycle)


# --- plays -----------------------------------------------------------------------------------------------------------


def late_send(time: VirtualTime) -> dict[str, Any]:
    """Three exits of one cycle at a slow venue whose lists lag: the last one leaves two minutes after it was written
    down, is executed, and its answer is lost. The person has coins of that kind too."""
    stage = on_stage(time, three_held, universe__tiers__tier_1_core__bases=["BTC", "ETH", "SOL"],
                     policy__pacing__max_entries_per_cycle=3)  # fmt: skip
    held = len(book_of(stage).held)
    stage.account.venue.admin("deposit", currency="SOL", amount="1000")
    for product, (_, _, then) in PRICES.items():
        stage.price(then, product)
    stage.account.venue.admin("faults", replace=[{"kind": "list_lag", "ms": 60_000}])
    asked = Counter[str]()

    def slow(method: str, url: str, body: bytes, venue: Callable[[], Any]) -> Any:
        if url.endswith("batch_cancel") or re.search(r"historical/[0-9a-f-]{36}$", url):
            asked[url + str(body)] += 1
            return LOST if asked[url + str(body)] % 3 else venue()
        if method == "POST" and url.endswith("/orders") and b'"SOL-USD"' in body and not asked["lost"]:
            asked["lost"] += 1
            venue()
            return LOST
        return venue()

    answering(stage, slow)
    for pause_s in (0, 70, 70, 70):
        time.sleep(pause_s)
        stage.account.live(stage.cycle)
    orders = stage.account.venue.venue.exchange.orders.values()
    sold = [one for one in orders if str(one.side) == "SELL" and str(one.status) == "FILLED"]
    return {"held": held, "left": len(book_of(stage).held), "sales": len(sold), "SOL": total(stage, "SOL")}


def held_for_days(time: VirtualTime) -> dict[str, Any]:
    """Bought, and held under the same stop for two days."""
    stage = on_stage(time, scenes.holding)
    path = [{"after_ms": bars * BAR_MS, "price": f"{60_600 + 6 * bars}.00"} for bars in range(300)]
    stage.account.venue.admin("price", product="BTC-USD", path=path)
    found = []
    for hours in (1, 12, 10.9, 1, 1, 12, 12):
        time.sleep(hours * HOUR_S)
        stage.account.live(stage.cycle)
        found.append(dict(book_of(stage).discrepancies))
    return {"discrepancies": found, "held": sorted(book_of(stage).held)}


def odd_cancel(time: VirtualTime) -> dict[str, Any]:
    """A cancel is answered with a status that nobody documents, while a sale is due; then as usual."""
    stage = on_stage(time, scenes.on_target)
    odd = [True]

    def conflict(method: str, url: str, body: bytes, venue: Callable[[], Any]) -> Any:
        if odd[0] and url.endswith("batch_cancel"):
            return "answer", 409, {"content-type": "application/json"}, b'{"error": "CONFLICT"}'
        return venue()

    answering(stage, conflict)
    code = stage.account.live(stage.cycle).code
    odd[0] = False
    time.sleep(60)
    stage.account.live(stage.cycle)
    return {"code": code, "held": sorted(book_of(stage).held)}


def post_only(time: VirtualTime) -> dict[str, Any]:
    """A position is on its target while its market takes only orders that rest; then it is open again."""
    stage = on_stage(time, scenes.on_target)
    stage.account.venue.admin("product", product="BTC-USD", flags={"post_only": True})
    stage.account.live(stage.cycle)
    waits = resting(stage)
    stage.account.venue.admin("product", product="BTC-USD", flags={"post_only": False})
    time.sleep(HOUR_S)
    stage.account.live(stage.cycle)
    return {"stops": waits, "held": sorted(book_of(stage).held)}


def refused_exit(time: VirtualTime) -> dict[str, Any]:
    """A position is on its target, and the venue refuses to sell it for an hour."""
    stage = on_stage(time, scenes.on_target)
    refusing = [True]

    def refuse(method: str, url: str, body: bytes, venue: Callable[[], Any]) -> Any:
        if refusing[0] and url.endswith("/orders") and b"sor_limit_ioc" in body and b'"SELL"' in body:
            return "answer", *_refusal(url)
        return venue()

    answering(stage, refuse)
    found = []
    for _ in range(5):
        stage.account.live(stage.cycle)
        found.append(resting(stage))
        time.sleep(BAR_MS / 1_000)
    refusing[0] = False
    stage.account.live(stage.cycle)
    return {"stops": found, "held": sorted(book_of(stage).held)}


def words(stage: Stage, *said: str) -> dict[str, Any]:
    """What a person types beside the account, and its answer."""
    done = Inside(stage.folder)(*said, "--state", stage.state, "--config", stage.config, "--json")
    told: dict[str, Any] = json.loads(done.out)
    return told | {"now_ms": host_ms()}


def hours(text: str, since_ms: int) -> float:
    return round((parse_utc(text) - since_ms) / 3_600_000, 2)


def desk_after_rest(time: VirtualTime) -> dict[str, Any]:
    """Nothing has run for three days, and a person sets limits before anything runs again."""
    stage = on_stage(time, warmed)
    time.sleep(72 * HOUR_S)
    banned = words(stage, "bans", "add", "ETH", "--hours", "24", "--reason", "it was hacked today")
    tripped = words(stage, "halt", "trip", "--reason", "looks odd")
    soon = words(stage, "halt", "reset", "--user", "me", "--reason", "it is fine again")["exit_code"]
    cooling = words(stage, "halt", "ack")
    stage.account.live(stage.cycle)
    book = book_of(stage)
    time.sleep(25 * HOUR_S)
    return {
        "ban_h": hours(banned["data"]["bans"][0]["until"], banned["now_ms"]),
        "tripped_h": hours(tripped["data"]["since"], tripped["now_ms"]),
        "reset": soon,
        "cooldown_h": hours(cooling["data"]["until"], cooling["now_ms"]),
        "state": book.halt.state,
        "is_banned": book.bans["ETH"].until_ms > book.closed_ms,
        "a_day_later": words(stage, "bans", "list")["data"]["bans"],
    }


def reset_after_rest(time: VirtualTime) -> dict[str, Any]:
    """A trip, and nothing runs until long after its cooldown."""
    stage = on_stage(time, warmed)
    words(stage, "halt", "trip", "--reason", "looks odd")
    reset = ("halt", "reset", "--user", "me", "--reason", "it is fine again")
    soon = words(stage, *reset)["exit_code"]
    time.sleep(HOUR_S)
    return {"soon": soon, "later": words(stage, *reset)["exit_code"]}


def resting(stage: Stage) -> int:
    """Orders of ours that work at the venue."""
    return sum(str(one.status) in ("OPEN", "PENDING") for one in stage.account.venue.venue.exchange.orders.values())
