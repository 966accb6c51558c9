"""Runs as TensorBoard's event files, with its HParams: a group a setting, a session a seed.

Written with TensorBoard's own protocol buffers and record writer, which need no TensorFlow.
"""

from collections.abc import Iterable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from siffra.errors import SiffraError
from siffra.export.settings import Plain, has_no_result, moments, plain_knobs, setting_groups
from siffra.system.atomic_write import write_whole
from siffra.training.run import Record, setting_id

try:
    from tensorboard.compat.proto import event_pb2, summary_pb2
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2
    from tensorboard.plugins.hparams.summary_v2 import Discrete, Metric, hparams_pb
    from tensorboard.summary.writer.record_writer import RecordWriter
except ModuleNotFoundError as error:
    if not (error.name or "").startswith("tensorboard"):
        raise
    raise SiffraError(
        "tensorboard: TensorBoard is not installed; run `pip install 'siffra[tensorboard]'`."
    ) from error

# Their classes are made when they are imported, which no type checker sees.
_event: Any = event_pb2
_summary: Any = summary_pb2
_hparams_api: Any = api_pb2
_hparams_data: Any = plugin_data_pb2

FILE = "events.out.tfevents.siffra"
"""The file in every folder: what is exported again replaces what was exported before."""


def write_tensorboard(records: Sequence[Record], out: Path) -> list[Path]:
    """Write a log directory for `tensorboard --logdir`; runs that are there already stay the same.

    `out` gets a folder for each setting with one for each seed, `seed-0`, and the description
    of all hyperparameters. A run has `loss` and `accuracy/SET` by epoch, `epoch_seconds`, and
    after the last epoch `final/accuracy/SET` and `final/seconds`. Of a program, it has each metric,
    as `loss` and `final/loss`, in their place.

    Returns:
        The files written.

    Raises:
        SiffraError: A file cannot be written.
    """
    files = {out / FILE: _experiment(records)}
    for group in setting_groups(records):
        for record in group.records:
            files[out / group.name / f"seed-{record.seed}" / FILE] = _session(record)
    for path, events in files.items():
        _write(path, events)
    return list(files)


def _experiment(records: Sequence[Record]) -> Iterator[Any]:
    """What can be varied, and what is measured."""
    if not records:
        return
    set_at = [_hparams(record) for record in records]
    names = dict.fromkeys(name for hparams in set_at for name in hparams)
    sets = dict.fromkeys(name for record in records for name in record.accuracy)
    metrics = [Metric(f"final/accuracy/{name}", display_name=f"accuracy, {name}") for name in sets]
    measured = dict.fromkeys(name for record in records for name in record.metrics)
    metrics += [Metric(f"final/{name}", display_name=name) for name in measured]
    metrics.append(Metric("final/seconds", display_name="training seconds"))
    latest = max(record.finished for record in records).timestamp()
    experiment = _hparams_api.Experiment(
        hparam_infos=[_hparam(name, [hparams.get(name) for hparams in set_at]) for name in names],
        metric_infos=[metric.as_proto() for metric in metrics],
        time_created_secs=latest,
    )
    plugin = _hparams_data.HParamsPluginData(experiment=experiment)
    yield _event.Event(wall_time=latest, summary=_plugin_summary(metadata.EXPERIMENT_TAG, plugin))


def _session(record: Record) -> Iterator[Any]:
    """One run: its knobs, its curves, its scores."""
    ended = record.finished.timestamp()
    began = ended - record.seconds
    started = hparams_pb(_hparams(record), trial_id=setting_id(record), start_time_secs=began)
    yield _event.Event(wall_time=began, summary=started)
    *epochs, (last, _, final) = moments(record)
    for step, moment, scalars in epochs:
        yield _scalars(scalars, step, moment)
    busy = {"final/busy": float(record.is_busy)} if record.load else {}
    yield _scalars(final | busy, last, ended)
    has_failed = has_no_result(record)
    status = _hparams_api.STATUS_FAILURE if has_failed else _hparams_api.STATUS_SUCCESS
    yield _event.Event(wall_time=ended, summary=_ended(status, ended))


def _hparam(name: str, values: Iterable[Plain | None]) -> Any:
    """A hyperparameter; TensorBoard filters by its values, unless they are of several types.

    Those that differ between the runs are shown first.
    """
    distinct = dict.fromkeys(values)
    info = _hparams_api.HParamInfo(name=name, differs=len(distinct) > 1)
    plain = [value for value in distinct if value is not None]
    kinds = {float if type(value) is int else type(value) for value in plain}
    if len(kinds) == 1:
        (kind,) = kinds
        Discrete([kind(value) for value in plain]).update_hparam_info(info)
    return info


def _hparams(record: Record) -> dict[str, Plain]:
    """What the table of hyperparameters shows: the seed is a session's, not its group's."""
    dataset: dict[str, Plain] = {"dataset": record.dataset} if record.dataset else {}
    return plain_knobs(record) | dataset | {"engine": record.engine}


def _scalars(scalars: dict[str, float], step: int, wall_time: float) -> Any:
    values = [_summary.Summary.Value(tag=tag, simple_value=value) for tag, value in scalars.items()]
    return _event.Event(wall_time=wall_time, step=step, summary=_summary.Summary(value=values))


def _ended(status: int, seconds: float) -> Any:
    info = _hparams_data.SessionEndInfo(status=status, end_time_secs=seconds)
    plugin = _hparams_data.HParamsPluginData(session_end_info=info)
    return _plugin_summary(metadata.SESSION_END_INFO_TAG, plugin)


def _plugin_summary(tag: str, data: object) -> Any:
    """What is told the HParams plugin, as a summary."""
    value = _summary.Summary.Value(
        tag=tag, metadata=metadata.create_summary_metadata(data), tensor=metadata.NULL_TENSOR
    )
    return _summary.Summary(value=[value])


def _write(path: Path, events: Iterator[Any]) -> None:
    """A whole file or none: TensorBoard may be reading."""
    content = BytesIO()
    records = RecordWriter(content)
    first = _event.Event(wall_time=0.0, file_version="brain.Event:2")
    for event in (first, *events):
        records.write(event.SerializeToString())
    write_whole(path, content.getvalue(), SiffraError, makes_folder=True)
