"""siffra: a lab bench for neural networks.

`siffra.train` trains one model, `siffra.vary` asks what a knob does, `siffra.run_lab` runs a
whole lab file, `siffra.judge` judges runs that are done, by whatever program,
`siffra.noise` says how much seeds alone change what a program measures,
`siffra.run_search` finds the best model for the seconds that there are,
`siffra.tune` finds the best setting of any training, and judges it on fresh seeds,
`siffra.predict` asks a saved model about pictures, `siffra.export_model` turns it into ONNX,
`siffra.dataset` takes data of one's own, `siffra.runs` has what was run as a data frame;
`siffra.SiffraClassifier` is a network for scikit-learn. All are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siffra.api import (
        dataset,
        export_model,
        export_runs,
        judge,
        predict,
        run_lab,
        runs,
        train,
        vary,
    )
    from siffra.api.noise import noise
    from siffra.api.search import run_search
    from siffra.api.sklearn import SiffraClassifier
    from siffra.api.tuning import tune
    from siffra.config.metrics import Metric

    __version__: str

__all__ = [
    "Metric",
    "SiffraClassifier",
    "__version__",
    "dataset",
    "export_model",
    "export_runs",
    "judge",
    "noise",
    "predict",
    "run_lab",
    "run_search",
    "runs",
    "train",
    "tune",
    "vary",
]

# What needs extras, or takes long to import, is in a module of its own.
_MODULES = {
    "Metric": "siffra.config.metrics",
    "SiffraClassifier": "siffra.api.sklearn",
    "noise": "siffra.api.noise",
    "run_search": "siffra.api.search",
    "tune": "siffra.api.tuning",
}


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return import_module("importlib.metadata").version("siffra")
    if name in __all__:
        return getattr(import_module(_MODULES.get(name, "siffra.api")), name)
    raise AttributeError(f"module 'siffra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
