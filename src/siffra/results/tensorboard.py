"""Runs in a folder of TensorBoard's event files: a run is a folder that holds such files.

Its knobs are its HParams, or else what the folder is called: `lr=0.1,seed=3`, `lr_0.1_seed_3`.
Records are taken apart here, since TensorBoard's own reader checks each byte of them in Python.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from siffra.results import names
from siffra.results.assemble import Raw
from siffra.results.table import refuse_size, refused

try:
    from google.protobuf.message import DecodeError
    from tensorboard.compat.proto import event_pb2
    from tensorboard.plugins.hparams import metadata, plugin_data_pb2
    from tensorboard.summary.writer.record_writer import masked_crc32c
    from tensorboard.util.tensor_util import make_ndarray
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in ("tensorboard", "google"):
        raise
    raise refused("no_tensorboard") from error

_event: Any = event_pb2  # whose classes are made when it is imported
_hparams: Any = plugin_data_pb2

_MOST_FILES = 50_000
_LONGEST_RECORD = 2**28
_HEADER = struct.Struct("<QI")
_CHECKSUM = 4
_STATUS = {1: "success", 2: "failure", 3: "running"}
_PARTS = ("train", "training", "val", "valid", "validation", "test", "eval")
_EQUALS = re.compile(r"(?:^|[,;&_ -])([A-Za-z][A-Za-z0-9_.]*?)=([^=]*?)(?=$|[,;& ]|_[A-Za-z]\w*=)")
_NUMBERS = re.compile(r"([A-Za-z][A-Za-z_]*?)[_-]?([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)(?:[_,; -]|$)")
_NO_METRIC = {"hp_metric": -1.0}
"""What Lightning logs where nothing was measured."""


@dataclass(slots=True)
class _Run:
    """What the files of a folder hold: scalars by tag and step, knobs, and how it ended."""

    scalars: dict[str, dict[int, float]] = field(default_factory=dict)
    hparams: dict[str, Any] = field(default_factory=dict)
    status: str | None = None

    def add(self, other: "_Run", prefix: str = "") -> None:
        """Take over what another has."""
        for tag, points in other.scalars.items():
            self.scalars.setdefault(prefix + tag, {}).update(points)
        self.hparams |= other.hparams
        self.status = other.status or self.status


def read_event_files(folder: Path, files: Sequence[Path]) -> Raw:
    """The runs whose event `files` are in `folder`.

    Raises:
        ResultsError: A file is damaged, there are too many, or no run has scalars.
    """
    if len(files) > _MOST_FILES:
        counts = {"count": f"{len(files):,}", "most": f"{_MOST_FILES:,}"}
        raise refused("many_event_files", source=folder, **counts)
    by_folder: dict[Path, _Run] = {}
    for path in files:
        _read(path, by_folder.setdefault(path.parent, _Run()))
    runs = _without_single_children(_without_parts(by_folder))
    named = {path.relative_to(folder).as_posix(): run for path, run in sorted(runs.items())}
    named = {name: run for name, run in named.items() if run.scalars}
    if not named:
        raise refused("no_scalars", source=folder)
    return _raw(named, str(folder))


def _raw(runs: Mapping[str, _Run], source: str) -> Raw:
    knobs = [_folder_knobs(path, run.hparams) for path, run in runs.items()]
    columns: dict[str, Sequence[Any]] = {"name": list(runs)}
    if any(of.group for of in knobs):
        columns["group"] = [of.group or None for of in knobs]
    columns["status"] = [run.status for run in runs.values()]
    for name in dict.fromkeys(name for of in knobs for name in of.knobs):
        columns[f"params.{name}"] = [of.knobs.get(name) for of in knobs]
    curves = {}
    for tag in dict.fromkeys(tag for run in runs.values() for tag in run.scalars):
        refuse_size(source, len(runs), len(columns) + 1)
        points = [sorted(run.scalars.get(tag, {}).items()) for run in runs.values()]
        columns[f"metrics.{tag}"] = [of[-1][1] if of else None for of in points]
        if any(len(of) > 1 for of in points):
            curves[f"metrics.{tag}"] = tuple(tuple(of) for of in points)
    return Raw(columns, source, list(runs), curves)


def _without_parts(by_folder: Mapping[Path, _Run]) -> dict[Path, _Run]:
    """The runs with what Keras keeps in folders of their own: `train` and `validation`."""
    runs: dict[Path, _Run] = {}
    for path, run in by_folder.items():
        whole = path.parent if path.name.casefold() in _PARTS else path
        runs.setdefault(whole, _Run()).add(run, f"{path.name}/" if whole != path else "")
    return runs


def _without_single_children(runs: Mapping[Path, _Run]) -> dict[Path, _Run]:
    """The runs with what PyTorch keeps in a folder below: HParams, and the metrics beside them."""
    merged = dict(runs)
    for path, run in runs.items():
        below = [p for p, child in runs.items() if p.parent == path and child.hparams]
        if run.scalars and not run.hparams and len(below) == 1:
            run.add(merged.pop(below[0]))
    return merged


def _read(path: Path, run: _Run) -> None:
    """Add what a file holds to its run."""
    plugins: dict[str, str] = {}
    for record in _records(path):
        try:
            _add(_event.Event.FromString(record), run, plugins)
        except (DecodeError, ValueError, TypeError) as error:  # of protocol buffers, of tensors
            raise refused("bad_event_file", source=path) from error


def _add(event: Any, run: _Run, plugins: dict[str, str]) -> None:
    """Add what an event says; `plugins` is what each tag is of, which its first event says."""
    for value in event.summary.value:
        plugin = value.metadata.plugin_data
        name = plugins.setdefault(value.tag, plugin.plugin_name)
        if name == metadata.PLUGIN_NAME:
            _add_hparams(plugin.content, run)
            continue
        number = _scalar(value, name)
        if number is not None and _NO_METRIC.get(value.tag) != number:
            run.scalars.setdefault(value.tag, {})[event.step] = number


def _records(path: Path) -> Iterator[bytes]:
    """The records of a file; the last is left out while it is being written."""
    with path.open("rb") as file:
        while len(header := file.read(_HEADER.size)) == _HEADER.size:
            length, checksum = _HEADER.unpack(header)
            if length > _LONGEST_RECORD or masked_crc32c(header[:8]) != checksum:
                raise refused("bad_event_file", source=path)
            record = file.read(length)
            if len(record) < length or len(file.read(_CHECKSUM)) < _CHECKSUM:
                return
            yield record


def _scalar(value: Any, plugin: str) -> float | None:
    """The number of a summary in its shortest notation, which has single precision; else None."""
    if value.HasField("simple_value"):
        return float(str(np.float32(value.simple_value)))
    if plugin != "scalars" or not value.HasField("tensor"):
        return None
    tensor = make_ndarray(value.tensor)
    return float(str(tensor.reshape(-1)[0])) if tensor.size == 1 else None


def _add_hparams(content: bytes, run: _Run) -> None:
    data = _hparams.HParamsPluginData.FromString(content)
    if data.HasField("session_start_info"):
        for name, value in sorted(data.session_start_info.hparams.items()):
            run.hparams[name] = _hparam(value)
    if data.HasField("session_end_info"):
        run.status = _STATUS.get(data.session_end_info.status, run.status)


def _hparam(value: Any) -> Any:
    """The value of a hyperparameter; every number is kept as a float there."""
    kind = value.WhichOneof("kind")
    number = getattr(value, kind) if kind and kind != "null_value" else None
    return int(number) if isinstance(number, float) and number.is_integer() else number


@dataclass(frozen=True, slots=True)
class _FolderKnobs:
    """The knobs of a run by what its folder is called, and the part of it that has none."""

    knobs: Mapping[str, Any]
    group: str


def _folder_knobs(path: str, hparams: Mapping[str, object]) -> _FolderKnobs:
    """The knobs of a run with this path; where it has `hparams`, the seed alone."""
    knobs: dict[str, Any] = {}
    rest = []
    for part in path.split("/"):
        if written := _written_knobs(part):
            knobs |= written
        elif part != ".":
            rest.append(part)
    if hparams:
        seeds = {name: v for name, v in knobs.items() if names.plain(name) in names.SEEDS}
        return _FolderKnobs({**seeds, **hparams}, "")
    return _FolderKnobs(knobs, "/".join(rest))


def _written_knobs(name: str) -> dict[str, str]:
    """The knobs and values in the name of one folder; none unless all of it consists of them."""
    if "=" in name:
        return dict(_EQUALS.findall(name))
    pairs, end = {}, 0
    while match := _NUMBERS.match(name, end):
        pairs[match[1]] = match[2]
        end = match.end()
    return pairs if end == len(name) else {}
