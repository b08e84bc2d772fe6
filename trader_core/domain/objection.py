"""What speaks against entries from outside ledger and market: a grant, a clock, a key."""

from msgspec import Struct


class Objection(Struct, frozen=True):
    """`exit_code` is what a cycle under it ends with. One that `reduces` also takes back entries that rest: only
    exits, stops and cancels go on, until everything is flat."""

    what: str
    exit_code: int
    reduces: bool = False
