"""Tables as CSV and as Parquet: what becomes of their columns, and what is refused."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arro3.core import Array, DataType, Table
from arro3.io import write_parquet

from siffra.data.load import DataSource, load_dataset
from siffra.errors import DataError

ROWS = 60


def columns() -> dict[str, list[Any]]:
    rng = np.random.default_rng(1)
    return {
        "length": [10 * (i % 3) + float(rng.random()) for i in range(ROWS)],
        "count": rng.integers(0, 99, ROWS).tolist(),
        "always": [7] * ROWS,
        "kind": [("ash", "birch", "elm")[i % 3] for i in range(ROWS)],
    }


def csv(table: Mapping[str, list[Any]], delimiter: str = ",") -> str:
    lines = [delimiter.join(table)]
    lines += [delimiter.join(map(str, row)) for row in zip(*table.values(), strict=True)]
    return "\n".join(lines) + "\n"


def write(path: Path, table: Mapping[str, list[Any]]) -> Path:
    if path.suffix == ".csv":
        path.write_text(csv(table))
        return path
    types = {int: DataType.int64(), float: DataType.float64(), str: DataType.string()}
    arrays: dict[str, Any] = {
        name: Array(values, types[type(next(v for v in values if v is not None))])
        for name, values in table.items()
    }
    file = io.BytesIO()
    write_parquet(Table.from_pydict(arrays), file)
    path.write_bytes(file.getvalue())
    return path


def load(path: Path, **source):
    return load_dataset(DataSource(path=path, **source))


@pytest.fixture(params=["trees.csv", "trees.parquet"])
def path(request, tmp_path) -> Path:
    return tmp_path / request.param


def test_a_table_is_parted_by_class_and_scaled_by_its_training_rows(path):
    data = load(write(path, columns()))

    assert (data.name, data.class_names) == ("trees", ("ash", "birch", "elm"))
    assert data.features == ("length", "count", "always")
    assert data.constant == ("always",)
    assert data.image_shape == (1, 3, 1)
    # A fifth of 20 a class is tested on, and a fifth of the other 16 (3 of 3.2) held out.
    assert [np.bincount(images.y).tolist() for images in data.sets.values()] == [
        [13] * 3, [3] * 3, [4] * 3,
    ]  # fmt: skip
    train = data.train.x[:, 0, :, 0]
    assert train.dtype == np.float32
    np.testing.assert_array_equal(train[:, :2].min(axis=0), [0, 0])
    np.testing.assert_array_equal(train[:, :2].max(axis=0), [1, 1])
    assert not train[:, 2].any()
    # `length` grows from class to class, so rows have kept their labels.
    for images in data.sets.values():
        by_class = [images.x[images.y == number, 0, 0, 0] for number in range(3)]
        assert by_class[0].max() < by_class[1].min()
        assert by_class[1].max() < by_class[2].min()
    assert not data.shifted


def test_what_lies_beyond_the_training_rows_is_cut_off(tmp_path):
    for name, lengths in (("train", [1.0, 3.0] * 10), ("test", [0.0, 2.0, 9.0, 1.5])):
        kinds = [i % 2 for i in range(len(lengths))]
        write(tmp_path / f"{name}.csv", {"length": lengths, "y": kinds})

    data = load(tmp_path)

    np.testing.assert_array_equal(data.test.x[:, 0, 0, 0], [0, 0.5, 1, 0.25])
    assert data.class_names == ()


def test_a_split_is_the_same_every_time_and_by_the_seed(path):
    write(path, columns())

    one, again, other = load(path), load(path), load(path, seed=1)

    assert one.fingerprint == again.fingerprint != other.fingerprint


def test_both_kinds_of_file_make_the_same_data_set(tmp_path):
    files = [write(tmp_path / f"trees{ending}", columns()) for ending in (".csv", ".parquet")]

    assert len({load(file).fingerprint for file in files}) == 1


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_other_delimiters_are_seen(tmp_path, delimiter):
    path = tmp_path / "trees.csv"
    path.write_text(csv(columns(), delimiter))

    assert load(path).features == ("length", "count", "always")


def test_rows_can_be_images(tmp_path):
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (ROWS, 12))
    table = {"label": [i % 2 for i in range(ROWS)]}
    table |= {f"pixel{i}": pixels[:, i].tolist() for i in range(12)}
    path = write(tmp_path / "digits.csv", table)

    data = load(path, image=(3, 4), moved=1.0)

    assert (data.image_shape, data.features) == ((3, 4, 1), ())
    assert data.train.x.dtype == np.uint8
    whole = {image.tobytes() for images in (data.train, data.val, data.test) for image in images.x}
    assert whole == {row.astype(np.uint8).tobytes() for row in pixels}


def test_of_rows_only_noise_makes_sense(path):
    write(path, columns())

    data = load(path, noisy=0.1)

    assert list(data.sets) == ["train", "val", "test", "noisy"]
    with pytest.raises(DataError, match=r"moved = 3.0; it has rows of features, not images"):
        load(path, moved=3.0)


def changed(**changes: Any) -> dict[str, list[Any]]:
    table: dict[str, Any] = columns()
    for name, change in changes.items():
        table[name] = change(table[name]) if callable(change) else change
    return table


@pytest.mark.parametrize(
    ("table", "source", "said"),
    [
        (
            changed(count=lambda v: [*v[:4], None, *v[5:]]),
            {},
            "`count` is missing in 1 of 60 rows, the first of them row 5",
        ),
        (
            changed(count=lambda v: ["many", *map(str, v[1:])]),
            {"label": "kind"},
            "`count` has 'many' in row 1",
        ),
        (
            changed(kind=lambda v: [*v[:2], None, *v[3:]]),
            {"label": "kind"},
            "`kind` has no label in row 3",
        ),
        (columns(), {"label": "knid"}, "no column `knid`; did you mean `kind`?"),
        (columns(), {"label": "length"}, "must be names or whole numbers"),
        (columns(), {"image": (2, 2)}, "image = 2x2 takes 4 columns of pixels; there are 3"),
        (changed(kind=lambda v: ["ash"] * ROWS), {}, "every row has class ash"),
        (
            changed(place=["north", "south"] * (ROWS // 2)),
            {},
            "which column has the labels? Say it with `--label NAME`",
        ),
        ({"kind": columns()["kind"]}, {}, "0 columns beside `kind`"),
    ],
)
def test_what_cannot_be_learned_from_is_told_in_one_line(tmp_path, table, source, said):
    path = write(tmp_path / "trees.parquet", table)

    with pytest.raises(DataError) as raised:
        load(path, **source)

    assert str(raised.value).startswith(str(path))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"a,kind\n1,x\n2\n", "line 3 has 1 values, and the first line names 2 columns"),
        ("a.csv", b"", "it is empty"),
        ("a.csv", b"a,kind\n", "it has no rows"),
        ("a.csv", b"1,2\n3,4\n", "its first line has numbers, where it must name the columns"),
        ("a.csv", b"a,kind\n1,\xff\n", "line 2 is not UTF-8 text"),
        ("a.csv", b"a\0,kind\n", "not text"),
        ("a.csv", b"5.1,setosa\n4.9,setosa\n7,elm\n", "its first line has numbers"),
        ("a.csv", b"5.1,3.5,setosa\n4.9,3.0,ash\n7,1,elm\n", "its first line has numbers"),
        ("a.csv", b"3,3,setosa\n4.9,3.0,ash\n7,1,elm\n", "its first line has numbers"),
        ("a.csv", b"a,kind\n1,2,x\n", "2 columns; a comma within a value must stand in quotes"),
        ("a.csv", b"sep=;\na;kind\n1;x\n2\n", "line 4 has 1 values"),
        ("a.csv", b"\xff\xfea\0,\0k\0\n\0\0\xd8", "it starts as UTF-16 and is none"),
        ("a.csv", b"step,loss,acc\n1,2,3\n", "it looks like a table of results (`step`, `loss`)"),
        ("a.csv", b"a,a\n1,2\n", "two columns are called `a`"),
        ("a.parquet", b"", "not a Parquet file"),
        ("a.parquet", b"PAR1" + b"\0" * 40, "cut short or damaged"),
        ("a.parquet", b"PAR1" + b"\7" * 40 + b"\x10\0\0\0PAR1", "damaged"),
    ],
)
def test_broken_files_are_refused_in_one_line(tmp_path, capfd, name, content, said):
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(DataError) as raised:
        load(path)

    assert str(raised.value).startswith(f"{path}: ")
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
    assert capfd.readouterr().err == ""


def test_too_much_is_refused_before_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:  # a hole: no bytes are written
        file.truncate(5 * 2**30)

    with pytest.raises(DataError, match=r"5.0 GiB are too much for CSV"):
        load(path)

    monkeypatch.setattr("siffra.data.tables.LIMIT", 8 * 4 * (ROWS - 1))
    with pytest.raises(DataError, match=r"more than 59 rows of 4 columns are too many"):
        load(write(tmp_path / "trees.parquet", columns()))


def test_one_half_of_a_split_is_not_enough(tmp_path):
    write(tmp_path / "train.csv", columns())

    with pytest.raises(DataError, match=r"there is train\.csv and no test\.csv"):
        load(tmp_path)


IRIS = "\n".join(f"{7 * i % ROWS}.5,{i % 7}.1,{('ash', 'elm')[i % 2]}" for i in range(ROWS))


def written(tmp_path: Path, text: str, name: str = "trees.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def codes(data) -> list[str]:
    return [note.code for note in data.notes]


@pytest.mark.parametrize(
    "names", ["2019,2020,kind", "0,1,2,3,4,kind", "7,8,9,10,kind", "a,5,kind", "x1,x2,kind"]
)
def test_names_that_are_numbers_are_names_where_they_can_be_no_data(tmp_path, names):
    width = names.count(",")
    rows = [[f"{(i * k) % 9 / 10}" for k in range(1, width + 1)] for i in range(ROWS)]
    lines = [",".join([*row, ("ash", "elm")[i % 2]]) for i, row in enumerate(rows)]

    data = load(written(tmp_path, "\n".join([names, *lines])))

    assert data.features == tuple(names.split(",")[:-1])
    assert sum(len(images) for images in data.sets.values()) == ROWS


@pytest.mark.parametrize(
    "names",
    [
        "0,1,2,kind",  # what pandas writes of an array without names
        ",".join([*(f"{400 + 2.5 * i}" for i in range(8)), "kind"]),
        ",".join([*(f"{4000 - 4 * i}.0" for i in range(9)), "kind"]),
    ],
)
def test_columns_that_pandas_or_a_spectrometer_numbers_have_names(tmp_path, names):
    """Though there are such numbers in them."""
    width = names.count(",")
    rows = [[f"{500 * (i * k % 9)}.5" for k in range(1, width + 1)] for i in range(ROWS)]
    lines = [",".join([*row, ("ash", "elm")[i % 2]]) for i, row in enumerate(rows)]

    data = load(written(tmp_path, "\n".join([names, *lines])))

    assert data.features == tuple(names.split(",")[:-1])
    with pytest.raises(DataError, match="first line has numbers"):  # its class is another row's
        load(written(tmp_path, "\n".join([names.replace("kind", "ash"), *lines])))


@pytest.mark.parametrize("first", ["5.1,3.5,ash", "5,3,ash", "6.5,2.1,oak"])
def test_a_row_of_data_is_not_taken_for_names(tmp_path, first):
    with pytest.raises(DataError, match="first line has numbers, where it must name the columns"):
        load(written(tmp_path, f"{first}\n{IRIS}"))


@pytest.mark.parametrize("name", ["Id", "", "Unnamed: 0", "index", "row_id", "PassengerId", "ID"])
@pytest.mark.parametrize("ids", [list(range(ROWS)), [f"r{i}" for i in range(ROWS)]])
def test_a_column_that_numbers_the_rows_is_left_out_and_it_is_said(tmp_path, name, ids):
    rows = [f"{i},{line}" for i, line in zip(ids, IRIS.splitlines(), strict=True)]

    data = load(written(tmp_path, "\n".join([f"{name},a,b,kind", *rows])))

    assert (data.features, data.left_out, codes(data)) == (
        ("a", "b"),
        (name,),
        ["columns_left_out"],
    )
    bare = load(written(tmp_path, "\n".join(["a,b,kind", *IRIS.splitlines()])))
    assert data.fingerprint == bare.fingerprint


def test_parquet_has_pandas_index_left_out_as_well(tmp_path):
    table = {**columns(), "__index_level_0__": list(range(ROWS))[::-1]}

    assert "__index_level_0__" not in load(write(tmp_path / "t.parquet", table)).features


def test_columns_that_give_classes_away_are_said(tmp_path):
    table = {**columns(), "n": list(range(ROWS)), "code": [(7, 3, 5)[i % 3] for i in range(ROWS)]}
    table["Id"] = [i // 2 for i in range(ROWS)]

    data = load(write(tmp_path / "t.csv", table))

    told = {note.code: note.text for note in data.notes}
    assert list(told) == ["counts_rows", "constant_columns", "numbered_twice", "gives_label_away"]
    for code, name in zip(told, ("`n`", "`always`", "`Id`", "`code`"), strict=True):
        assert name in told[code]
    assert {"n", "Id", "code"} <= set(data.features)


def test_an_id_alone_is_nothing_to_learn_from(tmp_path):
    lines = [f"{i},{('ash', 'elm')[i % 2]}" for i in range(ROWS)]

    with pytest.raises(DataError, match="0 columns beside `kind` and `Id`, left out"):
        load(written(tmp_path, "\n".join(["Id,kind", *lines])))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["01", "1"], ("01", "1")),
        (["1.0", "2.0"], ("1", "2")),
        (["true", "false"], ("false", "true")),
    ],
)
def test_labels_in_csv_are_read_as_they_are_written(tmp_path, labels, names):
    lines = [f"{i % 7},{labels[i % 2]}" for i in range(ROWS)]

    assert load(written(tmp_path, "\n".join(["a,y", *lines]))).class_names == names
    assert load(written(tmp_path, "\n".join(["a,q", *lines])), label="q").class_names == names


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("NA", "has 'NA' in row 10; is it missing there?"),
        ("?", "has '?' in row 10; is it missing there?"),
        ("\ufeff5.1", r"has '\ufeff5.1' in row 10; columns must be of numbers"),
        ("5_1", "has '5_1' in row 10"),
        ('"5,1"', "has '5,1' in row 10; is that a decimal comma?"),
        ("a", "has 'a' in row 10; the line of names stands there again"),
        ("1e400", "has inf in row 10; numbers must be finite"),
        ("", "is missing in 1 of 60 rows, the first of them row 10"),
    ],
)
def test_the_cell_that_is_wrong_is_named_and_no_other(tmp_path, cell, told):
    lines = IRIS.splitlines()
    lines[9] = ",".join([cell, *lines[9].split(",")[1:]])

    with pytest.raises(DataError) as raised:
        load(written(tmp_path, "\n".join(["a,b,kind", *lines])))

    assert f"column `a` {told}" in str(raised.value)


def test_csv_of_other_habits_is_the_same_data(tmp_path):
    plain = load(written(tmp_path, f"a,b,kind\n{IRIS}", "trees.csv")).fingerprint
    semicolons = f"a;b;kind\n{IRIS}".replace(",", ";")
    commas = semicolons.replace(".", ",")
    others = [
        written(tmp_path, f"a\tb\tkind\n{IRIS}".replace(",", "\t"), "trees.tsv"),
        written(tmp_path, f"sep=;\n{semicolons}", "said.csv"),
        written(tmp_path, f"sep=;\r\n{semicolons}", "said_16.csv", "utf-16"),
        written(tmp_path, f"a\tb\tkind\n{IRIS}".replace(",", "\t"), "excel.csv", "utf-16"),
        written(tmp_path, f"a,b,kind,,\n{IRIS}".replace("ash", "ash,,").replace("elm", "elm,,")),
        written(tmp_path, commas, "decimal.csv"),
        written(tmp_path, f'"a, or; not","b, x, y",kind\n{IRIS}', "quoted.csv"),
        written(tmp_path, f"a, b, kind\n{IRIS.replace('.5,', '.5, ')}", "blanks.csv"),
    ]

    loaded = [load(path) for path in others]

    assert {data.fingerprint for data in loaded} == {plain}
    assert [codes(data) for data in loaded] == [
        [], [], [], [], ["empty_columns"], ["decimal_commas"], [], [],
    ]  # fmt: skip


def test_a_folder_as_kaggle_has_it_says_which_file_to_name(tmp_path):
    write(tmp_path / "train.csv", columns())
    write(tmp_path / "test.csv", {k: v for k, v in columns().items() if k != "kind"})

    with pytest.raises(DataError, match=r"no column `kind`.*name .*train\.csv itself"):
        load(tmp_path)


def test_validation_is_tested_on_where_there_is_no_test(tmp_path):
    write(tmp_path / "Train.csv", columns())
    write(tmp_path / "valid.csv", changed(count=lambda v: [x + 1 for x in v]))

    data = load(tmp_path)

    assert (len(data.test), codes(data)[0]) == (ROWS, "val_as_test")
