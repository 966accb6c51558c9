"""What is timed: networks, and how they are trained."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siffra.config import Setting

LEARNING_RATE = 0.1
SEED = 0

Task = Literal["train", "score"]


@dataclass(frozen=True, slots=True)
class Workload:
    """A setting of siffra's knobs, and whether an epoch of training or a scoring is timed."""

    name: str
    title: str
    knobs: Mapping[str, Any]
    task: Task = "train"

    @property
    def setting(self) -> Setting:
        """The model and its training, by plain SGD."""
        return Setting.from_knobs({"learning_rate": LEARNING_RATE, **self.knobs})


def _dense(neurons: int, batch_size: int, **knobs: object) -> dict[str, Any]:
    return {"neurons": neurons, "batch_size": batch_size, **knobs}


def _conv(kernel_size: int, batch_size: int, filters: int = 16, strides: int = 1) -> dict[str, Any]:
    return {
        "model": "conv",
        "filters": filters,
        "kernel_size": kernel_size,
        "strides": strides,
        "batch_size": batch_size,
    }


_3X3 = {
    "model": "conv",
    "space_to_depth": 2,
    "filters": [16, 32, 64, 64],
    "kernel_size": 3,
    "strides": [1, 2, 1, 1],
    "padding": "same",
    "batch_norm": True,
    "global_pooling": "max",
    "batch_size": 128,
    # Batch norm makes training chaotic at greater rates: rounding is amplified, by ten
    # thousand within twenty steps at 0.1.
    "learning_rate": 0.0003,
}

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("dense", "dense 784-32-10, batch 256", _dense(32, 256)),
        Workload("wide", "dense 784-640-10, batch 135", _dense(640, 135)),
        Workload("small-batch", "dense 784-32-10, batch 6", _dense(32, 6)),
        # At the others' rate so deep a stack is chaotic: rounding decides when it learns.
        Workload(
            "deep",
            "23 dense layers of 32, batch 140",
            _dense(32, 140, layers=23, learning_rate=0.01),
        ),
        Workload("conv", "conv 16@8×8, pool, dense, batch 256", _conv(8, 256)),
        Workload("conv-12", "conv 16@12×12, pool, dense, batch 135", _conv(12, 135)),
        Workload(
            "conv-strides",
            "conv 16@8×8 strides 3, pool, dense, batch 256",
            _conv(8, 256, strides=3),
        ),
        Workload("conv-28", "conv 28@8×8, pool, dense, batch 135", _conv(8, 135, filters=28)),
        Workload("3x3", "3×3 net: 16, 32/2, 64, 64, batch norm, batch 128", _3X3),
        Workload("scoring", "scoring 10,000 images, conv 16@8×8", _conv(8, 256), "score"),
    )
}
