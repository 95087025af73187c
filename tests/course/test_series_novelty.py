"""Anomalies of a series: the places of labelled windows, and the alarms of an autoencoder."""

import json
from datetime import datetime, timedelta

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.course.series_novelty import alarms, labelled_places
from jaxnn.errors import UserError


@pytest.fixture
def files(tmp_path):
    """A wave of 24 hours for 800 hours; it is still from hour 600 to 620, and hours 598 to 624 are labelled."""
    hours = [datetime(2026, 1, 1) + timedelta(hours=i) for i in range(800)]
    value = 10 + np.sin(np.arange(800) * 2 * np.pi / 24) + 0.05 * np.random.default_rng(0).normal(size=800)
    value[600:620] = 10
    rows = [f"{hour},{number:.5f}" for hour, number in zip(hours, value, strict=True)]
    (tmp_path / "series.csv").write_text("\n".join(["timestamp,value", *rows]), "utf-8")
    windows = {"series.csv": [[str(hours[598]), str(hours[624])], [str(hours[700]), str(hours[705])]]}
    (tmp_path / "windows.json").write_text(json.dumps(windows), "utf-8")
    return tmp_path


def test_labelled_places_are_those_between_the_times(files):
    places = labelled_places(files / "series.csv", files / "windows.json")
    assert [np.flatnonzero(inside)[[0, -1]].tolist() for inside in places] == [[598, 624], [700, 705]]
    (files / "windows.json").write_text("[1, 2]", "utf-8")
    with pytest.raises(UserError, match=r"expected windows \[begin, end\]"):
        labelled_places(files / "series.csv", files / "windows.json")


def test_what_is_still_is_found_and_what_is_ordinary_is_not(files):
    wave = [f"data.file={files}/series.csv", "data.window=24", "net.6.units=24", "net.7.shape=[24, 1]"]
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        run = jaxnn.fit(make_experiment(load("taxi_novelty", wave)))
        found = alarms(run.experiment, run.params, f"{files}/series.csv", f"{files}/windows.json", None)
        whole = {"series.csv": [["2026-01-01", "2026-12-31"]]}
        (files / "windows.json").write_text(json.dumps(whole), "utf-8")
        all_labelled = alarms(run.experiment, run.params, f"{files}/series.csv", f"{files}/windows.json", None)
    assert found.found.tolist() == [1] and found.labelled == 2
    assert found.false_share[0] < 0.05
    assert np.isnan(all_labelled.false_share).all()
