"""The colours are distinguishable with every kind of colour blindness."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from jaxnn.plots import style

# Machado, Oliveira and Fernandes (2009), severity 1: linear RGB as each kind of vision perceives it.
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
MIN_DISTANCE = 15  # CIELAB; about 2 is visible for adjacent areas, thin lines need far more


def lab(colour, vision: str) -> np.ndarray:
    """CIELAB (D65) of an sRGB colour as perceived."""
    rgb = np.asarray(to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(VISION[vision]) @ linear, 0, 1)
    to_xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    xyz = to_xyz @ linear / (0.9505, 1.0, 1.089)
    x, y, z = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def distance(first, second, vision: str) -> float:
    return float(np.linalg.norm(lab(first, vision) - lab(second, vision)))


@pytest.mark.parametrize("vision", VISION)
def test_palette_colours_are_distinguishable(vision):
    assert min(distance(a, b, vision) for a, b in combinations(style.PALETTE, 2)) > MIN_DISTANCE


def test_colour_distance_detects_red_and_green_confusion():
    assert distance("#d62728", "#2ca02c", "deuteranopia") < MIN_DISTANCE < distance("#d62728", "#2ca02c", "normal")


@pytest.mark.parametrize("vision", VISION)
def test_diverging_colours_are_distinguishable_with_white_at_zero(vision):
    cmap = style.diverging()
    for size in (0.1, 0.2, 0.3, 0.5):
        assert distance(cmap(0.5 - size), cmap(0.5 + size), vision) > MIN_DISTANCE
    assert distance(cmap(0.5), "white", vision) < 2


@pytest.mark.parametrize("vision", VISION)
def test_sequential_colours_darken_monotonically(vision):
    lightness = [lab(style.sequential()(v), vision)[0] for v in np.linspace(0, 1, 41)]
    assert all(np.diff(lightness) < 0)


def test_class_styles_are_distinct():
    assert len({style.class_style(i) for i in range(56)}) == 56


def test_line_styles_are_distinct():
    assert len({style.line_style(i) for i in range(32)}) == 32
