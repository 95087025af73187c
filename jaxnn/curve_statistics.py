"""Curves of several seeds as what is drawn of them: their lowest, mean and highest value, at evenly chosen places."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int
from numpy.typing import ArrayLike


def seed_range(values: Float[np.ndarray, "seeds places"]) -> Float[np.ndarray, "3 places"]:
    """The lowest, the mean and the highest of the finite values at each place; NaN where no seed has one."""
    finite = np.isfinite(values)
    count = finite.sum(axis=0)
    rows = (
        np.where(finite, values, np.inf).min(axis=0, initial=np.inf),
        np.where(finite, values, 0).sum(axis=0) / np.maximum(count, 1),
        np.where(finite, values, -np.inf).max(axis=0, initial=-np.inf),
    )
    return np.where(count > 0, np.stack(rows), np.nan)


def evenly_chosen(count: int, most: int) -> Int[np.ndarray, "chosen"]:
    """At most so many of the positions 0 … count − 1, evenly apart, with the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).round().astype(int))


def measured_metrics(history: Mapping[str, ArrayLike]) -> list[str]:
    """The names of the metrics with a finite value, the loss first, the accuracy second."""
    names = {
        key.split("_", 1)[1]
        for key, values in history.items()
        if key.split("_", 1)[0] in ("train", "validation") and np.isfinite(values).any()
    }
    return sorted(names, key=lambda name: (name != "loss", name != "accuracy", name))
