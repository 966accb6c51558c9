"""`siffra search`, and recipes on the command line."""

import html
import json
import re
import shlex
import tomllib

import numpy as np
import pytest

from siffra.config.recipes import find_recipe
from siffra.store.store import open_store
from siffra.training.model_file import load_model

SPANS = ("--budget", "0.05s", "--time", "4s")


def write_images(folder, side, train, seed, bar):
    """Data of a user's own: `train` + 60 images of 3 classes, `side` pixels high and wide.

    Bright is a label's `bar`: its rows and columns.
    """
    rng = np.random.default_rng(seed)

    def images(count):
        y = np.arange(count) % 3
        x = rng.integers(0, 90, (count, side, side))
        for image, label in zip(x, y, strict=True):
            image[bar(label)] += 150
        return x.astype(np.uint8), y

    path = folder / "own.npz"
    (x_train, y_train), (x_test, y_test) = images(train), images(60)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """400 + 60 images of 12 x 12."""
    return write_images(
        tmp_path_factory.mktemp("data"), 12, 400, 3, lambda y: np.s_[2:10, 4 * y : 4 * y + 3]
    )


@pytest.fixture
def quick(many):
    """Options for a search of some seconds, of dense models."""
    return ("--data", many, "--moved", "1", "--threads", "1", "--model", "dense", *SPANS)


def printed_command(out):
    """The words after `siffra` of the command that the report in `out` prints."""
    page = (out / "search.html").read_text("utf-8")
    (printed,) = re.findall(r"<pre>(.*?)</pre>", page)
    program, *words = shlex.split(html.unescape(printed))
    assert program == "siffra"
    return words


def test_it_leaves_a_report_a_model_and_a_recipe_that_train_repeats(siffra, quick, tmp_path):
    out = tmp_path / "found"

    told = json.loads(siffra("search", *quick, "--out", out, "--json").out)

    assert sorted(path.name for path in out.iterdir()) == [
        "figures", "search.html", "search.json", "winner.safetensors", "winner.toml",
    ]  # fmt: skip
    assert json.loads((out / "search.json").read_text("utf-8")) == told
    winner = told["winner"]
    assert winner["knobs"]["model"] == "dense"
    assert len(winner["seeds"]) >= 2
    recipe = tomllib.loads((out / "winner.toml").read_text("utf-8"))
    assert recipe["measured"]["seeds"] == len(winner["seeds"])
    assert recipe["measured"]["accuracy"]["test"]["mean"] == pytest.approx(
        winner["accuracy"]["test"]["mean"], abs=1e-6
    )
    again = siffra(
        *printed_command(out), "--json", "--store", tmp_path / "others.sqlite", "--threads", "2"
    )
    trained = json.loads(again.out)
    # JSON has lists where knobs have one value for each layer.
    assert trained["config"] == winner["knobs"]
    first = winner["seeds"].index(0)
    for name, accuracy in trained["accuracy"].items():
        assert accuracy == winner["accuracy"][name]["values"][first]


def test_a_search_that_is_stopped_says_how_to_have_an_answer_early(
    siffra, quick, tmp_path, monkeypatch
):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "found"
    with monkeypatch.context() as patched:
        patched.setattr("siffra.search.trials.try_out", interrupted)
        stopped = siffra("search", *quick, "--time", "12s", "--out", out)
    assert stopped.code == 130
    assert stopped.err.endswith("or with a shorter --time to finish with the best so far.\n")
    assert not (out / "search.html").exists()

    early = siffra("search", *quick, "--time", "1s", "--out", out, "--json")

    assert len(json.loads(early.out)["winner"]["seeds"]) >= 2
    assert (out / "search.html").exists()


@pytest.fixture(scope="module")
def plenty(tmp_path_factory):
    """12,000 + 60 images of 8 x 8: more than a search of a fifth of a second sees."""
    return write_images(
        tmp_path_factory.mktemp("data"), 8, 12_000, 4, lambda y: np.s_[1:7, 2 * y + 1 : 2 * y + 3]
    )


OF_EVERYTHING = {
    "model": "conv", "conv_layers": 2, "filters": [4, 8], "kernel_size": 3, "strides": 1,
    "padding": "same", "pool_size": [2, 1], "pooling": "max", "global_pooling": "none",
    "space_to_depth": 1, "layers": 1, "neurons": 16, "activation": "gelu", "batch_norm": True,
    "dropout": 0.2, "optimizer": "muon", "ema": 0.9, "batch_size": 8, "schedule": "one_cycle",
    "augment": "shifts",
}  # fmt: skip
"""All that a training remembers or draws: its winner is harder to repeat than a dense network."""


def test_a_convolutional_winner_is_repeated_bit_for_bit_on_other_threads(siffra, plenty, tmp_path):
    out, again = tmp_path / "found", tmp_path / "again.safetensors"
    knobs = [
        word
        for name, value in OF_EVERYTHING.items()
        for word in (f"--{name.replace('_', '-')}", ",".join(map(str, np.atleast_1d(value))))
    ]

    told = json.loads(
        siffra(
            "search", "--budget", "0.2s", "--time", "6s", "--data", plenty, "--moved", 1,
            "--rotated", 10, "--threads", 1, *knobs, "--out", out, "--json",
        ).out
    )  # fmt: skip
    siffra(
        *printed_command(out), "--store", tmp_path / "others.sqlite", "--threads", 2,
        "--seed", 0, "--save", again,
    )  # fmt: skip

    winner = told["winner"]["knobs"]
    for name in ("model", "filters", "batch_norm", "dropout", "optimizer", "ema", "augment"):
        assert winner[name] == OF_EVERYTHING[name]
    assert 0 < winner["epochs"] < 1
    first, other = load_model(out / "winner.safetensors"), load_model(again)
    assert other.setting == first.setting
    assert {"conv_1.kernel", "conv_2.moving_variance"} <= first.weights.keys()
    assert other.weights.keys() == first.weights.keys()
    for name, weights in first.weights.items():
        assert weights.tobytes() == other.weights[name].tobytes(), name


def test_the_same_command_tells_the_same_again_at_once(siffra, quick, tmp_path):
    first = siffra("search", *quick, "--out", tmp_path / "a", "--json")

    again = siffra("search", *quick, "--out", tmp_path / "a", "--json")

    told, retold = json.loads(first.out), json.loads(again.out)
    assert retold["winner"]["runs"] == told["winner"]["runs"]
    assert retold["points"] == told["points"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--budget", "0"), "budget: found '0'; it must be longer than 0 s, for example 15s."),
        (("--budget", "-3s"), "budget: found '-3s'; it must be longer than 0 s, for example 15s."),
        (("--budget", "soon"),
         "budget: found 'soon'; use a duration such as 15s, 1m30s or 10m."),
        (("--budget", "5s", "--time", "never"),
         "time: found 'never'; use a duration such as 15s, 1m30s or 10m."),
        (("--budget", "1m", "--time", "1m"),
         "time: 1m is too short: a budget of 1m needs at least 4m."),
        (("--budget", "5s", "--sets", "test,shifted"),
         "sets: found `shifted`; known: moved, rotated, test."),
        (("--budget", "5s", "--epochs", "3"),
         "epochs: a search derives them from the budget; remove this."),
        (("--budget", "5s", "--model", "cnov"), "model: found 'cnov'; it must be"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_one_clear_line(siffra, tmp_path, options, told):
    ended = siffra("search", *options, "--out", tmp_path / "out")

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error: {told}")
    assert ended.err.count("\n") == 1


def test_too_few_images_are_one_clear_line(siffra, own_data, tmp_path):
    ended = siffra("search", "--budget", "1s", "--data", own_data, "--moved", 2, "--out", tmp_path)

    assert ended.code == 2
    assert (
        "18 validation images are too few for model selection; at least 30 are needed." in ended.err
    )


def test_a_space_without_a_network_is_one_clear_line(siffra, many, tmp_path):
    ended = siffra(
        "search", *SPANS, "--data", many, "--moved", 1, "--out", tmp_path, "--model", "conv",
        "--padding", "valid", "--conv-layers", 3, "--kernel-size", 12,
    )  # fmt: skip

    assert ended.code == 2
    assert "can be trained on images of 12x12x1; for example: " in ended.err
    assert "kernel_size" in ended.err


def test_a_machine_that_is_too_slow_is_one_clear_line(siffra, many, tmp_path):
    ended = siffra(
        "search", "--budget", "0.00001s", "--time", "4s", "--data", many, "--moved", 1,
        "--model", "dense", "--out", tmp_path,
    )  # fmt: skip

    assert ended.code == 2
    assert "in 1e-05s no network with model = dense makes 24 steps on this machine" in ended.err


def test_a_recipes_knobs_give_way_to_those_that_are_given(siffra, small, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[knobs]\nneurons = 5\nlearning_rate = 0.5\noptimizer = "momentum"\n')

    trained = json.loads(siffra("train", *small, "--recipe", path, "--json").out)
    plain = json.loads(
        siffra("train", *small, "--recipe", path, "--optimizer", "sgd", "--json").out
    )

    assert (trained["config"]["neurons"], trained["config"]["learning_rate"]) == (5, 0.1)
    assert trained["config"]["momentum"] == 0.9
    assert "momentum" not in plain["config"]


def test_vary_varies_a_recipe(siffra, small, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[knobs]\nneurons = 5\noptimizer = "momentum"\nlabel_smoothing = 0.1\n')

    told = json.loads(
        siffra(
            "vary", "optimizer=momentum,sgd", *small, "--recipe", path, "--seeds", 2, "--json"
        ).out
    )

    (question,) = told["questions"]
    assert question["fixed"]["neurons"] == 5
    assert question["fixed"]["label_smoothing"] == 0.1
    assert [level["n"] for level in question["levels"]] == [2, 2]


def test_a_mistake_in_a_recipe_is_told_with_its_file(siffra, small, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[knobs]\nneuron = 5\n")

    ended = siffra("train", *small, "--recipe", path)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "error: mine.toml: knobs: neuron: no such knob; did you mean `neurons`?\n"


def test_a_recipe_that_is_none_is_one_clear_line(siffra):
    ended = siffra("train", "--recipe", "digits-5")

    assert ended.code == 2
    assert ended.err == (
        "error: digits-5: no such recipe, and no such file; did you mean `digits-5s`?\n"
    )


def test_a_shipped_recipe_trains_for_its_number_of_steps(siffra, many, tmp_path):
    path = tmp_path / "runs.sqlite"

    siffra("train", "--recipe", "digits-1s", "--data", many, "--moved", 1, "--neurons", "4",
           "--model", "dense", "--store", path)  # fmt: skip

    with open_store(path, read_only=True) as store:
        (record,) = store.records()
    assert record.training.epochs == find_recipe("digits-1s").knobs["epochs"]
