"""What candidates are judged by, and how a run of one is scored."""

import numpy as np
import pytest

from siffra.config import Setting
from siffra.data.load import DataSource, load_dataset
from siffra.search.validation import held_out, try_out

SETTING = Setting.from_knobs({"neurons": 32, "batch_size": 256})


@pytest.fixture
def dataset(fake_data):
    return load_dataset(DataSource(path=fake_data, moved=0.0, rotated=0.0))


def test_held_out_images_are_validation_images_shifted_as_the_test_set_is():
    dataset = load_dataset()

    sets = held_out(dataset, 0, ("moved", "test", "rotated"), 500)

    assert list(sets) == ["moved", "test", "rotated"]
    assert {len(images) for images in sets.values()} == {500}
    held = {image.tobytes() for image in dataset.val.x}
    assert all(image.tobytes() in held for image in sets["test"].x)
    assert not any(image.tobytes() in held for image in dataset.test.x[:500])
    ink = [sets[name].x.sum() / sets["test"].x.sum() * 255 for name in ("moved", "rotated")]
    assert 0.8 < ink[0] < 0.95  # moving loses some, by what siffra data tells of the test set
    assert 0.98 < ink[1] <= 1.0


def test_scoring_is_as_long_as_in_the_set_where_it_was_quickest(dataset, engine, clock):
    engine.seconds_per_image = 0.01
    busy = iter(
        [0.0, 0.0, 5.0, 5.0, 5.0, 5.0]
    )  # 5 s go to something else while the first set is scored
    judged_by = {"test": dataset.val.some(50), "moved": dataset.val.some(100)}

    run = try_out(SETTING, 5, 7, dataset, engine, judged_by, lambda: clock() + next(busy))

    assert run.accuracy.keys() == judged_by.keys()
    assert run.scoring == pytest.approx(0.01 * 150)


class Lost:
    def predict(self, images: np.ndarray) -> np.ndarray:
        return np.full((len(images), 10), np.nan, np.float32)


def test_a_network_that_diverged_is_never_right(dataset, engine, clock, monkeypatch):
    monkeypatch.setattr(engine, "fit", lambda *about: Lost())

    run = try_out(SETTING, 5, 7, dataset, engine, {"test": dataset.val}, clock)

    assert run.accuracy == {"test": 0.0}
