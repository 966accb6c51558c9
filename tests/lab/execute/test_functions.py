"""A function that trains is varied: called once a run, its failures are results."""

import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import siffra
from siffra.errors import ConfigError, SiffraError
from siffra.lab.execute.events import Event

LOSS = siffra.Metric("loss", better="lower", margin=0.02)


def trained(lr: float, seed: int, width: int = 8) -> dict[str, float]:
    rng = random.Random(f"{lr} {seed} {width}")
    return {"loss": abs(lr - 0.3) + rng.gauss(0, 0.01) + 1 / width, "other": 1.0}


def by_epoch(lr: float, seed: int) -> Iterator[dict[str, float]]:
    for epoch in (1, 2, 4):
        yield {"epoch": epoch, "loss": trained(lr, seed)["loss"] + 1 / epoch}


def test_every_level_is_compared_with_the_first_by_what_the_function_gives():
    result = siffra.vary({"lr": [0.1, 0.3]}, train=trained, metric=LOSS)
    (claim,) = result.claims

    by_hand = [trained(0.3, seed)["loss"] - trained(0.1, seed)["loss"] for seed in range(5)]
    assert claim.values == pytest.approx(by_hand)
    assert claim.verdict == "supported"


def test_the_last_event_counts_what_is_decided_then():
    events: list[Event] = []
    siffra.vary(
        {"lr": [0.1, 0.3]}, train=trained, metric=LOSS, max_seeds=10, on_event=events.append
    )
    last = events[-1].progress

    assert (last.done, last.total, last.decided, last.claims) == (10, 10, 1, 1)


def test_a_knob_with_one_value_is_held_fixed():
    result = siffra.vary({"lr": [0.1, 0.3], "width": [16]}, train=trained, metric=LOSS)

    assert result.answers.questions[0].question.fixed == {"width": 16}
    (level, _) = result.answers.questions[0].levels
    assert level.metrics["loss"].values == pytest.approx(
        [trained(0.1, seed, 16)["loss"] for seed in range(5)]
    )


def test_what_is_yielded_makes_curves_and_the_last_is_the_result():
    result = siffra.vary({"lr": [0.1, 0.3]}, train=by_epoch, metric=LOSS)
    record = result.answers.questions[0].levels[0].records[2]

    final = trained(0.1, 2)["loss"]
    assert dict(record.curves["loss"]) == pytest.approx(
        {1: final + 1, 2: final + 0.5, 4: final + 0.25}
    )
    assert record.metrics == pytest.approx({"loss": final + 0.25})


def test_its_epochs_are_reported_by_the_metrics_that_are_wanted():
    def two(lr: float, seed: int) -> Iterator[dict[str, float]]:
        yield from ({"loss": lr, "other": 1.0}, {"epoch": 5, "other": 2.0})

    events: list[Event] = []
    siffra.vary({"lr": [0.1, 0.3]}, train=two, metric=LOSS, seeds=1, on_event=events.append)

    told = [(event.epoch, event.values) for event in events if event.kind == "epoch"]
    assert told[1] == told[3] == (5, {"epoch": 5})
    assert sorted(values["loss"] for _, values in told[::2]) == [0.1, 0.3]
    assert all(epoch == values["epoch"] == 1 for epoch, values in told[::2])


def test_what_the_listener_raises_is_no_failure_of_the_function():
    def stop(event: Event) -> None:
        if event.kind == "epoch":
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        siffra.vary({"lr": [0.1, 0.3]}, train=by_epoch, metric=LOSS, on_event=stop)


def test_runs_are_kept_only_where_a_store_is_given(tmp_path):
    calls: list[int] = []

    def counted(lr: float, seed: int) -> dict[str, float]:
        calls.append(seed)
        return trained(lr, seed)

    for _ in range(2):
        siffra.vary({"lr": [0.1, 0.3]}, train=counted, metric=LOSS)
    assert len(calls) == 20

    for _ in range(2):
        siffra.vary({"lr": [0.1, 0.3]}, train=counted, metric=LOSS, store=tmp_path / "s.sqlite")
    assert len(calls) == 30


def test_what_it_raises_is_a_run_that_failed_and_the_others_go_on():
    def breaks(lr: float, seed: int) -> dict[str, float]:
        if lr == 0.3 and seed == 2:
            raise ValueError("no\nmemory")
        return trained(lr, seed)

    result = siffra.vary({"lr": [0.1, 0.3]}, train=breaks, metric=LOSS)
    (claim,), level = result.claims, result.answers.questions[0].levels[1]

    assert [record.failure for record in level.records if record.failure] == [
        "ValueError: no memory"
    ]
    assert level.records[2].output[-1] == "memory"
    assert claim.collapsed == ((1, 5), (0, 5))
    assert claim.n == 4
    assert "1 of 5" in result.text()


def test_so_is_what_ends_it_as_a_program_ends():
    def ends(lr: float, seed: int) -> dict[str, float]:
        return sys.exit(3) if seed == 2 else trained(lr, seed)

    levels = siffra.vary({"lr": [0.1, 0.3]}, train=ends, metric=LOSS).answers.questions[0].levels
    assert [level.records[2].failure for level in levels] == 2 * ["SystemExit: 3"]


def test_what_always_raises_ends_it_with_the_first_seed():
    def breaks(lr: float, seed: int) -> dict[str, float]:
        calls.append(seed)
        raise ValueError(f"no lr {lr}")

    calls: list[int] = []
    with pytest.raises(SiffraError, match=r"all of the first 2 runs failed \(ValueError: no lr"):
        siffra.vary({"lr": [0.1, 0.3]}, train=breaks, metric=LOSS)
    assert len(calls) == 2


def test_a_metric_that_it_does_not_give_ends_it_with_the_first_run():
    def gives(lr: float, seed: int) -> dict[str, float]:
        calls.append(seed)
        return {"acc": lr, "epochs": 3}

    calls: list[int] = []
    with pytest.raises(SiffraError, match="no metric `loss`; the training gave acc, epochs"):
        siffra.vary({"lr": [0.1, 0.3]}, train=gives, metric=LOSS)
    assert len(calls) == 1


def test_nan_is_a_run_that_diverged():
    def diverges(lr: float, seed: int) -> dict[str, float]:
        return {"loss": math.nan if lr > 0.2 else 0.1 * seed}

    level = siffra.vary({"lr": [0.1, 0.3]}, train=diverges, metric=LOSS).answers.questions[0].levels

    assert [each.diverged for each in level] == [0, 5]


def test_processes_give_what_one_gives():
    alone, shared = (
        siffra.vary({"lr": [0.1, 0.3]}, train=trained, metric=LOSS, jobs=jobs).claims
        for jobs in (1, 2)
    )

    assert alone == shared


SCRIPT = """
import siffra
def train(lr, seed):
    return {"loss": lr + seed}
"""
CALL = "print(siffra.vary({'lr': [1, 2]}, train=train, metric='loss:lower', jobs=2, seeds=2))"


@pytest.mark.parametrize(
    ("source", "words", "said"),
    [
        (SCRIPT + f'if __name__ == "__main__":\n    {CALL}', ["mine.py"], "Held fixed: not known"),
        (SCRIPT + CALL, ["-m", "mine"], "jobs: each process imports mine.py, and would make"),
        (
            SCRIPT + CALL,
            ["mine.py"],
            "jobs: each process imports mine.py, and would make the same call; put the call of "
            'siffra under `if __name__ == "__main__":`, or leave out jobs.',
        ),
        (SCRIPT + CALL, ["-"], "jobs: train is of a notebook or a prompt, from which other"),
        (SCRIPT + CALL, ["-c", "exec(open('mine.py').read())"], "jobs: train is of a notebook or"),
    ],
)
def test_processes_import_a_script_that_is_guarded(tmp_path, source, words, said):
    (tmp_path / "mine.py").write_text(source)
    done = subprocess.run(
        [sys.executable, *words],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        input=source,
        capture_output=True,
        text=True,
    )

    assert said in (done.stdout + done.stderr).rstrip().splitlines()[-1]


def test_a_process_that_ends_is_said_to_be_one():
    with pytest.raises(SiffraError, match=r"called vanish ended.*`if __name__ == \"__main__\":`"):
        siffra.vary({"lr": [0.1, 0.3]}, train=vanish, metric=LOSS, jobs=2)


def vanish(lr: float, seed: int) -> dict[str, float]:
    os._exit(3)


ONES = np.ones((2, 2))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train": lambda lr: {"loss": 1.0}}, "cannot be called with lr, seed by name"),
        ({"train": lambda lr, seed: 0.2}, r"returns 0\.2; it must be numbers, as {'loss': 0\.21}"),
        ({"train": lambda lr, seed: {"loss": "x"}}, "gives {'loss': 'x'}; it must be numbers"),
        ({"train": lambda lr, seed: {"loss": True}}, "gives {'loss': True}; it must be numbers"),
        ({"train": lambda lr, seed: {"loss": "0.5"}}, r"gives {'loss': '0\.5'}; it must be"),
        ({"train": lambda lr, seed: iter([{"epoch": "x", "loss": 1}])}, "yields {'epoch': 'x', "),
        ({"train": lambda lr, seed: iter([1])}, "yields 1; it must be numbers"),
        ({"train": trained, "seed": 1}, r"knob `seed`: siffra itself gives each run its seed\.$"),
        ({"train": "train"}, "train: found 'train'; give a function"),
        ({"train": lambda lr, seed: {"loss": 1}, "jobs": 2}, "cannot be handed to other processes"),
        ({"train": trained, "threads": 2}, "threads: it means nothing to a program"),
        ({"train": trained, "metric": ()}, "metric: found none"),
        ({"train": trained, "metric": [LOSS, "loss:higher"]}, r"metric loss: given twice\.$"),
        ({"train": trained, "metric": "loss"}, "say which values are better, as loss:lower"),
        ({"train": trained, "command": "python x.py"}, "give either a function, or the command"),
        ({"metric": LOSS}, "metric: it is for a train function or a command"),
        ({"metric": (), "margin": 0.1}, "margin: it is for a train function or a command"),
        ({"metric": (), "timeout": "10m"}, "timeout: it is for a command"),
        ({"train": trained, "read": ["loss: (.*)"]}, "read: it is for a command"),
        ({"train": trained, "gpus": ["0"]}, "gpus: it is for a command"),
        ({"train": trained, "recipe": "digits-1s"}, "recipe: it is for siffra's networks"),
        ({"train": trained, "data": (ONES, ONES)}, "data: it is for siffra's networks"),
        ({"command": "python x.py", "examines": True}, "examines: it is for siffra's networks"),
    ],
)
def test_mistakes_are_one_clear_line(options: dict[str, Any], message: str):
    given: dict[str, Any] = {"metric": LOSS, **options}
    with pytest.raises(ConfigError, match=message) as caught:
        siffra.vary({"lr": [0.1, 0.3]}, **given)

    assert "\n" not in str(caught.value)


def test_a_report_says_how_to_ask_the_same_again(tmp_path):
    result = siffra.vary({"lr": [0.1, 0.3], "width": [16]}, train=trained, metric=LOSS)
    page, *_ = result.write(tmp_path)

    call = (
        "siffra.vary({'lr': [0.1, 0.3], 'width': [16]}, train=…, "
        "metric=['loss:lower,margin=0.02'], seeds=5)"
    )
    assert result._report().command == call
    assert "siffra.vary(" in page.read_text("utf-8")
