"""Keras 3 on JAX, on sequences: `LSTM` layers, `compile`, `fit`."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras
import numpy as np

from benchmarks.runner import Contestant, Workload
from benchmarks.sequences import PLACES, UNITS, batches, sequences


def net(name: str, classes: int) -> keras.Model:
    if name == "lstm_rows":
        layers = [keras.Input((28, 28)), keras.layers.LSTM(UNITS), keras.layers.Dense(classes)]
    else:
        layers = [
            keras.Input((PLACES[name],), dtype="int32"),
            keras.layers.Embedding(classes, UNITS),
            keras.layers.LSTM(UNITS, return_sequences=True),
            keras.layers.LSTM(UNITS, return_sequences=True),
            keras.layers.Dense(classes),
        ]
    return keras.Sequential(layers)


class Fit:
    """Calls `fit` on the next batches, once a round."""

    def __init__(self, workload: Workload):
        keras.utils.set_random_seed(0)
        data, self.workload = sequences(workload), workload
        self.batches, self.test_x, self.test_y = batches(workload, data), data.test_x, data.test_y
        self.model = net(workload.net, data.classes)
        self.model.compile(
            optimizer=keras.optimizers.Adam(workload.learning_rate),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )

    def train(self, steps: int) -> None:
        rows = [next(self.batches) for _ in range(steps)]
        x, y = (np.concatenate(part) for part in zip(*rows, strict=True))
        self.model.fit(x, y, batch_size=self.workload.batch_size, shuffle=False, verbose=0)

    def test(self) -> tuple[float, float]:
        loss, accuracy = self.model.evaluate(self.test_x, self.test_y, batch_size=500, verbose=0)
        return float(loss), float(accuracy)


def fit(workload: Workload) -> Contestant:
    return Fit(workload)
