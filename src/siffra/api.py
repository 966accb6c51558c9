"""siffra in Python: train a model, ask what a knob does, run a whole lab, ask a saved model.

The command line calls the same functions. What they return shows itself, in a notebook and
in a terminal, and holds the records for whoever wants to go on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, TypedDict, Unpack

import numpy as np

from siffra.config import GREATEST_SEED, ModuleModel, Setting, as_model
from siffra.config.recipe import over_recipe, recipe_knobs
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource, load_dataset
from siffra.data.pictures import read_picture
from siffra.engine.base import Engine, Fitted
from siffra.errors import ConfigError, ModelFileError, SiffraError, did_you_mean
from siffra.examination import Examined
from siffra.lab.conduct import Cost, Event, conduct, estimate
from siffra.lab.labfile import EXPERIMENTS, read_lab
from siffra.lab.plan import Plan, Text
from siffra.lab.planning import plan_lab, plan_vary
from siffra.lab.shelf import Shelf, kept_lab
from siffra.lab.verdicts import Answers, answer
from siffra.model_file import SavedModel, load_model, save_model
from siffra.report.data_files import results_json
from siffra.report.notebook import html_table, lab_html
from siffra.report.terminal import lab_text, text_table
from siffra.report.words import words_in
from siffra.run import Epoch, Record, run
from siffra.store import Store, default_store_path, open_store

DEFAULT_SEEDS = 5
ENGINES = ("native", "torch")

DataLike = DataSource | Path | str | None
"""A data set: an `.npz` file, a `DataSource` with its ranges and seed, or None for MNIST."""


class Knobs(TypedDict, total=False):
    """Every knob, as keyword arguments take them; `siffra.config.KNOBS` says what each does.

    `model` may be a function that makes a PyTorch module, or its name, `my_models:make`; then its
    parameters are knobs as well.
    """

    model: str | Callable[..., Any]
    learning_rate: float
    batch_size: int
    epochs: float
    optimizer: str
    momentum: float
    weight_decay: float
    schedule: str
    warmup: float
    label_smoothing: float
    ema: float
    augment: str
    augment_move: float
    augment_rotate: float
    augment_clean: float
    augment_jitter: float
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
        store: The file of finished runs (default: `siffra.store.default_store_path()`).
        on_epoch: Called after each epoch with its number, from 1, and its scores.
        **knobs: What is trained and how, see `Knobs`; what is not named keeps its default.

    Raises:
        SiffraError: A knob, the data or the store cannot be used; the text says how to mend it.
    """
    setting = Setting.from_knobs(over_recipe(recipe, _with_own_models(knobs)))
    if not 0 <= seed <= GREATEST_SEED:
        raise ConfigError(f"seed: found {seed}; it must be from 0 to 2**63 - 1.")
    trainer = make_engine(threads, engine)
    dataset = load_dataset(data_source(data)).split_for(seed)
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

    Pictures are fitted to the model as `siffra.data.pictures.read_picture` says. A file holds
    weights and no code: for a module of your own, `made_by` is the function that makes it.

    Raises:
        ModelFileError: `model` is no saved model, or diverged in training.
        ConfigError: `made_by` is missing, or cannot be used.
        DataError: A picture cannot be read.
    """
    saved = load_model(Path(model))
    fitted = _load(saved, made_by)
    paths = map(Path, [images] if isinstance(images, str | Path) else images)
    pictures = {path: read_picture(path, saved.image_shape) for path in paths}
    found = {path: fitted.predict(picture[np.newaxis])[0] for path, picture in pictures.items()}
    # Weights too: ReLU may take what is not a number for 0. Finite ones may be too large to use.
    if not all(
        np.isfinite(numbers).all() for numbers in (*saved.weights.values(), *found.values())
    ):
        raise ModelFileError(
            f"{model}: the model diverged in training: its weights are not numbers that can be "
            "used; train it with a smaller learning_rate."
        )
    return [Prediction(path, tuple(shares.tolist())) for path, shares in found.items()]


def _load(saved: SavedModel, made_by: str | Callable[..., Any] | None) -> Fitted:
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
    """What a model sees in a picture: the probability of each class."""

    path: Path
    probabilities: tuple[float, ...]

    @property
    def label(self) -> int:
        """The likeliest class."""
        return self.ranked[0]

    @property
    def ranked(self) -> tuple[int, ...]:
        """All classes, the likeliest first."""
        return tuple(np.argsort(self.probabilities)[::-1].tolist())

    def __str__(self) -> str:
        return f"{self.path}: {self.label} ({self.probabilities[self.label]:.1%})"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A trained model: `record` has every score, `fitted` predicts."""

    record: Record
    fitted: Fitted
    dataset: Dataset

    @property
    def accuracy(self) -> Mapping[str, float]:
        """Accuracy by set, fractions."""
        return self.record.accuracy

    def save(self, path: Path | str) -> None:
        """Save the model, for `predict`, in safetensors' format.

        Raises:
            ModelFileError: It cannot be written.
        """
        save_model(Path(path), self.fitted, self.record, self.dataset)

    def as_json(self) -> dict[str, Any]:
        """What `siffra train --json` prints."""
        return {
            "config": self.record.setting.knobs(),
            "seed": self.record.seed,
            "seconds": self.record.seconds,
            "epochs": len(self.record.epochs),
            "parameters": self.record.parameters,
            "accuracy": dict(self.record.accuracy),
        }

    def __str__(self) -> str:
        record = self.record
        told = (
            f"{record.setting.knobs()['model']} model, {record.parameters:,} parameters, "
            f"epochs: {len(record.epochs)}, training: {record.seconds:.2f} s, seed {record.seed}"
        )
        if record.diverged:
            told += "; it diverged: its loss is no longer a number"
        return "\n".join([told, "", *text_table(*self._scores())])

    def _repr_html_(self) -> str:
        return html_table(*self._scores())

    def _scores(self) -> tuple[list[str], list[list[str]]]:
        return ["set", "accuracy"], [[k, f"{v:.2%}"] for k, v in self.accuracy.items()]


def vary(
    levels: Mapping[str, Sequence[Any]],
    *,
    recipe: Path | str | None = None,
    seeds: int = DEFAULT_SEEDS,
    until_decided: bool = False,
    max_seeds: int | None = None,
    data: DataLike = None,
    engine: str = "native",
    threads: int | None = None,
    store: Path | str | None = None,
    on_event: Callable[[Event], None] = lambda event: None,
    **knobs: Unpack[Knobs],
) -> LabResult:
    """Ask what a knob does: train at each of its levels, with several seeds, and compare.

    Several knobs at once are tried in every combination.

    Args:
        levels: The values to try, by knob: `{"learning_rate": [0.02, 0.7, 1]}`. The others are
            compared with the first.
        recipe: A recipe's name or file, whose knobs hold where no others are given.
        seeds: How many seeds each level is trained with.
        until_decided: Add seeds for the claims that are still open, at a fixed schedule of looks
            that the allowance for mistakes is spread over, until all are decided.
        max_seeds: Seeds at the last look (default: four times those of the first).
        data: See `DataLike`.
        engine: What trains: `native`, or `torch` for PyTorch.
        threads: Threads to compute with (default: one per core).
        store: The file of finished runs, in which runs made before are found again.
        on_event: Called with each `siffra.lab.conduct.Event`, for showing progress.
        **knobs: What all levels share, see `Knobs`.

    Raises:
        SiffraError: A knob, the data or the store cannot be used; the text says how to mend it.
    """
    with vary_job(
        levels,
        knobs,
        recipe=recipe,
        seeds=seeds,
        until_decided=until_decided,
        max_seeds=max_seeds,
        data=data,
        engine=engine,
        threads=threads,
        store=store,
    ) as job:
        return job.conduct(on_event)


def run_lab(
    lab: Path | str | None = None,
    *,
    preset: str = "quick",
    epochs: int | None = None,
    seeds: int | None = None,
    until_decided: bool = False,
    max_seeds: int | None = None,
    only: Sequence[str] = (),
    fresh: bool = False,
    engine: str = "native",
    threads: int | None = None,
    store: Path | str | None = None,
    out: Path | str | None = None,
    language: str = "en",
    on_event: Callable[[Event], None] = lambda event: None,
) -> LabResult:
    """Run a lab file, or the study that siffra brings, and answer its questions.

    What was run before is not run again: a lab that was stopped goes on where it was.

    Args:
        lab: A lab file; None for the study of handwritten digits.
        preset: `quick` (3 epochs), `standard` (20) or `full` (each run as its lab file says).
        epochs: Train every run for so many, whatever the preset and the lab file say.
        seeds: So many, instead of the preset's.
        until_decided: Add seeds for the claims that are still open, at a fixed schedule of looks
            that the allowance for mistakes is spread over, until all are decided.
        max_seeds: Seeds at the last look (default: four times those of the first).
        only: The ids of the questions and experiments to run; none means all.
        fresh: Make the stored runs too; each is replaced when its new one is there.
        engine: What trains: `native`, or `torch` for PyTorch.
        threads: Threads to compute with (default: one per core).
        store: The file of finished runs.
        out: Write the report to this folder.
        language: Of the report: `en` or `sv`.
        on_event: Called with each `siffra.lab.conduct.Event`, for showing progress.

    Raises:
        SiffraError: The lab file, the data or the store cannot be used.
    """
    with lab_job(
        lab,
        preset=preset,
        epochs=epochs,
        seeds=seeds,
        until_decided=until_decided,
        max_seeds=max_seeds,
        only=only,
        fresh=fresh,
        engine=engine,
        threads=threads,
        store=store,
    ) as job:
        expect_report(out, language)
        result = job.conduct(on_event)
    if out is not None:
        result.write(out, language)
    return result


def compare_reports(
    first: Path | str, second: Path | str, *, out: Path | str, language: str = "en"
) -> str:
    """Set two reports side by side, those of another preset, machine or version of siffra, say.

    Args:
        first: The folder of a report.
        second: That of the other.
        out: Write `comparison.html` and `comparison.md` to this folder.
        language: Of the comparison: `en` or `sv`.

    Returns:
        What changed, in a few lines.

    Raises:
        SiffraError: One of them cannot be read, or `out` cannot be written.
    """
    from siffra.report.comparison import comparison_text, write_comparison

    shown = write_comparison(Path(first), Path(second), Path(out), language)
    return f"{comparison_text(shown, words_in(language))}\n\nreport: {out}/comparison.html"


def expect_report(out: Path | str | None, language: str = "en") -> None:
    """See that a report can be written to `out`, which is made: better told before the training.

    Raises:
        SiffraError: It cannot, or not in this language.
    """
    words_in(language)
    if out is None:
        return
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=out):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise SiffraError(f"{out}: the report cannot be written there: {reason}.") from error


@dataclass(frozen=True, slots=True)
class LabResult:
    """What a lab, or one question, found: `answers` holds estimates, verdicts and records.

    `examined` has what is known of the networks themselves, of those that the plan examines.
    """

    answers: Answers
    examined: Examined | None = None

    def write(self, out: Path | str, language: str = "en") -> list[Path]:
        """Write the report (HTML, Markdown, JSON, CSV, Parquet, figures) to the folder `out`."""
        from siffra.report.report import write_report  # brings matplotlib

        return write_report(self.answers, Path(out), language, self.examined)

    def as_json(self, language: str = "en") -> str:
        """The content of the report's `results.json`."""
        return results_json(self.answers, words_in(language), self.examined)

    def __str__(self) -> str:
        return lab_text(self.answers)

    def _repr_html_(self) -> str:
        return lab_html(self.answers)


@dataclass(frozen=True, slots=True)
class Part:
    """A question of a plan, or its experiments, and what it would cost alone."""

    id: str
    ask: Text
    cost: Cost


@dataclass(frozen=True, slots=True)
class Job:
    """A plan with all that it takes to conduct it: for those who want to know the cost first."""

    plan: Plan
    dataset: Dataset
    engine: Engine
    store: Store
    fresh: bool = False

    def cost(self) -> Cost:
        """How many runs it takes, how many are stored, and about how long the others take."""
        return self._cost(self.plan)

    def parts(self) -> list[Part]:
        """The plan part by part, in the lab file's order; parts may share runs.

        Of a plan with looks, each part to the first.
        """
        plan = self.plan
        alone = replace(plan, questions=(), experiments=(), looks=())
        parts = [(q.id, q.ask, replace(alone, questions=(q,))) for q in plan.questions]
        if plan.experiments:
            experiments = replace(alone, experiments=plan.experiments)
            parts.append((EXPERIMENTS, {"en": "the experiments"}, experiments))
        return [Part(name, ask, self._cost(part)) for name, ask, part in parts]

    def conduct(self, on_event: Callable[[Event], None] = lambda event: None) -> LabResult:
        """Make the runs that are missing (a `fresh` job: all), and answer; the lab is kept."""
        Shelf(self.store.path).keep(kept_lab(self.plan, self.dataset, self.engine))
        records = conduct(
            self.plan, self.dataset, self.engine, self.store, on_event, fresh=self.fresh
        )
        examinations = self.store.examinations(record.key for record in records.values())
        return LabResult(answer(self.plan, records), Examined(self.dataset, examinations))

    def _cost(self, plan: Plan) -> Cost:
        return estimate(plan, self.dataset, self.engine, self.store, fresh=self.fresh)


@contextmanager
def lab_job(
    lab: Path | str | None = None,
    *,
    preset: str = "quick",
    epochs: int | None = None,
    seeds: int | None = None,
    until_decided: bool = False,
    max_seeds: int | None = None,
    only: Sequence[str] = (),
    fresh: bool = False,
    examines: bool = True,
    engine: str = "native",
    threads: int | None = None,
    store: Path | str | None = None,
) -> Iterator[Job]:
    """A lab made ready, see `run_lab`; its store is open meanwhile.

    Unless it `examines`, runs that are stored without an examination are taken as they are.
    """
    file = read_lab(Path(lab) if lab else None)
    trainer = make_engine(threads, engine)
    dataset = load_dataset(file.data)
    plan = plan_lab(
        file,
        dataset,
        preset=preset,
        epochs=epochs,
        seeds=seeds,
        only=only,
        until_decided=until_decided,
        max_seeds=max_seeds,
    )
    with open_store(store or default_store_path()) as runs:
        plan = replace(plan, examines=examines, engine=engine, data=file.data)
        yield Job(plan, dataset, trainer, runs, fresh)


@contextmanager
def vary_job(
    levels: Mapping[str, Sequence[Any]],
    knobs: Mapping[str, Any],
    *,
    recipe: Path | str | None = None,
    seeds: int = DEFAULT_SEEDS,
    until_decided: bool = False,
    max_seeds: int | None = None,
    data: DataLike = None,
    engine: str = "native",
    threads: int | None = None,
    store: Path | str | None = None,
) -> Iterator[Job]:
    """One question made ready, see `vary`; its store is open meanwhile."""
    trainer = make_engine(threads, engine)
    source = data_source(data)
    dataset = load_dataset(source)
    plan = plan_vary(
        _with_own_models(levels),
        _with_own_models(knobs),
        dataset,
        seeds=seeds,
        data=source,
        until_decided=until_decided,
        max_seeds=max_seeds,
        base=recipe_knobs(recipe),
    )
    with open_store(store or default_store_path()) as runs:
        yield Job(replace(plan, engine=engine), dataset, trainer, runs)


def _with_own_models(knobs: Mapping[str, Any]) -> dict[str, Any]:
    """`knobs`, or lists of their levels, with functions in the place of their names."""

    def own(model: Any) -> Any:
        return [own(one) for one in model] if isinstance(model, list | tuple) else as_model(model)

    return {name: own(value) if name == "model" else value for name, value in knobs.items()}


def data_source(data: DataLike) -> DataSource:
    """What `data` stands for."""
    return data if isinstance(data, DataSource) else DataSource(path=Path(data) if data else None)


def make_engine(threads: int | None = None, name: str = "native") -> Engine:
    """What trains the networks: `native`, or `torch` for PyTorch.

    Raises:
        ConfigError: There are not so many threads, no such engine, or it is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine: found {name!r}; {did_you_mean(name, ENGINES)}")
    if name == "torch":
        try:
            from siffra.engine.torch.engine import TorchEngine
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise ConfigError(
                "engine: PyTorch is not installed; `pip install 'siffra[torch]'` brings it."
            ) from error
        return TorchEngine(threads)
    from siffra.engine.native.engine import NativeEngine  # compiles: only when it is needed

    return NativeEngine(threads)
