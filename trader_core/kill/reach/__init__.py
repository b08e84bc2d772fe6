"""The part of a kill that needs more than the standard library; it is loaded after the latch stands."""
