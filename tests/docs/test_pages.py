"""Every page of the documentation: its commands run, its links lead somewhere, the tests it names are there."""

import ast
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cli.manual import Page, manual
from tests.cli.program import Program
from tests.docs.blocks import FENCE, RUN, Document, Reader, documents
from tests.docs.reference import listed
from tests.live.stage import BAR_MS, PORTFOLIO, Live, Venue, live_policy, staged, venue_served, wait_for_room
from tests.ops.ntp import NtpServer, ntp_servers
from tests.shared import ROOT, shared

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
SPOKEN = re.compile(r"`trader ([a-z][a-z-]*(?: [a-z][a-z-]*)?)")
FAILURES = 40
REASONS = {  # why a block is not run here, and how many there are
    "downloads": 1,
    "takes-a-quarter-of-an-hour": 1,
    "takes-minutes": 2,
    "takes-days": 1,
    "systemd": 3,
    "cron": 1,
    "your-own-backup": 1,
    "writes-into-the-checkout": 1,
    "your-own-key": 1,
    "your-own-channels": 1,
    "your-own-disk": 1,
    "serves-until-it-is-stopped": 2,
    "only-an-open-breaker-can-be-closed": 1,
}
PAGES = {one.name: one for one in documents()}


@dataclass(frozen=True)
class Typist(Program):
    """The program with what a page has exported; its state is where the user's own is."""

    given: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "PWD": str(self.home), **self.given}

    @property
    def state(self) -> Path:
        return self.home / ".local" / "state" / "trader"


@pytest.fixture(scope="module")
def until_over() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory, until_over: ExitStack) -> Venue:
    return until_over.enter_context(venue_served(tmp_path_factory.mktemp("venue")))


@pytest.fixture(scope="module")
def servers(until_over: ExitStack) -> list[NtpServer]:
    return until_over.enter_context(ntp_servers(0, 0, 0))


def live(world: str, home: Path, venue: Venue, servers: list[NtpServer]) -> Live:
    """An armed account; or one of which nothing but the key is there."""
    if world == "live-new":
        venue.anew()
        made = Live(home, venue, servers, edits=live_policy("BTC"))
        made.configured().presenting(made.key)
        wait_for_room(BAR_MS)
        return made
    made = staged(home, venue, servers, "BTC")
    if world == "live-two-keys":
        made.presenting(made.key, made.new_key("new"))
        venue.permit(can_view=True, can_trade=True, can_transfer=False, portfolio_uuid=PORTFOLIO)
    return made


@pytest.mark.parametrize("name", [one.name for one in PAGES.values() if one.runs])
def test_every_command_of_a_page_does_what_the_page_says(
    name: str, tmp_path: Path, traded: Program, request: pytest.FixtureRequest
) -> None:
    page, program = PAGES[name], Typist(tmp_path)
    if page.world.startswith("live"):
        stage = live(page.world, tmp_path, request.getfixturevalue("venue"), request.getfixturevalue("servers"))
        Reader(stage, stage.given).read(page)
        return
    if name == "README.md":
        (tmp_path / "folder").symlink_to(shared("data/coinbase"))
    if page.world == "paper":
        shutil.copytree(traded.state, program.state)
    Reader(program, program.given).read(page)


def test_few_blocks_are_not_run_and_each_for_a_known_reason() -> None:
    found: dict[str, int] = {}
    for page in PAGES.values():
        for one in page.blocks:
            if one.not_run:
                found[one.not_run] = found.get(one.not_run, 0) + 1
    assert found == REASONS


def test_what_a_person_could_type_is_a_block_that_runs() -> None:
    """Every fence says what it is; what is `text` is no command, but the form of one."""
    for path in listed():
        for found in FENCE.finditer(path.read_text(encoding="utf-8")):
            assert found["info"], f"{path}: {found['body']}"
            typed = [line for line in found["body"].splitlines() if line.startswith(("trader ", "$ ", "make "))]
            assert found["info"].startswith(RUN) or not [line for line in typed if "[--" not in line], path


def test_every_page_has_a_world_that_there_is() -> None:
    assert {one.world for one in PAGES.values()} <= {"empty", "paper", "live", "live-new", "live-two-keys"}


@pytest.mark.parametrize("path", listed(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def anchors(path: Path) -> set[str]:
    heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", listed(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_that_a_page_speaks_of_exists(path: Path) -> None:
    groups = {one.path[0]: {sub.path[-1] for sub in one.below} for one in manual().below}
    for spoken in SPOKEN.findall(path.read_text(encoding="utf-8")):
        first, _, second = spoken.partition(" ")
        assert first in groups, spoken
        assert not groups[first] or not second or second in groups[first], spoken


def test_every_event_that_can_fail_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs/explanation/failure-modes.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| event")]
    named = [NAMED_TEST.findall(row) for row in rows]
    assert len(rows) >= FAILURES
    assert [row for row, found in zip(rows, named, strict=True) if len(found) != 1 or row.count(" | ") != 4] == []
    for ((path, name),) in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert name in {one.name for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)}, f"{path}::{name}"


def test_every_command_stands_in_the_reference() -> None:
    page = (ROOT / "docs/reference/commands.md").read_text(encoding="utf-8")
    assert [one.name for one in _all(manual()) if f"# `{one.name}`" not in page] == []


def _all(root: Page) -> list[Page]:
    return [one for one in root.all() if one.path]


def test_a_page_that_says_what_is_not_so_is_noticed(tmp_path: Path, traded: Program) -> None:
    program = Typist(tmp_path)
    reader = Reader(program, program.given)
    made = Document("a page", "empty", (), ())
    with pytest.raises(AssertionError, match="`trader statsu` ended with 2"):
        reader.type("trader statsu", 0, made.name)
    reader.type("export TRADER_STATE=$HOME/else", 0, made.name)
    assert "else" in reader.type("trader status", 13, made.name).err
