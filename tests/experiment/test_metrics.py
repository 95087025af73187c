"""Metrics add up over batches to what scikit-learn computes of all examples, with and without weights."""

import warnings
from typing import Any

import jax
import numpy as np
import pytest
from jax import numpy as jnp
from sklearn import metrics as sk

import jaxnn
from jaxnn.experiment.class_metrics import ClassOutcomes, class_metrics, class_outcomes, roc_auc
from jaxnn.losses import OUTPUT_LOSSES
from jaxnn.metrics import binary_accuracy, exact_match, mae, r2
from jaxnn.quantities import OutputMean, RSquared, values
from jaxnn.train.evaluation import evaluate_each
from jaxnn.train.task import activation_of, default_metrics

RNG = np.random.default_rng(0)
N = 47
WEIGHT = RNG.uniform(0.2, 3, N) * (np.arange(N) % 5 > 0)
WEIGHTS = {"unweighted": None, "weighted": WEIGHT}


def measured(loss, output, target, weight=None, rows: int | None = 10) -> Any:
    """All metrics of outputs and targets, measured in batches of which the last is smaller."""
    update = jaxnn.supervised(jaxnn.identity(), OUTPUT_LOSSES[loss](), jaxnn.optimizer("sgd", 0.1))
    target = target if weight is None else jaxnn.Weighted(target, weight)

    def measure(params, batch, key):
        return update.evaluate(params, batch, key), class_outcomes(update, params, batch, 10**6)

    sums, outcomes = evaluate_each(measure, (), (output, target), jax.random.key(0), rows=rows)
    each = {name: q.per_output() for name, q in sums.items() if isinstance(q, OutputMean | RSquared)}
    return values(sums), each, class_metrics(jax.device_get(outcomes))


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("shape", [(N, 1), (N, 3), (N, 4, 3)], ids=["one", "three", "places"])
def test_regression_metrics_are_those_of_scikit_learn(shape, weight):
    target = 1e4 + 3 * RNG.normal(size=shape)  # far from 0: plain sums of squares would cancel in float32
    output = target + RNG.normal(size=shape) * np.arange(1, shape[-1] + 1)
    for dtype, tolerance in ((np.float64, 1e-9), (np.float32, 2e-3)):
        y, t = output.astype(dtype), target.astype(dtype)
        got, each, _ = measured("quadratic", y, t, None if weight is None else weight.astype(dtype))
        rows = (t.reshape(-1, shape[-1]).astype(float), y.reshape(-1, shape[-1]).astype(float))
        places = None if weight is None else np.repeat(weight, len(rows[0]) // N)
        for name, function in (("r2", sk.r2_score), ("mae", sk.mean_absolute_error)):
            expected = np.asarray(function(*rows, sample_weight=places, multioutput="raw_values"))
            np.testing.assert_allclose(each[name], expected, rtol=tolerance)
            np.testing.assert_allclose(got[name], expected.mean(), rtol=tolerance)


def test_regression_metrics_do_not_depend_on_the_batches():
    target = RNG.normal(size=(N, 2))
    output = target + RNG.normal(size=(N, 2))
    whole = measured("quadratic", output, target, rows=None)[0]
    for rows in (1, 7, 46, 47, 100):
        parts = measured("quadratic", output, target, rows=rows)[0]
        for name, value in whole.items():
            np.testing.assert_allclose(parts[name], value, rtol=1e-9, err_msg=f"{name} of {rows}")


def test_r2_of_equal_targets_is_not_defined():
    """0.1 has no exact mean in binary: what rounding leaves is no spread."""
    for dtype in (np.float32, np.float64):
        target = np.full((N, 2), 0.1, dtype)
        target[:, 1] = RNG.normal(size=N)
        got, each, _ = measured("quadratic", np.zeros_like(target), target)
        assert np.isnan(each["r2"][0]) and np.isfinite(each["r2"][1]) and np.isnan(got["r2"])
        assert np.isfinite(got["mae"])


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize(("loss", "width"), [("sigmoid_cross_entropy", 1), ("softmax_cross_entropy", 2)])
def test_binary_metrics_are_those_of_scikit_learn(loss, width, weight):
    labels = (RNG.uniform(size=N) < 0.2).astype(np.int32)
    logits = np.round(RNG.normal(size=(N, width)) + 0.8 * labels[:, None] * np.arange(width + 1)[-width:], 1)
    got, _, classes = measured(loss, logits, labels, weight)
    probability = np.asarray(jax.nn.softmax(logits)[:, 1] if width == 2 else jax.nn.sigmoid(logits)[:, 0])
    predicted = logits.argmax(1) if width == 2 else (probability >= 0.5).astype(int)  # of equal ones the first
    w = {"sample_weight": weight}
    expected = {
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted, **w),
        "precision": sk.precision_score(labels, predicted, **w),
        "recall": sk.recall_score(labels, predicted, **w),
        "f1": sk.f1_score(labels, predicted, **w),
        "roc_auc": sk.roc_auc_score(labels, probability, **w),
    }
    np.testing.assert_allclose(got["accuracy"], sk.accuracy_score(labels, predicted, **w))
    assert {name for name in classes if "_per_" not in name} == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(classes[name], value, err_msg=name)


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
@pytest.mark.parametrize("kind", ["labels", "one-hot floats", "one-hot integers"])
def test_class_metrics_are_those_of_scikit_learn(kind, weight):
    labels = RNG.integers(0, 3, N).astype(np.int32)  # the fourth output is of no class
    logits = RNG.normal(size=(N, 4)) + 2 * np.eye(4)[labels]
    target = labels if kind == "labels" else np.eye(4)[labels].astype(float if "floats" in kind else int)
    got, _, classes = measured("softmax_cross_entropy", logits, target, weight)
    predicted, w = logits.argmax(1), {"sample_weight": weight}
    np.testing.assert_allclose(got["accuracy"], sk.accuracy_score(labels, predicted, **w))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn warns that the fourth class does not occur
        np.testing.assert_allclose(classes["balanced_accuracy"], sk.balanced_accuracy_score(labels, predicted, **w))
        undefined: Any = np.nan
        every: Any = sk.precision_recall_fscore_support(
            labels, predicted, labels=range(4), zero_division=undefined, **w
        )
    np.testing.assert_allclose(classes["f1_macro"], np.nanmean(every[2]))
    for name, expected in zip(("precision", "recall", "f1", "support"), every, strict=True):
        np.testing.assert_allclose(classes[f"{name}_per_class"], expected, err_msg=name)
    assert np.isnan(classes["recall_per_class"][3]) and "roc_auc" not in classes


@pytest.mark.parametrize("weight", WEIGHTS.values(), ids=WEIGHTS)
def test_multilabel_metrics_are_those_of_scikit_learn(weight):
    target = (RNG.uniform(size=(N, 3)) < 0.4).astype(float)
    logits = RNG.normal(size=(N, 3)) + target
    got, _, classes = measured("sigmoid_cross_entropy", logits, target, weight)
    predicted, w = (logits >= 0).astype(int), {"sample_weight": weight}
    repeated = None if weight is None else np.repeat(weight, 3)
    np.testing.assert_allclose(
        got["accuracy"], sk.accuracy_score(target.ravel(), predicted.ravel(), sample_weight=repeated)
    )
    np.testing.assert_allclose(got["exact_match"], sk.accuracy_score(target, predicted, **w))
    for average in ("macro", "micro"):
        np.testing.assert_allclose(classes[f"f1_{average}"], sk.f1_score(target, predicted, average=average, **w))
    np.testing.assert_allclose(classes["roc_auc"], sk.roc_auc_score(target, logits, **w))
    every: Any = sk.precision_recall_fscore_support(target, predicted, **w)
    for name, expected in zip(("precision", "recall", "f1", "support"), every, strict=True):
        np.testing.assert_allclose(classes[f"{name}_per_class"], expected, err_msg=name)


@pytest.mark.parametrize("width", [1, 2, 3])
def test_metrics_of_a_part_with_one_class_are_not_defined(width):
    loss = "sigmoid_cross_entropy" if width == 1 else "softmax_cross_entropy"
    logits = -np.ones((N, width)) if width == 1 else np.eye(width)[np.zeros(N, int)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got, _, classes = measured(loss, logits, np.zeros(N, np.int32))
    assert float(got["accuracy"]) == 1
    for name in ("balanced_accuracy", "roc_auc", "precision", "recall", "f1"):
        assert name not in classes or np.isnan(classes[name]), name
    assert np.isnan(classes["precision_per_class"][1]) and classes["recall_per_class"][0] == 1


def test_metrics_without_any_weight_are_not_defined():
    got, _, classes = measured("softmax_cross_entropy", np.eye(3), np.arange(3), np.zeros(3))
    assert np.isnan(got["accuracy"]) and np.isnan(classes["f1_macro"]) and not classes["support_per_class"].any()
    assert np.isnan(measured("quadratic", np.eye(3), np.eye(3), np.zeros(3))[0]["r2"])


def test_a_place_of_weight_0_changes_nothing():
    t, w = np.array([[1.0], [2], [np.nan]]), np.array([1.0, 1, 0])
    for metric in (mae, r2):
        y = jnp.array([[1.5], [2], [np.inf]])
        np.testing.assert_allclose(metric(y, jaxnn.Weighted(t, w)).value(), metric(y[:2], t[:2]).value())


@pytest.mark.parametrize("metric", [mae, r2, binary_accuracy, exact_match])
def test_metric_refuses_targets_of_another_shape(metric):
    with pytest.raises(jaxnn.UserError, match=r"the output's shape \(5, 2\), found float64 targets of shape \(5, 1\)"):
        metric(jnp.zeros((5, 2)), np.zeros((5, 1)))
    with pytest.raises(jaxnn.UserError, match=r"expected targets of shape \(5, 2\), found labels \(5,\)"):
        metric(jnp.zeros((5, 2)), np.zeros(5, int))


def test_default_metrics_apply_to_what_they_measure():
    floats, labels = np.zeros((5, 2)), np.zeros(5, np.int32)
    cases = {
        ("softmax_cross_entropy", "labels"): {"accuracy"},
        ("softmax_cross_entropy", "floats"): {"accuracy"},
        ("sigmoid_cross_entropy", "labels"): {"accuracy"},
        ("sigmoid_cross_entropy", "floats"): {"accuracy", "exact_match"},
        ("quadratic", "labels"): {"accuracy"},
        ("quadratic", "floats"): {"mae", "r2"},
    }
    for (loss, kind), expected in cases.items():
        target = labels if kind == "labels" else floats
        metrics = default_metrics(activation_of(OUTPUT_LOSSES[loss]()))
        assert {
            name for name, metric in metrics.items() if metric(jnp.asarray(floats), target) is not None
        } == expected, loss


@pytest.mark.parametrize("levels", [2, 5, 40], ids=["two scores", "many equal", "some equal"])
def test_the_area_under_the_roc_counts_equal_scores_half_as_scikit_learn_does(levels):
    true, scores = RNG.integers(0, 2, 200), RNG.integers(0, levels, 200).astype(float)
    weight = RNG.uniform(0.2, 3, 200)
    assert roc_auc(true, scores) == pytest.approx(sk.roc_auc_score(true, scores), abs=1e-12)
    assert roc_auc(true, scores, weight) == pytest.approx(
        sk.roc_auc_score(true, scores, sample_weight=weight), abs=1e-12
    )


def test_labels_that_are_no_classes_count_for_no_class_as_in_scikit_learn():
    true, predicted = RNG.integers(-1, 5, 60), RNG.integers(0, 3, 60)
    found = class_metrics(ClassOutcomes(predicted, true, None, None, "classification", 3))
    expected: Any = sk.precision_recall_fscore_support(true, predicted, labels=np.arange(3))
    for name, numbers in zip(("precision", "recall", "f1", "support"), expected, strict=True):
        np.testing.assert_allclose(found[f"{name}_per_class"], numbers)
