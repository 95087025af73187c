"""scikit-learn: `MLPClassifier` with `partial_fit`. It has neither convolutions nor a sigmoid output."""

import numpy as np
from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from benchmarks.digits import digits
from benchmarks.runner import Contestant, Workload


class PartialFit:
    """Given the examples of several batches, `partial_fit` trains on them batch by batch, as `fit` does in an epoch."""

    def __init__(self, workload: Workload):
        data, self.workload, self.position = digits(workload.examples), workload, 0
        self.x, self.y = data.x.reshape(workload.examples, -1), data.y
        self.test_x, self.test_y = data.test_x.reshape(len(data.test_y), -1), data.test_y
        self.model = MLPClassifier(
            (30,), activation="tanh", solver="sgd", alpha=0.0, batch_size=workload.batch_size,
            learning_rate_init=workload.learning_rate, momentum=0.0, random_state=0,
        )  # fmt: skip

    def train(self, steps: int) -> None:
        remaining = steps * self.workload.batch_size
        while remaining:
            count = min(remaining, self.workload.steps_per_epoch * self.workload.batch_size - self.position)
            rows = slice(self.position, self.position + count)
            self.model.partial_fit(self.x[rows], self.y[rows], classes=np.arange(10))
            self.position = (self.position + count) % (self.workload.steps_per_epoch * self.workload.batch_size)
            remaining -= count

    def test(self) -> tuple[float, float]:
        probabilities = self.model.predict_proba(self.test_x)
        return float(log_loss(self.test_y, probabilities)), float(np.mean(probabilities.argmax(1) == self.test_y))


def partial_fit(workload: Workload) -> Contestant:
    return PartialFit(workload)
