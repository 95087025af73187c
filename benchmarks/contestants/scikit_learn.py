"""scikit-learn: `MLPClassifier`, whose `partial_fit` is one step; it has neither convolutions nor a sigmoid output."""

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from benchmarks.digits import digits
from benchmarks.runner import Contestant, Work


class PartialFit:
    """`partial_fit` of several batches' examples at once walks over them in batches, as `fit` does in an epoch."""

    def __init__(self, work: Work):
        found, self.work, self.place = digits(work.examples), work, 0
        self.x, self.y = found.x.reshape(work.examples, -1), found.y
        self.test_x, self.test_y = found.test_x.reshape(len(found.test_y), -1), found.test_y
        self.model = MLPClassifier(
            (30,), activation="tanh", solver="sgd", alpha=0.0, batch_size=work.batch,
            learning_rate_init=work.rate, momentum=0.0, random_state=0,
        )  # fmt: skip

    def train(self, steps: int) -> None:
        left = steps * self.work.batch
        while left:
            some = min(left, self.work.epoch * self.work.batch - self.place)
            rows = slice(self.place, self.place + some)
            self.model.partial_fit(self.x[rows], self.y[rows], classes=np.arange(10))
            self.place = (self.place + some) % (self.work.epoch * self.work.batch)
            left -= some

    def test(self) -> tuple[float, float]:
        found = self.model.predict_proba(self.test_x)
        return float(log_loss(self.test_y, found)), float(np.mean(found.argmax(1) == self.test_y))


def partial_fit(work: Work) -> Contestant:
    return PartialFit(work)
