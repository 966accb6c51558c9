"""The shifted test sets: which there are, how strong each may be, and how each is made."""

from collections.abc import Mapping

import numpy as np

from siffra.data.dataset import SHIFTED, Images

SHIFTS: Mapping[str, str] = dict(
    zip(("move", "rotate", "scale", "noise", "blur", "contrast", "occlusion"), SHIFTED, strict=True)
)
"""What makes each shifted set, as a lab file's `[shifts]` names it, and the set's name."""

UNITS: Mapping[str, str] = {
    "moved": "px",
    "rotated": "degrees",
    "scaled": "factor",
    "occluded": "px",
}
"""What was drawn for each image of a set is in."""

# Streams of the data set's seed, apart from those that a run's seed is used for.
_STREAMS: Mapping[str, int] = {
    "moved": 2, "rotated": 3, "scaled": 5, "noisy": 6, "blurred": 7, "faded": 8, "occluded": 9,
}  # fmt: skip


def shifted_sets(
    test: Images, strengths: Mapping[str, float], seed: int
) -> tuple[dict[str, Images], dict[str, np.ndarray]]:
    """The shifted sets made from `test`, and what was drawn for their images, by set.

    `strengths` has, by set: for `moved` the greatest shift in pixels, either way in x and y; for
    `rotated` the greatest angle in degrees, either way; for `scaled` how much larger or smaller
    images get at most (0.2: up to 1.2 times); for `noisy` and `blurred` the standard deviation
    of the noise, and of the blur in pixels; for `faded` the share of the contrast, and for
    `occluded` that of the area, that is lost.
    """
    sets: dict[str, Images] = {}
    drawn: dict[str, np.ndarray] = {}
    for name in SHIFTED:
        if name in strengths:
            rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAMS[name],)))
            x, found = shift(name, test.x, strengths[name], rng)
            sets[name] = Images(x, test.y)
            drawn |= {} if found is None else {name: found}
    return sets, drawn


def shift(
    name: str, images: np.ndarray, strength: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray | None]:
    """What the shifted set `name` makes of images, and what it drew for each, if anything."""
    # Here, so that a `DataSource` can be had without importing Numba.
    from siffra.data import corruptions, shifts

    match name:
        case "noisy":
            return corruptions.noisy(images, strength, rng), None
        case "blurred":
            return corruptions.blurred(images, strength), None
        case "faded":
            return corruptions.faded(images, strength), None
        case "occluded":
            return corruptions.occluded(images, strength, rng)
        case _:
            return getattr(shifts, name)(images, strength, rng)


def refusal(name: str, strength: float, size: tuple[int, int]) -> str | None:
    """Why images of `size` (height, width) cannot be shifted so; None if they can."""
    side, shape = min(size), f"{size[0]}x{size[1]}"
    allowed, wanted = {
        "moved": (
            0 <= strength < side,
            f"0 or more pixels, and less than {side} for images of {shape}",
        ),
        "rotated": (0 <= strength <= 180, "from 0 to 180 degrees"),
        "scaled": (0 < strength <= 9, "above 0 and at most 9 (ten times as large)"),
        "noisy": (0 < strength <= 1, "above 0 and at most 1, the range of what it is added to"),
        "blurred": (0 < strength < side, f"above 0 pixels, and less than {side}"),
        "faded": (0 < strength < 1, "a share between 0 and 1"),
        "occluded": (0 < strength < 1, "a share between 0 and 1"),
    }[name]
    return None if allowed else f"{name} = {strength}; it must be {wanted}."
