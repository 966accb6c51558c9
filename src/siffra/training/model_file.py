"""Trained models as files: weights in safetensors' format, with a header that tells their use."""

from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from siffra.config import EstimatorModel, Model, ModuleModel, Setting, Training
from siffra.data.dataset import Dataset
from siffra.data.pictures import Ground, ground_of
from siffra.engine.base import Fitted
from siffra.engine.network import build_network
from siffra.errors import ConfigError, ModelFileError
from siffra.system.atomic_write import write_whole
from siffra.system.terminal import odd_character
from siffra.training.run import Record

ONNX = ".onnx"
"""How a model's file ends that is for other programs; see `siffra.training.onnx_file`."""

OTHERS = (
    ".h5", ".hdf5", ".keras", ".pt", ".pth", ".pkl", ".pickle", ".joblib", ".npz", ".npy", ".json",
    ".toml", ".csv", ".parquet", ".pb", ".tflite", ".zip", ".sqlite", ".png", ".jpg", ".html",
)  # fmt: skip
"""How files of other formats end: a model saved under such a name would be taken for one."""

_HEADER = "siffra"
_FLOAT32 = "F32"

# More than any data has that can be trained on, so that whatever is trained can be saved; few
# enough that a damaged header is refused before memory is asked for.
_Count = Annotated[int, Field(gt=0, le=1_000_000)]
_Share = Annotated[float, Field(ge=0, le=1)]


class SavedModel(BaseModel):
    """A trained model as a file has it: its `weights`, and all else in the file's header.

    `accuracy` holds fractions by set, None if it diverged. `class_names` are the data's, in the
    order of the outputs; none where classes are numbered. `ground` is what the training images'
    digits stand on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    model: Model
    training: Training
    seed: int
    dataset: str
    fingerprint: str
    image_shape: tuple[_Count, _Count, _Count]
    classes: _Count
    accuracy: dict[str, _Share | None]
    class_names: tuple[str, ...] = ()
    ground: Ground = "dark"
    weights: dict[str, np.ndarray] = Field({}, exclude=True)

    @property
    def setting(self) -> Setting:
        """The model and how it was trained."""
        return Setting(self.model, self.training)

    @property
    def is_finite(self) -> bool:
        """Whether all weights are numbers; those of a run that diverged are not."""
        return all(np.isfinite(array).all() for array in self.weights.values())


def as_saved(fitted: Fitted, record: Record, dataset: Dataset) -> SavedModel:
    """The network of `record` as it would be read from a file."""
    return SavedModel(
        model=record.model,
        training=record.training,
        seed=record.seed,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        image_shape=dataset.image_shape,
        classes=dataset.classes,
        accuracy=record.accuracy,
        class_names=dataset.class_names,
        ground=ground_of(dataset.train),
        weights=fitted.weights(),
    )


def save_model(path: Path, fitted: Fitted, record: Record, dataset: Dataset) -> None:
    """Write the network of `record` to `path`, replacing what is there; whole or not at all.

    Raises:
        ModelFileError: The file cannot be written, or the model is no network.
    """
    expect_network(record.model)
    expect_model_name(path)
    saved = as_saved(fitted, record, dataset)
    # A header of what there always was is as it always was.
    newer, fields = ("class_names", "ground"), SavedModel.model_fields
    usual = {name for name in newer if getattr(saved, name) == fields[name].default}
    payload = saved.model_dump_json(exclude=usual)
    weights = {name: np.ascontiguousarray(array) for name, array in saved.weights.items()}
    write_whole(path, save(weights, metadata={_HEADER: payload}), ModelFileError)


def expect_model_name(path: Path) -> None:
    """Check that a model's file does not have the name of another format.

    Raises:
        ModelFileError: It is.
    """
    if path.suffix.lower() in OTHERS:
        raise ModelFileError(
            f"{path}: siffra saves no {path.suffix} files; name it "
            f"{path.with_suffix('.safetensors').name}, for `siffra predict`, or "
            f"{path.with_suffix(ONNX).name}, for other programs."
        )


def expect_network(model: Model) -> None:
    """Check that a model has weights that can be kept.

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
        problem = "a folder" if path.is_dir() else "no such file"
        raise ModelFileError(f"{path}: {problem}; name a model saved by `siffra train --save`.")
    if path.suffix.lower() == ONNX:
        raise ModelFileError(
            f"{path}: an ONNX file is for other programs; name the .safetensors that siffra saved."
        )
    try:
        with safe_open(path, framework="numpy") as file:
            header = _header(path, (file.metadata() or {}).get(_HEADER))
            _expect_weights(path, header, file)
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a dict
    except OSError as error:
        raise ModelFileError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except (SafetensorError, TypeError) as error:
        raise ModelFileError(
            f"{path}: not a safetensors file, or one that is cut short or damaged; name a model "
            "saved by `siffra train --save`."
        ) from error
    return header.model_copy(update={"weights": weights})


def _header(path: Path, described: str | None) -> SavedModel:
    """The model without its weights."""
    if described is None:
        raise ModelFileError(
            f"{path}: not saved by `siffra train --save`; its header says nothing."
        )
    try:
        header = SavedModel.model_validate_json(described)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        unreadable = f"`{where}` in its header" if where else "its header"
        raise ModelFileError(
            f"{path}: saved by another version of siffra, or damaged: {unreadable} cannot be read."
        ) from error
    names = header.class_names
    if names and len(names) != header.classes:
        raise ModelFileError(
            f"{path}: damaged: it names {len(names)} classes and has {header.classes}."
        )
    if odd := odd_character("".join((*names, header.dataset))):
        raise ModelFileError(
            f"{path}: a name in its header has the character U+{ord(odd):04X}, which no name needs."
        )
    return header


def _expect_weights(path: Path, header: SavedModel, file: Any) -> None:
    """Check that a file has the weights of the model that its header describes; none is read yet.

    A module of the user's is known to their function alone: PyTorch compares those.
    """
    if isinstance(header.model, ModuleModel):
        return
    try:
        network = build_network(header.model, header.image_shape, header.classes)
    except ConfigError as error:
        raise ModelFileError(f"{path}: its header describes no network: {error}") from error
    slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118  not a dict
    stored = {name: (tuple(each.get_shape()), each.get_dtype()) for name, each in slices.items()}
    wanted = {name: (shape, _FLOAT32) for name, shape in network.weights.items()}
    for name in {**wanted, **stored}:
        if stored.get(name) != wanted.get(name):
            raise ModelFileError(
                f"{path}: weights: `{name}` is {_shape_and_type(stored.get(name))}; the model that "
                f"the header describes has {_shape_and_type(wanted.get(name))}."
            )


def _shape_and_type(weight: tuple[tuple[int, ...], str] | None) -> str:
    """`784x64 F32`: a weight's shape and type."""
    if weight is None:
        return "none"
    shape, kind = weight
    return f"{'x'.join(map(str, shape)) or 'one number'} {kind}"
