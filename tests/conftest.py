"""What tests of several modules share."""

from collections.abc import Callable

import pytest

from siffra.data.dataset import Dataset, Images
from siffra.data.load import load_dataset


def make_digits(train: int, rest: int = 60) -> Dataset:
    """The first `train` training images of MNIST, and `rest` of each other set."""
    full = load_dataset()

    def some(images: Images, count: int) -> Images:
        return Images(images.x[:count], images.y[:count])

    return Dataset(
        name=f"mnist[:{train}]",
        classes=10,
        train=some(full.train, train),
        val=some(full.val, rest),
        test=some(full.test, rest),
        shifted={name: some(images, rest) for name, images in full.shifted.items()},
        fingerprint=f"{train:032x}{rest:032x}",
    )


@pytest.fixture(scope="session")
def digits() -> Callable[..., Dataset]:
    """`digits(train=100)`: a small part of the real data set."""
    return make_digits
