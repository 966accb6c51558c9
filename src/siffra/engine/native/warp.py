"""Augmentation: a batch of images, each gathered through a bilinear warp of its own."""

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import overload

from siffra.engine.native.conv import LANES
from siffra.engine.native.gather import prefetch_image
from siffra.engine.native.simd import (
    gathered,
    high_zeros,
    intrinsic,
    low_zeros,
    move,
    nonzero,
    peek,
    pointer,
    splat,
)
from siffra.engine.native.simd_math import clamped, ramp, rounded_down, spread, store, where_above
from siffra.system.jit import inline, noinline, parallel

_FEW = 8
"""Images that a thread warps one after the other, with the same work space."""
_ABREAST = 32
"""Pixels that are asked together whether any is not 0."""
_BREADTH = np.float32(1 / 16)
"""More than rounding moves the source of a pixel, in pixels."""
_NO_STEP = np.float32(1e-6)
"""So small a step from pixel to pixel that a row of them goes nowhere."""


def framed_floats(height: int, width: int, channels: int) -> int:
    """Floats of an image with the zeros around it that its warp reads."""
    return (height + 3) * (width + 3) * channels


@parallel
def gather_warped(images, order, maps, scale, layout, out):
    """`gather` of images that are each warped by a map, as `siffra.data.shifts.warp` does it.

    The results agree to float32's rounding.

    Args:
        images: (n, height, width, channels) uint8 or float32.
        order: (batch,) int64.
        maps: (n, 2, 3) float32, where each pixel comes from: see `siffra.engine.rng.epoch_maps`.
        scale: float32, what a pixel's value is multiplied by.
        layout: InputLayout.
        out: (batch * layout.image,) float32 or longer; what lies between the floats is kept.
    """
    for few in prange((order.size + _FEW - 1) // _FEW):
        _gather_few(images, order, few * _FEW, maps, scale, layout, out)


@noinline
def _gather_few(images, order, start, maps, scale, layout, out):
    """Gather a few images, from the one at `start` of the `order` on.

    Args:
        images: (n, height, width, channels) uint8 or float32.
        order: (batch,) int64.
        start: int.
        maps: (n, 2, 3) float32.
        scale: float32.
        layout: InputLayout.
        out: (batch * layout.image,) float32.
    """
    _, height, width, channels = images.shape
    wide = (width + 3) * channels
    # A copy with zeros around it, so that no pixel's neighbours are a special case.
    framed = np.zeros((height + 3) * wide + _ABREAST, images.dtype)
    fours = fours_of(framed)
    goals = np.empty(height * (width // LANES + 1) + 1, np.int32)
    starts = np.empty((3, goals.size), np.float32)
    # Made for several images at once, since allocating takes a lock that all threads share.
    # Each channel by itself, with room for a vector that begins at the last pixel.
    warped = np.empty((channels, height * width + LANES), np.float32)
    for i in range(start, min(order.size, start + _FEW)):
        prefetch_image(images, height * width * channels, order, i + 1)
        image, map_ = images[order[i]], maps[order[i]]
        _frame(image, framed)
        pack(framed, wide, channels, fours)
        count = _find_nonzero(map_, image.shape, framed, goals, starts)
        _warp(map_, image.shape, scale, fours, count, goals, starts, warped)
        _place(warped, height * width, layout, out[i * layout.image : (i + 1) * layout.image])


@inline
def _frame(image, framed):
    """Copy an image into the middle of a frame: a pixel to its top and left, two beyond.

    Args:
        image: (height, width, channels) uint8 or float32.
        framed: (framed floats,) uint8 or float32, of the same type; its border stays 0.
    """
    height, width, channels = image.shape
    wide, floats = (width + 3) * channels, width * channels
    flat = image.reshape(-1)
    for y in range(height):
        source, to = y * floats, (y + 1) * wide + channels
        if floats < LANES:
            for j in range(floats):
                framed[np.uint64(to + j)] = peek(flat, source + j)
        else:
            # The last ones end where the row does, some of them copied twice.
            for j in range(0, floats, LANES):
                offset = min(j, floats - LANES)
                move(framed, to + offset, flat, source + offset, LANES)


@inline
def _find_nonzero(map_, shape, framed, goals, starts):
    """List the vectors of LANES pixels of a warped image that may not be all 0; how many.

    Vector i begins at pixel `goals[i]`, which is in column `starts[0, i]`; its row's column 0
    comes from column `starts[1, i]` and row `starts[2, i]` of the framed image, were it as long.

    Args:
        map_: (2, 3) float32.
        shape: int triple, height, width and channels.
        framed: (framed floats,) uint8 or float32.
        goals: (vectors + 1,) int32, filled.
        starts: (3, vectors + 1) float32, filled.
    """
    height, width, channels = shape
    left, right, top, bottom = _box(framed, height, (width + 3) * channels, channels)
    along_x, along_y, last = map_[0, 0], map_[1, 0], np.float32(width - 1)
    across, down = _inverse(along_x), _inverse(along_y)
    middle_x, middle_y = np.float32(last / 2), np.float32((height - 1) / 2)
    # One more than the coordinates: the frame's.
    one = np.float32(1)
    columns, sources_x, sources_y = starts
    count = 0
    for y in range(height):
        below = np.float32(y) - middle_y
        from_x = map_[0, 1] * below + map_[0, 2] - along_x * middle_x + (middle_x + one)
        from_y = map_[1, 1] * below + map_[1, 2] - along_y * middle_x + (middle_y + one)
        first, end = _between(from_x, across, left - one, right + one, last)
        start, stop = _between(from_y, down, top - one, bottom + one, last)
        x, most = int(max(first, start)), int(min(end, stop))
        # How many there are is a sum, not a branch, which would be guessed wrong all the time.
        for column in range(x, x + width, LANES):
            i = np.uint64(count)
            goals[i], columns[i] = y * width + column, column
            sources_x[i], sources_y[i] = from_x, from_y
            count += column <= most
    return count


@inline
def _box(framed, height, wide, channels):
    """Where a framed image is not 0: its first and last column, its first and last row, float32.

    Args:
        framed: (framed floats,) uint8 or float32.
        height, wide, channels: int, rows of the image, floats of a row of the frame, channels.
    """
    left, right, top, bottom = wide, -1, height, -1
    for y in range(1, height + 1):
        for j in range(0, wide, _ABREAST):
            bits = nonzero(framed, y * wide + j, _ABREAST)
            if wide - j < _ABREAST:
                bits &= (1 << (wide - j)) - 1
            if bits:
                left = min(left, j + low_zeros(bits))
                right = max(right, j + 63 - high_zeros(bits))
                top, bottom = min(top, y), y
    return (
        np.float32(left // channels),
        np.float32(right // channels),
        np.float32(top),
        np.float32(bottom),
    )


@inline
def _inverse(step):
    """1 / step; 0 if the step is (nearly) 0.

    Args:
        step: float32, in pixels.
    """
    return np.float32(1) / step if abs(step) > _NO_STEP else np.float32(0)


@inline
def _between(start, inverse, low, high, last):
    """The first and the last x in 0..`last` with `start + x / inverse` in `low`..`high`.

    Rather too many than one too few. An `inverse` of 0 stands for a start that stays.

    Args:
        start, inverse, low, high, last: float32, in pixels (`inverse`: per pixel).
    """
    low, high, none = low - _BREADTH, high + _BREADTH, np.float32(-1)
    if inverse == 0:
        return np.float32(0), last if low <= start <= high else none
    near, far = (low - start) * inverse, (high - start) * inverse
    return max(min(near, far), np.float32(0)), max(min(max(near, far), last), none)


@inline
def _warp(map_, shape, scale, fours, count, goals, starts, warped):
    """Compute the vectors of `warped` that `_find_nonzero` listed; the others become 0.

    Args:
        map_: (2, 3) float32.
        shape: int triple, height, width and channels.
        scale: float32.
        fours: (framed floats,) uint32 or float32, see `pack`.
        count: int.
        goals: (vectors + 1,) int32.
        starts: (3, vectors + 1) float32.
        warped: (channels, pixels + LANES) float32.
    """
    height, width, channels = shape
    wide = (width + 3) * channels
    zero, ends = spread(np.float32(0), LANES), spread(np.float32(width), LANES)
    most_x, most_y = spread(np.float32(width + 1), LANES), spread(np.float32(height + 1), LANES)
    row, pixel = spread(np.float32(wide), LANES), spread(np.float32(channels), LANES)
    along_x, along_y = spread(map_[0, 0], LANES), spread(map_[1, 0], LANES)
    columns, sources_x, sources_y = starts
    warped[:] = 0
    for i in range(count):
        x = spread(peek(columns, i), LANES) + ramp(LANES)
        source_x = clamped(spread(peek(sources_x, i), LANES) + along_x * x, zero, most_x)
        source_y = clamped(spread(peek(sources_y, i), LANES) + along_y * x, zero, most_y)
        left, top = rounded_down(source_x), rounded_down(source_y)
        right, lower = source_x - left, source_y - top
        for c in range(channels):
            place = top * row + left * pixel + spread(np.float32(c), LANES)
            a, b, d, e = _neighbours(fours, place, wide, channels, scale)
            upper, under = a + right * (b - a), d + right * (e - d)
            # What is beyond the row's end is the next one's: zeros, until its turn.
            values = where_above(ends, x, upper + lower * (under - upper), zero)
            store(warped[c], peek(goals, i), values)


@inline
def _place(warped, pixels, layout, out):
    """Copy an image, its channels apart in `warped`, to where its floats go.

    Args:
        warped: (channels, pixels or more) float32.
        pixels: int.
        layout: InputLayout.
        out: (layout.image,) float32.
    """
    channels = len(warped)
    if layout.is_contiguous and channels == 1:
        for j in range(pixels):
            out[np.uint64(j)] = peek(warped[0], j)
    else:
        for j in range(pixels):
            for c in range(channels):
                out[layout.offsets[j * channels + c]] = warped[c, j]


def fours_of(framed):
    """Room for what `pack` makes of `framed`."""
    raise NotImplementedError


def pack(framed, wide, channels, fours):
    """Put together each pixel of `framed`, the one right of it, and those below the two.

    To find a pixel in memory takes longer than what is done with it. Where pixels are bytes, four
    of them are found at once.
    """
    raise NotImplementedError


@overload(fours_of)
def _fours_of(framed):
    def words(framed):
        return np.zeros(framed.size, np.uint32)

    def itself(framed):
        return framed

    return words if framed.dtype == types.uint8 else itself


@overload(pack)
def _pack(framed, wide, channels, fours):
    def pack_bytes(framed, wide, channels, fours):
        for j in range(framed.size - wide - channels):
            below = j + wide
            upper = np.uint32(peek(framed, j)) | np.uint32(peek(framed, j + channels)) << 8
            lower = np.uint32(peek(framed, below)) | np.uint32(peek(framed, below + channels)) << 8
            fours[j] = upper | lower << 16

    def leave(framed, wide, channels, fours):
        return None

    return pack_bytes if framed.dtype == types.uint8 else leave


@intrinsic
def _neighbours(typingctx, fours, places, wide, channels, scale):
    """Vectors of the pixels at the whole numbers `places`, right of them, below, and both.

    They are times `scale`. `fours` are bytes that were packed, or the floats themselves.
    """
    packed, lanes = fours.dtype == types.uint32, places.lanes

    def codegen(context, builder, signature, args):
        fours_, places_, wide_, channels_, scale_ = args
        kind = ir.VectorType(context.get_data_type(fours.dtype), lanes)
        indices = builder.fptosi(places_, ir.VectorType(ir.IntType(32), lanes))

        def found(further):
            start = pointer(context, builder, fours, fours_, further)
            return gathered(builder, start, indices, kind)

        if packed:
            words = found(wide_.type(0))

            def byte(number):
                shift = ir.Constant(words.type, [8 * number] * lanes)
                low = ir.Constant(words.type, [255] * lanes)
                value = builder.and_(builder.lshr(words, shift), low)
                return builder.sitofp(value, ir.VectorType(ir.FloatType(), lanes))

            four = [byte(number) for number in range(4)]
        else:
            below = [wide_, builder.add(wide_, channels_)]
            four = [found(further) for further in (wide_.type(0), channels_, *below)]
        spread = splat(builder, scale_, lanes)
        scaled = [builder.fmul(values, spread) for values in four]
        return context.make_tuple(builder, signature.return_type, scaled)

    parameters = fours, places, types.intp, types.intp, types.float32
    return types.UniTuple(places, 4)(*parameters), codegen
