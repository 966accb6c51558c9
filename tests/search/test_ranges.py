"""Where a search of one's own training looks: ranges and lists, as they are typed."""

import math

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from siffra.errors import ConfigError
from siffra.search.ranges import Ranges


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("0.001..1", FloatDistribution(0.001, 1, log=True)),
        ("0.1..1", FloatDistribution(0.1, 1, log=True)),
        ("0.2..1", FloatDistribution(0.2, 1)),
        ("0.0..1", FloatDistribution(0, 1)),
        ("-1..1.5", FloatDistribution(-1, 1.5)),
        (".5...75", FloatDistribution(0.5, 0.75)),
        ("1e-4..1e-1:linear", FloatDistribution(1e-4, 0.1)),
        ("0.2..1:log", FloatDistribution(0.2, 1, log=True)),
        ("1..8", IntDistribution(1, 8)),
        ("16..1024", IntDistribution(16, 1024, log=True)),
        ("0..100", IntDistribution(0, 100)),
        ([16, 32, 64], CategoricalDistribution([16, 32, 64])),
        (["sgd", "adam", "sgd"], CategoricalDistribution(["sgd", "adam"])),
        (["../a", "../b"], CategoricalDistribution(["../a", "../b"])),
    ],
)
def test_a_range_is_logarithmic_from_a_factor_of_ten_on_and_whole_if_its_ends_are(typed, meant):
    assert Ranges.parse({"knob": typed}).distributions == {"knob": meant}


def test_what_has_one_value_is_fixed():
    ranges = Ranges.parse({"lr": ["0.1..1"], "width": 64, "data": ["../../data"]})

    assert list(ranges.distributions) == ["lr"]
    assert ranges.fixed == {"width": 64, "data": "../../data"}


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ({"lr": "1..0.1"}, "lr: found '1..0.1'; the first number must be below the second."),
        ({"lr": "1..1"}, "lr: found '1..1'; the first number must be below the second."),
        ({"lr": "a..1"}, "lr: found 'a..1'; a range has two numbers, as 0.001..1."),
        ({"lr": "1..1e999"}, "lr: found '1..1e999'; a range has two numbers, as 0.001..1."),
        ({"lr": "nan..1"}, "lr: found 'nan..1'; a range has two numbers, as 0.001..1."),
        ({"lr": "1..2..3"}, "lr: found '1..2..3'; a range has two numbers, as 0.001..1."),
        ({"lr": "1..2:cubic"}, "lr: found '1..2:cubic'; behind a range stands :log or :linear"),
        ({"lr": "0..2:log"}, "lr: found '0..2:log'; a logarithmic scale has numbers above 0"),
        ({"lr": "0..1"}, "lr: found '0..1', which has two whole numbers alone; write 0.0..1 for"),
        ({"lr": [True, 1, 2]}, "lr: found true and 1, which are equal; leave one out"),
        ({"lr": ["1..2", "3"]}, "lr: found '1..2' beside others; give one range, or a list"),
        ({"lr": []}, "lr: found no values; give one range, or a list of values."),
        ({"lr": [[64], [64, 64]]}, "lr: found [64]; a knob of a program or a function takes"),
        ({"lr": [math.inf, 1]}, "lr: found inf; a knob of a program or a function takes"),
        ({"lr": 0.1}, "space: found nothing to search; give a knob a range or several values"),
        ({}, "space: found nothing to search; give a knob a range or several values"),
        (["lr"], "space: found ['lr']; give a dict, as {'lr': '0.001..1'}."),
    ],
)
def test_a_mistake_is_one_line_that_says_what_would_be_right(space, message):
    with pytest.raises(ConfigError) as refused:
        Ranges.parse(space)

    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("typed", "value", "rounded"),
    [
        ("0.001..1", 0.0312345, 0.031),
        ("0.001..1", 0.9999, 1),
        ("0.00123..1", 0.00123001, 0.00123),  # 0.0012 is not in it
        ("1..1.5:log", 1.23456, 1.235),
        ("0..1.0", 0.123456, 0.12),
        ("0..1000.0", 123.456, 120),
        ("1000000..1000001.5", 1000000.98765, 1000000.99),
    ],
)
def test_values_have_the_digits_that_matter_and_stay_in_the_range(typed, value, rounded):
    ranges = Ranges.parse({"x": typed})

    assert ranges.knobs(lambda *_: value) == {"x": rounded}


def test_settings_are_counted_unless_a_knob_has_decimals():
    assert Ranges.parse({"width": [16, 32], "layers": "1..4"}).count == 8
    assert Ranges.parse({"width": [16, 32], "lr": "0.1..1"}).count == math.inf
