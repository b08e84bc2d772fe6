"""What a kill does at a venue over real HTTP: what adds risk is gone and looked for, what protects stays."""

import json
import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from decimal import Decimal
from pathlib import Path
from queue import SimpleQueue
from threading import Timer
from typing import Any

import pytest

from tests.cli.program import Done
from tests.kill.scene import IDENTITY, NOT_ALMIGHTY, Scene, age_s, hook_into, id_of, key_seen
from tests.loopback.served import Served, limit, market, serving, trader
from trader_core.domain.clocktime import EpochMs
from trader_core.domain.facts import Acknowledged, Fact, Intended
from trader_core.domain.fill import Side
from trader_core.domain.money import Base
from trader_core.domain.order import ApprovedOrder, OrderKind, Role
from trader_core.engine.adopt import adopt
from trader_core.engine.journal import Journal
from trader_core.kill.sales import Sale, record_sale, sales
from trader_core.store.sqlite import SqliteStore

ETH, BTC = "ETH-USD", "BTC-USD"
GONE, OPEN = "CANCELLED", "OPEN"


Act = Callable[..., None]
SCENES: dict[str, Act] = {}  # by the name of their test
LANES = 3  # scenes at a time, each on a venue of its own


def beside(*cases: Any, ids: Sequence[str] | None = None) -> Callable[[Act], Act]:
    """A scene that mostly waits: it is played beside others, and its test waits for its end."""

    def made(act: Act) -> Act:
        SCENES[act.__name__] = act

        def test(played: dict[str, Future[None]], request: pytest.FixtureRequest) -> None:
            played[request.node.name].result()

        test.__name__, test.__doc__ = act.__name__, act.__doc__
        if not cases:
            return test
        marked: Act = pytest.mark.parametrize("case", cases, ids=ids, indirect=True)(
            pytest.mark.usefixtures("case")(test)
        )
        return marked

    return made


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
def played(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    """Every scene that is asked for, begun in the order of the tests, by their names."""
    venues: SimpleQueue[Served] = SimpleQueue()
    folder = tmp_path_factory.mktemp("venue")
    assert trader("sim", "cert", folder).returncode == 0

    def play(act: Act, home: Path, cases: list[Any]) -> None:
        venue = venues.get()
        try:
            venue.admin("reset", {})
            act(venue, Scene(home).at(venue), *cases)
        finally:
            venues.put(venue)

    with ExitStack() as opened:
        for _ in range(LANES):
            venues.put(opened.enter_context(serving(folder, "--realtime")))
        pool = ThreadPoolExecutor(LANES)
        opened.callback(pool.shutdown, cancel_futures=True)
        begun = {}
        for one in request.session.items:
            if isinstance(one, pytest.Function) and one.module is request.module:
                cases = list(one.callspec.params.values()) if hasattr(one, "callspec") else []
                begun[one.name] = pool.submit(play, SCENES[one.originalname], tmp_path_factory.mktemp("scene"), cases)
        yield begun


def bid(venue: Served, product: str = ETH) -> Decimal:
    return Decimal(venue.get("/product_book", product_id=product, limit="1")["pricebook"]["bids"][0]["price"])


def resting(venue: Served, number: int, side: str, size: str = "0.01", identity: str = "") -> str:
    """A limit order far from the market; its id at the venue."""
    away = Decimal("0.8") if side == "BUY" else Decimal("1.2")
    price = f"{bid(venue) * away:.2f}"
    found = venue.create(identity or id_of(number, 0), side, limit(size, price), ETH)
    assert isinstance(found, str), found
    return found


def stop_shape(venue: Served, size: str) -> dict[str, Any]:
    trigger = bid(venue) * Decimal("0.9")
    shape = {
        "base_size": size, "stop_price": f"{trigger:.2f}", "limit_price": f"{trigger - 50:.2f}",
        "stop_direction": "STOP_DIRECTION_STOP_DOWN",
    }  # fmt: skip
    return {"stop_limit_stop_limit_gtc": shape}


def stop(venue: Served, number: int, size: str) -> str:
    found = venue.create(id_of(number, 0), "SELL", stop_shape(venue, size), ETH)
    assert isinstance(found, str), found
    return found


def statuses(venue: Served, *order_ids: str) -> list[str]:
    by_id = {one["order_id"]: one["status"] for one in venue.orders()}
    return [by_id[one] for one in order_ids]


@beside()
def test_fifty_orders_in_a_storm_are_gone_and_looked_for_within_ten_seconds(venue: Served, scene: Scene) -> None:
    scene.begun("paper")
    ours = [resting(venue, number, "BUY") for number in range(50)]
    foreign = resting(venue, 0, "BUY", identity="somebody else's")
    scene.given["TRADER_ALERT_HOOK"], kept = hook_into(scene.home)
    storm = [{"kind": "latency", "ms": 500}, {"kind": "429_json", "probability": 0.5}]
    venue.admin("faults", {"replace": storm})
    began = time.time()
    done = scene.kill("--json", "--reason", "the storm")
    assert (done.code, done.document["exit_name"]) == (0, "OK"), done.out + done.err
    assert done.seconds < 10
    assert set(statuses(venue, *ours)) == {GONE}
    assert statuses(venue, foreign) == [OPEN]
    told = done.data["venue"]
    assert (told["verified"], len(told["canceled"]), told["foreign_open"], told["left"]) == (True, 50, 1, [])
    assert age_s(kept, began) < 5
    assert '"reason": "the storm"' in kept.read_text()
    assert {"latch file", "look", "cancel", "verify"} <= done.data["phases_ms"].keys()


@beside()
def test_what_the_ledger_covers_keeps_its_stop_and_no_more(venue: Served, scene: Scene) -> None:
    scene.holding({ETH: "2"})
    entry, protecting, beyond = resting(venue, 1, "BUY"), stop(venue, 2, "1.5"), resting(venue, 3, "SELL", "1")
    done = scene.kill("--json")
    assert done.code == 0, done.out + done.err
    assert statuses(venue, entry, protecting, beyond) == [GONE, OPEN, GONE]
    assert [one["order_id"] for one in done.data["venue"]["kept"]] == [protecting]
    assert [Path(one["place"]).name for one in done.data["latch"]["rows"] if one["stands"]] == ["live.db"]


@beside()
def test_without_a_ledger_our_sales_stay_and_all_takes_everything(venue: Served, scene: Scene) -> None:
    scene.begun("paper")
    entry, sale = resting(venue, 1, "BUY"), resting(venue, 2, "SELL")
    foreign = resting(venue, 3, "BUY", identity="by hand")
    first = scene.kill()
    assert first.code == 0, first.out + first.err
    assert statuses(venue, entry, sale, foreign) == [GONE, OPEN, OPEN]
    assert "the ledger is not known" in first.out and f"kept     {ETH} SELL" in first.out
    assert scene.kill("--all").code == 0
    assert statuses(venue, sale, foreign) == [GONE, GONE]


@beside()
def test_without_any_account_the_venue_is_cleared_and_the_place_is_doubted(venue: Served, scene: Scene) -> None:
    """What is open at the venue goes; a loop that runs in another directory would go on."""
    entry = resting(venue, 1, "BUY")
    done = scene.kill("--json")
    assert (done.code, done.data["venue"]["verified"], statuses(venue, entry)) == (50, True, [GONE])
    assert [one.partition(",")[0] for one in done.data["not_done"]] == [f"there is no account in {scene.state}"]


@beside()
def test_a_list_that_lags_is_not_believed(venue: Served, scene: Scene) -> None:
    """For a minute it shows what is gone; one by one the orders tell the truth."""
    scene.begun("paper")
    ours = [resting(venue, number, "BUY") for number in range(3)]
    venue.admin("clock", {"advance_ms": 61_000})
    venue.fault("list_lag", ms=60_000)
    done = scene.kill("--json")
    assert done.code == 0, done.out + done.err
    assert set(statuses(venue, *ours)) == {GONE}
    assert len(done.data["venue"]["canceled"]) == 3


def torn(venue: Served, field: str, order: str) -> None:
    venue.admin("faults", {"replace": [{"kind": "torn_orders", "field": field, "order": order}]})


@beside("total_fees", "side", "created_time")
def test_an_order_that_cannot_be_read_whole_is_canceled_all_the_same(venue: Served, scene: Scene, field: str) -> None:
    """It keeps no other one open either; to a cycle it would be the end of all reading."""
    scene.begun("paper")
    ours, foreign = [resting(venue, number, "BUY") for number in range(2)], resting(venue, 3, "BUY", identity="by hand")
    torn(venue, field, ours[0])
    done = scene.kill("--json")
    venue.admin("faults", {"clear": True})
    assert (done.code, statuses(venue, *ours, foreign)) == (0, [GONE, GONE, OPEN]), done.out + done.err
    assert f"an order {ours[0]}: its {field} cannot be read" in done.data["venue"]["notes"]


@beside("client_order_id", "order_id")
def test_an_order_of_which_nobody_can_say_whose_it_is_stays_and_is_told(
    venue: Served, scene: Scene, field: str
) -> None:
    scene.begun("paper")
    ours, foreign = resting(venue, 1, "BUY"), resting(venue, 2, "BUY", identity="by hand")
    torn(venue, field, foreign)
    done = scene.kill("--json")
    venue.admin("faults", {"clear": True})
    assert (done.code, statuses(venue, ours, foreign)) == (50, [GONE, OPEN]), done.out + done.err
    (told,) = done.data["not_done"]
    assert told.endswith(f": its {field} cannot be read")


@beside(Role.STOP, Role.EXIT, ids=["known", "unknown"])
def test_what_an_order_that_cannot_be_read_may_have_traded_is_not_sold(venue: Served, scene: Scene, role: Role) -> None:
    """How much of it is filled cannot be read, or whose it is."""
    live = scene.holding({ETH: "1.25", BTC: "0.1"})
    fund(venue, ETH="20", BTC="2")
    order = stop(venue, 1, "1")
    written(live, sale_of_ours(1, role, "1", order))
    torn(venue, "filled_size" if role is Role.STOP else "client_order_id", order)
    if role is Role.STOP:
        venue.admin("price", {"product": ETH, "price": f"{bid(venue) * Decimal('0.89'):.2f}"})
    done = scene.kill("--flatten", "--json")
    assert {one: venue.money()[one][0] for one in ("ETH", "BTC")} == {"ETH": Decimal("18.75"), "BTC": Decimal("1.9")}
    told = f"1 {ETH} are not sold: nobody can say whether {id_of(1, 0)} has sold them"
    assert (done.code, told in done.out) == ((50, True) if role is Role.STOP else (0, False)), done.out + done.err


@beside()
def test_what_a_sale_of_its_own_that_cannot_be_read_sold_is_not_sold_again(venue: Served, scene: Scene) -> None:
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="20")
    torn(venue, "filled_size", "")
    for _ in range(2):
        done = scene.kill("--flatten", "--json")
        assert (done.code, venue.money()["ETH"][0]) == (50, Decimal("18.75")), done.out + done.err
        assert any("nobody can say" in one for one in done.data["not_done"])


@beside()
def test_what_may_be_on_its_way_is_said(venue: Served, scene: Scene) -> None:
    """Written down a moment ago, and in no list: it may have left, and turn up after the last look."""
    now_ms = EpochMs(int(time.time() * 1_000))
    terms = ApprovedOrder(
        ETH, Side.BUY, Role.ENTRY, OrderKind.MAKER, Base(Decimal(1)), Decimal(100), Decimal(0), "signal", "rules", 0, 0,
        0, 0, now_ms,
    )  # fmt: skip
    scene.begun("live", [Intended(id_of(7, 0), terms, now_ms, "{}", now_ms)])
    done = scene.kill("--json")
    assert (done.code, done.data["venue"]["verified"]) == (50, True)
    assert done.data["not_done"][0].startswith(f"BUY {ETH} ({id_of(7, 0)}) may be on its way")
    resting(venue, 7, "BUY")
    again = scene.kill("--json")
    assert (again.code, len(again.data["venue"]["canceled"])) == (0, 1), again.out


@beside()
def test_a_refused_key_gives_way_to_the_one_that_is_to_come(venue: Served, scene: Scene) -> None:
    scene.begun("paper")
    entry = resting(venue, 1, "BUY")
    for part in ("KEY", "SECRET"):
        scene.given[f"COINBASE_NEW_API_{part}"] = scene.given[f"COINBASE_API_{part}"]
    scene.given["COINBASE_API_KEY"] = "organizations/nobody/apiKeys/unknown"
    done = scene.kill()
    assert done.code == 0, done.out + done.err
    assert statuses(venue, entry) == [GONE]
    assert "the new one is tried" in done.out
    assert key_seen(scene, done) == []


@beside(
    ("COINBASE_API_SECRET", "not a private key, though long"), ("COINBASE_API_KEY", "organizations/no\u2011body/key")
)
def test_a_key_that_cannot_sign_gives_way_to_the_one_that_is_to_come(
    venue: Served, scene: Scene, spoil: tuple[str, str]
) -> None:
    scene.begun("paper")
    entry = resting(venue, 1, "BUY")
    for part in ("KEY", "SECRET"):
        scene.given[f"COINBASE_NEW_API_{part}"] = scene.given[f"COINBASE_API_{part}"]
    scene.given[spoil[0]] = spoil[1]
    done = scene.kill()
    assert statuses(venue, entry) == [GONE], done.out + done.err
    assert done.code == 0, done.out + done.err
    assert "a key cannot be used, so the other one is tried" in done.out


@beside("yes", "On", "TRUE")
def test_a_key_in_a_file_is_found_however_the_settings_allow_it(venue: Served, scene: Scene, yes: str) -> None:
    """Whatever the loop takes for true: it signs with this key."""
    scene.begun("paper")
    entry, file, key = resting(venue, 1, "BUY"), scene.home / "config" / "app.yaml", scene.home / "key.json"
    key.write_text(json.dumps(venue.key))
    key.chmod(0o600)
    file.write_text(file.read_text().replace("files_allowed: false", f"files_allowed: {yes}"))
    scene.given.update(COINBASE_API_KEY="", COINBASE_API_SECRET="", COINBASE_API_KEY_FILE=str(key))
    done = scene.kill()
    assert (done.code, statuses(venue, entry)) == (0, [GONE]), done.out + done.err


@beside("app.yaml: [", "mode: 7\nexchange: {venue_url: '%s', nonsense: {}}\n", "")
def test_a_broken_configuration_changes_nothing(venue: Served, scene: Scene, spoil: str) -> None:
    """Only where the venue is must be readable, whatever stands around it."""
    scene.begun("paper")
    entry, file = resting(venue, 1, "BUY"), scene.home / "config" / "app.yaml"
    file.write_text(spoil % venue.url if "%s" in spoil else f"{spoil}\n  venue_url: {venue.url} # here\n")
    for other in ("policy", "universe", "signals", "strategies"):
        (scene.home / "config" / f"{other}.yaml").write_bytes(b"\x00\xff: [")
    done = scene.kill()
    assert done.code == 0, done.out + done.err
    assert statuses(venue, entry) == [GONE]


@beside()
def test_a_full_disk_keeps_nobody_from_it(venue: Served, scene: Scene) -> None:
    """Not one byte can be written; the name of a file is enough. The row is missing, and that is said."""
    scene.holding({})
    entry = resting(venue, 1, "BUY")
    done = scene.kill("--json", under=("sh", "-c", 'ulimit -f 0; exec "$@"', "sh"))
    assert scene.file.exists()
    assert statuses(venue, entry) == [GONE]
    assert (done.code, done.data["venue"]["verified"]) == (50, True), done.out + done.err
    assert [one.partition(":")[0] for one in done.data["not_done"]] == [f"the latch row in {scene.state}/live.db"]


@beside()
def test_a_state_of_another_user_keeps_nobody_from_the_venue(venue: Served, scene: Scene) -> None:
    """Whoever has the key clears the orders, and is told what could not be latched and what was not looked at."""
    scene.begun("live")
    entry = resting(venue, 1, "BUY")
    scene.state.chmod(0)
    done = scene.kill("--json", under=NOT_ALMIGHTY)
    scene.state.chmod(0o700)
    assert (done.code, "Traceback" in done.err, statuses(venue, entry)) == (50, False, [GONE]), done.out + done.err
    hidden = f"the latch row in {scene.state}: {scene.state} cannot be looked at: Permission denied"
    assert done.data["venue"]["verified"] and hidden in done.data["not_done"]
    assert any("the ledger is not known" in one and "Permission denied" in one for one in done.data["venue"]["notes"])


@beside()
def test_a_venue_that_cannot_be_reached_is_said_in_time(venue: Served, scene: Scene) -> None:
    scene.begun("paper")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and never listens
        write = scene.home / "config" / "app.yaml"
        write.write_text(f"venue_url: https://127.0.0.1:{nobody.getsockname()[1]}\n")
        done = scene.kill("--json")
    assert (done.code, done.document["exit_name"]) == (50, "INCOMPLETE")
    assert done.seconds < 10
    assert scene.file.exists()
    assert "cannot be reached" in done.data["not_done"][0]
    assert key_seen(scene, done) == []


@beside()
def test_ctrl_c_while_the_venue_is_silent_tells_what_was_cut_short(venue: Served, scene: Scene) -> None:
    scene.holding({})
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        write = scene.home / "config" / "app.yaml"
        write.write_text(f"venue_url: https://127.0.0.1:{silent.getsockname()[1]}\n")
        with scene.start("kill", "--json") as process:
            connected, _ = silent.accept()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=20)
            connected.close()
    done = Done(process.returncode, out, err)
    assert (done.code, "Traceback" in err, scene.file.exists()) == (50, False, True), err
    assert any(one.endswith(": it was cut short by SIGINT") for one in done.data["not_done"]), done.data


@beside()
def test_a_live_account_without_a_key_is_incomplete_at_once(venue: Served, scene: Scene) -> None:
    scene.holding({})
    del scene.given["COINBASE_API_SECRET"]
    done = scene.kill()
    assert done.code == 50
    assert done.seconds < 5
    assert "the key's secret is missing" in done.out and "trader kill --state" in done.out


@beside()
def test_another_mode_asks_no_venue(venue: Served, scene: Scene) -> None:
    scene.begun("paper")
    entry = resting(venue, 1, "BUY")
    done = scene.kill("--mode", "PAPER", "--json")
    assert (done.code, done.data["venue"]["why_not_asked"]) == (0, "not asked: PAPER has no orders at a venue")
    assert scene.file.exists()
    assert statuses(venue, entry) == [OPEN]


# --- flatten ---------------------------------------------------------------------------------------------------------


def fund(venue: Served, **amounts: str) -> None:
    venue.admin("balances", amounts)


def sold(venue: Served) -> list[dict[str, Any]]:
    return [one for one in venue.orders() if one["side"] == "SELL" and Decimal(one["filled_size"]) > 0]


@beside({}, {"kind": "5xx_after", "count": 1, "path": "/orders$"}, ids=["well", "lost"])
def test_flatten_sells_what_the_ledger_holds_and_no_coin_more(
    venue: Served, scene: Scene, fault: dict[str, Any]
) -> None:
    """Also when the answer to the sale is lost: it is found again, and never sold twice."""
    live = scene.holding({ETH: "1.25", BTC: "0.1"})
    fund(venue, ETH="20", BTC="2")
    protecting = stop(venue, 1, "1.25")
    venue.admin("faults", {"replace": [fault] if fault else []})
    done = scene.kill("--flatten", "--json")
    assert done.code == 0, done.out + done.err
    assert statuses(venue, protecting) == [GONE]
    money = venue.money()
    assert (money["ETH"][0], money["BTC"][0]) == (Decimal("18.75"), Decimal("1.9"))
    written = {one.client_order_id: one for one in sales(scene.state)}
    assert {one["client_order_id"] for one in sold(venue)} == written.keys()
    assert sum(Decimal(one["quantity"]) for one in done.data["venue"]["sold"]) == Decimal("1.35")
    store = SqliteStore(live, None)
    assert len(list(store.facts())) == 4, "the journal is the loop's"
    store.close()
    assert key_seen(scene, done) == []


def killed_while(venue: Served, scene: Scene, act: Callable[[], object]) -> Done:
    """A flatten during which this is done: between its last look at the orders and its sale."""
    venue.admin("faults", {"replace": [{"kind": "latency", "ms": 600, "path": "/product_book"}]})
    with ThreadPoolExecutor(1) as pool:
        killing = pool.submit(scene.kill, "--flatten", "--json")
        while not killing.done() and not sum(one["fired"] for one in venue.admin("faults")["faults"]):
            time.sleep(0.02)
        act()
        return killing.result()


@beside()
def test_what_a_loop_protects_anew_while_it_is_to_be_sold_is_sold_all_the_same(venue: Served, scene: Scene) -> None:
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="1.25")
    first, shape = stop(venue, 1, "1.25"), stop_shape(venue, "1.25")
    again: list[str] = []
    done = killed_while(venue, scene, lambda: again.append(venue.create(id_of(2, 0), "SELL", shape, ETH)))
    assert done.code == 0, done.out + done.err
    assert statuses(venue, first, *again) == [GONE, GONE]
    assert venue.money()["ETH"] == (Decimal(0), Decimal(0))
    assert len(done.data["venue"]["canceled"]) == 2


@beside()
def test_what_the_venue_frees_a_moment_later_is_waited_for_and_sold(venue: Served, scene: Scene) -> None:
    """Coins that an order of before holds are free only when the venue is done with it: here, a second later."""
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="1.25")
    shape, freed = stop_shape(venue, "1.25"), list[Timer]()

    def held() -> None:
        by_hand = venue.create("a-person", "SELL", shape, ETH)
        freed.append(Timer(1.0, venue.post, ["/orders/batch_cancel", {"order_ids": [by_hand]}]))
        freed[0].start()

    done = killed_while(venue, scene, held)
    freed[0].join()
    assert done.code == 0, done.out + done.err
    assert venue.money()["ETH"] == (Decimal(0), Decimal(0))
    assert [one["quantity"] for one in done.data["venue"]["sold"]] == ["1.25"]


@beside()
def test_where_the_rest_cannot_be_sold_after_all_the_report_names_it_and_what_failed(
    venue: Served, scene: Scene
) -> None:
    """The key runs out between the loop's new stop, which is canceled, and the second look at the fills."""
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="1.25")
    shape = stop_shape(venue, "1.25")

    def protected() -> None:
        venue.create(id_of(2, 0), "SELL", shape, ETH)
        venue.admin("faults", {"replace": [{"kind": "unauthorized_text", "path": "/fills$"}]})

    done = killed_while(venue, scene, protected)
    assert done.code == 50
    unsold, failed = done.data["not_done"]
    assert unsold.startswith(f"1.25 {ETH} not sold: refused: PREVIEW_INSUFFICIENT_FUND")
    assert failed.startswith("selling what the ledger holds: ")


@beside()
def test_what_a_flatten_could_not_sell_is_followed_by_what_to_type(venue: Served, scene: Scene) -> None:
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="0")
    done = scene.kill("--flatten")
    assert done.code == 50
    again, way_back = done.out.partition("next\n")[2].splitlines()[:2]
    assert again.strip().startswith("trader kill --state ") and " --flatten   (again: it is safe)" in again
    assert again.endswith("or sell what is left at the venue by hand")
    assert way_back.strip().startswith("trader halt show")


@beside()
def test_of_a_position_that_is_free_in_part_that_part_is_sold_and_the_rest_told(venue: Served, scene: Scene) -> None:
    """A person's own order has some of the coins, and it stays."""
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="1.25")
    venue.create("a-person", "SELL", limit("0.5", f"{bid(venue) * Decimal('1.2'):.2f}"), ETH)
    done = scene.kill("--flatten", "--json")
    assert done.code == 50
    assert [one["quantity"] for one in done.data["venue"]["sold"]] == ["0.75"]
    assert done.data["not_done"] == [f"0.5 {ETH} not sold: the account had only 0.75 of it free"]
    assert venue.money()["ETH"] == (Decimal(0), Decimal("0.5"))


@beside(False, True, ids=["alone", "adopted"])
def test_a_sale_that_the_venue_refused_keeps_no_later_one_waiting(venue: Served, scene: Scene, adopted: bool) -> None:
    """A person's own order has the coins; once it is gone, nobody has to ask what became of the sale before, also where
    a loop has taken it into the ledger meanwhile."""
    live = scene.holding({ETH: "1.25"})
    fund(venue, ETH="1.25")
    shape, theirs = limit("1.25", f"{bid(venue) * Decimal('1.2'):.2f}"), list[str]()
    done = killed_while(venue, scene, lambda: theirs.append(venue.create("a-person", "SELL", shape, ETH)))
    assert done.code == 50
    assert done.data["not_done"] == [f"1.25 {ETH} not sold: the account had only 0 of it free"]
    assert '"refused": true' in (scene.state / "kill-orders.jsonl").read_text()
    assert sales(scene.state) == ()
    if adopted:
        first, *_ = (scene.state / "kill-orders.jsonl").read_text().splitlines()
        with closing(SqliteStore(live, IDENTITY, "digest")) as store:
            adopt(Journal(store), [Sale(**json.loads(first))], EpochMs(int(time.time() * 1_000)))
    venue.post("/orders/batch_cancel", {"order_ids": theirs})
    done = scene.kill("--flatten", "--json")
    assert done.code == 0, done.out + done.err
    assert venue.money()["ETH"] == (Decimal(0), Decimal(0))


@beside()
def test_a_second_flatten_sells_nothing_of_what_a_person_holds(venue: Served, scene: Scene) -> None:
    """No loop has told the ledger of the first one's sales."""
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="20")
    for _ in range(2):
        done = scene.kill("--flatten", "--json")
        assert done.code == 0, done.out + done.err
    assert venue.money()["ETH"][0] == Decimal("18.75")
    assert done.data["venue"]["sold"] == []


@beside(".kill-orders-spare", "kill-orders.jsonl", ids=["spare", "file"])
def test_what_earlier_kills_sold_and_nobody_can_read_is_told_and_nothing_is_sold(
    venue: Served, scene: Scene, name: str
) -> None:
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="20")
    (scene.state / name).unlink(missing_ok=True)
    (scene.state / name).touch(mode=0)
    done = scene.kill("--flatten", "--json", under=NOT_ALMIGHTY)
    assert (done.code, venue.money()["ETH"][0]) == (50, Decimal(20)), done.out + done.err
    (told,) = [one for one in done.data["not_done"] if "earlier kills" in one]
    assert "Permission denied" in told and name in told and "a bug" not in done.out
    assert "Traceback" not in done.err


def sale_of_ours(number: int, role: Role, quantity: str, venue_order_id: str = "") -> Sequence[Fact]:
    """As the loop wrote it down; without the venue's word, when it was still waited for."""
    now_ms = EpochMs(int(time.time() * 1_000))
    kind = OrderKind.STOP if role is Role.STOP else OrderKind.TAKER
    terms = ApprovedOrder(
        ETH, Side.SELL, role, kind, Base(Decimal(quantity)), Decimal(0), Decimal(90), "stop", "rules", 0, 0, 0, 0,
        now_ms,
    )  # fmt: skip
    intended = Intended(id_of(number, 0), terms, now_ms, "{}", now_ms)
    return [intended, Acknowledged(id_of(number, 0), now_ms, venue_order_id)] if venue_order_id else [intended]


def written(live: Path, facts: Sequence[Fact]) -> None:
    store = SqliteStore(live, IDENTITY, "digest")
    store.append(2, 0, facts)
    store.close()


@beside("0", "0.5", ids=["whole", "part"])
def test_what_a_stop_has_sold_is_not_sold_again_though_no_list_shows_it(
    venue: Served, scene: Scene, canceled: str
) -> None:
    """It fired a moment ago, of half of the position or of the whole one; only the order itself says so yet."""
    live = scene.holding({ETH: "1.25"})
    fund(venue, ETH="20")
    size = Decimal("1.25") - Decimal(canceled)
    written(live, sale_of_ours(1, Role.STOP, f"{size}", stop(venue, 1, f"{size}")))
    venue.fault("list_lag", ms=60_000)
    venue.admin("price", {"product": ETH, "price": f"{bid(venue) * Decimal('0.89'):.2f}"})
    done = scene.kill("--flatten", "--json")
    assert done.code == 0, done.out + done.err
    assert venue.money()["ETH"] == (Decimal("18.75"), Decimal(0))


@beside(0, 1, ids=["stop", "exit"])
def test_what_a_sale_that_nobody_can_see_may_have_sold_is_not_sold(venue: Served, scene: Scene, named: int) -> None:
    """The venue does not know the stop, or does not show the exit that left a moment ago."""
    live = scene.holding({ETH: "1.25", BTC: "0.1"})
    fund(venue, ETH="20", BTC="2")
    lost = sale_of_ours(1, Role.EXIT, "1") if named else sale_of_ours(1, Role.STOP, "1", "unknown")
    written(live, lost)
    done = scene.kill("--flatten", "--json")
    assert done.code == 50, done.out + done.err
    assert f"1 {ETH} are not sold: nobody can say whether {id_of(1, 0)} has sold them" in done.out
    assert {one: venue.money()[one][0] for one in ("ETH", "BTC")} == {"ETH": Decimal("19.75"), "BTC": Decimal("1.9")}


@beside()
def test_an_exit_whose_answer_was_lost_is_found_and_not_sold_again(venue: Served, scene: Scene) -> None:
    """The list of fills does not show it, nor does the ledger have the venue's name for it."""
    live = scene.holding({ETH: "1.25"})
    fund(venue, ETH="20")
    written(live, sale_of_ours(1, Role.EXIT, "1.25"))
    venue.create(id_of(1, 0), "SELL", market(base_size="1.25"), ETH)
    venue.admin("faults", {"replace": [{"kind": "list_lag", "ms": 60_000, "path": "/fills$"}]})
    done = scene.kill("--flatten", "--json")
    assert done.code == 0, done.out + done.err
    assert venue.money()["ETH"][0] == Decimal("18.75")


@beside()
def test_a_second_flatten_beside_a_list_that_lags_sells_nothing_of_what_a_person_holds(
    venue: Served, scene: Scene
) -> None:
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="20")
    assert scene.kill("--flatten").code == 0
    venue.fault("list_lag", ms=60_000)
    done = scene.kill("--flatten", "--json")
    assert (done.code, done.data["venue"]["sold"]) == (50, []), done.out + done.err
    assert "in 90 s trader kill again" in done.out
    assert venue.money()["ETH"][0] == Decimal("18.75")
    venue.admin("faults", {"clear": True})
    assert scene.kill("--flatten").code == 0
    assert venue.money()["ETH"][0] == Decimal("18.75")


@beside()
def test_a_sale_that_was_written_down_and_never_left_does_not_keep_its_coins_for_ever(
    venue: Served, scene: Scene
) -> None:
    """That kill ended between the two: once every list would show it, the coins are sold."""
    scene.holding({ETH: "1.25"})
    fund(venue, ETH="20")
    long_ago_ms = int(time.time() * 1_000) - 91_000
    record_sale(scene.state, Sale(id_of(1, 0), ETH, "1.25", "1", "{}", long_ago_ms))
    assert scene.kill("--flatten").code == 0
    assert venue.money()["ETH"][0] == Decimal("18.75")


@beside()
def test_flatten_without_a_ledger_sells_nothing(venue: Served, scene: Scene) -> None:
    done = scene.kill("--flatten")
    assert done.code == 50
    assert "nothing was sold, because what is ours is not known" in done.out
    assert sold(venue) == []
