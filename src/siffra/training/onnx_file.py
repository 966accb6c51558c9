"""Trained models as ONNX files, which other programs can predict with.

The graph takes images as siffra has them, (n, height, width, channels) with any n, and gives the
probability of each class, (n, classes) float32. Dropout is nothing in a trained network.
"""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from siffra.config import EstimatorModel, ModuleModel
from siffra.data.dataset import class_labels
from siffra.engine.network import NORM_EPSILON, VECTORS, Conv, Dense, Network, build_network
from siffra.engine.normalization import scale_and_shift
from siffra.errors import ConfigError, ModelFileError, did_you_mean
from siffra.system.atomic_write import write_whole
from siffra.training.model_file import SavedModel

try:
    from onnx import ModelProto, TensorProto, checker, helper, numpy_helper
except ModuleNotFoundError as error:
    raise ModelFileError(
        "onnx: ONNX is not installed; run `pip install 'siffra[onnx]'`."
    ) from error

INPUT, OUTPUT = "images", "probabilities"

Pixels = Literal["float32", "uint8"]
"""What a graph takes: float32 in [0, 1], or uint8 in 0..255."""

_OPSET, _IR = 17, 8
"""Of 2022: old enough for the programs that are about, and with all that is needed."""
_PIXEL = np.float32(1 / 255)


def save_onnx(path: Path, saved: SavedModel, pixels: str = "float32") -> None:
    """Write `saved` to `path` as ONNX, replacing what is there; whole or not at all.

    Raises:
        ConfigError: There are no such `pixels`.
        ModelFileError: The file cannot be written, or the model is a module of the user's.
    """
    write_whole(path, onnx_model(saved, pixels).SerializeToString(), ModelFileError)


def onnx_model(saved: SavedModel, pixels: str = "float32") -> ModelProto:
    """`saved` as a checked ONNX model that takes `pixels`; see `save_onnx`.

    Its metadata has `siffra.model`, `siffra.training`, `siffra.data` and `siffra.accuracy` as
    JSON, and `siffra.classes`, a JSON list of the classes' names in the order of the outputs.
    """
    if pixels not in get_args(Pixels):
        raise ConfigError(f"pixels: found {pixels!r}; {did_you_mean(pixels, get_args(Pixels))}")
    expect_exportable(saved.setting.model)
    network = build_network(saved.setting.model, saved.image_shape, saved.classes)
    kind = TensorProto.UINT8 if pixels == "uint8" else TensorProto.FLOAT
    graph = _Graph(saved.weights)
    graph.write(network, pixels)
    model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "siffra",
            [helper.make_tensor_value_info(INPUT, kind, ["n", *network.image_shape])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", network.classes])],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid("", _OPSET)],
        ir_version=_IR,
        producer_name="siffra",
    )
    helper.set_model_props(model, _metadata(saved))
    checker.check_model(model, full_check=True)
    return model


def expect_exportable(model: object) -> None:
    """Check that a model of this kind can be exported.

    Raises:
        ModelFileError: It cannot.
    """
    if isinstance(model, EstimatorModel):
        raise ModelFileError(f"onnx: {model.factory} is scikit-learn's, and no network.")
    if isinstance(model, ModuleModel):
        raise ModelFileError(
            f"onnx: {model.factory} is a module of your own; save it as .safetensors, and export "
            "it with PyTorch's torch.onnx."
        )


def _metadata(saved: SavedModel) -> dict[str, str]:
    data = {"name": saved.dataset, "image_shape": saved.image_shape}
    classes = [str(label) for label in class_labels(saved.class_names, saved.classes)]
    return {
        "siffra.model": saved.setting.model.model_dump_json(),
        "siffra.training": saved.setting.training.model_dump_json(),
        "siffra.seed": str(saved.seed),
        "siffra.data": json.dumps(data),
        "siffra.accuracy": json.dumps(saved.accuracy),
        "siffra.classes": json.dumps(classes),
    }


class _Graph:
    """A graph in the making: each method adds to it, and the last tensor is what comes next."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._weights = weights
        self._last = INPUT

    def write(self, network: Network, pixels: str) -> None:
        """All of `network`, from the images to the probabilities."""
        if pixels == "uint8":
            self._then("Cast", to=TensorProto.FLOAT)
            self._then("Mul", self._constant("pixel", _PIXEL))
        if network.normalizes:
            scale, shift = scale_and_shift(self._weights, network.image_shape)
            self._then("Mul", self._constant("normalization.scale", scale))
            self._then("Add", self._constant("normalization.shift", shift))
        if network.convs:
            self._then("Transpose", perm=[0, 3, 1, 2])
            if network.space_to_depth > 1:
                self._then("SpaceToDepth", blocksize=network.space_to_depth)
            for conv in network.convs:
                self._conv(conv)
            self._then("Transpose", perm=[0, 2, 3, 1])  # Keras' order, for what is dense
        self._then("Flatten", axis=1)
        for dense in network.denses:
            self._dense(dense)
        self._then("Softmax", axis=-1)
        self.nodes[-1].output[0] = OUTPUT

    def _conv(self, conv: Conv) -> None:
        (above, below), (left, right) = conv.padding
        kernel = self._weights[f"{conv.name}.kernel"].transpose(3, 2, 0, 1)
        self._then(
            "Conv",
            self._constant(f"{conv.name}.kernel", kernel),
            *([] if conv.batch_norm else [self._weight(conv, "bias")]),
            kernel_shape=[conv.kernel_size] * 2,
            strides=[conv.strides] * 2,
            pads=[above, left, below, right],
        )
        self._finish(conv)
        if conv.window != (1, 1):
            kind = "MaxPool" if conv.pooling == "max" else "AveragePool"
            self._then(kind, kernel_shape=conv.window, strides=conv.window)

    def _dense(self, dense: Dense) -> None:
        kernel = self._weight(dense, "kernel")
        if dense.batch_norm:
            self._then("MatMul", kernel)
        else:
            self._then("Gemm", kernel, self._weight(dense, "bias"))
        self._finish(dense)

    def _finish(self, layer: Conv | Dense) -> None:
        """Batch norm and activation."""
        if layer.batch_norm:
            vectors = [self._weight(layer, name) for name in VECTORS]
            self._then("BatchNormalization", *vectors, epsilon=NORM_EPSILON)
        match layer.activation:
            case "relu":
                self._then("Relu")
            case "tanh":
                self._then("Tanh")
            case "sigmoid":
                self._then("Sigmoid")
            case "gelu":
                self._gelu()

    def _gelu(self) -> None:
        """GELU spelled out, x (1 + erf(x / √2)) / 2: an operator of its own came with opset 20."""
        x = self._last
        self._then("Mul", self._constant("gelu.root", np.float32(math.sqrt(0.5))))
        self._then("Erf")
        self._then("Add", self._constant("gelu.one", np.float32(1)))
        self._then("Mul", x)
        self._then("Mul", self._constant("gelu.half", np.float32(0.5)))

    def _then(self, operator: str, *others: str, **attributes: Any) -> None:
        """Put `operator` behind what there is, with `others` as its further inputs."""
        name = f"{operator.lower()}_{len(self.nodes) + 1}"
        node = helper.make_node(operator, [self._last, *others], [name], name=name, **attributes)
        self.nodes.append(node)
        self._last = name

    def _weight(self, layer: Conv | Dense, name: str) -> str:
        return self._constant(f"{layer.name}.{name}", self._weights[f"{layer.name}.{name}"])

    def _constant(self, name: str, value: np.ndarray | np.float32) -> str:
        if all(constant.name != name for constant in self.constants):
            array = np.ascontiguousarray(value, np.float32).reshape(np.shape(value))
            self.constants.append(numpy_helper.from_array(array, name))
        return name
