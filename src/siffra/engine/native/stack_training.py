"""Training a stack of dense layers; what its steps need is made beforehand."""

import abc
import math
from collections.abc import Mapping

import numpy as np

from siffra.config import Training
from siffra.data.dataset import Images
from siffra.engine.governor import Pieces, shared_out
from siffra.engine.native import optimizers
from siffra.engine.native.conv import LANES
from siffra.engine.native.dense import Drops, Stack
from siffra.engine.native.dense_epoch import Descent, Net, steps
from siffra.engine.native.dense_norm import ACTIVATIONS, SUMS
from siffra.engine.native.gather import InputLayout, scale_of
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.limits import EXACT, check_count
from siffra.engine.native.matrices import tiled
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sparse import SparseColumns, SparseRows
from siffra.engine.native.training import Trainer
from siffra.engine.native.warp import framed_floats, gather_warped
from siffra.engine.network import Network
from siffra.engine.rng import dropout_streams, epoch_maps, float32_words
from siffra.engine.schedule import ema_decay, learning_rates

_MOST_WORDS = 2**17
"""Numbers that are drawn at once, for as many steps as they last."""
_MOST_WARPED = 2**20
"""Floats of images that are augmented at once."""
_MOST_STEPS = 2**20
"""Steps of a call."""


class StackTrainer(Trainer):
    """What trainings on rows of pixels share: many steps are one call.

    Dropout is drawn for some steps at a time. Muon's steps are taken one by one, by NumPy.
    """

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        seed: int,
        pieces: Pieces,
    ) -> None:
        self._pieces, self._training = pieces, training
        self.parameters = parameters = Parameters(network, as_stack=True)
        self.params = parameters.flatten(weights)
        self.averaged = self.params.copy() if training.ema else self.params
        self._y = images.y
        self._batch_size = min(training.batch_size, len(images.x))
        self._optimizer = optimizers.make_optimizer(training, parameters)
        self._rates = learning_rates(training, len(images.x))
        self._next = 0
        self._taken = np.zeros((), np.int64)  # steps, those of trainings before this one too
        self.memory = {"params": self.params, **self._optimizer.memory}
        if training.ema:
            self.memory |= {"averaged": self.averaged, "steps": self._taken}
        stack = Stack.of(parameters)
        shards = stack.shards(self._batch_size)
        hidden = 0 if stack.is_plain else int(stack.layers[-1, 5])
        self._rows = -(-self._batch_size // shards)
        self._net = Net(
            self.params,
            stack.layers,
            aligned_zeros((shards, parameters.trained)),
            aligned_zeros((shards, stack.workspace(self._rows))),
            np.zeros((shards, SUMS, hidden)),
            ACTIVATIONS.index(network.denses[0].activation or "relu"),
        )
        self._dropout = Dropout(network, self._batch_size, seed)
        self._at_once = self._dropout.at_once if self._optimizer.is_elementwise else 1
        self._losses, self._correct = np.zeros(shards), np.zeros(shards, np.int64)
        self._is_plain = stack.is_plain

    def go_through(self, order: np.ndarray) -> tuple[float, int]:
        """See `Trainer`."""
        self._losses[:], self._correct[:] = 0, 0
        if len(self._net.work) == 1:
            self._take(order)
        else:
            for _, first, last in shared_out(self._pieces, len(order), self._batch_size):
                self._take(order[first:last])
        return float(self._losses.sum()), int(self._correct.sum())

    def _take(self, order: np.ndarray) -> None:
        most = self._at_once * self._batch_size
        for start in range(0, len(order), most):
            self._take_some(order[start : start + most])

    def _take_some(self, order: np.ndarray) -> None:
        count = -(-len(order) // self._batch_size)
        rates = self._rates[self._next : self._next + count]
        self._next += count
        self._pass(order, self._dropout.draw(count), self._descent(rates))
        if not self._optimizer.is_elementwise:
            self._optimizer.step(self.params, self._net.grads[0], rates[0])
            if self._training.ema:
                decay = np.float32(ema_decay(self._training, int(self._taken)))
                optimizers.average(self.averaged, self.params, decay)

    def _descent(self, rates: np.ndarray) -> Descent:
        optimizer, training = self._optimizer, self._training
        paces = np.zeros((len(rates), 4), np.float32)
        if optimizer.is_elementwise:
            paces[:, :3] = optimizer.paces(rates)
        if training.ema:
            for pace in paces:
                self._taken += 1
                pace[3] = ema_decay(training, int(self._taken))
        return Descent(
            optimizer.state,
            self.averaged if training.ema else self.averaged[:0],
            paces,
            optimizer.rule if optimizer.is_elementwise else optimizers.NONE,
            optimizer.momentum,
            training.label_smoothing,
        )

    @abc.abstractmethod
    def _pass(self, order: np.ndarray, drops: Drops, descent: Descent) -> None:
        """Take steps on these images; adds each shard's summed loss and correct answers."""


class DenseTrainer(StackTrainer):
    """Trains on all pixels."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        seed: int,
        pieces: Pieces,
    ) -> None:
        super().__init__(network, weights, training, images, seed, pieces)
        shards = len(self._net.work)
        self._x, self._pixels = images.x, images.x.reshape(len(images.x), -1)
        self._inputs = aligned_zeros((shards, tiled(self._rows) * int(self._net.layers[0, 0])))
        self._run = steps(self._is_plain, False, shards)

    def _pass(self, order: np.ndarray, drops: Drops, descent: Descent) -> None:
        self._run(
            self._pixels, self._inputs, self._y, order, self._batch_size, scale_of(self._x),
            self._net, drops, descent, self._losses, self._correct,
        )  # fmt: skip


class AugmentedTrainer(DenseTrainer):
    """Trains on images that are augmented, some steps' at a time."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        seed: int,
        pieces: Pieces,
    ) -> None:
        super().__init__(network, weights, training, images, seed, pieces)
        check_count(framed_floats(*images.x.shape[1:]), "floats of an augmented image", EXACT)
        self._draws = epoch_maps(training, len(images.x), seed)
        self._layout = InputLayout.of(network, self.parameters.layouts[0].input)
        few = max(1, _MOST_WARPED // (self._batch_size * self._layout.image))
        self._at_once = min(self._at_once, few)
        self._warped = aligned_zeros((self._at_once * self._batch_size, self._layout.image))

    def begin_epoch(self) -> None:
        """See `Trainer`."""
        self._maps = next(self._draws)

    def _pass(self, order: np.ndarray, drops: Drops, descent: Descent) -> None:
        gather_warped(
            self._x, order, self._maps, scale_of(self._x), self._layout, self._warped.reshape(-1)
        )
        self._run(
            self._warped, self._inputs, self._y[order], np.arange(len(order)), self._batch_size,
            np.float32(1), self._net, drops, descent, self._losses, self._correct,
        )  # fmt: skip


class SparseTrainer(StackTrainer):
    """Trains on the pixels that are not 0."""

    def __init__(
        self,
        network: Network,
        weights: Mapping[str, np.ndarray],
        training: Training,
        images: Images,
        seed: int,
        pieces: Pieces,
        rows: SparseRows,
    ) -> None:
        super().__init__(network, weights, training, images, seed, pieces)
        self._scale, self._csr = scale_of(images.x), rows
        self._csc = SparseColumns.room_for(rows)
        self._run = steps(self._is_plain, True, len(self._net.work))

    def _pass(self, order: np.ndarray, drops: Drops, descent: Descent) -> None:
        self._run(
            self._csr, self._csc, self._y, order, self._batch_size, self._scale, self._net, drops,
            descent, self._losses, self._correct,
        )  # fmt: skip


class Dropout:
    """What is left out of each layer's inputs, drawn for some steps at a time."""

    def __init__(self, network: Network, batch_size: int, seed: int) -> None:
        streams = dropout_streams(network, seed)
        self._streams = [(stream, batch_size * layer.inputs) for layer, stream in streams]
        self._batch_size = batch_size
        numbers = sum(count for _, count in self._streams)
        self.at_once = max(1, _MOST_WORDS // numbers) if numbers else _MOST_STEPS
        share = streams[0][0].dropout if streams else 0.0
        # The words' upper 24 bits are whole numbers, and so is what they are compared with.
        self._below = np.uint32(math.ceil(np.float32(share) * 2**24))
        self._gain = np.float32(1 / (1 - share))

    def draw(self, steps: int) -> Drops:
        """For so many steps."""
        drawn = [float32_words(stream, steps, count) for stream, count in self._streams]
        if drawn:  # kernels read whole vectors
            drawn.append(np.zeros(LANES, np.uint32))
        words = np.concatenate(drawn) if drawn else np.zeros(0, np.uint32)
        return Drops(words, steps * self._batch_size, self._below, self._gain)
