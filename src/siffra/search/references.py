"""The study's experiments, to compare a search with: as run here, or as the study reports them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.lab.plan.format import EXPERIMENTS
from siffra.lab.plan.labfile import read_lab
from siffra.lab.plan.plan import Experiment, Text
from siffra.lab.plan.planning import plan_lab
from siffra.lab.plan.presets import LabOptions
from siffra.lab.stats.levels import accuracies_of, sets_of
from siffra.lab.stats.summaries import Summary, summarise
from siffra.system.cpu import name_among
from siffra.training.run import Record, this_machine


@dataclass(frozen=True, slots=True)
class Reference:
    """One of the study's experiments.

    As siffra ran it; or, if `is_reported`, as the study reports it: one run, on another machine.
    """

    name: Text
    epochs: float
    accuracy: Mapping[str, Summary]
    seconds: Summary
    is_reported: bool = False


def study_references(
    records: Sequence[Record], dataset: Dataset, source: DataSource | None, engine: Engine
) -> list[Reference]:
    """The study's experiments, if this is its data: the runs of each in `records`.

    Only full-length runs with comparable times count: by this engine, on this machine, one at a
    time. Without any, the study's own figures take their place.
    """
    lab = read_lab()
    if source != lab.data:
        return []
    plan = plan_lab(lab, dataset, LabOptions(preset="full", only=(EXPERIMENTS,)))
    return [
        _made(experiment, records, dataset, engine) or _reported(experiment)
        for experiment in plan.experiments
        if experiment.reported
    ]


def _made(
    experiment: Experiment, records: Sequence[Record], dataset: Dataset, engine: Engine
) -> Reference | None:
    like = [
        record
        for record in records
        if _is_like(record, experiment.setting, dataset) and has_clock(record, engine)
    ]
    if not like:
        return None
    # By seed: runs are repeated when their scoring changes.
    runs = list({record.seed: record for record in like}.values())
    return Reference(
        name=experiment.name,
        epochs=experiment.setting.training.epochs,
        accuracy=accuracies_of(runs, sets_of(runs)),
        seconds=summarise([run.seconds for run in runs], "ratio"),
    )


def _reported(experiment: Experiment) -> Reference:
    figures = dict(experiment.reported)
    return Reference(
        name=experiment.name,
        seconds=summarise([figures.pop("seconds")], "ratio"),
        epochs=experiment.setting.training.epochs,
        accuracy={name: summarise([value]) for name, value in figures.items()},
        is_reported=True,
    )


def _is_like(record: Record, setting: Setting, dataset: Dataset) -> bool:
    return (
        record.fingerprint == dataset.fingerprint
        and record.model == setting.model
        and record.training == setting.training
    )


def has_clock(record: Record, engine: Engine) -> bool:
    """Whether a run's times compare with those of a search with `engine`.

    It must be by this engine, on this machine, with as many threads, and not beside other runs.
    """
    there, here = record.machine, this_machine(engine.threads)
    cpu = name_among(here.cpu, (there.cpu,))
    version = engine.version_of(record.model)
    return (record.engine, record.engine_version) == (engine.name, version) and (
        (there.cpu, there.cores, there.threads, there.jobs) == (cpu, here.cores, here.threads, 1)
    )
