"""scikit-learn's classifiers from the command line: named, turned, compared with networks."""

import json

import pytest

from siffra.config import EstimatorModel
from siffra.store.store import open_store

TREE = "sklearn.tree:DecisionTreeClassifier"


def test_one_is_trained(siffra, small, tmp_path):
    ended = siffra("train", "--model", TREE, "--with", "max_depth=3", *small[:6])

    assert ended.out.startswith(f"{TREE} model, training: ")
    with open_store(tmp_path / "runs.sqlite", read_only=True) as store:
        (record,) = store.records()
    assert (record.engine, len(record.epochs)) == ("sklearn", 1)
    assert isinstance(record.model, EstimatorModel)
    assert dict(record.model.arguments) == {"max_depth": 3}


def test_a_list_of_numbers_needs_no_brackets(siffra, small, tmp_path):
    mlp = "sklearn.neural_network:MLPClassifier"
    options = (
        "--with",
        "tol=1e3",
        "--with",
        "n_iter_no_change=1",
        "--with",
        "hidden_layer_sizes=5,3",
    )

    ended = siffra("train", "--model", mlp, *options, *small[:6])

    assert ended.code == 0, ended.err
    with open_store(tmp_path / "runs.sqlite", read_only=True) as store:
        (record,) = store.records()
    assert isinstance(record.model, EstimatorModel)
    assert dict(record.model.arguments)["hidden_layer_sizes"] == (5, 3)


def test_its_parameters_can_be_varied(siffra, small):
    ended = siffra(
        "vary", "max_depth=1,8,none", "--model", TREE, "--seeds", 2, "--json", *small[:6]
    )

    told = json.loads(ended.out)
    (question,) = told["questions"]
    assert [level["knobs"]["max_depth"] for level in question["levels"]] == [1, 8, None]
    assert f"max_depth=1,8,None --model {TREE}" in told["command"]


def test_it_can_be_compared_with_networks_which_alone_are_trained_in_steps(siffra, small, tmp_path):
    ended = siffra("vary", f"model=dense,{TREE}", "--seeds", 2, "--out", tmp_path / "out", *small)

    assert ended.code == 0, ended.err
    with open_store(tmp_path / "runs.sqlite", read_only=True) as store:
        lengths = {(record.engine, len(record.epochs)) for record in store.records()}
    assert lengths == {("native", 2), ("sklearn", 1)}
    report = (tmp_path / "out" / "report.md").read_text("utf-8")
    assert "DecisionTreeClassifier" in report
    assert TREE not in report.partition("## ")[0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "--model", "os:system"), "model: os:system: there is no os.py in "),
        (("train", "--model", TREE, "--with", "depth=3"), "with: depth: no such parameter; "),
        (("train", "--model", TREE, "--with", "max_depth=-1"), f"model: {TREE} fails: "),
        (("train", "--model", TREE, "--save", "m.safetensors"), "siffra saves networks alone"),
        (("train", "--model", TREE, "--save", "m.onnx"), "is scikit-learn's, and no network."),
        (("train", "--model", TREE, "--neurons", 3), f"neurons: a {TREE} model has no such knob"),
    ],
)
def test_mistakes_are_told_in_a_line(siffra, small, arguments, told):
    ended = siffra(*arguments, *small[:6])

    assert ended.code == 2
    error = ended.err.splitlines()[-1]  # before it may stand what was read
    assert error.startswith("error: ")
    assert told in error
