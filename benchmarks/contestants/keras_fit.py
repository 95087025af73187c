"""Keras 3 on JAX: `Sequential`, `compile`, `fit`."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras

from benchmarks.digits import digits
from benchmarks.runner import Contestant, Workload

NETS = {
    "mlp_sigmoid": lambda: [
        keras.layers.Flatten(),
        keras.layers.Dense(30, activation="sigmoid"),
        keras.layers.Dense(10, activation="sigmoid"),
    ],
    "mlp_tanh": lambda: [
        keras.layers.Flatten(),
        keras.layers.Dense(30, activation="tanh"),
        keras.layers.Dense(10, activation="softmax"),
    ],
    "cnn": lambda: [
        keras.layers.Conv2D(20, 5, activation="relu"),
        keras.layers.MaxPooling2D(2),
        keras.layers.Flatten(),
        keras.layers.Dense(100, activation="tanh"),
        keras.layers.Dense(10, activation="softmax"),
    ],
}


class Fit:
    """Calls `fit` on the next examples, once a round or where an epoch ends."""

    def __init__(self, workload: Workload):
        keras.utils.set_random_seed(0)
        data, self.workload, self.position = digits(workload.examples), workload, 0
        squared = workload.net == "mlp_sigmoid"
        self.x, self.test_x = data.x, data.test_x
        self.y, self.test_y = (keras.utils.to_categorical(y, 10) if squared else y for y in (data.y, data.test_y))
        self.model = keras.Sequential([keras.Input((28, 28, 1)), *NETS[workload.net]()])
        self.model.compile(
            optimizer=keras.optimizers.SGD(workload.learning_rate),
            loss="mean_squared_error" if squared else "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )

    def train(self, steps: int) -> None:
        remaining = steps * self.workload.batch_size
        while remaining:
            count = min(remaining, self.workload.steps_per_epoch * self.workload.batch_size - self.position)
            rows = slice(self.position, self.position + count)
            self.model.fit(self.x[rows], self.y[rows], batch_size=self.workload.batch_size, verbose=0)
            self.position = (self.position + count) % (self.workload.steps_per_epoch * self.workload.batch_size)
            remaining -= count

    def test(self) -> tuple[float, float]:
        loss, accuracy = self.model.evaluate(self.test_x, self.test_y, batch_size=1000, verbose=0)
        return float(loss), float(accuracy)


def fit(workload: Workload) -> Contestant:
    return Fit(workload)
