"""Arithmetic on vectors, lane by lane, for kernels that go through channels.

Beside what is here, vectors of equal length are added, subtracted, multiplied and divided with
the usual signs, each operation rounded by itself. See `siffra.engine.native.simd`.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing import templates
from numba.extending import lower_builtin

from siffra.engine.native.simd import Vector, fma, intrinsic, pointer, splat


def _define(function: Any, instruction: str) -> None:
    class _Typing(templates.AbstractTemplate):
        def generic(self, args, kws):
            if len(args) == 2 and isinstance(args[0], Vector) and args[0] == args[1]:
                return templates.signature(args[0], *args)
            return None

    def lower(context, builder, signature, args):
        return getattr(builder, instruction)(*args)

    register: Any = templates.infer_global
    register(function)(_Typing)
    lower_builtin(function, Vector, Vector)(lower)


_define(operator.add, "fadd")
_define(operator.sub, "fsub")
_define(operator.mul, "fmul")
_define(operator.truediv, "fdiv")


@intrinsic(prefer_literal=True)
def spread(typingctx, value, lanes):
    """A vector with `value` in every lane."""
    vector = Vector(lanes.literal_value)

    def codegen(context, builder, signature, args):
        number = context.cast(builder, args[0], signature.args[0], types.float32)
        return splat(builder, number, vector.lanes)

    return vector(value, lanes), codegen


@intrinsic(prefer_literal=True)
def ramp(typingctx, lanes):
    """A vector of 0, 1, 2, ..."""
    vector = Vector(lanes.literal_value)

    def codegen(context, builder, signature, args):
        numbers = [float(lane) for lane in range(vector.lanes)]
        return ir.Constant(ir.VectorType(ir.FloatType(), vector.lanes), numbers)

    return vector(lanes), codegen


@intrinsic
def clamped(typingctx, vector, low, high):
    """`vector`, no lower than `low` and no higher than `high`; NaN becomes `low`."""

    def codegen(context, builder, signature, args):
        value, low_, high_ = args
        raised = builder.select(builder.fcmp_ordered(">", value, low_), value, low_)
        return builder.select(builder.fcmp_ordered("<", raised, high_), raised, high_)

    return vector(vector, low, high), codegen


@intrinsic
def rounded_down(typingctx, vector):
    """The largest whole numbers that are not above those of `vector`."""

    def codegen(context, builder, signature, args):
        kind = args[0].type
        function = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), f"llvm.floor.v{vector.lanes}f32"
        )
        return builder.call(function, [args[0]])

    return vector(vector), codegen


@intrinsic
def store(typingctx, array, index, vector):
    """`array[index : index + lanes] = vector`; the array may be of floats or of whole numbers."""

    def codegen(context, builder, signature, args):
        array_, index_, values = args
        element = context.get_data_type(array.dtype)
        if array.dtype != types.float32:
            values = builder.fptoui(values, ir.VectorType(element, vector.lanes))
        at = pointer(context, builder, array, array_, index_, element, vector.lanes)
        builder.store(values, at, align=context.get_abi_sizeof(element))
        return context.get_dummy_value()

    return types.void(array, types.intp, vector), codegen


@intrinsic(prefer_literal=True)
def load_numbers(typingctx, array, index, lanes):
    """A vector of the whole numbers `array[index : index + lanes]`, unsigned."""
    vector = Vector(lanes.literal_value)

    def codegen(context, builder, signature, args):
        element = context.get_data_type(array.dtype)
        at = pointer(context, builder, array, args[0], args[1], element, vector.lanes)
        numbers = builder.load(at, align=context.get_abi_sizeof(element))
        return builder.uitofp(numbers, ir.VectorType(ir.FloatType(), vector.lanes))

    return vector(array, types.intp, lanes), codegen


_LOG2_E, _LN2_HIGH, _LN2_LOW = 1.44269504088896341, 0.693359375, -2.12194440e-4
_EXP = (
    1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1,
    5.0000001201e-1,
)  # fmt: skip
_LEAST = -87.0
"""Below it a power of e is next to the least float32 that is none of the inexact ones."""


@intrinsic
def exponential(typingctx, vector):
    """Powers of e by each of `vector`, none above 0; 0 below -87, NaN for NaN.

    Source: Cephes' `expf` (Moshier 1992): within two units in the last place.
    """

    def codegen(context, builder, signature, args):
        x, kind = args[0], args[0].type
        whole = ir.VectorType(ir.IntType(32), vector.lanes)

        def number(value):
            return ir.Constant(kind, [value] * vector.lanes)

        # Of NaN there is no whole number.
        is_far = builder.fcmp_ordered(">=", x, number(_LEAST))
        near = builder.select(is_far, x, number(_LEAST))
        floor = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(kind, [kind]), f"llvm.floor.v{vector.lanes}f32"
        )
        n = builder.call(floor, [fma(builder, near, number(_LOG2_E), number(0.5))])
        r = fma(builder, n, number(-_LN2_HIGH), near)
        r = fma(builder, n, number(-_LN2_LOW), r)
        power = number(_EXP[0])
        for factor in _EXP[1:]:
            power = fma(builder, power, r, number(factor))
        power = fma(builder, power, builder.fmul(r, r), r)
        power = builder.fadd(power, number(1))
        # Times 2 to the n, by the bits.
        bits = builder.shl(builder.fptosi(n, whole), ir.Constant(whole, [23] * vector.lanes))
        power = builder.bitcast(builder.add(builder.bitcast(power, whole), bits), kind)
        power = builder.select(is_far, power, number(0))
        return builder.select(builder.fcmp_unordered("uno", x, x), x, power)

    return vector(vector), codegen


def _halved(builder, value, combine):
    """All lanes of `value` made one, by halves, always in the same order."""
    lanes = value.type.count
    while lanes > 1:
        lanes //= 2
        halves = [
            builder.shuffle_vector(
                value,
                ir.Constant(value.type, ir.Undefined),
                ir.Constant(ir.VectorType(ir.IntType(32), lanes), [*range(at, at + lanes)]),
            )
            for at in (0, lanes)
        ]
        value = combine(*halves)
    return builder.extract_element(value, ir.IntType(32)(0))


@intrinsic
def total(typingctx, vector):
    """The sum of a vector's lanes, float64."""

    def codegen(context, builder, signature, args):
        wide = builder.fpext(args[0], ir.VectorType(ir.DoubleType(), vector.lanes))
        return _halved(builder, wide, builder.fadd)

    return types.float64(vector), codegen


@intrinsic
def largest(typingctx, vector):
    """The largest of a vector's lanes; whatever is there if one is NaN."""

    def codegen(context, builder, signature, args):
        def larger(a, b):
            return builder.select(builder.fcmp_unordered(">", a, b), a, b)

        return _halved(builder, args[0], larger)

    return types.float32(vector), codegen


@intrinsic
def where_above(typingctx, a, b, yes, no):
    """`yes` where `a` is above `b`, or either is NaN; else `no`."""

    def codegen(context, builder, signature, args):
        above = builder.fcmp_unordered(">", args[0], args[1])
        return builder.select(above, args[2], args[3])

    return a(a, b, yes, no), codegen


@intrinsic
def dropped(typingctx, vector, words, index, below, gain):
    """`vector` times `gain`, and 0 in lanes whose `words`, from `index` on, are low.

    They are whose upper 24 bits of 32 are a number below `below`.
    """

    def codegen(context, builder, signature, args):
        values, words_, index_, below_, gain_ = args
        kind = ir.IntType(32)
        at = pointer(context, builder, words, words_, index_, kind, vector.lanes)
        drawn = builder.load(at, align=4)
        upper = builder.lshr(drawn, ir.Constant(drawn.type, [8] * vector.lanes))
        is_kept = builder.icmp_unsigned(">=", upper, splat(builder, below_, vector.lanes))
        more = builder.fmul(values, splat(builder, gain_, vector.lanes))
        return builder.select(is_kept, more, ir.Constant(values.type, None))

    return vector(vector, words, types.intp, types.uint32, types.float32), codegen


@intrinsic
def where_equal(typingctx, a, b, yes, no):
    """`yes` where `a` equals `b`, else `no`."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("==", args[0], args[1]), args[2], args[3])

    return a(a, b, yes, no), codegen


@intrinsic
def add_each(typingctx, sums, vectors):
    """`sums[i * n + j] + vectors[j]` for each i and j, where n is the number of `vectors`."""

    def codegen(context, builder, signature, args):
        again = cgutils.unpack_tuple(builder, args[1]) * (sums.count // vectors.count)
        added = map(builder.fadd, cgutils.unpack_tuple(builder, args[0]), again)
        return context.make_tuple(builder, sums, list(added))

    return sums(sums, vectors), codegen


@intrinsic
def floored(typingctx, vectors, floor):
    """The tuple `vectors`, with `floor` where that is not below; NaN stays."""

    def codegen(context, builder, signature, args):
        kept = [
            builder.select(builder.fcmp_unordered(">", vector, args[1]), vector, args[1])
            for vector in cgutils.unpack_tuple(builder, args[0])
        ]
        return context.make_tuple(builder, vectors, kept)

    return vectors(vectors, floor), codegen


@intrinsic
def gated(typingctx, gates, floor, vectors):
    """The tuple `vectors`, with 0 where those of the tuple `gates` are not above `floor`."""

    def codegen(context, builder, signature, args):
        gates_, floor_, vectors_ = args
        zero = ir.Constant(floor_.type, None)
        pairs = zip(*(cgutils.unpack_tuple(builder, a) for a in (gates_, vectors_)), strict=True)
        passed = [
            builder.select(builder.fcmp_ordered(">", gate, floor_), vector, zero)
            for gate, vector in pairs
        ]
        return context.make_tuple(builder, vectors, passed)

    return vectors(gates, floor, vectors), codegen


def each(function: Any) -> Any:
    """A `function` of one float32, which LLVM has no vectors for, made one of vectors."""

    @intrinsic
    def run(typingctx, vector):
        def codegen(context, builder, signature, args):
            result = args[0]
            for i in range(vector.lanes):
                lane = ir.IntType(32)(i)
                value = context.compile_internal(
                    builder,
                    function,
                    types.float32(types.float32),
                    [builder.extract_element(args[0], lane)],
                )
                result = builder.insert_element(result, value, lane)
            return result

        return vector(vector), codegen

    return run
