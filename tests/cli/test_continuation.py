"""`jaxnn train --from RUN`: more epochs after a finished run, to the bit; on other data, from its parameters alone."""

import json
import shutil

import jax
import numpy as np
import optax
import pytest

import jaxnn as nn
from jaxnn.config import load
from jaxnn.config.experiment import make_experiment
from jaxnn.errors import UserError
from jaxnn.runs.run import fit
from jaxnn.storage.arrays import load_arrays
from jaxnn.storage.files import read_checksummed_json, sha256, write_checksummed_json

#: Dropout, Adam, a schedule and an average: all that a state can hold; two seeds.
SMALL = (
    "digits_mlp", "--data.train", 163, "--net.1.units", 7, "--optimizer.average", 0.9, "--seeds", 2, "--seed", 5,
    "--optimizer.learning_rate=", "--optimizer.schedule={name='cosine_decay_schedule',init_value=0.01,decay_steps=99}",
)  # fmt: skip
RESULTS = ("best.safetensors", "last.safetensors", "history.csv")
#: An experiment in a Python file, of three seeds.
MINE = """
import numpy as np
import optax

from jaxnn import Experiment, Plan, accuracy, dense, dropout, in_memory, serial, softmax_cross_entropy, supervised, tanh

draw = np.random.default_rng(0)
x = draw.normal(size=(131, 2)).astype(np.float32)
target = (np.hypot(*x.T) > 1.2).astype(np.int32)
model = serial(dense(7), tanh(), dropout(0.1), dense(2))
experiment = Experiment(
    lambda h: supervised(model, softmax_cross_entropy(), optax.adam(h["rate"]), metrics={"accuracy": accuracy}),
    in_memory(x[:97], target[:97], batch_size=16),
    Plan(epochs=2, best="validation.loss"),
    validation=(x[97:], target[97:]),
    hyperparameters={"rate": 0.01},
    seeds=(0, 3, 4),
)
"""


def results(run):
    return {name: (run / name).read_bytes() for name in RESULTS}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


@pytest.fixture
def short(made, jaxnn):
    """A finished run of 2 epochs, which the first test trains."""
    if not (made / "short").exists():
        code, _, err = jaxnn("train", *SMALL, "--train.epochs", 2, "--out", made / "short")
        assert code == 0, err
    return made / "short"


def test_continued_run_equals_a_run_of_all_its_epochs_to_the_bit(short, jaxnn, tmp_path):
    assert jaxnn("train", *SMALL, "--train.epochs", 5, "--out", tmp_path / "whole")[0] == 0
    code, out, err = jaxnn("train", "--from", short, "--train.epochs", 5, "--out", tmp_path / "more")
    assert (code, err) == (0, "") and f"continues {short} after epoch 2, to epoch 5" in out
    assert results(tmp_path / "more") == results(tmp_path / "whole")
    # In two stages as well.
    assert jaxnn("train", "--from", short, "--train.epochs", 3, "--out", tmp_path / "three")[0] == 0
    assert jaxnn("train", "--from", tmp_path / "three", "--train.epochs", 5, "--out", tmp_path / "five")[0] == 0
    assert results(tmp_path / "five") == results(tmp_path / "whole")


def test_continued_run_says_where_it_came_from_and_repeats_without_that_run(short, jaxnn, tmp_path):
    origin = shutil.copytree(short, tmp_path / "origin")
    assert jaxnn("train", "--from", origin, "--train.epochs", 4, "--out", tmp_path / "more")[0] == 0
    facts = read_checksummed_json(tmp_path / "more" / "manifest.json")["from"]
    assert facts["name"] == "origin" and facts["epochs"] == 2 and facts["state"] == "whole"
    assert facts["sha256"] == sha256(origin / facts["file"])
    assert facts["run"] == read_checksummed_json(origin / "manifest.json")["run"]
    shutil.rmtree(origin)
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "more").rename(tmp_path / "elsewhere" / "moved")
    code, out, err = jaxnn("rerun", moved)
    assert (code, err) == (0, "") and "bit-equal" in out and "not bit-equal" not in out
    assert jaxnn("checkpoint", "verify", moved)[0] == 0


def test_continued_run_takes_another_rate_batch_size_and_patience(short, jaxnn, tmp_path):
    words = (
        "--train.batch_size",
        16,
        "--net.3.rate",
        0.2,
        "--train.patience",
        9,
        "--optimizer.schedule.init_value",
        0.1,
    )
    code, _, err = jaxnn("train", "--from", short, "--train.epochs", 4, "--out", tmp_path / "more", *words)
    assert (code, err) == (0, "")
    manifest = read_checksummed_json(tmp_path / "more" / "manifest.json")
    assert manifest["epochs"] == [4, 4] and manifest["from"]["steps"] == 2 * (163 // 16)
    assert manifest["hyperparameters"]["net.3.rate"] == 0.2
    old, new = (np.genfromtxt(run / "history.csv", delimiter=",", skip_header=1) for run in (short, tmp_path / "more"))
    assert len(old) == 8 and len(new) == 16
    np.testing.assert_array_equal(new[[0, 1, 2, 3]][:, 3:], old[[0, 1, 2, 3]][:, 3:])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("--train.epochs", 2),
            "has trained 2 epochs: expected more, found 2 in all; --train.epochs 3 trains one more",
        ),
        (("--net.1.units", 8), "expected the same net.1.units as in the run that is continued"),
        (("--train.best", "train.loss"), "expected the same train.best"),
        (("--optimizer.l2", 0.01), "expected the same optimizer.l2"),
        (("--data.preprocess", "none"), "expected the same data.preprocess"),
        (("--train.precision", "bfloat16"), "expected the same train.precision"),
        (("--seeds", 3), "expected its seeds [5, 6], found [5, 6, 7]"),
        (("--data.seed", 1, "--net.1.units", 8), "expected parameters that fit the net and the data"),
    ],
)
def test_change_that_a_state_does_not_allow_is_refused_in_one_line(short, jaxnn, tmp_path, words, message):
    epochs = () if "--train.epochs" in words else ("--train.epochs", 4)
    code, _, err = jaxnn("train", "--from", short, *epochs, *words, "--out", tmp_path / "more")
    assert code == 2 and message in err and len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_run_that_is_not_finished_is_not_continued(short, jaxnn, tmp_path):
    run = shutil.copytree(short, tmp_path / "run")
    facts = read_checksummed_json(run / "manifest.json")
    write_checksummed_json(run / "manifest.json", facts | {"status": "interrupted"})
    code, _, err = jaxnn("train", "--from", run, "--train.epochs", 4)
    assert code == 2 and f"`jaxnn resume {run}` continues it" in err


def test_run_on_other_data_starts_from_the_best_parameters_alone_and_says_so(short, jaxnn, tmp_path):
    out = tmp_path / "tuned"
    code, text, err = jaxnn("train", "--from", short, "--data.seed", 1, "--train.epochs", 1, "--out", out)
    assert (code, err) == (0, "") and "starts at epoch 0 from the best parameters of" in text
    facts = read_checksummed_json(out / "manifest.json")["from"]
    assert facts["state"] == "parameters" and facts["sha256"] == sha256(short / "best.safetensors")
    first = load_arrays(out / "checkpoints" / f"{0:012}" / "state.safetensors")
    best = {name.removeprefix("params/"): a for name, a in load_arrays(short / "best.safetensors").items()}
    best = {name: a for name, a in best.items() if not name.startswith("stats/")}
    for group in ("state/update/params", "state/update/average", "state/best/params"):
        for name, array in best.items():
            np.testing.assert_array_equal(first[f"{group}/{name}"], array)
    moments = [a for name, a in first.items() if name.startswith("state/update/optimizer")]
    assert moments and not any(a.any() for a in moments)
    assert "bit-equal" in jaxnn("rerun", out)[1]


def test_python_run_is_continued_by_the_command_line_and_by_fit(jaxnn, tmp_path):
    (tmp_path / "mine.py").write_text(MINE)
    target = f"{tmp_path / 'mine.py'}:experiment"
    assert jaxnn("train", target, "--train.epochs", 6, "--out", tmp_path / "whole")[0] == 0
    assert jaxnn("train", target, "--out", tmp_path / "short")[0] == 0
    code, _, err = jaxnn("train", "--from", tmp_path / "short", "--train.epochs", 6, "--out", tmp_path / "more")
    assert (code, err) == (0, "")
    assert results(tmp_path / "more") == results(tmp_path / "whole")
    assert "bit-equal" in jaxnn("rerun", tmp_path / "more")[1]
    code, _, err = jaxnn("train", "--from", tmp_path / "short", "--train.epochs", 4, "--seeds", 2)
    assert code == 2 and "expected its seeds [0, 3, 4], found [0, 1]" in err


def test_fit_from_a_run_without_a_folder_equals_the_whole_run(tmp_path):
    def experiment(epochs):
        config = load("digits_mlp", ["data.train=163", "net.1.units=7", f"train.epochs={epochs}"])
        return make_experiment(config, seeds=(1,))

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        whole = fit(experiment(3))
        fit(experiment(1), tmp_path / "short")
        more = fit(experiment(3), from_run=tmp_path / "short")
        with pytest.raises(UserError, match="expected resume or from_run, found both"):
            fit(experiment(3), tmp_path / "short", resume=True, from_run=tmp_path / "short")
    for a, b in zip(jax.tree.leaves(whole.params), jax.tree.leaves(more.params), strict=True):
        np.testing.assert_array_equal(a, b)
    assert json.dumps({k: v.tolist() for k, v in whole.history.items()}) == json.dumps(
        {k: v.tolist() for k, v in more.history.items()}
    )


def test_experiment_with_more_seeds_than_its_stacked_data_is_refused():
    x = np.zeros((2, 31, 3), np.float32)
    update = nn.supervised(nn.dense(1), nn.mean_squared_error(), optax.sgd(0.1))
    source = nn.in_memory(x[0], x[0, :, :1])._replace(load=lambda *where: (x, x[..., :1]))
    experiment = nn.Experiment(update, source, nn.Plan(epochs=1), seeds=(0, 1), stacked=True)
    assert experiment.check() is experiment
    with pytest.raises(UserError, match="expected data stacked for 3 seeds, with that many rows"):
        experiment._replace(seeds=(0, 1, 2)).check()
