"""Every metric there is, in one table.

Units are base units and stand in the name; counts that only grow end in _total; labels have few values, known
beforehand, and never the id of an order. What is unknown is left out: a figure that is there is true.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trader_core.domain.alert import Severity
from trader_core.domain.halt import HaltState, Trading
from trader_core.domain.order import OrderStatus, Role
from trader_core.domain.telemetry import Series
from trader_core.rulebook.codes import GATES, REASONS, Verdict

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"
SYMBOLS = "the instruments watched"
DEPENDENCIES = "every breaker by name: the venue's data, account and orders, each for entries and exits"
BUCKETS = "private, public"
ENDPOINTS = "the classes of the venue's calls: accounts, cancel, candles, fees, ..."
VERDICTS = tuple(one.name for one in Verdict if one not in (Verdict.OK, Verdict.NOT_APPLICABLE))
NO_SIGNAL, UNREADABLE, OBJECTED = "no_signal", "unreadable", "objection"
STEPS = ("proposed", "approved", "placed")
ENDED = tuple(one for one in OrderStatus if one not in (OrderStatus.INTENDED, OrderStatus.WORKING))
OUTCOMES = ("ok", "degraded", "failed")


@dataclass(frozen=True)
class Metric:
    """One row of the table. `labels` says which values a label takes: all of them, or in words."""

    name: str
    kind: str
    about: str
    labels: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)

    @property
    def unit(self) -> str:
        """By its name; a count has none."""
        name = self.name.removesuffix("_total")
        return next((one for one in ("seconds", "ratio", "bytes", "quote") if name.endswith(f"_{one}")), "")


METRICS = (
    Metric("trader_build_info", GAUGE, "Always 1: what runs here.", {
        "version": "of the program", "mode": "DRY_RUN, PAPER or LIVE", "venue": "its name", "quote": "the currency",
        "config": "the first 12 digits of the configuration's digest",
    }),
    Metric("trader_last_run_timestamp_seconds", GAUGE, "When the newest cycle was over, healthy or not."),
    Metric("trader_last_success_timestamp_seconds", GAUGE, "When the newest healthy cycle was over."),
    Metric("trader_last_decision_timestamp_seconds", GAUGE, "Decision time of the newest cycle, by the market."),
    Metric("trader_bar_seconds", GAUGE, "Length of the base bar: one cycle is due in each."),
    Metric("trader_cycles_total", COUNTER, "Cycles by how they went; degraded: something could not be read.",
           {"outcome": OUTCOMES}),
    Metric("trader_degraded_cycles_ratio", GAUGE, "Part of all cycles that was degraded or failed."),
    Metric("trader_cycle_duration_seconds", HISTOGRAM, "What a cycle took."),
    Metric("trader_cycle_budget_seconds", GAUGE, "What one cycle may take, and what 95 and 99 of 100 may.",
           {"of": ("each", "p95", "p99")}),
    Metric("trader_stage_duration_seconds", HISTOGRAM, "What a stage of a cycle took, all rounds together.",
           {"stage": "guard, account, market, mend, decide, record, send, close"}),
    Metric("trader_stage_budget_seconds", GAUGE, "What that stage may take.", {"stage": "as above"}),
    Metric("trader_over_budget", GAUGE, "1 where an operation is over its budget of time.",
           {"operation": "cycle, a stage or a class of calls"}),
    Metric("trader_cycle_orders", GAUGE, "Of the newest cycle: proposals, orders approved, orders placed.",
           {"step": STEPS}),
    Metric("trader_no_trade_total", COUNTER, "Cycles without an entry, by what kept the first proposal out.",
           {"reason": (*VERDICTS, NO_SIGNAL, OBJECTED, UNREADABLE)}),
    Metric("trader_refusals_total", COUNTER, "Proposals that a gate turned down.",
           {"verdict": VERDICTS}),
    Metric("trader_gate_closed", GAUGE, "1 where this gate turned a proposal down in the newest cycle.",
           {"gate": tuple(one.name for one in GATES)}),
    Metric("trader_api_requests_total", COUNTER, "Requests to the venue by what came of them.",
           {"endpoint": ENDPOINTS, "outcome": "ok, refused, auth, not_found, rate_limit, server_error, no_answer, "
            "unreachable, throttled"}),
    Metric("trader_api_request_duration_seconds", HISTOGRAM, "What an answer of the venue took, without our own waits.",
           {"endpoint": ENDPOINTS}),
    Metric("trader_api_consecutive_errors", GAUGE, "Requests in a row, to the newest, that failed."),
    Metric("trader_rate_budget_used_ratio", GAUGE, "How much of a bucket of requests is used up.",
           {"bucket": BUCKETS}),
    Metric("trader_breaker_open", GAUGE, "1 while a breaker is open, 0.5 while it may be probed, else 0.",
           {"breaker": DEPENDENCIES}),
    Metric("trader_breaker_trips_total", COUNTER, "Times that a cycle found a breaker open that it had not seen open.",
           {"breaker": DEPENDENCIES}),
    Metric("trader_orders_total", COUNTER, "Orders written down, by what they are for and why.",
           {"role": tuple(Role), "reason": tuple(one for one in REASONS if one)}),
    Metric("trader_orders_closed_total", COUNTER, "Orders that ended, by how.",
           {"role": tuple(Role), "status": ENDED}),
    Metric("trader_orders_open", GAUGE, "Orders that the venue may still fill.", {"role": tuple(Role)}),
    Metric("trader_orders_unknown", GAUGE, "Orders whose fate nobody knows."),
    Metric("trader_orders_unknown_oldest_seconds", GAUGE, "For how long the oldest of them has been waited for."),
    Metric("trader_order_failures", GAUGE, "Failures of the order path in a row."),
    Metric("trader_fills_total", COUNTER, "Fills of our orders.", {"side": ("BUY", "SELL")}),
    Metric("trader_traded_quote_total", COUNTER, "What was bought and sold, by value.", {"side": ("BUY", "SELL")}),
    Metric("trader_fees_quote_total", COUNTER, "Fees paid."),
    Metric("trader_fill_ratio", GAUGE, "Of the entries that ended of late, the part that bought something."),
    Metric("trader_equity_quote", GAUGE, "What the account is worth, in its currency."),
    Metric("trader_cash_quote", GAUGE, "Its free cash."),
    Metric("trader_realised_quote", GAUGE, "Gain of all closed positions, fees taken off."),
    Metric("trader_unrealised_quote", GAUGE, "Gain of what is held, fees paid so far taken off."),
    Metric("trader_loss_ratio", GAUGE, "Loss since the first mark of the day, of the week, and since the highest ever; "
           "below zero is a gain.", {"window": ("day", "week", "drawdown")}),
    Metric("trader_loss_limit_ratio", GAUGE, "Where entries close.", {"window": ("day", "week", "drawdown")}),
    Metric("trader_exposure_ratio", GAUGE, "What is held, and what open purchases may still add, of the equity.",
           {"kind": ("held", "pending")}),
    Metric("trader_exposure_limit_ratio", GAUGE, "How much may be held altogether."),
    Metric("trader_positions", GAUGE, "Open positions."),
    Metric("trader_position_quote", GAUGE, "What a position is worth.", {"symbol": SYMBOLS}),
    Metric("trader_unprotected_positions", GAUGE, "Positions for which neither a stop nor an exit is at the venue."),
    Metric("trader_unprotected_quote", GAUGE, "What they are worth, or cost where no price is known."),
    Metric("trader_trading", GAUGE, "1 for what may be sent now.", {"state": tuple(Trading)}),
    Metric("trader_halt", GAUGE, "1 for the state of the halt machine.", {"state": tuple(HaltState)}),
    Metric("trader_halt_trips_total", COUNTER, "Times that the halt machine tripped or was killed."),
    Metric("trader_kill_latch", GAUGE, "1 while the kill file or its row stands."),
    Metric("trader_paused", GAUGE, "1 while somebody wants no entries."),
    Metric("trader_objections", GAUGE, "What stands against entries from outside: grant, key, clock, policy."),
    Metric("trader_reconcile_breaks", GAUGE, "What differs between ledger and venue.",
           {"kind": ("ledger", "orders", "cash", "coins")}),
    Metric("trader_strategies_failed", GAUGE, "Strategies that cannot be computed."),
    Metric("trader_universe_instruments", GAUGE, "Instruments of the newest cycle that may be bought."),
    Metric("trader_data_age_seconds", GAUGE, "How old a quote was when it was decided on.", {"symbol": SYMBOLS}),
    Metric("trader_policy_version", GAUGE, "Version of the policy in force."),
    Metric("trader_alerts_open", GAUGE, "Alerts that are not over, before what this cycle found.",
           {"severity": tuple(one.name for one in Severity)}),
    Metric("trader_alert_outbox_oldest_seconds", GAUGE, "For how long the oldest message has waited to be delivered."),
    Metric("trader_clock_offset_seconds", GAUGE, "The true time less this machine's, as last measured."),
    Metric("trader_secret_age_seconds", GAUGE, "Age of the key in force."),
    Metric("trader_disk_free_bytes", GAUGE, "Room where the state is."),
    Metric("trader_journal_rows", GAUGE, "Rows of the journal, its chain verified when it was opened."),
)  # fmt: skip
BY_NAME = {one.name: one for one in METRICS}


def series(name: str, **labels: str) -> Series:
    """One line's name and labels. Raises KeyError where the table has no such metric or label."""
    known = BY_NAME[name].labels
    return name, tuple(sorted((one, value) for one, value in labels.items() if known[one]))
