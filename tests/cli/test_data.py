"""`siffra data`: what a data set holds, and its shifted sets as a file."""

import json

import numpy as np


def test_it_describes_every_set(siffra, own_data):
    ended = siffra("data", "--data", own_data, "--moved", 2)

    assert ended.out.startswith("own: 3 classes\n")
    for line in ("train", "val", "test", "moved", "rotated"):
        assert f"\n{line} " in ended.out
    assert "12x12x1" in ended.out


def test_json_counts_images_by_class(siffra, own_data):
    told = json.loads(siffra("data", "--data", own_data, "--moved", 2, "--json").out)

    assert (told["name"], told["classes"]) == ("own", 3)
    assert {each["name"]: each["images"] for each in told["sets"]} == {
        "train": 72, "val": 18, "test": 30, "moved": 30, "rotated": 30
    }  # fmt: skip
    assert all(sum(each["per_class"]) == each["images"] for each in told["sets"])


def test_export_writes_the_shifted_sets(siffra, own_data, tmp_path):
    out = tmp_path / "shifted.npz"

    ended = siffra("data", "export", out, "--data", own_data, "--moved", 2)

    assert ended.out == f"{out}\n"
    with np.load(out) as archive:
        assert archive["x_moved"].shape == (30, 12, 12, 1)
        assert np.abs(archive["moved_px"]).max() <= 2


def test_export_replaces_a_file_only_when_told_to(siffra, own_data, tmp_path):
    out = tmp_path / "shifted.npz"
    out.write_text("mine")

    refused = siffra("data", "export", out, "--data", own_data, "--moved", 2)
    assert refused.code == 2
    assert out.read_text() == "mine"

    assert siffra("data", "export", out, "--data", own_data, "--moved", 2, "--overwrite").code == 0
    assert np.load(out)["y_rotated"].shape == (30,)
