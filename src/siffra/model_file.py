"""Trained models as files: weights in safetensors' format, with a header that tells their use."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from siffra.config import EstimatorModel, Model, Setting, Training
from siffra.data.dataset import Dataset
from siffra.engine.base import Fitted
from siffra.errors import ModelFileError
from siffra.run import Record
from siffra.whole_files import write_whole

ONNX = ".onnx"
"""How a model's file ends that is for other programs; see `siffra.onnx_file`."""

_HEADER = "siffra"

_Side = Annotated[int, Field(gt=0, le=10_000)]
_Channels = Annotated[int, Field(gt=0, le=1000)]
_Classes = Annotated[int, Field(gt=0, le=1_000_000)]


class _Header(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    model: Model
    training: Training
    seed: int
    dataset: str
    fingerprint: str
    image_shape: tuple[_Side, _Side, _Channels]
    classes: _Classes
    accuracy: dict[str, float]
    class_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class SavedModel:
    """A trained model read from a file; `accuracy` holds fractions by set.

    `class_names` are the data's, in the order of the outputs; none where classes are numbered.
    """

    setting: Setting
    seed: int
    dataset: str
    image_shape: tuple[int, int, int]
    classes: int
    accuracy: dict[str, float]
    weights: dict[str, np.ndarray]
    class_names: tuple[str, ...] = ()


def as_saved(fitted: Fitted, record: Record, dataset: Dataset) -> SavedModel:
    """The network of `record` as it would be read from a file."""
    return SavedModel(
        setting=record.setting,
        seed=record.seed,
        dataset=dataset.name,
        image_shape=dataset.image_shape,
        classes=dataset.classes,
        accuracy=record.accuracy,
        weights=fitted.weights(),
        class_names=dataset.class_names,
    )


def save_model(path: Path, fitted: Fitted, record: Record, dataset: Dataset) -> None:
    """Write the network of `record` to `path`, replacing what is there; whole or not at all.

    Raises:
        ModelFileError: The file cannot be written, or the model is no network.
    """
    expect_network(record.model)
    header = _Header(
        model=record.model,
        training=record.training,
        seed=record.seed,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        image_shape=dataset.image_shape,
        classes=dataset.classes,
        accuracy=record.accuracy,
        class_names=dataset.class_names,
    )
    # A header without names is as it always was.
    told = header.model_dump_json(exclude=None if header.class_names else {"class_names"})
    weights = {name: np.ascontiguousarray(array) for name, array in fitted.weights().items()}
    write_whole(path, save(weights, metadata={_HEADER: told}), ModelFileError)


def expect_network(model: Model) -> None:
    """See that a model has weights that can be kept.

    Raises:
        ModelFileError: It is an estimator of scikit-learn's.
    """
    if isinstance(model, EstimatorModel):
        raise ModelFileError(
            f"save: {model.factory} is scikit-learn's, and siffra saves networks alone; in Python "
            "keep `siffra.train(...).fitted.estimator` with joblib."
        )


def load_model(path: Path) -> SavedModel:
    """Read what `save_model` wrote.

    Raises:
        ModelFileError: There is no such file, or it is not a model that siffra saved.
    """
    if not path.is_file():
        found = "a folder" if path.is_dir() else "no such file"
        raise ModelFileError(f"{path}: {found}; name a model saved by `siffra train --save`.")
    if path.suffix.lower() == ONNX:
        raise ModelFileError(
            f"{path}: an ONNX file is for other programs; name the .safetensors that siffra saved."
        )
    try:
        with safe_open(path, framework="numpy") as file:
            described = (file.metadata() or {}).get(_HEADER)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    except (SafetensorError, OSError) as error:
        raise ModelFileError(f"{path}: not a safetensors file: {error}.") from error
    if described is None:
        raise ModelFileError(
            f"{path}: not saved by `siffra train --save`; its header says nothing."
        )
    try:
        header = _Header.model_validate_json(described)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ModelFileError(f"{path}: saved by another version of siffra: {where}.") from error
    return SavedModel(
        setting=Setting(header.model, header.training),
        seed=header.seed,
        dataset=header.dataset,
        image_shape=header.image_shape,
        classes=header.classes,
        accuracy=header.accuracy,
        weights=weights,
        class_names=header.class_names,
    )
