"""PyTorch, after its tutorial: a module, `nn` losses, `torch.optim.SGD`, batches from one shuffled tensor."""

import time

import torch
from torch import nn

from benchmarks.digits import digits
from benchmarks.runner import Contestant, Runner, Workload

NETS = {
    "mlp_sigmoid": lambda: nn.Sequential(
        nn.Flatten(), nn.Linear(784, 30), nn.Sigmoid(), nn.Linear(30, 10), nn.Sigmoid()
    ),
    "mlp_tanh": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 30), nn.Tanh(), nn.Linear(30, 10)),
    "cnn": lambda: nn.Sequential(
        nn.Conv2d(1, 20, 5),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(2880, 100),
        nn.Tanh(),
        nn.Linear(100, 10),
    ),
}


class Loop:
    """A loop over batches."""

    def __init__(self, workload: Workload, *, compiled: bool, channels_last: bool):
        torch.manual_seed(0)
        data, self.workload = digits(workload.examples), workload
        layout = torch.channels_last if channels_last else torch.contiguous_format
        x, self.test_x = (
            torch.from_numpy(a).permute(0, 3, 1, 2).contiguous(memory_format=layout) for a in (data.x, data.test_x)
        )
        self.x, self.y, self.test_y = x, torch.from_numpy(data.y), torch.from_numpy(data.test_y)
        self.squared = workload.net == "mlp_sigmoid"
        self.loss = nn.MSELoss() if self.squared else nn.CrossEntropyLoss()
        self.net = NETS[workload.net]().to(memory_format=layout)
        self.optimizer = torch.optim.SGD(self.net.parameters(), lr=workload.learning_rate)
        self.forward = torch.compile(self.net) if compiled else self.net
        self.position = workload.examples

    def target(self, y: torch.Tensor) -> torch.Tensor:
        return nn.functional.one_hot(y, 10).float() if self.squared else y

    def train(self, steps: int) -> None:
        batch = self.workload.batch_size
        for _ in range(steps):
            if self.position + batch > len(self.y):
                self.order, self.position = torch.randperm(len(self.y)), 0
            rows = self.order[self.position : self.position + batch]
            self.position += batch
            self.optimizer.zero_grad()
            loss = self.loss(self.forward(self.x[rows]), self.target(self.y[rows]))
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def test(self) -> tuple[float, float]:
        out = self.net(self.test_x)
        accuracy = (out.argmax(1) == self.test_y).float().mean()
        return float(self.loss(out, self.target(self.test_y))), float(accuracy)


def eager(workload: Workload) -> Contestant:
    return Loop(workload, compiled=False, channels_last=False)


def eager_channels_last(workload: Workload) -> Contestant:
    return Loop(workload, compiled=False, channels_last=True)


def compiled(workload: Workload) -> Contestant:
    return Loop(workload, compiled=True, channels_last=False)


def compiled_channels_last(workload: Workload) -> Contestant:
    return Loop(workload, compiled=True, channels_last=True)


class OneCycle:
    """To 99 %: two convolutions, Adam, one cycle of the learning rate, batches of 128, two epochs, channels last.

    Of four nets, one or two epochs, and batches of 128 or 256, the cheapest with 99 % of 10,000 validation digits.
    """

    def __init__(self, workload: Workload):
        data = digits(workload.examples)
        self.batch_size, self.epochs = 128, 2
        self.x, self.test_x = (
            torch.from_numpy(a).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
            for a in (data.x, data.test_x)
        )
        self.y, self.test_y = torch.from_numpy(data.y), torch.from_numpy(data.test_y)
        net = nn.Sequential(
            nn.Conv2d(1, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 10),
        )  # fmt: skip
        self.net = net.to(memory_format=torch.channels_last)

    def run(self, seed: int) -> tuple[float, float]:
        """The seconds of a training from new weights, and its test accuracy."""
        torch.manual_seed(seed)
        start_time = time.perf_counter()
        for layer in self.net:
            if hasattr(layer, "reset_parameters"):
                layer.reset_parameters()
        steps = len(self.y) // self.batch_size
        optimizer = torch.optim.Adam(self.net.parameters(), lr=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.01, total_steps=self.epochs * steps + 1)
        loss = nn.CrossEntropyLoss()
        for _ in range(self.epochs):
            order = torch.randperm(len(self.y))
            for step in range(steps):
                rows = order[step * self.batch_size : (step + 1) * self.batch_size]
                optimizer.zero_grad()
                loss(self.net(self.x[rows]), self.y[rows]).backward()
                optimizer.step()
                schedule.step()
        seconds = time.perf_counter() - start_time
        with torch.no_grad():
            return seconds, float((self.net(self.test_x).argmax(1) == self.test_y).float().mean())


def one_cycle(workload: Workload) -> Runner:
    return OneCycle(workload)
