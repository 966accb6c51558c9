"""siffra in Python: train a model, ask what a knob does, run a whole lab, ask a saved model.

The command line calls the same functions. What they return shows itself, in a notebook and
in a terminal, and holds the records for whoever wants to go on.
"""

from siffra.api.arguments import ENGINES, DataLike, Knobs, dataset, loaded, make_engine
from siffra.api.executors import RunOptions
from siffra.api.jobs import Job, Part, job_on, vary_job
from siffra.api.judge import judge
from siffra.api.labs import lab_job, run_lab
from siffra.api.models import (
    Prediction,
    TrainResult,
    expect_to_save,
    export_model,
    predict,
    train,
)
from siffra.api.questions import vary
from siffra.api.results import LabResult, compare_reports, expect_report
from siffra.api.runs import FORMATS, export_runs, kept_labs, runs
from siffra.lab.plan.presets import LabOptions

__all__ = [
    "ENGINES",
    "FORMATS",
    "DataLike",
    "Job",
    "Knobs",
    "LabOptions",
    "LabResult",
    "Part",
    "Prediction",
    "RunOptions",
    "TrainResult",
    "compare_reports",
    "dataset",
    "expect_report",
    "expect_to_save",
    "export_model",
    "export_runs",
    "job_on",
    "judge",
    "kept_labs",
    "lab_job",
    "loaded",
    "make_engine",
    "predict",
    "run_lab",
    "runs",
    "train",
    "vary",
    "vary_job",
]
