"""Regular expressions that find metrics: which group finds what, and what is refused."""

import time

import pytest

from siffra.engine.command.patterns import Patterns
from siffra.errors import ConfigError


def found(patterns: list[str], metrics: list[str], line: str) -> dict[str, str]:
    return Patterns.parse(patterns, metrics).search(line)


def test_the_last_match_in_a_line_counts():
    assert found(["loss: ([0-9.]+)"], ["loss"], "loss: 0.5, then loss: 0.25") == {"loss": "0.25"}


def test_patterns_without_names_find_the_metrics_in_order():
    line = "loss 0.5 accuracy 91"

    assert found(["loss ([0-9.]+)", r"accuracy (\d+)"], ["loss", "acc"], line) == {
        "loss": "0.5",
        "acc": "91",
    }


def test_names_of_groups_say_what_they_find():
    patterns = Patterns.parse(
        [r"epoch (?P<epoch>\d+).* acc (?P<acc>\d+)", r"loss (\S+)"], ["acc", "loss"]
    )

    assert patterns.search("epoch 3: loss 0.5 acc 91") == {
        "epoch": "3",
        "acc": "91",
        "loss": "0.5",
    }
    assert patterns.metrics == {"acc", "loss"}


def test_a_group_may_be_left_out_of_a_match():
    assert found([r"loss (?P<loss>\S+)( acc (?P<acc>\S+))?"], ["loss", "acc"], "loss 1") == {
        "loss": "1"
    }


def test_very_long_lines_are_not_searched():
    began = time.monotonic()

    assert found(["x*x*x*(y)"], ["y"], "x" * 10_001) == {}
    assert time.monotonic() - began < 60  # it would take days


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["loss: ([0-9"], "found `loss: ([0-9`, no regular expression from character 8 on."),
        (["*"], "found `*`, no regular expression from character 1 on."),
        (["(a){99999999999}"], "found `(a){99999999999}`, too large a regular expression."),
        (
            ["loss"],
            "found no groups in `loss`; put the number in one, as `loss: ([0-9.]+)`.",
        ),
        (
            ["(loss) (.*)"],
            "found 2 groups in `(loss) (.*)`; put the number in one, as `loss: ([0-9.]+)`.",
        ),
        (
            ["(?P<los>.*)"],
            "found a group `los` in `(?P<los>.*)`; did you mean `loss`?",
        ),
        (
            ["loss (.*)", "acc (.*)", "f1 (.*)"],
            "found `f1 (.*)`, but the other patterns find all metrics: loss, acc.",
        ),
    ],
)
def test_what_is_no_pattern_is_one_clear_line(patterns, expected):
    with pytest.raises(ConfigError) as caught:
        Patterns.parse(patterns, ["loss", "acc"])

    assert str(caught.value) == f"read: {expected}"


def test_a_pattern_that_python_warns_of_is_taken_as_it_is():
    assert found(["[[]loss ([0-9]+)"], ["loss"], "[loss 3") == {"loss": "3"}
