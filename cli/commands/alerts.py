"""`trader alerts`: what people are told of, whether it reaches them, and that somebody has it."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.exits import UNDELIVERED, Result
from cli.options import options_of, shared_of
from trader_core.domain.words import count

if TYPE_CHECKING:
    from trader_core.domain.alert import Delivery, Kept

Everything = Annotated[bool, typer.Option("--all", help="The newest 200, also those that are over.")]
Number = Annotated[int, typer.Argument(metavar="ID", help="As `alerts list` and every alert say it.", min=1)]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="What is being done about it.")]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="What is wrong.")]
Subject = Annotated[str, typer.Option("--subject", metavar="NAME", help="Of what: a unit, a host.")]
Once = Annotated[bool, typer.Option("--once", help="Wait for nothing that is due later; for timers.")]


def test(ctx: typer.Context) -> Result:
    """Send a message to every channel now, and a sign of life to the heartbeat. 70 where one of them failed."""
    from cli.show import table
    from trader_core.delivery import tested

    found = tested(options_of(shared_of(ctx)))
    rows = [[one.channel, "failed" if one.problem else "ok", str(one.took_ms), one.problem] for one in found]
    data = [{"channel": one.channel, "ok": not one.problem, "ms": one.took_ms, "problem": one.problem} for one in found]
    code = UNDELIVERED if any(one.problem for one in found) else 0
    return Result({"channels": data}, table(["channel", "", "ms", "problem"], rows, left=4), code)


def list_(ctx: typer.Context, everything: Everything = False) -> Result:
    """List the alerts that are open, and what became of them at each channel."""
    from cli.show import fitted
    from trader_core.delivery import listed

    found = listed(options_of(shared_of(ctx)), everything)
    head = ["id", "severity", "account", "alert", "since, UTC", "times", "state", "sent"]
    rows = [_row(one, deliveries) for one, deliveries in found]
    nothing = "nothing was ever told" if everything else "nothing is open"
    text = [fitted(head, rows, ("account", "times", "sent"), left=len(head))] if rows else [nothing]
    text += [f"  {one.number}: {one.alert.alarm.what}" for one, _ in found]
    return Result({"alerts": [_data(one, deliveries) for one, deliveries in found]}, "\n".join(text))


def ack(ctx: typer.Context, number: Number, reason: Reason = "") -> Result:
    """Say that somebody has it: no escalation and no reminder of this alert any more, unless it becomes worse."""
    from trader_core.delivery import acknowledged

    one = acknowledged(options_of(shared_of(ctx)), number, reason)
    return Result(_data(one, ()), f"alert {number} is acknowledged: {one.alert.alarm.what}")


def raise_(ctx: typer.Context, text: Text, subject: Subject = "") -> Result:
    """Tell what the program itself cannot: a unit that failed, a host that goes down. 70 where nobody could be told."""
    from trader_core.telling import reported

    problem = reported(options_of(shared_of(ctx)), text, subject)
    done = problem or f"told: {text}"
    return Result({"subject": subject, "problem": problem}, done, UNDELIVERED if problem else 0)


def drain(ctx: typer.Context, once: Once = False) -> Result:
    """Deliver what waits, and end when nothing is due for some minutes. Cycles start it by themselves where this
    process has an address; a service or a timer may do so as well. 70 where something could not be delivered."""
    from cli.commands.run import stopping
    from trader_core.delivery import drained

    with stopping() as asked:
        found = drained(options_of(shared_of(ctx)), lambda: bool(asked), once)
    if found is None:
        return Result({"delivered": 0, "failed": 0, "problems": {}, "another": True}, "another drainer is at work")
    data = {"delivered": found.delivered, "failed": found.failed, "problems": found.problems, "another": False}
    lines = [f"{found.delivered} delivered, {count(found.failed, 'try', 'tries')} failed"]
    lines += [f"  {name}: {problem}" for name, problem in sorted(found.problems.items())]
    return Result(data, "\n".join(lines), UNDELIVERED if found.problems else 0)


def _row(one: "Kept", deliveries: "tuple[Delivery, ...]") -> list[str]:
    from trader_core.domain.clocktime import short

    alert, alarm = one.alert, one.alert.alarm
    name = f"{alarm.code} {alarm.subject}".strip()
    return [
        str(one.number), alarm.severity, one.account, name, short(alert.opened_ms), str(alert.count), _state(one),
        _sent(deliveries),
    ]  # fmt: skip


def _state(one: "Kept") -> str:
    alert = one.alert
    if alert.resolved_ms is not None or alert.alarm.is_event:
        return "over"
    return "acknowledged" if alert.acked_ms is not None else "escalated" if alert.escalated_ms is not None else "open"


def _sent(deliveries: "tuple[Delivery, ...]") -> str:
    """'3 of 4: it answered too slowly'; '-' where nobody was to be told."""
    taken = sum(one.taken_ms is not None for one in deliveries)
    problems = [one.problem for one in deliveries if one.problem]
    told = f"{taken} of {len(deliveries)}" if deliveries else "-"
    return f"{told}: {problems[-1]}" if problems else told


def _data(one: "Kept", deliveries: "tuple[Delivery, ...]") -> dict[str, Any]:
    from cli.plain import moment

    alert, alarm = one.alert, one.alert.alarm
    return {
        "id": one.number, "account": one.account, "code": alarm.code, "subject": alarm.subject,
        "severity": alarm.severity, "state": _state(one), "what": alarm.what, "exposure": alarm.exposure,
        "done": alarm.done, "remedy": alarm.remedy, "opened": moment(alert.opened_ms), "seen": moment(alert.seen_ms),
        "count": alert.count, "escalated": moment(alert.escalated_ms), "acknowledged": moment(alert.acked_ms),
        "reason": alert.reason, "resolved": moment(alert.resolved_ms),
        "deliveries": [
            {"channel": sent.channel, "tries": sent.tries, "taken": moment(sent.taken_ms), "problem": sent.problem}
            for sent in deliveries
        ],
    }  # fmt: skip
