"""Labels as class numbers: nothing is merged, nothing missing is a class, names are kept."""

import numpy as np
import pandas as pd
import pytest

from siffra.data.labels import label_notes, numbered
from siffra.errors import DataError


def of(*labels) -> tuple[list[int], tuple[str, ...]]:
    values = labels[0] if len(labels) == 1 and isinstance(labels[0], np.ndarray) else labels
    numbers, names = numbered({"train": np.array(values)}, "data")
    return numbers["train"].tolist(), names


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (("0", "1", "2"), ()),
        (("1", "2", "10"), ("1", "2", "10")),
        (("0.0", "1.0"), ()),
        (("01", "1", "2"), ("01", "1", "2")),
        (("1_0", "10", "1"), ("1", "10", "1_0")),
        (("1", "1.0"), ("1", "1.0")),
        (("-0", "0"), ("-0", "0")),
        (("+1", "1"), ("+1", "1")),
        (("1e1", "10"), ("10", "1e1")),
        (("٣", "3"), ("3", "٣")),
        (("9007199254740993", "9007199254740992"), ("9007199254740992", "9007199254740993")),
        (("99999999999999999999", "1"), ("1", "99999999999999999999")),
        ((True, False), ("False", "True")),
        ((3.0, 1.0), ("1", "3")),
        ((np.array([2**63, 1], np.uint64)), ("1", str(2**63))),
        ((np.array([1, 2.0, 1], object)), ("1", "2")),
        ((pd.array([0, 1], "Int64").to_numpy()), ()),
        (("a", "a "), ("a", "a ")),
    ],
)
def test_labels_are_one_class_only_if_they_are_written_alike(labels, names):
    numbers, found = of(*labels) if isinstance(labels, tuple) else of(labels)

    assert found == names
    assert len(set(numbers)) == len(names or numbers)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (np.array([0.5, 1]), "the label of row 1 is 0.5"),
        (np.array(["1", "1.5"]), "the label of row 2 is 1.5"),
        (np.array([1, np.nan]), "the label of row 2 is nan"),
        (np.array([1e300, 1]), r"the label of row 1 is 1e\+300"),
        (np.array(["a", None], object), "the label of row 2 is missing"),
        (np.array([float("nan"), "a"], object), "the label of row 1 is missing"),
        (np.array(["a", pd.NA], object), "the label of row 2 is missing"),
        (np.array([pd.NaT, "a"], object), "the label of row 1 is missing"),
    ],
)
def test_labels_that_are_none_are_refused(labels, said):
    with pytest.raises(DataError, match=said):
        numbered({"train": labels}, "data")


@pytest.mark.parametrize(
    ("names", "codes"),
    [
        (("Ash", "ash"), ["labels_alike"]),
        (("ash", "ash "), ["labels_alike"]),
        (("1", "1.0", "01"), ["labels_alike"]),
        (("ash", "elm"), []),
        (("NA", "ash"), ["labels_missing"]),
        (("?", "nan", "x"), ["labels_missing"]),
    ],
)
def test_odd_names_are_said(names, codes):
    assert [note.code for note in label_notes(names)] == codes
