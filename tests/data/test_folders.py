"""Folders of pictures, a class in each."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siffra.data.arrays import read_memory
from siffra.data.dataset import Images
from siffra.data.load import DataSource, load_dataset
from siffra.data.splits import Parts
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


def codes(data) -> list[str]:
    return [note.code for note in data.notes]


@pytest.mark.parametrize("ending", [".tif", ".tiff", ".gif", ".bmp", ".webp", ".pgm", ".npy"])
def test_pictures_of_every_format_are_read_pixel_for_pixel(tmp_path, ending):
    fill(tmp_path / "png")
    fill(tmp_path / "other")
    for path in (tmp_path / "other").rglob("[5-9].png"):
        if ending == ".npy":
            np.save(path.with_suffix(ending), np.asarray(Image.open(path)))
        else:
            Image.open(path).save(path.with_suffix(ending), lossless=True)
        path.unlink()

    found, as_png = (load(tmp_path / name, rotated=0.0) for name in ("other", "png"))

    # GIF and WebP know no grey: their pictures are in colour, of which all three are the same.
    for name, images in as_png.sets.items():
        every = np.broadcast_to(images.x, found.sets[name].x.shape)
        np.testing.assert_array_equal(found.sets[name].x, every)
    assert found.image_shape[2] == (3 if ending in (".gif", ".webp") else 1)


def test_a_class_of_arrays_is_a_class_like_any(tmp_path):
    fill(tmp_path)
    (tmp_path / "elk").mkdir()
    for i in range(10):
        np.save(tmp_path / "elk" / f"{i}.npy", np.full((11, 12), i / 20))

    assert load(tmp_path).class_names == ("cat", "dog", "elk")


def add_unread(folder: Path) -> None:
    (folder / "dog" / "a.heic").touch()


def add_deeper(folder: Path) -> None:
    (folder / "dog").rename(folder / "cat" / "dog")


def add_float(folder: Path) -> None:
    Image.new("F", (12, 11)).save(folder / "dog" / "z.tif")


def add_integers(folder: Path) -> None:
    np.save(folder / "dog" / "z.npy", np.ones((11, 12), int))


def add_film(folder: Path) -> None:
    frames = [picture(9)]
    picture(1).save(folder / "dog" / "z.gif", save_all=True, append_images=frames)


@pytest.mark.parametrize(
    ("add", "said"),
    [
        (add_unread, "1 of 11 files are no pictures that siffra reads (.heic: 1)"),
        (add_deeper, "it has pictures, a folder too deep; those of class cat must stand in"),
        (add_float, "its numbers are of 32 bits"),
        (add_integers, "found int64; use uint8"),
        (add_film, "it has 2 pictures in it"),
    ],
)
def test_pictures_that_would_be_missed_or_misread_are_refused(tmp_path, add, said):
    add(fill(tmp_path))

    with pytest.raises(DataError) as raised:
        load(tmp_path)

    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_is_left_out_is_said_and_what_macos_leaves_is_not(tmp_path):
    fill(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "cat" / "notes.txt").touch()
    plain = codes(load(tmp_path))
    for name in ("._0.png", ".DS_Store", "Thumbs.db"):
        (tmp_path / "cat" / name).write_bytes(b"\0")
    fill(tmp_path / "__MACOSX")

    assert codes(load(tmp_path)) == plain == ["files_left_out", "folders_left_out"]


@pytest.mark.parametrize("names", [("training", "testing"), ("Train", "Test"), ("TRAIN", "test")])
def test_sets_are_known_by_other_names_too(tmp_path, names):
    for name in names:
        fill(tmp_path / name, each=10 if name == names[0] else 2)

    assert len(load(tmp_path).test) == 4


def test_validation_is_tested_on_where_there_is_no_test(tmp_path):
    fill(tmp_path / "train")
    fill(tmp_path / "valid", each=3)

    data = load(tmp_path)

    assert (len(data.test), len(data.val)) == (6, 4)
    assert codes(data) == ["val_as_test", "duplicates"]
    assert data.notes[0].text.startswith("valid/ is used as the test set")


def test_two_folders_for_one_set_are_refused(tmp_path):
    for name in ("train", "val", "valid"):
        fill(tmp_path / name)

    with pytest.raises(DataError, match="both val and valid are there, and one of them is val"):
        load(tmp_path)


def test_folders_that_read_like_numbers_keep_their_names(tmp_path):
    data = load(fill(tmp_path, classes=("01", "1", "10", "1_0")))

    assert data.class_names == ("01", "1", "10", "1_0")


@pytest.mark.parametrize("odd", ["\u202e", "\x1b", "\n", "\u2066"])
def test_names_that_show_as_something_else_are_refused(odd):
    images = Images(np.zeros((2, 3, 3, 1), np.uint8), np.array([0, 1]))

    with pytest.raises(DataError, match=rf"name of class 2 has the character U\+{ord(odd):04X}"):
        Parts("data", {"train": images}, ("a", f"b{odd}c"))
    with pytest.raises(DataError, match=r"name of class 1 has the character"):
        read_memory((np.zeros((2, 3, 3), np.uint8), [f"a{odd}", "b"]))
