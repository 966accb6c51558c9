"""A network at work: its blocks one after the other, with the buffer that its images go into.

A batch's buffers, of which each block has two, are shared by activations and their gradients. Of
two layers, with `x` the images, `z` the products before the activation and `a` what comes after
pooling, a step leaves in them:

                      | inputs | z 1       | out 1     | z 2  | dz 2      |
    forward, block 1  | x      | z 1       | a 1       |      |           |
    forward, last     | x      | z 1       | a 1       | z 2  |           |
    learn, last       | x      | z 1       | a 1       | z 2  | d loss/dz |
    input_gradient    | x      | z 1       | d loss/da | z 2  | d loss/dz |
    backward, block 1 | x      | d loss/dz | d loss/da | z 2  | d loss/dz |

So `backward` must have read a block's inputs before the block's `input_gradient` replaces them.
A fused block keeps no `z`: it notes which position won each window, and has a buffer of its own
for the gradient of its inputs, which it reads and adds to out of order.
"""

import numba
import numpy as np

from siffra.engine.native import conv
from siffra.engine.native.block import Block
from siffra.engine.native.conv_fused import FusedBlock, is_fused
from siffra.engine.native.gather import InputLayout, normalize
from siffra.engine.native.parameters import Parameters
from siffra.engine.native.unfused import OutputBlock, UnfusedBlock
from siffra.engine.network import Conv, Network
from siffra.engine.normalization import scale_and_shift


class Sequential:
    """The blocks of a network, for batches of at most `images` images.

    `inputs` is where the images of a batch go, each as `input_layout` says.
    """

    _PARALLEL_FROM = 1_000_000
    """Multiply-adds from which it is worth waking a second thread: that takes some 20 us."""

    def __init__(self, network: Network, parameters: Parameters, images: int) -> None:
        slack = max((conv.Shape.of(c).slack for c in network.convs), default=0)
        self.blocks: list[Block] = []
        layers = zip(network.layers[:-1], parameters.layouts, parameters.slices, strict=False)
        for layer, layout, slices in layers:
            if isinstance(layer, Conv) and is_fused(layer, layout):
                self.blocks.append(FusedBlock(layout, slices, layer, images, slack))
            else:
                self.blocks.append(UnfusedBlock(layout, slices, images, slack))
        self.last = OutputBlock(parameters.layouts[-1], parameters.slices[-1], images, slack)
        self.blocks.append(self.last)
        first = parameters.layouts[0].input
        self.inputs = first.batch(images, slack)
        self.input_layout = InputLayout.of(network, first)
        self._network, self._parameters = network, parameters
        self._affine: tuple[np.ndarray, np.ndarray] | None = None
        self._large = {
            block: images * block.layout.multiplications >= self._PARALLEL_FROM
            for block in self.blocks
        }
        self._threads = self._used = 1

    def begin(self, threads: int, params: np.ndarray) -> None:
        """A piece of work begins, for which the calling thread has `threads` threads."""
        self._threads = self._used = threads
        if self._network.normalizes:
            weights = self._parameters.statistics(params)
            scale, shift = scale_and_shift(weights, self._network.image_shape)
            self._affine = scale.reshape(-1), shift.reshape(-1)

    def normalize(self, images: int) -> None:
        """Bring the first `images` of `inputs` to mean 0 and deviation 1, if the network does."""
        if self._affine:
            normalize(self.inputs, images, self.input_layout, *self._affine)

    def share_out(self, block: Block | None = None) -> None:
        """All threads compute from now on, or one if it is for a `block` too small for more."""
        threads = self._threads if block is None or self._large[block] else 1
        if threads != self._used:  # to ask Numba takes some microseconds
            numba.set_num_threads(threads)
            self._used = threads
