"""Whatever is in a table, it is judged or refused in one line."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from results.made_tables import WARMUP, as_csv, grid

from siffra.errors import SiffraError
from siffra.results import find_roles, read_frame, read_results, runs_of

USUAL = (
    "lr seed acc val_loss epoch name state set fold x run_id host seed_0 seed_1 config metrics.a "
    "a.b error time success"
)
NAMES = st.sampled_from(USUAL.split()) | st.text(max_size=6)
LEAVES = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.integers() | st.floats()
    | st.sampled_from(["nan", "NA", "0.5", "1e999", "50 %", "0,5", "failed", "test", "train", "{}"])
    | st.text(max_size=5)
)  # fmt: skip
CELLS = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)
)


def judged_or_refused(read):
    told = ""
    try:
        found = runs_of(find_roles(read()))
    except SiffraError as refused:
        told = str(refused)
    else:
        assert len(found.levels) > 1
        assert all(note.texts["sv"].isprintable() for note in found.notes)
    assert told.isprintable()
    assert len(told) < 2_000


@given(st.lists(st.dictionaries(NAMES, CELLS, max_size=6), max_size=8))
@settings(max_examples=300, deadline=None)
def test_records(rows):
    judged_or_refused(lambda: read_frame(rows))


@given(
    st.dictionaries(NAMES, st.lists(LEAVES, min_size=8, max_size=8), max_size=4),
    st.lists(st.tuples(st.integers(0, 7), st.sampled_from(list(grid()[0])), CELLS), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_a_good_table_with_other_columns_and_odd_cells(more, odd):
    rows = [
        {**row, **{n: of[number] for n, of in more.items()}} for number, row in enumerate(grid())
    ]
    for row, name, cell in odd:
        rows[row][name] = cell

    judged_or_refused(lambda: read_frame(rows))


@given(
    st.sampled_from([WARMUP, json.dumps(grid()), as_csv(grid(), ";").replace(".", ",")]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 4), st.binary(max_size=4)), max_size=3),
)
@settings(max_examples=300, deadline=None)
def test_a_file_of_which_parts_were_overwritten(tmp_path_factory, text, parts):
    content = bytearray(text.encode())
    for where, length, new in parts:
        start = round(where * len(content))
        content[start : start + length] = new
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(bytes(content))

    judged_or_refused(lambda: read_results(path))
