"""A network at work: its blocks one after the other, with the buffer that its images go into."""

import numba
import numpy as np

from siffra.engine.governor import Pieces, shared_out
from siffra.engine.native import conv
from siffra.engine.native.block import Block
from siffra.engine.native.conv_fused import FusedBlock, is_fused
from siffra.engine.native.gather import Places, gather, scale_of
from siffra.engine.native.placement import Placement
from siffra.engine.native.unfused import LastBlock, SteppedBlock
from siffra.engine.network import Conv, Network


class Chain:
    """The blocks of a network, for batches of at most `images` images.

    `inputs` is where the images of a batch go, each as `places` says.
    """

    _PARALLEL_FROM = 1_000_000
    """Multiply-adds from which it is worth waking a second thread: that takes some 20 us."""

    def __init__(self, network: Network, placement: Placement, images: int) -> None:
        slack = max((conv.Shape.of(c).slack for c in network.convs), default=0)
        self.blocks: list[Block] = []
        layers = zip(network.layers[:-1], placement.parts, placement.places, strict=False)
        for layer, part, place in layers:
            if isinstance(layer, Conv) and is_fused(layer, part):
                self.blocks.append(FusedBlock(part, place, layer, images, slack))
            else:
                self.blocks.append(SteppedBlock(part, place, images, slack))
        self.last = LastBlock(placement.parts[-1], placement.places[-1], images, slack)
        self.blocks.append(self.last)
        first = placement.parts[0].input
        self.inputs = first.batch(images, slack)
        self.places = Places.of(network, first)
        self._large = {
            block: images * block.part.multiplications >= self._PARALLEL_FROM
            for block in self.blocks
        }
        self._threads = self._used = 1

    def begin(self, threads: int) -> None:
        """A piece of work begins, for which the calling thread has `threads` threads."""
        self._threads = self._used = threads

    def share_out(self, block: Block | None = None) -> None:
        """All threads compute from now on, or one if it is for a `block` too small for more."""
        threads = self._threads if block is None or self._large[block] else 1
        if threads != self._used:  # to ask Numba takes some microseconds
            numba.set_num_threads(threads)
            self._used = threads


class ChainPredictor:
    """Predicts with the `params` that it is given, which may still be in training."""

    _CHUNK = 256
    """Images that are predicted at a time."""

    def __init__(
        self, network: Network, placement: Placement, params: np.ndarray, pieces: Pieces
    ) -> None:
        self._params, self._classes, self._pieces = params, network.classes, pieces
        self._chain = Chain(network, placement, self._CHUNK)

    def prepare(self, images: np.ndarray) -> None:
        """Compile what `predict` takes for `images`."""
        self.predict(images[:1])

    @np.errstate(all="ignore")  # a diverged network's shares are NaN, which says all there is
    def predict(self, images: np.ndarray) -> np.ndarray:
        """Class probabilities, (n, classes) float32, of (n, pixels) images."""
        out = np.empty((len(images), self._classes), np.float32)
        for threads, first, last in shared_out(self._pieces, len(images), self._CHUNK):
            self._chain.begin(threads)
            for start in range(first, last, self._CHUNK):
                batch = np.arange(start, min(start + self._CHUNK, last))
                out[batch] = self._predict_chunk(images, batch)
        return out

    def _predict_chunk(self, images: np.ndarray, batch: np.ndarray) -> np.ndarray:
        chain = self._chain
        chain.share_out()
        gather(images, batch, scale_of(images), chain.places, chain.inputs)
        x = chain.inputs
        for block in chain.blocks:
            chain.share_out(block)
            x = block.predict(x, len(batch), self._params)
        logits = x[: len(batch) * chain.last.part.output.image].reshape(len(batch), -1)
        return softmax(logits[:, : self._classes])


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
