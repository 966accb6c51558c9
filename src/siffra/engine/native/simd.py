"""Vectors of float32 for kernels: LLVM's `<lanes x float>` as a Numba type, and what it can do.

LLVM does not vectorise the convolution's loops by itself; with these the registers are said
outright, and LLVM only has to choose the instructions. Nothing here is bounds-checked.
Multiply-adds are fused (one rounding), whatever LLVM thinks of the loop around them, so that
a kernel's result does not depend on how it was optimised.
"""

from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic as _intrinsic
from numba.extending import models, register_model

_FEATURES = config.CPU_FEATURES or llvm.get_host_cpu_features().flatten()  # pyright: ignore[reportAttributeAccessIssue]
WIDE = "+avx512f" in _FEATURES
"""Whether a register holds 16 floats (else 8) and there are 32 of them (else 16)."""

intrinsic: Any = _intrinsic  # what it makes is called without its first parameter

_ALIGN = 4  # bytes: vectors start at any float


class Vector(types.Type):
    """`lanes` float32 in a register."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        super().__init__(name=f"Vector({lanes})")


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm, fe_type) -> None:
        super().__init__(dmm, fe_type, ir.VectorType(ir.FloatType(), fe_type.lanes))


def pointer(context, builder, array_type, array, index, element=None, lanes=1):
    """The address of element `index` of a flat array: of one element, or of `lanes` of them."""
    at = builder.gep(context.make_array(array_type)(context, builder, array).data, [index])
    if lanes == 1:
        return at
    return builder.bitcast(at, ir.VectorType(element, lanes).as_pointer())


def splat(builder, scalar, lanes):
    """A vector with `scalar` in every lane."""
    vector = ir.VectorType(scalar.type, lanes)
    one = builder.insert_element(ir.Constant(vector, ir.Undefined), scalar, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
    return builder.shuffle_vector(one, ir.Constant(vector, ir.Undefined), zeros)


def fma(builder, a, b, c):
    """Vector `a * b + c`, rounded once."""
    lanes = a.type.count
    function = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(a.type, [a.type] * 3), f"llvm.fma.v{lanes}f32"
    )
    return builder.call(function, [a, b, c])


def gathered(builder, start, indices, kind):
    """A vector of type `kind`: what lies `indices`, whole numbers, beyond the pointer `start`."""
    lanes, number = kind.count, ir.VectorType(ir.IntType(64), kind.count)
    size = ir.Constant(number, [_ALIGN] * lanes)
    base = splat(builder, builder.ptrtoint(start, number.element), lanes)
    places = builder.add(base, builder.mul(builder.sext(indices, number), size))
    pointers = ir.VectorType(kind.element.as_pointer(), lanes)
    mask = ir.VectorType(ir.IntType(1), lanes)
    function = cgutils.get_or_insert_function(
        builder.module,
        ir.FunctionType(kind, [pointers, ir.IntType(32), mask, kind]),
        f"llvm.masked.gather.v{lanes}{kind.element.intrinsic_name}.v{lanes}p0",
    )
    every, nothing = ir.Constant(mask, [1] * lanes), ir.Constant(kind, ir.Undefined)
    at = builder.inttoptr(places, pointers)
    return builder.call(function, [at, ir.IntType(32)(_ALIGN), every, nothing])


def load_at(context, builder, array_type, array, index, lanes):
    """`array[index : index + lanes]`, a vector."""
    at = pointer(context, builder, array_type, array, index, ir.FloatType(), lanes)
    return builder.load(at, align=_ALIGN)


def store_at(context, builder, array_type, array, index, vector):
    """Make `vector` the floats of `array` from `index` on."""
    at = pointer(context, builder, array_type, array, index, ir.FloatType(), vector.type.count)
    builder.store(vector, at, align=_ALIGN)


@intrinsic(prefer_literal=True)
def multiples(typingctx, number, count):
    """The tuple `0, number, 2 * number, ...`, `count` of them."""
    result = types.UniTuple(types.intp, count.literal_value)

    def codegen(context, builder, signature, args):
        values = [builder.mul(args[0], args[0].type(i)) for i in range(result.count)]
        return context.make_tuple(builder, result, values)

    return result(types.intp, count), codegen


@intrinsic(prefer_literal=True)
def peek_many(typingctx, array, index, count):
    """The tuple `array[index], ..., array[index + count - 1]`; integers as machine words."""
    kind = types.intp if isinstance(array.dtype, types.Integer) else array.dtype
    result = types.UniTuple(kind, count.literal_value)

    def codegen(context, builder, signature, args):
        values = []
        for i in range(result.count):
            at = builder.add(args[1], args[1].type(i))
            value = builder.load(pointer(context, builder, array, args[0], at))
            values.append(context.cast(builder, value, array.dtype, kind))
        return context.make_tuple(builder, result, values)

    return result(array, types.intp, count), codegen


@intrinsic
def peek(typingctx, array, index):
    """`array[index]`, without Python's rule for negative indices."""

    def codegen(context, builder, signature, args):
        return builder.load(pointer(context, builder, array, *args))

    return array.dtype(array, types.intp), codegen


@intrinsic
def prefetch(typingctx, array, index):
    """Ask for the cache line of `array[index]` before it is needed."""

    def codegen(context, builder, signature, args):
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        function = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, number, number, number]),
            "llvm.prefetch.p0",
        )
        at = builder.bitcast(pointer(context, builder, array, *args), byte)
        builder.call(function, [at, number(0), number(3), number(1)])  # read, keep, data
        return context.get_dummy_value()

    return types.void(array, types.intp), codegen


@intrinsic(prefer_literal=True)
def load(typingctx, array, index, lanes):
    """`array[index : index + lanes]` as a vector; `lanes` is a compile-time constant."""
    vector = Vector(lanes.literal_value)

    def codegen(context, builder, signature, args):
        return load_at(context, builder, array, args[0], args[1], vector.lanes)

    return vector(array, types.intp, lanes), codegen


@intrinsic(prefer_literal=True)
def nonzero(typingctx, array, index, lanes):
    """Which of `array[index : index + lanes]` are not 0: bit i of an int64 is for the i-th."""
    count = lanes.literal_value

    def codegen(context, builder, signature, args):
        element = context.get_data_type(array.dtype)
        at = pointer(context, builder, array, args[0], args[1], element, count)
        values = builder.load(at, align=context.get_abi_sizeof(element))
        compare = builder.icmp_unsigned if element == ir.IntType(8) else builder.fcmp_unordered
        found = compare("!=", values, ir.Constant(values.type, None))
        bits = builder.bitcast(found, ir.IntType(count))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(array, types.intp, lanes), codegen


@intrinsic(prefer_literal=True)
def move(typingctx, to, index, array, start, count):
    """`to[index : index + count] = array[start : start + count]`, in one piece; of equal types."""

    def codegen(context, builder, signature, args):
        element, number = context.get_data_type(array.dtype), count.literal_value
        source = pointer(context, builder, array, args[2], args[3], element, number)
        target = pointer(context, builder, to, args[0], args[1], element, number)
        align = context.get_abi_sizeof(element)
        builder.store(builder.load(source, align=align), target, align=align)
        return context.get_dummy_value()

    return types.void(to, types.intp, array, types.intp, count), codegen


def _count_zeros(name):
    @intrinsic
    def count(typingctx, bits):
        def codegen(context, builder, signature, args):
            number, flag = ir.IntType(64), ir.IntType(1)
            function = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(number, [number, flag]), f"llvm.{name}.i64"
            )
            return builder.call(function, [args[0], flag(0)])

        return types.int64(types.int64), codegen

    return count


low_zeros, high_zeros = _count_zeros("cttz"), _count_zeros("ctlz")
"""How many zero bits an int64 has below its lowest one, and above its highest; 64 if all."""


@intrinsic(prefer_literal=True)
def zeros(typingctx, lanes, count):
    """A tuple of `count` vectors of zeros."""
    result = types.UniTuple(Vector(lanes.literal_value), count.literal_value)

    def codegen(context, builder, signature, args):
        zero = ir.Constant(ir.VectorType(ir.FloatType(), result.dtype.lanes), None)
        return context.make_tuple(builder, result, [zero] * result.count)

    return result(lanes, count), codegen


@intrinsic(prefer_literal=True)
def repeat(typingctx, vectors, times):
    """The tuple `vectors`, `times` times over."""
    result = types.UniTuple(vectors.dtype, vectors.count * times.literal_value)

    def codegen(context, builder, signature, args):
        once = [builder.extract_value(args[0], i) for i in range(vectors.count)]
        return context.make_tuple(builder, result, once * times.literal_value)

    return result(vectors, times), codegen


@intrinsic
def add_scaled(typingctx, sums, array, index, offsets, vectors):
    """Each of some values of an array, times each of some vectors, added to a sum of its own.

    `sums[i * n + j] + array[index + offsets[i]] * vectors[j]` for each i and j, where n is the
    number of `vectors`. All three are tuples.
    """

    def codegen(context, builder, signature, args):
        sums_, array_, index_, offsets_, vectors_ = args
        places = [
            builder.add(index_, builder.extract_value(offsets_, i)) for i in range(offsets.count)
        ]
        pointers = [pointer(context, builder, array, array_, at) for at in places]
        results = _outer(builder, sums_, pointers, vectors_, vectors)
        return context.make_tuple(builder, sums, results)

    return sums(sums, array, types.intp, offsets, vectors), codegen


@intrinsic
def add_outer(typingctx, sums, array, index, vectors):
    """`add_scaled` for as many neighbours of `array[index]`: its `offsets` are 0, 1, 2, ..."""
    count = sums.count // vectors.count

    def codegen(context, builder, signature, args):
        sums_, array_, index_, vectors_ = args
        places = [builder.add(index_, index_.type(i)) for i in range(count)]
        pointers = [pointer(context, builder, array, array_, at) for at in places]
        results = _outer(builder, sums_, pointers, vectors_, vectors)
        return context.make_tuple(builder, sums, results)

    return sums(sums, array, types.intp, vectors), codegen


def _outer(builder, sums, pointers, vectors, kind):
    """Value by value, since LLVM keeps the order, and there are few registers left for values."""
    results = []
    for at in pointers:
        value = splat(builder, builder.load(at), kind.dtype.lanes)
        for j in range(kind.count):
            old = builder.extract_value(sums, len(results))
            results.append(fma(builder, value, builder.extract_value(vectors, j), old))
    return results


@intrinsic
def add_scaled_rows(typingctx, sums, scalar, rows):
    """`sums[i] + scalar * rows[i]` for each i."""

    def codegen(context, builder, signature, args):
        sums_, scalar_, rows_ = args
        spread = splat(builder, scalar_, sums.dtype.lanes)
        results = [
            fma(
                builder,
                spread,
                builder.extract_value(rows_, i),
                builder.extract_value(sums_, i),
            )
            for i in range(sums.count)
        ]
        return context.make_tuple(builder, sums, results)

    return sums(sums, types.float32, rows), codegen


@intrinsic
def add_to(typingctx, array, index, scalar, vector):
    """`array[index : index + lanes] += scalar * vector`."""

    def codegen(context, builder, signature, args):
        array_, index_, scalar_, vector_ = args
        old = load_at(context, builder, array, array_, index_, vector.lanes)
        new = fma(builder, splat(builder, scalar_, vector.lanes), vector_, old)
        store_at(context, builder, array, array_, index_, new)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.float32, vector), codegen


@intrinsic(prefer_literal=True)
def load_rows(typingctx, array, index, stride, lanes, count):
    """A tuple of `count` vectors, `array[index + i * stride :][:lanes]`."""
    result = types.UniTuple(Vector(lanes.literal_value), count.literal_value)

    def codegen(context, builder, signature, args):
        array_, at, stride_ = args[:3]
        rows = []
        for _ in range(result.count):
            rows.append(load_at(context, builder, array, array_, at, result.dtype.lanes))
            at = builder.add(at, stride_)
        return context.make_tuple(builder, result, rows)

    return result(array, types.intp, types.intp, lanes, count), codegen


@intrinsic
def store_rows(typingctx, array, index, stride, rows):
    """`array[index + i * stride :][:lanes] = rows[i]` for each i."""

    def codegen(context, builder, signature, args):
        array_, at, stride_, rows_ = args
        for i in range(rows.count):
            store_at(context, builder, array, array_, at, builder.extract_value(rows_, i))
            at = builder.add(at, stride_)
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, rows), codegen


@intrinsic(prefer_literal=True)
def load_each(typingctx, array, index, offsets, lanes, count):
    """A tuple of vectors, `array[index + offsets[i] + j * lanes :][:lanes]` for each i and j.

    There are `count` of them for each of the `offsets`.
    """
    result = types.UniTuple(Vector(lanes.literal_value), offsets.count * count.literal_value)

    def codegen(context, builder, signature, args):
        places = _each_place(builder, args[1], args[2], offsets.count, result)
        rows = [load_at(context, builder, array, args[0], at, result.dtype.lanes) for at in places]
        return context.make_tuple(builder, result, rows)

    return result(array, types.intp, offsets, lanes, count), codegen


@intrinsic
def store_each(typingctx, array, index, offsets, rows):
    """`array[index + offsets[i] + j * lanes :][:lanes] = rows[i * n + j]` for each i and j.

    There are n times as many `rows` as `offsets`.
    """

    def codegen(context, builder, signature, args):
        places = _each_place(builder, args[1], args[2], offsets.count, rows)
        for i, at in enumerate(places):
            store_at(context, builder, array, args[0], at, builder.extract_value(args[3], i))
        return context.get_dummy_value()

    return types.void(array, types.intp, offsets, rows), codegen


def _each_place(builder, index, offsets, count, rows):
    """Where each of `rows` is, of which equally many stand together at each of `count` offsets."""
    together = rows.count // count
    for i in range(rows.count):
        own = builder.extract_value(offsets, i // together)
        further = index.type(i % together * rows.dtype.lanes)
        yield builder.add(index, builder.add(own, further))


@intrinsic
def transposed(typingctx, rows):
    """The tuple of vectors whose i-th one has lane i of each of `rows`, as many as lanes.

    Halves, quarters, ... of pairs of rows change places, until they are single lanes.
    """
    lanes = rows.count

    def codegen(context, builder, signature, args):
        vectors = [builder.extract_value(args[0], i) for i in range(lanes)]
        width = lanes // 2
        while width:
            for i in (i for i in range(lanes) if not i & width):
                upper, lower = vectors[i], vectors[i + width]
                # Lane j of the lower row is number lanes + j.
                keep = [j if not j & width else lanes + j - width for j in range(lanes)]
                give = [j + width if not j & width else lanes + j for j in range(lanes)]
                vectors[i], vectors[i + width] = (
                    builder.shuffle_vector(
                        upper, lower, ir.Constant(ir.VectorType(ir.IntType(32), lanes), mask)
                    )
                    for mask in (keep, give)
                )
            width //= 2
        return context.make_tuple(builder, rows, vectors)

    return rows(rows), codegen
