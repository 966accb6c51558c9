"""siffra in Python: train a model, ask what a knob does, run a whole lab, ask a saved model.

The command line calls the same functions. What they return shows itself, in a notebook and
in a terminal, and holds the records for whoever wants to go on.
"""

from siffra.api.arguments import ENGINES, DataLike, Knobs, dataset, loaded, make_engine
from siffra.api.executors import Where
from siffra.api.labs import (
    DEFAULT_SEEDS,
    Job,
    LabResult,
    Part,
    compare_reports,
    expect_report,
    lab_job,
    run_lab,
    vary,
    vary_job,
)
from siffra.api.models import (
    Prediction,
    TrainResult,
    expect_to_save,
    export_model,
    predict,
    train,
)
from siffra.api.runs import FORMATS, export_runs, kept_labs, runs

__all__ = [
    "DEFAULT_SEEDS",
    "ENGINES",
    "FORMATS",
    "DataLike",
    "Job",
    "Knobs",
    "LabResult",
    "Part",
    "Prediction",
    "TrainResult",
    "Where",
    "compare_reports",
    "dataset",
    "expect_report",
    "expect_to_save",
    "export_model",
    "export_runs",
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
