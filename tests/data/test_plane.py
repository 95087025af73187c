"""Points of the plane: classes by construction, formulas that are no code, points that a config lists."""

import numpy as np
import pytest

from jaxnn.data import load
from jaxnn.data.formula import evaluate_formula
from jaxnn.errors import UserError

X = np.linspace(-1, 1, 7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.5*sin(3*x)", 0.5 * np.sin(3 * X)),
        ("x^2 - 1/2", X**2 - 0.5),
        ("-abs(x) + exp(x)/e", -np.abs(X) + np.exp(X) / np.e),
        ("pi", np.full(7, np.pi)),
        (" sqrt(x**2) ", np.abs(X)),
    ],
)
def test_formula_is_arithmetic_and_a_few_functions(text, value):
    assert evaluate_formula(text, X) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    ["", "y", "x.real", "x[0]", "__import__('os')", "sin", "sin(x, x)", "lambda x: x", "x if x else 1", "'a'", "x;x",
     "(x)" * 300, "[x]", "x := 1", "open('a')", "True", "1j", "(" * 150 + "x" + ")" * 150 + "((", "sin(x=1)"],
)  # fmt: skip
def test_formula_refuses_what_is_no_formula(text):
    with pytest.raises(UserError, match="formula: expected"):
        evaluate_formula(text, X)


def test_a_tower_of_powers_ends_at_once():
    assert np.isinf(evaluate_formula("9**9**9**9**9", X)).all()


def test_curve_has_class_one_above_the_formula():
    part = load("curve", {"formula": "0.3*x", "n": 200}, seed=3).train
    assert (part.y == (part.x[:, 1] > 0.3 * part.x[:, 0])).mean() > 0.99
    with pytest.raises(UserError, match="all are below"):
        load("curve", {"formula": "5"})


def test_chess_board_is_the_exclusive_or_of_two_signs():
    part = load("chess_board", {"n": 300}).train
    assert (part.y == ((part.x[:, 0] > 0) ^ (part.x[:, 1] > 0))).all()


def test_spirals_have_as_many_classes_as_arms_and_equal_points_each():
    data = load("spirals", {"n": 300, "arms": 3, "noise": 0.0})
    assert data.classes == ("0", "1", "2") and (np.bincount(data.train.y) == 100).all()
    radius, angle = np.hypot(*data.train.x.T), np.arctan2(*data.train.x.T[::-1])
    turned = (angle / (2 * np.pi) - radius - data.train.y / 3) % 1
    assert np.minimum(turned, 1 - turned) == pytest.approx(0, abs=1e-5)


def test_points_are_those_of_the_config():
    data = load("points", {"across": (0.0, 1.0, 2.0, 3.0), "up": (1.0, 1.0, 0.0, 0.0), "labels": ("b", "a", "b", "a")})
    assert data.train.x.tolist() == [[0, 1], [1, 1], [2, 0], [3, 0]]
    assert data.classes == ("a", "b") and data.train.y.tolist() == [1, 0, 1, 0]


@pytest.mark.parametrize(
    ("across", "labels", "message"),
    [
        ((0.0, 1.0, 2.0), ("a", "a", "b"), "from 4 to"),
        ((0.0, 1.0, 2.0, 3.0), ("a", "a", "a", "b"), "one of 'b'"),
        ((0.0, 1.0, 2.0, 3.0), ("a", "a", "a", "a"), "1 classes"),
        ((0.0, 1.0, 2.0, 1e9), ("a", "a", "b", "b"), "up to a million"),
        ((0.0, 1.0, 2.0, 3.0), ("a", "a", "", ""), "1 to 40 characters"),
        ((0.0, 1.0, 2.0), ("a", "a", "b", "b"), "equal lengths"),
    ],
)
def test_points_are_refused_in_a_line(across, labels, message):
    with pytest.raises(UserError, match=message):
        load("points", {"across": across, "up": across, "labels": labels})
