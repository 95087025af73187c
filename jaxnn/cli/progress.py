"""A progress bar for a compiled run: epoch, loss, accuracy and the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from jaxnn.engine.driver import Progress as RunProgress


@contextmanager
def progress_bar(console: Console, epochs_per_record: int) -> Iterator[Callable[["RunProgress"], None]]:
    """Shows a bar while the block runs, and gives the function that moves it to the progress of a run."""
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[metrics]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as bar:
        task = bar.add_task("run", total=None, epoch="0", metrics="compiling")

        def report(progress: "RunProgress") -> None:
            epoch = f"{progress.done * epochs_per_record:,}/{progress.records * epochs_per_record:,}"
            metrics = latest_metrics(progress)
            bar.update(task, total=progress.records, completed=progress.done, epoch=epoch, metrics=metrics)

        yield report


def latest_metrics(progress: "RunProgress") -> str:
    """Loss and accuracy of the newest record, each the mean over the seeds."""
    train, validation = progress.history
    texts = []
    for name, metrics in (("train", train), ("validation", validation)):
        loss, accuracy = (float(np.mean(a)) for a in metrics)
        if not np.isnan(loss):
            texts.append(f"{name} {loss:.4f}" + ("" if np.isnan(accuracy) else f" {accuracy:.2%}"))
    return "  ".join(texts)
