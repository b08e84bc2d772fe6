"""Worlds a mode may be given, one module for each kind of venue. bootstrap chooses among them."""
