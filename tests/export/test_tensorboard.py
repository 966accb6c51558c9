"""Event files, read back as TensorBoard itself reads them, without TensorFlow."""

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_runs import make_record, program_record
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.data.provider import RunTagFilter
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

import siffra
from siffra.config import Setting
from siffra.errors import SiffraError
from siffra.export.settings import setting_groups
from siffra.export.tensorboard import FILE, write_tensorboard
from siffra.training.run import Record, setting_id

hparams: Any = api_pb2  # whose classes are made when it is imported

SINGLE = 1e-6
"""Relative: TensorBoard keeps scalars in single precision."""


@pytest.fixture(scope="module")
def records():
    settings = [{"neurons": 16, "epochs": 2}, {"neurons": [8, 4], "batch_norm": True, "epochs": 2}]
    made = [
        make_record(Setting.from_knobs(knobs), seed, curve=[0.5, 0.6 + 0.1 * seed])
        for knobs in settings
        for seed in (0, 1, 2)
    ]
    lost = made[1].epochs[1].model_copy(update={"loss": None})
    lost = made[1].model_copy(update={"epochs": (made[1].epochs[0], lost), "diverged": True})
    made[1] = Record.model_validate_json(lost.model_dump_json())
    return made


@pytest.fixture(scope="module")
def log(records, tmp_path_factory):
    out = tmp_path_factory.mktemp("log")
    write_tensorboard(records, out)
    return out


@pytest.fixture(scope="module")
def provider(log):
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(log))
    multiplexer.Reload()
    return MultiplexerDataProvider(multiplexer, str(log))


def run_of(record, records):
    (group,) = [g for g in setting_groups(records) if g.id == setting_id(record)]
    return f"{group.name}/seed-{record.seed}"


def scalars(provider, run, tag):
    found = provider.read_scalars(
        RequestContext(),
        experiment_id="",
        plugin_name="scalars",
        downsample=1000,
        run_tag_filter=RunTagFilter(runs=[run], tags=[tag]),
    )
    return [(datum.step, datum.value) for datum in found[run][tag]]


def test_curves_and_final_scores_are_the_record_s(provider, records):
    for record in records:
        run = run_of(record, records)
        for name in record.accuracy:
            curve = [(n, e.accuracy[name]) for n, e in enumerate(record.epochs, start=1)]
            expected = [(n, share) for n, share in curve if share is not None]
            found = scalars(provider, run, f"accuracy/{name}")
            np.testing.assert_allclose(found, expected, rtol=SINGLE)
            assert len(found) == (1 if record.diverged else 2)
            if record.diverged:
                continue
            assert scalars(provider, run, f"final/accuracy/{name}") == [
                (2, pytest.approx(record.accuracy[name], rel=SINGLE))
            ]
        assert scalars(provider, run, "final/seconds") == [(2, pytest.approx(record.seconds))]


def test_a_loss_that_is_no_number_is_shown_as_such(provider, records):
    (_, first), (_, second) = scalars(provider, run_of(records[1], records), "loss")

    assert (first, math.isnan(second)) == (1.0, True)


def session_groups(context):
    """The groups as HParams shows them."""
    found = list_session_groups.Handler(
        request_context=RequestContext(),
        backend_context=context,
        experiment_id="",
        request=hparams.ListSessionGroupsRequest(
            start_index=0,
            slice_size=100,
            aggregation_type=hparams.AGGREGATION_AVG,
            allowed_statuses=[hparams.STATUS_SUCCESS, hparams.STATUS_FAILURE],
            include_metrics=True,
        ),
    ).run()
    return found.session_groups


def test_a_setting_is_a_group_and_a_seed_a_session(provider, records):
    context = backend_context.Context(TBContext(data_provider=provider))
    request = RequestContext()
    metadata = context.hparams_metadata(request, "")
    experiment = context.experiment_from_metadata(
        request, "", include_metrics=True, hparams_run_to_tag_to_content=metadata,
        data_provider_hparams=[],
    )  # fmt: skip
    assert {info.name.tag for info in experiment.metric_infos} >= {"final/accuracy/moved"}
    differing = {info.name for info in experiment.hparam_infos if info.differs}
    assert differing == {"layers", "neurons", "batch_norm"}
    by_id = {group.name: group for group in session_groups(context)}
    assert by_id.keys() == {setting_id(record) for record in records}
    deep, wide = by_id[setting_id(records[3])], by_id[setting_id(records[0])]
    assert deep.hparams["neurons"].string_value == "8,4"
    assert deep.hparams["batch_norm"].bool_value
    assert wide.hparams["neurons"].number_value == 16
    assert [len(group.sessions) for group in (deep, wide)] == [3, 3]
    (mean,) = [m.value for m in wide.metric_values if m.name.tag == "final/accuracy/test"]
    assert mean == pytest.approx((0.6 + 0.7 + 0.8) / 3, rel=SINGLE)
    assert [s.status for s in wide.sessions].count(hparams.STATUS_FAILURE) == 1


def test_exported_again_nothing_is_doubled(records, log):
    before = {path: path.read_bytes() for path in log.rglob("*") if path.is_file()}

    write_tensorboard(records, log)

    assert {path: path.read_bytes() for path in log.rglob("*") if path.is_file()} == before
    assert len(before) == 1 + len(records)


def test_without_runs_there_is_an_empty_log(tmp_path):
    assert write_tensorboard([], tmp_path) == [tmp_path / FILE]


def test_a_folder_that_cannot_be_written_is_one_line(records, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(SiffraError, match=r"file/.*: cannot be written: "):
        write_tensorboard(records, tmp_path / "file")


def test_tensorflow_is_not_needed(tmp_path):
    code = (
        "import sys; sys.modules['tensorflow'] = None; from pathlib import Path; "
        "from made_runs import make_record; from siffra.config import Setting; "
        "from siffra.export.tensorboard import write_tensorboard; "
        "write_tensorboard([make_record(Setting.from_knobs({'epochs': 1}))], Path(sys.argv[1]))"
    )
    paths = map(str, (Path(__file__).parents[1], Path(siffra.__file__).parents[1]))
    env = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}

    subprocess.run([sys.executable, "-c", code, tmp_path], check=True, env=env)

    assert len(list(tmp_path.rglob(FILE))) == 2


def test_a_program_has_its_metrics_and_a_status(tmp_path):
    made = [
        program_record(0.1),
        program_record(0.3, metrics={}, failure="exit 1"),
        program_record(0.3, 1, metrics={"loss": math.nan}),
    ]
    write_tensorboard(made, tmp_path)
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(tmp_path))
    multiplexer.Reload()
    provider = MultiplexerDataProvider(multiplexer, str(tmp_path))

    for record in made:
        loss = scalars(provider, run_of(record, made), "loss")
        assert [(step, value) for step, value in loss] == [
            (step, pytest.approx(value, rel=SINGLE)) for step, value in record.curves["loss"]
        ]
    assert scalars(provider, run_of(made[0], made), "final/acc@1") == [
        (2, pytest.approx(0.51, rel=SINGLE))
    ]
    groups = session_groups(backend_context.Context(TBContext(data_provider=provider)))
    assert {(g.hparams["lr"].number_value, s.status) for g in groups for s in g.sessions} == {
        (0.1, hparams.STATUS_SUCCESS),
        (0.3, hparams.STATUS_FAILURE),
    }
    assert "dataset" not in groups[0].hparams
