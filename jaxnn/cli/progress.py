"""A live bar over a compiled run: loss, accuracy, and the time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:
    from jaxnn.engine.driver import Progress as Where


@contextmanager
def bar(console: Console, unit: int) -> Iterator[Callable[["Where"], None]]:
    """A function that shows where a run stands; `unit` epochs make a record."""
    columns = (
        TextColumn("epoch {task.fields[epoch]}"),
        BarColumn(bar_width=30),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(compact=True),
    )
    with Progress(*columns, console=console, transient=True, refresh_per_second=4) as progress:
        task = progress.add_task("run", total=None, epoch="0", said="compiling")

        def report(where: "Where") -> None:
            epoch = f"{where.done * unit:,}/{where.records * unit:,}"
            progress.update(task, total=where.records, completed=where.done, epoch=epoch, said=said(where))

        yield report


def said(where: "Where") -> str:
    """The newest row of the history, the mean over seeds."""
    train, validation = where.history
    parts = []
    for name, metrics in (("train", train), ("validation", validation)):
        loss, accuracy = (float(np.mean(a)) for a in metrics)
        if not np.isnan(loss):
            parts.append(f"{name} {loss:.4f}" + ("" if np.isnan(accuracy) else f" {accuracy:.2%}"))
    return "  ".join(parts)
