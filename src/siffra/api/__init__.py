"""siffra in Python: train a model, ask what a knob does, run a whole lab, ask a saved model.

The command line calls the same functions. What they return shows itself, in a notebook and
in a terminal, and holds the records for whoever wants to go on. Each is imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siffra.api.arguments import ENGINES, DataLike, Knobs, dataset, loaded, make_engine
    from siffra.api.executors import RunOptions
    from siffra.api.jobs import Job, Part, job_on, vary_job
    from siffra.api.judging import judge
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
    from siffra.api.reports import class_report, compare_reports
    from siffra.api.results import LabResult, expect_report
    from siffra.api.stored_runs import FORMATS, export_runs, kept_labs, runs
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
    "class_report",
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

_MODULES = {
    "siffra.api.arguments": "ENGINES DataLike Knobs dataset loaded make_engine",
    "siffra.api.executors": "RunOptions",
    "siffra.api.jobs": "Job Part job_on vary_job",
    "siffra.api.judging": "judge",
    "siffra.api.labs": "lab_job run_lab",
    "siffra.api.models": "Prediction TrainResult expect_to_save export_model predict train",
    "siffra.api.questions": "vary",
    "siffra.api.reports": "class_report compare_reports",
    "siffra.api.results": "LabResult expect_report",
    "siffra.api.stored_runs": "FORMATS export_runs kept_labs runs",
    "siffra.lab.plan.presets": "LabOptions",
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name in _MODULE_OF:
        return getattr(import_module(_MODULE_OF[name]), name)
    raise AttributeError(f"module 'siffra.api' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
