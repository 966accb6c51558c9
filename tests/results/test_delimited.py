"""CSV, TSV and Parquet of finished runs, however programs write them."""

import pytest
from results.made_tables import WARMUP, codes

from siffra.errors import DataError
from siffra.report.render.files import runs_parquet
from siffra.results import read_results


def test_columns_have_numbers_and_how_coarsely_they_are_printed(written):
    table = read_results(written(WARMUP))

    assert list(table.columns) == ["lr", "warmup", "seed", "val_acc", "val_loss"]
    assert table.columns["warmup"] == (0, 0, 0, 5, 5, 5)
    assert table.columns["val_acc"][0] == 0.9731
    assert table.steps == {"lr": 0.1, "warmup": 1, "seed": 1, "val_acc": 1e-4, "val_loss": 1e-3}
    assert table.rows == tuple(f"row {n}" for n in range(1, 7))


@pytest.mark.parametrize(
    ("name", "text", "encoding"),
    [
        ("tabs.tsv", WARMUP.replace(",", "\t"), "utf-8"),
        ("excel.csv", WARMUP.replace(",", ";").replace(".", ","), "utf-8-sig"),
        ("excel.csv", "sep=;\r\n" + WARMUP.replace(",", ";").replace(".", ","), "utf-8"),
        ("unicode.txt", WARMUP.replace(",", "\t").replace("\n", "\r\n"), "utf-16"),
        ("quoted.csv", "\n".join(
            ",".join(f'"{cell}"' for cell in line.split(",")) for line in WARMUP.splitlines()
        ), "utf-8"),
        ("gaps.csv", WARMUP.replace("0.1,5,0", ",,,,\n0.1,5,0"), "utf-8"),
        ("pandas.csv", "\n".join(
            f"{n - 1 if n else ''},{line}" for n, line in enumerate(WARMUP.splitlines())
        ), "utf-8"),
    ],
)  # fmt: skip
def test_every_dialect_is_the_same_table(written, name, text, encoding):
    plain = read_results(written(WARMUP))

    table = read_results(written(text, name, encoding))

    assert {c: cells for c, cells in table.columns.items() if c != "Unnamed: 0"} == plain.columns
    assert {c: step for c, step in table.steps.items() if c != "Unnamed: 0"} == plain.steps


def test_decimal_commas_and_percentages_are_said(written):
    table = read_results(written("lr;acc\n0,1;97,3 %\n0,3;98 %\n"))

    assert table.columns == {"lr": (0.1, 0.3), "acc": (0.973, 0.98)}
    assert table.steps["acc"] == 1e-3
    assert [note.text for note in table.notes] == [
        "decimal commas are read as decimal points ('0,1' as 0.1): `lr`, `acc`",
        "percentages are read as fractions ('97,3 %' as 0.973): `acc`",
    ]


def test_empty_cells_are_none_and_nan_is_nan(written):
    table = read_results(written("lr,acc,loss\n0.1,,nan\n0.1,NA,inf\n0.3,0.9,0.1\n"))

    assert table.columns["acc"] == (None, None, 0.9)
    assert repr(table.columns["loss"]) == "(nan, inf, 0.1)"


def test_texts_stay_as_they_are(written):
    table = read_results(written('id,on,layers,opt\n007,true,64,None\n008,False,"64, 32",adam\n'))

    assert table.columns == {
        "id": ("007", "008"),
        "on": (True, False),
        "layers": ("64", "64, 32"),
        "opt": ("None", "adam"),
    }


def test_numbers_with_all_digits_were_not_rounded(written):
    table = read_results(written("a,b,c\n0.9731000447273254,1e-05,2\n0.5,3e-4,3.25\n"))

    assert table.steps == {"a": 0, "b": 1e-5, "c": 0.01}


def test_parquet_is_the_same_table(written, tmp_path):
    plain = read_results(written(WARMUP))
    path = tmp_path / "runs.parquet"
    rows = [
        dict(zip(plain.columns, row, strict=True))
        for row in zip(*plain.columns.values(), strict=True)
    ]
    path.write_bytes(runs_parquet(rows))

    table = read_results(path)

    assert (table.columns, table.steps) == (plain.columns, plain.steps)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "it is empty"),
        ("lr,acc\n", "it has no rows; one row a run is needed"),
        ("lr,lr\n1,2\n", "two columns are called `lr`; rename one"),
        ("0.1,1,0.93\n0.1,2,0.94\n", "its first line has numbers, where it must name the columns"),
        ("lr,acc\n0.1,0.9\n0.1,0.9,0.8\n", "line 3 has 3 values, and the first line names 2"),
        ("lr\0,acc\n1,2\n", "not text, so no CSV"),
        (
            '"Step","a - val_loss","a - val_loss__MIN","a - val_loss__MAX"\n1,2,2,2\n',
            "exported from a chart of W&B .*: a column a run and no settings; export the table",
        ),
        (",".join(f"c{n}" for n in range(2001)) + "\n", "2,001 columns are too many; .* 2,000"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_line(written, text, line):
    with pytest.raises(DataError, match=line) as refused:
        read_results(written(text))

    assert str(refused.value).isprintable()
    assert str(refused.value).startswith(str(written(text)))


def test_a_quote_that_is_left_open_is_refused_with_its_line(written):
    rows = [f'0.1,{n},"a note",0.3{n}' for n in range(8)]
    rows[3] = rows[3].replace('note"', "note")

    with pytest.raises(DataError, match=r"a quote opens on line 5 and closes 1 lines below, so"):
        read_results(written("\n".join(["lr,seed,note,val_loss", *rows])))
    rows[4] = rows[4].replace('"', "")
    with pytest.raises(DataError, match=r"a quote opens on line 5 and closes 2 lines below, so"):
        read_results(written("\n".join(["lr,seed,note,val_loss", *rows])))
    long = [*rows[:4], *(f"0.1,{n},note,0.5" for n in range(50)), *rows[5:]]
    with pytest.raises(DataError, match=r"a quote opens on line 5 and closes 51 lines below, so"):
        read_results(written("\n".join(["lr,seed,note,val_loss", *long])))
    with pytest.raises(DataError, match=r"a quote opens on line 5 and never closes"):
        read_results(written("\n".join(["lr,seed,note,val_loss", *rows[:5]])))
    with pytest.raises(DataError, match=r"a quote opens on line 1 and never closes"):
        read_results(written('lr,seed,"val_loss\n0.1,0,0.3\n0.1,1,0.4\n'))


@pytest.mark.parametrize(
    "cell", ['"two\nlines"', '"a, b\nand c, d"', '"5"" wide\nor so"', '5" wide', '"{""a"": 1}"']
)
def test_a_cell_may_have_lines_and_quotes(written, cell):
    table = read_results(written(f"lr,seed,note,val_loss\n0.1,0,{cell},0.3\n0.1,1,{cell},0.4\n"))

    assert table.columns["seed"] == (0, 1)
    assert table.columns["val_loss"] == (0.3, 0.4)


def test_a_text_of_several_lines_may_have_as_many_commas_as_rows(written):
    table = read_results(
        written('lr,note,loss\n0.1,"a, b\nc, d",0.3\n0.1,"e, f\ng, h\ni, j",0.4\n')
    )

    assert table.columns["loss"] == (0.3, 0.4)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("lr;seed;reward\n0.1;0;1,234\n0.1;1;2,345\n", "write it without marks between thousands"),
        ("lr\tseed\treward\n1\t0\t1,234\n1\t1\t950\n", "write it without marks between thousands"),
        ("lr;seed;reward\n0,1;0;1.234\n0,1;1;950\n", "whose point may be a decimal point or part"),
        ('lr,seed,reward\n0.1,0,"0,31"\n0.1,1,"0,32"\n', "write it with a decimal point"),
        ("lr,seed,acc\n0.1,0,97 %\n0.1,1,0.98\n", "write all values as percentages, or none"),
        ("lr,seed,latency\n0.1,0,10 ms\n0.1,1,12 ms\n", "`latency` is '10 ms'; write the number"),
        ("lr,seed,acc\n0.1,0,0.9\n#REF!,1,0.8\n", "`lr` is '#REF!', an error of a spreadsheet"),
        (
            "lr,seed,acc\n0.1,0,0.9\n#N/A,1,0.8\n",
            "row 2: `lr` is '#N/A', an error of a spreadsheet",
        ),
        (
            "lr,seed,acc\n0.1,0,0.9\n0.1,1,0.8\n0.3,1,#SAKNAS!\n",
            "`acc` is '#SAKNAS!', an error of a spreads",
        ),
        ("<!DOCTYPE html>\n<html><body>lr,seed,acc\n", "a web page"),
    ],
)
def test_what_may_be_two_things_is_not_guessed(judged, text, line):
    with pytest.raises(DataError, match=line):
        judged(text, by=("lr",))


def test_one_number_is_one_level_however_it_is_written(judged):
    rows = ["1e-3,0,0.1", "0.001,1,0.2", "1E-03,2,0.3", "auto,00,0.4", "auto,1,0.5", "auto,2,0.6"]

    runs = judged("\n".join(["lr,seed,loss", *rows]))

    assert runs.levels == (("1e-3",), ("auto",))
    assert [run.seed for run in runs.of(("auto",))] == [0, 1, 2]
    assert codes(runs.notes) == []


def test_a_spreadsheets_minus_is_one(written):
    table = read_results(written("lr,reward\n0.1,\u22121.5\n0.1,\u22122.5\n"))

    assert table.columns["reward"] == (-1.5, -2.5)


def test_truth_values_may_be_mixed_with_0_and_1(written):
    table = read_results(written("nesterov,loss\nTrue,0.1\n1,0.2\nfalse,0.3\n0,0.4\n"))

    assert table.columns["nesterov"] == (True, True, False, False)


@pytest.mark.parametrize(
    "last",
    ["mean,,0.9773\n", "0.1,mean,0.9773\n0.1,std,0.003\n", "Medel,9,0.9\n", "0.1,avg,9 ± 1\n"],
)
def test_rows_that_sum_up_others_are_left_out_and_said(written, judged, last):
    text = "lr,seed,val_acc\n0.1,0,0.97\n0.1,1,0.98\n0.3,0,0.96\n0.3,1,0.95\n"

    assert judged(text + last).by_level == judged(text).by_level
    assert codes(read_results(written(text + last)).notes) == ["summary_rows"]


@pytest.mark.parametrize("last", ["mean,,0.97\n", "mean,,0.97\nstd,,0.003\n", "Median,nan,0.97\n"])
def test_rows_without_a_seed_that_sum_up_others_are_left_out_among_texts(written, judged, last):
    text = "variant,seed,val_acc\na,0,0.97\na,1,0.98\nb,0,0.96\nb,1,0.95\n"

    assert judged(text + last).by_level == judged(text).by_level
    assert codes(read_results(written(text + last)).notes) == ["summary_rows"]


@pytest.mark.parametrize("other", ["mean,1,0.9\n", "c,,0.9\n", "mean,,0.9\nb,,0.9\n"])
def test_a_row_that_may_be_a_run_is_kept(written, other):
    text = "variant,seed,val_acc\na,0,0.97\na,1,0.98\nb,0,0.96\nb,1,0.95\n" + other

    assert len(read_results(written(text))) == text.count("\n") - 1


def test_a_row_with_neither_seed_nor_level_is_left_out_and_said(judged):
    text = "lr,seed,val_acc\n0.1,0,0.97\n0.1,1,0.98\n0.3,0,0.96\n0.3,1,0.95\n,,0.9773\n"

    runs = judged(text)

    assert runs.levels == ((0.1,), (0.3,))
    assert codes(runs.notes) == ["nameless_rows"]


def test_mean_may_be_a_level(judged):
    text = "pooling,seed,acc\n" + "".join(
        f"{p},{s},0.{s}\n" for p in ("mean", "max") for s in (1, 2)
    )

    assert judged(text).levels == (("mean",), ("max",))


@pytest.mark.parametrize(
    "levels",
    [("SGD", "sgd", "adam_w", "Adam-W"), ("0.1", "0.10000000000000002", "0.3", f"{0.1 + 0.2!r}")],
)
def test_values_that_may_be_one_are_said(judged, levels):
    rows = [f"{level},{seed},0.{seed}" for level in levels for seed in (1, 2)]

    runs = judged("\n".join(["opt,seed,loss", *rows]))

    assert len(runs.levels) == 4
    assert codes(runs.notes) == ["alike", "alike"]


def test_fractions_among_percentages_are_said(judged):
    rows = [f"{lr},{seed},{90 + seed}" for lr in (0.1, 0.3) for seed in (1, 2, 3)]

    assert "mixed_scales" in codes(judged("\n".join(["lr,seed,acc", *rows, "0.3,4,0.93"])).notes)


def test_too_many_rows_are_refused(written, monkeypatch):
    monkeypatch.setattr("siffra.results.delimited.MOST_ROWS", 5)

    with pytest.raises(DataError, match=r"more than 5 rows of 5 columns are too many; siffra"):
        read_results(written(WARMUP))


@pytest.mark.parametrize("start", [b"PAR1", b"PAR1" + bytes(20), b"PAR1 and then PAR1"])
def test_damaged_parquet_is_refused_in_a_line(tmp_path, start):
    path = tmp_path / "runs.parquet"
    path.write_bytes(start)

    with pytest.raises(DataError, match=r"damaged") as refused:
        read_results(path)

    assert str(refused.value).isprintable()


def test_nothing_is_said_of_a_plain_table(written):
    assert codes(read_results(written(WARMUP)).notes) == []


@pytest.mark.parametrize("column", ["impute", "top_k", "pool"])
def test_a_word_for_a_summary_may_be_a_level_among_numbers(judged, column):
    rows = [f"{level},{s},0.{s}" for level in ("0", "mean", "median") for s in (1, 2, 3)]

    runs = judged("\n".join([f"{column},seed,acc", *rows]))

    assert [(*level, len(runs.of(level))) for level in runs.levels] == [
        ("0", 3),
        ("mean", 3),
        ("median", 3),
    ]


@pytest.mark.parametrize(
    ("column", "levels"),
    [
        ("precision", ("16-mixed", "32-true")),
        ("loss", ("1-norm", "2-norm")),
        ("time", ("9s", "1m")),
    ],
)
def test_levels_may_start_with_numbers_and_be_called_as_a_metric(judged, column, levels):
    rows = [f"{level},{s},0.{s}" for level in levels for s in (1, 2, 3)]

    runs = judged("\n".join([f"{column},seed,val_acc", *rows]))

    assert runs.roles.by == (column,)
    assert runs.levels == tuple((level,) for level in levels)


def test_runs_left_at_the_defaults_without_a_seed_are_a_level(judged):
    rows = [",,0.1", ",,0.2", ",,0.3", "mixup,0,0.4", "mixup,1,0.5", "mixup,2,0.6"]

    assert judged("\n".join(["augment,seed,acc", *rows])).levels == ((None,), ("mixup",))


def test_numbers_too_large_for_a_float_are_names(judged):
    rows = [f"{name},{s},0.{s}" for name in ("7e1234", "9e1234", "main") for s in (1, 2)]
    far = [f"{10**16 + n},{s},0.{s}" for n in (1, 2) for s in (1, 2)]

    assert judged("\n".join(["build,seed,acc", *rows])).levels == (
        ("7e1234",),
        ("9e1234",),
        ("main",),
    )
    assert len(judged("\n".join(["build,seed,acc", *far, "main,1,0.1"])).levels) == 3


def test_dates_are_no_metric_that_lacks_plain_numbers(judged):
    rows = [f"{lr},{s},0.{s},2026-03-01 10:0{s}:00" for lr in (0.1, 0.3) for s in (1, 2, 3)]

    assert "no_plain_numbers" not in codes(
        judged("\n".join(["lr,seed,acc,time", *rows])).roles.notes
    )


def test_points_between_semicolons_are_decimal_ones_and_said_if_they_may_part_thousands(written):
    table = read_results(written("batch;loss\n8;1.494\n16;1.501\n"))

    assert table.columns == {"batch": (8, 16), "loss": (1.494, 1.501)}
    assert [note.text for note in table.notes] == [
        "points are read as decimal points ('1.494' as 1.494), not as marks between thousands: "
        "`loss`"
    ]
    assert read_results(written("lr;loss\n0.1;1.494\n0.3;1.501\n")).notes == ()


def test_a_point_beside_a_decimal_comma_is_refused_with_its_place(written):
    with pytest.raises(DataError, match=r"row 2: `loss` is '1.234', .* as `lr` has '0,1'"):
        read_results(written("lr;loss\n0,1;2\n0,3;1.234\n"))
    with pytest.raises(DataError, match=r"row 1: `loss` is '1.234', .* as `loss` has '1,5'"):
        read_results(written("n;loss\n1;1.234\n2;1,5\n"))


def test_seeds_beyond_a_float_stay_apart(written):
    seeds = [f"1234567890123456789{n}" for n in range(3)]
    table = read_results(written("seed,acc\n" + "".join(f"{seed},0.5\n" for seed in seeds)))

    assert table.columns["seed"] == tuple(seeds)


@pytest.mark.parametrize(("end", "is_said"), [("0.9", True), ("0.9\n", False), ("0.93", False)])
def test_a_value_that_may_be_cut_off_is_said(written, end, is_said):
    notes = read_results(written(f"lr,acc\n0.1,0.92\n0.3,{end}")).notes

    assert [note.code for note in notes] == (["cut_off"] if is_said else [])


def test_a_row_is_called_so_in_swedish_too(judged):
    with pytest.raises(DataError) as refused:
        judged(
            "lr,seed,acc\n0.1,0,0.9\n0.1,1,0.8\n0.3,1,12 ms\n", by=("lr",), metrics=("acc:higher",)
        )

    assert ": row 3: `acc` is '12 ms'; write" in refused.value.text("en")
    assert ": rad 3: `acc` är '12 ms'; skriv" in refused.value.text("sv")
