"""What is timed: the networks, how they are trained, and what siffra aims at.

The aims hold for 2 cores and 48,000 images an epoch: by how many times siffra should be faster
than a peer, and within how many times the network's bare matrix products it should stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siffra.bench.vectors import avx512
from siffra.config import Setting

LEARNING_RATE = 0.1
AIMS_THREADS = 2

Task = Literal["train", "score"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A setting of siffra's knobs, and whether an epoch of training or scoring is timed.

    `aims` are by peer; `aims_avx2` replaces them on machines without AVX-512.
    """

    name: str
    title: str
    knobs: Mapping[str, Any]
    task: Task = "train"
    aims: Mapping[str, float]
    aims_avx2: Mapping[str, float] | None = None
    within: float | None = None

    @property
    def setting(self) -> Setting:
        """The model and its training, by plain SGD."""
        return Setting.from_knobs({"learning_rate": LEARNING_RATE, **self.knobs})

    def aims_for(self, held: str) -> Mapping[str, float]:
        """The aims where all were `held` to narrower vectors, or else for this kind of machine."""
        wide = not held and avx512()
        return self.aims if self.aims_avx2 is None or wide else self.aims_avx2


def _conv(kernel_size: int, batch_size: int, filters: int = 16, strides: int = 1) -> dict[str, Any]:
    return {
        "model": "conv",
        "filters": filters,
        "kernel_size": kernel_size,
        "strides": strides,
        "batch_size": batch_size,
    }


WORKS = {
    work.name: work
    for work in (
        Work(
            name="dense",
            title="dense 784-32-10, batch 256",
            knobs={"neurons": 32, "batch_size": 256},
            aims={"keras": 14, "pytorch": 4, "jax": 2},
            within=1.4,
        ),
        Work(
            name="wide",
            title="dense 784-640-10, batch 135",
            knobs={"neurons": 640, "batch_size": 135},
            aims={"keras": 4, "pytorch": 1.8, "jax": 1.1},
            within=1.2,
        ),
        Work(
            name="small-batch",
            title="dense 784-32-10, batch 6",
            knobs={"neurons": 32, "batch_size": 6},
            aims={"keras": 60, "pytorch": 10, "jax": 3},
        ),
        Work(
            name="deep",
            title="23 dense layers of 32, batch 140",
            # At the others' rate so deep a stack is chaotic: rounding decides when it learns.
            knobs={"neurons": 32, "layers": 23, "batch_size": 140, "learning_rate": 0.01},
            aims={"keras": 12, "pytorch": 6, "jax": 2.5},
        ),
        Work(
            name="conv",
            title="conv 16@8×8, pool, dense, batch 256",
            knobs=_conv(8, 256),
            aims={"keras": 6, "pytorch": 5, "jax": 30},
            aims_avx2={"keras": 15, "pytorch": 10, "jax": 10},
        ),
        Work(
            name="conv-12",
            title="conv 16@12×12, pool, dense, batch 135",
            knobs=_conv(12, 135),
            aims={"keras": 6, "pytorch": 3, "jax": 30},
        ),
        Work(
            name="conv-strides",
            title="conv 16@8×8 strides 3, pool, dense, batch 256",
            knobs=_conv(8, 256, strides=3),
            aims={"keras": 9, "pytorch": 3.5, "jax": 20},
        ),
        Work(
            name="conv-28",
            title="conv 28@8×8, pool, dense, batch 135",
            knobs=_conv(8, 135, filters=28),
            aims={"pytorch": 5},
        ),
        Work(
            name="3x3",
            title="3×3 net: 16, 32/2, 64, 64, batch norm, batch 128",
            # Batch norm makes training chaotic at greater rates: rounding is amplified, by ten
            # thousand within twenty steps at 0.1.
            knobs={
                "model": "conv",
                "space_to_depth": 2,
                "filters": [16, 32, 64, 64],
                "kernel_size": 3,
                "strides": [1, 2, 1, 1],
                "padding": "same",
                "batch_norm": True,
                "global_pooling": "max",
                "batch_size": 128,
                "learning_rate": 0.0003,
            },
            aims={"keras": 2, "pytorch": 1, "jax": 3},
        ),
        Work(
            name="scoring",
            title="scoring 10,000 images, conv 16@8×8",
            knobs=_conv(8, 256),
            task="score",
            aims={"keras": 5, "pytorch": 3, "jax": 3},
        ),
    )
}
