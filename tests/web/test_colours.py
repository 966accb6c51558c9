"""The colours of levels: apart from each other for everybody, and from the paper."""

import itertools
import re
from importlib.resources import files

import numpy as np
import pytest

# G. M. Machado, M. M. Oliveira, L. A. F. Fernandes, IEEE TVCG 15(6), 2009: severity 1, linear RGB.
SEEN_BY = {
    "everybody": np.eye(3),
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216],
                   [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413],
                     [-0.011820, 0.042940, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602],
                   [0.004733, 0.691367, 0.303900]],
}  # fmt: skip
# B. Ottosson, Oklab, 2020: distances in it are even steps for the eye; black to white is 1.
LMS = np.array([
    [0.4122214708, 0.5363325363, 0.0514459929],
    [0.2119034982, 0.6806995451, 0.1073969566],
    [0.0883024619, 0.2817188376, 0.6299787005],
])  # fmt: skip
LAB = np.array([
    [0.2104542553, 0.7936177850, -0.0040720468],
    [1.9779984951, -2.4285922050, 0.4505937099],
    [0.0259040371, 0.7827717662, -0.8086757660],
])  # fmt: skip
APART = 0.08
"""Okabe and Ito's own blue and green are 0.086 apart for tritanopes, the nearest of their first."""
CONTRAST = 3.0
"""WCAG 2.2, 1.4.11, for what is needed to understand a picture."""


def pairs(name: str) -> list[tuple[str, str]]:
    style = files("siffra.web").joinpath("static/style.css").read_text("utf-8")
    return re.findall(rf"{name}: light-dark\((#\w{{6}}), (#\w{{6}})\);", style)


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(colour: str) -> float:
    return float(linear(colour) @ [0.2126, 0.7152, 0.0722]) + 0.05


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize("eyes", SEEN_BY)
def test_eight_levels_are_told_apart_by(eyes, theme):
    colours = [pair[theme] for pair in pairs(r"--level-\d")]
    seen = [np.clip(np.array(SEEN_BY[eyes]) @ linear(colour), 0, 1) for colour in colours]
    places = [LAB @ np.cbrt(LMS @ each) for each in seen]

    assert len(places) == 8
    nearest = min(np.linalg.norm(a - b) for a, b in itertools.combinations(places, 2))
    assert nearest >= APART


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_levels_stand_out_from_the_paper(theme):
    paper = luminance(pairs("--paper")[0][theme])

    for pair in pairs(r"--level-\d"):
        light, dark = sorted((luminance(pair[theme]), paper), reverse=True)
        assert light / dark >= CONTRAST, pair[theme]
