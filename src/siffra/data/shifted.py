"""The list of shifts: what can be done to the test images, how strongly, and the sets it makes.

Options, the tables of a lab file, what a claim can be `on`, tables, texts and the page follow from
it. A new one needs a function in `corruptions` or `shifts`, a field of `DataSource`, and its words
in both catalogues; tests say which of them is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType

import numpy as np

from siffra.data import corruptions


@dataclass(frozen=True, slots=True)
class Shift:
    """What makes the shifted set `name`.

    `key` is what it is called in a lab file's `[shifts]` and after `--shifts`. `stream` is the
    stream of the data set's seed that it draws from, and `unit` what it draws for each image is in
    (None: it draws nothing that is kept). A strength that is a share `is_share`.

    `allows` says whether a strength is possible for images whose shorter side has this many pixels,
    `wanted` which ones are.
    """

    key: str
    name: str
    stream: int
    allows: Callable[[float, int], bool]
    wanted: str
    unit: str | None = None
    is_share: bool = False
    is_warp: bool = False


_A_SHARE = "a share between 0 and 1"

# The streams are apart from those that a run's seed is used for.
SHIFTS: Mapping[str, Shift] = {
    shift.key: shift
    for shift in (
        Shift(
            "move",
            "moved",
            2,
            lambda pixels, side: 0 <= pixels < side,
            "0 or more pixels, and less than {side} for images of {shape}",
            unit="px",
            is_warp=True,
        ),
        Shift(
            "rotate",
            "rotated",
            3,
            lambda degrees, _: 0 <= degrees <= 180,
            "from 0 to 180 degrees",
            unit="degrees",
            is_warp=True,
        ),
        Shift(
            "scale",
            "scaled",
            5,
            lambda share, _: 0 < share <= 9,
            "above 0 and at most 9 (ten times as large)",
            unit="factor",
            is_share=True,
            is_warp=True,
        ),
        Shift(
            "noise",
            "noisy",
            6,
            lambda deviation, _: 0 < deviation <= 1,
            "above 0 and at most 1, the range of what it is added to",
        ),
        Shift(
            "blur",
            "blurred",
            7,
            lambda pixels, side: 0 < pixels < side,
            "above 0 pixels, and less than {side}",
        ),
        Shift("contrast", "faded", 8, lambda share, _: 0 < share < 1, _A_SHARE, is_share=True),
        Shift(
            "occlusion",
            "occluded",
            9,
            lambda share, _: 0 < share < 1,
            _A_SHARE,
            unit="px",
            is_share=True,
        ),
    )
}
"""Every shift by its key."""

SHIFTED: Mapping[str, Shift] = {shift.name: shift for shift in SHIFTS.values()}
"""The same by the name of the set, in the order in which sets are reported."""


def shift(
    name: str, images: np.ndarray, strength: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """Make the shifted set `name` of images.

    Args:
        name: A key of `SHIFTED`.
        images: (n, height, width, channels), uint8 in 0..255 or float32 in [0, 1].
        strength: For `moved` the greatest shift in pixels, either way in x and y; for `rotated` the
            greatest angle in degrees, either way; for `scaled` how much larger or smaller images
            get at most (0.2: up to 1.2 times); for `noisy` and `blurred` the standard deviation of
            the noise, and of the blur in pixels; for `faded` the share of the contrast, and for
            `occluded` that of the area, that is lost.
        rng: Draws what is drawn.

    Returns:
        The images, float32 of the same shape; and what was drawn for each of them, or None.
    """
    functions: ModuleType = corruptions
    if SHIFTED[name].is_warp:
        from siffra.data import shifts as functions  # brings Numba
    shifted = getattr(functions, name)(images, strength, rng)
    return shifted if isinstance(shifted, tuple) else (shifted, None)


def refusal(name: str, strength: float, size: tuple[int, int]) -> str | None:
    """Why images of `size` (height, width) cannot be shifted so; None if they can."""
    kind, side = SHIFTED[name], min(size)
    if kind.allows(strength, side):
        return None
    wanted = kind.wanted.format(side=side, shape=f"{size[0]}x{size[1]}")
    return f"{name} = {strength}; it must be {wanted}."
