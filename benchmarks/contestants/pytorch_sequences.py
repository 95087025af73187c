"""PyTorch on sequences: `nn.LSTM` after its tutorial, and the small GPT of nanoGPT with its own attention kernel."""

import torch
from torch import nn
from torch.nn import functional

from benchmarks.runner import Contestant, Workload
from benchmarks.sequences import HEADS, LAYERS, PLACES, UNITS, batches, sequences


class RowsLSTM(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.lstm, self.head = nn.LSTM(28, UNITS, batch_first=True), nn.Linear(UNITS, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(x)[0][:, -1])


class TextLSTM(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.embedding = nn.Embedding(classes, UNITS)
        self.lstm, self.head = nn.LSTM(UNITS, UNITS, num_layers=2, batch_first=True), nn.Linear(UNITS, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.lstm(self.embedding(x))[0])


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(UNITS), nn.LayerNorm(UNITS)
        self.qkv, self.out = nn.Linear(UNITS, 3 * UNITS), nn.Linear(UNITS, UNITS)
        self.net = nn.Sequential(nn.Linear(UNITS, 4 * UNITS), nn.GELU(), nn.Linear(4 * UNITS, UNITS))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, time, units = x.shape
        q, k, v = (
            part.view(batch, time, HEADS, units // HEADS).transpose(1, 2)
            for part in self.qkv(self.norm_1(x)).split(units, dim=2)
        )
        read = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(read.transpose(1, 2).reshape(batch, time, units))
        return x + self.net(self.norm_2(x))


class GPT(nn.Module):
    """Pre-norm blocks, learned positions, and the embedding's weights as those of the output."""

    def __init__(self, classes: int):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(classes, UNITS), nn.Embedding(PLACES["gpt"], UNITS)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm, self.head = nn.LayerNorm(UNITS), nn.Linear(UNITS, classes, bias=False)
        for weight in (self.embedding.weight, self.positions.weight):
            nn.init.normal_(weight, std=0.02)
        self.head.weight = self.embedding.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        positions = self.positions(torch.arange(x.shape[1], device=x.device))
        return self.head(self.norm(self.blocks(self.embedding(x) + positions)))


NETS = {"lstm_rows": RowsLSTM, "lstm_text": TextLSTM, "gpt": GPT}


class Loop:
    """A loop over batches, with Adam; nanoGPT's AdamW and clipping for the GPT."""

    def __init__(self, workload: Workload, *, compiled: bool):
        torch.manual_seed(0)
        data = sequences(workload)
        self.batches, self.test_x, self.test_y = batches(workload, data), data.test_x, data.test_y
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.net: nn.Module = NETS[workload.net](data.classes).to(self.device)
        self.forward = torch.compile(self.net) if compiled else self.net
        self.clip = workload.net == "gpt"
        parameters, rate = self.net.parameters(), workload.learning_rate
        self.optimizer: torch.optim.Optimizer = (
            torch.optim.AdamW(parameters, rate, (0.9, 0.99), weight_decay=0.1)
            if self.clip
            else torch.optim.Adam(parameters, rate)
        )

    def train(self, steps: int) -> None:
        for _ in range(steps):
            x, y = (torch.from_numpy(a).to(self.device, non_blocking=True) for a in next(self.batches))
            self.optimizer.zero_grad(set_to_none=True)
            out = self.forward(x)
            functional.cross_entropy(out.flatten(0, -2), y.flatten()).backward()
            if self.clip:
                nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
            self.optimizer.step()
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    @torch.no_grad()
    def test(self) -> tuple[float, float]:
        out = self.net(torch.from_numpy(self.test_x).to(self.device)).flatten(0, -2)
        y = torch.from_numpy(self.test_y).to(self.device).flatten()
        return float(functional.cross_entropy(out, y)), float((out.argmax(1) == y).float().mean())


def eager(workload: Workload) -> Contestant:
    return Loop(workload, compiled=False)


def compiled(workload: Workload) -> Contestant:
    return Loop(workload, compiled=True)
