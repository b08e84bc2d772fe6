"""Which of forty gates are worth a look, which one decided, and over many cycles: what said no, and by how little."""

from tests.report.journals import START, Account, figures, judged, quiet
from trader_core.domain.decision import GateRow, Judgement
from trader_core.domain.facts import Decided, Fact, Filled
from trader_core.domain.values import replace
from trader_core.report.notrade import NoTrade, no_trade, told
from trader_core.report.why import GATE_NAMES, Answer, answer, decisive, worth_showing
from trader_core.rulebook.codes import GATE_COUNT


def answered(*judgements: Judgement) -> Answer:
    found = answer(Account().cycle(*judgements).facts, None)
    assert found
    return found


def rows_of(*judgements: Judgement) -> dict[str, GateRow]:
    return {row.gate: row for row in answered(*judgements).symbols[0].gates}


# --- one cycle -------------------------------------------------------------------------------------------------------


def test_a_gate_that_made_the_order_smaller_says_so() -> None:
    rows = rows_of(judged("BTC-USD", shrank="theme_cap", theme_cap=(11, 10)))
    assert (rows["theme_cap"].verdict, rows["theme_cap"].margin) == ("SHRANK", -1)
    assert {row.verdict for row in rows.values() if row.gate != "theme_cap"} == {"OK"}


def test_a_gate_that_had_nothing_to_measure_has_no_numbers() -> None:
    found = judged("BTC-USD")
    rows = tuple(replace(row, verdict="NOT_APPLICABLE") if row.gate == "jump" else row for row in found.rows)
    jump = rows_of(replace(found, rows=rows))["jump"]
    assert (jump.value, jump.limit, jump.margin, jump.verdict) == (None, None, None, "NOT_APPLICABLE")


def test_what_was_only_looked_at_shrank_nothing() -> None:
    old = replace(quiet("BTC-USD").rows[0], value=2000.0, margin=-200.0)
    assert rows_of(Judgement("BTC-USD", "no_signal", "", (old,)))["data_age"].verdict == "OK"


def test_the_gate_that_decided_is_the_first_that_closed_and_not_an_opinion() -> None:
    found = judged("BTC-USD", "SPREAD", spread=(80, 50), cost=(300, 200))
    other = GateRow("momentum", 0.1, 0.2, -0.1, "ratio", "no_signal")
    row = decisive("SPREAD", (other, *found.rows))
    assert row and row.gate == "spread"
    assert decisive("OK", (other, *judged("BTC-USD").rows)) is None


def test_without_a_signal_the_opinion_that_missed_by_least_decides() -> None:
    rows = (*quiet("BTC-USD", 0.5).rows, GateRow("momentum", 0.9, 1.0, -0.1, "ratio", "no_signal"))
    row = decisive("no_signal", rows)
    assert row and row.gate == "momentum"
    unknown = GateRow("sma_cross", None, None, None, "ratio", "unknown")
    assert decisive("warming_up", (unknown,)) is unknown


def test_of_forty_gates_those_that_closed_shrank_or_came_near_are_shown() -> None:
    found = judged(
        "BTC-USD", "SPREAD", "theme_cap", spread=(80, 50), theme_cap=(11, 10), depth=(99, 100), edge=(51, 50)
    )
    (one,) = answered(found).symbols
    shown = worth_showing(one.outcome, one.gates)
    names = [row.gate for row in shown]
    assert {"sma_cross", "spread", "theme_cap", "depth", "edge"} <= set(names)
    assert len(names) == 4 + 2
    assert names == [row.gate for row in one.gates if row.gate in names]


def test_gates_that_count_nothing_are_not_near() -> None:
    """Nothing of nothing is not a close call; neither is a state."""
    found = judged("BTC-USD", ban=(0, 0), cooldown=(0, 0), halt=(0, 0), depth=(50, 100))
    shown = {row.gate for row in worth_showing("OK", found.rows)}
    assert "depth" in shown
    assert not shown & {"ban", "cooldown", "halt"}


def test_what_came_to_no_gate_is_shown_as_it_is() -> None:
    rows = quiet("BTC-USD").rows
    assert worth_showing("no_signal", rows) == rows


def test_an_order_of_an_older_cycle_is_followed_to_its_end() -> None:
    account = Account()
    account.buy("BTC-USD", "1", "100", "1")
    bought = account.facts.pop()
    account.cycle(judged("BTC-USD"))
    assert isinstance(bought, Filled)
    account.facts.append(bought)
    account.cycle(quiet("BTC-USD"))
    first, second = answer(account.facts, 1), answer(account.facts, 2)
    assert first and second
    (order,) = first.symbols[0].orders
    assert (order.status, figures(order.average_price)) == ("FILLED", "100")
    assert (first.symbols[0].fills, second.symbols[0].orders) == ((), ())
    assert [one.price for one in second.symbols[0].fills] == [100]
    assert answer(account.facts, 3) is None


# --- many cycles -----------------------------------------------------------------------------------------------------


def week() -> list[Fact]:
    account = Account()
    account.cycle(judged("BTC-USD", "SPREAD", spread=(80, 50)), quiet("ETH-USD", 0.5))
    account.cycle(judged("BTC-USD", "SPREAD", spread=(55, 50)), quiet("ETH-USD", 0.98))
    account.cycle(judged("BTC-USD", "CASH", cash=(101, 100), spread=(80, 50), min_notional=(0, 10)), quiet("ETH-USD"))
    account.cycle(problem="the venue did not answer", troubled=True)
    account.cycle(problem="the venue's clock is 40 s away")
    account.cycle(judged("BTC-USD"), Judgement("ETH-USD", "excluded", "no", ()))
    return account.facts


def told_of(since_cycle: int = 1, *symbols: str) -> NoTrade:
    journal = told(week())
    return no_trade(journal, journal.cycles[since_cycle - 1].decision_ms, symbols)


def test_the_first_gate_that_closed_is_counted_once_for_each_proposal() -> None:
    found = told_of()
    assert (found.cycles, found.unread, found.objected, found.judged) == (6, 1, 1, 8)
    assert (found.proposals, found.passed) == (4, 1)
    assert [(one.code, one.times, one.symbols, one.last_cycle) for one in found.refusals] == [
        ("SPREAD", 2, 1, 2), ("CASH", 1, 1, 3),
    ]  # fmt: skip
    assert [(one.code, one.times) for one in found.stages] == [("no_signal", 3), ("excluded", 1)]
    assert sum(one.times for one in (*found.refusals, *found.stages)) + found.passed == found.judged


def test_the_nearest_miss_is_the_smallest_part_of_its_limit() -> None:
    miss = told_of().nearest_refusal
    assert miss
    assert (miss.cycle, miss.symbol, miss.row.gate, miss.short_pct) == (3, "BTC-USD", "cash", 1.0)
    assert miss.also == ("spread",)  # that nothing is too small an order is no news
    signal = told_of().nearest_signal
    assert signal
    assert (signal.cycle, signal.symbol, signal.row.gate, signal.short_pct) == (2, "ETH-USD", "sma_cross", 2.0)


def test_a_span_and_a_symbol_leave_the_rest_out() -> None:
    assert (told_of(3).cycles, told_of(3).judged, told_of(4).nearest_refusal) == (4, 4, None)
    only = told_of(1, "ETH-USD")
    assert (only.judged, only.proposals, only.refusals, only.nearest_refusal) == (4, 0, (), None)


def test_a_cycle_that_came_again_after_a_crash_is_counted_once() -> None:
    facts = week()
    decided = next(n for n, one in enumerate(facts) if isinstance(one, Decided))
    facts.insert(decided + 1, facts[decided])
    assert no_trade(told(facts), START) == told_of()


def test_every_gate_of_the_law_is_known_by_name() -> None:
    assert len(GATE_NAMES) == GATE_COUNT == len(judged("BTC-USD").rows) - 1
