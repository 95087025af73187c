"""Autoencoders, variational autoencoders, novelty detection, samples and their judge, from configs."""

from typing import Any

import jax
import numpy as np
import pytest
from jax import numpy as jnp

import jaxnn
from jaxnn.config import ConfigError, load
from jaxnn.config.experiment import make_experiment
from jaxnn.errors import UserError
from jaxnn.experiment.definition import seed_params
from jaxnn.experiment.judge import class_index, frechet_distance, judge, nearest
from jaxnn.experiment.sampling import draw_samples
from jaxnn.metrics import mean_iou
from jaxnn.report.prediction_rows import prediction_rows
from jaxnn.runs.sample_arrays import POINTS, TIMES, SampleArrays, read_sample_arrays
from jaxnn.variational import decode, log_likelihood


@pytest.fixture(autouse=True)
def command_line_numerics():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


def run_of(config, *overrides) -> Any:
    return jaxnn.fit(make_experiment(load(config, [*overrides, "train.eval_every=5"])))


@pytest.fixture(scope="module")
def autoencoder_run():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield run_of("digits_vae", "train.epochs=30")


def test_variational_autoencoder_measures_both_terms_and_the_likelihood(autoencoder_run):
    scores = autoencoder_run.scores["test"]
    assert scores["loss"][0] == pytest.approx(scores["reconstruction"][0] + scores["divergence"][0], rel=1e-5)
    assert "likelihood" not in autoencoder_run.scores["train"]
    # More draws bound the likelihood more closely than one does.
    assert -scores["loss"][0] < scores["likelihood"][0] < 0
    assert autoencoder_run.sample(5).shape == (5, 8, 8, 1)


def test_importance_weighting_with_one_draw_is_the_evidence_lower_bound(autoencoder_run):
    experiment = autoencoder_run.experiment
    update, params = experiment.bound(), seed_params(autoencoder_run.params, 0)
    x, _ = experiment.source.prepare(experiment.source.stats, experiment.examples("test"))
    assert update.model is not None
    bounds = {
        draws: float(
            np.mean([log_likelihood(update.model, params, x, x, jax.random.key(i), draws).mean() for i in range(10)])
        )
        for draws in (1, 20)
    }
    assert bounds[1] == pytest.approx(-autoencoder_run.scores["test"]["loss"][0], rel=0.02)
    assert bounds[20] > bounds[1]
    code = jnp.zeros((3, 2))
    assert decode(update.model, params, code).shape == (3, 8, 8, 1)
    with pytest.raises(UserError, match="one gaussian"):
        decode(jaxnn.serial(jaxnn.dense(2)), (), code)


def test_autoencoder_says_its_input_again():
    run = run_of("digits_autoencoder", "train.epochs=60")
    x, labels = run.experiment.examples("test")
    assert set(np.unique(labels)) == set(range(10))
    output = run.predict(x)
    assert output.shape == x.shape
    assert np.mean((output - x / 16) ** 2) < 0.5 * np.var(x / 16)
    assert {"mae", "r2"} <= set(run.scores["test"])
    assert "accuracy" not in run.scores["test"]
    assert "reconstructions" in {figure.name for figure in run.figures()}


@pytest.mark.figures
def test_novelty_detection_scores_and_judges_examples(tmp_path):
    config = load("digits_autoencoder", ["data.normal=0", "train.epochs=60", "train.best=train.loss"])
    run: Any = jaxnn.fit(make_experiment(config), tmp_path / "run")
    assert run.scores["test"]["roc_auc"][0] > 0.9
    x, new = run.experiment.examples("test")
    train_x, train_new = run.experiment.examples("train")
    assert set(np.unique(new)) == {0, 1}
    assert not train_new.any()
    scores = run.predict(x)[:, 0]
    assert scores[new == 1].mean() > 2 * scores[new == 0].mean()
    threshold = float(run.scores["train"]["novelty_threshold"][0])
    assert np.mean(run.predict(train_x)[:, 0] <= threshold) == pytest.approx(0.95, abs=0.02)
    rows = prediction_rows(run.experiment, run.predict(x), threshold)
    assert [row["verdict"] for row in rows] == ["new" if score > threshold else "normal" for score in scores]
    assert {"novelty", "surprising"} <= {path.stem for path in (tmp_path / "run" / "figures").iterdir()}
    reopened = jaxnn.load_run(tmp_path / "run")
    assert np.allclose(reopened.predict(x), run.predict(x), atol=1e-6)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["data.normal=0", "train.target=data"], "expected train.target"),
        (["data.normal=eleven"], "expected one of 0, 1"),
    ],
)
def test_impossible_novelty_is_refused(overrides, expected):
    with pytest.raises((UserError, ConfigError), match=expected):
        make_experiment(load("digits_autoencoder", [*overrides, "train.best=train.loss"]))


def test_judge_knows_digits_from_noise():
    run = run_of("digits_mlp", "train.epochs=10")
    params = seed_params(run.params, 0)
    real = run.experiment.examples("test")[0].astype(np.float32) / 16
    noise = np.random.default_rng(0).uniform(size=real.shape).astype(np.float32)
    good, bad = judge(run.experiment, params, real), judge(run.experiment, params, noise)
    assert good.classes == good.of == 10
    assert good.distance == pytest.approx(0, abs=1e-3)
    assert bad.distance > 10
    assert good.neighbour == pytest.approx(good.real_neighbour)
    assert bad.neighbour > 1.5 * good.neighbour
    assert good.confidence > bad.confidence
    assert judge(run.experiment, params, real[:20], label=3).agreement < 0.5
    assert class_index(run.experiment, "7") == 7
    with pytest.raises(UserError, match="expected samples of shape"):
        judge(run.experiment, params, noise[:, :4])
    with pytest.raises(UserError, match="--class: expected one of"):
        class_index(run.experiment, "cat")


def test_frechet_distance_of_normal_sets():
    """Of equal covariances it is the squared distance of the means; of equal means that of the deviations."""
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(200_000, 2)), rng.normal(size=(200_000, 2))
    assert frechet_distance(a, b + np.asarray([3, 4])) == pytest.approx(25, rel=0.02)
    assert frechet_distance(a, 3 * b) == pytest.approx(2 * (3 - 1) ** 2, rel=0.02)
    assert nearest(np.asarray([[0.0, 0], [5, 5]]), np.asarray([[0.0, 1], [5, 5]])) == pytest.approx(0.5)


def test_run_without_a_generative_net_makes_no_samples():
    run = run_of("digits_mlp", "train.epochs=5")
    with pytest.raises(UserError, match="expected a generative net"):
        run.sample(3)


def test_mean_iou_by_hand():
    """A class that does not occur is left out, a place of weight 0 too, and batches add up to the whole."""
    logits = 9 * np.eye(4, dtype=np.float32)[np.asarray([[[0, 0], [1, 1]], [[1, 0], [0, 0]]])]
    target = np.asarray([[[0, 1], [1, 1]], [[0, 0], [0, 0]]], np.int32)
    # Class 0: 4 places in both, 6 in either. Class 1: 2 and 4. Classes 2 and 3 do not occur.
    expected = (4 / 6 + 2 / 4) / 2
    whole = mean_iou(logits, target)
    assert float(whole.value()) == pytest.approx(expected)
    parts = [mean_iou(logits[i : i + 1], target[i : i + 1]) for i in range(2)]
    stacked = jax.tree.map(lambda *a: jnp.stack(a), *parts)
    assert float(stacked.value()) == pytest.approx(expected)
    first = mean_iou(logits, jaxnn.Weighted(target, np.asarray([1.0, 0.0], np.float32)))
    assert float(first.value()) == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_samples_over_the_training_are_those_of_equal_drawn_numbers(tmp_path):
    """The last ones are what the last parameters make; a resumed run keeps the earlier ones."""
    config = load(
        "gaussians_gan", ["train.epochs=4", "data.n=500", "data.test=100", "train.eval_every=1", "checkpoint.epochs=1"]
    )
    run = jaxnn.fit(make_experiment(config), tmp_path / "run")
    arrays = read_sample_arrays(tmp_path / "run")
    steps = run.experiment.source.steps
    assert set(arrays) == {0, 4 * steps} | set(range(0, 4 * steps, -(-4 * steps // TIMES))) and all(
        a.shape == (POINTS, 2) for a in arrays.values()
    )
    last = draw_samples(run.experiment, seed_params(run.params, 0), POINTS, jax.random.key(0))
    assert np.array_equal(arrays[4 * steps], last)
    assert (tmp_path / "run" / "figures" / "samples_over_training.png").is_file()
    kept = SampleArrays(run.experiment, arrays, steps).arrays
    assert set(kept) == {at for at in arrays if at <= steps}
