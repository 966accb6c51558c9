"""One model: trained, saved, asked about pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Unpack

import numpy as np

from siffra.api.arguments import DataLike, Knobs, loaded, make_engine, with_own_models
from siffra.config import GREATEST_SEED, Model, ModuleModel, Setting, SteplessModel, as_model
from siffra.config.recipes import over_recipe
from siffra.data.dataset import Dataset, class_labels
from siffra.data.pictures import read_picture
from siffra.engine.base import Fitted
from siffra.errors import ConfigError, ModelFileError
from siffra.report.render.notebook import html_table
from siffra.report.render.terminal import one_step_note, percent, text_table
from siffra.report.text.messages import words_in
from siffra.store.store import default_store_path, open_store
from siffra.system.atomic_write import expect_room
from siffra.training.model_file import (
    ONNX,
    SavedModel,
    as_saved,
    expect_model_name,
    expect_network,
    load_model,
    save_model,
)
from siffra.training.run import Epoch, Record, run


def train(
    *,
    recipe: Path | str | None = None,
    seed: int = 0,
    data: DataLike = None,
    engine: str = "native",
    threads: int | None = None,
    store: Path | str | None = None,
    on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
    **knobs: Unpack[Knobs],
) -> TrainResult:
    """Train one model; its record goes to the store.

    A single run says little about a knob: that is what `vary` is for.

    Args:
        recipe: A recipe's name (`"digits-5s"`) or file, whose knobs hold where none are given.
        seed: Decides the initial weights and the order of the images; 0 to 2**63 - 1.
        data: See `DataLike`.
        engine: What trains: `native`, or `torch` for PyTorch.
        threads: Threads to compute with (default: one per core). Results do not depend on it
            (with PyTorch, but for rounding).
        store: The file of finished runs (default: `siffra.store.store.default_store_path()`).
        on_epoch: Called after each epoch with its number, from 1, and its scores.
        **knobs: What is trained and how, see `Knobs`; what is not named keeps its default.

    Raises:
        SiffraError: A knob, the data or the store cannot be used; the text says how to mend it.
    """
    setting = Setting.from_knobs(over_recipe(recipe, with_own_models(knobs)))
    if not 0 <= seed <= GREATEST_SEED:
        raise ConfigError(f"seed: found {seed}; it must be from 0 to 2**63 - 1.")
    trainer = make_engine(threads, engine)
    dataset = loaded(data)[0].split_for(seed)
    with open_store(store or default_store_path()) as runs:
        record, fitted = run(setting, dataset, seed, trainer, on_epoch)
        runs.add(record)
    return TrainResult(record, fitted, dataset)


def predict(
    model: Path | str,
    images: Path | str | Iterable[Path | str],
    *,
    made_by: str | Callable[..., Any] | None = None,
) -> list[Prediction]:
    """What the model saved in `model` sees in a picture or several (PNG, JPEG or npy, any size).

    Pictures are fitted to the model as `siffra.data.pictures.read_picture` says, and turned over
    where they are dark on light and the training images light on dark, or the other way. A file
    holds weights and no code: for a module of your own, `made_by` is the function that makes it.

    Raises:
        ModelFileError: `model` is no saved model, or diverged in training.
        ConfigError: `made_by` is missing, or cannot be used.
        DataError: A picture cannot be read.
    """
    saved = load_model(Path(model))
    fitted = _load(saved, made_by)
    if saved.image_shape[0] == 1:
        raise ModelFileError(
            f"{model}: it takes rows of {saved.image_shape[1]} features, not pictures; in Python, "
            "`siffra.train(...).fitted.predict` does."
        )
    paths = map(Path, [images] if isinstance(images, str | Path) else images)
    pictures = {path: read_picture(path, saved.image_shape, saved.ground) for path in paths}
    # Weights are looked at too: ReLU may take what is not a number for 0. Finite ones may be too
    # large to compute with, of which NumPy would warn.
    with np.errstate(over="ignore", invalid="ignore"):
        shares_by_path = {
            path: fitted.predict(picture[np.newaxis])[0] for path, picture in pictures.items()
        }
    if not (
        saved.is_finite and all(np.isfinite(shares).all() for shares in shares_by_path.values())
    ):
        raise _diverged(model)
    labels = class_labels(saved.class_names, saved.classes)
    return [
        Prediction(path, tuple(shares.tolist()), labels) for path, shares in shares_by_path.items()
    ]


def export_model(model: Path | str, out: Path | str, *, pixels: str = "float32") -> None:
    """Write the model saved in `model` to `out` as ONNX, for other programs.

    Args:
        model: A model that siffra saved, in safetensors' format.
        out: The file to write; it must end in `.onnx`.
        pixels: What the ONNX model takes: `float32` in [0, 1], or `uint8`.

    Raises:
        ConfigError: There are no such pixels.
        ModelFileError: `model` is no saved model or a module of the user's, or `out` cannot be
            written; or the model diverged in training.
    """
    out = Path(out)
    if out.suffix.lower() != ONNX:
        raise ModelFileError(f"{out}: found `{out.suffix}`; it must end in {ONNX}.")
    saved = load_model(Path(model))
    if not saved.is_finite:
        raise _diverged(model)
    _onnx_file().save_onnx(out, saved, pixels)


def _onnx_file() -> ModuleType:
    import siffra.training.onnx_file as onnx_file  # brings ONNX, an extra

    return onnx_file


def expect_to_save(path: Path, model: Model) -> None:
    """Check that `model` can be saved at `path`, before it is trained.

    Raises:
        ModelFileError: It cannot.
    """
    if path.suffix.lower() == ONNX:
        _onnx_file().expect_exportable(model)
    expect_network(model)
    expect_model_name(path)
    expect_room(path, ModelFileError)


def _diverged(model: Path | str) -> ModelFileError:
    return ModelFileError(
        f"{model}: the model diverged in training: its weights are not numbers that can be used; "
        "train it with a smaller learning_rate."
    )


def _load(saved: SavedModel, made_by: str | Callable[..., object] | None) -> Fitted:
    model, engine = saved.setting.model, "native"
    if isinstance(model, ModuleModel):
        engine = "torch"
        if made_by is None:
            raise ConfigError(
                f"made_by: this model needs the function that made it, {model.factory}."
            )
        model = model.model_copy(update={"factory": as_model(made_by)})
    return make_engine(name=engine).load(model, saved.image_shape, saved.classes, saved.weights)


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model sees in a picture: the probability of each class.

    `classes` has them in the order of `probabilities`, as the data calls them: by names, or by
    numbers where it has no others.
    """

    path: Path
    probabilities: tuple[float, ...]
    classes: tuple[str | int, ...]

    @property
    def label(self) -> str | int:
        """The likeliest class."""
        return self.ranked[0]

    @property
    def ranked(self) -> tuple[str | int, ...]:
        """All classes, the likeliest first."""
        return tuple(self.classes[i] for i in np.argsort(self.probabilities)[::-1])

    def as_json(self) -> dict[str, Any]:
        """What `siffra predict --json` prints of each picture."""
        return {
            "image": str(self.path),
            "label": self.label,
            "probabilities": self.probabilities,
            "classes": self.classes,
        }

    def __str__(self) -> str:
        return f"{self.path}: {self.label} ({max(self.probabilities):.1%})"


@dataclass(frozen=True, slots=True, repr=False)
class TrainResult:
    """A trained model: `record` has every score, `fitted` predicts."""

    record: Record
    fitted: Fitted
    dataset: Dataset

    @property
    def accuracy(self) -> Mapping[str, float | None]:
        """Accuracy by set, fractions; None if the training diverged."""
        return self.record.accuracy

    def save(self, path: Path | str) -> None:
        """Save the model: for `predict`, in safetensors' format; or for other programs, as ONNX.

        Args:
            path: The file. One that ends in `.onnx` is an ONNX model, which takes float32 images
                (see `export_model` for bytes); any other is in safetensors' format.

        Raises:
            ModelFileError: It cannot be written, or ends as files of another format do.
        """
        path = Path(path)
        if path.suffix.lower() != ONNX:
            save_model(path, self.fitted, self.record, self.dataset)
            return
        _onnx_file().save_onnx(path, as_saved(self.fitted, self.record, self.dataset))

    def note(self, language: str = "en") -> str:
        """What is to be known of its training; empty if nothing is."""
        return one_step_note(words_in(language), [self.record.setting], self.dataset)

    def as_json(self) -> dict[str, Any]:
        """What `siffra train --json` prints."""
        notes = [note.as_json() for note in self.dataset.notes]
        return {
            "config": self.record.setting.knobs(),
            "seed": self.record.seed,
            "seconds": self.record.seconds,
            "epochs": len(self.record.epochs),
            "parameters": self.record.parameters,
            "diverged": self.record.diverged,
            "accuracy": dict(self.record.accuracy),
            **({"data_notes": notes} if notes else {}),
        }

    def __repr__(self) -> str:
        scores = ", ".join(f"{name} {score}" for name, score in self._scores()[1])
        return f"<TrainResult: {self._line()}\n {scores}>"

    def __str__(self) -> str:
        return "\n".join([self._line(), "", *text_table(*self._scores())])

    def _line(self) -> str:
        """What was trained, in a line."""
        record = self.record
        size = f"{record.parameters:,} parameters, epochs: {len(record.epochs)}, "
        line = (
            f"{record.setting.knobs()['model']} model, "
            f"{'' if isinstance(record.model, SteplessModel) else size}"
            f"training: {record.seconds:.2f} s, seed {record.seed}"
        )
        if record.diverged:
            line += "; it diverged: its loss or what it predicts is no longer a number"
        return line

    def _repr_html_(self) -> str:
        return html_table(*self._scores())

    def _scores(self) -> tuple[list[str], list[list[str]]]:
        return ["set", "accuracy"], [[k, percent(v)] for k, v in self.accuracy.items()]
