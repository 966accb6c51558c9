"""Folders of event files, written by PyTorch's writer, by TensorBoard's own and by siffra."""

import sys
from typing import Any

import pytest
from made_runs import make_record
from results.made_tables import grid
from tensorboard.compat.proto import event_pb2 as events
from tensorboard.compat.proto import summary_pb2 as summaries
from tensorboard.plugins.hparams.summary_v2 import hparams_pb
from tensorboard.plugins.scalar.metadata import create_summary_metadata
from tensorboard.summary.writer.event_file_writer import EventFileWriter
from tensorboard.util.tensor_util import make_tensor_proto

from siffra.config import Setting
from siffra.errors import ResultsError
from siffra.export.tensorboard import FILE, write_tensorboard
from siffra.results import find_roles, read_results, runs_of

event_pb2: Any = events  # whose classes are made when it is imported
summary_pb2: Any = summaries


def write(folder, scalars, *, hparams=None, as_tensors=False):
    """An event file with these scalars, by tag a list of values from step 1 on."""
    writer = EventFileWriter(str(folder))
    if hparams:
        writer.add_event(event_pb2.Event(summary=hparams_pb(hparams)))
    for tag, values in scalars.items():
        for step, value in enumerate(values, start=1):
            if as_tensors:
                told = summary_pb2.Summary.Value(
                    tag=tag,
                    metadata=create_summary_metadata("", ""),
                    tensor=make_tensor_proto(value, dtype="float32"),
                )
            else:
                told = summary_pb2.Summary.Value(tag=tag, simple_value=value)
            writer.add_event(event_pb2.Event(step=step, summary=summary_pb2.Summary(value=[told])))
    writer.close()


def curve(row):
    return {"val/acc": [0.5, row["test_acc"]], "loss": [1.0, row["loss"]]}


@pytest.mark.parametrize("as_tensors", [False, True])
@pytest.mark.parametrize(
    "name",
    [
        "lr={lr},seed={seed}", "lr_{lr}_seed_{seed}", "lr={lr}_seed={seed}", "lr{lr}-seed{seed}",
        "lr={lr}/seed={seed}", "lr_{lr}/seed_{seed}",
    ],
)  # fmt: skip
def test_knobs_are_in_the_names_of_folders(tmp_path, name, as_tensors):
    for row in grid():
        write(tmp_path / name.format(**row), curve(row), as_tensors=as_tensors)

    found = runs_of(find_roles(read_results(tmp_path)))

    assert (found.levels, found.roles.seed) == (((0.1,), (0.3,)), "seed")
    assert [run.metrics["val/acc"] for run in found.rows] == [row["test_acc"] for row in grid()]
    assert found.rows[0].curves["val/acc"] == ((1, 0.5), (2, 0.91))
    assert found.rows[0].name == name.format(**grid()[0])


def test_hparams_win_over_names_but_for_the_seed(tmp_path):
    for row in grid():
        write(
            tmp_path / f"lr=9,seed={row['seed']}{int(row['lr'] * 10)}",
            curve(row),
            hparams={"lr": row["lr"], "bs": 64, "opt": "sgd", "ema": True},
        )

    table = read_results(tmp_path)

    assert table.columns["lr"] == (0.1, 0.3) * 4
    assert {name: table.columns[name][0] for name in ("bs", "opt", "ema")} == {
        "bs": 64, "opt": "sgd", "ema": True,
    }  # fmt: skip
    assert table.columns["seed"][:3] == ("01", "03", "11")


def test_what_pytorch_writes_in_a_folder_below_is_of_the_same_run(tmp_path):
    for row in grid():
        run = tmp_path / f"run{row['seed']}-{row['lr']}"
        write(run, curve(row))
        hparams = {"lr": row["lr"], "seed": row["seed"]}
        write(run / "1764523000.5", {"hparam/accuracy": [row["test_acc"]]}, hparams=hparams)

    table = read_results(tmp_path)

    assert len(table) == len(grid())
    assert set(table.columns) == {
        "name", "group", "status", "lr", "seed", "val/acc", "loss", "hparam/accuracy",
    } - ({"group"} if "group" not in table.columns else set())  # fmt: skip
    assert find_roles(table).by == ("lr",)


def test_what_keras_writes_in_two_folders_is_one_run(tmp_path):
    for row in grid():
        for part in ("train", "validation"):
            write(tmp_path / f"lr={row['lr']},seed={row['seed']}" / part, {"loss": [row["loss"]]})

    roles = find_roles(read_results(tmp_path))

    assert len(roles.table) == len(grid())
    assert [metric.name for metric in roles.metrics] == ["validation/loss", "train/loss"]


def test_folders_without_knobs_are_levels_by_name(tmp_path):
    for row in grid():
        name = "base" if row["lr"] < 0.2 else "warm-up"
        write(tmp_path / name / f"seed_{row['seed']}", curve(row))

    found = runs_of(find_roles(read_results(tmp_path)))

    assert (found.levels, found.roles.by) == ((("base",), ("warm-up",)), ("group",))


def test_what_siffra_exports_is_read(tmp_path):
    records = [
        make_record(
            Setting.from_knobs({"neurons": n, "epochs": 2}), seed, curve=[0.5, 0.6 + seed / 10]
        )
        for n in (8, 16)
        for seed in range(3)
    ]
    write_tensorboard(records, tmp_path)

    found = runs_of(find_roles(read_results(tmp_path)))

    assert (found.levels, found.roles.seed) == (((8,), (16,)), "seed")
    assert [run.metrics["final/accuracy/test"] for run in found.of((8,))] == [0.6, 0.7, 0.8]


def test_a_file_that_is_still_written_is_read_as_far_as_it_goes(tmp_path):
    write(tmp_path / "lr=0.1", {"loss": [0.3, 0.2]})
    (path,) = (tmp_path / "lr=0.1").iterdir()
    path.write_bytes(path.read_bytes()[:-3])

    assert read_results(tmp_path).columns["loss"] == (0.3,)


def test_lightnings_metric_that_is_none_is_left_out(tmp_path):
    write(tmp_path / "version_0", {"hp_metric": [-1.0], "loss": [0.3]})

    assert "hp_metric" not in read_results(tmp_path).columns


@pytest.mark.parametrize("content", [b"no event file", b"\xff" * 99])
def test_damaged_files_are_refused_in_a_line(tmp_path, content):
    (tmp_path / FILE).write_bytes(content)

    with pytest.raises(ResultsError, match=r"damaged, or no event file"):
        read_results(tmp_path)


def test_folders_without_runs_are_refused(tmp_path):
    with pytest.raises(
        ResultsError, match=r"a folder with neither MLflow's runs nor TensorBoard's"
    ):
        read_results(tmp_path)

    write(tmp_path, {})
    with pytest.raises(ResultsError, match=r"its event files hold no scalars"):
        read_results(tmp_path)


def test_without_tensorboard_it_is_said_how_to_install_it(tmp_path, monkeypatch):
    (tmp_path / FILE).touch()
    for module in [name for name in sys.modules if name.partition(".")[0] == "tensorboard"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, "siffra.results.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)

    with pytest.raises(ResultsError, match=r"not installed; run `pip install 'siffra\[tensorboard"):
        read_results(tmp_path)
