"""Every small mistake that somebody could have made in a rule: what it is called, and the code that it comes to.

A mutant is named by what it changes, `money.mul_div: float(a) * b >= SAFE -> float(a) * b > SAFE`, and by its place
among equals, so that its name outlives edits around it. Annotations, docstrings and messages are no part of the law.
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from types import CodeType, FunctionType

from trader_core import rulebook

PACKAGE = "trader_core.rulebook."
OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.LShift: ast.RShift,
    ast.RShift: ast.LShift, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
SWAPPED = {"min": "max", "max": "min"}

Place = tuple[str | int, ...]  # the way from a function to a node, by field and index


@dataclass(frozen=True)
class Mutant:
    """One change of one function. `line` is that of the statement it is in."""

    module: str  # without the package
    function: str
    place: Place
    change: str
    count: int  # which of the equal changes of this function; 1 is the first
    line: int

    @property
    def name(self) -> str:
        again = f" #{self.count}" if self.count > 1 else ""
        return f"{self.module}.{self.function}: {self.change}{again}"


def modules() -> list[str]:
    """All of the rulebook, by the names that `--only` takes."""
    found = (one.name for one in walk_packages(rulebook.__path__, PACKAGE) if not one.ispkg)
    return sorted(name.removeprefix(PACKAGE) for name in found)


@cache
def functions_of(module: str) -> dict[str, ast.FunctionDef]:
    """The functions of a module, bare of decorators: they are put into the place of what was decorated."""
    tree = ast.parse(source_of(module).read_text())
    found = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
    for one in found.values():
        one.decorator_list = []
    return found


def source_of(module: str) -> Path:
    spec = find_spec(PACKAGE + module)
    assert spec and spec.origin
    return Path(spec.origin)


def function_of(module: str, name: str) -> FunctionType:
    found = getattr(import_module(PACKAGE + module), name)
    assert isinstance(found, FunctionType)
    return found


def mutants_of(module: str) -> Iterator[Mutant]:
    for name, function in functions_of(module).items():
        seen: Counter[str] = Counter()
        for place, line in places(function):
            for change, _ in changes(at(function, place)):
                seen[change] += 1
                yield Mutant(module, name, place, change, seen[change], line)


def code_of(mutant: Mutant) -> CodeType:
    """The function with the change in it."""
    function = copy.deepcopy(functions_of(mutant.module)[mutant.function])
    node = at(function, mutant.place)
    wrong = next(wrong for change, wrong in changes(node) if change == mutant.change)
    replace(function, mutant.place, wrong)
    return compiled(mutant.module, function)


def compiled(module: str, function: ast.FunctionDef) -> CodeType:
    tree = ast.fix_missing_locations(ast.Module([function], []))
    whole = compile(tree, str(source_of(module)), "exec", dont_inherit=True)
    return next(one for one in whole.co_consts if isinstance(one, CodeType) and one.co_name == function.name)


def at(node: ast.AST, place: Place) -> ast.AST:
    found: object = node
    for step in place:
        found = found[step] if isinstance(step, int) else getattr(found, step)  # type: ignore[index]
    assert isinstance(found, ast.AST)
    return found


def replace(root: ast.AST, place: Place, node: ast.AST) -> None:
    *way, last = place
    if isinstance(last, int):
        getattr(at(root, tuple(way[:-1])), str(way[-1]))[last] = node
    else:
        setattr(at(root, tuple(way)), last, node)


def places(function: ast.FunctionDef) -> Iterator[tuple[Place, int]]:
    """Every node of the body below its docstring, with the line of its statement."""
    first = 1 if ast.get_docstring(function, clean=False) is not None else 0
    for n in range(first, len(function.body)):
        yield from below(function.body[n], ("body", n), function.body[n].lineno)


def below(node: ast.AST, place: Place, line: int) -> Iterator[tuple[Place, int]]:
    line = node.lineno if isinstance(node, ast.stmt) else line
    yield place, line
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "ctx", "keywords"):
            continue
        if isinstance(value, ast.AST):
            yield from below(value, (*place, field), line)
        elif isinstance(value, list):
            for n, one in enumerate(value):
                if isinstance(one, ast.AST):
                    yield from below(one, (*place, field, n), line)


# --- what can be wrong in a node -------------------------------------------------------------------------------------


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The mistakes of this very node, each with its words; those of what is inside it are theirs."""
    match node:
        case ast.Compare():
            for n, operator in enumerate(node.ops):
                if type(operator) in OTHER:
                    yield told(node, swapped(node, n))
        case ast.BinOp() if type(node.op) in OTHER:
            yield told(node, ast.BinOp(node.left, OTHER[type(node.op)](), node.right))  # type: ignore[arg-type]
        case ast.BoolOp():
            yield told(node, ast.BoolOp(OTHER[type(node.op)](), node.values))  # type: ignore[arg-type]
        case ast.UnaryOp(op=ast.Not() | ast.USub()):
            yield told(node, node.operand)
        case ast.Constant(value=bool() as value):
            yield told(node, ast.Constant(not value))
        case ast.Constant(value=int() | float() as number):
            yield told(node, ast.Constant(number + 1))
        case ast.Call(func=ast.Name(id=name)) if name in SWAPPED:
            yield told(node, ast.Call(ast.Name(SWAPPED[name], ast.Load()), node.args, []))
        case ast.If():
            yield f"if {ast.unparse(node.test)} -> if not", ast.If(negated(node.test), node.body, node.orelse)
        case ast.IfExp():
            yield told(node, ast.IfExp(negated(node.test), node.body, node.orelse))
        case ast.AugAssign() if type(node.op) in OTHER:
            yield told(node, ast.AugAssign(node.target, OTHER[type(node.op)](), node.value))  # type: ignore[arg-type]
    match node:
        case ast.Assign() | ast.AugAssign() | ast.Expr(value=ast.Call()) | ast.Break() | ast.Continue():
            yield f"{ast.unparse(node)} -> pass", ast.Pass()
        case ast.Return(value=ast.Tuple()):
            pass  # one value in the place of several is noticed by anybody
        case ast.Return(value=ast.Constant() | None):
            yield f"{ast.unparse(node)} -> pass", ast.Pass()
        case ast.Return():
            yield told(node, ast.Return(ast.Constant(0)))


def negated(test: ast.expr) -> ast.expr:
    return ast.UnaryOp(ast.Not(), test)


def swapped(node: ast.Compare, n: int) -> ast.Compare:
    ops = [OTHER[type(one)]() if n == k else one for k, one in enumerate(node.ops)]
    return ast.Compare(node.left, ops, node.comparators)  # type: ignore[arg-type]


def told(before: ast.AST, after: ast.AST) -> tuple[str, ast.AST]:
    return f"{ast.unparse(before)} -> {ast.unparse(ast.fix_missing_locations(after))}", after
