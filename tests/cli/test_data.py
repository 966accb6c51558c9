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


def test_a_table_is_described_as_one(siffra, tmp_path):
    path = tmp_path / "trees.csv"
    rows = [f"{i},{i % 7},3,{('ash', 'elm')[i % 2]}" for i in range(40)]
    path.write_text("\n".join(["height,rings,roots,kind", *rows]))

    ended = siffra("data", "--data", path, "--label", "kind", "--shifts", "noise=0.1")

    assert ended.out.startswith("trees: 2 classes\n")
    assert "\nnoisy " in ended.out
    assert "moved" not in ended.out
    assert "\nclasses: ash 13, elm 13 training rows\n" in ended.out
    ranged = "height (1 to 39), rings (0 to 6), roots (3 to 3)"
    assert f"\nfeatures, scaled to 0 to 1: {ranged}\n" in ended.out
    assert "\nnote: constant in training, so uninformative: `roots`\n" in ended.out
    assert "\nnote: `height` counts the rows" in ended.out


def test_shifts_say_which_sets_are_exported(siffra, own_data, tmp_path):
    out = tmp_path / "shifted.npz"

    siffra("data", "export", out, "--data", own_data, "--shifts", "scale=0.2,blur=1,occlusion=0.1")

    with np.load(out) as written:
        assert sorted(written) == [
            "occluded_px", "scaled_factor", "x_blurred", "x_occluded", "x_scaled",
            "y_blurred", "y_occluded", "y_scaled",
        ]  # fmt: skip
    ended = siffra("data", "export", tmp_path / "none.npz", "--data", own_data, "--shifts", "none")
    assert (ended.code, ended.err) == (2, "error: own: it has no shifted sets to write.\n")


def test_shifts_that_are_none_are_refused(siffra, own_data):
    for options, said in (
        (["--shifts", "nose=1"], "shifts: found `nose`; did you mean `noise`?"),
        (["--shifts", "noise=much"], "shifts: noise = 'much'; it must be a number."),
        (["--shifts", "move=1", "--moved", 2], "moved: `--shifts` says which shifts there are"),
        (["--image", "28"], "image: found '28'; it must be as 28x28"),
        (["--label", "kind"], "label is for CSV and Parquet files, which this is not."),
    ):
        ended = siffra("data", "--data", own_data, *options)

        assert ended.code == 2
        assert said in ended.err


def test_what_may_be_misread_is_said_wherever_the_data_is_used(siffra, tmp_path):
    path = tmp_path / "trees.csv"
    rows = [f"{i},{i * 7 % 40}.5,{('ash', 'elm')[i % 2]}" for i in range(40)]
    path.write_text("\n".join(["Id,height,kind", *rows]))
    said = "omitted as row numbers or names: `Id`"
    knobs = ("--data", path, "--epochs", 1, "--batch-size", 8, "--threads", 1)

    described = siffra("data", "--data", path)
    as_json = json.loads(siffra("data", "--data", path, "--json").out)
    trained = siffra("train", *knobs, "--json")
    varied = siffra(
        "vary", "neurons=4,8", *knobs, "--seeds", 2, "--json", "--out", tmp_path / "out"
    )

    assert f"\nnote: {said}" in described.out
    assert (as_json["left_out"], as_json["notes"][0]["code"]) == (["Id"], "columns_left_out")
    for ended in (trained, varied):
        assert ended.err.count(f"note on trees: {said}") == 1
        assert ended.err.count("data: trees: 26 + 6 + 8 rows of 1 features") == 1
        assert json.loads(ended.out)["data_notes"] == as_json["notes"]
    assert said.replace("`", "") in (tmp_path / "out" / "report.html").read_text("utf-8").replace(
        "`", ""
    )
