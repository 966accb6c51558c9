"""Which axes of an array of images are which: (n, height, width, channels), unless it must be else.

PyTorch's images have their channels first. Nothing in an array says so; its sides do, mostly.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from siffra.data.dataset import Images
from siffra.data.notes import Note, note
from siffra.data.splits import Parts

_CHANNELS = (1, 3, 4)
"""Grey, colour, colour with transparency."""
_FEW = 4
"""So many channels at most are no surprise, nor so many pixels a likely side of an image."""


def with_channels_last(parts: Parts) -> Parts:
    """`parts` with images (n, height, width, channels), and a note wherever that was in doubt.

    Images are turned where their first axis can only be channels: it is 1, 3 or 4 long, and the
    last axis is longer than channels are.
    """
    if parts.features:
        return parts
    first, second, last = parts.sets["train"].x.shape[1:]
    shape = f"{first}x{second}x{last}"
    if first in _CHANNELS and last > _FEW:
        remark = note("channels_first", found=shape, channels=first, height=second, width=last)
        turned = {
            name: Images(np.ascontiguousarray(np.moveaxis(images.x, 1, -1)), images.y)
            for name, images in parts.sets.items()
        }
        return replace(parts, sets=turned, notes=(*parts.notes, remark))
    sides = {"found": shape, "height": first, "width": second, "channels": last}
    return replace(parts, notes=(*parts.notes, *_doubts(first, second, last, sides)))


def _doubts(first: int, second: int, last: int, sides: Mapping[str, object]) -> list[Note]:
    if last > _FEW:
        return [note("many_channels", **sides)]
    if first in _CHANNELS and last > 1:
        return [note("channels_unclear", **sides)]
    if min(first, second) <= _FEW < max(first, second):
        side = min(first, second)
        return [note("thin_images", found=sides["found"], side=side)]
    return []
