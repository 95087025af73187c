"""Points of the plane: spirals, a chess board, points above a curve, and points that a config lists."""

import math
from collections import Counter

import numpy as np

from jaxnn.data.dataset import Dataset, Part
from jaxnn.data.formula import evaluate_formula
from jaxnn.data.labels import number_classes
from jaxnn.data.synthetic import check_option, check_point_options, labelled_points
from jaxnn.errors import UserError

#: Points that a config may list.
MAX_POINTS = 4000


def spirals(n: int = 500, arms: int = 2, turns: float = 1.0, noise: float = 0.05, seed: int = 0) -> Dataset:
    """``n`` points on spirals around the origin, one class for each arm, with Gaussian noise added. x (n, 2).

    n: number of points
    arms: number of spirals, at least 2
    turns: of an arm around the origin
    noise: standard deviation of the noise
    """
    check_point_options("spirals", n, noise)
    check_option("spirals", "arms", arms, 2 <= arms <= n, f"from 2 to {n}")
    check_option("spirals", "turns", turns, 0 < turns <= 100, "a positive number up to 100")
    generator = np.random.default_rng([seed, *b"spirals"])
    labels = np.arange(n) % arms
    radius = np.sqrt(generator.uniform(0.01, 1, n))
    angle = 2 * np.pi * (labels / arms + turns * radius)
    points = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return labelled_points("spirals", points + noise * generator.normal(size=(n, 2)), labels, arms)


def chess_board(n: int = 500, fields: int = 2, noise: float = 0.0, seed: int = 0) -> Dataset:
    """``n`` points of the square -1..1, whose class is the colour of their field. x (n, 2).

    With 2 fields a side the classes are the exclusive or of the signs, which no line separates.

    n: number of points
    fields: of a side of the board
    noise: standard deviation of what is added to a point after its class is known
    """
    check_point_options("chess_board", n, noise)
    check_option("chess_board", "fields", fields, 2 <= fields <= 20, "from 2 to 20")
    generator = np.random.default_rng([seed, *b"chess_board"])
    points = generator.uniform(-1, 1, (n, 2))
    labels = np.floor((points + 1) / 2 * fields).clip(0, fields - 1).sum(axis=1).astype(int) % 2
    return labelled_points("chess_board", points + noise * generator.normal(size=(n, 2)), labels, 2)


def curve(formula: str = "0.5*sin(3*x)", n: int = 500, noise: float = 0.0, seed: int = 0) -> Dataset:
    """``n`` points of the square -1..1, of class 1 where y > f(x), else 0. x (n, 2).

    formula: f(x), of numbers, x, + - * / **, brackets and sin, cos, tan, tanh, exp, log, sqrt, abs
    n: number of points
    noise: standard deviation of what is added to a point after its class is known
    """
    check_point_options("curve", n, noise)
    generator = np.random.default_rng([seed, *b"curve"])
    points = generator.uniform(-1, 1, (n, 2))
    with np.errstate(invalid="ignore"):
        labels = (points[:, 1] > evaluate_formula(formula, points[:, 0])).astype(int)
    if len(set(labels)) < 2:
        where = "above" if labels[0] else "below or at"
        raise UserError(
            f"curve: formula: expected a curve with points on both sides in the square -1..1, found {formula!r}, for "
            f"which all are {where}"
        )
    return labelled_points("curve", points + noise * generator.normal(size=(n, 2)), labels, 2)


def points(across: tuple[float, ...], up: tuple[float, ...], labels: tuple[str, ...]) -> Dataset:
    """The points that the config itself lists, such as those that were drawn in `jaxnn play`. x (n, 2).

    across: the first coordinate of each point
    up: its second coordinate
    labels: its class, a word; at least two classes with two points each
    """
    n = len(across)
    if len(up) != n or len(labels) != n:
        raise UserError(
            f"points: expected lists of equal lengths, found {n} across, {len(up)} up, {len(labels)} labels"
        )
    if not 4 <= n <= MAX_POINTS:
        raise UserError(f"points: expected from 4 to {MAX_POINTS:,} points, found {n:,}")
    if not all(math.isfinite(number) and abs(number) <= 1e6 for number in (*across, *up)):
        raise UserError("points: expected coordinates up to a million, found a larger one")
    if any(not label or len(label) > 40 for label in labels):
        raise UserError("points: labels: expected words of 1 to 40 characters, found an empty or a longer one")
    counts = Counter(labels)
    rarest, count = min(counts.items(), key=lambda item: item[1])
    if not 2 <= len(counts) <= 10 or count < 2:
        found = f"one of {rarest!r}" if count < 2 else f"{len(counts)} classes"
        raise UserError(f"points: labels: expected 2 to 10 classes with at least two points each, found {found}")
    numbers, classes = number_classes(labels)
    part = Part(np.stack([across, up], axis=1).astype(np.float32), np.asarray(numbers, np.int32))
    return Dataset("points", part, None, tuple(classes), 1.0)
