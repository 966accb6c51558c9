"""What tests of several modules share."""

from collections.abc import Callable, Iterator

import hypothesis
import pytest

from siffra.data.dataset import Dataset, Images
from siffra.data.load import load_dataset
from siffra.system.load import Load, LoadMeter

# How long an example takes is the machine's affair, which may be busy.
hypothesis.settings.register_profile("siffra", deadline=None)
hypothesis.settings.load_profile("siffra")


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


class QuietMachine(LoadMeter):
    """Says of every training that it had its machine for itself."""

    def load(self) -> Load:
        return Load(wall=1.0, cpu=1.0, waited=0.0, average=0.5)


@pytest.fixture(scope="session", autouse=True)
def quiet_machine() -> Iterator[None]:
    """Answers do not depend on what else this machine does while the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("siffra.training.run.LoadMeter", QuietMachine)
        yield


@pytest.fixture(scope="session")
def digits() -> Callable[..., Dataset]:
    """`digits(train=100)`: a small part of the real data set."""
    return make_digits
