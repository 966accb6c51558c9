"""What the engine's packed numbers may hold: no count wraps, what is past its type is refused.

Numbers that are read for every float of an image are kept in as few bytes as it takes; all
others (offsets, starts of lists, sums of right answers, steps) are int64.

======================================  ======================  ====================  =========
what is numbered                        where                   type                  most
======================================  ======================  ====================  =========
positions of a pooling window           `unfused`, choices      uint8, 16 or 32; in   2^24
                                                                float32 on the way
the same, of 1 or 4, and a dead one     `conv_fused`, choices   uint8                 4, and 255
floats of a framed image, augmented     `warp`, places          float32, then int32   2^24
pixels of an augmented image            `warp`, goals           int32                 as above
pixels of an image, in sparse rows      `SparseRows.indices`    uint16 or uint32      2^32
images that are transposed at once      `SparseColumns.rows`    uint8                 128
floats of the sheets of an image        `conv_fused_gradients`  int32                 2^31
inputs of a dense layer by BLAS         `linear`                int32                 2^31
======================================  ======================  ====================  =========

The second row and the one on transposed images are fixed by what may be built; the others depend
on the images, and go through `number_type` or `check_count`.
"""

from typing import Any

import numpy as np

from siffra.errors import ConfigError

EXACT = 1 << 24
"""Whole numbers below this are themselves in float32, in which lanes hold what they number."""


def number_type(count: int, what: str, *kinds: type[np.integer[Any]], most: int | None = None):
    """The first of `kinds` that holds 0 to `count` - 1, the numbers of so many of `what`.

    Raises:
        ConfigError: None does, or there are more than `most`.
    """
    held = [int(np.iinfo(kind).max) + 1 for kind in kinds]
    check_count(count, what, max(held) if most is None else most)
    return next(kind for kind, room in zip(kinds, held, strict=True) if count <= room)


def check_count(count: int, what: str, most: int) -> None:
    """Refuse more than `most` of `what`.

    Raises:
        ConfigError: There are more.
    """
    if count > most:
        raise ConfigError(
            f"{what}: found {count:,}; the native engine can number {most:,} at most. Take "
            "smaller images, or `--engine torch`."
        )
