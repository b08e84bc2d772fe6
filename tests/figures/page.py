"""docs/reference/metrics.md, made from the table."""

from collections.abc import Mapping

from trader_core.domain.telemetry import BOUNDS_MS, NEWEST
from trader_core.report.metrics import METRICS

MANY = 12  # values that are listed; of more it is said how many there are
SEED = {  # what the program before this one called them -> what says the same here
    "trader_cycle_duration_seconds": "trader_cycle_duration_seconds",
    "trader_cycle_total": "trader_cycles_total",
    "trader_cycle_stage_count": "trader_cycle_orders",
    "trader_stage_duration_seconds": "trader_stage_duration_seconds",
    "exchange_rate_limit_utilization": "trader_rate_budget_used_ratio",
    "exchange_rate_limit_violations_total": 'trader_api_requests_total{outcome=~"rate_limit|throttled"}',
    "exchange_api_latency_seconds": "trader_api_request_duration_seconds",
    "exchange_api_errors_total": 'trader_api_requests_total{outcome!~"ok|refused|not_found|throttled"}',
    "exchange_api_consecutive_errors": "trader_api_consecutive_errors",
    "trader_no_trade_total": "trader_no_trade_total",
    "trader_exposure_pct": "trader_exposure_ratio",
    "trader_open_positions": "trader_positions",
    "trader_pending_orders": "trader_orders_open",
    "trader_fill_ratio": "trader_fill_ratio",
    "trader_fills_total": "trader_fills_total",
    "trader_order_rejections_total": "trader_refusals_total",
    "trader_circuit_breaker_state": "trader_breaker_open",
    "trader_circuit_breaker_trips_total": "trader_breaker_trips_total",
    "trader_trim_attempts_total": 'trader_orders_total{reason=~"trim|purge"}',
    "trader_trim_consecutive_failures": "trader_order_failures",
    "trader_trim_liquidated_usd_total": 'trader_traded_quote_total{side="SELL"}',
}
HEAD = f"""# Metrics

{len(METRICS)} metrics, in the text format of Prometheus. This page is made from `trader_core/report/metrics.py`.

`trader metrics` prints them as they stand; with `--json` as a list. A collector gets them in one of two ways:

- **Text file**, for timers: name one with `app.metrics.textfile` (`/path/name.prom`). `run-cycle` and `run` put a whole
  new file in its place after every cycle, readable for everybody, so keep its folder to whom it concerns.
- **Port**, for a daemon: `trader run --metrics-port 9102` answers `/metrics` and `/healthz` on 127.0.0.1 alone.
  `/healthz` is 200 while the newest cycle is no older than `app.metrics.max_cycle_age_bars` bars and trading is
  allowed; else 503 with the reason.

Figures outlive processes: they are kept in `telemetry.db` beside the state, each mode for itself. It holds no money,
decides nothing and may be deleted at any time; counters then begin anew, which Prometheus takes for what it is. A cycle
that cannot be measured is a cycle all the same, and says so once.

Units stand in the names. Amounts (`_quote`) are in the account's currency, which `trader_build_info` names. What is
unknown is left out, never zero. Labels have the few values that stand here, and `symbol` those of the universe; no id
of an order is in any of them. Histograms have buckets to {", ".join(f"{one / 1_000:g}" for one in BOUNDS_MS)} seconds.

`trader status --latency` tells mean, p50, p95, p99 and maximum of the newest {NEWEST:,} samples of each operation
beside its budget (`app.latency`), and marks what is over: so many in a row beyond it, or, of cycles, p95 or p99.

[Rules for alerts](../operate/prometheus/alerts.yml) with [their tests](../operate/prometheus/alerts_test.yml) for
`promtool`, and a [dashboard for Grafana](../operate/grafana/dashboard.json), are over these names.

| name | type | unit | labels | what it says |
|---|---|---|---|---|
"""
NAMES = """
## What it was called before

| the seed's | here |
|---|---|
"""
LOG = """
## The log

Talk goes to stderr, apart from results. On a terminal it is plain words. `--log json` or `--log text` (else
`TRADER_LOG`; another word in it is warned of and counts as unset) make a log of it: a record a line with its time, its
level, the account's mode and the number of the cycle it belongs to. Where stderr is systemd's journal
(`JOURNAL_STREAM`), records go there with fields of their own: `journalctl CYCLE_ID=17`, `journalctl ORDER_ID=...`,
`journalctl SYMBOL=BTC-USD EVENT=fill`; where its socket cannot be had, as lines with a priority (`<4>cycle=17 ...`).
Each cycle leaves one record with its figures (`EVENT=cycle`), and one for each order and fill. Every record loses its
secrets at this one place, tracebacks and what libraries log included. `trader kill` says its one line in
plain words whatever is asked for.
"""


def page() -> str:
    rows = [f"| {one.name} | {one.kind} | {one.unit or '-'} | {_labels(one.labels)} | {one.about} |" for one in METRICS]
    return HEAD + "\n".join(rows) + "\n" + NAMES + "\n".join(_cell(old, new) for old, new in SEED.items()) + "\n" + LOG


def _cell(old: str, new: str) -> str:
    return f"| {old} | `{new.replace('|', chr(92) + '|')}` |"


def _labels(labels: Mapping[str, str | tuple[str, ...]]) -> str:
    return "; ".join(f"{name}: {_values(values)}" for name, values in labels.items()) or "-"


def _values(values: str | tuple[str, ...]) -> str:
    if isinstance(values, str):
        return values
    told = ", ".join(values[:MANY])
    return told if len(values) <= MANY else f"{told}, ... ({len(values)})"
