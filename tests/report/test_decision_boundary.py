"""The shade of a decision boundary agrees with the predicted class, whatever two outputs a model has."""

import numpy as np
import pytest

from jaxnn.report.prediction_figures import labels_of, probability_of_second

PROBABILITIES = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8], [1.0, 0.0], [0.0, 1.0]], np.float32)
#: Of a hinge loss, whose outputs are any numbers: their sum may be zero, and both may be negative.
SCORES = np.array([[1, -1], [-1, 1], [-3, -2], [-2, -3], [0.5, 0.5], [-1e30, 1e30], [3e38, -3e38]], np.float32)


@pytest.mark.parametrize("output", [PROBABILITIES, SCORES], ids=["probabilities", "scores"])
def test_probability_of_second_exceeds_one_half_where_the_second_class_is_predicted(output):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        shade = probability_of_second(output)
    assert shade.shape == (len(output), 1) and (shade >= 0).all() and (shade <= 1).all()
    np.testing.assert_array_equal(shade[:, 0] > 0.5, labels_of(output) == 1)
    np.testing.assert_array_equal(shade[:, 0] == 0.5, output[:, 0] == output[:, 1])


def test_probability_of_second_of_probabilities_is_the_second():
    np.testing.assert_allclose(probability_of_second(PROBABILITIES)[:, 0], PROBABILITIES[:, 1])
