"""Arithmetic on vectors, lane by lane, for kernels that go through channels.

Beside what is here, vectors of equal length are added, subtracted, multiplied and divided with
the usual signs, each operation rounded by itself. See `siffra.engine.native.vector`.
"""

import operator
from typing import Any

from llvmlite import ir
from numba import types
from numba.core.typing import templates
from numba.extending import lower_builtin

from siffra.engine.native.vector import Vector, intrinsic, pointer, splat


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


@intrinsic
def where_above(typingctx, a, b, yes, no):
    """`yes` where `a` is above `b`, or either is NaN; else `no`."""

    def codegen(context, builder, signature, args):
        above = builder.fcmp_unordered(">", args[0], args[1])
        return builder.select(above, args[2], args[3])

    return a(a, b, yes, no), codegen


@intrinsic
def where_equal(typingctx, a, b, yes, no):
    """`yes` where `a` equals `b`, else `no`."""

    def codegen(context, builder, signature, args):
        return builder.select(builder.fcmp_ordered("==", args[0], args[1]), args[2], args[3])

    return a(a, b, yes, no), codegen


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
