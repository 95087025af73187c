"""A progress bar of a compiled run: the metrics, and the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from jaxnn.engine.hooks import Progress as RunProgress


@contextmanager
def progress_bar(console: Console, unit: int) -> Iterator[Callable[["RunProgress"], None]]:
    """A function that shows how far a run is; an evaluation comes every `unit` epochs."""
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[newest]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as progress:
        task = progress.add_task("run", total=None, epoch="0", newest="compiling")

        def report(now: "RunProgress") -> None:
            epoch = f"{now.done * unit:,}/{now.evaluations * unit:,}"
            progress.update(task, total=now.evaluations, completed=now.done, epoch=epoch, newest=latest_metrics(now))

        yield report


def latest_metrics(progress: "RunProgress") -> str:
    """The newest row of the history, the mean over the seeds."""
    parts = []
    for part, metrics in progress.history._asdict().items():
        values = {name: float(np.mean(metrics[name])) for name in sorted(metrics, key=lambda n: (n != "loss", n))}
        texts = [f"{v:.2%}" if name == "accuracy" else f"{v:.4f}" for name, v in values.items() if not np.isnan(v)]
        parts += [" ".join([part, *texts])] if texts else []
    return "  ".join(parts)
