"""A venue of our own on loopback that speaks the wire format of Coinbase Advanced Trade, and misbehaves on command.

It imports nothing of ours but the declared fill model, so that a mistake in the adapter is not made here a second time.
"""
