"""`trader sim`: a venue of our own on loopback, for drills and tests."""

from math import isfinite
from pathlib import Path
from typing import Annotated

import typer

from cli.exits import Result
from cli.options import From, To, options_of, shared_of
from trader_core.domain.errors import UsageError


def cert(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where the four files go.")],
    ed25519: Annotated[bool, typer.Option("--ed25519", help="An Ed25519 key instead of one on P-256.")] = False,
) -> Result:
    """Write an authority, a server certificate for this machine, and a key that `sim serve --tls DIR` accepts."""
    from trader_core.loopback.cert import write_all
    from trader_core.loopback.trouble import Misused

    try:
        files = [str(path) for path in write_all(directory, ed25519)]
    except Misused as wrong:
        raise UsageError(str(wrong)) from wrong
    return Result({"files": files}, "\n".join(files))


def serve(
    ctx: typer.Context,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, metavar="P", help="0 takes a free one.")],
    tls: Annotated[Path | None, typer.Option("--tls", metavar="DIR", help="The folder of `sim cert`.")] = None,
    key: Annotated[Path | None, typer.Option("--key", metavar="FILE", help="Default: api-key.json of --tls.")] = None,
    realtime: Annotated[bool, typer.Option("--realtime", help="A generated market on the wall clock.")] = False,
    data: Annotated[Path | None, typer.Option("--data", metavar="DIR", help="Replay a folder of candles.")] = None,
    since: From = None,
    until: To = None,
    speed: Annotated[
        float, typer.Option("--speed", min=0, metavar="X", help="Of a replay; at 0 time stands still.")
    ] = 1.0,
    faults: Annotated[Path | None, typer.Option("--faults", metavar="FILE", help="YAML: what goes wrong.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Of the market and of chance.")] = 1,
    truth: Annotated[
        Path | None, typer.Option("--truth", metavar="FILE", help="Every accepted order and fill, appended.")
    ] = None,
) -> None:
    """Serve a venue on 127.0.0.1 that speaks like Coinbase; one JSON line on stdout says that it is ready."""
    if not isfinite(speed):
        raise UsageError(f"--speed {speed} is no number to go by", remedy="--speed 60")
    if realtime and data is not None:
        raise UsageError("--realtime generates a market and --data replays one; it is one or the other")
    if data is None and (since or until or speed != 1):
        raise UsageError("--from, --to and --speed are of a replay, and there is no --data")
    from trader_core.loopback.serve import Wanted
    from trader_core.loopback.serve import serve as run
    from trader_core.loopback.trouble import Misused

    span = options_of(shared_of(ctx), since, until)
    try:
        run(Wanted(port, tls, key, data, span.since_ms, span.until_ms, speed, faults, seed, truth))
    except Misused as wrong:
        raise UsageError(str(wrong)) from wrong
