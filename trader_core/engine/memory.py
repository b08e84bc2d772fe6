"""Freed memory that stays: what a process gives back to the kernel it gets again page by page, each cleared first.

A replay makes and drops arrays of some MB by the dozen. By itself the C library goes by what was freed last, so the
same replay would take half as long again in one process as in another.
"""

from contextlib import suppress
from functools import cache

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt
KEPT_MAX = 1 << 30  # freed bytes that stay at most at the end of the heap
MAPPED_FROM = 1 << 25  # what is larger is given back at once; the most there is


@cache
def keep_freed_memory() -> None:
    """Once in a process. Another C library has no such knob, and loses no more than time."""
    import ctypes

    with suppress(OSError, AttributeError):
        knob = ctypes.CDLL(None).mallopt
        knob(TRIM_THRESHOLD, KEPT_MAX)
        knob(MMAP_THRESHOLD, MAPPED_FROM)
