"""Alerts: what is told when, and that it arrives."""
