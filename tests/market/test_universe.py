"""Which instruments may be traded: by the policy's word, and by what they traded lately."""

from decimal import Decimal
from fractions import Fraction
from functools import cache, partial
from random import Random

import numpy as np
import pytest

from tests.market import twins
from tests.market.make import FOUR, SHIPPED, cut, frame, instruments, market, policy, walks
from trader_core.domain.instrument import Exclusion, base_of
from trader_core.market.universe import Volumes, eligible, volume_lookback, volumes
from trader_core.rulebook.limits import Floats
from trader_core.settings.schema import TIERS, Settings

DAY = 24


def reasons(excluded: tuple[Exclusion, ...]) -> dict[str, str]:
    return {one.symbol: one.reason for one in excluded}


LISTED = instruments(("USDT-USD", "XRP-USD", "PEPE-USD", "BTC-USD"))


def test_an_asset_of_a_tier_is_watched_and_every_other_has_its_reason() -> None:
    chosen, excluded = eligible(LISTED, (Exclusion("ETH-USD", "too coarse"),), SHIPPED.universe, ())
    assert [one.symbol for one in chosen] == ["BTC-USD", "XRP-USD"]
    found = reasons(excluded)
    assert found["USDT-USD"] == "USDT is in never_trade"
    assert found["PEPE-USD"] == "PEPE is in no tier of the universe"
    assert found["ETH-USD"] == "too coarse"
    assert found["SOL"] == "the venue does not list it"
    assert "ETH" not in found and "BTC" not in found


def test_discovery_watches_all_that_is_not_forbidden() -> None:
    chosen, excluded = eligible(LISTED, (), policy(universe__discovery__enabled=True).universe, ())
    assert [one.symbol for one in chosen] == ["BTC-USD", "PEPE-USD", "XRP-USD"]
    assert "PEPE-USD" not in reasons(excluded)
    assert reasons(excluded)["USDT-USD"] == "USDT is in never_trade"


def test_what_is_never_traded_is_not_even_where_a_tier_names_it() -> None:
    chosen, excluded = eligible(LISTED, (), policy(universe__never_trade=("BTC",)).universe, ())
    assert [one.symbol for one in chosen] == ["XRP-USD"]
    assert reasons(excluded)["BTC-USD"] == "BTC is in never_trade"


def test_what_is_held_is_watched_and_still_excluded() -> None:
    chosen, excluded = eligible(LISTED, (), SHIPPED.universe, {"USDT-USD"})
    assert "USDT-USD" in [one.symbol for one in chosen]
    assert "USDT-USD" in reasons(excluded)


def rules(**changes: object) -> Settings:
    """Floors of 1000 a day; two hours to enter, two to leave, four to remember."""
    keys = {"hysteresis__enter_h": 2, "hysteresis__leave_h": 2, "hysteresis__leave_pct": 90.0,
            "hysteresis__recall_h": 4, "near_threshold__volume_pct": 95.0, "discovery__enabled": False,
            "discovery__max_assets": 1, **{f"tiers__{tier}__min_day_volume_quote": Decimal(1000) for tier in TIERS},
            }  # fmt: skip
    return policy(**{f"universe__{key}": value for key, value in {**keys, **changes}.items()})


NO_FLOORS: dict[str, object] = {f"tiers__{tier}__min_day_volume_quote": Decimal(0) for tier in TIERS}


def minutes(settings: Settings) -> Settings:
    cycle = settings.policy.cycle.model_copy(update={"base_bar_min": 1})
    return settings.model_copy(update={"policy": settings.policy.model_copy(update={"cycle": cycle})})


def traded(days: list[list[int]], settings: Settings, symbols: tuple[str, ...]) -> Volumes:
    """Of hours whose last 24 were worth so much, one list for each asset; the first row is a day later.

    A fall is what was traded a day before, so the falls together may not exceed the first value.
    """
    value = np.zeros((DAY - 1 + len(days[0]), len(days)), np.int64)
    for i, wanted in enumerate(days):
        steps = np.diff(wanted)
        value[: len(steps), i] = np.maximum(-steps, 0)
        value[DAY - 1, i] = wanted[0] - value[: len(steps), i].sum()
        value[DAY:, i] = np.maximum(steps, 0)
    assert (value >= 0).all()
    seen = frame(np.full(value.shape, 100), 100 * value, bar_min=60, symbols=symbols)
    found = volumes(market(seen, settings), units(symbols))
    assert found.day_cents[DAY - 1 :].T.tolist() == [[100 * each for each in wanted] for wanted in days]
    assert not found.day_cents[: DAY - 1].any() and not found.eligible[:DAY].any()
    return found


def units(symbols: tuple[str, ...]) -> Floats:
    """One lot at a price of 100 is worth 1/100."""
    return np.array([float(one.grains_per_unit) for one in instruments(symbols)])


def codes(days: list[int], settings: Settings, symbol: str = "BTC-USD") -> str:
    return "".join(str(code) for code in traded([days], settings, (symbol,)).eligible[DAY:, 0])


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ([1000, 1000], "01"),  # in after two hours, also on the floor itself
        ([3000, 999, 999], "000"),
        ([1500, 1500, 899, 899], "0110"),  # out after two hours
        ([1500, 1500, 899, 1500, 899, 1500], "011111"),  # one hour does not lead out
        ([3000, 800, 800, 1200, 800, 1200, 1200], "0000001"),  # nor in
        ([1500, 1500, 950, 950, 950, 950, 950, 950], "01111100"),  # between the two floors it is remembered for a while
        ([1500, 1500, 900, 900, 900], "01111"),  # on the lower floor is not below it
    ],
)
def test_volume_leads_in_and_out_after_some_hours_in_a_row(days: list[int], expected: str) -> None:
    assert codes(days, rules()) == expected


def test_an_asset_of_the_second_tier_may_trade_a_little_less() -> None:
    assert codes([3000, 950, 949, 950, 950], rules(), "XRP-USD") == "02002"
    assert codes([3000, 950, 949, 950, 950], rules(), "BTC-USD") == "00000"
    assert codes([1500, 1500, 949, 950, 950], rules(), "XRP-USD") == "01111"


def test_without_a_floor_everything_is_in_but_not_on_less_than_a_day() -> None:
    """`traded` has looked at the rows before."""
    free = rules(**NO_FLOORS)
    assert codes([0, 0, 0], free, "BTC-USD") == codes([0, 0, 0], free, "XRP-USD") == "011"


NEW = ("BONK-USD", "BTC-USD", "PEPE-USD", "USDT-USD", "WIF-USD")


def row_of(days: list[int], settings: Settings) -> str:
    """Codes of NEW at the second of two such rows."""
    return "".join(str(code) for code in traded([[each, each] for each in days], settings, NEW).eligible[-1])


@pytest.mark.parametrize(
    ("enabled", "room", "days", "expected"),
    [
        (False, 5, [9000, 1000, 8000, 9999, 7000], "01000"),
        (True, 5, [9000, 1000, 8000, 9999, 7000], "11101"),  # what is forbidden is not discovered
        (True, 2, [9000, 1000, 8000, 9999, 7000], "11100"),
        (True, 2, [7000, 1000, 8000, 9999, 9000], "01101"),
        (True, 2, [8000, 1000, 8000, 9999, 8000], "11100"),  # a tie goes by the order of symbols
        (True, 1, [8000, 500, 9000, 9999, 7000], "00100"),
        (True, 5, [999, 1000, 999, 9999, 1000], "01001"),  # the floor of the third tier holds for them as well
    ],
)
def test_discovery_finds_the_few_that_are_traded_most(enabled: bool, room: int, days: list[int], expected: str) -> None:
    assert row_of(days, rules(discovery__enabled=enabled, discovery__max_assets=room)) == expected


def test_a_tie_of_many_goes_by_the_order_of_symbols_too() -> None:
    many = tuple(f"N{i}-USD" for i in range(100, 180))
    found = traded([[9000, 9000]] * 80, rules(discovery__enabled=True, discovery__max_assets=7), many)
    assert found.eligible[-1].tolist() == [1] * 7 + [0] * 73


def test_an_hour_is_worth_its_volume_at_its_close_in_the_instrument_s_own_units() -> None:
    """Whatever bars it is made of, and rounded down."""
    close = np.tile([3, 1, 2, 3], DAY)
    seen = frame(np.column_stack([close, close]), np.full((4 * DAY, 2), 7))
    found = volumes(market(seen, SHIPPED), np.array([1e6, 2.5e5]))
    assert found.day_cents[-1].tolist() == [DAY * 28 * 3, DAY * 21]


def test_an_hour_without_a_trade_adds_nothing() -> None:
    close = np.full(2 * DAY, 100)
    close[DAY : DAY + 10] = 0
    found = volumes(market(frame(close, np.full(2 * DAY, 100), bar_min=60), SHIPPED), units(("BTC-USD",)))
    assert found.day_cents[-1, 0] == 100 * (DAY - 10)


@pytest.mark.parametrize("seed", range(1, 7))
def test_eligibility_is_its_slow_twin(seed: int) -> None:
    random, rows = Random(seed), DAY + 300
    seen = walks(random, rows, 60, holes=0.002)
    unit = units(FOUR)
    first = volumes(market(seen, SHIPPED), unit).day_cents
    floor = Decimal(int(np.median(first[-300:, seed % 3])) * 10 + 5) / 1000
    edits: dict[str, object] = {f"tiers__{tier}__min_day_volume_quote": floor for tier in TIERS}
    settings = rules(hysteresis__enter_h=random.randint(1, 4), hysteresis__leave_h=random.randint(1, 4),
                     hysteresis__leave_pct=99.5, near_threshold__volume_pct=99.0, **edits)  # fmt: skip
    found = volumes(market(seen, settings), unit)
    tiers, tried = [settings.universe.tier_of(base_of(one)) for one in FOUR[:3]], set()
    for t, i in [(random.randrange(rows - 320, rows), random.randrange(3)) for _ in range(60)]:
        days = cache(partial(twins.day_cents, seen, i=i, grains_per_unit=unit[i]))
        assert found.day_cents[t, i] == max(days(t), 0)
        assert found.eligible[t + 1, i] == twins.by_volume(days, t, Fraction(floor) * 100, tiers[i], settings)
        tried.add(int(found.eligible[t + 1, i]))
    assert len(tried) > 1
    assert not found.eligible[:, 3].any(), "PEPE is in no tier"


@pytest.mark.parametrize("bar_min", [1, 5, 15, 60])
def test_the_lookback_is_as_short_as_it_can_be(bar_min: int) -> None:
    """Its first bar is all that the only decision which is still remembered was made of; its last is the last but one
    of an hour."""
    settings = policy(policy__cycle__base_bar_min=bar_min, universe__hysteresis__recall_h=7)
    rows, hour = volume_lookback(settings), 60 // bar_min
    assert rows == (DAY + 2 + 7 + 1) * hour - 1
    volume, percent = np.zeros(rows, np.int64), 10_000_000  # of the floor
    volume[0], volume[2 * hour], volume[DAY * hour] = 100 * percent, 3 * percent, 97 * percent
    whole = frame(np.full(rows, 100), volume, bar_min=bar_min)
    assert volumes(market(whole, settings), units(FOUR[:1])).eligible[-1, 0] == 1
    assert volumes(market(cut(whole, 1, rows), settings), units(FOUR[:1])).eligible[-1, 0] == 0


def test_what_is_delisted_makes_room_at_once() -> None:
    """In the middle of an hour, and for as long as it is silent. In 24 hours it was traded most."""
    close = np.full((30 * 60, 3), 100)
    close[1500:1650, 0] = 0
    volume = np.full((30 * 60, 3), 1000) * [3, 2, 1]
    settings = rules(discovery__enabled=True, discovery__max_assets=1, **NO_FLOORS)
    found = market(frame(close, volume, bar_min=1, symbols=("BONK-USD", "PEPE-USD", "WIF-USD")), minutes(settings))
    discovered = volumes(found, units(found.frame.symbols)).eligible[found.hour]
    assert (discovered[1560:1595] == [1, 0, 0]).all() and (discovered[1650:] == [1, 0, 0]).all()
    assert (discovered[1595:1650] == [0, 1, 0]).all()
