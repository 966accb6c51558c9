"""How long a step may take, told by its multiply-adds before it is run.

So that nobody has to wait for a step of a network that is far too slow to find that out.
"""

from siffra.config import Setting
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine
from siffra.engine.network import build_network
from siffra.lab.execute.cost import multiplications_per_second

_FAR = 10.0
"""By this factor an engine may beat this machine's matrix products: it leaves out blank pixels."""
_SLOW = 100.0
"""By this factor it is not slower, or so."""
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
        return self._by_products(setting) / _FAR if self._is_bound else 0.0

    def most(self, setting: Setting) -> float:
        """Seconds of a step at the slowest rate that was seen of its kind.

        Before any was, at one that is slow beside matrix products; endless where those do not tell.
        """
        if rate := self._slowest.get(setting.model.kind):
            return self.work(setting) / rate
        return _SLOW * self._by_products(setting) if self._is_bound else float("inf")

    @property
    def _is_bound(self) -> bool:
        return self._engine.name in _ON_CPU

    def _by_products(self, setting: Setting) -> float:
        return self.work(setting) / multiplications_per_second(self._engine.threads)

    def learn(self, setting: Setting, seconds: float) -> None:
        """A step of it took so long."""
        kind, rate = setting.model.kind, self.work(setting) / max(seconds, 1e-9)
        self._slowest[kind] = min(rate, self._slowest.get(kind, rate))
