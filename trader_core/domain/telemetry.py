"""What was measured of cycles and calls, as values: counts, durations, levels. Nothing in it is money that is owed."""

from collections.abc import Mapping, Sequence

from msgspec import Struct, field

Labels = tuple[tuple[str, str], ...]  # name and value, by name
Series = tuple[str, Labels]

BOUNDS_MS = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 15_000, 30_000, 60_000)
NEWEST = 1_000  # samples kept of an operation
QUIET_MS = 1_000  # where nothing is new it is written down so often, however fast a simulated market is
CYCLE = "cycle"
STAGE, CALL = "stage", "call"  # before the name of one


def operation(kind: str, name: str) -> str:
    """'stage decide': what samples are kept under."""
    return f"{kind} {name}"


class Sample(Struct, frozen=True):
    """One duration. `at_ms` is when it was over, by this machine's clock."""

    operation: str
    ms: float
    at_ms: int


class Histogram(Struct, frozen=True):
    """How many took how long. `counts` has one number for each of BOUNDS_MS, the bound included, and one for what took
    longer."""

    total_ms: float = 0.0
    counts: tuple[int, ...] = (0,) * (len(BOUNDS_MS) + 1)

    @property
    def count(self) -> int:
        return sum(self.counts)

    def with_one(self, ms: float) -> "Histogram":
        place = sum(ms > bound for bound in BOUNDS_MS)
        return Histogram(
            self.total_ms + ms, (*self.counts[:place], self.counts[place] + 1, *self.counts[place + 1 :])
        )  # fmt: skip


class Batch(Struct, frozen=True):
    """The news of one cycle. Levels take the place of all that were there before."""

    at_ms: int
    counts: Mapping[Series, float]
    samples: Sequence[Sample]
    levels: Mapping[Series, float]


class Measured(Struct, frozen=True):
    """All that is kept of one mode. `at_ms` is when the newest cycle was over; 0 where there was none."""

    at_ms: int = 0
    counts: Mapping[Series, float] = field(default_factory=dict)
    durations: Mapping[str, Histogram] = field(default_factory=dict)  # by operation
    levels: Mapping[Series, float] = field(default_factory=dict)
