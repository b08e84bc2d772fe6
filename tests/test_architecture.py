"""The architecture as law over the syntax tree: who may import whom, what is banned where, how rules are written.

Every checker is a function from one source to its violations, so the second half of this file can prove, with a
planted violation for each rule, that the checker fails when it should.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OURS = ("cli", "trader_core")

# --- the tables ------------------------------------------------------------------------------------------------------

READERS_PATH = (
    "README.md",
    "trader_core/engine/decide.py",
    "trader_core/rulebook/judge.py",
    "trader_core/ports.py",
    "trader_core/engine/cycle.py",
    "trader_core/bootstrap.py",
)
READERS_PATH_MAX_LINES = 700
LIMITS_MAX_FIELDS = 16

PURE = "market strategies execution ledger report research"
ADAPTERS = "venues candles store alerts ops"
BELOW_BOOTSTRAP = f"domain settings ports rulebook engine net kill loopback prove {PURE} {ADAPTERS}"
VALUES = "msgspec"  # what values are made of: in the domain and in every layer that knows it
IO = (
    "asyncio concurrent http io logging multiprocessing os pathlib random secrets select shutil signal socket sqlite3 "
    "ssl subprocess sys tempfile threading time urllib"
)
PURE_STDLIB = " ".join(sorted(sys.stdlib_module_names - set(IO.split())))
ANY_STDLIB = " ".join(sorted(sys.stdlib_module_names))


@dataclass(frozen=True)
class Layer:
    """What a layer may import; its own modules always. Space-separated names, ours relative to trader_core."""

    ours: str = ""
    third: str = ""
    stdlib: str = ANY_STDLIB
    types: str = ""  # ours, under TYPE_CHECKING only
    lazy: str = ""  # ours, inside function bodies and under TYPE_CHECKING only
    lazy_third: str = ""


_PURE = Layer(f"domain rulebook {PURE}", "numpy", stdlib=PURE_STDLIB, types="settings")
LAYERS = {
    "domain": Layer(stdlib=PURE_STDLIB),
    "rulebook": Layer(third="numpy", stdlib="typing enum collections math"),
    "settings": Layer("domain", "pydantic pydantic_core yaml"),
    **dict.fromkeys(("settings.coherence", "settings.feasibility"), Layer("domain settings rulebook")),
    "ports": Layer("domain", stdlib=PURE_STDLIB),
    **dict.fromkeys(PURE.split(), _PURE),
    "report.html": Layer(f"domain rulebook {PURE}", "numpy", PURE_STDLIB, lazy_third="plotly"),
    "engine": Layer(f"domain rulebook ports {PURE}", "numpy", types="settings", lazy_third="numba"),
    "engine.machine": Layer("rulebook", "numpy numba llvmlite"),
    "net": Layer("domain ports settings", "requests urllib3"),
    "venues": Layer("domain ports settings net", "numpy", lazy_third="jwt cryptography"),
    "venues.simulated": Layer("domain ports settings venues rulebook market", "numpy"),
    "candles": Layer("domain ports settings net", "numpy pyarrow"),
    "store": Layer("domain ports settings"),
    "alerts": Layer("domain ports settings net store.sqlite", lazy_third="apprise"),
    "ops": Layer("domain ports settings"),
    "kill": Layer(
        "domain.errors ops.halts ops.plain settings.environment settings.locate store.latch",
        lazy="bootstrap alerts.start settings.secrets",
    ),
    "kill.reach": Layer("domain kill ledger net ops.clock ports settings store.sqlite venues.coinbase"),
    "loopback": Layer("rulebook.matching", "numpy pyarrow starlette uvicorn jwt cryptography yaml"),
    "research": Layer(
        f"domain rulebook ports engine report settings candles {PURE}",
        "numpy",
        lazy_third="joblib optuna dask distributed ray",
    ),
    "prove": Layer(f"{BELOW_BOOTSTRAP} bootstrap worlds", "numpy"),
    "prove.recorded": Layer(f"{BELOW_BOOTSTRAP} bootstrap worlds", "numpy pyarrow"),
    "prove.checker": Layer(),
    "prove.aftermath": Layer(),
    "prove.scenes": Layer(f"{BELOW_BOOTSTRAP} bootstrap keyring worlds"),
    "prove.hooks": Layer("net.session", "requests urllib3"),
    **dict.fromkeys(("prove.failing", "prove.worker"), Layer("prove", lazy_third="requests")),
    "prove.sim": Layer(f"{BELOW_BOOTSTRAP} bootstrap desk hand policies telling worlds", "numpy"),
    "prove.soak": Layer(f"{BELOW_BOOTSTRAP} bootstrap retention"),
    "prove.witness": Layer(),
    "figures": Layer(BELOW_BOOTSTRAP),
    "metering": Layer(f"{BELOW_BOOTSTRAP} policies", types="worlds"),
    "talk": Layer("domain net.redaction ops.clock settings.environment"),
    "telling": Layer(f"{BELOW_BOOTSTRAP} metering policies", types="worlds"),
    "delivery": Layer(f"{BELOW_BOOTSTRAP} telling"),
    "worlds": Layer(f"{BELOW_BOOTSTRAP} keyring policies telling", "numpy"),
    "bootstrap": Layer(f"{BELOW_BOOTSTRAP} telling worlds"),
    "desk": Layer(f"{BELOW_BOOTSTRAP} bootstrap policies"),
    "hand": Layer(f"{BELOW_BOOTSTRAP} bootstrap keyring worlds"),
    "keyring": Layer(f"{BELOW_BOOTSTRAP} policies"),
    "policies": Layer(BELOW_BOOTSTRAP),
    "hindsight": Layer(f"{BELOW_BOOTSTRAP} bootstrap"),
    "logbook": Layer(f"{BELOW_BOOTSTRAP} bootstrap desk hindsight"),
    "shadow": Layer(f"{BELOW_BOOTSTRAP} bootstrap hindsight"),
    "checkup": Layer(f"{BELOW_BOOTSTRAP} bootstrap desk keyring policies telling"),
    "study": Layer(f"{BELOW_BOOTSTRAP} bootstrap worlds", "numpy"),
    "places": Layer(BELOW_BOOTSTRAP),
    "retention": Layer(f"{BELOW_BOOTSTRAP} bootstrap"),
    "upkeep": Layer(f"{BELOW_BOOTSTRAP} bootstrap"),
    "inquiry": Layer(f"{BELOW_BOOTSTRAP} bootstrap study worlds"),
    "cli": Layer(
        "domain net.redaction talk",
        "typer",
        lazy="bootstrap worlds desk engine hand inquiry keyring policies report research settings study kill loopback "
        "prove hindsight places retention upkeep checkup logbook shadow telling delivery figures",
        lazy_third="rich tabulate",
    ),
}
STRANGERS = {"prove.aftermath", "prove.checker", "prove.witness"}  # may not even import the rest of their own package

# A name, as written after its imports are resolved -> the files in which it may stand.
BANNED_NAMES: dict[str, tuple[str, ...]] = {
    "time.time": ("trader_core/ops/clock.py",),
    "time.time_ns": ("trader_core/loopback/clock.py", "trader_core/ops/clock.py"),
    "datetime.datetime.now": (),
    "datetime.datetime.today": (),
    "datetime.datetime.utcnow": (),
    "datetime.datetime.utcfromtimestamp": (),
    "datetime.datetime.strptime": (),
    "datetime.date.today": (),
    "random": (),
    "numpy.random": ("trader_core/research/chance.py",),
    "os.environ": (
        "trader_core/engine/compiled.py",
        "trader_core/prove/hooks.py",
        "trader_core/research/pools.py",
        "trader_core/settings/environment.py",
    ),
    "os.environb": (),
    "os.getenv": (),
    "os.putenv": (),
    "requests": (
        "trader_core/net/session.py",
        "trader_core/prove/failing.py",
        "trader_core/prove/hooks.py",
        "trader_core/prove/worker.py",
    ),
    "sqlite3": (
        "trader_core/alerts/outbox.py",
        "trader_core/prove/checker.py",
        "trader_core/prove/conditions.py",
        "trader_core/prove/failing.py",
        "trader_core/prove/hooks.py",
        "trader_core/prove/witness.py",
        "trader_core/store/buckets.py",
        "trader_core/store/latch.py",
        "trader_core/store/segments.py",
        "trader_core/store/spare.py",
        "trader_core/store/sqlite.py",
        "trader_core/store/telemetry.py",
        "trader_core/venues/simulated/books.py",
    ),
    "unittest.mock": (),
    "mock": (),
}
MAY_COMPARE_MODE = ("trader_core/settings/coherence.py",)  # checks the words against each other, acts on none
MAY_CATCH_ALL = (
    "cli/exits.py", "cli/record.py", "trader_core/alerts/channels.py", "trader_core/engine/columns.py",
    "trader_core/engine/lookahead.py", "trader_core/metering.py", "trader_core/prove/lives.py",
    "trader_core/prove/matrix.py", "trader_core/prove/sim/life.py", "trader_core/telling.py",
)  # fmt: skip
MAY_APPROVE = ("trader_core/engine/decide.py",)

REDUCTIONS = (
    "all any argmax argmin average cumprod cumsum dot matmul max mean median min nanmean nansum nanstd norm percentile "
    "power prod quantile std sum trace var vdot"
)
NOT_IN_RULES: dict[type[ast.AST], str] = {
    ast.ListComp: "comprehension",
    ast.SetComp: "comprehension",
    ast.DictComp: "comprehension",
    ast.GeneratorExp: "generator",
    ast.Pow: "** (write x*x)",
    ast.MatMult: "@ (write the loop)",
    ast.Try: "try",
    ast.TryStar: "try",
    ast.With: "with",
    ast.Raise: "raise",
    ast.Assert: "assert",
    ast.While: "while (loops have a limit)",
    ast.Lambda: "lambda",
    ast.FunctionDef: "function in a function",
    ast.ClassDef: "class in a function",
    ast.Match: "match",
    ast.JoinedStr: "f-string",
    ast.Dict: "dict",
    ast.Set: "set",
    ast.Global: "global",
    ast.Nonlocal: "nonlocal",
    ast.Import: "import in a function",
    ast.ImportFrom: "import in a function",
    ast.Yield: "yield",
    ast.YieldFrom: "yield",
}

# --- sources and their imports ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Source:
    path: str
    tree: ast.Module

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @cached_property
    def nodes(self) -> list[ast.AST]:
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> "list[Import]":
        return list(imports(self.tree))

    def at(self, node: ast.AST, what: str) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}: {what}"


@dataclass(frozen=True)
class Import:
    target: str  # module, or module and name
    node: ast.stmt
    when: str  # "load", "call" or "types"


@pytest.fixture(scope="module")
def production() -> list[Source]:
    """Every Python file that travels in the wheel, read once."""
    files = sorted(path for root in OURS for path in (ROOT / root).rglob("*.py"))
    return [parsed(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in files]


def parsed(path: str, text: str) -> Source:
    return Source(path, ast.parse(text, filename=path))


def imports(node: ast.AST, when: str = "load") -> Iterator[Import]:
    """Every import, and whether it happens at load time, inside a call, or for the type checker only."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (Import(alias.name, child, when) for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            base = "." * child.level + (child.module or "")
            yield from (Import(f"{base}.{alias.name}", child, when) for alias in child.names)
        elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from imports(child, "types" if when == "types" else "call")
        elif isinstance(child, ast.If) and _last(child.test) == "TYPE_CHECKING":
            yield from imports(ast.Module(child.body, []), "types")
            yield from imports(ast.Module(child.orelse, []), when)
        elif not isinstance(child, ast.expr):  # which holds no statement
            yield from imports(child, when)


def under(name: str, roots: str) -> bool:
    return any(name == root or name.startswith(f"{root}.") for root in roots.split())


# --- layers ----------------------------------------------------------------------------------------------------------


def layer_of(module: str) -> str | None:
    """The longest layer name that `module` lies under."""
    name = module.removeprefix("trader_core.")
    return max((layer for layer in LAYERS if under(name, layer)), key=len, default=None)


def import_violations(source: Source) -> Iterator[str]:
    """Imports that the table does not allow."""
    if source.module == "trader_core":
        yield from (source.at(found.node, f"trader_core imports {found.target}") for found in source.imports)
        return
    name = layer_of(source.module)
    if name is None:
        yield source.at(source.tree, "belongs to no layer")
        return
    for found in source.imports:
        if not allowed(name, found):
            yield source.at(found.node, f"{name} imports {found.target} ({found.when})")


def allowed(name: str, found: Import) -> bool:
    layer, top = LAYERS[name], found.target.split(".")[0]
    later = found.when != "load"
    if top in OURS:
        own = "" if name in STRANGERS else name
        types = layer.types if found.when == "types" else ""
        ours = f"{own} {layer.ours} {types} {layer.lazy if later else ''}"
        return under(found.target.removeprefix("trader_core."), ours)
    values = VALUES if "domain" in (name, *layer.ours.split()) else ""
    return top in f"{values} {layer.stdlib} {layer.third} {layer.lazy_third if later else ''}".split()


def cycle_among(sources: list[Source]) -> list[str]:
    """The first import cycle among our modules at load time, or nothing."""
    known = {source.module for source in sources}
    graph = {source.module: load_targets(source, known) - {source.module} for source in sources}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def load_targets(source: Source, known: set[str]) -> set[str]:
    """The modules of ours that loading this one loads. A package's registry is reached only by naming it."""
    found = [one.target for one in source.imports if one.when == "load"]
    return {name if name in known else name.rpartition(".")[0] for name in found} & known


# --- bans ------------------------------------------------------------------------------------------------------------


def named(source: Source) -> Iterator[tuple[ast.AST, str]]:
    """Every name the file imports or reaches through an import, in full."""
    full: dict[str, str] = {}
    for node in source.nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            for local, name, meaning in bindings(node):
                full[local] = meaning
                yield node, name
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and (head := _head(node)) in full:
            yield node, f"{full[head]}.{ast.unparse(node).removeprefix(f'{head}.')}"


def _head(node: ast.Attribute) -> str:
    """The name that an attribute of an attribute is reached through; '' where it is something else."""
    value = node.value
    while isinstance(value, ast.Attribute):
        value = value.value
    return value.id if isinstance(value, ast.Name) else ""


def _last(called: ast.AST) -> str:
    """The last word of a name, with or without dots before it; '' where it is no name."""
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def bindings(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str, str]]:
    """For each name an import binds: the local name, what was imported, what the local name stands for."""
    for alias in node.names:
        if isinstance(node, ast.ImportFrom):
            name = f"{node.module}.{alias.name}"
            yield alias.asname or alias.name, name, name
        elif alias.asname:
            yield alias.asname, alias.name, alias.name
        else:
            top = alias.name.split(".")[0]
            yield top, alias.name, top


def name_violations(source: Source) -> Iterator[str]:
    """Banned names outside the files named beside them."""
    for node, name in named(source):
        for banned, files in BANNED_NAMES.items():
            if under(name, banned) and source.path not in files:
                yield source.at(node, f"{banned} is banned here")


def is_world(node: ast.AST) -> bool:
    """A name or attribute called mode or venue: a question about which world this is."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in ("mode", "venue")


def is_literal(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is not None
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(is_literal(item) for item in node.elts)
    return isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith(("Mode", "Venue"))


def mode_violations(source: Source) -> Iterator[str]:
    """Mode is wiring, never a branch: no comparison with a literal, no `if mode`, no `match mode`."""
    if source.path in MAY_COMPARE_MODE:
        return
    for node in source.nodes:
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            if any(map(is_world, sides)) and any(map(is_literal, sides)):
                yield source.at(node, f"branches on a world: {ast.unparse(node)}")
        elif isinstance(node, ast.If | ast.IfExp | ast.While) and asks_mode(node.test):
            yield source.at(node, f"branches on a world: if {ast.unparse(node.test)}")
        elif isinstance(node, ast.Match) and is_world(node.subject):
            yield source.at(node, f"branches on a world: match {ast.unparse(node.subject)}")


def asks_mode(test: ast.expr) -> bool:
    """`if mode`, `if not x.mode`, `if mode and ...`. A venue may be absent, so `if venue` is no such question."""
    if isinstance(test, ast.UnaryOp):
        return asks_mode(test.operand)
    if isinstance(test, ast.BoolOp):
        return any(asks_mode(value) for value in test.values)
    return is_world(test) and ast.unparse(test).endswith("mode")


def catch_violations(source: Source) -> Iterator[str]:
    """Catch only what you can act on."""
    if source.path in MAY_CATCH_ALL:
        return
    for node in source.nodes:
        if isinstance(node, ast.ExceptHandler):
            caught = [node.type]
        elif isinstance(node, ast.Call) and _last(node.func).endswith("suppress"):
            caught = list(node.args)
        else:
            continue
        if any(is_broad(one) for one in caught):
            yield source.at(node, "broad except")


def is_broad(caught: ast.expr | None) -> bool:
    if isinstance(caught, ast.Tuple):
        return any(is_broad(one) for one in caught.elts)
    return caught is None or ast.unparse(caught).split(".")[-1] in ("Exception", "BaseException")


NAIVE = {"datetime": ("tzinfo", 8), "fromtimestamp": ("tz", 2), "combine": ("tzinfo", 3)}


def naive_violations(source: Source) -> Iterator[str]:
    """A datetime is made with its time zone."""
    for node in source.nodes:
        if isinstance(node, ast.Call) and _last(node.func) in NAIVE:
            called = ast.unparse(node.func).split(".")
            keyword, position = NAIVE.get(called[-1], ("", 0))
            made = bool(keyword) and (called[-1] == "datetime" or "datetime" in called[:-1])
            if made and len(node.args) < position and keyword not in [one.arg for one in node.keywords]:
                yield source.at(node, "naive datetime")


def approval_violations(source: Source) -> Iterator[str]:
    """Only engine/decide builds an ApprovedOrder."""
    if source.path in MAY_APPROVE:
        return
    called = {node: node.func for node in source.nodes if isinstance(node, ast.Call)}
    aliases = {
        local
        for node in source.nodes
        if isinstance(node, ast.ImportFrom)
        for local, name, _ in bindings(node)
        if name.endswith(".ApprovedOrder")
    }
    for node, function in called.items():
        if _last(function) in {"ApprovedOrder", *aliases}:
            yield source.at(node, "builds an ApprovedOrder")


# --- the rulebook's dialect ------------------------------------------------------------------------------------------


def dialect_violations(source: Source) -> Iterator[str]:
    """What numba compiles differently, or not at all, does not stand in a rule."""
    if not source.path.startswith("trader_core/rulebook/"):
        return
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef) and is_rule(node):
            yield from (source.at(bad, f"{node.name}: {what}") for bad, what in rule_violations(node))
        elif isinstance(node, ast.ClassDef) and is_limits(node, source.path):
            count = sum(isinstance(item, ast.AnnAssign) for item in node.body)
            if count > LIMITS_MAX_FIELDS:
                yield source.at(node, f"{node.name} has {count} limits, allowed are {LIMITS_MAX_FIELDS}")


def is_rule(function: ast.FunctionDef) -> bool:
    return any(ast.unparse(decorator).split(".")[-1] == "rule" for decorator in function.decorator_list)


def is_limits(node: ast.ClassDef, path: str) -> bool:
    tuples = any(ast.unparse(base).endswith("NamedTuple") for base in node.bases)
    return tuples and (path.endswith("/limits.py") or node.name.endswith("Limits"))


def rule_violations(function: ast.FunctionDef) -> Iterator[tuple[ast.AST, str]]:
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    local = {arg.arg for arg in function.args.args} | stored_names(function)
    for node in (found for statement in body for found in walk_code(statement)):
        what = NOT_IN_RULES.get(type(node)) or forbidden_use(node, local)
        if what:
            yield node, what


def walk_code(node: ast.AST) -> Iterator[ast.AST]:
    """The node and all below it, except annotations: they are for the reader and the type checker."""
    yield node
    for name, value in ast.iter_fields(node):
        if name != "annotation":
            children = value if isinstance(value, list) else [value]
            yield from (found for child in children if isinstance(child, ast.AST) for found in walk_code(child))


def stored_names(function: ast.FunctionDef) -> set[str]:
    names = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
    return {node.id for node in names if isinstance(node.ctx, ast.Store)}


def forbidden_use(node: ast.AST, local: set[str]) -> str | None:
    """Strings, `_replace`, reductions, and writing to what is not the function's own."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        return "string"
    if isinstance(node, ast.Attribute) and node.attr == "_replace":
        return "_replace does not compile"
    if isinstance(node, ast.Call):
        return forbidden_call(node)
    if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
        owner: ast.expr = node
        while isinstance(owner, ast.Subscript | ast.Attribute):
            owner = owner.value
        if not (isinstance(owner, ast.Name) and owner.id in local):
            return f"writes to {ast.unparse(owner)}, which is not its own"
    return None


def forbidden_call(call: ast.Call) -> str | None:
    name = ast.unparse(call.func).split(".")[-1]
    if isinstance(call.func, ast.Attribute):
        return f"{ast.unparse(call.func)}: write the loop" if name in REDUCTIONS.split() else None
    if name in ("min", "max"):
        plain = len(call.args) >= 2 and not call.keywords and not any(isinstance(a, ast.Starred) for a in call.args)
        return None if plain else f"{name} over an iterable"
    return f"{name}: write the loop" if name in ("sum", "any", "all", "sorted", "pow") else None


# --- the project obeys -----------------------------------------------------------------------------------------------

Checker = Callable[[Source], Iterator[str]]
CHECKERS: tuple[Checker, ...] = (
    import_violations, name_violations, mode_violations, catch_violations, naive_violations, approval_violations,
    dialect_violations,
)  # fmt: skip


@pytest.mark.parametrize("checker", CHECKERS, ids=lambda checker: checker.__name__)
def test_the_project_obeys(checker: Checker, production: list[Source]) -> None:
    violations = [found for source in production for found in checker(source)]
    assert violations == [], "\n".join(violations)


def test_no_module_is_loaded_by_what_it_loads(production: list[Source]) -> None:
    assert cycle_among(production) == []


def test_the_readers_path_is_short() -> None:
    lines = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in READERS_PATH}
    assert sum(lines.values()) <= READERS_PATH_MAX_LINES, lines


def test_every_exemption_is_used(monkeypatch: pytest.MonkeyPatch, production: list[Source]) -> None:
    """A file that may and does not is a hole left open."""
    exempt = {path for files in BANNED_NAMES.values() for path in files}
    exempt |= {*MAY_COMPARE_MODE, *MAY_CATCH_ALL, *MAY_APPROVE}
    this = sys.modules[__name__]
    monkeypatch.setattr(this, "BANNED_NAMES", dict.fromkeys(BANNED_NAMES, ()))
    for table in ("MAY_COMPARE_MODE", "MAY_CATCH_ALL", "MAY_APPROVE"):
        monkeypatch.setattr(this, table, ())
    sources = {source.path: source for source in production}
    assert sorted(exempt - sources.keys()) == []
    unused = {path for path in exempt if not any(any(check(sources[path])) for check in CHECKERS)}
    assert sorted(unused) == []


# --- the checkers see what they should -------------------------------------------------------------------------------

PLANTED_IMPORTS = [
    ("trader_core/domain/x.py", "import numpy"),
    ("trader_core/domain/x.py", "import pydantic"),
    ("trader_core/domain/x.py", "from trader_core.rulebook import rule"),
    ("trader_core/domain/x.py", "import os"),
    ("trader_core/domain/x.py", "def f():\n    from trader_core import settings"),
    ("trader_core/domain/x.py", "if True:\n    from trader_core.ports import Store"),
    ("trader_core/domain/x.py", "from . import money"),
    ("trader_core/rulebook/x.py", "import os"),
    ("trader_core/rulebook/x.py", "import numba"),
    ("trader_core/rulebook/x.py", "from trader_core.domain import money"),
    ("trader_core/settings/x.py", "from trader_core.rulebook.limits import Law"),
    ("trader_core/settings/x.py", "from trader_core.engine import decide"),
    ("trader_core/settings/feasibility.py", "from trader_core.market import universe"),
    ("trader_core/ports.py", "from trader_core.settings.schema import Settings"),
    ("trader_core/market/x.py", "import logging"),
    ("trader_core/market/x.py", "from time import monotonic"),
    ("trader_core/strategies/x.py", "from pathlib import Path"),
    ("trader_core/ledger/x.py", "from trader_core.settings.schema import Settings"),
    ("trader_core/ledger/x.py", "from trader_core.ports import Store"),
    ("trader_core/report/x.py", "from trader_core.engine import cycle"),
    ("trader_core/engine/x.py", "from trader_core.store import sqlite"),
    ("trader_core/engine/x.py", "from trader_core import venues"),
    ("trader_core/engine/x.py", "def f():\n    import pydantic"),
    ("trader_core/engine/x.py", "from trader_core.settings.schema import Settings"),
    ("trader_core/venues/coinbase/x.py", "from trader_core.rulebook import matching"),
    ("trader_core/venues/simulated/x.py", "from trader_core.candles import folder"),
    ("trader_core/store/x.py", "from trader_core.engine import cycle"),
    ("trader_core/ops/x.py", "from trader_core.store import sqlite"),
    ("trader_core/candles/x.py", "from trader_core.market import frame"),
    ("trader_core/kill.py", "from trader_core import bootstrap"),
    ("trader_core/kill.py", "def f():\n    from trader_core import store"),
    ("trader_core/loopback/x.py", "from trader_core.rulebook import gates"),
    ("trader_core/prove/checker.py", "from trader_core.prove import campaign"),
    ("trader_core/bootstrap.py", "def f():\n    from cli import show"),
    ("cli/commands/x.py", "from trader_core import bootstrap"),
    ("cli/commands/x.py", "def f():\n    from trader_core.store import sqlite"),
    ("cli/show.py", "import rich"),
    ("cli/show.py", "def f():\n    import pandas"),
    ("trader_core/utils.py", "import json"),
    ("trader_core/__init__.py", "from trader_core import bootstrap"),
]
ALLOWED_IMPORTS = [
    ("trader_core/rulebook/x.py", "from typing import NamedTuple\nimport numpy as np\nimport trader_core.rulebook"),
    ("trader_core/settings/coherence.py", "from trader_core.rulebook import limits"),
    ("trader_core/settings/feasibility.py", "from trader_core.rulebook.codes import GATES"),
    ("trader_core/market/x.py", "if TYPE_CHECKING:\n    from trader_core.settings.schema import Settings"),
    ("trader_core/strategies/x.py", "from trader_core.market.windows import rolling"),
    ("trader_core/venues/simulated/x.py", "from trader_core.rulebook.matching import match"),
    ("trader_core/kill.py", "import os\ndef f():\n    from trader_core import bootstrap"),
    ("trader_core/loopback/x.py", "from trader_core.rulebook.matching import match"),
    ("cli/commands/x.py", "import typer\ndef f():\n    import rich\n    from trader_core import bootstrap"),
]


@pytest.mark.parametrize(("path", "text"), PLANTED_IMPORTS)
def test_a_forbidden_import_is_seen(path: str, text: str) -> None:
    assert list(import_violations(parsed(path, text)))


@pytest.mark.parametrize(("path", "text"), ALLOWED_IMPORTS)
def test_an_allowed_import_passes(path: str, text: str) -> None:
    assert list(import_violations(parsed(path, text))) == []


BANS: list[tuple[Checker, str]] = [
    (name_violations, "import time\ntime.time()"),
    (name_violations, "import time as t\nt.time()"),
    (name_violations, "from time import time"),
    (name_violations, "from time import time_ns as now"),
    (name_violations, "from datetime import datetime\ndatetime.now(UTC)"),
    (name_violations, "import datetime as d\nclock = d.datetime.now"),
    (name_violations, "from datetime import datetime as dt\ndt.utcnow()"),
    (name_violations, "from datetime import date\ndate.today()"),
    (name_violations, "import random"),
    (name_violations, "from random import Random"),
    (name_violations, "import numpy as np\nnp.random.default_rng(1)"),
    (name_violations, "import os\nos.environ['A']"),
    (name_violations, "from os import environ"),
    (name_violations, "import os\nos.getenv('A')"),
    (name_violations, "import requests"),
    (name_violations, "def f():\n    from requests import Session"),
    (name_violations, "import sqlite3"),
    (name_violations, "from unittest import mock"),
    (name_violations, "from unittest.mock import patch"),
    (mode_violations, "if mode == 'LIVE':\n    pass"),
    (mode_violations, "x = 'PAPER' != settings.app.mode"),
    (mode_violations, "x = self.mode in ('PAPER', 'LIVE')"),
    (mode_violations, "x = mode is Mode.LIVE"),
    (mode_violations, "if mode:\n    pass"),
    (mode_violations, "x = 1 if not app.mode else 2"),
    (mode_violations, "if venue == 'simulated':\n    pass"),
    (mode_violations, "match order.mode:\n    case 'LIVE':\n        pass"),
    (catch_violations, "try:\n    f()\nexcept:\n    pass"),
    (catch_violations, "try:\n    f()\nexcept Exception:\n    pass"),
    (catch_violations, "try:\n    f()\nexcept (ValueError, BaseException):\n    pass"),
    (catch_violations, "try:\n    f()\nexcept builtins.Exception as e:\n    pass"),
    (catch_violations, "with contextlib.suppress(Exception):\n    f()"),
    (naive_violations, "datetime(2024, 1, 1)"),
    (naive_violations, "datetime.datetime(2024, 1, 1)"),
    (naive_violations, "datetime.fromtimestamp(0)"),
    (naive_violations, "datetime.combine(day, time)"),
    (approval_violations, "ApprovedOrder(1)"),
    (approval_violations, "order.ApprovedOrder(1)"),
    (approval_violations, "from trader_core.domain.order import ApprovedOrder as A\nA(1)"),
]
FINE: list[tuple[Checker, str, str]] = [
    (name_violations, "trader_core/ops/clock.py", "import time\ntime.time()"),
    (name_violations, "trader_core/ops/x.py", "import time\ntime.monotonic()\ntimes = book.time.time"),
    (name_violations, "trader_core/ops/x.py", "from datetime import UTC, datetime\ndatetime.fromtimestamp(0, UTC)"),
    (mode_violations, "trader_core/bootstrap.py", "wiring = WIRINGS[mode]\nif venue is None:\n    pass"),
    (mode_violations, "trader_core/x.py", "if state.mode != settings.mode:\n    pass"),
    (catch_violations, "cli/exits.py", "try:\n    f()\nexcept Exception:\n    pass"),
    (catch_violations, "trader_core/engine/columns.py", "try:\n    f()\nexcept Exception:\n    pass"),
    (catch_violations, "trader_core/x.py", "try:\n    f()\nexcept (KeyError, OSError):\n    pass"),
    (naive_violations, "trader_core/x.py", "datetime(2024, 1, 1, tzinfo=UTC)\ndatetime.fromtimestamp(0, tz=UTC)"),
    (approval_violations, "trader_core/engine/decide.py", "ApprovedOrder(1)"),
]


@pytest.mark.parametrize(("checker", "text"), BANS)
def test_a_ban_is_seen(checker: Checker, text: str) -> None:
    assert list(checker(parsed("trader_core/engine/planted.py", text)))


@pytest.mark.parametrize(("checker", "path", "text"), FINE)
def test_what_is_fine_passes(checker: Checker, path: str, text: str) -> None:
    assert list(checker(parsed(path, text))) == []


NOT_RULES = [
    "return [x for x in a]", "return {x for x in a}", "return {x: x for x in a}", "return f(x for x in a)",
    "return sum(a)", "return any(a)", "return all(a)", "return min(a)", "return max(*a)", "return max(a, b, key=f)",
    "return a ** 2", "a **= 2", "return pow(a, 2)", "return np.power(a, 2)", "return a @ b",
    "return np.sum(a)", "return np.std(a)", "return np.mean(a)", "return a.sum()", "return a.max()",
    "return np.dot(a, b)", "return a._replace(b=1)", "raise f(a)", "assert a", "return lambda: a", "return f'{a}'",
    "return {}", "return {a}",
    "x: int = 'text'", "return 'text'", "while a:\n        break",
    "try:\n        f()\n    except ValueError:\n        pass",
    "with a:\n        pass", "global b\n    b = 1", "TABLE[0] = a", "limits.x = a", "import math",
    "def g():\n        pass",
    "yield a", "match a:\n        case 1:\n            pass",
]  # fmt: skip
RULES = [
    '"""Law."""\n    return min(a, 1)', "return max(a, b, 3)", "a.lots[0] += 1", "x = np.zeros(3)\n    x[0] = a",
    "x: 'np.ndarray' = a\n    return x * x", "for i in range(3):\n        a[i] = -1", "return np.minimum(a, 1)",
]  # fmt: skip


RULEBOOK = ("trader_core/rulebook/planted.py", "trader_core/rulebook/gates/planted.py")


@pytest.mark.parametrize("path", RULEBOOK)
@pytest.mark.parametrize("body", NOT_RULES)
def test_what_is_no_rule_is_seen(body: str, path: str) -> None:
    text = f"@rule\ndef f(a: int, b: int) -> int:\n    {body}\n"
    assert list(dialect_violations(parsed(path, text)))
    assert list(dialect_violations(parsed("trader_core/market/planted.py", text))) == []


@pytest.mark.parametrize("path", RULEBOOK)
@pytest.mark.parametrize("body", RULES)
def test_a_rule_passes(body: str, path: str) -> None:
    text = f"@rule\ndef f(a: int, b: int) -> 'int':\n    {body}\n"
    assert list(dialect_violations(parsed(path, text))) == []


def test_every_gate_is_a_rule_of_the_rulebook(production: list[Source]) -> None:
    """What stands among the gates and is no rule is neither compiled nor kept to the dialect."""
    gates = [one for one in production if one.path.startswith("trader_core/rulebook/gates/")]
    bare = [
        one.at(node, node.name)
        for one in gates
        for node in ast.walk(one.tree)
        if isinstance(node, ast.FunctionDef) and not is_rule(node)
    ]
    assert len(gates) > 5
    assert bare == []


@pytest.mark.parametrize(("fields", "count"), [(16, 0), (17, 1)])
def test_limits_stay_readable(fields: int, count: int) -> None:
    body = "\n".join(f"    f{i}: int" for i in range(fields))
    text = f"class RiskLimits(NamedTuple):\n{body}\n"
    assert len(list(dialect_violations(parsed("trader_core/rulebook/limits.py", text)))) == count


def test_a_cycle_is_seen() -> None:
    there = parsed("trader_core/market/a.py", "from trader_core.market import b")
    back = parsed("trader_core/market/b.py", "from trader_core.market.a import f")
    typed = parsed("trader_core/market/b.py", "if TYPE_CHECKING:\n    from trader_core.market.a import f")
    lazy = parsed("trader_core/market/b.py", "def g():\n    from trader_core.market.a import f")
    assert cycle_among([there, back])
    assert cycle_among([there, typed]) == cycle_among([there, lazy]) == []
