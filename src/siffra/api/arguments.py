"""What the calls take: knobs, data and engines, as users give them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from pydantic import ValidationError

from siffra.config import as_model
from siffra.config.validation import describe, first_mistake
from siffra.data.arrays import is_memory, read_memory
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.data.load import made as build
from siffra.data.notes import short
from siffra.engine.base import Engine
from siffra.engine.choice import engine_class
from siffra.errors import ConfigError, did_you_mean

_LOG = logging.getLogger("siffra.data")

ENGINES = ("native", "torch")

DataLike = DataSource | Dataset | Path | str | Mapping[str, Any] | Sequence[Any] | None
"""A data set: a file or folder (docs/data.md), a `DataSource` with its shifts and seed, or None
for MNIST; or what is in memory: a pair `(x, y)` of arrays, two such pairs for training and
testing, what scikit-learn's `load_…` return, or what `siffra.dataset` made of them."""


class NetworkKnobs(TypedDict, total=False):
    """The knobs of siffra's networks, as keyword arguments take them.

    `siffra.config.KNOBS` says what each does.
    """

    learning_rate: float
    batch_size: int
    epochs: float
    optimizer: str
    momentum: float
    weight_decay: float
    schedule: str
    warmup: float
    step_every: float
    step_factor: float
    loss: str
    label_smoothing: float
    ema: float
    augment: str
    augment_move: float
    augment_rotate: float
    augment_clean: float
    augment_jitter: float
    normalization: bool
    layers: int
    neurons: int | Sequence[int]
    activation: str
    batch_norm: bool
    dropout: float
    conv_layers: int
    filters: int | Sequence[int]
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int]
    padding: str
    pool_size: int | Sequence[int]
    pooling: str
    global_pooling: str
    space_to_depth: int


class Knobs(NetworkKnobs, total=False):
    """Every knob, as keyword arguments take them.

    `model` may be a function that makes a PyTorch module, or its name, `my_models:make`; then its
    parameters are knobs as well.
    """

    model: str | Callable[..., Any]


def with_own_models(knobs: Mapping[str, object]) -> dict[str, Any]:
    """`knobs`, or lists of their levels, with functions in the place of their names."""

    def models(value: object) -> Any:
        return list(map(models, value)) if isinstance(value, list | tuple) else as_model(value)

    return {name: models(value) if name == "model" else value for name, value in knobs.items()}


def loaded(data: DataLike, source: DataSource | None = None) -> tuple[Dataset, DataSource | None]:
    """The data set that `data` stands for, and where it is from; None if it is in memory.

    `source` says how it is parted and shifted, where `data` does not. What should be known of the
    data is logged as a warning by the logger `siffra.data`; Python shows it on stderr.

    Raises:
        DataError: It cannot be read, or makes no data set.
    """
    if isinstance(data, Dataset):
        return data, None
    dataset, source = _loaded(data, source or DataSource())
    for note in dataset.notes:
        _LOG.warning("note on %s: %s", short(dataset.name), note.text)
    return dataset, source


def _loaded(data: DataLike, source: DataSource) -> tuple[Dataset, DataSource | None]:
    if is_memory(data):
        return build(read_memory(data), source, "data"), None
    if isinstance(data, DataSource):
        source = data
    elif isinstance(data, Path | str):
        source = source.model_copy(update={"path": Path(data)})
    elif data is not None:
        raise ConfigError(f"data: found {type(data).__name__}; name a file or give (x, y).")
    return load_dataset(source), source


def dataset(
    data: DataLike,
    *,
    name: str | None = None,
    shifts: Mapping[str, float] | None = None,
    validation: float = 0.2,
    test: float = 0.2,
    seed: int = 0,
    split: Literal["fixed", "seed"] = "fixed",
) -> Dataset:
    """A data set for `train`, `vary`, `run_lab` and `run_search`, with shifts of one's choice.

    Args:
        data: See `DataLike`.
        name: What it is called in records and reports.
        shifts: How strong each shift is, as a lab file's `[shifts]` says it: `{"noise": 0.1}`.
            Without it, images are moved and rotated, and rows of a table not shifted at all.
        validation: The share of the training examples that is held out, if none are apart.
        test: The share taken for testing, if none are apart.
        seed: Draws what is held out, and the shifts.
        split: `seed`: each run draws its own training and validation examples.

    Raises:
        SiffraError: The data cannot be used; the text says how to mend it.
    """
    try:
        source = DataSource(validation=validation, test=test, seed=seed, split=split)
        if shifts is not None:
            source = source.with_shifts(shifts)
    except ValidationError as error:
        mistake = first_mistake(error)
        raise ConfigError(f"{mistake['loc'][0]}: {describe(mistake)}") from error
    made, _ = loaded(data, source)
    return replace(made, name=name) if name else made


def make_engine(threads: int | None = None, name: str = "native") -> Engine:
    """What trains the networks: `native`, or `torch` for PyTorch.

    Raises:
        ConfigError: There are not this many threads, no such engine, or it is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine: found {name!r}; {did_you_mean(name, ENGINES)}")
    try:
        return engine_class(name)(threads)
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise ConfigError(
            "engine: PyTorch is not installed; run `pip install 'siffra[torch]'`."
        ) from error
