"""One training with PyTorch: a module, its optimizer, and the average of its weights."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from torch import Tensor, nn

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.data.shifts import warp
from siffra.engine.rng import dropout_scales, epoch_maps
from siffra.engine.schedule import ema_decay, learning_rates
from siffra.engine.torch.network import TorchNetwork
from siffra.engine.torch.optimizers import Optimizer, Weight

_PIXEL = 1 / 255
"""What a uint8 pixel counts."""


class TorchTraining:
    """Trains `module`, in place, on `images`.

    `kept` is the module that holds the weights to be used: the average of the last ones if
    `ema` says so, else `module` itself.
    """

    def __init__(
        self, module: nn.Module, training: Training, images: Images, seed: int, device: torch.device
    ) -> None:
        self.module = module.to(device)
        self.kept = deepcopy(module) if training.ema else module
        self._training, self._device, self._images = training, device, images
        self._x = torch.tensor(images.x, device=device)
        self._y = torch.tensor(images.y, device=device)
        self._optimizer = Optimizer(_weights_of(module), training)
        self._rates = learning_rates(training, len(images))
        self._draws = epoch_maps(training, len(images), seed)
        self._maps: np.ndarray | None = None
        self._steps = 0
        if isinstance(module, TorchNetwork):
            rows = min(training.batch_size, len(images))
            module.scales = dropout_scales(module.network, rows, seed)

    def epoch(self, order: np.ndarray) -> tuple[float, int]:
        """One pass in `order`; the summed loss and the number of correct answers."""
        self.begin_epoch()
        return self.go_through(order)

    def begin_epoch(self) -> None:
        """Draw what all images of an epoch go through."""
        self._maps = next(self._draws) if self._training.augment != "none" else None

    def go_through(self, order: np.ndarray) -> tuple[float, int]:
        """Part of an epoch: what `epoch` returns, of these images."""
        self.module.train()
        loss = torch.zeros((), dtype=torch.float64, device=self._device)
        correct = torch.zeros((), dtype=torch.int64, device=self._device)
        for x, y in self._batches(order):
            logits = self.module(x)
            batch_loss = _loss(logits, y, self._training)
            batch_loss.backward()
            self._update()
            # Sums stay on the device: to ask for a number is to wait for it.
            loss += batch_loss.detach() * len(y)
            correct += (logits.detach().argmax(1) == y).sum()
        return loss.item(), int(correct.item())

    def _batches(self, order: np.ndarray) -> Iterator[tuple[Tensor, Tensor]]:
        maps = self._maps
        chosen = torch.from_numpy(order).to(self._device)
        size = self._training.batch_size
        for start in range(0, len(order), size):
            batch = chosen[start : start + size]
            if maps is None:
                x = self._x[batch]
            else:
                numbers = order[start : start + size]
                x = torch.from_numpy(_warped(self._images.x[numbers], maps[numbers]))
            yield as_input(x.to(self._device)), self._y[batch]

    def _update(self) -> None:
        self._optimizer.step(float(self._rates[self._steps]))
        self._steps += 1
        if self.kept is not self.module:
            _follow(self.kept, self.module, ema_decay(self._training, self._steps))


def _loss(logits: Tensor, labels: Tensor, training: Training) -> Tensor:
    """The mean loss of a batch."""
    if training.loss == "mean_squared_error":
        targets = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
        return F.mse_loss(logits.softmax(1), targets)
    return F.cross_entropy(logits, labels, label_smoothing=training.label_smoothing)


def as_input(images: Tensor) -> Tensor:
    """Images (n, height, width, channels), uint8 or float, as modules take them.

    That is (n, channels, height, width), float32 in [0, 1].
    """
    pixels = images * _PIXEL if images.dtype == torch.uint8 else images
    return pixels.to(torch.float32).permute(0, 3, 1, 2)


def _warped(images: np.ndarray, maps: np.ndarray) -> np.ndarray:
    """`images` through `maps` (n, 2, 3), which say where pixels come from."""
    full = np.zeros((len(maps), 3, 3))
    full[:, :2] = maps
    full[:, 2, 2] = 1
    return warp(images, np.linalg.inv(full))


def _weights_of(module: nn.Module) -> list[Weight]:
    """What is trained. In a module of the user's, matrices and above are taken for kernels."""
    parameters = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    kernels = [name for name, parameter in parameters if parameter.ndim > 1]
    normed = (
        {f"{layer.name}.kernel" for layer in module.network.layers if layer.batch_norm}
        if isinstance(module, TorchNetwork)
        else set()
    )
    return [
        Weight(
            parameter,
            decays=name in kernels,
            is_hidden=name in kernels[:-1],
            is_normed=name in normed,
        )
        for name, parameter in parameters
    ]


@torch.no_grad()
def _follow(average: nn.Module, module: nn.Module, decay: float) -> None:
    """Move the `average` of a module's weights and statistics towards what they are now."""
    now = module.state_dict()
    for name, tensor in average.state_dict().items():
        if tensor.is_floating_point():
            tensor.lerp_(now[name], 1 - decay)
        else:
            tensor.copy_(now[name])  # a count, as batch norm's of batches
