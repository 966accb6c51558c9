"""`--engine`: networks are trained with PyTorch instead, and records say so."""

import json
import sys

import torch

from siffra.store.store import open_store


def test_pytorch_trains_the_same_network(siffra, small, tmp_path):
    told = [
        json.loads(siffra("train", *small, "--engine", engine, "--json").out)
        for engine in ("native", "torch")
    ]

    native, with_torch = ({k: v for k, v in one.items() if k != "seconds"} for one in told)
    # After 2 epochs of 8 steps from the same draws, rounding has not turned a prediction.
    assert native == with_torch
    with open_store(tmp_path / "runs.sqlite", read_only=True) as store:
        engines = {record.engine: record for record in store.records()}
    assert engines["torch"].machine.versions["torch"] == torch.__version__
    assert "torch" not in engines["native"].machine.versions


def test_a_question_is_answered_with_pytorch_and_repeated_by_its_command(siffra, small, tmp_path):
    ended = siffra(
        "vary", *small, "neurons=4,8", "--seeds", 2, "--engine", "torch", "--out", tmp_path / "out"
    )

    assert ended.code == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results["command"].endswith("--engine torch")


def test_without_pytorch_it_is_said_how_to_get_it(siffra, small, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("siffra.engine.torch")]:
        monkeypatch.delitem(sys.modules, name)

    ended = siffra("train", *small, "--engine", "torch")

    assert ended.code == 2
    assert ended.err.splitlines()[-1] == (
        "error: engine: PyTorch is not installed; run `pip install 'siffra[torch]'`."
    )
