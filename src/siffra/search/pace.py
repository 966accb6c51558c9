"""How long a step may take, told by its multiply-adds before it is run.

So that nobody has to wait for a step of a network that is far too slow to find that out.
"""

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.lab.cost import multiplications_per_second
from siffra.network import build_network

_FAR = 10.0
"""By this factor an engine may beat this machine's matrix products: it leaves out blank pixels."""
_ON_CPU = ("native", "torch")
"""Engines that this machine's matrix products bound."""


class Pace:
    """Multiply-adds of steps on a data set, and the slowest rates at which an engine made them."""

    def __init__(self, dataset: Dataset, engine: Engine) -> None:
        self._dataset, self._engine = dataset, engine
        self._slowest: dict[str, float] = {}

    def work(self, setting: Setting) -> float:
        """Multiply-adds of a step's forward pass."""
        shape, classes = self._dataset.image_shape, self._dataset.classes
        network = build_network(setting.model, shape, classes)
        return network.multiplications * min(setting.training.batch_size, len(self._dataset.train))

    def least(self, setting: Setting) -> float:
        """Seconds that a step takes at the very least; 0 where nobody knows."""
        if self._engine.name not in _ON_CPU:
            return 0.0
        return self.work(setting) / (_FAR * multiplications_per_second(self._engine.threads))

    def most(self, setting: Setting) -> float:
        """Seconds of a step at the slowest rate that was seen of its kind; endless before any."""
        rate = self._slowest.get(setting.model.kind)
        return self.work(setting) / rate if rate else float("inf")

    def learn(self, setting: Setting, seconds: float) -> None:
        """A step of it took so long."""
        kind, rate = setting.model.kind, self.work(setting) / max(seconds, 1e-9)
        self._slowest[kind] = min(rate, self._slowest.get(kind, rate))
