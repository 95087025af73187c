"""Series and sequences of numbers: windows, the numbers after them, and scaling by the training part alone."""

import json

import numpy as np
import pytest

from jaxnn.config import load as load_config
from jaxnn.config.loaded_data import load_data
from jaxnn.data import load
from jaxnn.data.reader import rebuild_reader
from jaxnn.data.series import SeriesReader
from jaxnn.errors import UserError

CONFIG = """
title = "series"
data = {{ name = "series", file = "a.csv", window = 3, horizon = {horizon}, validation = 0.25, test = 0.25 }}
net = [{{ layer = "flatten" }}, {{ layer = "dense", units = {horizon} }}]
loss = {{ name = "mean_squared_error" }}
optimizer = {{ name = "sgd", learning_rate = 0.1 }}
train = {{ epochs = 1, best = "validation.loss" }}
"""


def test_window_of_a_series_is_followed_by_its_target(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("month,number,other\n" + "".join(f"m{i},{i},0\n" for i in range(10)))
    for column in ("number", 1, -2):
        x, y = load("series", {"file": str(file), "window": 3, "horizon": 2, "column": column}).train
        np.testing.assert_array_equal(x[..., 0], np.arange(6)[:, None] + np.arange(3))
        np.testing.assert_array_equal(y, np.arange(6)[:, None] + np.array([3, 4]))


@pytest.mark.parametrize("horizon", [1, 3])
def test_series_is_scaled_by_its_training_part_and_no_target_is_in_two_parts(tmp_path, horizon):
    values = np.random.default_rng(1).normal(50, 9, 60).round(3)
    (tmp_path / "a.csv").write_text("".join(f"{v}\n" for v in values))
    (tmp_path / "config.toml").write_text(CONFIG.format(horizon=horizon))
    data = load_data(load_config(tmp_path / "config.toml"))
    train, validation, test = data.splits[0]
    assert isinstance(data.dataset.reader, SeriesReader) and validation is not None and test is not None
    reader = data.dataset.reader
    places = 3 + train.num_examples + horizon - 1
    np.testing.assert_allclose([reader.mean, reader.scale], [values[:places].mean(), values[:places].std()], rtol=1e-5)
    targets = [
        set((part.y * reader.scale + reader.mean).round(3).ravel().tolist()) for part in (train, validation, test)
    ]
    assert not (targets[0] & targets[1] or targets[1] & targets[2])
    np.testing.assert_allclose(test.y[-1] * reader.scale + reader.mean, values[-horizon:], rtol=1e-5)
    assert validation.num_examples > 0
    # A later file is scaled alike.
    np.testing.assert_allclose(reader.inputs(tmp_path / "a.csv")[0], train.x[0], atol=1e-5)
    assert rebuild_reader(json.loads(json.dumps(reader.settings()))) == reader
    with pytest.raises(UserError, match="reader series"):
        rebuild_reader(reader.settings() | {"scale": 0.0})


def test_constant_series_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("7\n" * 60)
    (tmp_path / "config.toml").write_text(CONFIG.format(horizon=1))
    with pytest.raises(UserError, match="different numbers, found 7 alone"):
        load_data(load_config(tmp_path / "config.toml"))


def test_ts_file_has_series_of_different_lengths(tmp_path):
    file, other = tmp_path / "a.ts", tmp_path / "b.ts"
    head = "# a comment\n@problemName p\n@timeStamps false\n@classLabel true u v\n@data\n"
    file.write_text(head + "1,2,3:4,5,6:v\n7:8:u\n")
    other.write_text(head + "1,2,3,4,5:4,5,6,7,8:u\n")
    data = load("ts", {"file": str(file), "test_file": str(other)})
    assert data.classes == ("u", "v") and data.train.y.tolist() == [1, 0]
    assert data.train.x.lengths.tolist() == [3, 1] and data.train.x.values.shape == (2, 5, 2)
    np.testing.assert_array_equal(data.train.x.values[0, :3], [[1, 4], [2, 5], [3, 6]])
    assert not data.train.x.values[0, 3:].any() and not data.train.x.values[1, 1:].any()
    assert data.test is not None and data.test.x.values.shape == (1, 5, 2)
    assert data.reader is not None
    assert rebuild_reader(json.loads(json.dumps(data.reader.settings()))) == data.reader


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("@classLabel true u v\n1:u\n", "line 2: expected a header line"),
        ("@classLabel true u v\n@data\n1:w\n", "line 3: expected a class of u, v, found 'w'"),
        ("@classLabel true u v\n@data\n1:u\n1:2:v\n", "line 4: expected 1 dimensions"),
        ("@classLabel true u v\n@timeStamps true\n@data\n1:u\n", "expected @timeStamps false"),
        ("@classLabel true u v\n@data\n", "expected series behind @data, found none"),
        ("@data\n1:u\n", "expected a header line @classLabel true"),
    ],
)
def test_ts_file_is_refused_with_its_line(tmp_path, content, message):
    (tmp_path / "a.ts").write_text(content)
    with pytest.raises(UserError, match=message) as error:
        load("ts", {"file": str(tmp_path / "a.ts")})
    assert "\n" not in str(error.value)


def test_adding_problem_is_the_sum_of_two_marked_numbers():
    x, y = load("adding", {"n": 50, "length": 7}, seed=3).train
    numbers, marks = x[..., 0], x[..., 1]
    assert (marks[:, :3].sum(1) == 1).all() and (marks[:, 3:].sum(1) == 1).all()
    np.testing.assert_allclose((numbers * marks).sum(1), y[:, 0], rtol=1e-6)
    assert numbers.min() >= 0 and numbers.max() < 1
    assert not np.array_equal(load("adding", {"n": 50, "length": 7}, seed=4).train.x, x)
    with pytest.raises(UserError, match="adding: length: expected from 2"):
        load("adding", {"length": 1})
