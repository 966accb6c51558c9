"""What a layer at work on batches does: there, and back again with the gradient."""

import abc

import numpy as np

from siffra.engine.native.layers import LayerLayout


class Block(abc.ABC):
    """One layer over batches.

    Activations are flat and lie as the layout's grids say; an array for a layout's outputs is also
    the next layout's input. What a method returns is a buffer that the next call overwrites.
    """

    def __init__(self, layout: LayerLayout) -> None:
        self.layout = layout

    @abc.abstractmethod
    def predict(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """The outputs for `images` inputs `x`, normalised as training left it."""

    @abc.abstractmethod
    def forward(self, x: np.ndarray, images: int, params: np.ndarray) -> np.ndarray:
        """The outputs for `images` inputs `x`, normalised over them; moving averages move."""

    @abc.abstractmethod
    def backward(
        self,
        x: np.ndarray,
        images: int,
        gradient: np.ndarray,
        params: np.ndarray,
        grads: np.ndarray,
    ) -> None:
        """After `forward`: fill this layer's part of `grads` from its outputs' `gradient`."""

    @abc.abstractmethod
    def input_gradient(self, images: int, gradient: np.ndarray, params: np.ndarray) -> np.ndarray:
        """After `backward`: the gradient of the inputs."""
