"""A text from a config: any file trains, its vocabulary sizes the net, and what does not fit is one line."""

import jax
import numpy as np
import pytest

from jaxnn.config import load
from jaxnn.config.data_sizes import needs_data_sizes
from jaxnn.config.experiment import make_experiment
from jaxnn.config.loaded_data import load_data, with_data_sizes
from jaxnn.data import Reader
from jaxnn.data.reader import rebuild_reader
from jaxnn.data.text import TextReader
from jaxnn.errors import UserError
from jaxnn.runs.run import fit, load_run

CONFIG = """
title = "characters"
data = { name = "text", file = "mine.txt", window = 5, validation = 0.1 }
net = [
    { layer = "embedding", rows = "tokens", units = 7 },
    { layer = "recur", cell = { name = "gru", units = 11 } },
    { layer = "dense", units = "classes" },
]
loss = { name = "softmax_cross_entropy" }
optimizer = { name = "adam", learning_rate = 0.01 }
train = { epochs = 2, batch_size = 3, best = "validation.loss" }
"""
TEXT = "the cat sat on the mat. " * 20


def text_reader(reader: Reader | None) -> TextReader:
    assert isinstance(reader, TextReader)
    return reader


@pytest.fixture
def config_file(tmp_path):
    (tmp_path / "mine.txt").write_text(TEXT, encoding="utf-8")
    path = tmp_path / "config.toml"
    path.write_text(CONFIG, encoding="utf-8")
    return path


def test_text_trains_by_windows_and_its_vocabulary_sizes_the_net(config_file, tmp_path):
    config = load(config_file)
    experiment = make_experiment(config)
    characters = sorted(set(TEXT))
    assert experiment.data.classes == tuple(characters)
    rows = [a.shape for a in jax.tree.leaves(experiment.bound().init(jax.random.key(0), experiment.source.example))]
    assert (len(characters), 7) in rows and (11, len(characters)) in rows
    assert experiment.source.example[0].shape == (3, 5) and experiment.source.steps == 28
    assert experiment.validation is not None and experiment.validation[0].shape == (9, 5)
    run = fit(experiment, tmp_path / "run")
    assert run.manifest is not None and run.manifest["data"]["split"] == {"train": 86, "validation": 9}
    # The run holds the sizes and the vocabulary: it is read without the text.
    assert not needs_data_sizes(load(tmp_path / "run" / "config.toml"))
    (tmp_path / "mine.txt").unlink()
    manifest = load_run(tmp_path / "run").manifest
    assert manifest is not None
    reader = text_reader(rebuild_reader(manifest["data"]["reader"]))
    assert reader.decode(reader.encode("the mat")) == "the mat"


def test_steps_of_an_epoch_may_exceed_a_pass(config_file):
    assert make_experiment(load(config_file, ["train.steps=100"])).source.steps == 100
    with pytest.raises(UserError, match=r"train.steps: expected a text, found examples"):
        make_experiment(load("digits_mlp", ["train.steps=100"]))


def test_sizes_that_follow_from_the_data_are_known_with_them(config_file):
    config = with_data_sizes(load(config_file))
    sizes = [table.model_dump() for table in config.net]
    assert sizes[0]["rows"] == sizes[2]["units"] == len(set(TEXT))
    assert with_data_sizes(config) is config
    other = load(config_file, ['data.tokens="bytes"'])
    assert with_data_sizes(other).net[0].model_dump()["rows"] == 256


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.validation=0.001"], "which is none|at least one window of 5 places"),
        (["data.validation=0.005"], "at least one window of 5 places, found 2; choose a smaller window"),
        (["train.batch_size=full"], "train.batch_size: expected the windows of a step, found full"),
        (["train.batch_size=100"], "at least 100 windows of 5 places, found 431 places, 85 windows"),
        (["data.preprocess=unit"], "expected x to hold floats or uint8 pixels"),
        (["data.window=480"], "at least 481 characters, one window, found 480"),
        (["data.file=none.txt"], "found no none.txt"),
    ],
)
def test_text_that_does_not_fit_is_refused_in_one_line(config_file, overrides, message):
    with pytest.raises(UserError, match=message) as error:
        make_experiment(load(config_file, overrides))
    assert "\n" not in str(error.value)


def test_size_of_classes_is_refused_for_numbers(tmp_path):
    for word in ("classes", "tokens"):
        with pytest.raises(UserError, match=f'data with {word} for units = "{word}", found none'):
            make_experiment(load("cosine_denoise", [f"net.0.units={word}"]))


def test_data_of_a_text_are_in_order_for_every_seed(config_file):
    data = load_data(load(config_file, ["data.seed=3"]))
    train, validation, _ = data.splits[0]
    assert text_reader(data.dataset.reader).decode(train.x) == TEXT[: len(train.x)]
    assert validation is not None and np.ndim(validation.x) == 2
