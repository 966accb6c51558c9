"""Your own model, for `residual.toml`: blocks of convolutions with skip connections.

siffra passes the image shape and the number of classes; the other parameters are knobs. The
network's input is images (n, channels, height, width), float32 in [0, 1]; its output is logits
(n, classes).
"""

from torch import Tensor, nn


class Block(nn.Module):
    """Two convolutions; with `skip`, they learn the residual to add to their input.

    Source: He et al. 2016, figure 2.
    """

    def __init__(self, width: int, skip: bool) -> None:
        super().__init__()
        self.skip = skip
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding="same"),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding="same"),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.layers(x)
        return (x + y if self.skip else y).relu()


def make(
    image_shape: tuple[int, int, int],
    classes: int,
    blocks: int = 4,
    width: int = 8,
    skip: bool = True,
) -> nn.Module:
    """The whole network."""
    _, _, channels = image_shape
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, stride=2),
        nn.ReLU(),
        *(Block(width, skip) for _ in range(blocks)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, classes),
    )
