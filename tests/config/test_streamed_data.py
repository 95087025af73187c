"""`data.where`: a config whose examples are streamed trains as one that has them in memory."""

import chex
import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.config import load, loaded_data
from jaxnn.config.experiment import make_experiment
from jaxnn.data.rows import Rows, array_rows
from jaxnn.engine.driver import drive
from jaxnn.errors import UserError
from jaxnn.report.figured_examples import figured_examples

SHORT = ("data.train=200", "data.validation=30", "data.test=20", "train.epochs=2", "train.batch_size=32")


@pytest.fixture(autouse=True)
def command_line_numerics():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


def experiment(*overrides, name="digits_mlp", seeds=(0, 1)):
    return make_experiment(load(name, [*SHORT, *overrides]), seeds=seeds)


@pytest.mark.parametrize("preprocess", ["unit", "normalize", "whiten"])
def test_streamed_digits_train_as_those_in_memory(preprocess):
    stream, memory = (
        experiment(f"data.where={where}", f"data.preprocess={preprocess}") for where in ("stream", "device")
    )
    assert stream.source.block and not memory.source.block
    assert isinstance(jax.tree.leaves(stream.examples("train"))[0], Rows)
    chex.assert_trees_all_equal(drive(stream.job()).history, drive(memory.job()).history)


@pytest.mark.figures
@pytest.mark.parametrize("where", ["stream", "auto"])
def test_file_stays_on_the_disk_and_trains_as_if_it_were_read(tmp_path, monkeypatch, where):
    draw = np.random.default_rng(0)
    np.save(tmp_path / "x.npy", draw.integers(0, 256, (300, 8, 8), np.uint8))
    np.save(tmp_path / "y.npy", np.arange(300) % 10)
    if where == "auto":  # as on a machine with little memory
        monkeypatch.setattr(loaded_data, "host_memory_bytes", lambda: 20_000)
    file = [f"data.path={tmp_path / 'x.npy'}", f"data.y_path={tmp_path / 'y.npy'}"]
    text = (
        'title = "npy"\n[data]\nname = "arrays"\npath = "x"\ny_path = "y"\npreprocess = "normalize"\n'
        '[[net]]\nlayer = "flatten"\n[[net]]\nlayer = "dense"\nunits = 10\n[loss]\nname = "softmax_cross_entropy"\n'
        '[optimizer]\nname = "adam"\nlearning_rate = 0.01\n[train]\nepochs = 2\nbatch_size = 32\nbest = "train.loss"\n'
    )
    (tmp_path / "config.toml").write_text(text)
    overrides = [*SHORT, *file]
    stream = make_experiment(load(tmp_path / "config.toml", [*overrides, f"data.where={where}"]), seeds=(0,))
    memory = make_experiment(load(tmp_path / "config.toml", [*overrides, "data.where=device"]), seeds=(0,))
    assert stream.source.block and not memory.source.block
    chex.assert_trees_all_equal(drive(stream.job()).history, drive(memory.job()).history)
    # What is evaluated in every epoch is in memory; what is evaluated once stays where it is.
    assert isinstance(jax.tree.leaves(stream.validation)[0], np.ndarray)
    assert isinstance(jax.tree.leaves(stream.test)[0], Rows)
    folders = [tmp_path / "stream", tmp_path / "memory"]
    runs = [jaxnn.fit(made, folder) for made, folder in zip((stream, memory), folders, strict=True)]
    chex.assert_trees_all_equal(*(run.scores for run in runs))
    pictures = [sorted(path.name for path in (folder / "figures").iterdir()) for folder in folders]
    assert pictures[0] == pictures[1] and "confusion.png" in pictures[0]


def test_figures_of_a_part_in_a_file_are_drawn_from_examples_all_over_it(monkeypatch):
    made = experiment("data.where=stream")
    x = np.arange(20, dtype=np.float32).reshape(10, 2)
    made = made._replace(test=(array_rows(x), array_rows(np.arange(10))))
    assert np.array_equal(jax.tree.leaves(figured_examples(made, "test"))[1], np.arange(10))
    row_bytes = 2 * 4 + 8
    monkeypatch.setattr("jaxnn.report.figured_examples.FIGURE_BYTES", 4 * row_bytes)
    _, numbers = jax.tree.leaves(figured_examples(made, "test"))
    assert numbers.tolist() == [0, 2, 5, 7]


def test_small_data_are_in_memory_unless_the_config_says_otherwise():
    assert experiment().source.block == 0 and experiment("data.where=auto").source.block == 0


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["train.batch_size=full"], "expected mini-batches for a stream"),
        (["data.per_seed=true"], "expected one data set for all seeds"),
    ],
)
def test_data_that_cannot_be_streamed_are_refused(overrides, expected):
    with pytest.raises(UserError, match=expected):
        experiment("data.where=stream", *overrides)
