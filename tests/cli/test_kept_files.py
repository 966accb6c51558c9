"""Files that an earlier siffra made open as before: a store, a lab, a search, a model, a report.

`kept_files.zip` was made by siffra 0.1.0 with `siffra vary neurons=2,4`, `siffra train --save` and
`siffra search`, all on `shapes.csv`: 240 noisy images of 6 x 6 pixels, bars and crosses.
"""

import csv
import json
import zipfile
from pathlib import Path

import pytest

FILES = Path(__file__).with_name("kept_files.zip")
ASKED = (
    "vary", "neurons=2,4", "--data", "shapes.csv", "--image", "6x6",
    "--epochs", "2", "--seeds", "3", "--batch-size", "20",
)  # fmt: skip
ACCURACIES = {
    "0a027135f0e054f5c9fbb5e434906868fb00f99c53f590486b91cc0817d66626": 32 / 48,
    "636f5dde1474a8f5ccd5e6b342f30320031eb5fb501dcfa8f9a9ac0db981784a": 34 / 48,
    "f4e7ad611748111905124559f51c65a75230ad334ce6409d1751427e21b8cb26": 26 / 48,
    "e4089524ea36af3e6b43062a67847da8498347049649647f47396f93970d91e5": 41 / 48,
    "29286dfc62dfcec75240122cc3b299b312515bc3a68b49339cdb960537bc3ade": 37 / 48,
    "7ff10b36d5acf346a610ec8966a5eb7024680948797c8a26794dadcb86e70e19": 36 / 48,
    "74c9f250b57653ba918cfe3f72bb0ab5d73c757a12d9364607eb5d5c367f89df": 1.0,
    "95a150770cb54ef5912347465cffdb64e61ff966a876932c69b7a740d3a0443c": 1.0,
}
"""Keys of the stored runs, and their accuracies on the 48 test images."""


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """The folder that the files lie in, which is the working directory."""
    with zipfile.ZipFile(FILES) as archive:
        archive.extractall(tmp_path)
    for lab in tmp_path.glob("runs.sqlite.labs/*.json"):
        lab.write_text(lab.read_text("utf-8").replace("FOLDER", str(tmp_path)), "utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def listed(siffra):
    ended = siffra("runs", "list", "--json")
    assert ended.code == 0
    return {run["key"]: run for run in json.loads(ended.out)}


def test_stored_runs_are_read_as_they_were(kept, siffra):
    accuracies = {key: run["accuracy"]["test"] for key, run in listed(siffra).items()}

    assert accuracies == pytest.approx(ACCURACIES, abs=1e-12)


def test_a_question_asked_before_keeps_its_runs_and_trains_what_has_other_bits_now(kept, siffra):
    """Bits of dense networks have changed since: their runs stay, and are made anew."""
    before = listed(siffra)

    assert siffra(*ASKED).code == 0
    after = listed(siffra)
    assert siffra(*ASKED).code == 0

    assert {key: after[key] for key in before} == before
    assert len(after) == len(before) + 6
    assert listed(siffra) == after


def test_a_kept_lab_is_listed_and_exported(kept, siffra):
    assert "3ce8860cb43109b4" in siffra("runs", "labs").out

    ended = siffra("runs", "export", "runs.csv", "--lab", "3ce8860cb43109b4")

    assert ended.code == 0, ended.err
    with (kept / "runs.csv").open(encoding="utf-8", newline="") as file:
        keys = {row["key"] for row in csv.DictReader(file)}
    assert keys == set(list(ACCURACIES)[:6])  # the last two are the search's


def test_a_saved_model_predicts_as_it_did(kept, siffra):
    (answer,) = json.loads(siffra("predict", "model.safetensors", "cross.npy", "--json").out)

    assert answer["label"] == "cross"
    # float32 sums of 36 products, in whatever order this CPU adds them.
    assert answer["probabilities"] == pytest.approx([0.241140872, 0.758859128], abs=1e-5)


def test_a_report_is_compared_with_one_made_today(kept, siffra):
    assert siffra(*ASKED, "--out", "now").code == 0

    compared = siffra("report", "--compare", "before", "now")

    assert compared.code == 0, compared.err
    assert "No verdict changed" in compared.out
