"""Keras 3 on JAX: `Sequential`, `compile`, `fit`."""

import os

os.environ["KERAS_BACKEND"] = "jax"

import keras

from benchmarks.digits import digits
from benchmarks.runner import Contestant, Work

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
    """One call of `fit` a round, on the next examples."""

    def __init__(self, work: Work):
        keras.utils.set_random_seed(0)
        found, self.work, self.place = digits(work.examples), work, 0
        squared = work.net == "mlp_sigmoid"
        self.x, self.test_x = found.x, found.test_x
        self.y, self.test_y = (keras.utils.to_categorical(y, 10) if squared else y for y in (found.y, found.test_y))
        self.model = keras.Sequential([keras.Input((28, 28, 1)), *NETS[work.net]()])
        self.model.compile(
            optimizer=keras.optimizers.SGD(work.rate),
            loss="mean_squared_error" if squared else "sparse_categorical_crossentropy",
            metrics=["accuracy"],
        )

    def train(self, steps: int) -> None:
        left = steps * self.work.batch
        while left:
            some = min(left, self.work.epoch * self.work.batch - self.place)
            rows = slice(self.place, self.place + some)
            self.model.fit(self.x[rows], self.y[rows], batch_size=self.work.batch, verbose=0)
            self.place = (self.place + some) % (self.work.epoch * self.work.batch)
            left -= some

    def test(self) -> tuple[float, float]:
        loss, accuracy = self.model.evaluate(self.test_x, self.test_y, batch_size=1000, verbose=0)
        return float(loss), float(accuracy)


def fit(work: Work) -> Contestant:
    return Fit(work)
