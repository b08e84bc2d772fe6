"""Failures, each with what is safe now and what to type next. Refusals are values, not errors."""


class TraderError(Exception):
    """What happened; `safe` says what state things are in, `remedy` what to type next."""

    exit_code = 1

    def __init__(self, what: str, *, safe: str = "nothing was sent", remedy: str = "") -> None:
        super().__init__(what)
        self.what, self.safe, self.remedy = what, safe, remedy


class UsageError(TraderError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class ConfigInvalid(TraderError):
    """One or more settings are wrong; `problems` lists them all, each with file and line."""

    exit_code = 10

    def __init__(
        self, problems: tuple[str, ...], remedy: str = "mend the lines above, then: trader validate-config"
    ) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(f"the configuration has {count}:\n  " + "\n  ".join(problems), remedy=remedy)
        self.problems = problems


class KeyUnusable(TraderError):
    """The venue's key is missing, badly kept, too old, another one, or may do what it must not."""

    exit_code = 11


class ClockUnsound(TraderError):
    """This machine's time is too far from the true one, or nobody knows how far."""

    exit_code = 12


class StateUnusable(TraderError):
    """The state is missing, unreadable, of another identity or of another schema."""

    exit_code = 13


class JournalBroken(TraderError):
    """The journal's hash chain does not verify."""

    exit_code = 61


class StateLocked(StateUnusable):
    """Another process owns this state, or holds a file of it for too long."""

    exit_code = 14


class GateClosed(TraderError):
    """Trading is refused before anything was judged."""

    exit_code = 20


class Halted(TraderError):
    """A kill or a halt is in force; a person has to look first."""

    exit_code = 21


class PlanDrifted(TraderError):
    """What a person agreed to is not what would happen now."""

    exit_code = 22


class DataUnavailable(TraderError):
    """Market data that the command needs is not there."""

    exit_code = 23


class VenueUnavailable(TraderError):
    """The venue did not answer; nothing is known. Where it answered and refused, `exit_code` says so."""

    exit_code = 30

    def __init__(
        self, what: str, *, safe: str = "nothing was sent", remedy: str = "", exit_code: int | None = None
    ) -> None:
        super().__init__(what, safe=safe, remedy=remedy or "trader check-clock, then: trader runbook show venue-down")
        self.exit_code = self.exit_code if exit_code is None else exit_code


class Unreachable(VenueUnavailable):
    """Not a byte of the request left: no connection, an open breaker, or no token in our own bucket."""


class NotAsked(Unreachable):
    """The time was over before anything could be sent: it says nothing of the venue."""


class RateLimited(Unreachable):
    """Too many requests: the venue turned this one away, or we did so ourselves."""

    exit_code = 31


class VenueRefused(TraderError):
    """The venue read the request and said no; nothing was executed. `word` is its own, empty where it had none."""

    exit_code = 32

    def __init__(self, what: str, *, word: str = "", safe: str = "nothing was executed", remedy: str = "") -> None:
        super().__init__(what, safe=safe, remedy=remedy)
        self.word = word


class KeyRefused(KeyUnusable):
    """The venue does not know the key, or does not let it do this; nothing was executed."""


class VenuePayload(VenueUnavailable):
    """An answer that does not say what it must: `where` is the place in it. Nothing in it is believed."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"the venue's answer cannot be read at {where}: {what}", safe="nothing in it was used")
        self.where = where


class OutcomeUnknown(TraderError):
    """A send whose outcome nobody knows; it keeps its reservation until the venue has been asked."""

    exit_code = 41


class Lost(OutcomeUnknown):
    """The request may have left and no answer tells what became of it."""


class IllegalMove(TraderError):
    """An order was asked to make a move that its state does not have."""

    def __init__(self, client_order_id: str, before: str, after: str) -> None:
        super().__init__(f"order {client_order_id} cannot go from {before} to {after}")


class TooManyPages(TraderError):
    """A paged answer did not end within its bound."""

    exit_code = 30
