"""A run's folder as one HTML page."""

import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxnn.report import Picture, Table, write_report
from jaxnn.report.cells import format_cell, format_epochs, short_cell
from jaxnn.report.score_table import class_rows, metric_rows

#: What the page says of the kind of gradient.
GRADIENT_NAMES = {"hand": "hand-written", "auto": "autodiff", "": "as the experiment has it"}


#: The metric that a report begins with: the first of these that the run has, else its first metric.
HEADLINES = ("mean_iou", "average_precision", "accuracy %", "roc_auc", "likelihood", "modes", "mae_in_units", "r2")


def write_page(
    folder: Path,
    files: Mapping[str, str],
    manifest: Mapping[str, Any],
    figures: Sequence[Picture],
    texts: Sequence[tuple[str, str]] = (),
) -> None:
    """Writes report.html into a run's folder.

    files: the texts that describe the experiment, such as "config.toml"
    texts: pairs (title, text) that a language model wrote
    """
    rows, seeds, seconds = manifest["scores"], manifest["seeds"], manifest["seconds"]
    last = rows[-1]
    name = next((name for name in HEADLINES if name in last), list(last)[2])
    facts = [
        (f"{last['part']} {name}", format_cell(last[name])),
        ("seeds", f"{len(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}"),
        ("best epoch", format_epochs(manifest["best_epoch"])),
        ("gradient", GRADIENT_NAMES[manifest["grad"]]),
        ("training", f"{seconds['train']:.1f} s"),
        ("compiling", f"{seconds['compile']:.1f} s"),
        ("started", manifest["start"].replace("T", " ").replace("+00:00", " UTC")),
        ("machine", machine_name(manifest["devices"], manifest["platform"])),
    ]
    data = manifest["data"]
    tables = [_table("Best parameters", metric_rows(rows))]
    if by_class := class_rows(manifest["values"][last["part"]], data["classes"] or data.get("targets", ())):
        kind = "class" if "class" in by_class[0] else "output"
        tables.append(_table(f"Each {kind}, {last['part']} part", by_class, short_cell))
    write_report(
        folder / "report.html",
        title=manifest["title"],
        command=shlex.join(manifest["command"]),
        summary_rows=facts,
        tables=tables,
        figures=figures,
        texts=texts,
        config_text=files.get("config.toml", ""),
        manifest=manifest,
        links=[*files, "history.csv", "best.safetensors", "last.safetensors", "manifest.json"],
    )


def machine_name(devices: Sequence[str], platform: str) -> str:
    """A manifest's devices, such as "cpu:cpu" or "gpu:NVIDIA H100", and its operating system, in words."""
    kinds = Counter(device.partition(":")[2].replace("cpu", "CPU") for device in devices)
    return ", ".join([*(f"{kind} × {count}" for kind, count in kinds.items()), platform.partition("-")[0]])


def _table(title: str, rows: Sequence[Mapping[str, Any]], cell: Callable[[Any], str] = format_cell) -> Table:
    return Table(title, list(rows[0]), [[cell(value) for value in row.values()] for row in rows])
