"""PyTorch on generative nets and graphs: the autoencoder of its examples, and the graph convolutional net of Kipf."""

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.digits import digits
from benchmarks.runner import Contestant, Workload
from jaxnn.data import load as load_dataset

HIDDEN, LATENT = 500, 20


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.code = nn.Linear(784, HIDDEN), nn.Linear(HIDDEN, 2 * LATENT)
        self.decoder, self.pixels = nn.Linear(LATENT, HIDDEN), nn.Linear(HIDDEN, 784)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mean, log_variance = self.code(torch.relu(self.encoder(x))).chunk(2, 1)
        z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        return self.pixels(torch.relu(self.decoder(z))), mean, log_variance


def negative_elbo(x: torch.Tensor, out: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> torch.Tensor:
    logits, mean, log_variance = out
    likelihood = functional.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    divergence = -0.5 * torch.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
    return (likelihood + divergence) / len(x)


class VAELoop:
    """Batches of binary pixels, drawn anew in each step, and Adam."""

    def __init__(self, workload: Workload, *, compiled: bool):
        torch.manual_seed(0)
        data = digits(workload.examples)
        self.x, self.test_x = (torch.from_numpy(np.asarray(a)).reshape(len(a), 784) for a in (data.x, data.test_x))
        self.net, self.batch_size = VAE(), workload.batch_size
        self.forward: Any = torch.compile(self.net) if compiled else self.net
        self.optimizer = torch.optim.Adam(self.net.parameters(), workload.learning_rate)
        self.order = torch.zeros(0, dtype=torch.long)

    def train(self, steps: int) -> None:
        for _ in range(steps):
            if len(self.order) < self.batch_size:
                self.order = torch.randperm(len(self.x))
            rows, self.order = self.order[: self.batch_size], self.order[self.batch_size :]
            x = torch.bernoulli(self.x[rows])
            self.optimizer.zero_grad(set_to_none=True)
            negative_elbo(x, self.forward(x)).backward()
            self.optimizer.step()

    @torch.no_grad()
    def test(self) -> tuple[float, float]:
        x = torch.bernoulli(self.test_x)
        return float(negative_elbo(x, self.net(x))), float("nan")


class GCN(nn.Module):
    """Two graph convolutions; the adjacency is a sparse tensor, as in the author's own PyTorch code."""

    def __init__(self, features: int, classes: int):
        super().__init__()
        self.first, self.second = nn.Linear(features, 16, bias=False), nn.Linear(16, classes, bias=False)
        self.bias_1, self.bias_2 = nn.Parameter(torch.zeros(16)), nn.Parameter(torch.zeros(classes))

    def forward(self, x: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        x = functional.dropout(x, 0.5, self.training)
        h = torch.relu(torch.sparse.mm(adjacency, self.first(x)) + self.bias_1)
        h = functional.dropout(h, 0.5, self.training)
        return torch.sparse.mm(adjacency, self.second(h)) + self.bias_2


class GCNLoop:
    """All nodes in each step, and Adam with a decay of the first layer alone."""

    def __init__(self, workload: Workload):
        torch.manual_seed(0)
        dataset: Any = load_dataset("graph", {"file": "graphs/cora-planetoid.npz"})
        graph, edges = dataset.train.x, dataset.train.x.edges
        n = edges.degrees.shape[-1]
        x = np.zeros((n, graph.nodes.columns.order.shape[-1]), np.float32)
        x[graph.nodes.node[0], graph.nodes.feature[0]] = graph.nodes.values[0]
        root = 1 / np.sqrt(edges.degrees[0])
        weights = (root[edges.receivers[0]] * root[edges.senders[0]]).astype(np.float32)
        index = torch.from_numpy(np.stack([edges.receivers[0], edges.senders[0]]).astype(np.int64))
        self.adjacency = torch.sparse_coo_tensor(index, torch.from_numpy(weights), (n, n)).coalesce()
        self.x, self.labels = torch.from_numpy(x), torch.from_numpy(dataset.train.y.target[0].astype(np.int64))
        self.known, self.judged = (torch.from_numpy(p.y.weight[0] > 0) for p in (dataset.train, dataset.test))
        self.net = GCN(x.shape[1], len(dataset.classes))
        decayed = [self.net.first.weight]
        others = [self.net.second.weight, self.net.bias_1, self.net.bias_2]
        groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": others}]
        self.optimizer = torch.optim.Adam(groups, workload.learning_rate)

    def train(self, steps: int) -> None:
        self.net.train()
        for _ in range(steps):
            self.optimizer.zero_grad(set_to_none=True)
            out = self.net(self.x, self.adjacency)
            functional.cross_entropy(out[self.known], self.labels[self.known]).backward()
            self.optimizer.step()

    @torch.no_grad()
    def test(self) -> tuple[float, float]:
        self.net.eval()
        out, labels = self.net(self.x, self.adjacency)[self.judged], self.labels[self.judged]
        return float(functional.cross_entropy(out, labels)), float((out.argmax(1) == labels).float().mean())


def eager(workload: Workload) -> Contestant:
    return VAELoop(workload, compiled=False) if workload.net == "vae" else GCNLoop(workload)


def compiled(workload: Workload) -> Contestant:
    return VAELoop(workload, compiled=True)
