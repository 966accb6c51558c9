"""siffra: a lab bench for neural networks.

`siffra.train` trains one model, `siffra.vary` asks what a knob does, `siffra.run_lab` runs a
whole lab file, `siffra.predict` asks a saved model about pictures. All are imported on first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from siffra.api import predict, run_lab, train, vary

    __version__: str

__all__ = ["__version__", "predict", "run_lab", "train", "vary"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("siffra")
    if name in __all__:
        return getattr(import_module("siffra.api"), name)
    raise AttributeError(f"module 'siffra' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
