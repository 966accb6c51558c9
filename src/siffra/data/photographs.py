"""Telling the ink of a digit from the page that it stands on, in a photograph or a scan.

The page may be lit unevenly, lie on a table that shows at its edge, or be ruled. A digit that
cannot be told apart from its page is not read at all: a network would answer all the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Self

import numpy as np
import scipy  # which imports `scipy.ndimage` on first use
from PIL import Image

INK = 0.1
"""What is fainter than this share of the darkest ink counts as paper."""

_LEVELS = (INK, 0.2, 0.35, 0.5)
"""Shares of the darkest ink from which something is ink, tried in turn: printed lines are paler."""
_FAINTEST = 255 * INK
"""Ink must be that far from its paper, in grey levels."""
_LARGEST_SIDE = 1000
"""Pixels; larger photographs are reduced first, a digit of 28 pixels loses nothing by it."""
_FIT_SIDE = 64
"""Pixels of the reduced photograph that the paper's light is fitted to."""
_STEPS = 20
"""Of each iteration; the weights hardly change any more after ten."""
_SPECK = 0.03
"""Shapes with less than this share of the largest one's area are specks, or noise."""
_MOST_ASIDE, _MOST_INK = 0.01, 0.8
"""Shares of a picture that specks may take, and the digit, if it is cut out closely."""
_NEAR = 0.1
"""What lies within that share of the picture's shorter side may belong to the digit."""
_MOST_ENDS = 8
"""Places in which a digit that is cut out closely may meet the picture's edge."""
_MOST_STROKES = 3
"""Shapes that a digit may be made of, where its strokes do not meet."""


def ink_of(grey: np.ndarray) -> np.ndarray | None:
    """How much ink there is, (rows, columns) from 0 to 255, of the one digit in a grey picture.

    The digit may be light on dark or dark on light. A very large picture is reduced.

    Args:
        grey: (rows, columns) uint8.

    Returns:
        Ink, float64, 0 where there is paper; None if no single digit stands apart from the rest.
    """
    image = Image.fromarray(grey)
    if (factor := -(-max(grey.shape) // _LARGEST_SIDE)) > 1:
        image = image.reduce(factor)
    page = np.asarray(image, np.float64)
    for ink, is_even in _readings(page, image):
        for level in _LEVELS[:1] if is_even else _LEVELS:
            digit = _digit(ink, level, is_even=is_even)
            if digit is not None:
                return digit * (255.0 / digit.max())
    return None


def border(grey: np.ndarray) -> np.ndarray:
    """The pixels at the edges of (..., rows, columns), corners twice: (..., pixels)."""
    sides = grey[..., 0, :], grey[..., -1, :], grey[..., :, 0], grey[..., :, -1]
    return np.concatenate(sides, axis=-1)


def _readings(page: np.ndarray, image: Image.Image) -> Iterator[tuple[np.ndarray, bool]]:
    """What may be ink, above 0; first for paper that is evenly lit, and then for any light."""
    paper = float(np.median(border(page)))
    yield (paper - page if paper > 127 else page - paper), True
    light = _light(page, image)
    dark, bright = light - page, page - light
    yield from ((ink, False) for ink in sorted((dark, bright), key=_energy, reverse=True))


def _energy(ink: np.ndarray) -> float:
    return float(np.square(ink.clip(_FAINTEST) - _FAINTEST).sum())


def _light(page: np.ndarray, image: Image.Image) -> np.ndarray:
    """The grey that paper has at each pixel: a polynomial of the second degree.

    It is fitted to all pixels, so that those of the digit, and of a table at the edge, must not
    count: first a plane is fitted by least absolute deviations, then the polynomial to what lies
    near it, by iteratively reweighted least squares with Tukey's weights.

    Source: Holland & Welsch 1977, "Robust regression using iteratively reweighted least-squares".
    """
    scale = min(1.0, _FIT_SIDE / max(page.shape))
    width, height = (max(1, round(side * scale)) for side in image.size)
    small = np.asarray(image.resize((width, height), Image.Resampling.BOX), np.float64)
    fitted = np.zeros(6)
    residuals = small - np.median(small)
    for terms in (3, 6):
        for _ in range(_STEPS):
            fitted = _fitted(small, _weights(residuals, terms), terms)
            residuals = small - _polynomial(small.shape, fitted)
    return _polynomial(page.shape, fitted)


def _weights(residuals: np.ndarray, terms: int) -> np.ndarray:
    """Of least absolute deviations for the plane, and Tukey's for the polynomial."""
    if terms == 3:
        return 1 / np.maximum(np.abs(residuals), 1.0)
    spread = max(1.4826 * float(np.median(np.abs(residuals))), 1.0)
    return np.square(1 - np.square(residuals / (4.685 * spread)).clip(0, 1))


def _fitted(grey: np.ndarray, weights: np.ndarray, terms: int) -> np.ndarray:
    """The coefficients of the weighted least-squares fit with the first of six `terms`."""
    basis = [np.broadcast_to(term, grey.shape) for term in _basis(grey.shape)[:terms]]
    # Sums by hand: threads of BLAS would cost more than so few numbers do.
    products = [[float((weights * a * b).sum()) for b in basis] for a in basis]
    sums = [float((weights * a * grey).sum()) for a in basis]
    solution = np.linalg.lstsq(np.array(products), np.array(sums), rcond=None)[0]
    return np.concatenate([solution, np.zeros(6 - terms)])


def _polynomial(shape: tuple[int, ...], coefficients: np.ndarray) -> np.ndarray:
    ground = np.zeros(shape)
    for coefficient, term in zip(coefficients, _basis(shape), strict=True):
        ground += coefficient * term
    return ground


def _basis(shape: tuple[int, ...]) -> list[np.ndarray]:
    """1, y, x, y², xy, x² at the pixels' centres, which go from -1 to 1 over the picture."""
    y, x = (2 * (np.arange(n) + 0.5) / n - 1 for n in shape)
    y = y[:, np.newaxis]
    return [np.ones((1, 1)), y, x, y * y, y * x, x * x]


def _digit(ink: np.ndarray, level: float, *, is_even: bool) -> np.ndarray | None:
    """`ink` where there is the digit, else 0; None if what there is does not look like one."""
    # Of an evenly lit picture most may be ink, so that its median says nothing of the paper.
    noise = 0.0 if is_even else 1.4826 * float(np.median(np.abs(ink)))
    darkest = float(ink.max())
    if darkest < _FAINTEST or darkest < 6 * noise:
        return None
    is_ink = ink > max(level * darkest, 4 * noise)
    shapes = _Shapes.of(is_ink)
    kept = shapes.digit(may_drop=not is_even)
    if kept is None:
        return None
    mask = shapes.only(kept)
    # What else stands out from the paper: there may be specks, and what lies at the edge.
    aside = is_ink & ~shapes.only(kept | shapes.touches)
    if aside.mean() > _MOST_ASIDE or mask.mean() > _MOST_INK:
        return None
    if level > INK:  # what is paler at the strokes' edges
        wider: Any = scipy.ndimage.binary_dilation(mask, iterations=max(1, max(mask.shape) // 200))
        mask = wider & (ink > INK * darkest)
    return np.where(mask, ink, 0.0)


@dataclass(frozen=True, slots=False)
class _Shapes:
    """What hangs together in a picture of what is ink: shapes numbered from 1."""

    labels: np.ndarray
    count: int

    @classmethod
    def of(cls, is_ink: np.ndarray) -> Self:
        """The shapes, whose pixels touch at sides or corners."""
        labels, count = scipy.ndimage.label(is_ink, np.ones((3, 3)))
        return cls(labels, count)

    @cached_property
    def areas(self) -> np.ndarray:
        return np.bincount(self.labels.ravel(), minlength=self.count + 1)

    @cached_property
    def touches(self) -> np.ndarray:
        """Which shapes, by number, touch the picture's edge; number 0 does not count."""
        at_border = np.zeros(self.count + 1, bool)
        at_border[border(self.labels)] = True
        at_border[0] = False
        return at_border

    def only(self, which: np.ndarray) -> np.ndarray:
        """Which pixels are of these shapes."""
        return which[self.labels]

    def digit(self, *, may_drop: bool) -> np.ndarray | None:
        """The shapes that make up the digit; None if they do not look like one.

        `may_drop`: what lies along an edge of the picture, as a table or a printed line does, is
        none of it.
        """
        if not self.count:
            return None
        large = self.areas >= _SPECK * self._largest(may_drop)
        large[0] = False
        inner, outer = large & ~self.touches, large & self.touches
        lie_along = [self._lies_along(number) for number in np.flatnonzero(outer).tolist()]
        if inner.any():
            if outer.any() and not (may_drop and all(lie_along)):
                return None
            if self._come_near(outer, inner):  # a line may have taken a stroke along
                return None
            kept = inner
        else:
            if any(lie_along) and not self._fills(outer):
                return None
            kept = outer
        if kept.sum() > _MOST_STROKES or self._stand_side_by_side(np.flatnonzero(kept)):
            return None
        return kept

    def _largest(self, inner: bool) -> int:
        areas = np.where(self.touches, 0, self.areas)[1:] if inner else self.areas[1:]
        return int(areas.max()) or int(self.areas[1:].max())

    def _lies_along(self, number: int) -> bool:
        """Whether a shape takes half of a side, a corner, or goes from side to opposite side."""
        mask = self.labels == number
        top, bottom, left, right = mask[0], mask[-1], mask[:, 0], mask[:, -1]
        corners = mask[[0, 0, -1, -1], [0, -1, 0, -1]]
        return bool(
            max(side.mean() for side in (top, bottom, left, right)) >= 0.5
            or corners.any()
            or (top.any() and bottom.any())
            or (left.any() and right.any())
        )

    def _come_near(self, others: np.ndarray, kept: np.ndarray) -> bool:
        """Whether `others` reach into the box around the kept shapes, or nearly do."""
        mask = self.only(kept)
        near = round(_NEAR * min(mask.shape))
        ends = [np.flatnonzero(mask.any(axis=axis))[[0, -1]] for axis in (1, 0)]
        box = tuple(slice(max(0, first - near), last + near + 1) for first, last in ends)
        return bool(others[self.labels[box]].any())

    def _fills(self, which: np.ndarray) -> bool:
        """Whether these shapes fill the picture's height and width, as a digit cut out does.

        A printed grid does as well, but meets the edge in more places than a digit has ends.
        """
        mask = self.only(which)
        around = np.concatenate([mask[0], mask[1:, -1], mask[-1, -2::-1], mask[-2:0:-1, 0]])
        meets = int(np.count_nonzero(around[1:] & ~around[:-1]))
        spans = [np.ptp(np.flatnonzero(mask.any(axis=axis))) + 1 for axis in (0, 1)]
        is_whole = all(
            span >= 0.9 * side for span, side in zip(spans, mask.shape[::-1], strict=True)
        )
        return is_whole and meets <= _MOST_ENDS

    def _stand_side_by_side(self, numbers: np.ndarray) -> bool:
        """Whether there are two shapes, each nearly as tall as both, that share no column."""
        rows, columns = {}, {}
        for number in numbers:
            mask = self.labels == number
            rows[number] = np.flatnonzero(mask.any(axis=1))[[0, -1]]
            columns[number] = np.flatnonzero(mask.any(axis=0))[[0, -1]]
        height = max(r[1] for r in rows.values()) - min(r[0] for r in rows.values())
        tall = sorted(tuple(columns[n]) for n in numbers if np.ptp(rows[n]) >= 0.6 * height)
        return any(before[1] < after[0] for before, after in pairwise(tall))
