"""A plan file, spoilt: not run, or run exactly as the sound one would have been."""

import copy
import json
import random
from typing import Any

from tests.fuzz.accounts import Account
from tests.fuzz.tries import Tries
from tests.fuzz.yaml_files import HOSTILE

ALLOWED = (0, 2, 10, 13, 20, 22)
BEFORE_BUYING = 1  # cycle; the next one buys


def fuzz(tries: Tries) -> None:
    account = Account(tries.folder, BEFORE_BUYING)
    path = tries.folder / "plan.json"
    account.command("preview", "--out", path)
    sound = path.read_bytes()
    before = account.sent()
    bought = _bought(account, account.command("run-cycle", "--plan", path, "--json").code)
    assert bought and account.sent() > before, "the sound plan is run, and buys"
    for rng in tries.rolls():
        account.anew()
        path.write_bytes(body := _spoilt(rng, sound))
        rows, sent = account.rows(), account.sent()
        done = account.command("run-cycle", "--plan", path, "--json")
        if not tries.ended(done.code, ALLOWED, f"{body[:300]!r}: {done.err}"):
            continue
        if done.code and (account.sent() != sent or _decided(account) != sum(one[3] == "decided" for one in rows)):
            tries.wrong(f"{body[:300]!r}: refused with {done.code}, and something was sent or decided")
        if not done.code and _bought(account, 0) != bought:
            tries.wrong(f"{body[:300]!r}: run, and not as the sound plan")


def _decided(account: Account) -> int:
    return sum(one[3] == "decided" for one in account.rows())


def _bought(account: Account, code: int) -> list[object]:
    """The newest cycle's orders as they were written down; nothing where it was not run."""
    rows = account.rows()
    newest = max(int(str(one[1])) for one in rows)
    written = [json.loads(str(one[4])) for one in rows if one[3] == "intended" and one[1] == newest]
    return [one[1] for one in written] if not code else []


def _spoilt(rng: random.Random, sound: bytes) -> bytes:
    if rng.random() < 0.4:
        at, to = sorted((rng.randrange(len(sound) + 1), rng.randrange(len(sound) + 1)))
        noise = rng.randbytes(rng.randint(1, 8))
        return rng.choice((sound[:at], sound[at:], sound[:at] + noise + sound[at:], sound[:at] + sound[to:], noise))
    document = json.loads(sound)
    for _ in range(rng.randint(1, 2)):
        places = list(_places(document))
        if not places:
            break
        holder, key = rng.choice(places)
        if rng.random() < 0.3:
            del holder[key]
        else:
            holder[key] = copy.deepcopy(rng.choice([*HOSTILE[:-3], "2024-03-04T09:00:00Z", "BUY", "SELL"]))
    if isinstance(document, dict) and rng.random() < 0.8:
        document = _sealed(document)
    return json.dumps(document).encode("utf-8", "surrogatepass")


def _sealed(document: dict[str, Any]) -> dict[str, Any]:
    """With a seal that is right, as somebody who knows how it is made would do it."""
    from trader_core.engine.plan import sealed

    try:
        return sealed(document)
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return document


def _places(content: Any) -> Any:
    items = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(items):
        yield content, key
        yield from _places(value)
