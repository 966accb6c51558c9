"""The torch engine: the same networks from the same draws, on the CPU or on a GPU."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from torch import nn

from siffra.config import Model, ModuleModel, Training
from siffra.data.dataset import Dataset
from siffra.engine.base import Engine, EngineName, EpochEnd, Fitted, Steps
from siffra.engine.network import build_network
from siffra.engine.normalization import statistics
from siffra.engine.process import alone
from siffra.engine.rng import initial_weights
from siffra.engine.schedule import training_orders
from siffra.engine.torch.network import TorchNetwork
from siffra.engine.torch.own import expect_logits, make_module
from siffra.engine.torch.training import TorchTraining, as_input
from siffra.errors import ConfigError, ModelFileError
from siffra.system.cpu import available_cores

_AT_ONCE = 1000
"""Images that are predicted at a time; more leave the cache, and may not fit a GPU."""


class TorchEngine(Engine):
    """Trains with PyTorch in float32, by its deterministic algorithms where it has them.

    On a CPU its bits depend on the number of threads, as PyTorch's own do, and on every device
    on PyTorch's version. The engine has one name on CPUs and another on GPUs, since their bits
    and their times are different.
    """

    version = 1

    def __init__(self, threads: int | None = None, device: str | None = None) -> None:
        """Compute on `device`, as PyTorch names it: by default a GPU of CUDA if there is one.

        Raises:
            ConfigError: There are not this many threads, or there is no such device.
        """
        most = os.cpu_count() or 1
        if threads is not None and not 1 <= threads <= most:
            raise ConfigError(f"threads: found {threads}; this machine has 1 to {most}.")
        self.threads = threads or available_cores()
        self._device = _device(device)
        self._gpus = [self._device] if self._device.type == "cuda" else []
        self.name = str(EngineName("torch", self._device.type))

    @property
    def versions(self) -> dict[str, str]:
        """PyTorch's version, and the name of a GPU."""
        gpu = {"gpu": torch.cuda.get_device_name(self._device)} if self._gpus else {}
        return {"torch": torch.__version__, **gpu}

    def prepare(self, model: Model, training: Training, dataset: Dataset) -> None:
        """Take one real step, with which PyTorch loads and allocates what it needs."""
        order = np.arange(min(training.batch_size, len(dataset.train)))
        with self.settled(0):
            state = self._training(model, training, dataset, 0)
            if isinstance(model, ModuleModel):
                self._try(model, state.module, training, dataset)
            state.epoch(order)
        TorchFitted(state.kept, self).predict(dataset.train.x[:1])

    def _try(
        self, model: ModuleModel, module: nn.Module, training: Training, dataset: Dataset
    ) -> None:
        """Check that a module of the user's takes a whole batch and the partial one."""
        images = len(dataset.train)
        sizes = {min(training.batch_size, images), images % training.batch_size} - {0}
        batches = [torch.tensor(dataset.train.x[:size], device=self._device) for size in sizes]
        expect_logits(model, module, [as_input(batch) for batch in batches], dataset.classes)

    def fit(
        self,
        model: Model,
        training: Training,
        dataset: Dataset,
        seed: int,
        on_epoch: Callable[[EpochEnd, Fitted], None],
    ) -> Fitted:
        """See `Engine.fit`."""
        with self.settled(seed):
            state = self._training(model, training, dataset, seed)
            fitted = TorchFitted(state.kept, self)
            orders = training_orders(training, len(dataset.train), seed)
            for epoch, order in enumerate(orders, start=1):
                started = time.perf_counter()
                loss, correct = state.epoch(order)
                seconds = time.perf_counter() - started
                images = len(order)
                with torch.random.fork_rng(self._gpus):  # what it draws is not of the training
                    on_epoch(EpochEnd(epoch, loss / images, correct / images, seconds), fitted)
        return fitted

    @cached_property
    def on_one_thread(self) -> "TorchEngine":
        """See `Engine.on_one_thread`."""
        return self if self.threads == 1 else TorchEngine(1, str(self._device))

    def steps(self, model: Model, training: Training, dataset: Dataset, seed: int) -> "TorchSteps":
        """See `Engine.steps`."""
        with self.settled(seed):
            return TorchSteps(self._training(model, training, dataset, seed), self)

    def load(
        self,
        model: Model,
        image_shape: tuple[int, int, int],
        classes: int,
        weights: Mapping[str, np.ndarray],
    ) -> Fitted:
        """See `Engine.load`."""
        if isinstance(model, ModuleModel):
            return TorchFitted(self._loaded(model, image_shape, classes, weights), self)
        network = build_network(model, image_shape, classes)
        shapes = {name: array.shape for name, array in weights.items()}
        if shapes != network.weights:
            raise ModelFileError(f"weights: found {shapes}; the model has {network.weights}.")
        return TorchFitted(TorchNetwork(network, weights).to(self._device), self)

    def predict(self, module: nn.Module, images: np.ndarray) -> np.ndarray:
        """What `module` gives for images: see `Fitted.predict`."""
        with self.settled(0), torch.inference_mode():
            module.eval()
            # Copies, as PyTorch warns of arrays that cannot be written.
            chunks = (
                torch.tensor(images[start : start + _AT_ONCE], device=self._device)
                for start in range(0, max(len(images), 1), _AT_ONCE)
            )
            logits = [module(as_input(chunk)) for chunk in chunks]
            return torch.cat(logits).softmax(1).float().cpu().numpy()

    def _training(
        self, model: Model, training: Training, dataset: Dataset, seed: int
    ) -> TorchTraining:
        if isinstance(model, ModuleModel):
            module = make_module(model, dataset.image_shape, dataset.classes)
        else:
            network = build_network(model, dataset.image_shape, dataset.classes)
            weights = initial_weights(network, seed) | statistics(network, dataset.train)
            module = TorchNetwork(network, weights)
        return TorchTraining(module, training, dataset.train, seed, self._device)

    def _loaded(
        self,
        model: ModuleModel,
        image_shape: tuple[int, int, int],
        classes: int,
        weights: Mapping[str, np.ndarray],
    ) -> nn.Module:
        with self.settled(0):
            module = make_module(model, image_shape, classes)
        for name, tensor in module.state_dict().items():
            weight = weights.get(name)
            # PyTorch would take numbers of any type, whole ones of a damaged file as well.
            if weight is not None and weight.dtype != _as_array(tensor).dtype:
                raise ModelFileError(
                    f"weights: `{name}` is {weight.dtype}; that of {model.factory} is "
                    f"{_as_array(tensor).dtype}."
                )
        try:
            module.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
        except RuntimeError as error:
            message = " ".join(str(error).split())
            raise ModelFileError(
                f"weights: they are not those of {model.factory}: {message}"
            ) from error
        return module.to(self._device)

    @contextmanager
    def settled(self, seed: int) -> Iterator[None]:
        """PyTorch's global state as we need it; afterwards it is as it was."""
        with alone(), torch.random.fork_rng(self._gpus):
            threads = torch.get_num_threads()
            deterministic = torch.are_deterministic_algorithms_enabled()
            only_warns = torch.is_deterministic_algorithms_warn_only_enabled()
            tf32 = torch.backends.cudnn.allow_tf32
            try:
                torch.manual_seed(seed)
                torch.set_num_threads(self.threads)
                # On a GPU PyTorch lacks some, and a module of the user's may need them.
                torch.use_deterministic_algorithms(True, warn_only=bool(self._gpus))
                torch.backends.cudnn.allow_tf32 = False
                yield
            finally:
                torch.set_num_threads(threads)
                torch.use_deterministic_algorithms(deterministic, warn_only=only_warns)
                torch.backends.cudnn.allow_tf32 = tf32


class TorchSteps(Steps):
    """See `Steps`."""

    def __init__(self, training: TorchTraining, engine: TorchEngine) -> None:
        self.training, self._engine = training, engine

    def begin_epoch(self) -> None:
        """See `Steps`."""
        self.training.begin_epoch()

    def take(self, order: np.ndarray) -> None:
        """See `Steps`."""
        with self._engine.settled(0):
            self.training.go_through(order)


class TorchFitted(Fitted):
    """A module whose weights may still be in training."""

    def __init__(self, module: nn.Module, engine: TorchEngine) -> None:
        self._module, self._engine = module, engine

    def predict(self, images: np.ndarray) -> np.ndarray:
        """See `Fitted.predict`."""
        return self._engine.predict(self._module, images)

    @property
    def parameters(self) -> int:
        """See `Fitted.parameters`."""
        return sum(p.numel() for p in self._module.parameters() if p.requires_grad)

    def weights(self) -> dict[str, np.ndarray]:
        """See `Fitted.weights`."""
        if isinstance(self._module, TorchNetwork):
            return self._module.weights()
        return {name: _as_array(t) for name, t in self._module.state_dict().items()}


def _as_array(tensor: torch.Tensor) -> np.ndarray:
    """A copy; NumPy has no bfloat16, whose numbers are float32's."""
    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return tensor.cpu().numpy().copy()


def _device(name: str | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        message = str(error).splitlines()[0]
        raise ConfigError(f"device: PyTorch has no `{name}` here: {message}.") from error
    if device.type == "cuda":
        # What makes cuBLAS deterministic; it is read when a GPU is first used for a product.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return device
