"""What the compiler is told of the law: how its arguments lie in memory, and which code is only made to be put into
other code. Imported where something is compiled or loaded, for it brings the compiler with it.

As values the arguments of a rule would be many hundreds of numbers, moved at every call. So all that does not change
during a walk lies in one table of 64-bit words, and a rule is handed where its part begins.
"""

from hashlib import sha256
from pathlib import Path
from typing import Any

from llvmlite import ir
from llvmlite.binding import create_pass_builder, create_pipeline_tuning_options
from numba import njit
from numba._dynfunc import make_function
from numba.core import cgutils, config, types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.typed_passes import NativeLowering
from numba.core.typing.templates import AttributeTemplate, infer_getattr
from numba.extending import intrinsic, lower_getattr_generic, models, overload, register_model
from numba.np.numpy_support import from_dtype
from numpy import dtype

from trader_core.rulebook.walk import step_walk

WORD = 8
PLACE = ir.IntType(8).as_pointer()


class Laid(types.Type):
    """A NamedTuple that lies in words: what its fields are, and from which word of it on."""

    def __init__(self, name: str, fields: tuple[tuple[str, Any, int], ...]) -> None:
        self.fields = {field: (kind, word) for field, kind, word in fields}
        self._key = name, fields
        super().__init__(f"Laid{name}")

    @property
    def key(self) -> Any:
        return self._key


@register_model(Laid)
class LaidModel(models.OpaqueModel):
    """Where it begins."""


@infer_getattr
class LaidAttribute(AttributeTemplate):
    key = Laid

    def generic_resolve(self, laid: Laid, name: str) -> Any:  # type: ignore[override]
        return laid.fields[name][0] if name in laid.fields else None


@lower_getattr_generic(Laid)
def field_of(context: Any, builder: Any, laid: Laid, place: Any, name: str) -> Any:
    """A part of it is where that begins; all else is loaded."""
    kind, word = laid.fields[name]
    if isinstance(kind, Laid):
        return cgutils.pointer_add(builder, place, WORD * word, PLACE)
    if not isinstance(kind, types.Array):
        return _loaded(context, builder, place, word, kind)
    made = context.make_array(kind)(context, builder)
    numbers = [_loaded(context, builder, place, word + 1 + n, types.intp) for n in range(2 * kind.ndim)]
    made.data = builder.inttoptr(_loaded(context, builder, place, word, types.intp), made.data.type)
    made.shape, made.strides = (
        cgutils.pack_array(builder, each) for each in (numbers[: kind.ndim], numbers[kind.ndim :])
    )
    made.itemsize = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
    size = numbers[0]
    for more in numbers[1 : kind.ndim]:
        size = builder.mul(size, more)
    made.nitems = size
    return made._getvalue()


def _loaded(context: Any, builder: Any, place: Any, word: int, kind: Any) -> Any:
    """A word as a number. Nobody writes there while it is looked at, so it need not be read again."""
    number = context.get_value_type(kind)
    at = cgutils.pointer_add(builder, place, WORD * word, number.as_pointer())
    found = builder.load(at, align=WORD)
    found.set_metadata("invariant.load", builder.module.add_metadata([]))
    return found


def laid(layout: Any) -> Any:
    """The type of what lies so, as compiled.Layout tells it; the names of numbers are theirs in Python."""
    if len(layout) == 1:
        return {"int": types.int64, "float": types.float64}[layout[0]]
    if len(layout) == 4:
        kind, ndim, whole, strided = layout
        if not whole:
            raise TypeError("an array is not whole")
        return types.Array(from_dtype(dtype(kind)), ndim, "A" if strided else "C", readonly=strided)
    fields, word = [], 0
    for name, part in layout[1]:
        kind = laid(part)
        fields.append((name, kind, word))
        word += words_of(kind)
    return Laid(layout[0], tuple(fields))


def words_of(kind: Any) -> int:
    if isinstance(kind, Laid):
        return sum(words_of(each) for each, _ in kind.fields.values())
    return 1 + 2 * kind.ndim if isinstance(kind, types.Array) else 1


WHOLE: list[Laid] = []  # what `handed` hands out: all that a walk is given


@intrinsic
def handed(typing: Any, words: Any) -> Any:
    """Of the words of the whole, what rules are handed."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        table = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.bitcast(table.data, PLACE)

    return WHOLE[0](words), made


def walk(words: Any, t: int, end: int) -> int:
    """`step_walk` over all that lies in the words."""
    given: Any = handed(words)  # type: ignore[call-arg]
    return step_walk(
        given.law, given.guard, given.state, given.columns, given.bars, given.journey, given.plan, given.tape, t, end
    )


# Rules that are nearly the whole walk: what is put together there is improved once, with all the rest of it.
WHOLE_TURNS = ("step_walk", "step_row", "step_judged", "step_entries", "step_entry", "judge")


class Library(JITCodeLibrary):
    """Improved for what a walk is: much code, of which little runs twice in a row. Loops that are unrolled or made
    wide, for a handful of instruments, are only more of it."""

    def _optimize_final_module(self) -> None:
        tuning = create_pipeline_tuning_options(speed_level=3)
        tuning.loop_unrolling = tuning.loop_vectorization = tuning.slp_vectorization = False
        builder = create_pass_builder(self._codegen._tm, tuning)
        builder.getModulePassManager().run(self._final_module, builder)


class Ingredient(Library):
    """Code of a rule, to be put into that of the walk: no machine code is made of it alone."""

    def _optimize_final_module(self) -> None:
        if self.name not in WHOLE_TURNS:
            super()._optimize_final_module()

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class RuleLowering(NativeLowering):
    """To code that others may take in, and that cannot be run."""

    _name = "rule_lowering"

    def run_pass(self, state: Any) -> bool:
        state.flags.no_compile = True
        super().run_pass(state)
        lowered = state.cr
        name, nowhere = lowered.fndesc.qualname, 0
        called = make_function(lowered.fndesc.lookup_module(), name, "", nowhere, lowered.env, (state.library,))
        state.cr = lowered._replace(cfunc=called)
        state.targetctx.insert_user_function(called, lowered.fndesc, [state.library])
        return True


class WalkCompiler(CompilerBase):
    """As any other, into a library of our own."""

    def define_pipelines(self) -> list[Any]:
        state = self.state
        state.library = Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        return [DefaultPassBuilder.define_nopython_pipeline(state)]


class RuleCompiler(CompilerBase):
    """As any other, into an ingredient."""

    def define_pipelines(self) -> list[Any]:
        state = self.state
        state.library = Ingredient(state.targetctx.codegen(), state.func_id.func_qualname)
        manager = DefaultPassBuilder.define_nopython_pipeline(state)
        manager.passes = [(RuleLowering if kind is NativeLowering else kind, told) for kind, told in manager.passes]
        manager.finalize()
        return [manager]


# No rule is called from Python, and none makes an array; a division by zero is guarded, and interpreted it would raise.
APART = ("mul_div_long",)
INSIDE: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "_nrt": False, "error_model": "numpy"}


@intrinsic
def prefetch(typing: Any, column: Any, row: Any) -> Any:
    """Ask the processor for where a row lies. It goes on without waiting, and faults nowhere."""

    def made(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lies = context.make_array(signature.args[0])(context, builder, arguments[0])
        (stride,) = cgutils.unpack_tuple(builder, lies.strides)
        place = cgutils.pointer_add(builder, lies.data, builder.mul(arguments[1], stride), PLACE)
        whole = ir.IntType(32)
        asking = ir.FunctionType(ir.VoidType(), [PLACE, whole, whole, whole])
        asked = cgutils.get_or_insert_function(builder.module, asking, "llvm.prefetch.p0")
        builder.call(asked, [place, *(whole(n) for n in TO_READ_OFTEN)])
        return context.get_dummy_value()

    return types.none(column, types.intp), made


TO_READ_OFTEN = 0, 3, 1  # read, keep near, data


# What is made of a rule that says something to the machine alone.
OTHERWISE: dict[str, Any] = {"expect": lambda column, t: prefetch(column, t)}  # type: ignore[call-arg]


def learn(rule: Any) -> None:
    """See that a rule is compiled where another one calls it."""
    options: Any = {**INSIDE, "pipeline_class": RuleCompiler, "forceinline": rule.__name__ not in APART}
    overload(rule, jit_options=options, strict=False)(lambda *_: OTHERWISE.get(rule.__name__, rule))


def walk_of(layout: Any, directory: Path | None) -> Any:
    """`walk` as machine code for what lies so, made or found in the directory."""
    WHOLE[:] = [laid(layout)]
    place = directory / sha256(repr(layout).encode()).hexdigest()[:16] if directory else None
    config.CACHE_DIR = str(place or "")  # type: ignore[attr-defined]
    options = {key: value for key, value in INSIDE.items() if key != "no_cpython_wrapper"}
    signature = types.int64(types.Array(types.int64, 1, "C", readonly=True), types.int64, types.int64)
    return njit(signature, cache=bool(place), nogil=True, pipeline_class=WalkCompiler, **options)(walk)


BARS, FOUND, FLAGS, MEASURED = (
    types.Array(kind, 1, "C", readonly=readonly)
    for kind, readonly in ((types.int64, True), (types.int64, False), (types.int8, False), (types.float64, False))
)
WHOLE_NUMBERS = (types.int64,) * 4
TAKEN: dict[str, tuple[Any, ...]] = {
    "sum_moves": (BARS, FOUND, FOUND),
    "find_crossings": (BARS, *WHOLE_NUMBERS, FLAGS, FLAGS),
    "find_extremes": (BARS, types.int64, FOUND, FOUND),
    "sum_cents": (BARS, BARS, types.float64, types.int64, FOUND, FOUND),
    "find_deviations": (BARS, BARS, BARS, types.int64, MEASURED),
    "find_jumps": (BARS, BARS, BARS, BARS, types.int64, types.float64, MEASURED),
    "find_ranges": (BARS, BARS, BARS, types.int64, types.int64, FOUND, MEASURED),
}


def loops_of(loops: Any, directory: Path | None) -> dict[str, Any]:
    """Those of market.loops as machine code, made or found in the directory."""
    config.CACHE_DIR = str(directory or "")  # type: ignore[attr-defined]
    options: Any = {"cache": bool(directory), "nogil": True, "error_model": "numpy"}
    return {loop.__name__: njit(types.void(*TAKEN[loop.__name__]), **options)(loop) for loop in loops}
