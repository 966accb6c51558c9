"""Names of engines: what users ask for, and the device where that is not the CPU."""

import pytest

from siffra.engine.base import EngineName


@pytest.mark.parametrize(
    ("name", "parsed"),
    [
        ("native", EngineName("native", "cpu")),
        ("torch", EngineName("torch", "cpu")),
        ("torch-cuda", EngineName("torch", "cuda")),
    ],
)
def test_a_name_says_kind_and_device_and_is_spelled_the_same_again(name, parsed):
    assert EngineName.parse(name) == parsed
    assert str(parsed) == name
