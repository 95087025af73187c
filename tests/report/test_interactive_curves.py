"""Curves that answer the pointer without a script: every evaluation can be read off, bands span the seeds."""

import itertools
import re

import numpy as np
import pytest

from jaxnn.report.interactive_curves import MAX_PLACES, curve_figures

HISTORY = {
    "epoch": np.arange(1, 6) * 10,
    "train_loss": np.array([[5.0, 4, 3, 2, 1], [7.0, 6, 5, 4, 3]]),
    "validation_loss": np.array([[np.nan, 4, np.nan, 2, 1], [np.nan, 6, np.nan, np.nan, 3]]),
    "train_accuracy": np.full((2, 5), 0.5),
}


def test_each_evaluation_is_said_with_the_spread_of_its_seeds():
    (title, figure), _ = curve_figures(HISTORY)
    assert title == "Loss (mean per example)"
    slices = re.findall(r'<g class="slice">(.*?)</g>', figure)
    said = [re.findall(r"<text[^>]*>(.*?)</text>", part) for part in slices]
    assert said[0] == ["epoch 10", "train 6 (5 … 7)"]
    assert said[1] == ["epoch 20", "train 5 (4 … 6)", "validation 5 (4 … 6)"]
    assert said[3] == ["epoch 40", "train 3 (2 … 4)", "validation 2 (2 … 2)"]
    assert len(said) == 5 and "last: train 2, validation 2" in figure


def test_the_strips_cover_the_curve_without_a_gap():
    (_, figure), _ = curve_figures(HISTORY)
    edges = [tuple(map(float, pair)) for pair in re.findall(r'<rect x="([\d.]+)" y="0" width="([\d.]+)"', figure)]
    for (left, width), (following, _) in itertools.pairwise(edges):
        assert left + width == pytest.approx(following, abs=0.11)


def test_shares_are_in_percent_and_a_constant_curve_has_a_scale():
    _, (title, figure) = curve_figures(HISTORY)
    assert title == "Accuracy (%)" and "train 50 (50 … 50)" in figure and "nan" not in figure


def test_the_numbers_of_the_scale_are_whole():
    ((_, figure),) = curve_figures({"epoch": np.arange(2), "train_loss": np.array([[-1.234e-5, -2.345e-5]])})
    numbers = re.findall(r'<text x="(\d+)" [^>]*text-anchor="end">(-[^<]*)</text>', figure)
    # A digit of 12.5 px is at most 7.6 px wide.
    assert len(numbers) == 3 and all(int(right) >= 7.6 * len(number) for right, number in numbers)


def test_a_long_history_is_thinned_and_keeps_its_ends():
    history = {"epoch": np.arange(1, 5001), "train_loss": np.linspace(2, 1, 5000)[None]}
    ((_, figure),) = curve_figures(history)
    assert figure.count('class="slice"') == MAX_PLACES
    assert "epoch 1<" in figure and "epoch 5,000<" in figure


def test_what_was_not_measured_has_no_figure():
    assert curve_figures({"epoch": np.array([1]), "train_loss": np.ones((1, 1))}) == []
    assert curve_figures({"epoch": np.arange(3), "train_loss": np.full((1, 3), np.nan)}) == []


def test_every_metric_that_was_measured_has_a_figure():
    history = HISTORY | {"train_mean_iou": np.full((2, 5), 0.5), "train_r2": np.full((2, 5), np.nan)}
    titles = [title for title, _ in curve_figures(history)]
    assert titles == ["Loss (mean per example)", "Accuracy (%)", "Mean intersection over union"]


def test_nothing_in_it_runs():
    (_, figure), _ = curve_figures(HISTORY)
    assert not re.search(r"<script|\son\w+=|href|javascript", figure)
