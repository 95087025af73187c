"""Tasks in the report and in predictions: a row for each class or output, a column for each leaf, and refusals."""

import re
from typing import Any

import jax
import numpy as np
import pytest

import jaxnn
from jaxnn.report.prediction_rows import prediction_rows
from tests.report.task_cases import NAMES, experiment


@pytest.fixture(autouse=True)
def optax_promotes():
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"), jax.enable_x64(False):
        yield


@pytest.mark.parametrize(
    ("loss", "width", "kind"),
    [
        ("sigmoid_cross_entropy", 1, "labels"), ("softmax_cross_entropy", 5, "labels"), ("quadratic", 3, "numbers"),
        ("sigmoid_cross_entropy", 3, "zeros and ones"), ("softmax_cross_entropy", 2, "places"),
    ],
)  # fmt: skip
def test_report_of_a_task_has_a_row_for_each_class_or_output(loss, width, kind, tmp_path):
    names: dict[str, Any] = {"targets": NAMES} if kind in ("numbers", "zeros and ones") else {"classes": NAMES[:2]}
    value = experiment(loss, width, kind, **names)._replace(seeds=(0, 1))
    fitted = jaxnn.fit(value, tmp_path / "run")
    page = (tmp_path / "run" / "report.html").read_text()
    heading = "Each output, test part" if kind == "numbers" else "Each class, test part"
    assert heading in page and all(re.search(rf"<td[^>]*>{name}</td>", page) for name in next(iter(names.values())))
    again = jaxnn.load_run(tmp_path / "run", value)
    for name, numbers in fitted.scores["test"].items():
        np.testing.assert_array_equal(again.scores["test"][name], numbers, err_msg=name)
        assert np.shape(numbers)[0] == 2


def test_predictions_of_a_pytree_have_a_column_for_each_leaf():
    value = experiment("quadratic", 3, "numbers")
    rows = prediction_rows(value, {"a": np.zeros((2, 1)), "b": (np.ones((2, 2)), np.zeros(2, int))})
    assert rows == [{"a": 0.0, "b/0": [1.0, 1.0], "b/1": 0}] * 2


@pytest.mark.parametrize(
    ("loss", "kind", "message"),
    [
        ("softmax_cross_entropy", "numbers", "at least 0 and 1 in sum, as the loss takes them, found numbers from"),
        ("softmax_cross_entropy", "zeros and ones", "with sums from 0 to 3"),
        ("sigmoid_cross_entropy", "numbers", "probabilities from 0 to 1, as the loss takes them, found numbers from"),
        ("perceptron", "numbers", "0 or 1, as the loss takes them, found numbers from"),
    ],
)
def test_fit_refuses_numbers_as_targets_of_a_cross_entropy(loss, kind, message):
    with pytest.raises(jaxnn.UserError, match=message):
        jaxnn.fit(experiment(loss, 3, kind))
