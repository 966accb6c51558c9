"""JSON, data frames and the objects within cells, as W&B and programs of one's own write them."""

import json
from io import BytesIO

import pandas as pd
import pytest
from arro3.io import read_parquet
from results.made_tables import as_csv, codes, grid

from siffra.errors import ResultsError
from siffra.report.render.files import runs_parquet
from siffra.results import RoleOptions, find_roles, read_frame, read_results, runs_of

NESTED = [
    {
        "name": f"run-{n}",
        "config": {"lr": row["lr"], "seed": row["seed"], "layers": [64, 32], "opt": {"name": "a"}},
        "summary": {"val": {"acc": row["test_acc"]}, "_wandb": {"runtime": 3}, "epochs": 3},
        "history": [
            {"epoch": 1, "val": {"acc": 0.5}, "note": "warm"}, {"epoch": 3, "val": {"acc": 0.6}}
        ],
    }
    for n, row in enumerate(grid())
]  # fmt: skip


@pytest.mark.parametrize("name", ["runs.json", "runs.jsonl", "runs.ndjson", "runs.txt"])
@pytest.mark.parametrize("lines", [True, False])
def test_json_is_an_array_of_objects_or_one_a_line(written, name, lines):
    text = "\n".join(map(json.dumps, grid())) if lines else json.dumps(grid(), indent=1)
    plain = read_results(written(as_csv(grid())))

    table = read_results(written(text, name))

    assert (table.columns, table.steps, table.rows) == (plain.columns, plain.steps, plain.rows)


def test_objects_are_columns_with_dots_and_lists_of_objects_are_curves(written):
    table = read_results(written(json.dumps(NESTED), "runs.json"))

    assert list(table.columns) == [
        "name", "lr", "seed", "layers", "opt.name", "val.acc", "epochs",
    ]  # fmt: skip
    assert table.columns["layers"][0] == "64, 32"
    assert table.curves == {"val.acc": (((1.0, 0.5), (3.0, 0.6)),) * 8}
    assert table.origins["lr"] == "knob"
    assert table.origins["epochs"] == "metric"


def test_what_the_source_calls_a_metric_is_no_knob(written):
    roles = find_roles(read_results(written(json.dumps(NESTED), "runs.json")))

    assert roles.by == ("lr",)
    assert roles.main.name == "val.acc"
    assert roles.constants == {"layers": "64, 32", "opt.name": "a"}


def test_names_that_would_be_the_same_keep_where_they_are_from():
    table = read_frame([{"config": {"loss": "ce"}, "summary": {"loss": 0.5}}])

    assert table.columns == {"config.loss": ("ce",), "summary.loss": (0.5,)}


@pytest.mark.parametrize("write", [json.dumps, repr])
def test_objects_may_be_texts_in_a_csv(tmp_path, write):
    path = tmp_path / "wandb.csv"
    frame = pd.DataFrame(
        {
            "summary": [write(run["summary"]) for run in NESTED],
            "config": [write(run["config"]) for run in NESTED],
            "name": [run["name"] for run in NESTED],
        }
    )
    frame.to_csv(path)

    found = runs_of(find_roles(read_results(path)))

    assert found.levels == ((0.1,), (0.3,))
    assert [run.metrics["val.acc"] for run in found.rows] == [row["test_acc"] for row in grid()]


def test_nan_in_such_a_text_is_one(written):
    rows = [(0.1, "{'acc': nan, 'loss': -inf}"), (0.3, '{"acc": NaN, "loss": "Infinity"}')]
    text = "".join(f'{lr},"{cell.replace(chr(34), chr(34) * 2)}"\n' for lr, cell in rows)

    table = read_results(written(f"lr,summary\n{text}"))

    assert repr(table.columns["acc"]) == "(nan, nan)"
    assert repr(table.columns["loss"]) == "(-inf, inf)"


def test_media_and_long_lists_are_left_out_and_said():
    runs = [
        {**row, "picture": {"_type": "image-file", "path": "/etc/passwd"}, "w": list(range(99))}
        for row in grid()
    ]
    table = read_frame(runs)

    assert list(table.columns) == list(grid()[0])
    assert [note.text for note in table.notes] == [
        "omitted, lists or objects that are no single values: `w`"
    ]


def test_a_file_of_one_object_may_hold_the_runs(written):
    text = json.dumps({"version": 1, "runs": grid()}, indent=2)

    assert len(read_results(written(text, "runs.json"))) == 8


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[]", r"it has no rows; one row a run is needed"),
        ("[1, 2]", r"row 1 is 1; each must be an object, as \{"),
        ('[{"a": 1},\n{"a": }]', r"line 2 is no JSON \(Expecting value\); it must be an array of"),
        ('{"a": 1}\n{"a"\n', r"line 2 is no JSON"),
        ('[{"a": ' * 100_000, r"its objects are nested too deeply|is no JSON"),
        ('{"a": 1}\nnull\n', r"row 2 is None"),
    ],
)
def test_json_that_cannot_be_read_is_refused_in_a_line(written, text, line):
    with pytest.raises(ResultsError, match=line) as refused:
        read_results(written(text, "runs.json"))

    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_objects_that_make_too_many_columns_are_refused():
    with pytest.raises(ResultsError, match=r"2,001 columns are too many"):
        read_frame([{"config": {f"k{n}": n for n in range(2001)}}])


def test_nothing_in_a_cell_is_evaluated(written, tmp_path):
    made = tmp_path / "made"
    text = f"lr,summary\n0.1,\"{{'a': open('{made}', 'w')}}\"\n0.3,\"{{'a': 1}}\"\n"

    table = read_results(written(text))

    assert not made.exists()
    assert "open(" in str(table.columns)


def as_arrow(rows):
    return read_parquet(BytesIO(runs_parquet(rows))).read_all()


def as_lists(rows):
    return {name: [row[name] for row in rows] for name in rows[0]}


@pytest.mark.parametrize("make", [pd.DataFrame, as_arrow, as_lists, list, iter])
def test_frames_and_records_are_tables(make):
    found = runs_of(find_roles(read_frame(make(grid()))))

    assert found.levels == ((0.1,), (0.3,))
    assert [run.metrics["test_acc"] for run in found.rows] == [row["test_acc"] for row in grid()]
    assert found.roles.main.step == 1e-4 * 10
    assert type(found.rows[0].seed) is int


def test_what_pandas_calls_nothing_is_none():
    frame = pd.DataFrame({
        "lr": [0.1, 0.1, 0.3, 0.3], "seed": pd.array([0, None, 0, 1], "Int64"),
        "opt": pd.array(["a", "a", None, None], "string"), "acc": [0.5, None, 0.7, 0.8],
        "at": pd.to_datetime(["2026-01-01", None, "2026-01-02", "2026-01-03"]),
    })  # fmt: skip
    table = read_frame(frame)

    assert table.columns["seed"] == (0, None, 0, 1)
    assert table.columns["opt"] == ("a", "a", None, None)
    assert table.columns["at"][:2] == ("2026-01-01 00:00:00", None)


@pytest.mark.parametrize(
    "frame", [3, "runs.csv", {"lr": 1}, {"lr": [1, 2], "seed": [1]}, {"lr": {"a": 1}}, {}, None]
)
def test_anything_else_is_no_table(frame):
    with pytest.raises(
        ResultsError, match=r"it must be a data frame, a list of dicts, or the path"
    ):
        read_frame(frame)


def test_two_columns_of_one_name_are_refused():
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])

    with pytest.raises(ResultsError, match=r"two of its columns have the same name"):
        read_frame(frame)


WANDB = """\
"Name","State","Notes","User","Tags","Created","Runtime","Sweep","GPU Type","lr","seed",\
"batch_size","_runtime","_step","_timestamp","train/loss","val/acc","val/loss"
"dainty-sweep-4","finished","-","ann","","2026-02-21T10:34:54.000Z","412","u2k1x","NVIDIA A100",\
"0.3","1","64","411.71","999","1771670094.2","0.2012","0.9412","0.2512"
"fresh-sweep-3","finished","-","ann","","2026-02-21T10:24:54.000Z","409","u2k1x","NVIDIA A100",\
"0.3","0","64","408.13","999","1771669494.2","0.2111","0.9398","0.2544"
"lucky-sweep-2","crashed","-","ann","","2026-02-21T10:14:54.000Z","101","u2k1x","NVIDIA A100",\
"0.1","1","64","100.02","211","1771668894.2","0.9012","",""
"misty-sweep-1","finished","-","ann","","2026-02-21T10:04:54.000Z","415","u2k1x","NVIDIA A100",\
"0.1","0","64","414.31","999","1771668294.2","0.2311","0.9298","NaN"
"""


def test_what_the_page_of_wandb_exports_is_read(judged):
    found = judged(WANDB)
    roles = found.roles

    assert (roles.by, roles.seed, roles.main.name) == (("lr",), "seed", "val/acc")
    assert {m.name for m in roles.metrics} == {
        "val/acc", "val/loss", "train/loss", "Runtime", "_runtime"
    }  # fmt: skip
    assert roles.constants == {"batch_size": 64}
    assert roles.context == {"Created": "time", "GPU Type": "machine", "_timestamp": "time"}
    assert [run.failed for run in found.of((0.1,))] == ["State: crashed", None]
    assert set(codes(found.notes)) == {"failed", "few_runs"}


MLFLOW = """\
Start Time,Duration,Run ID,Name,Source Type,Source Name,User,Status,lr,seed,val_loss,epochs
2026-03-01 10:00:00,10.2s,8f0c2f,clumsy-fox-12,LOCAL,train.py,kim,FINISHED,0.1,0,0.3121,10
2026-03-01 10:01:00,9.8s,77a01b,brave-owl-3,LOCAL,train.py,kim,FINISHED,0.1,1,0.2987,10
2026-03-01 10:02:00,1.2min,1c9e44,calm-ant-77,LOCAL,train.py,kim,FINISHED,0.3,0,0.2712,10
2026-03-01 10:03:00,10.2s,e0d5aa,rare-bee-51,LOCAL,train.py,kim,FAILED,0.3,1,,10
"""


def test_what_the_page_of_mlflow_exports_is_read(judged):
    found = judged(MLFLOW)
    roles = found.roles

    assert (roles.by, roles.seed) == (("lr",), "seed")
    assert [metric.name for metric in roles.metrics] == ["val_loss"]
    assert roles.others["Duration"] == "metric"  # in texts such as 1.2min, so none to judge by
    assert "no_plain_numbers" in codes(roles.notes)
    assert [run.failed for run in found.of((0.3,))] == [None, "Status: FAILED"]


def test_where_and_by_choose_among_what_is_there(written):
    table = read_results(written(WANDB))
    roles = find_roles(table, RoleOptions(by=("lr",), where=("State = finished", "seed = 0")))

    assert (len(roles.table), roles.by) == (2, ("lr",))


def test_what_pandas_keeps_in_the_index_is_read():
    frame = pd.DataFrame(grid()).set_index(["lr", "seed"])

    found = runs_of(find_roles(read_frame(frame)))

    assert (found.levels, found.roles.seed) == (((0.1,), (0.3,)), "seed")


def test_frames_that_pandas_joined_have_their_keys_as_levels():
    runs = pd.DataFrame(grid([0.1])).drop(columns="lr")
    frame = pd.concat({"slow": runs, "fast": runs + 0.001})

    found = runs_of(find_roles(read_frame(frame)))

    assert (found.roles.by, found.levels) == (("level_0",), (("slow",), ("fast",)))


def test_columns_of_several_levels_are_called_by_all_of_them():
    frame = pd.DataFrame(grid()).drop(columns="loss")
    frame.columns = pd.MultiIndex.from_tuples([("config", "lr"), ("seed", ""), ("test", "acc")])

    found = runs_of(find_roles(read_frame(frame)))

    assert (found.roles.by, found.roles.seed, found.roles.main.name) == (
        ("lr",),
        "seed",
        "test.acc",
    )


def test_columns_that_pivot_makes_of_seeds_are_runs():
    runs = pd.DataFrame(grid())
    one, several = (
        runs.pivot_table(index="lr", columns="seed", values=values)
        for values in ("test_acc", ["test_acc", "loss"])
    )

    said = RoleOptions(metrics=("value:higher",))
    assert len(runs_of(find_roles(read_frame(one.reset_index()), said)).rows) == len(runs)
    found = runs_of(find_roles(read_frame(several)))
    assert [run.metrics["test_acc"] for run in found.rows] == list(runs["test_acc"])


def test_huge_whole_numbers_are_names():
    table = read_frame([{**row, "hash": 10**400 + n} for n, row in enumerate(grid())])

    assert find_roles(table).others["hash"] == "identity"


def test_two_columns_that_would_have_one_name_are_refused():
    with pytest.raises(ResultsError, match=r"two columns are called `a.b`; rename one"):
        read_frame([{"a.b": 1, "a": {"b": 2}}])


def test_numbers_of_thousands_of_digits_are_refused(written):
    with pytest.raises(ResultsError, match=r"one of its numbers has thousands of digits"):
        read_results(written(f'[{{"a": {"9" * 5000}}}]', "runs.json"))


def test_a_key_that_is_there_twice_is_refused(written):
    line = '{"lr": 0.1, "seed": 0, "val_loss": 0.3, "val_loss": 0.9}'

    with pytest.raises(ResultsError, match="an object has `val_loss` twice; rename one"):
        read_results(written(f"{line}\n{line}\n", "runs.jsonl"))


def test_a_text_that_is_a_number_is_that_number(tmp_path):
    rows = [
        {"lr": lr, "seed": seed, "loss": 0.1}
        for lr, seed in ((0.1, 0), ("0.1", "1"), (0.1, 2), ("auto", "0"), ("auto", 1), ("auto", 2))
    ]

    table = read_frame(rows)

    assert table.columns["lr"] == (0.1, 0.1, 0.1, "auto", "auto", "auto")
    assert table.columns["seed"] == (0, 1, 2, 0, 1, 2)
