"""What can be trained is read back with the right meaning: trained, scored, predicted, drawn and reported."""

import itertools
import json
from typing import Any

import jax
import pytest

import jaxnn
from jaxnn.experiment.scores import scores
from jaxnn.losses import OUTPUT_LOSSES
from jaxnn.report.prediction_rows import prediction_rows
from tests.report.task_cases import CROSS_ENTROPIES, KINDS, NAMES, WIDTHS, X, experiment


@pytest.fixture(autouse=True)
def optax_promotes():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


TRAINABLE = [
    (loss, width, kind)
    for loss, width, kind in itertools.product(OUTPUT_LOSSES, WIDTHS, KINDS)
    if not (loss in CROSS_ENTROPIES and kind == "numbers")
    and not (loss == "softmax_cross_entropy" and (kind == "zeros and ones" or width == 1))
]


@pytest.mark.parametrize(("loss", "width", "kind"), TRAINABLE)
def test_every_task_is_read_back_with_its_meaning(loss, width, kind):
    is_regression = loss in ("quadratic", "mean_squared_error") and kind not in ("labels", "places")
    is_multilabel = loss in ("sigmoid_cross_entropy", "perceptron") and kind not in ("labels", "places") and width > 1
    names: dict[str, Any] = {"targets": NAMES} if is_regression or is_multilabel else {"classes": NAMES[:2]}
    trained = jaxnn.fit(experiment(loss, width, kind, **names))
    task = "regression" if is_regression else "multilabel" if is_multilabel else "classification"
    assert trained.experiment.task() == task
    # Scored: the metrics of the task, all of them numbers or not defined.
    test = scores(trained.experiment, trained.params)["test"]
    expected = {"regression": {"mae", "r2"}, "multilabel": {"accuracy", "exact_match", "f1_macro"}}
    assert expected.get(task, {"accuracy", "balanced_accuracy"}) <= set(test)
    # Predicted: a row for each example, by the meaning of the numbers.
    y = trained.predict(X[16:])
    rows = prediction_rows(trained.experiment, y)
    json.dumps(rows)
    kind_of_number = "probability" if loss in ("sigmoid_cross_entropy", "softmax_cross_entropy") else "output"
    labels = [*NAMES[:2], *(f"output {i}" for i in range(2, 5))] if task == "classification" else [*NAMES]
    labels = labels if task == "classification" else [*labels, "output 3", "output 4"]
    for row, numbers in zip(rows, y, strict=True):
        if task == "regression":
            assert row == {name: pytest.approx(v) for name, v in zip(labels, numbers.tolist(), strict=False)}
        elif task == "multilabel":
            yes = [name for name, v in zip(labels, numbers, strict=False) if v >= 0.5]
            assert row["labels"] == (", ".join(yes) or "none") and len(row[kind_of_number]) == width
        elif kind == "places":
            chosen = numbers.argmax(-1) if width > 1 else (numbers[:, 0] >= 0.5).astype(int)
            assert row["class"] == [labels[i] for i in chosen] and len(row[kind_of_number]) == 2
        elif width == 1:
            p = float(numbers[0])
            assert row["class"] == NAMES[int(p >= 0.5)]
            expected_number = {"ash": 1 - p, "beech": p} if kind_of_number == "probability" else p
            assert row[kind_of_number] == pytest.approx(expected_number)
        else:
            assert row["class"] == labels[int(numbers.argmax())]
            assert row[kind_of_number] == pytest.approx(dict(zip(labels, numbers.tolist(), strict=False)))
    figures = {figure.name for figure in trained.figures()}
    assert figures == {"learning_curves"} | {
        "classification": {"confusion"}, "regression": {"parity"}, "multilabel": set()
    }[task]  # fmt: skip
