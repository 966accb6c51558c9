"""What the calls take: knobs, data and engines, as users give them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypedDict

from siffra.config import as_model
from siffra.data.load import DataSource
from siffra.engine.base import Engine
from siffra.errors import ConfigError, did_you_mean

ENGINES = ("native", "torch")

DataLike = DataSource | Path | str | None
"""A data set: an `.npz` file, a `DataSource` with its ranges and seed, or None for MNIST."""


class Knobs(TypedDict, total=False):
    """Every knob, as keyword arguments take them; `siffra.config.KNOBS` says what each does.

    `model` may be a function that makes a PyTorch module, or its name, `my_models:make`; then its
    parameters are knobs as well.
    """

    model: str | Callable[..., Any]
    learning_rate: float
    batch_size: int
    epochs: float
    optimizer: str
    momentum: float
    weight_decay: float
    schedule: str
    warmup: float
    label_smoothing: float
    ema: float
    augment: str
    augment_move: float
    augment_rotate: float
    augment_clean: float
    augment_jitter: float
    layers: int
    neurons: int | Sequence[int]
    activation: str
    batch_norm: bool
    dropout: float
    conv_layers: int
    filters: int | Sequence[int]
    kernel_size: int | Sequence[int]
    strides: int | Sequence[int]
    padding: str
    pool_size: int | Sequence[int]
    pooling: str
    global_pooling: str
    space_to_depth: int


def with_own_models(knobs: Mapping[str, Any]) -> dict[str, Any]:
    """`knobs`, or lists of their levels, with functions in the place of their names."""

    def own(model: Any) -> Any:
        return [own(one) for one in model] if isinstance(model, list | tuple) else as_model(model)

    return {name: own(value) if name == "model" else value for name, value in knobs.items()}


def data_source(data: DataLike) -> DataSource:
    """What `data` stands for."""
    return data if isinstance(data, DataSource) else DataSource(path=Path(data) if data else None)


def make_engine(threads: int | None = None, name: str = "native") -> Engine:
    """What trains the networks: `native`, or `torch` for PyTorch.

    Raises:
        ConfigError: There are not so many threads, no such engine, or it is not installed.
    """
    if name not in ENGINES:
        raise ConfigError(f"engine: found {name!r}; {did_you_mean(name, ENGINES)}")
    if name == "torch":
        try:
            from siffra.engine.torch.engine import TorchEngine
        except ModuleNotFoundError as error:
            if error.name != "torch":
                raise
            raise ConfigError(
                "engine: PyTorch is not installed; `pip install 'siffra[torch]'` brings it."
            ) from error
        return TorchEngine(threads)
    from siffra.engine.native.engine import NativeEngine  # compiles: only when it is needed

    return NativeEngine(threads)
