"""Twins in NumPy of what kernels get from LLVM, for runs with `NUMBA_DISABLE_JIT=1`.

A vector is a float32 array, a tuple of vectors is a tuple. Multiply-adds are rounded once, as the
fused ones are, by way of float64: to float32 that is exact but for ties.
"""

import importlib
import sys

import numpy as np

from siffra.engine.native import simd, simd_math

LANES = 16
DEAD = 255


def fma(scalar, vector, total):
    """`scalar * vector + total`, rounded once."""
    exact = np.asarray(scalar, np.float64) * np.asarray(vector, np.float64) + total
    return exact.astype(np.float32)


def peek(array, index):
    assert index >= 0
    value = array.reshape(-1)[index]
    return value if array.dtype == np.float32 else int(value)


def peek_many(array, index, count):
    return tuple(peek(array, index + i) for i in range(count))


def load(array, index, lanes):
    flat = array.reshape(-1)
    assert 0 <= index <= flat.size - lanes
    return flat[index : index + lanes].astype(np.float32)


def load_rows(array, index, stride, lanes, count):
    return tuple(load(array, index + i * stride, lanes) for i in range(count))


def load_each(array, index, offsets, lanes, count):
    return tuple(
        load(array, index + offset + j * lanes, lanes) for offset in offsets for j in range(count)
    )


def store(array, index, vector):
    flat = array.reshape(-1)
    assert np.shares_memory(flat, array)
    assert 0 <= index <= flat.size - len(vector)
    flat[index : index + len(vector)] = vector


def store_rows(array, index, stride, rows):
    for i, row in enumerate(rows):
        store(array, index + i * stride, row)


def store_each(array, index, offsets, rows):
    together = len(rows) // len(offsets)
    for i, row in enumerate(rows):
        store(array, index + offsets[i // together] + i % together * len(row), row)


def add_to(array, index, scalar, vector):
    store(array, index, fma(scalar, vector, load(array, index, len(vector))))


def add_scaled(sums, array, index, offsets, vectors):
    values = [peek(array, index + offset) for offset in offsets]
    pairs = [(value, vector) for value in values for vector in vectors]
    return tuple(fma(*pair, total) for pair, total in zip(pairs, sums, strict=True))


def add_outer(sums, array, index, vectors):
    return add_scaled(sums, array, index, range(len(sums) // len(vectors)), vectors)


def add_scaled_rows(sums, scalar, rows):
    return tuple(fma(scalar, row, total) for row, total in zip(rows, sums, strict=True))


def move(to, index, array, start, count):
    assert to.dtype == array.dtype
    to[index : index + count] = array[start : start + count]


def nonzero(array, index, lanes):
    return sum(1 << i for i, value in enumerate(array[index : index + lanes]) if value)


def low_zeros(bits):
    return (bits & -bits).bit_length() - 1 if bits else 64


def high_zeros(bits):
    return 64 - bits.bit_length()


SIMD = {
    "peek": peek,
    "peek_many": peek_many,
    "prefetch": lambda array, index: None,
    "multiples": lambda number, count: tuple(i * number for i in range(count)),
    "load": load,
    "load_rows": load_rows,
    "load_each": load_each,
    "store_rows": store_rows,
    "store_each": store_each,
    "add_to": add_to,
    "add_scaled": add_scaled,
    "add_outer": add_outer,
    "add_scaled_rows": add_scaled_rows,
    "zeros": lambda lanes, count: (np.zeros(lanes, np.float32),) * count,
    "repeat": lambda vectors, times: vectors * times,
    "transposed": lambda rows: tuple(np.stack(rows, axis=1)),
    "move": move,
    "nonzero": nonzero,
    "low_zeros": low_zeros,
    "high_zeros": high_zeros,
}


def add_each(sums, vectors):
    again = vectors * (len(sums) // len(vectors))
    return tuple(a + b for a, b in zip(sums, again, strict=True))


def clamped(vector, low, high):
    raised = np.where(vector > low, vector, low)
    return np.where(raised < high, raised, high)


def dropped(vector, words, index, below, gain):
    assert 0 <= index <= words.size - len(vector)
    return np.where(words[index : index + len(vector)] >> 8 >= below, vector * gain, np.float32(0))


SIMD_MATH = {
    "spread": lambda value, lanes: np.full(lanes, value, np.float32),
    "ramp": lambda lanes: np.arange(lanes, dtype=np.float32),
    "clamped": clamped,
    "rounded_down": np.floor,
    "store": store,
    "load_numbers": load,
    "where_above": lambda a, b, yes, no: np.where(~(a <= b), yes, no),
    "where_equal": lambda a, b, yes, no: np.where(a == b, yes, no),
    "add_each": add_each,
    "floored": lambda vectors, floor: tuple(np.where(~(v <= floor), v, floor) for v in vectors),
    "gated": lambda gates, floor, vectors: tuple(
        np.where(gate > floor, vector, np.float32(0))
        for gate, vector in zip(gates, vectors, strict=True)
    ),
    "dropped": dropped,
    "exponential": lambda u: np.where(u < -87, np.float32(0), np.exp(u)),
    "total": lambda vector: float(vector.astype(np.float64).sum()),
    "largest": lambda vector: vector.max(),
    "each": lambda function: lambda u: np.array([function(value) for value in u], np.float32),
}


def add_quads(sums, array, corners, places, vectors):
    offsets = [corner + place for corner in corners for place in places]
    return add_scaled(sums, array, 0, offsets, vectors)


def store_windows(sums, size, together, array, choices, index, outs, filters):
    for w, out in enumerate(outs):
        for j in range(together):
            window = np.stack(sums[w * size * together + j : (w + 1) * size * together : together])
            best = window[0]
            choice = np.zeros(len(best), np.uint8)
            for i, other in enumerate(window[1:], start=1):
                best, choice = np.where(
                    other > best, [other, np.full_like(best, i)], [best, choice]
                )
            is_alive = ~(best <= 0)
            start = index + out * filters + j * len(best)
            store(array, start, np.where(is_alive, best, np.float32(0)))
            store(choices, start, np.where(is_alive, choice, DEAD))


def route_window(gradient, choices, index, corner, right, below, slopes, places, to):
    choice = load(choices, index, LANES).astype(int)
    slope = np.where(choice == DEAD, np.float32(0), load(gradient, index, LANES))
    store(slopes, to, slope)
    store(places, to, corner + (choice & 1) * right + (choice >> 1 & 1) * below)
    return slope


def add_patches(sums, array, first, places, stride, slopes):
    count = len(sums) // len(places)
    results = []
    for place, slope in zip(places, slopes, strict=True):
        for j in range(count):
            patch = load(array, first + place + j * stride, len(sums[0]))
            results.append(fma(slope, patch, sums[len(results)]))
    return tuple(results)


def transform(*matrix):
    def run(array, index, rows, columns, to, start, to_rows, to_columns):
        square = [[load(array, index + i + j, LANES // 2) for j in columns] for i in rows]
        square = np.einsum("pi,ijl,qj->pql", matrix, square, matrix)
        # Last first, as of two that go to the same place the first stays.
        for row, i in reversed(list(zip(square, to_rows, strict=True))):
            for vector, j in reversed(list(zip(row, to_columns, strict=True))):
                store(to, start + i + j, vector)

    return run


def activation_of(which):
    def value(name, u):
        pointwise = sys.modules["siffra.engine.native.pointwise"]
        return pointwise._FUNCTIONS[name][which](u)

    return value


def neighbours(fours, places, wide, channels, scale):
    indices = places.astype(int)
    if fours.dtype == np.uint32:
        words = fours[indices]
        four = [(words >> 8 * byte & 255).astype(np.float32) for byte in range(4)]
    else:
        four = [fours[indices + further] for further in (0, channels, wide, wide + channels)]
    return tuple(values * scale for values in four)


def fours_of(framed):
    return np.zeros(framed.size, np.uint32) if framed.dtype == np.uint8 else framed


def pack(framed, wide, channels, fours):
    if framed.dtype == np.uint8:
        n = framed.size - wide - channels
        parts = [framed[start : start + n] for start in (0, channels, wide, wide + channels)]
        fours[:n] = sum(part.astype(np.uint32) << 8 * byte for byte, part in enumerate(parts))


OTHERS = {
    "conv_fused_forward": {
        "_hidden": lambda number: number,
        "_add_quads": add_quads,
        "_store_windows": store_windows,
    },
    "conv_fused_gradients": {"_route_window": route_window, "_add_patches": add_patches},
    "winograd": {
        "_WIDTH": LANES // 2,
        "_take_pixels": transform((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
        "_give_sums": transform((1, 1, 1, 0), (0, 1, -1, -1)),
        "_take_kernel": transform((1, 0, 0), (0.5, 0.5, 0.5), (0.5, -0.5, 0.5), (0, 0, 1)),
        "_take_slopes": transform((1, 0), (1, 1), (1, -1), (0, -1)),
        "_give_kernel": transform((1, 0.5, 0.5, 0), (0, 0.5, -0.5, 0), (0, 0.5, 0.5, 1)),
    },
    "pointwise": {"value": activation_of(0), "slope": activation_of(1)},
    "warp": {"_neighbours": neighbours, "fours_of": fours_of, "pack": pack},
}
"""By module: what it defines for itself alone."""


def install() -> None:
    """Give kernels these twins; to be called before any module with kernels is imported."""
    assert "siffra.engine.native.products" not in sys.modules
    for module, twins in ((simd, SIMD), (simd_math, SIMD_MATH)):
        for name, twin in twins.items():
            assert hasattr(module, name)
            setattr(module, name, twin)
    for name, twins in OTHERS.items():
        module = importlib.import_module(f"siffra.engine.native.{name}")
        for function, twin in twins.items():
            assert hasattr(module, function)
            setattr(module, function, twin)
