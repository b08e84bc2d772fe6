"""Alerts: the policy of what is told when, the outbox that outlives a process, and the channels."""
