"""Draw a small data set of shapes and save it as Keras saves MNIST: `python make_shapes.py`.

Four classes of 20x20 grey images with noise: disc, square, cross, ring. Each shape stands near
the middle, in a size of its own.
"""

from pathlib import Path

import numpy as np

SIDE = 20
CLASSES = ("disc", "square", "cross", "ring")


def draw(label: int, rng: np.random.Generator) -> np.ndarray:
    """One (20, 20) uint8 image of the class `label`."""
    middle = SIDE / 2 - 0.5 + rng.uniform(-1, 1, 2)
    y, x = np.abs(np.mgrid[:SIDE, :SIDE] - middle[:, None, None])
    distance, size = np.hypot(x, y), rng.uniform(4, 7)
    inside = (
        distance < size,
        np.maximum(x, y) < 0.85 * size,
        (np.minimum(x, y) < 1.5) & (np.maximum(x, y) < size),
        np.abs(distance - size + 1) < 1.2,
    )[label]
    image = 170 * inside + rng.normal(40, 40, inside.shape)
    return image.clip(0, 255).astype(np.uint8)


def shapes(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`count` images, (count, 20, 20) uint8, and their labels."""
    labels = rng.integers(len(CLASSES), size=count)
    return np.stack([draw(label, rng) for label in labels]), labels


def main() -> None:
    """Write `shapes.npz` beside this file."""
    rng = np.random.default_rng(0)
    x_train, y_train = shapes(3000, rng)
    x_test, y_test = shapes(1000, rng)
    path = Path(__file__).with_name("shapes.npz")
    np.savez_compressed(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
