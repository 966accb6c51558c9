"""From a model and an image's shape to the layers of a network, with every size worked out.

What cannot be built (a kernel larger than its image, strides that leave nothing to pool)
is refused here, before any training, with the numbers.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from siffra.config import ConvModel, DenseModel
from siffra.errors import ConfigError

POOL = 2
MOST_PARAMETERS = 100_000_000
"""Above this (0.4 GB, several times over in training) a network is refused."""


@dataclass(frozen=True, slots=True)
class Conv:
    """Valid convolution, bias, ReLU, and max-pooling over `pool` x `pool` windows (1: none).

    Shapes are (height, width, channels). Rows and columns that fill no whole window are
    dropped, as Keras does.
    """

    name: str
    input: tuple[int, int, int]
    kernel_size: int
    strides: int
    filters: int
    pool: int

    @property
    def positions(self) -> tuple[int, int]:
        """Rows and columns at which the kernel is applied, before pooling."""
        height, width, _ = self.input
        return (
            (height - self.kernel_size) // self.strides + 1,
            (width - self.kernel_size) // self.strides + 1,
        )

    @property
    def output(self) -> tuple[int, int, int]:
        """Shape after pooling."""
        rows, columns = self.positions
        return rows // self.pool, columns // self.pool, self.filters

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
        rows, columns, filters = self.output
        return rows * columns * self.pool**2 * filters * self.fans[0]


@dataclass(frozen=True, slots=True)
class Dense:
    """Matrix product and bias; ReLU except on the last layer, whose outputs are logits."""

    name: str
    inputs: int
    units: int
    relu: bool

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
    """Convolutions, then dense layers, the last of which gives one logit per class."""

    image_shape: tuple[int, int, int]
    convs: tuple[Conv, ...]
    denses: tuple[Dense, ...]

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
        """The shape of every weight by name, in Keras' order of axes."""
        shapes: dict[str, tuple[int, ...]] = {}
        for layer in self.layers:
            shapes[f"{layer.name}.kernel"] = layer.weights
            shapes[f"{layer.name}.bias"] = layer.weights[-1:]
        return shapes

    @property
    def parameters(self) -> int:
        """Trained numbers, weights and biases."""
        return sum(map(math.prod, self.weights.values()))

    @property
    def multiplications(self) -> int:
        """Multiply-adds of one image's forward pass."""
        return sum(layer.multiplications for layer in self.layers)


def build_network(
    model: DenseModel | ConvModel, image_shape: tuple[int, int, int], classes: int
) -> Network:
    """Work out the layers of `model` for images of (height, width, channels).

    Raises:
        ConfigError: A kernel does not fit its input, a layer leaves nothing, or the network is
            larger than any that siffra is for.
    """
    convs = tuple(_convs(model, image_shape)) if isinstance(model, ConvModel) else ()
    features = math.prod(convs[-1].output if convs else image_shape)
    widths = (*model.neurons, classes)
    inputs = (features, *model.neurons)
    denses = tuple(
        Dense(f"dense_{i}", n_in, n_out, relu=i < len(widths))
        for i, (n_in, n_out) in enumerate(zip(inputs, widths, strict=True), start=1)
    )
    network = Network(image_shape, convs, denses)
    if network.parameters > MOST_PARAMETERS:
        raise ConfigError(
            f"neurons, filters: the network would have {network.parameters:,} parameters; "
            f"it can have at most {MOST_PARAMETERS:,}."
        )
    return network


def _convs(model: ConvModel, image_shape: tuple[int, int, int]) -> Iterator[Conv]:
    shape = image_shape
    last = len(model.filters)
    per_layer = zip(model.filters, model.kernel_size, model.strides, strict=True)
    for number, (filters, kernel_size, strides) in enumerate(per_layer, start=1):
        height, width, _ = shape
        if kernel_size > min(height, width):
            raise ConfigError(
                f"kernel_size: {kernel_size} is larger than what convolution {number} is given, "
                f"{height}x{width}; it can be at most {min(height, width)}."
            )
        conv = Conv(
            f"conv_{number}", shape, kernel_size, strides, filters, POOL if number == last else 1
        )
        if min(conv.output) < 1:
            rows, columns = conv.positions
            raise ConfigError(
                f"strides: kernel_size {kernel_size} with strides {strides} on {height}x{width} "
                f"leaves {rows}x{columns}, too little for the {POOL}x{POOL} max-pool; "
                f"lower strides or kernel_size."
            )
        yield conv
        shape = conv.output
