"""Training a stack of dense layers; what its steps need is made beforehand."""

import abc
import math

import numpy as np

from siffra.engine.governor import shared_out
from siffra.engine.native import optimizers
from siffra.engine.native.conv import LANES
from siffra.engine.native.dense import Drops, Inputs, Kind, Net, shards_of
from siffra.engine.native.dense_epoch import Descent, steps
from siffra.engine.native.gather import InputLayout, scale_of
from siffra.engine.native.grid import aligned_zeros
from siffra.engine.native.limits import EXACT, check_count
from siffra.engine.native.matrices import tiled
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.sparse import SparseColumns, SparseRows
from siffra.engine.native.training import Job, Trainer
from siffra.engine.native.warp import framed_floats, gather_warped
from siffra.engine.network import Network
from siffra.engine.rng import dropout_streams, epoch_maps, float32_words
from siffra.engine.schedule import ema_decay

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

    def __init__(self, job: Job, *, is_sparse: bool) -> None:
        super().__init__(job, parameters := Parameters(job.network, as_stack=True))
        shards = shards_of(parameters, self._batch_size)
        self._rows = -(-self._batch_size // shards)
        self._net = Net.of(parameters, self.params, shards, self._rows, trains=True)
        self._run = steps(Kind.of(parameters), is_sparse, shards)
        self._dropout = Dropout(job.network, self._batch_size, job.seed)
        self._at_once = self._dropout.at_once if self._optimizer.is_elementwise else 1
        self._losses, self._correct = np.zeros(shards), np.zeros(shards, np.int64)

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
        rates = self._next_rates(count)
        inputs, labels = self._inputs(order)
        self._run(
            *inputs, labels, self._batch_size, self._dropout.draw(count), self._descent(rates),
            self._net, self._losses, self._correct,
        )  # fmt: skip
        if not self._optimizer.is_elementwise:
            self._step(self._net.grads[0], rates[0])

    def _descent(self, rates: np.ndarray) -> Descent:
        optimizer, training = self._optimizer, self._training
        paces = np.zeros((len(rates), 4), np.float32)
        if optimizer.is_elementwise:
            paces[:, :3] = optimizer.paces(rates)
            if training.ema:
                before = int(self._steps) - len(rates)
                paces[:, 3] = [ema_decay(training, before + n + 1) for n in range(len(rates))]
        return Descent(
            optimizer.state,
            self.averaged if training.ema else self.averaged[:0],
            paces,
            optimizer.rule if optimizer.is_elementwise else optimizers.NONE,
            optimizer.momentum,
            training.label_smoothing,
        )

    @abc.abstractmethod
    def _inputs(self, order: np.ndarray) -> tuple[Inputs, np.ndarray]:
        """These images as kernels take them, and the labels of those that they are among."""


class DenseTrainer(StackTrainer):
    """Trains on all pixels."""

    def __init__(self, job: Job) -> None:
        super().__init__(job, is_sparse=False)
        width = self.parameters.layouts[0].input.image
        self._work = aligned_zeros((len(self._net.work), tiled(self._rows) * width))
        self._pixels = self._x.reshape(len(self._x), -1)

    def _inputs(self, order: np.ndarray) -> tuple[Inputs, np.ndarray]:
        return Inputs(self._pixels, order, scale_of(self._x), self._work), self._y


class AugmentedTrainer(DenseTrainer):
    """Trains on images that are augmented, some steps' at a time."""

    def __init__(self, job: Job) -> None:
        super().__init__(job)
        check_count(framed_floats(*self._x.shape[1:]), "floats of an augmented image", EXACT)
        self._draws = epoch_maps(job.training, len(self._x), job.seed)
        self._layout = InputLayout.of(job.network, self.parameters.layouts[0].input)
        few = max(1, _MOST_WARPED // (self._batch_size * self._layout.image))
        self._at_once = min(self._at_once, few)
        self._warped = aligned_zeros((self._at_once * self._batch_size, self._layout.image))

    def begin_epoch(self) -> None:
        """See `Trainer`."""
        self._maps = next(self._draws)

    def _inputs(self, order: np.ndarray) -> tuple[Inputs, np.ndarray]:
        gather_warped(
            self._x, order, self._maps, scale_of(self._x), self._layout, self._warped.reshape(-1)
        )
        in_order = np.arange(len(order))
        return Inputs(self._warped, in_order, np.float32(1), self._work), self._y[order]


class SparseTrainer(StackTrainer):
    """Trains on the pixels that are not 0."""

    def __init__(self, job: Job, rows: SparseRows) -> None:
        super().__init__(job, is_sparse=True)
        self._csr = rows
        self._columns = SparseColumns.room_for(int(rows.bounds[-1]), rows.data.dtype.type)

    def _inputs(self, order: np.ndarray) -> tuple[Inputs, np.ndarray]:
        return Inputs(self._csr, order, scale_of(self._x), self._columns), self._y


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
