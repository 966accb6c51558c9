"""Conditions on rows."""

import pytest
from results.made_tables import grid

from siffra.results import read_frame
from siffra.results.where import rows_where

TABLE = read_frame(
    [
        {"lr": 0.1, "model name": "conv", "a=b": 1, "tag": None, "on": True},
        {"lr": 0.3, "model name": "dense, deep", "a=b": 2, "tag": "x", "on": False},
        {"lr": 1, "model name": "none", "a=b": 3, "tag": "y", "on": True},
    ]
)


@pytest.mark.parametrize(
    ("condition", "rows"),
    [
        ("lr = 0.1", [0]),
        ("lr=1e-1", [0]),
        ("lr == 1", [2]),
        ("lr != 0.1", [1, 2]),
        ("lr < 0.3", [0]),
        ("lr <= 0.3", [0, 1]),
        ("lr > .1", [1, 2]),
        ("lr >= 0.3", [1, 2]),
        ("lr in 0.1, 1", [0, 2]),
        ("lr in [0.1, 0.3]", [0, 1]),
        ("model name = conv", [0]),
        ("model name = 'dense, deep'", [1]),
        ("model name = none", [2]),
        ("`model name` != conv", [1, 2]),
        ("a=b = 2", [1]),
        ("tag = none", [0]),
        ("tag != none", [1, 2]),
        ("on = true", [0, 2]),
    ],
)
def test_a_condition_chooses_rows(condition, rows):
    assert rows_where(TABLE, [condition]) == rows


def test_all_conditions_must_hold():
    assert rows_where(TABLE, ["lr > 0.1", "tag = y"]) == [2]


def test_rows_keep_what_messages_call_them():
    table = read_frame(grid())

    assert table.taken(rows_where(table, ["lr = 0.3"])).rows[0] == "row 5"
