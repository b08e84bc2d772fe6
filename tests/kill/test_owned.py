"""What is ours to sell beside a venue that tells again what the ledger has, and from how far back it is asked."""

from decimal import Decimal
from pathlib import Path
from time import monotonic
from urllib.parse import parse_qs

from tests.kill.scene import Scene, id_of
from tests.net.wire import Clock, answering, http
from tests.venues.coinbase.keys import KEY
from tests.venues.coinbase.test_venue import BTC, Told, fill, order
from trader_core.domain.clocktime import EpochMs, rfc3339
from trader_core.domain.facts import Acknowledged, CashFlow, Fact, Filled, Intended
from trader_core.domain.fill import Fill, Side
from trader_core.domain.money import Base, Quote
from trader_core.domain.order import ApprovedOrder, OrderKind, Role
from trader_core.kill.reach.ledger import OVERLAP_MS, read_ledger
from trader_core.kill.reach.owned import owned
from trader_core.kill.run import Progress
from trader_core.net.buckets import Urgency
from trader_core.ops.clock import host_ms
from trader_core.venues.coinbase.client import CoinbaseClient


def bought(number: int, symbol: str, quantity: str, at_ms: EpochMs) -> list[Fact]:
    """An order of ours at 100 that filled at once, as `v1`, `v2` ... and `f1`, `f2` ... at the venue."""
    name, amount, none = id_of(number, 0), Base(Decimal(quantity)), Decimal(0)
    terms = ApprovedOrder(
        symbol, Side.BUY, Role.ENTRY, OrderKind.TAKER, amount, Decimal(100), none, "test", "test", 500, 0, 0, 0, at_ms
    )
    done = Fill(
        f"f{number}", name, symbol, Side.BUY, Decimal(100), amount, Quote(amount * 100), Quote(none), at_ms
    )  # fmt: skip
    sent: list[Fact] = [Intended(name, terms, at_ms, "{}", at_ms), Acknowledged(name, at_ms, f"v{number}")]
    return [*sent, Filled(done, str(int(at_ms)))]


def test_a_fill_that_the_ledger_has_is_not_counted_again(tmp_path: Path) -> None:
    """Two pairs of one coin. The list goes back ten minutes behind the newest fill and shows both again."""
    scene, at_ms = Scene(tmp_path), EpochMs(host_ms())
    opened = CashFlow(Quote(Decimal(100_000)), at_ms, "opened", "0")
    scene.begun("live", [opened, *bought(1, BTC, "0.5", at_ms), *bought(2, "BTC-USDC", "0.25", at_ms)])
    told = Told(
        listed=[fill("f1", "v1"), fill("f2", "v2", "0.25", product_id="BTC-USDC")],
        by_id={f"v{n}": order(f"v{n}", id_of(n, 0), "FILLED", size) for n, size in ((1, "0.5"), (2, "0.25"))},
    )
    ledger = read_ledger(scene.state)
    with answering(told.answer) as server:
        client = CoinbaseClient(http(server.url, Clock()), KEY, Clock().now_s, Urgency.KILL)
        held = owned(client, ledger, scene.state, {}, Progress(), monotonic() + 10)
    assert held == {BTC: Decimal("0.5"), "BTC-USDC": Decimal("0.25")}
    assert ledger.by_base() == {"BTC": Decimal("0.75")}
    (since,) = (parse_qs(one.target.partition("?")[2])["start_sequence_timestamp"] for one in told.asked[:1])
    assert since == [rfc3339(at_ms - OVERLAP_MS)]
