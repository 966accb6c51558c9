"""What the tests of the server share: one that runs, and data that are trained on in no time."""

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from raw_http import Ui, running


@pytest.fixture(scope="module")
def ui(tmp_path_factory) -> Iterator[Ui]:
    """A `siffra ui` on a store of its own."""
    folder = tmp_path_factory.mktemp("ui")
    with running(folder / "runs.sqlite", folder) as ui:
        yield ui


@pytest.fixture(scope="module")
def tiny_npz() -> bytes:
    """60 + 60 images of 28 x 28 in 3 classes, with something to learn, as an `.npz`."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3

    def images() -> np.ndarray:
        x = rng.integers(0, 60, (60, 28, 28))
        for image, label in zip(x, y, strict=True):
            image[8:20, 9 * label : 9 * label + 8] += 150
        return x.astype(np.uint8)

    file = io.BytesIO()
    np.savez(file, x_train=images(), y_train=y, x_test=images(), y_test=y)
    return file.getvalue()


@pytest.fixture(scope="module")
def tiny(ui, tiny_npz) -> str:
    """The id of that data set on the server."""
    body = {"name": "tiny", "npz": base64.b64encode(tiny_npz).decode()}
    return ui.ask("/api/datasets", body).json["id"]
