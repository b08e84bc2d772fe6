"""One sizing rule: the seed's table to the cent, the edges of confidence, what Kelly may bet, and what always holds."""

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.program import Done, Inside
from tests.laws.budget import examples
from tests.laws.make import CONFIG
from tests.laws.test_gate_independence import ETH, base
from tests.laws.worlds import COUNT, E8, Dice, dice
from tests.world import write_config
from trader_core.rulebook.codes import (
    ASSET_ROOM,
    ATR_RISK,
    BINDING,
    BUDGET,
    BULL,
    CASH_FREE,
    CHOP,
    EXPOSURE_ROOM,
    FRACTION,
    HIGH,
    KELLY,
    KELLY_CAP,
    MAX_POSITION,
    NEVER,
    SIZE_FIELDS,
    SIZERS,
    STOP_LOSS,
    UNKNOWN,
    WANTED,
)
from trader_core.rulebook.limits import Kelly, Recovery, Sizing
from trader_core.rulebook.money import LIMIT
from trader_core.rulebook.sizing import (
    Ask,
    Record,
    calm_scale,
    confidence_scale,
    drawdown_of,
    grains,
    kelly_fraction,
    kelly_share,
    least_rate,
    record_of,
    record_scale,
    recovery_scale,
    sized,
    step_unsized,
    wanted_lots,
)
from trader_core.rulebook.state import Terms, empty_state

SEED = (  # 1.3 of the seed: a budget of 10 %, at most 2,000 and at least 100 of own money, 2 % lost at the stop
    "--budget-pct", "10", "--max-position", "2000", "--min-position", "100", "--max-stop-loss-pct", "2",
    "--max-exposure-pct", "200", "--max-asset-pct", "200", "--venue-leverage", "20", "--leverage", "10",
)  # fmt: skip
NEUTRAL = Sizing(
    FRACTION, LIMIT, 1.0, 0.6, 1.0, 0.85, 1.0, 10_000.0, 0.0, 1, 1.0, 0.01, 1.2, Recovery(0.0, 1.0, 0.0, 1.0),
    Kelly(0.25, 0.05, 30),
)  # fmt: skip
NOTHING = Record(0, 0, 0, 0, 0, 0)


def ask(**changed: Any) -> Ask:
    """Ten thousand, five percent of it, a stop five percent away, on spot."""
    plain = Ask(10_000 * E8, 0.05, 1.0, 0.7, 0.05, 1.0, 1.0, LIMIT, 0, LIMIT, LIMIT, 1.0, 50.0, 0.0, NOTHING)
    return plain._replace(**changed)


@pytest.fixture
def calc(tmp_path: Path) -> Callable[..., Done]:
    def call(*words: str) -> Done:
        return Inside(tmp_path)("size", "calc", "--config", CONFIG, *words)

    return call


@pytest.mark.parametrize(
    ("equity", "conviction", "stop", "exposure", "notional", "margin", "binding"),
    [
        ("14000", "75", "1", "0", "14000.00", "1400.00", "budget"),
        ("14000", "75", "2", "0", "14000.00", "1400.00", "budget"),
        ("14000", "75", "3", "0", "9333.33", "933.33", "stop_loss"),
        ("14000", "90", "1", "0", "20000.00", "2000.00", "max_position"),
        ("14000", "55", "1", "0", "7000.00", "700.00", "budget"),
        ("14000", "75", "1.5", "20000", "8000.00", "800.00", "exposure"),
    ],
)
def test_the_seed_s_table_comes_out_to_the_cent(
    equity: str, conviction: str, stop: str, exposure: str, notional: str, margin: str, binding: str,
    calc: Callable[..., Done],
) -> None:  # fmt: skip
    done = calc(
        "--json", *SEED, "--equity", equity, "--conviction-pct", conviction, "--stop-pct", stop, "--exposure", exposure
    )
    assert done.code == 0, done.err
    cent = Decimal("0.01")
    found = [str(Decimal(done.data[name]).quantize(cent)) for name in ("notional", "margin")]
    assert (*found, done.data["binding"]) == (notional, margin, binding)
    assert [one["name"] for one in done.data["caps"] if one["binds"]] == [binding] * (binding != "budget")


def test_what_is_below_the_smallest_position_is_refused_and_never_raised(calc: Callable[..., Done]) -> None:
    done = calc("--json", *SEED, "--equity", "900", "--conviction-pct", "75", "--stop-pct", "1")
    assert done.code == 20
    assert Decimal(done.data["margin"]) == 90
    assert done.data["refused"].startswith("BELOW_MIN_POSITION")


@pytest.mark.parametrize(("profile", "venue", "used"), [("CAUTIOUS", "100", 10), ("NORMAL", "100", 30),
                                                         ("AGGRESSIVE", "100", 30), ("NORMAL", "5", 5)])  # fmt: skip
def test_leverage_is_no_more_than_profile_and_venue_allow_and_thirty_ever(
    profile: str, venue: str, used: int, tmp_path: Path
) -> None:
    write_config(tmp_path / "config", {"policy.profile": profile})
    words = ["--equity", "14000", "--conviction-pct", "75", "--stop-pct", "1", "--leverage", "100", "--json"]
    words += ["--config", str(tmp_path / "config")]
    done = Inside(tmp_path)("size", "calc", "--venue-leverage", venue, *words)
    assert Decimal(done.data["leverage"]) == used
    assert f"leverage 100 was asked for and {used} is used: venue {venue}, profile" in done.data["notes"][0]
    assert Decimal(Inside(tmp_path)("size", "calc", *words).data["leverage"]) == 1, "on spot"


@pytest.mark.parametrize(("regime", "cap"), [("bull", "400"), ("chop", "320")])
def test_caps_are_those_of_the_regime_and_never_more(calc: Callable[..., Done], regime: str, cap: str) -> None:
    words = ("--equity", "10000", "--conviction-pct", "95", "--stop-pct", "6", "--budget-pct", "10")
    assert Decimal(calc("--json", *words, "--regime", regime).data["notional"]) == Decimal(cap)


def test_spot_is_bought_with_own_money_whatever_leverage_is_asked_for(calc: Callable[..., Done]) -> None:
    words = ("--equity", "10000", "--conviction-pct", "75", "--stop-pct", "5", "--explain")
    plain, asked = calc("--json", *words), calc("--json", *words, "--leverage", "10")
    assert asked.data["leverage"] == "1" and asked.data["notional"] == plain.data["notional"]
    (note,) = asked.data["notes"]
    assert note.startswith("leverage 10 was asked for and 1 is used: spot")
    assert plain.data["notes"] == [] and note in calc(*words, "--leverage", "10").out.replace("\n", " ")


def test_a_quantity_is_whole_lots_rounded_down(calc: Callable[..., Done]) -> None:
    words = ("--json", "--equity", "10000", "--budget-pct", "3", "--conviction-pct", "75", "--stop-pct", "5")
    done = calc(*words, "--price", "70", "--lot", "0.1", "--max-asset-pct", "100")
    assert done.data["quantity"] == "4.2", "300 / 70 is 4.28"
    assert Decimal(done.data["notional"]) == 294


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--equity", "0"), "INPUT_INVALID"),
        (("--equity", "-1"), "INPUT_INVALID"),
        (("--equity", "nan"), "INPUT_INVALID"),
        (("--equity", "much"), "INPUT_INVALID"),
        (("--stop-pct", "0"), "STOP_INVALID"),
        (("--stop-pct", "100"), "STOP_INVALID"),
        (("--leverage", "0.5"), "INPUT_INVALID"),
        (("--price", "0"), "INPUT_INVALID"),
        (("--lot", "0"), "--price and --lot are above 0"),
        (("--conviction-pct", "500"), "--conviction-pct 500: a number from 0 to 100"),
        (("--conviction-pct", "-1"), "--conviction-pct -1: a number from 0 on"),
        (("--equity", "1e400"), "--equity 1e400: a number from 0 on, at most 1000000000"),
        (("--drawdown-pct", "101"), "--drawdown-pct 101: a number from 0 to 100"),
        (("--budget-pct", "100.5"), "--budget-pct 100.5: a number from 0 to 100"),
        (("--sizer", "atr_risk"), "--range-pct"),
        (("--sizer", "hunch"), "one of fraction"),
        (("--regime", "sideways"), "one of bull"),
    ],
)
def test_what_is_missing_or_no_number_is_refused(words: tuple[str, str], said: str, calc: Callable[..., Done]) -> None:
    base = ("--equity", "10000", "--conviction-pct", "75", "--stop-pct", "5")
    done = calc(*base, *words)
    assert done.code == 2 and said in done.err.replace("\n", " ")


def test_the_regime_and_the_profile_scale_the_budget(calc: Callable[..., Done]) -> None:
    words = ("--json", "--equity", "10000", "--conviction-pct", "75", "--stop-pct", "5")
    whole, half = (Decimal(calc(*words, *more).data["wanted"]) for more in ((), ("--regime", "bear")))
    assert whole == 210 and half == 105, "3 % in profile DEFENSIVE, half of it in a bear market"


def test_the_regime_scales_a_size_by_the_day_s_range_as_it_does_in_the_law(calc: Callable[..., Done]) -> None:
    words = ("--equity", "10000", "--conviction-pct", "75", "--stop-pct", "5", "--range-pct=6", "--sizer", "atr_risk")
    ways = ((), ("--regime", "bull"), ("--regime", "bear"), ("--regime", "crash"))
    whole, bull, half, none = (Decimal(calc("--json", *words, *more).data["wanted"]) for more in ways)
    assert whole == pytest.approx(Decimal("972.222222"), abs=Decimal("1e-6")), "0.7 % over 1.2 ranges of 6 %"
    assert [bull / whole, half / whole, none] == pytest.approx([Decimal("1.2"), Decimal("0.5"), Decimal(0)])
    page = calc(*words, "--explain", "--regime", "bear").out.replace("\n", " ")
    assert "0.35 % of 10,000.00: what is lost" in page and "own money offered" not in page, "what it comes from"


def test_the_edges_of_confidence() -> None:
    sizing = NEUTRAL._replace(doubtful_scale=0.5, confident_scale=1.5)
    assert [confidence_scale(sizing, one) for one in (0.85, 0.8499, 0.60, 0.5999)] == [1.5, 1.0, 1.0, 0.5]
    assert sized(sizing, ask(conviction=0.85)).margin == 750 * E8


def test_kelly_is_a_quarter_by_the_lower_bound_at_most_five_percent_and_unknown_under_thirty_trades() -> None:
    kelly, won = Kelly(0.25, 0.05, 30), Record(0, 0, 110, 90, 440 * E8, 270 * E8)
    assert kelly_share(kelly, won._replace(wins=15, losses=14)) == -1.0
    assert kelly_share(kelly, won._replace(wins=15, losses=15)) >= 0.0
    assert [kelly_share(kelly._replace(min_trades=few), NOTHING) for few in (0, 1)] == [-1.0, -1.0]
    one = kelly._replace(min_trades=1)
    assert kelly_share(one, Record(0, 0, 1, 0, E8, 0)) > 0.0, "one trade is a record"
    expected = 0.25 * kelly_fraction(least_rate(1, 2), 100.0, 1.0)
    assert kelly_share(one, Record(0, 0, 1, 1, 100 * E8, E8)) == pytest.approx(expected)
    assert [kelly_fraction(0.9, gain, 0.5) for gain in (1.0, 0.0)] == [pytest.approx(0.85), 0.0]
    assert 0.25 * kelly_fraction(0.55, 4.0, 3.0) == pytest.approx(0.053125)
    rate = least_rate(110, 200)
    assert 0.49 < rate < 0.55 and kelly_share(kelly, won) == pytest.approx(0.25 * kelly_fraction(rate, 4.0, 3.0))
    assert kelly_share(kelly, Record(0, 0, 190, 10, 190 * E8, 10 * E8)) == 0.05
    assert kelly_share(kelly, Record(0, 0, 100, 0, 100 * E8, 0)) == 0.05, "nothing was lost yet"
    assert kelly_share(kelly, Record(0, 0, 0, 40, 0, 40 * E8)) == 0.0
    sizing = NEUTRAL._replace(sizer=KELLY)
    few, many = sized(sizing, ask(record=won._replace(wins=1))), sized(sizing, ask(record=won))
    assert (few.margin, few.bound_by) != (many.margin, many.bound_by)
    young = sized(sizing, ask(record=NOTHING))
    assert young.margin == 500 * E8 and young.kelly == -1.0, "without a record the base size"
    assert many.margin == int(kelly_share(kelly, won) * 10_000 * E8) and BINDING[many.bound_by] == "kelly"


def test_wilson_s_bound_is_the_one_of_the_books() -> None:
    """z = 1.6449; 110 of 200 gives 0.4919 (centre 0.5493 less half a width of 0.0575)."""
    assert least_rate(110, 200) == pytest.approx(0.4919, abs=5e-5)
    assert least_rate(0, 30) == pytest.approx(0.0, abs=1e-12)
    assert [least_rate(n, 2 * n) < 0.5 for n in (1, 10, 1000)] == [True] * 3


def test_risk_by_the_day_s_range() -> None:
    """One percent of ten thousand, lost when the price goes 1.2 ranges of two percent against it: 4,166.67."""
    sizing = NEUTRAL._replace(sizer=ATR_RISK)
    found = sized(sizing, ask(day_range=2.0))
    assert found.margin == int(0.01 / 0.024 * 10_000 * E8)
    for day_range in (4.0, 1.0, 0.5):
        assert sized(sizing, ask(day_range=day_range)).wanted == pytest.approx(found.margin * 2.0 / day_range, abs=4)
    assert sized(sizing, ask(day_range=2.0, scale=0.5)).margin == pytest.approx(found.margin / 2, abs=1)
    assert sized(sizing, ask(day_range=-1.0)).notional == 0, "of an unknown range there is no size"
    assert sized(sizing, ask(day_range=2.0, leverage=2.0, max_leverage=2.0)).notional == pytest.approx(found.margin)


def test_what_only_shrinks() -> None:
    sizing = NEUTRAL._replace(
        full_volatility=80.0, poor_rate=0.3, poor_trades=5, poor_scale=0.5, recovery=Recovery(0.04, 0.6, 0.08, 0.2)
    )
    assert [calm_scale(sizing, one) for one in (79.0, 80.0, 160.0, -1.0)] == [1.0, 1.0, 0.5, 1.0]
    depths = (0.0, 0.0399, 0.04, 0.0799, 0.08, 1.0)
    assert [recovery_scale(sizing.recovery, one) for one in depths] == [1.0, 1.0, 0.6, 0.6, 0.2, 0.2]
    assert recovery_scale(Recovery(0.1, 0.5, 0.1, 0.9), 0.2) == 0.5, "no step makes the one before it larger"
    records = ((4, 0), (5, 1), (5, 2), (10, 3), (10, 2))
    found = [record_scale(sizing, NOTHING._replace(trades=trades, won=won)) for trades, won in records]
    assert found == [1.0, 0.5, 1.0, 1.0, 0.5]


def test_what_a_state_says_of_a_record_and_a_drawdown() -> None:
    state = empty_state(2, 2, 2)
    state.record[1] = [[1, 2, 30, 40], [5, 6, 700, 800]]
    by_record = NEUTRAL._replace(sizer=KELLY)
    assert record_of(by_record, state, 0, 1) == Record(3, 1, 6, 8, 730, 840)
    assert record_of(NEUTRAL, state, 0, 1) == Record(3, 1, 0, 0, 0, 0), "no other sizer goes by all instruments"
    assert record_of(by_record, state, 0, 0) == NOTHING
    assert drawdown_of(state, 5) == 0.0, "no highest equity yet"
    state.clock[HIGH] = 1000
    assert [drawdown_of(state, one) for one in (900, 1000, 1100)] == [0.1, 0.0, 0.0]
    for highest, depth in ((1, 1.0), (0, 0.0)):
        state.clock[HIGH] = highest
        assert drawdown_of(state, 0) == depth


def proposed(sizing: Sizing, stop_bps: int = 500, equity: int = 950_000 * E8, held: int = 0) -> tuple[int, list[float]]:
    """The lots of a convinced proposal in a bad time, and how they were sized: five percent are lost since the best
    day, four of five trades were, volatility is twice what bears a full size, and half of the tier's size is asked for
    in a regime of eight tenths. A row is judged by its own hour and its own question; what others say is no matter."""
    world = base()
    columns, law, state = world.columns, world.law._replace(sizing=sizing), world.state
    columns = columns._replace(
        hour=np.array([0, 2, 1]), asked=np.array([1, 0, 2]), regime=np.array([UNKNOWN, BULL, CHOP]),
        volatility=np.full((3, COUNT), 80.0), day_range=np.full((3, COUNT), 9.0),
    )  # fmt: skip
    columns.volatility[0, ETH], columns.day_range[2, ETH] = 300.0, 2.0
    state.clock[HIGH], state.cost[ETH] = 10**6 * E8, held
    state.record[1, ETH] = 1, 4, 30 * E8, 40 * E8
    told = np.full(SIZE_FIELDS, -7.5)
    terms = Terms(1, 0.5, 0.9, stop_bps, 900, 0)
    lots = wanted_lots(law, state, columns, 1, ETH, terms, equity, 10**5, stop_bps, told)
    return int(lots), told.tolist()


def test_what_a_proposal_comes_to_is_told_with_all_that_made_it() -> None:
    """A twentieth of 950,000, by 0.8 and 0.5, then by 1.5, 0.5, 0.6 and 0.5: 4,275; a lot costs a thousandth."""
    sizing, multipliers = base().law.sizing, [1.5, 0.5, 0.6, 0.5]
    lots, told = proposed(sizing)
    assert told == [pytest.approx(4_275 * E8, abs=2), told[0], BUDGET, *multipliers]
    assert lots == int(told[0]) // 10**5
    lots, told = proposed(sizing._replace(sizer=ATR_RISK))
    assert told[0] == pytest.approx(0.01 * 0.4 / 0.024 * 950_000 * E8 * 0.225, abs=100)
    lots, told = proposed(sizing._replace(max_stop_loss=0.0001), stop_bps=200, held=1_000 * E8)
    assert told == [pytest.approx(4_275 * E8, abs=2), 3_750 * E8, STOP_LOSS, *multipliers]
    assert lots == 3_750_000
    lots, told = proposed(sizing, held=10**6 * E8 - 7 * 10**5)
    assert (lots, told[1:3]) == (7, [7 * 10**5, MAX_POSITION])
    assert proposed(sizing, equity=-1)[0] == 0, "of an unknown equity nothing is wanted"


def test_where_nothing_was_sized_that_is_told_and_no_size_of_another_turn() -> None:
    told = np.full(SIZE_FIELDS, 5.0)
    step_unsized(told)
    assert told[WANTED] == NEVER


def asks(die: Dice) -> Ask:
    def money() -> int:
        return die.one_of((0, die.grains(), 2**53 + 1, LIMIT))

    return Ask(
        die.one_of((-1, 0, die.grains(), 10**16, LIMIT - 1)), die.one_of((0.0, 0.02, 1.0)), die.one_of((0.0, 0.8, 1.2)),
        die.share(), die.one_of((0.0, 0.0001, 0.05, 0.99)), die.one_of((0.5, 1.0, 3.0, 100.0)),
        die.one_of((1.0, 5.0, 50.0)),
        money(), die.one_of((0, die.grains())), money(), money(), die.one_of((-1.0, 0.0, 2.0)),
        die.one_of((-1.0, 90.0)), die.share(), Record(die.between(0, 9), 0, die.between(0, 40), die.between(0, 40),
                                                      die.grains(), die.grains()),
    )  # fmt: skip


def least(caps: dict[int, int]) -> tuple[int, int]:
    """The smallest amount, nothing where that is below it, and what it is of: the first of equals."""
    binding = min(caps, key=lambda one: caps[one])
    return max(caps[binding], 0), binding


def most_at_the_stop(sizing: Sizing, wish: Ask) -> Fraction:
    """What may stand where no more than a part of the equity may be lost at the stop."""
    lost = Fraction(sizing.max_stop_loss) * max(wish.equity, 0)
    return min(lost / Fraction(wish.stop), Fraction(LIMIT)) if wish.stop > 0 else Fraction(0)


@given(dice)
@examples(250)
def test_a_size_is_the_least_of_what_is_wanted_and_of_every_cap_and_the_first_of_equals_binds(die: Dice) -> None:
    """To the grain; with borrowed money a float's last bit more or less."""
    sizing, wish = die.sizing(), asks(die)
    found = sized(sizing, wish)
    assert found.leverage == max(min(wish.leverage, wish.max_leverage, 30.0), 1.0)
    exact = most_at_the_stop(sizing, wish)
    bit = exact / 2**48
    assert -bit <= max(exact - wish.held, Fraction(0)) - found.stop_cap < 1 + bit
    assert sizing.sizer == KELLY or found.kelly == -1.0
    own = {BUDGET: found.wanted, MAX_POSITION: sizing.max_position - wish.held, CASH_FREE: wish.cash}
    if found.kelly >= 0:
        own[KELLY_CAP] = min(int(found.kelly * max(wish.equity, 0)), LIMIT)
    margin, binding = least(own)
    notional = margin if found.leverage == 1 else min(int(margin * found.leverage), LIMIT)
    rooms = {STOP_LOSS: found.stop_cap, EXPOSURE_ROOM: wish.exposure_room, ASSET_ROOM: wish.asset_room}
    expected = least({binding: notional} | rooms)
    assert (found.notional, found.bound_by) == expected
    assert found.margin == (expected[0] if found.leverage == 1 else int(expected[0] / found.leverage))


@pytest.mark.parametrize(
    ("name", "room", "binding"),
    [
        ("cash", 499, CASH_FREE), ("exposure_room", 499, EXPOSURE_ROOM), ("asset_room", 499, ASSET_ROOM),
        ("held", 501, MAX_POSITION), ("stop", 1 / 499, STOP_LOSS),
    ],
)  # fmt: skip
def test_a_cap_binds_below_what_is_wanted_and_not_where_it_is_as_much(name: str, room: float, binding: int) -> None:
    """Five hundred are wanted of a most of a thousand, and one may be lost; each cap alone is 499, then 500."""
    sizing = NEUTRAL._replace(max_position=1_000 * E8, max_stop_loss=0.0001)
    unit = 1 if name == "stop" else E8
    whole = 1 / 500 if name == "stop" else 500
    tight, enough = (sized(sizing, ask(**{"stop": 0.0001, name: one * unit})) for one in (room, whole))
    assert (tight.notional, tight.bound_by) == (499 * E8, binding)
    assert (enough.notional, enough.bound_by) == (500 * E8, BUDGET)


def test_as_much_as_its_own_record_would_bet_is_no_cap_and_less_is_one() -> None:
    won = Record(0, 0, 190, 10, 190 * E8, 10 * E8)
    for most, bought, binding in ((0.05, 500, BUDGET), (0.04, 400, KELLY_CAP)):
        found = sized(NEUTRAL._replace(sizer=KELLY, kelly=Kelly(0.25, most, 30)), ask(record=won))
        assert (found.notional, found.bound_by) == (bought * E8, binding)


@pytest.mark.parametrize("name", ["cash", "exposure_room", "asset_room"])
def test_where_more_is_bound_than_may_be_there_is_no_room_and_no_debt(name: str) -> None:
    found = sized(NEUTRAL, ask(**{name: -1}))
    assert (found.margin, found.notional) == (0, 0)


@pytest.mark.parametrize("name", ["cash", "exposure_room", "asset_room"])
def test_on_spot_all_that_is_bought_is_own_money_to_the_grain_however_much_it_is(name: str) -> None:
    """More than a float counts by ones."""
    found = sized(NEUTRAL, ask(**{"equity": LIMIT - 1, "share": 1.0, name: 2**53 + 1}))
    assert (found.margin, found.notional) == (2**53 + 1, 2**53 + 1)


def test_a_position_that_costs_more_than_it_may_is_not_bought_on() -> None:
    found = sized(NEUTRAL._replace(max_position=7 * E8), ask(held=8 * E8))
    assert (found.margin, found.notional, found.bound_by) == (0, 0, MAX_POSITION)


def test_whole_grains_of_an_amount_are_none_below_one_and_no_more_than_can_be_counted() -> None:
    most, below = float(LIMIT), float(LIMIT - 512)
    amounts = (float("nan"), -5.0, 0.0, 0.99, 1.0, 1.99, below, most, 1.5 * most, float("inf"))
    assert [grains(one) for one in amounts] == [0, 0, 0, 0, 1, 1, LIMIT - 512, LIMIT, LIMIT, LIMIT]


@given(dice)
@examples(200)
def test_no_multiplier_lifts_a_size_above_a_cap_and_nothing_is_rounded_up(die: Dice) -> None:
    sizing, wish = die.sizing(), asks(die)
    found = sized(sizing, wish)
    assert 0 <= found.margin <= max(min(found.wanted, sizing.max_position, wish.cash), 0)
    assert 0 <= found.notional <= min(wish.exposure_room, wish.asset_room, found.stop_cap)
    equity = max(wish.equity, 0)
    assert (found.notional + wish.held * (found.notional > 0)) * wish.stop <= sizing.max_stop_loss * equity + 1
    if found.kelly >= 0:
        assert found.margin <= found.kelly * equity + 1 and found.kelly <= sizing.kelly.most
    if wish.stop == 0.0 or wish.equity <= 0:
        assert found.notional == 0


@given(dice, st.sampled_from(["cash", "exposure_room", "asset_room", "equity"]))
@examples(150)
def test_less_room_never_makes_a_size_larger(die: Dice, what: str) -> None:
    sizing, wish = die.sizing(), asks(die)
    less = wish._replace(**{what: getattr(wish, what) // 2})
    if what != "equity" or sizing.sizer != KELLY:
        assert sized(sizing, less).notional <= sized(sizing, wish).notional


def test_every_sizer_has_its_name() -> None:
    assert [SIZERS[one] for one in (FRACTION, ATR_RISK, KELLY)] == ["fraction", "atr_risk", "kelly"]
