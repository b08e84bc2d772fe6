"""Deterministic simulation: whole lives of the program, drawn from a seed, on one thread and a virtual clock."""
