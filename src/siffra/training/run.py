"""One training run: a setting, a data set and a seed go in, a record comes out."""

import hashlib
import json
import math
import os
import platform
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import version
from typing import Any, Self

import numpy as np
from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from siffra.config import ExternalModel, Model, Setting, SteplessModel, Training
from siffra.data.dataset import Dataset, Images
from siffra.engine.base import Engine, EpochEnd, Fitted
from siffra.engine.choice import engine_for
from siffra.engine.network import network_for
from siffra.system.cpu import cpu_name
from siffra.system.load import Load, LoadMeter
from siffra.training.scored_sets import late_epochs, scored_sets
from siffra.training.scores import accuracy, confusion_matrix

ONE_CLASS = 0.99
"""A run that gives this share of the test images one and the same class has collapsed."""
SCORING = 2
"""Raised whenever a record comes to hold other scores of the same network; part of the key."""
_LATE_SCORING = 3
"""The `scoring` of records with `late` accuracies."""


class _Frozen(BaseModel):
    """Values that are what they can be: a record is read from files that may be damaged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("accuracy", "late", check_fields=False)
    @classmethod
    def _are_fractions(cls, value: Any) -> Any:
        if not all(share is None or 0 <= share <= 1 for share in value.values()):
            raise ValueError("an accuracy is from 0 to 1")
        return value

    @field_validator("seconds", "compile_seconds", "scoring_seconds", check_fields=False)
    @classmethod
    def _is_a_time(cls, value: float) -> float:
        if not 0 <= value < math.inf:
            raise ValueError("a time is 0 or more")
        return value


_SELDOM = ("class_names", "load", "late", "metrics", "curves", "steps", "failure", "output")
"""Fields of a record that are written only where there is something in them."""


class Epoch(_Frozen):
    """One epoch of a run.

    `loss` is the mean over the epoch's batches per image (a cross-entropy in nats), None where it
    was not finite; `accuracy` holds fractions by set: `train` is the mean over the epoch's
    batches, the others are of at most `CURVE_IMAGES` images, and all are None from where the run
    diverged; `seconds` is training alone.
    """

    loss: float | None
    seconds: float
    accuracy: dict[str, float | None]


class Machine(_Frozen):
    """Where a run was made; `jobs` is how many runs shared it, at most.

    A machine of its own is not mentioned: `jobs` is written only where it is not 1.
    """

    cpu: str
    cores: int
    threads: int
    system: str
    versions: dict[str, str]
    jobs: int = 1

    @model_serializer(mode="wrap")
    def _written(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = write(self)
        if self.jobs == 1:
            del written["jobs"]
        return written


class Record(_Frozen):
    """All that is kept of a finished run. Accuracies are fractions, times in seconds.

    `accuracy` and `confusion` (rows of true, columns of predicted classes) are the trained
    network's, on all images of each set, but for `train`: there, on as many as `val` has.
    `seconds` is training alone; compiling and scoring are apart. `scoring` is the `SCORING` that
    it was scored by. `late` has the means of accuracy over the last tenth of the epochs, by set, of
    long trainings at a constant rate (see `late_epochs`), and nothing of others.
    `class_names` are the data's own, if its classes are not just numbered.
    `load` is what the training had of its machine; None in records of before that was measured.

    A run has `diverged` once the loss of an epoch is not finite, or what the network predicts for
    an image is not a number. It goes on being no number, so there is no class that it predicts:
    from there on its accuracies are None, and it has no confusion.

    A training that siffra did not do itself (its model is external) has `metrics` by name instead
    (None where one is not a number, which is that run's way to diverge), `curves` of (epoch, value)
    pairs and `steps` (how coarsely it was printed) by metric, and no epochs. If it gave no result,
    `failure` says why, and `output` has its last lines.
    """

    key: str
    model: Model
    training: Training
    seed: int
    dataset: str
    fingerprint: str
    engine: str
    engine_version: int
    scoring: int = 1
    parameters: int
    epochs: tuple[Epoch, ...]
    accuracy: dict[str, float | None]
    confusion: dict[str, list[list[int]]]
    seconds: float
    compile_seconds: float
    scoring_seconds: float
    diverged: bool
    machine: Machine
    finished: datetime
    class_names: tuple[str, ...] = ()
    load: Load | None = None
    late: dict[str, float] = {}
    metrics: dict[str, float | None] = {}
    curves: dict[str, tuple[tuple[float, float], ...]] = {}
    steps: dict[str, float] = {}
    failure: str = ""
    output: tuple[str, ...] = ()

    @property
    def last_words(self) -> str:
        """The last line that it printed, unless it is blank or `failure` says it already."""
        line = next((line.strip() for line in reversed(self.output) if line.strip()), "")
        return "" if self.failure.endswith(" ".join(line.split())) else line

    @field_validator("curves", mode="before")
    @classmethod
    def _without_gaps(cls, curves: Any) -> Any:
        """JSON has no number for a point of a run that diverges: older records have null there."""
        if not isinstance(curves, Mapping):
            return curves  # damaged, as is said below
        return {
            name: [point for point in curve if not _is_gap(point)]
            if isinstance(curve, list | tuple)
            else curve
            for name, curve in curves.items()
        }

    @model_validator(mode="after")
    def _has_what_its_model_gives(self) -> Self:
        if not isinstance(self.model, ExternalModel) and not self.epochs:
            raise ValueError("there is an epoch in every run")
        return self

    @model_validator(mode="after")
    def _unscored(self) -> Self:
        """A diverged run without accuracies: older records have the share of some class there."""
        if self.diverged and (self.confusion or set(self.accuracy.values()) != {None}):
            lost = next((i for i, e in enumerate(self.epochs) if e.loss is None), len(self.epochs))
            ended = tuple(_without_accuracy(epoch) for epoch in self.epochs[lost:])
            nothing = {"accuracy": dict.fromkeys(self.accuracy), "confusion": {}}
            for name, value in {"epochs": self.epochs[:lost] + ended, **nothing}.items():
                object.__setattr__(self, name, value)  # frozen, but not made yet
        return self

    @model_serializer(mode="wrap")
    def _serialize(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without names that there are none of: most records are as they always were."""
        fields = serialize(self)
        for name in _SELDOM:
            if not getattr(self, name):
                fields.pop(name, None)
        return fields

    @property
    def is_busy(self) -> bool:
        """Whether its times were taken on a machine known to be busy with something else."""
        return self.load is not None and self.load.is_busy

    @property
    def collapsed(self) -> bool:
        """Whether the network gives nearly every test image the same class.

        One that diverged gives none.
        """
        if self.diverged or "test" not in self.confusion:
            return False
        per_class = [sum(column) for column in zip(*self.confusion["test"], strict=True)]
        return max(per_class) >= ONE_CLASS * sum(per_class)

    @property
    def failed(self) -> bool:
        """Whether it did not train: it collapsed, diverged, or gave no result."""
        return bool(self.failure) or self.diverged or self.collapsed

    @property
    def took(self) -> float:
        """Wall seconds of training and scoring."""
        return self.seconds + self.scoring_seconds

    def lacks(self, metrics: Iterable[str]) -> bool:
        """Whether the run worked, but was not asked for one of these metrics when it was made."""
        return not self.failure and any(name not in self.metrics for name in metrics)

    def joined(self, earlier: Self) -> Self:
        """With what an `earlier` record of the same run measured besides; as it is if it failed."""
        if self.failure:
            return self
        both = {"metrics": earlier.metrics | self.metrics, "curves": earlier.curves | self.curves}
        return self.model_copy(update={**both, "steps": earlier.steps | self.steps})

    def read(self) -> Self:
        """The record: itself, as it need not be read. See `WrittenRecord`."""
        return self

    @property
    def setting(self) -> Setting:
        """What was trained."""
        return Setting(self.model, self.training)

    @property
    def averaged(self) -> "Record":
        """The record with its `late` accuracies in place of the last ones, if it has them."""
        return self.model_copy(update={"accuracy": self.late}) if self.late else self


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """A record as JSON (`text`), and what is asked of every run: its key, and what it `took`.

    To read a record takes longer than all else that is done with one that another process made.
    """

    key: str
    took: float
    text: str

    @classmethod
    def of(cls, record: Record) -> Self:
        """The record, written."""
        return cls(record.key, record.took, record.model_dump_json())

    def read(self) -> Record:
        """The record."""
        return Record.model_validate_json(self.text)


def _without_accuracy(epoch: Epoch) -> Epoch:
    return epoch.model_copy(update={"accuracy": dict.fromkeys(epoch.accuracy)})


def run_key(setting: Setting, dataset: Dataset, seed: int, engine: Engine) -> str:
    """SHA-256 (hex) of everything that decides a run's result, as canonical JSON."""
    engine = engine_for(setting.model, engine)
    return _digest(
        setting,
        dataset=dataset.fingerprint,
        engine=engine.name,
        engine_version=engine.version_of(setting.model),
        scoring=_scoring(setting),
        seed=seed,
    )


def _scoring(setting: Setting) -> int:
    return _LATE_SCORING if late_epochs(setting) else SCORING


def _is_gap(point: object) -> bool:
    """Whether a point of a curve is one at which the run gave no number."""
    return isinstance(point, list | tuple) and any(
        value is None or (isinstance(value, float) and not math.isfinite(value)) for value in point
    )


def setting_id(record: Record) -> str:
    """What a setting's runs share: 12 hex digits of all that `run_key` is of, but for the seed."""
    digest = _digest(
        record.setting,
        dataset=record.fingerprint,
        engine=record.engine,
        engine_version=record.engine_version,
        scoring=record.scoring,
    )
    return digest[:12]


def _digest(setting: Setting, **others: str | int) -> str:
    model, training = (part.model_dump(mode="json") for part in (setting.model, setting.training))
    return digest_of({"model": model, "training": training, **others})


def digest_of(described: Mapping[str, object]) -> str:
    """SHA-256 (hex) of what is described, as canonical JSON: what keys are."""
    canonical = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def run(
    setting: Setting,
    dataset: Dataset,
    seed: int,
    engine: Engine,
    on_epoch: Callable[[int, Epoch], None] = lambda number, epoch: None,
) -> tuple[Record, Fitted]:
    """Train `setting` once and score it on every set; see `engine_for` for what trains it.

    `on_epoch` is called after each epoch with its number, from 1, and its scores; what it
    raises ends the run.

    Raises:
        ConfigError: The model cannot be built for the data set's images.
    """
    network_for(setting.model, setting.training, dataset)
    engine = engine_for(setting.model, engine)
    started = time.perf_counter()
    engine.prepare(setting.model, setting.training, dataset)
    compile_seconds = time.perf_counter() - started
    scored, first_late = scored_sets(dataset), int(setting.training.epochs) - late_epochs(setting)
    epochs: list[Epoch] = []
    late: list[dict[str, float | None]] = []
    scoring_seconds = 0.0
    diverged = False

    @cache
    def predictor(fitted: Fitted, images: Images) -> Callable[[], np.ndarray]:
        return fitted.keep(images)

    def confusion_of(fitted: Fitted, images: Images) -> np.ndarray | None:
        return confusion_matrix(images.y, predictor(fitted, images)(), dataset.classes)

    def accuracies(fitted: Fitted, sets: Mapping[str, Images]) -> dict[str, float | None]:
        return {name: accuracy(confusion_of(fitted, sets[name])) for name in sets}

    # What a GPU does, or processes of an estimator's own, is no processor time of this process.
    on_cpu = not isinstance(setting.model, SteplessModel) and "gpu" not in engine.versions
    meter = LoadMeter(counts_cpu=on_cpu)

    def end_epoch(end: EpochEnd, fitted: Fitted) -> None:
        nonlocal scoring_seconds, diverged
        meter.stop()
        started = time.perf_counter()
        reached = accuracies(fitted, scored.curves)
        if first_late < end.epoch < setting.training.epochs:
            late.append(accuracies(fitted, scored.whole))
        scoring_seconds += time.perf_counter() - started
        loss = end.loss if np.isfinite(end.loss) else None
        diverged = diverged or loss is None or None in reached.values()
        epoch = Epoch(loss=loss, seconds=end.seconds, accuracy={"train": end.accuracy, **reached})
        epochs.append(_without_accuracy(epoch) if diverged else epoch)
        on_epoch(end.epoch, epochs[-1])
        meter.start()

    meter.start()
    fitted = engine.fit(setting.model, setting.training, dataset, seed, end_epoch)
    load = meter.load()
    started = time.perf_counter()
    confusion = {name: confusion_of(fitted, images) for name, images in scored.whole.items()}
    scoring_seconds += time.perf_counter() - started
    diverged = diverged or any(matrix is None for matrix in confusion.values())
    reached = {name: None if diverged else accuracy(matrix) for name, matrix in confusion.items()}
    record = Record(
        key=run_key(setting, dataset, seed, engine),
        model=setting.model,
        training=setting.training,
        seed=seed,
        dataset=dataset.name,
        fingerprint=dataset.fingerprint,
        engine=engine.name,
        engine_version=engine.version_of(setting.model),
        scoring=_scoring(setting),
        parameters=fitted.parameters,
        epochs=tuple(epochs),
        accuracy=reached,
        confusion={
            name: m.tolist() for name, m in confusion.items() if m is not None and not diverged
        },
        seconds=sum(epoch.seconds for epoch in epochs),
        compile_seconds=compile_seconds,
        scoring_seconds=scoring_seconds,
        diverged=diverged,
        machine=_machine_of(engine),
        finished=datetime.now(UTC),
        class_names=dataset.class_names,
        load=load,
        late={} if diverged or not late_epochs(setting) else _means([*late, reached]),
    )
    return record, fitted


def _means(accuracies: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """The mean accuracy on each set, over epochs in which there is one."""
    return {
        name: math.fsum(each[name] or 0.0 for each in accuracies) / len(accuracies)
        for name in accuracies[-1]
    }


def _machine_of(engine: Engine) -> Machine:
    machine = this_machine(engine.threads)
    return machine.model_copy(update={"versions": machine.versions | engine.versions})


@cache
def this_machine(threads: int) -> Machine:
    """The machine that siffra runs on, with the versions that a result depends on."""
    packages = ("siffra", "numpy", "scipy", "numba")
    return Machine(
        cpu=cpu_name(),
        cores=os.cpu_count() or 1,
        threads=threads,
        system=f"{platform.system()} {platform.release()}",
        versions={"python": platform.python_version()} | {p: version(p) for p in packages},
    )
