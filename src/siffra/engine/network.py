"""From a model and an image's shape to the layers of a network, with every size worked out.

What cannot be built (a kernel larger than its image, strides that leave nothing to pool)
is refused here, before any training, with the numbers.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from siffra.config import (
    ConvModel,
    EstimatorModel,
    ExternalModel,
    Model,
    ModuleModel,
    OwnModel,
    Training,
)
from siffra.config.model import Activation, BuiltModel, Pooling
from siffra.data.dataset import Dataset
from siffra.errors import ConfigError

MOST_PARAMETERS = 100_000_000
"""Above this (0.4 GB, several times over in training) a network is refused."""

NORM_MOMENTUM = 0.9
"""Share of a moving mean or variance that a batch leaves (PyTorch's: runs here are short)."""
NORM_EPSILON = 1e-5
"""What is added to a variance before its root is taken."""


@dataclass(frozen=True, slots=True)
class Conv:
    """Convolution, bias or batch norm, activation, and pooling.

    Shapes are (height, width, channels). `padding` is what `same` adds at the top and left, and
    at the bottom and right (Keras' rule: the larger half comes last). Windows of `pool` x `pool`
    are pooled (1: none), or the whole map; rows and columns that fill no whole window are
    dropped, as Keras does. `reads_image` marks the first convolution; the others read activations.
    """

    name: str
    input: tuple[int, int, int]
    kernel_size: int
    strides: int
    filters: int
    pool: int
    same: bool = False
    pooling: Pooling = "max"
    pools_all: bool = False
    batch_norm: bool = False
    activation: Activation = "relu"
    reads_image: bool = False

    @property
    def padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Rows of zeros (above, below) and columns (left, right) around the input."""
        if not self.same:
            return (0, 0), (0, 0)
        height, width = (self._same_padding(side) for side in self.input[:2])
        return height, width

    @property
    def positions(self) -> tuple[int, int]:
        """Rows and columns at which the kernel is applied, before pooling."""
        rows, columns = (
            (side + sum(zeros) - self.kernel_size) // self.strides + 1
            for side, zeros in zip(self.input[:2], self.padding, strict=True)
        )
        return rows, columns

    @property
    def window(self) -> tuple[int, int]:
        """Rows and columns of a pooling window."""
        return self.positions if self.pools_all else (self.pool, self.pool)

    @property
    def output(self) -> tuple[int, int, int]:
        """Shape after pooling."""
        (rows, columns), (tall, wide) = self.positions, self.window
        return rows // tall, columns // wide, self.filters

    @property
    def weights(self) -> tuple[int, int, int, int]:
        """(rows, columns, channels, filters), Keras' order."""
        return self.kernel_size, self.kernel_size, self.input[2], self.filters

    @property
    def fans(self) -> tuple[int, int]:
        """Inputs of one output and outputs of one input, as Glorot's initialiser counts them."""
        area = self.kernel_size**2
        return area * self.input[2], area * self.filters

    @property
    def multiplications(self) -> int:
        """Multiply-adds of one image's forward pass."""
        (rows, columns, filters), (tall, wide) = self.output, self.window
        return rows * tall * columns * wide * filters * self.fans[0]

    def _same_padding(self, side: int) -> tuple[int, int]:
        positions = -(-side // self.strides)
        zeros = max((positions - 1) * self.strides + self.kernel_size - side, 0)
        return zeros // 2, zeros - zeros // 2


@dataclass(frozen=True, slots=True)
class Dense:
    """Matrix product, bias or batch norm, and activation; on the last layer a bias alone.

    In training, `dropout` of its inputs are left out. The last layer's outputs are logits.
    """

    name: str
    inputs: int
    units: int
    activation: Activation | None = "relu"
    batch_norm: bool = False
    dropout: float = 0.0

    @property
    def weights(self) -> tuple[int, int]:
        """(inputs, units), Keras' order."""
        return self.inputs, self.units

    @property
    def fans(self) -> tuple[int, int]:
        """Inputs of one output and outputs of one input."""
        return self.inputs, self.units

    @property
    def multiplications(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return self.inputs * self.units


@dataclass(frozen=True, slots=True)
class Network:
    """Convolutions, then dense layers, the last of which gives one logit per class.

    Before all else, the pixels of a network that `normalizes` are: see
    `siffra.engine.normalization`. Then `space_to_depth` x `space_to_depth` pixels become one of
    as many times the channels: channel `(row * block + column) * channels + c` is channel c of
    the block's pixel at (row, column), as TensorFlow has it.
    """

    image_shape: tuple[int, int, int]
    space_to_depth: int
    convs: tuple[Conv, ...]
    denses: tuple[Dense, ...]
    normalizes: bool = False

    @property
    def layers(self) -> tuple[Conv | Dense, ...]:
        """All layers with weights, from the image on."""
        return self.convs + self.denses

    @property
    def classes(self) -> int:
        """Number of outputs."""
        return self.denses[-1].units

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight by name, in Keras' order of axes.

        A network that normalises has first the `mean` and the `variance` that it does so by: one
        a channel, or one a feature of a table, whose rows are images of one row.

        A layer with batch norm has `gamma` and `beta` in place of a `bias`, and the
        `moving_mean` and `moving_variance` that it predicts with, which are not trained.
        """
        _, columns, channels = self.image_shape
        pairs = columns * channels if self.image_shape[0] == 1 else channels
        shapes: dict[str, tuple[int, ...]] = (
            dict.fromkeys(STATISTICS, (pairs,)) if self.normalizes else {}
        )
        for layer in self.layers:
            shapes[f"{layer.name}.kernel"] = layer.weights
            for vector in VECTORS if layer.batch_norm else ("bias",):
                shapes[f"{layer.name}.{vector}"] = layer.weights[-1:]
        return shapes

    @property
    def parameters(self) -> int:
        """Trained numbers: all weights but moving means and variances."""
        shapes = self.weights.items()
        return sum(math.prod(shape) for name, shape in shapes if is_trained(name))

    @property
    def multiplications(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return sum(layer.multiplications for layer in self.layers)


STATISTICS = ("normalization.mean", "normalization.variance")
"""Weights that are found before training, and stay."""
VECTORS = ("gamma", "beta", "moving_mean", "moving_variance")
"""A batch norm's weights, one number a channel each."""


def is_trained(weight: str) -> bool:
    """Whether the weight of that name is trained, and no mean or variance of what is seen."""
    return weight not in STATISTICS and not weight.endswith((".moving_mean", ".moving_variance"))


def build_network(model: Model, image_shape: tuple[int, int, int], classes: int) -> Network:
    """Work out the layers of `model` for images of (height, width, channels).

    Raises:
        ConfigError: A kernel does not fit its input, a layer leaves nothing, or the network is
            larger than any that siffra is for; or the model is no network of siffra's.
    """
    if isinstance(model, ModuleModel):
        raise ConfigError(f"model: {model.factory} is PyTorch's; it needs `--engine torch`.")
    if isinstance(model, EstimatorModel):
        raise ConfigError(f"model: {model.factory} is scikit-learn's, and no network.")
    if isinstance(model, ExternalModel):
        raise ConfigError("model: a training that siffra does not do itself has no network here.")
    # Frozen models of pydantic's have a hash.
    return _build(model, image_shape, classes)  # pyright: ignore[reportArgumentType]


@lru_cache(maxsize=128)  # a run asks for its network when it is checked, prepared and trained
def _build(model: BuiltModel, image_shape: tuple[int, int, int], classes: int) -> Network:
    block = model.space_to_depth if isinstance(model, ConvModel) else 1
    convs = tuple(_convs(model, image_shape)) if isinstance(model, ConvModel) else ()
    features = math.prod(convs[-1].output if convs else image_shape)
    inputs = (features, *model.neurons)
    hidden = [
        Dense(
            f"dense_{number}", inputs[number - 1], units, model.activation, model.batch_norm,
            model.dropout if convs or number > 1 else 0.0,
        )
        for number, units in enumerate(model.neurons, start=1)
    ]  # fmt: skip
    last = Dense(
        f"dense_{len(inputs)}", inputs[-1], classes, activation=None, dropout=model.dropout
    )
    network = Network(image_shape, block, convs, (*hidden, last), model.normalization)
    if network.parameters > MOST_PARAMETERS:
        raise ConfigError(
            f"neurons, filters: the network would have {network.parameters:,} parameters; "
            f"it can have at most {MOST_PARAMETERS:,}."
        )
    return network


def network_for(model: Model, training: Training, dataset: Dataset) -> Network | None:
    """The network that a run on `dataset` would train; None for a model that is not siffra's own.

    Raises:
        ConfigError: As `build_network`, or what is asked for makes no sense with a table's rows.
    """
    if dataset.features and isinstance(model, ConvModel):
        raise ConfigError(
            f"model: conv is for images, and {dataset.name} has rows of {len(dataset.features)} "
            f"features; it must be dense."
        )
    if dataset.features and training.augment != "none":
        raise ConfigError(
            f"augment: {training.augment} is for images, and {dataset.name} has rows of "
            f"{len(dataset.features)} features; it must be none."
        )
    if isinstance(model, OwnModel | ExternalModel):
        return None
    return build_network(model, dataset.image_shape, dataset.classes)


def _convs(model: ConvModel, image_shape: tuple[int, int, int]) -> Iterator[Conv]:
    shape = _blocks(image_shape, model.space_to_depth)
    last = len(model.filters)
    per_layer = zip(model.filters, model.kernel_size, model.strides, model.pool_size, strict=True)
    for number, (filters, kernel_size, strides, pool) in enumerate(per_layer, start=1):
        height, width, _ = shape
        if model.padding == "valid" and kernel_size > min(height, width):
            raise ConfigError(
                f"kernel_size: {kernel_size} is larger than what convolution {number} is given, "
                f"{height}x{width}; it can be at most {min(height, width)}."
            )
        if model.padding == "same" and kernel_size > 2 * min(height, width):
            raise ConfigError(
                f"kernel_size: {kernel_size} is more than twice what convolution {number} is "
                f"given, {height}x{width}; most of it would see nothing but padding."
            )
        conv = Conv(
            name=f"conv_{number}",
            input=shape,
            kernel_size=kernel_size,
            strides=strides,
            filters=filters,
            pool=pool,
            same=model.padding == "same",
            pooling=_pooling(model, last=number == last),
            pools_all=number == last and model.global_pooling != "none",
            batch_norm=model.batch_norm,
            activation=model.activation,
            reads_image=number == 1,
        )
        if min(conv.output) < 1:
            rows, columns = conv.positions
            raise ConfigError(
                f"strides: kernel_size {kernel_size} with strides {strides} on {height}x{width} "
                f"leaves {rows}x{columns}, too little for the {pool}x{pool} {model.pooling}-pool; "
                f"lower strides or kernel_size."
            )
        yield conv
        shape = conv.output


def _pooling(model: ConvModel, *, last: bool) -> Pooling:
    if last and model.global_pooling != "none":
        return model.global_pooling
    return model.pooling


def _blocks(image_shape: tuple[int, int, int], block: int) -> tuple[int, int, int]:
    height, width, channels = image_shape
    if height % block or width % block:
        raise ConfigError(
            f"space_to_depth: {block} does not divide the images' {height}x{width} pixels."
        )
    return height // block, width // block, channels * block**2
