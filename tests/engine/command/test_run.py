"""One run of a real program: what it measured, or how it failed."""

import json
import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from siffra.engine.command.metrics import ExternalResult, MetricSource
from siffra.engine.command.run import CommandSpec, run_once
from siffra.engine.command.template import CommandTemplate
from siffra.errors import ConfigError

TRAIN = """
import argparse, json, logging, pathlib, random
parser = argparse.ArgumentParser()
parser.add_argument("--lr", type=float)
parser.add_argument("--seed", type=int)
parser.add_argument("--out", type=pathlib.Path)
args = parser.parse_args()
random.seed(args.seed)
for epoch in (1, 2, 3):
    loss = (args.lr - 0.3) ** 2 + random.random() / epoch
    print(json.dumps({"epoch": epoch, "val_loss": round(loss, 4)}))
    logging.warning("epoch %d", epoch)
if args.out:
    (args.out / "metrics.json").write_text(json.dumps({"val_loss": 0.125}))
"""
COMMAND = f"{sys.executable} train.py --lr {{lr}} --seed {{seed}}"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(TRAIN)
    return tmp_path


def spec(folder: Path, command: str | list[str], timeout: float | None = 60) -> CommandSpec:
    return CommandSpec(
        template=CommandTemplate.parse(command),
        source=MetricSource.parse(["val_loss"]),
        cwd=folder,
        timeout=timeout,
    )


def script(folder: Path, text: str, **options) -> ExternalResult:
    """What becomes of a shell script."""
    return run_once(spec(folder, ["sh", "-c", text, "{seed}"], **options), {}, seed=1, out=folder)


def test_a_training_is_run_and_read(folder):
    seen = []
    result = run_once(
        spec(folder, COMMAND),
        {"lr": 0.1},
        seed=7,
        out=folder / "out",
        on_epoch=lambda position, values: seen.append(position),
    )

    assert result.failure == ""
    assert [epoch for epoch, _ in result.curves["val_loss"]] == [1, 2, 3]
    assert seen == [("epoch", 1), ("epoch", 2), ("epoch", 3)]
    assert result.metrics == {"val_loss": result.curves["val_loss"][-1][1]}
    assert result.steps == {"val_loss": pytest.approx(1e-4)}
    assert "WARNING:root:epoch 3" in result.output
    assert not (folder / "out").exists()


def test_the_seed_and_the_knobs_decide(folder):
    def loss(lr: float, seed: int) -> float:
        result = run_once(spec(folder, COMMAND), {"lr": lr}, seed=seed, out=folder / "out")
        return result.metrics["val_loss"]

    assert loss(0.1, 1) == loss(0.1, 1)
    assert loss(0.1, 1) != loss(0.1, 2)
    assert loss(0.8, 1) - loss(0.3, 1) == pytest.approx(0.25, abs=1e-4)


def test_the_file_in_its_folder_counts(folder, monkeypatch):
    monkeypatch.chdir(folder)
    command = spec(folder, COMMAND + " --out {out}")
    result = run_once(command, {"lr": 0.1}, seed=7, out=Path("runs/a b"))

    assert result.metrics == {"val_loss": 0.125}
    assert (folder / "runs" / "a b" / "metrics.json").exists()


def test_the_file_of_an_earlier_run_does_not(folder):
    (folder / "metrics.json").write_text('{"val_loss": 1}')
    command = spec(folder, ["sh", "-c", "true {seed} {out}"])

    assert run_once(command, {}, seed=1, out=folder).failure == "no metric `val_loss`"


def test_variables_are_passed_on(folder):
    command = spec(
        folder, ["sh", "-c", 'echo "{{\\"val_loss\\": $CUDA_VISIBLE_DEVICES}}"; : {seed}']
    )
    result = run_once(command, {}, seed=1, out=folder, env={"CUDA_VISIBLE_DEVICES": "3"})

    assert result.metrics == {"val_loss": 3}


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("echo oops; exit 3", "exit 3"),
        ("echo oops; kill -SEGV $$", "signal 11"),
        ("echo oops", "no metric `val_loss`"),
        ("echo '{{\"val_loss\": null}}'; echo oops", "metric `val_loss` is null, no number"),
    ],
)
def test_a_run_that_fails_is_a_result(text, failure, folder):
    result = script(folder, text)

    assert result.failure == failure
    assert result.output[-1] == "oops"


def test_one_that_hangs_is_a_result(folder, begun):
    words = ["sh", "-c", 'echo \'{{"epoch": 1, "val_loss": 2}}\'; sleep 60', "{seed}"]
    hangs = spec(folder, words, timeout=0.2)
    result = run_once(hangs, {}, seed=1, out=folder, on_epoch=begun.begin)

    assert result.failure == "timeout"
    assert result.curves == {"val_loss": ((1, 2),)}
    assert result.seconds < 30


def test_one_that_fails_after_its_metric_has_failed(folder):
    result = script(folder, "echo '{{\"val_loss\": 2}}'; exit 1")

    assert result.failure == "exit 1"
    assert result.metrics == {"val_loss": 2}


def test_one_that_diverges_is_no_failure(folder):
    result = script(folder, "echo '{{\"val_loss\": NaN}}'")

    assert result.failure == ""
    assert math.isnan(result.metrics["val_loss"])


def test_a_traceback_is_in_the_tail(folder):
    result = run_once(spec(folder, COMMAND), {"lr": "high"}, seed=1, out=folder)

    assert result.failure == "exit 2"
    assert result.output[-1].endswith("argument --lr: invalid float value: 'high'")


def test_only_what_cannot_be_started_is_an_error(folder):
    with pytest.raises(ConfigError, match=r"cannot start `\./train\.py`: Permission denied"):
        run_once(spec(folder, "./train.py {seed}"), {}, seed=1, out=folder)
    with pytest.raises(ConfigError, match=r"`\{lr\}` has no value"):
        run_once(spec(folder, COMMAND), {}, seed=1, out=folder)


class TestIdentity:
    def test_it_is_the_command_its_values_and_the_files_that_it_names(self, folder):
        first = spec(folder, COMMAND).identity({"lr": 0.1}, 1)

        assert json.loads(json.dumps(first)) == first
        assert spec(folder, COMMAND.split(), timeout=5).identity({"lr": 0.1}, 1) == first
        assert spec(folder, COMMAND).identity({"lr": 0.1}, 2) != first
        assert spec(folder, COMMAND).identity({"lr": 0.3}, 1) != first
        assert spec(folder, COMMAND + " --x").identity({"lr": 0.1}, 1) != first

        (folder / "train.py").write_text(TRAIN + "# edited")
        assert spec(folder, COMMAND).identity({"lr": 0.1}, 1) != first

    def test_files_that_knobs_name_count(self, folder):
        command = spec(folder, "train {size}.yaml {seed}.csv {out}")
        (folder / "small.yaml").write_text("1")
        before = command.identity({"size": "small"}, 1)
        (folder / "1.csv").write_text("1")
        split = command.identity({"size": "small"}, 1)
        (folder / "small.yaml").write_text("2")

        assert (
            len({str(each) for each in (before, split, command.identity({"size": "small"}, 1))})
            == 3
        )

    def test_patterns_count(self, folder):
        other = replace(
            spec(folder, COMMAND), source=MetricSource.parse(["val_loss"], ["loss ([0-9]+)"])
        )

        assert other.identity({"lr": 1}, 1) != spec(folder, COMMAND).identity({"lr": 1}, 1)


def test_what_no_run_can_do_is_seen_before_the_first(folder):
    spec(folder, COMMAND).check(["lr"])

    for mistaken, knobs, expected in (
        (spec(folder, COMMAND), [], "command: `{lr}` has no value; "),
        (spec(folder, "no-such-program {seed}"), [], "command: found no program `no-such-program`"),
        (
            spec(folder / "none", "sh {seed}"),
            [],
            f"command: found no folder {folder}/none to run in.",
        ),
    ):
        with pytest.raises(ConfigError) as caught:
            mistaken.check(knobs)
        assert str(caught.value).startswith(expected)
