"""PyTorch with the network compiled by `torch.compile`; needs a C++ compiler, and a minute."""

from typing import Any

import torch

from benchmarks.peers.base import Problem
from benchmarks.peers.pytorch import PyTorch


class CompiledPyTorch(PyTorch):
    """As the eager one, in the layout that suits that, but for the network.

    It is compiled for each size of batch: once PyTorch has seen two, it would go on with slower
    code that takes any.
    """

    def __init__(self, problem: Problem) -> None:
        """See `Peer`."""
        super().__init__(problem)
        compiled: Any = torch.compile(self._model, dynamic=False)
        self._model = compiled


PEER = CompiledPyTorch
