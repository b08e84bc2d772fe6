"""`trader run`: cycle after cycle, told as they happen, until the asked work is done or somebody says stop."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EIO
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import UNDELIVERED, Result, note, warned
from cli.options import SAMPLE_SEED, Cycles, Data, Equity, From, Seed, Shared, To, options_of, shared_of
from trader_core.domain.words import count

if TYPE_CHECKING:
    from cli.show import Ink
    from trader_core.engine.cycle import CycleReport
    from trader_core.report.run import Tally
    from trader_core.settings.options import Options
    from trader_core.worlds.system import System

Print = Callable[[str], object]


def run(
    ctx: typer.Context,
    cycles: Cycles = None,
    since: From = None,
    until: To = None,
    data: Data = None,
    seed: Seed = SAMPLE_SEED,
    equity: Equity = None,
    metrics_port: Annotated[
        int | None,
        typer.Option("--metrics-port", min=0, max=65535, metavar="N", help="Serve /metrics and /healthz on loopback."),
    ] = None,
) -> Result:
    """Run cycles: until N, --to or the end of the data, else until stopped. Goes on where the last run ended."""
    from cli.record import overheard
    from trader_core.bootstrap import open_system

    shared = shared_of(ctx)
    options = options_of(shared, since, until, data, seed, equity)
    with (
        stopping() as asked,
        overheard(options),
        open_system(options, waits=True) as system,
        _shown(system, metrics_port),
    ):
        return _run(system, options, shared, asked, cycles)


@contextmanager
def _shown(system: "System", port: int | None) -> Iterator[None]:
    """What is measured, for whoever asks on this machine. The second start on one port is refused before a cycle."""
    if port is None:
        yield
        return
    from trader_core.figures import served

    with served(port, system.state, system.mode, system.policy) as address:
        note(f"figures at {address}/metrics, health at {address}/healthz")
        yield


@contextmanager
def stopping() -> Iterator[list[int]]:
    """The signals that asked to stop, as they come in. The second one is no longer held back, but for that of a
    terminal that went, which comes from several sides at once; `nohup` switches it off."""
    asked: list[int] = []
    old = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    if old[signal.SIGHUP] is signal.SIG_IGN:
        del old[signal.SIGHUP]

    def ask(number: int, _: object) -> None:
        asked.append(number)
        for one in () if number == signal.SIGHUP else (signal.SIGINT, signal.SIGTERM):
            signal.signal(one, old[one])

    for number in old:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _run(system: "System", options: "Options", shared: Shared, asked: list[int], limit: int | None) -> Result:
    from cli.account import header, opening_warnings
    from cli.record import opening, recorded
    from cli.show import Ink, colours
    from trader_core.domain.errors import VenueUnavailable
    from trader_core.engine.run import cycles
    from trader_core.report.run import Tally, counted
    from trader_core.telling import broke_off
    from trader_core.upkeep import service_manager

    ink, service = Ink(not shared.json and colours()), service_manager()
    say: Print = (lambda _: None) if shared.json else _said
    tally, last = Tally(system.journal.book.equity, system.journal.book.flows), None
    try:
        say(header(system, options, ink))
    except VenueUnavailable as gap:
        if not system.journal.book.cycles:
            raise
        broke_off(options, gap)
        note(f"{gap.what}: the account waits until it answers, and its stops stay where they are")
    opening(system)
    warnings = warned(opening_warnings(system, options))
    if system.journal.book.cycles:
        note(f"continuing after cycle {system.journal.book.cycles}")
    stream = Stream(say, ink)

    def stop() -> bool:
        service.alive()
        return bool(asked)

    system.calls.ended = service.alive  # a cycle beside a slow venue is no loop that hangs
    service.ready(f"{system.mode} on {system.market}")
    for report in cycles(system.ports, system.policy, system.journal, stop, limit, system.telling.cycle):
        last = report
        service.status(status_line(report))
        tally = counted(
            tally, report.cycle_id, report.decision_ms, report.decision, report.placed, report.fills, report.book.flows
        )
        recorded(report)
        stream.tell(report)
    service.stopping()
    stream.close()
    system.telling.ended()
    ended = tally.cycles != limit and not asked
    if ended:
        note(end_words(system, options) + ("" if tally.cycles else ": there was nothing left to do"))
    code = 0 if tally.cycles == limit or ended else 128 + asked[0]
    if code:
        note(
            f"stopped by {signal.Signals(asked[0]).name} after {count(tally.cycles, 'cycle')}; the last one is recorded"
        )
    warnings += warned([system.telling.problem] if system.telling.problem else [])
    code = code or (UNDELIVERED if system.telling.problem else 0)
    return Result(
        _data(system, options, tally, last, ended), _summary(system, shared, tally, last, ink), code, warnings
    )


def _said(text: str) -> None:
    """A terminal that went takes no word any more; whether that ends the loop, the signal says."""
    try:
        print(text, flush=True)
    except OSError as lost:
        if lost.errno != EIO:
            raise


def status_line(report: "CycleReport") -> str:
    """'cycle 17, ACTIVE, 3 positions, equity 10,022.95': what `systemctl status` shows."""
    from cli.show import money

    book = report.book
    held = f"{count(len(book.held), 'position')}, equity {money(book.equity)}"
    return f"cycle {report.cycle_id}, {book.halt.trading}, {held}"


def end_words(system: "System", options: "Options") -> str:
    following_ms = system.journal.book.closed_ms + system.source.bar_ms
    by_option = options.until_ms is not None and following_ms >= options.until_ms
    return "end of the period: --to is reached" if by_option else "end of the data"


class Stream:
    """The table while it grows. Cycles in which nothing happened are counted and told as one line."""

    def __init__(self, say: Print, ink: "Ink") -> None:
        self._say, self._ink = say, ink
        self._quiet, self._begun = 0, False

    def tell(self, report: "CycleReport") -> None:
        from cli.show import CYCLE_HEAD, cycle_lines

        if not self._begun:
            self._say("\n" + self._ink.dim(CYCLE_HEAD))
            self._begun = True
        lines = cycle_lines(report, self._ink)
        if lines:
            self.close()
            self._say("\n".join(lines))
        else:
            self._quiet += 1

    def close(self) -> None:
        from cli.show import quiet_line

        if self._quiet:
            self._say(quiet_line(self._quiet, self._ink))
        self._quiet = 0


def _summary(system: "System", shared: Shared, tally: "Tally", last: "CycleReport | None", ink: "Ink") -> str:
    """How it ended. Without a cycle there is nothing to add to what status says."""
    from cli.account import counts, externals_text, gain, trouble_text, why_hint
    from cli.show import change, money, pairs, positions_table
    from trader_core.domain.clocktime import short
    from trader_core.report.positions import positions

    book = system.journal.book
    if last is None or tally.first_ms is None or tally.last_ms is None:
        return "\n".join(
            [*trouble_text(book, ink, shared), "", f"no cycle was run; {count(book.cycles, 'is', 'are')} recorded"]
        )
    worth, flows = last.valuation, book.flows - tally.flows_before
    rows = [
        ("this run", f"{count(tally.cycles, 'cycle')}, {short(tally.first_ms)} to {short(tally.last_ms)} UTC"),
        ("trading", counts(tally.orders, tally.fills, dict(tally.refusals))),
        ("fees", money(tally.fees)),
        ("equity", gain(tally.before, worth.equity if worth else book.equity, flows)),
        ("cash", money(book.cash)),
    ]
    if worth:
        rows += [("realised", change(worth.realised)), ("unrealised", change(worth.unrealised))]
    rows += [("flows", change(flows))] if flows else []
    if last.externals:
        rows.append(("not ours", externals_text(last)))
    parts = [ink.bold(f"after {count(book.cycles, 'cycle')}"), pairs(rows)]
    held = positions(book, last.prices)
    parts += ["", positions_table(held)] if held else []
    parts += trouble_text(book, ink, shared)
    if tally.example:
        parts += ["", f"why? {ink.bold(why_hint(tally.example.symbol, tally.example.cycle_id, shared))}"]
    return "\n".join(["", *parts])


def _data(
    system: "System", options: "Options", tally: "Tally", last: "CycleReport | None", ended: bool
) -> dict[str, Any]:
    """Counts, fees and flows are of this run; the account's figures are as they stand now."""
    from cli.account import trouble_data
    from cli.plain import moment
    from trader_core.report.positions import positions

    book, worth = system.journal.book, last.valuation if last else None
    held = positions(book, last.prices if last else {})
    return {
        "mode": system.mode,
        "venue": options.venue or system.policy.app.exchange.venue,
        "state": str(system.state),
        "from": moment(tally.first_ms),
        "to": moment(tally.last_ms),
        "cycles": tally.cycles,
        "cycles_recorded": book.cycles,
        "orders": tally.orders,
        "fills": tally.fills,
        "fees": tally.fees,
        "refusals": tally.refused,
        "refusals_by_verdict": dict(sorted(tally.refusals.items())),
        "equity_before": tally.before,
        "flows": book.flows - tally.flows_before,
        "equity": worth.equity if worth else book.equity,
        "cash": book.cash,
        "realised": book.realised,
        "unrealised": worth.unrealised if worth else None,
        "positions": len(held),
        "open_positions": held,
        "externals": last.externals if last else (),
        "end_of_data": ended,
        **trouble_data(book),
    }
