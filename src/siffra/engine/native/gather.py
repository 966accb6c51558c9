"""A batch of images, from bytes in any order to floats in the first layer's grid.

Augmentation happens on the way: one bilinear warp an image.
"""

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import overload

from siffra.engine.native.conv import LANES
from siffra.engine.native.grid import Grid
from siffra.engine.native.lanewise import store
from siffra.engine.native.vector import Vector, intrinsic, load, peek, pointer, splat
from siffra.kernels import parallel
from siffra.network import Network

PIXEL = np.float32(1 / 255)
"""What a uint8 pixel counts."""


def scale_of(images: np.ndarray) -> np.float32:
    """What a number in `images` is multiplied by: floats count what they say."""
    return PIXEL if images.dtype == np.uint8 else np.float32(1)


_FEW = 8
"""Images that a thread warps at a time, with the same work space."""


class Places(NamedTuple):
    """Where each float of an image (row, column, channel) goes in the first grid.

    An image there takes `image` floats; `straight` says that it lies as it always does.
    """

    at: np.ndarray
    image: int
    straight: bool

    @classmethod
    def of(cls, network: Network, grid: Grid) -> "Places":
        """Those of the images of `network`, whose first layer reads `grid`."""
        height, width, channels = network.image_shape
        straight = np.arange(height * width * channels)
        if not network.convs:
            return cls(straight, straight.size, True)
        block = network.space_to_depth
        row, column, channel = np.ogrid[:height, :width, :channels]
        at = grid.at(np.arange(height // block), np.arange(width // block))
        deep = (row % block * block + column % block) * channels + channel
        places = (at[row // block, column // block] + deep).reshape(-1)
        return cls(places, grid.image, np.array_equal(places, straight))


@parallel
def gather(images, order, scale, places, out):
    """Copy images `order` of (n, floats) `images` to flat `out`, times `scale`."""
    size, at = places.image, places.at
    for i in prange(order.size):
        row, to = images[order[i]], out[i * size : (i + 1) * size]
        if places.straight:
            for j in range(at.size):
                to[j] = np.float32(row[j]) * scale
        else:
            for j in range(at.size):
                to[at[j]] = np.float32(row[j]) * scale


@parallel
def gather_warped(images, order, maps, scale, places, out):
    """`gather` of (n, height, width, channels) images, each through its own of the `maps`.

    `maps` (n, 2, 3) say where each pixel comes from: see `siffra.engine.draws.epoch_maps`. What
    comes out is that of `siffra.data.shifts.warp`, to float32's rounding.
    """
    _, height, width, channels = images.shape
    wide = (width + 3) * channels
    for few in prange((order.size + _FEW - 1) // _FEW):
        # A copy with zeros around it, so that no pixel's neighbours are a special case.
        framed = np.zeros((height + 3) * wide, images.dtype)
        fours = fours_of(framed)
        sources = np.empty(-(-width // LANES) * LANES, np.int32)
        rights, lowers = np.empty((2, sources.size), np.float32)
        line = np.empty((channels, sources.size), np.float32)
        for i in range(few * _FEW, min(order.size, (few + 1) * _FEW)):
            _frame(images[order[i]], framed)
            pack(framed, wide, channels, fours)
            to = out[i * places.image : (i + 1) * places.image]
            for y in range(height):
                _find(y, maps[order[i]], height, width, channels, sources, rights, lowers)
                for c in range(channels):
                    for x in range(0, sources.size, LANES):
                        a, b, d, e = _neighbours(fours, sources, x, c, wide, channels, scale)
                        right, lower = load(rights, x, LANES), load(lowers, x, LANES)
                        upper, under = a + right * (b - a), d + right * (e - d)
                        store(line[c], x, upper + lower * (under - upper))
                _place(line, y * width * channels, width, places, to)


@njit(inline="always")
def _frame(image, framed):
    """Copy an image into the middle of a frame: a pixel to its top and left, two beyond."""
    height, width, channels = image.shape
    wide, floats = (width + 3) * channels, width * channels
    flat = image.reshape(-1)
    for y in range(height):
        to = (y + 1) * wide + channels
        for j in range(floats):
            framed[np.uint64(to + j)] = peek(flat, y * floats + j)


@njit(inline="always")
def _place(line, first, width, places, to):
    """Copy a row of an image, its channels apart in `line`, to where its floats go."""
    channels = len(line)
    if places.straight and channels == 1:
        to[first : first + width] = line[0, :width]
    else:
        for x in range(width):
            for c in range(channels):
                to[places.at[first + x * channels + c]] = line[c, x]


@njit(inline="always")
def _find(y, own, height, width, channels, sources, rights, lowers):
    """Where row `y` comes from: upper left neighbours in the framed image, and shares beyond.

    The arrays have room for whole vectors, and all of it is filled: only so is this one too.
    """
    one = np.float32(1)
    middle_x, middle_y = np.float32((width - 1) / 2), np.float32((height - 1) / 2)
    most_x, most_y = np.float32(width + 1), np.float32(height + 1)
    along_x, along_y = own[0, 0], own[1, 0]
    down = np.float32(y) - middle_y
    # One more than the coordinates: the frame's; and cutting off is rounding down from zero on.
    from_x = own[0, 1] * down + own[0, 2] - along_x * middle_x + (middle_x + one)
    from_y = own[1, 1] * down + own[1, 2] - along_y * middle_x + (middle_y + one)
    for x in range(sources.size):
        sx = from_x + along_x * np.float32(x)
        sy = from_y + along_y * np.float32(x)
        sx = sx if sx > 0 else np.float32(0)
        sy = sy if sy > 0 else np.float32(0)
        sx = sx if sx < most_x else most_x
        sy = sy if sy < most_y else most_y
        left, top = np.int32(sx), np.int32(sy)
        rights[x] = sx - np.float32(left)
        lowers[x] = sy - np.float32(top)
        sources[x] = (top * np.int32(width + 3) + left) * np.int32(channels)


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
def _neighbours(typingctx, fours, sources, x, c, wide, channels, scale):
    """Vectors of the pixels at `sources[x : x + LANES] + c`, right of them, below, and both.

    They are times `scale`. `fours` are bytes that were packed, or the floats themselves.
    """
    vector = Vector(LANES)
    packed = fours.dtype == types.uint32

    def codegen(context, builder, signature, args):
        fours_, sources_, x_, c_, wide_, channels_, scale_ = args
        places = []
        for lane in range(LANES):
            at = pointer(context, builder, sources, sources_, builder.add(x_, x_.type(lane)))
            places.append(builder.add(builder.sext(builder.load(at), c_.type), c_))

        def found(further):
            kind = context.get_data_type(fours.dtype)
            values = ir.Constant(ir.VectorType(kind, LANES), ir.Undefined)
            for lane, place in enumerate(places):
                at = pointer(context, builder, fours, fours_, builder.add(place, further))
                values = builder.insert_element(values, builder.load(at), ir.IntType(32)(lane))
            return values

        if packed:
            words = found(c_.type(0))

            def byte(number):
                shift = ir.Constant(words.type, [8 * number] * LANES)
                low = ir.Constant(words.type, [255] * LANES)
                value = builder.and_(builder.lshr(words, shift), low)
                return builder.sitofp(value, ir.VectorType(ir.FloatType(), LANES))

            four = [byte(number) for number in range(4)]
        else:
            below = [wide_, builder.add(wide_, channels_)]
            four = [found(further) for further in (c_.type(0), channels_, *below)]
        spread = splat(builder, scale_, LANES)
        scaled = [builder.fmul(values, spread) for values in four]
        return context.make_tuple(builder, signature.return_type, scaled)

    parameters = fours, sources, types.intp, types.intp, types.intp, types.intp, types.float32
    return types.UniTuple(vector, 4)(*parameters), codegen
