"""The colours can be told apart by those who do not see all of them."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from jaxnn.plots import style

# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as each kind of eye sees it.
SIGHT = {
    "all cones": np.eye(3),
    "no long": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no middle": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no short": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
APART = 15  # CIELAB; 2 is about what can be seen side by side, thin lines need far more


def lab(colour, sight: str) -> np.ndarray:
    """CIELAB (D65) of an sRGB colour as seen."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(SIGHT[sight]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear / (0.9505, 1.0, 1.089)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(one, other, sight: str) -> float:
    return float(np.linalg.norm(lab(one, sight) - lab(other, sight)))


@pytest.mark.parametrize("sight", SIGHT)
def test_any_two_colours_of_the_palette_are_apart(sight):
    assert min(distance(a, b, sight) for a, b in combinations(style.PALETTE, 2)) > APART


def test_the_measure_sees_that_red_and_green_are_not():
    assert distance("#d62728", "#2ca02c", "no middle") < APART < distance("#d62728", "#2ca02c", "all cones")


@pytest.mark.parametrize("sight", SIGHT)
def test_opposite_weights_are_apart_and_zero_is_white(sight):
    cmap = style.diverging()
    for size in (0.1, 0.2, 0.3, 0.5):
        assert distance(cmap(0.5 - size), cmap(0.5 + size), sight) > APART
    assert distance(cmap(0.5), "white", sight) < 2


@pytest.mark.parametrize("sight", SIGHT)
def test_more_is_darker(sight):
    lightness = [lab(style.sequential()(v), sight)[0] for v in np.linspace(0, 1, 41)]
    assert all(np.diff(lightness) < 0)


def test_no_two_lines_look_alike():
    assert len({style.line(i) for i in range(32)}) == 32
