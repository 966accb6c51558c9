"""`siffra export`, and `siffra train --save model.onnx`: models for other programs."""

import sys

import numpy as np
import onnxruntime
import pytest

# The same network in float32, summed in another order; probabilities are at most 1.
ATOL = 1e-5


def probabilities(path, images):
    return np.asarray(onnxruntime.InferenceSession(path).run(None, {"images": images})[0])


def test_a_model_saved_as_onnx_is_the_one_that_export_makes(siffra, small, own_data, tmp_path):
    direct, saved, exported = (tmp_path / name for name in ("a.onnx", "m.safetensors", "b.onnx"))
    with np.load(own_data) as archive:
        images = archive["x_test"][..., np.newaxis]

    for path in (direct, saved):
        siffra("train", *small, "--save", path)
    ended = siffra("export", saved, exported, "--pixels", "uint8")

    assert (ended.code, ended.out) == (0, f"{exported}\n")
    expected = probabilities(direct, images.astype(np.float32) / np.float32(255))
    assert expected.std(axis=0).max() > 0.01
    np.testing.assert_allclose(probabilities(exported, images), expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("no.safetensors", "m.onnx"), "no.safetensors: no such file; name a model saved by"),
        (("m.safetensors", "m.pt"), "m.pt: found `.pt`; it must end in .onnx."),
    ],
)
def test_what_cannot_be_exported_is_one_line(siffra, arguments, message):
    ended = siffra("export", *arguments)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {message}")
    assert ended.err.count("\n") == 1


def test_without_onnx_it_is_told_before_the_training(siffra, small, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "siffra.training.onnx_file", raising=False)

    ended = siffra("train", *small, "--save", tmp_path / "m.onnx")

    assert ended.code == 2
    assert ended.err == ("error: onnx: ONNX is not installed; run `pip install 'siffra[onnx]'`.\n")
    assert list(tmp_path.iterdir()) == []
