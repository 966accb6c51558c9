"""What docs/export.md shows can be done as it stands, one command after the other."""

import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from arro3.io import read_parquet

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text("utf-8")


def commands():
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if words[0] == "siffra":
                yield words[1:]


# See test_mlflow.py.
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_its_commands_do_what_it_says(siffra, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    for words in commands():
        ended = siffra(*words)
        assert (ended.code, bool(ended.out)) == (0, True), (words, ended.err)

    made = {path.name for path in tmp_path.iterdir()}
    assert made >= {
        "digits.onnx", "digits-of-bytes.onnx", "scores.csv", "epochs.parquet", "confusion.csv",
        "runs.json", "logs", "mlflow.db", "mlartifacts",
    }  # fmt: skip
    assert read_parquet("epochs.parquet").read_all().num_rows == 2 * 2 * 2

    images = np.zeros((3, 28, 28, 1), np.float32)
    own = {"images": images, "print": lambda told: printed.append(told)}
    printed: list[pd.DataFrame] = []
    for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL):
        exec(block, own)
    assert own["probabilities"].shape == (3, 10)
    by_neurons, curves = printed
    assert by_neurons.loc[[8, 16], "count"].tolist() == [2, 2]
    assert (curves.shape, list(curves.columns)) == ((2, 2), [8, 16])
