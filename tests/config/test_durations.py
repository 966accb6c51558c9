"""Spans of time as people write them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siffra.config.durations import seconds_of, spell_seconds
from siffra.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("15s", 15), ("15", 15), ("0.5 s", 0.5), ("10m", 600), ("1m30s", 90), ("2min", 120),
     ("1h", 3600), ("1h30m", 5400), (1e-5, 1e-5), (90, 90)],
)  # fmt: skip
def test_spans_of_time(text, seconds):
    assert seconds_of(text, "budget") == seconds


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("0", "budget: found '0'; it must be longer than 0 s, for example 15s."),
        ("0s", "budget: found '0s'; it must be longer than 0 s, for example 15s."),
        ("-3s", "budget: found '-3s'; it must be longer than 0 s, for example 15s."),
        ("soon", "budget: found 'soon'; use a duration such as 15s, 1m30s or 10m."),
        ("", "budget: found ''; use a duration such as 15s, 1m30s or 10m."),
        ("-", "budget: found '-'; use a duration such as 15s, 1m30s or 10m."),
        ("nan", "budget: found 'nan'; use a duration such as 15s, 1m30s or 10m."),
        ("1e3", "budget: found '1e3'; use a duration such as 15s, 1m30s or 10m."),
        ("1e400s", "budget: found '1e400s'; use a duration such as 15s, 1m30s or 10m."),
        ("9000h", "budget: found '9000h'; it must be shorter than a year, for example 15s."),
        (10**400, f"budget: found {10**400}; it must be shorter than a year, for example 15s."),
        (math.inf, "budget: found inf; it must be shorter than a year, for example 15s."),
        (math.nan, "budget: found nan; it must be longer than 0 s, for example 15s."),
        (-3, "budget: found -3; it must be longer than 0 s, for example 15s."),
    ],
)
def test_what_is_no_span_of_time_is_one_clear_line(text, told):
    with pytest.raises(ConfigError) as caught:
        seconds_of(text, "budget")

    assert str(caught.value) == told


@given(st.floats(0.001, 1e5))
def test_spans_are_spelled_as_they_are_read(seconds):
    assert seconds_of(spell_seconds(round(seconds, 3)), "") == pytest.approx(seconds, abs=0.1)
