"""The course's own code: full batches in NumPy, one loop, the accuracy computed every thousand steps."""

import numpy as np

from benchmarks.digits import digits
from benchmarks.runner import Contestant, Workload


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


class Loop:
    """784-30-10 with sigmoids, descending the summed cross-entropy; in float64, NumPy's default."""

    def __init__(self, workload: Workload):
        data, rng = digits(workload.examples), np.random.default_rng(0)
        self.x, self.labels = data.x.reshape(workload.examples, -1).astype(float), data.y
        self.test_x, self.test_labels = data.test_x.reshape(len(data.test_y), -1), data.test_y
        self.rate = workload.learning_rate
        self.w1, self.b1 = rng.normal(size=(30, 784)), np.zeros((30, 1))
        self.w2, self.b2 = rng.normal(size=(10, 30)), np.zeros((10, 1))

    def forward(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a1 = sigmoid(self.w1 @ x.T + self.b1)
        return a1, sigmoid(self.w2 @ a1 + self.b2)

    def train(self, steps: int) -> None:
        rows = np.arange(len(self.labels))
        for step in range(steps):
            a1, a2 = self.forward(self.x)
            if step % 1000 == 0:
                np.mean(a2.argmax(0) == self.labels)
            delta2 = a2
            delta2[self.labels, rows] -= 1
            delta1 = (self.w2.T @ delta2) * a1 * (1 - a1)
            self.w2 -= self.rate * (delta2 @ a1.T)
            self.b2 -= self.rate * delta2.sum(axis=1, keepdims=True)
            self.w1 -= self.rate * (delta1 @ self.x)
            self.b1 -= self.rate * delta1.sum(axis=1, keepdims=True)

    def test(self) -> tuple[float, float]:
        a2 = self.forward(self.test_x)[1]
        hot = np.eye(10)[self.test_labels].T
        loss = -(hot * np.log(a2 + 1e-30) + (1 - hot) * np.log(1 - a2 + 1e-30)).sum()
        return float(loss), float(np.mean(a2.argmax(0) == self.test_labels))


def loop(workload: Workload) -> Contestant:
    return Loop(workload)
