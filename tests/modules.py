"""A module of the user's, for tests."""

from torch import nn


def make(
    image_shape: tuple[int, int, int], classes: int, width: int = 6, dropout: float = 0.3
) -> nn.Module:
    """A small network with all that a module may have: statistics, a count of them, and draws."""
    height, length, channels = image_shape
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding="same"),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(dropout),
        nn.Linear(width * height * length, classes),
    )
