"""An account's orders put to the model of costs, on the inputs that their decisions were taken from."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from trader_core.bootstrap import MODES, settings_of
from trader_core.domain.codec import from_json
from trader_core.domain.facts import CycleClosed, Decided, Intended
from trader_core.domain.fill import Side
from trader_core.domain.inputs import Inputs, Listing
from trader_core.domain.instrument import base_of
from trader_core.domain.market import TopOfBook
from trader_core.domain.money import grains_up
from trader_core.domain.order import ApprovedOrder, OrderKind
from trader_core.engine.law import costs_of
from trader_core.hindsight import Past, Records
from trader_core.report.orders import OrderOutcome
from trader_core.report.shadow import BPS, Shadow, Shadowed, modelled, shadow
from trader_core.report.trades import history
from trader_core.research.chance import stream
from trader_core.rulebook.costs import slippage_of
from trader_core.settings.edit import value_at
from trader_core.settings.options import Options
from trader_core.settings.schema import Settings
from trader_core.settings.variant import write_variant
from trader_core.store.files import newest
from trader_core.store.recorded import Recorded
from trader_core.store.sqlite import SqliteStore

KEYS = (
    "app.paper.maker_fee_bps", "app.paper.taker_fee_bps", "app.paper.half_spread_bps",
    "app.paper.slippage.tier_1_bps", "app.paper.slippage.tier_2_bps", "app.paper.slippage.tier_3_bps",
)  # fmt: skip
QUIET = 0.0  # no restlessness of the day is added to the model: what it would explain shows as excess


def shadow_of(options: Options, since_ms: int, seed: int = 0) -> Shadow:
    """The shadow of the newest account. Raises StateUnusable."""
    policy = settings_of(options)
    files = newest(options.state_directory, tuple(one for one in MODES if options.mode in (None, one)))
    with files.reading() as store:
        orders = tuple(_shadowed(store, policy, since_ms))
    now = {key: float(value_at(policy, key)) for key in KEYS}
    return shadow(orders, now, stream(seed))


def _shadowed(store: SqliteStore, policy: Settings, since_ms: int) -> Iterator[Shadowed]:
    """Orders of which something is known by now. One that rests untouched, and one whose inputs are gone, is none."""
    fates = {one.client_order_id: one for one in history(store.facts()).orders}
    quotes, inputs = dict[str, TopOfBook](), None
    with Recorded(store) as recorded:
        records = Records(recorded)
        for row, fact in store.told():
            if isinstance(fact, Decided):
                inputs = records.inputs(Past(row.seq, row.cycle_id, fact)) if fact.decision_ms >= since_ms else None
                quotes = _quotes(inputs, records) if inputs else {}
            elif isinstance(fact, CycleClosed):
                quotes = {}  # what a kill sells is written down before the next decision, and was taken on none
            elif isinstance(fact, Intended) and inputs is not None and fact.approved.symbol in quotes:
                fate = fates[fact.client_order_id]
                if not fate.is_open and (fate.filled or fact.approved.kind is not OrderKind.STOP):
                    yield _one(fact.approved, fate, quotes[fact.approved.symbol], inputs, policy)


def _quotes(inputs: Inputs, records: Records) -> dict[str, TopOfBook]:
    listing = from_json(Listing, records.document(inputs.instruments))
    pairs = zip(listing.instruments, inputs.quotes, strict=True)
    return {one.symbol: quote for one, quote in pairs if quote is not None}


def _one(order: ApprovedOrder, fate: OrderOutcome, quote: TopOfBook, inputs: Inputs, policy: Settings) -> Shadowed:
    costs, tier = costs_of(policy), max(policy.universe.tier_of(base_of(order.symbol)), 1)
    touch = order.trigger if order.kind is OrderKind.STOP else quote.ask if order.side is Side.BUY else quote.bid
    reference = order.trigger if order.kind is OrderKind.STOP else (quote.bid + quote.ask) / 2
    slip_ppm = slippage_of(costs, tier, grains_up(order.quantity * touch), QUIET)
    return Shadowed(
        symbol=order.symbol,
        tier=tier,
        side=order.side,
        kind=order.kind,
        intended=order.quantity,
        filled=fate.filled,
        reference=reference,
        model_price=modelled(order.kind, order.side, touch, order.limit, slip_ppm),
        price=fate.average_price,
        model_fee_bps=_model_fee(order.kind, inputs, policy),
        fee_bps=_fee(fate),
    )


def _model_fee(kind: OrderKind, inputs: Inputs, policy: Settings) -> float:
    """The account's own rate where the venue told it, else the model's."""
    maker = kind is OrderKind.MAKER
    if inputs.fees is not None:
        return float(BPS * (inputs.fees.maker if maker else inputs.fees.taker))
    return policy.app.paper.maker_fee_bps if maker else policy.app.paper.taker_fee_bps


def _fee(fate: OrderOutcome) -> float | None:
    if fate.average_price is None or not fate.filled:
        return None
    return float(BPS * fate.fees / (fate.filled * fate.average_price))


def written(options: Options, place: Path, edits: dict[str, Any]) -> None:
    """A copy of the configuration with these keys changed."""
    write_variant(options.config_directory, place, edits)


def edits_of(found: Shadow) -> dict[str, Any]:
    """What the model should say by the fills: the careful end of each interval, where the model is outside of it."""
    edits: dict[str, Any] = {}
    for one in found.suggestions:
        if one.differs and one.found.high is not None:
            edits[one.key] = float(max(Decimal(str(one.found.high)), Decimal(0)).quantize(Decimal("0.01")))
    return edits
