"""A training in plain PyTorch: its layers, optimizers, schedulers and averages, not siffra's."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812  its usual name
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    CosineAnnealingLR,
    LinearLR,
    LRScheduler,
    SequentialLR,
    StepLR,
)
from torch.optim.swa_utils import AveragedModel

from siffra.config import Setting, Training
from siffra.data.dataset import Dataset
from siffra.engine.network import Network, build_network
from siffra.engine.rng import dropout_scales, epoch_maps, epoch_orders, initial_weights
from siffra.engine.schedule import ema_decay, total_steps

ACTIVATIONS = {"relu": torch.nn.ReLU, "sigmoid": torch.nn.Sigmoid}


def torch_training(
    knobs: dict, dataset: Dataset, seed: int
) -> tuple[dict[str, np.ndarray], list[float]]:
    """Weights by name, in Keras' shapes, and each epoch's loss: of plain layers, whole epochs."""
    setting = Setting.from_knobs(knobs)
    training = setting.training
    network = build_network(setting.model, dataset.image_shape, dataset.classes)
    model = torch_network(network, seed, min(training.batch_size, len(dataset.train)))
    steppers = optimizers_of(training, list(model.parameters()))
    schedulers = [
        scheduler_of(training, each, total_steps(training, len(dataset.train)))
        for each in steppers
        if isinstance(each, torch.optim.Optimizer)
    ]
    average = average_of(training, model)
    x = torch.tensor(dataset.train.x / np.float32(255)).permute(0, 3, 1, 2)
    y = torch.tensor(dataset.train.y)
    # The mean and the deviation of each channel: what images are normalised by.
    deviation, mean = torch.std_mean(x, (0, 2, 3), correction=0, keepdim=True)
    maps = epoch_maps(training, len(y), seed)
    losses = []
    for order in islice(epoch_orders(len(y), seed), int(training.epochs)):
        seen = x if training.augment == "none" else torch_warped(x, next(maps))
        seen = (seen - mean) / deviation if network.normalizes else seen
        total = 0.0
        for batch in torch.tensor(order).split(training.batch_size):
            logits = model(seen[batch])
            loss = loss_of(training, logits, y[batch])
            model.zero_grad()
            loss.backward()
            for each in (*steppers, *schedulers):
                each.step()
            average.update_parameters(model)
            total += loss.item() * len(batch)
        losses.append(total / len(y))
    kept = average.module if training.ema else model
    weights = dict(keras_weights(network, kept))
    if network.normalizes:
        weights["normalization.mean"] = mean.flatten().numpy()
        weights["normalization.variance"] = deviation.flatten().numpy() ** 2
    return weights, losses


def loss_of(training: Training, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """PyTorch's mean loss of a batch."""
    if training.loss == "mean_squared_error":
        return F.mse_loss(logits.softmax(1), torch.eye(logits.shape[1], dtype=logits.dtype)[labels])
    return F.cross_entropy(logits, labels, label_smoothing=training.label_smoothing)


def torch_network(network: Network, seed: int, batch_size: int) -> torch.nn.Sequential:
    """The same network from the same draws, in PyTorch's shapes, for steps of `batch_size`."""
    weights = initial_weights(network, seed)
    layers: list[torch.nn.Module] = []
    for conv in network.convs:
        layer = torch.nn.Conv2d(conv.input[2], conv.filters, conv.kernel_size, conv.strides)
        kernel = weights[f"{conv.name}.kernel"].transpose(3, 2, 0, 1)
        layer.weight = torch.nn.Parameter(torch.tensor(kernel))
        layer.bias = torch.nn.Parameter(torch.tensor(weights[f"{conv.name}.bias"]))
        layers += [layer, ACTIVATIONS[conv.activation]()]
        if conv.pool > 1:
            layers.append(torch.nn.MaxPool2d(conv.pool))
    layers.append(_FlattenChannelsLast())
    for dense in network.denses:
        if dense.dropout:
            draws = partial(dropout_scales, network, batch_size, seed)
            layers.append(_GivenDropout(draws, dense.name))
        layer = torch.nn.Linear(dense.inputs, dense.units)
        layer.weight = torch.nn.Parameter(torch.tensor(weights[f"{dense.name}.kernel"].T))
        layer.bias = torch.nn.Parameter(torch.tensor(weights[f"{dense.name}.bias"]))
        layers.append(layer)
        if dense.activation:
            layers.append(ACTIVATIONS[dense.activation]())
    return torch.nn.Sequential(*layers)


class _FlattenChannelsLast(torch.nn.Module):
    """Keras' order, (row, column, channel), where PyTorch has (channel, row, column)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.permute(0, 2, 3, 1).flatten(1)


class _GivenDropout(torch.nn.Module):
    """`torch.nn.Dropout` before the layer of a name, with siffra's draws: one of them a step."""

    def __init__(self, draws: Callable[[], Iterator[dict[str, np.ndarray]]], name: str) -> None:
        super().__init__()
        self._draws, self._name, self._step = draws, name, 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        scales = next(islice(self._draws(), self._step, None))[self._name]
        self._step += 1
        return x * torch.tensor(scales[: len(x)])


def keras_weights(network: Network, model: torch.nn.Module) -> Iterator[tuple[str, np.ndarray]]:
    """Its weights by siffra's names, in Keras' shapes."""
    with_weights = [m for m in model.children() if isinstance(m, torch.nn.Conv2d | torch.nn.Linear)]
    for layer, module in zip(network.layers, with_weights, strict=True):
        kernel, bias = (tensor.detach().numpy() for tensor in module.parameters())
        yield f"{layer.name}.kernel", kernel.T if kernel.ndim == 2 else kernel.transpose(2, 3, 1, 0)
        yield f"{layer.name}.bias", bias


def optimizers_of(
    training: Training, tensors: list[torch.nn.Parameter]
) -> list["torch.optim.Optimizer | Decay"]:
    """PyTorch's own, for kernels and others in the order of the layers.

    With momentum they are Keras' at a constant rate only, since the rate is not in the velocity.
    """
    rate, decay, kind = training.learning_rate, training.weight_decay, training.optimizer
    kernels = [tensor for tensor in tensors if tensor.ndim > 1]
    others = [tensor for tensor in tensors if tensor.ndim < 2]
    if kind == "muon":
        *hidden, last = kernels
        muon = torch.optim.Muon(hidden, rate, decay, training.momentum, ns_steps=5)
        sgd = torch.optim.SGD([*others, last], rate, 0.9, nesterov=True)
        return [muon, Decay([last], decay, sgd), sgd]
    if kind == "rmsprop":
        rms = torch.optim.RMSprop(tensors, rate, alpha=0.9, eps=0, momentum=training.momentum)
        return [Decay(kernels, decay, rms), rms]
    if kind in ("adam", "adamw"):
        decayed = {"params": kernels, "weight_decay": decay}
        return [torch.optim.AdamW([decayed, {"params": others, "weight_decay": 0.0}], rate)]
    sgd = torch.optim.SGD(tensors, rate, training.momentum, nesterov=kind == "nesterov")
    return [Decay(kernels, decay, sgd), sgd]


class Decay:
    """Decoupled weight decay at the rate of `optimizer`: PyTorch's SGD does not have it."""

    def __init__(
        self, tensors: list[torch.nn.Parameter], decay: float, optimizer: torch.optim.Optimizer
    ) -> None:
        self._tensors, self._decay, self._optimizer = tensors, decay, optimizer

    @torch.no_grad()
    def step(self) -> None:
        """Take the share of a step."""
        for tensor in self._tensors:
            tensor *= 1 - self._optimizer.param_groups[0]["lr"] * self._decay


def scheduler_of(training: Training, optimizer: torch.optim.Optimizer, steps: int) -> LRScheduler:
    """PyTorch's scheduler of the rates of a training's `steps`.

    Its `OneCycleLR` is not siffra's: it begins above zero and ends a step sooner.
    """
    rising = round(training.warmup * steps)
    up = LinearLR(optimizer, 1 / max(rising, 1), 1.0, total_iters=max(rising - 1, 1))
    match training.schedule:
        case "constant":
            rest = LinearLR(optimizer, 1.0, 1.0)
        case "one_cycle":
            rest = LinearLR(optimizer, 1.0, 0.0, total_iters=steps - rising)
        case "step":
            every = round(training.step_every * steps / training.epochs)
            # Its epochs are siffra's steps; they count from the start, also after a warm-up.
            down = StepLR(optimizer, every, training.step_factor)
            return ChainedScheduler([up, down]) if rising else down
        case "cosine":
            rest = CosineAnnealingLR(optimizer, T_max=steps - rising)
    return SequentialLR(optimizer, [up, rest], milestones=[rising])


def average_of(training: Training, model: torch.nn.Module) -> AveragedModel:
    """PyTorch's average of a model's weights, from the initial ones on."""

    def follow(average, now, steps):
        decay = ema_decay(training, int(steps))
        return decay * average + (1 - decay) * now

    average = AveragedModel(model, avg_fn=follow)
    average.update_parameters(model)  # the first time it copies
    return average


def torch_warped(images: torch.Tensor, maps: np.ndarray) -> torch.Tensor:
    """Images (n, channel, row, column) through `maps`, which say where pixels come from."""
    # PyTorch measures from -1 to 1, between the middles of the outermost pixels.
    height, width = images.shape[2:]
    half = torch.tensor([(width - 1) / 2, (height - 1) / 2])
    theta = torch.tensor(maps.astype(np.float64))
    theta[:, :, :2] *= half
    theta /= half[:, None]
    grid = F.affine_grid(theta, list(images.shape), align_corners=True)
    return F.grid_sample(images, grid.to(images.dtype), align_corners=True)
