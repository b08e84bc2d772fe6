"""Settings whose consumers are not in decisions: tests/cli/test_live_keys.py and test_policy.py show what each does,
tests/live/test_monitor.py how often what is held is looked at, tests/alerts/test_keys.py who is told of what,
tests/store/test_retention.py what is moved when, and tests/figures/ what is measured."""

from tests.settings.keys import leaf_keys
from trader_core.settings.schema import PROFILES, Alerts

MEASURES = [key for leaf in leaf_keys() if (key := ".".join(leaf.path)).startswith(("app.metrics.", "app.latency."))]

CONSUMED = (
    "app.clock.servers",
    "app.clock.max_drift_ms",
    "app.clock.recheck_min",
    "app.secrets.max_age_days",
    "app.secrets.warn_age_days",
    "app.secrets.files_allowed",
    "app.retention.decisions_days",
    "app.exchange.venue_url",
    "app.exchange.quote",
    "policy.cycle.monitor_s",
    *MEASURES,
    *(f"app.alerts.{name}" for name in Alerts.model_fields),
    *(f"policy.profiles.{name}.max_leverage_ratio" for name in PROFILES),
)
