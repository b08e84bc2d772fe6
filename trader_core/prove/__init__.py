"""Proofs that run the whole program and look at what it left behind."""
