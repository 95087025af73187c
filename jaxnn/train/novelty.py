"""Novelty detection by an autoencoder: what it draws badly is unlike all that it has learned from."""

from typing import Any

from jaxtyping import Array, Float

from jaxnn.train.step import Update

#: The share of normal examples whose score lies below the threshold of "new".
NORMAL_SHARE = 0.95


def reconstruction_error(output: Any, x: Any) -> Float[Array, "batch 1"]:
    """The mean squared difference of an example and its reconstruction."""
    return ((output - x) ** 2).reshape(len(x), -1).mean(-1)[:, None]


def novelty(update: Update) -> Update:
    """`update` of an autoencoder, whose prediction (batch, 1) is how new an example is: its reconstruction error."""
    reconstruct = update.predict
    assert reconstruct is not None

    def predict(params: Any, x: Any) -> Float[Array, "batch 1"]:
        return reconstruction_error(reconstruct(params, x), x)

    return update._replace(predict=predict, activation="novelty")
