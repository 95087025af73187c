"""Forecasts of a series in its own units: the metric, the rows of a prediction, the figure."""

from typing import Any

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.experiment.definition import seed_params
from jaxnn.report.forecast_figure import forecast_figure, in_units
from jaxnn.report.prediction_rows import prediction_rows


def test_forecasts_are_told_in_the_units_of_the_series(tmp_path):
    value = 500 + 100 * np.sin(np.arange(200) * 2 * np.pi / 12)
    (tmp_path / "series.csv").write_text("value\n" + "\n".join(map(str, value)), "utf-8")
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        run: Any = jaxnn.fit(make_experiment(load("airline_lstm", [f"data.file={tmp_path}/series.csv"])))
        reader, scores = run.experiment.data.reader, run.scores["test"]
        assert scores["mae_in_units"][0] == pytest.approx(scores["mae"][0] * reader.scale)
        assert scores["mae_in_units"][0] < 30
        x, y = run.experiment.examples("test")
        rows = prediction_rows(run.experiment, run.predict(x))
        (figure,) = forecast_figure(run.experiment, seed_params(run.params, 0))
    predicted, true = np.asarray([row["output"] for row in rows]), in_units(reader, y)[:, 0]
    assert np.abs(true - value[-len(true) :]).max() < 1e-3
    assert np.abs(predicted - true).mean() == pytest.approx(scores["mae_in_units"][0], rel=1e-3)
    lines = {line.get_label(): line.get_ydata() for line in figure.figure.axes[0].lines}
    assert np.allclose(lines["truth"], true) and np.allclose(lines["a step ahead"], predicted, rtol=1e-5)
    # What runs on from its own numbers begins as the step ahead does, and still is a wave.
    running = np.asarray(lines["running on from its own numbers"])
    assert running[0] == pytest.approx(predicted[0], rel=1e-5) and np.abs(running - true).mean() < 60
