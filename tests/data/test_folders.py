"""Folders of pictures, a class in each."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siffra.data.load import DataSource, load_dataset
from siffra.errors import DataError


def picture(value: int, size: tuple[int, int] = (12, 11), mode: str = "L") -> Image.Image:
    return Image.new(mode, size, value if mode == "L" else (value, 0, 0))


def fill(folder: Path, each: int = 10, classes: tuple[str, ...] = ("cat", "dog")) -> Path:
    for number, name in enumerate(classes):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            picture(100 * number + i).save(folder / name / f"{i}.png")
    return folder


def load(path: Path, **source):
    return load_dataset(DataSource(path=path, moved=1.0, **source))


def test_folders_for_training_and_testing_are_kept_apart(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "test", each=2)
    (tmp_path / "train" / "cat" / "notes.txt").write_text("not a picture")

    data = load(tmp_path)

    assert data.class_names == ("cat", "dog")
    assert data.image_shape == (11, 12, 1)
    np.testing.assert_array_equal(data.test.x[:, 0, 0, 0], [0, 1, 100, 101])
    np.testing.assert_array_equal(data.test.y, [0, 0, 1, 1])
    np.testing.assert_array_equal(data.train.x[:, 0, 0, 0] // 100, data.train.y)
    assert np.bincount(data.val.y).tolist() == [2, 2]


def test_without_them_each_class_gives_its_share(tmp_path):
    data = load(fill(tmp_path, classes=("0", "1", "10", "2")))

    # As numbers, 10 comes after 2.
    assert data.class_names == ("0", "1", "2", "10")
    assert [np.bincount(s.y).tolist() for s in (data.train, data.val, data.test)] == [
        [6] * 4, [2] * 4, [2] * 4,
    ]  # fmt: skip
    assert load(tmp_path).fingerprint == data.fingerprint != load(tmp_path, seed=1).fingerprint


def test_one_colour_picture_makes_all_of_them_colour(tmp_path):
    fill(tmp_path)
    picture(200, mode="RGB").save(tmp_path / "dog" / "red.png")
    Image.new("LA", (12, 11), (50, 255)).save(tmp_path / "cat" / "see-through.png")

    data = load(tmp_path)

    assert data.image_shape == (11, 12, 3)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (lambda f: picture(1, (5, 5)).save(f / "dog" / "z.png"), "5x5 pixels, where"),
        (lambda f: (f / "dog" / "z.png").write_bytes(b"GIF"), "is no picture that can be read"),
        (lambda f: (f / "dog" / "0.png").write_bytes((f / "dog" / "0.png").read_bytes()[:-26]),
         "cannot be read"),
        (lambda f: [p.unlink() for p in (f / "dog").iterdir()], "every image has class cat"),
        (lambda f: [p.unlink() for p in f.rglob("*.png")], "nothing in this folder is known"),
        (lambda f: f.joinpath("cat").rename(f / "train"), "nothing in this folder is known"),
    ],
)  # fmt: skip
def test_what_makes_no_data_set_is_refused_in_one_line(tmp_path, break_it, said):
    break_it(fill(tmp_path))

    with pytest.raises(DataError) as raised:
        load(tmp_path)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_pictures_that_claim_too_much_are_not_unpacked(tmp_path, monkeypatch):
    fill(tmp_path)
    monkeypatch.setattr("siffra.data.folders.LIMIT", 2000)

    with pytest.raises(DataError, match="20 pictures of 12x11 pixels"):
        load(tmp_path)

    monkeypatch.setattr("siffra.data.pictures.MAX_PIXELS", 100)
    with pytest.raises(DataError, match="is 12x11, larger than"):
        load(tmp_path)
