"""Knobs on the command line: their options, and the levels of `vary`."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from siffra.cli import app
from siffra.cli.knobs import (
    KnobCommand,
    parse_levels,
    parse_own_levels,
    parse_value,
    parse_values,
    with_knobs,
)
from siffra.cli.options import parse_list
from siffra.cli.train import train
from siffra.cli.vary import vary
from siffra.config import KNOBS
from siffra.errors import ConfigError

numbers = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**9), 10**9).map(float)
)


@pytest.mark.parametrize("command", [train, vary])
def test_every_knob_is_an_option(command):
    assert set(KNOBS) <= set(inspect.signature(command).parameters)


@given(st.lists(numbers, min_size=1, max_size=5))
def test_levels_of_a_number_are_read_as_python_writes_them(values):
    text = ",".join(map(repr, values))

    assert parse_levels([f"learning_rate={text}"]) == {"learning_rate": values}


widths = st.lists(st.integers(1, 2000), min_size=2, max_size=4)


@given(st.lists(st.one_of(st.integers(1, 2000), widths), min_size=1, max_size=4))
def test_levels_may_be_lists_in_brackets(values):
    text = ",".join(str(value).replace(" ", "") for value in values)

    assert parse_levels([f"neurons={text}"]) == {"neurons": values}


def test_whole_numbers_may_have_leading_zeros():
    assert parse_levels(["neurons=8,016,032"]) == {"neurons": [8, 16, 32]}


def test_several_knobs_and_either_spelling():
    assert parse_levels(["batch-size=6, 45", "optimizer=sgd,momentum"]) == {
        "batch_size": [6, 45],
        "optimizer": ["sgd", "momentum"],
    }


def test_a_per_layer_knob_takes_one_value_or_one_for_each_layer():
    assert parse_values(KNOBS["neurons"], "32") == 32
    assert parse_values(KNOBS["neurons"], "32,64") == [32, 64]
    assert parse_values(KNOBS["neurons"], ["32", "64,16"]) == [32, 64, 16]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["bacth_size=6"], "bacth_size: no such knob; did you mean `batch_size`?"),
        (["batch_size"], "batch_size: no levels; write them as batch_size=V1,V2,..."),
        (["batch_size="], "batch_size: no levels; write them as batch_size=V1,V2,..."),
        (["layers=1", "layers=2"], "layers: given twice; write its levels as layers=V1,V2,..."),
        (["batch_size=6,x"], "batch_size: found 'x'; it must be a whole number."),
        (["learning_rate=1,fast"], "learning_rate: found 'fast'; it must be a number."),
        (
            ["learning_rate=0,5"],
            "learning_rate: found 0.0; it must be above 0. Is one number meant? "
            "Write learning_rate=0.5",
        ),
        *(
            (
                [f"{name}={typed}"],
                f"{name}: found {typed!r}; commas part the values, and "
                f"decimals have a point. Write {name}={right}",
            )
            for name in ("learning_rate", "dropout")
            for typed, right in {
                "0,03,0,3": "0.03,0.3",
                "0,1,0,5": "0.1,0.5",
                "0,1;0,5": "0.1,0.5",
                "1,05": "1.05",
                "1,2,05": "0.5,1",  # which are the numbers is not clear
            }.items()
        ),
        (
            ["neurons=8,16,"],
            "neurons: found '8,16,'; an entry is empty: write it as neurons=V1,V2,...",
        ),
        (["layers=1,[2,3]"], "layers: found [2,3]; this knob has one value for all layers."),
    ],
)
def test_a_mistake_in_levels_is_named(arguments, message):
    with pytest.raises(ConfigError) as caught:
        parse_levels(arguments)

    assert str(caught.value) == message


@pytest.mark.parametrize("typed", ["0,03,0,3", "0,1,0,5", "0,1;0,5", "1,5,2,5"])
def test_halves_of_numbers_are_no_levels_of_a_program(typed):
    right = typed.replace(";", ",").split(",")
    with pytest.raises(ConfigError, match=f"Write lr={right[0]}.{right[1]},{right[2]}.{right[3]}"):
        parse_own_levels([f"lr={typed}"])


def test_whole_numbers_and_labels_have_no_decimals():
    assert parse_levels(["neurons=8,16,8,32"]) == {"neurons": [8, 16, 8, 32]}
    assert parse_own_levels(["id=007,008"]) == {"id": ["007", "008"]}
    assert parse_own_levels(["n=8,16,8"]) == {"n": [8, 16, 8]}  # the plan says what is twice


def test_a_value_that_is_no_number_is_named():
    with pytest.raises(ConfigError, match=r"layers: found '2\.5'; it must be a whole number"):
        parse_value(KNOBS["layers"], "2.5")

    with pytest.raises(ConfigError, match=r"batch_norm: found 'yes'; it must be true or false"):
        parse_value(KNOBS["batch_norm"], "yes")


def test_two_levels_of_which_the_first_is_0_are_no_decimal_comma():
    assert parse_levels(["weight_decay=0,5"]) == {"weight_decay": [0, 5]}


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("--batch-norm", True),
        ("--no-batch-norm", False),
        ("--batch-norm true", True),
        ("--batch-norm False", False),
        ("--batch-norm=true", True),
        ("--batch-norm=false", False),
        ("", None),
    ],
)
def test_a_boolean_knob_is_a_flag_with_or_without_its_value(typed, value):
    given = {}

    @with_knobs
    def command(*, word: str, knobs: dict[str, Any]) -> None:
        given.update(knobs, word=word)

    app = typer.Typer()
    app.command(cls=KnobCommand)(command)
    app([*typed.split(), "word"], standalone_mode=False)

    assert given == {"word": "word"} | ({} if value is None else {"batch_norm": value})


def test_true_and_false_are_read():
    assert parse_value(KNOBS["batch_norm"], "true") is True
    assert parse_value(KNOBS["batch_norm"], "False") is False


def _commands(command: Any) -> Iterator[Any]:
    for inner in getattr(command, "commands", {}).values():
        yield from _commands(inner)
    yield command


def test_an_option_that_takes_a_list_may_be_given_several_times():
    """Otherwise all but the last are lost, without a word. A knob's list is one value."""
    options = [o for c in _commands(typer.main.get_command(app)) for o in c.params]
    lists = {
        option.name: option.multiple or option.nargs == -1
        for option in options
        if option.name not in KNOBS
        and (option.metavar or "").endswith(("NAMES", "IDS", "NAME,...", "=X,...", "=VALUE,..."))
    }

    assert {"by", "pair_by", "only", "gpus", "sets", "shifts", "works", "baseline"} <= set(lists)
    assert all(lists.values()), lists


def test_lists_given_one_by_one_are_one():
    assert parse_list("by", ["a,b", "c"]) == ("a", "b", "c")
    with pytest.raises(ConfigError, match="an entry is empty"):
        parse_list("by", ["a", ""])
