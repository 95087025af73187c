"""A run's folder as one HTML page."""

import math
import shlex
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnn.errors import plural
from jaxnn.metric_labels import axis_label
from jaxnn.report import Headline, Picture, Table, write_report
from jaxnn.report.cells import NOT_DEFINED, format_cell, format_epochs, short_cell
from jaxnn.report.interactive_curves import curve_figures
from jaxnn.report.score_table import class_rows, metric_rows

#: What the page says of the kind of gradient.
GRADIENT_NAMES = {"hand": "hand-written", "auto": "autodiff", "": "as the experiment has it"}


#: The title of the figure of curves, which the page draws itself.
CURVES = "Learning curves"
#: Layers that the page names.
MAX_LAYERS = 12
#: The metric that a report begins with: the first of these that the run has, else its first metric.
HEADLINES = ("mean_iou", "average_precision", "accuracy %", "roc_auc", "likelihood", "modes", "mae_in_units", "r2")


def write_page(
    folder: Path,
    files: Mapping[str, str],
    manifest: Mapping[str, Any],
    figures: Sequence[Picture],
    texts: Sequence[tuple[str, str]],
    history: Mapping[str, np.ndarray],
) -> None:
    """Writes report.html into a run's folder.

    files: the texts that describe the experiment, such as "config.toml"
    texts: pairs (title, text) that a language model wrote
    history: "epoch" (rows,), "train_loss" (seeds, rows) and so on
    """
    rows, seeds, seconds = manifest["scores"], manifest["seeds"], manifest["seconds"]
    last = rows[-1]
    name = next((name for name in HEADLINES if name in last), list(last)[2])
    facts = [
        ("seeds", f"{len(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}"),
        ("best epoch", format_epochs(manifest["best_epoch"])),
        ("gradient", GRADIENT_NAMES[manifest["grad"]]),
        ("training", f"{seconds['train']:.1f} s"),
        ("compiling", f"{seconds['compile']:.1f} s"),
        ("started", manifest["start"].replace("T", " ").replace("+00:00", " UTC")),
        ("machine", machine_name(manifest["devices"], manifest["platform"])),
    ]
    data = manifest["data"]
    curves = curve_figures(history)
    tables = [_table("Best parameters", metric_rows(rows))]
    values = manifest["values"][last["part"]]
    if by_class := class_rows(values, data["classes"] or data.get("targets", ())):
        kind = "class" if "class" in by_class[0] else "output"
        tables.append(_table(f"Each {kind}, {last['part']} part", by_class, short_cell))
    write_report(
        folder / "report.html",
        title=manifest["title"],
        command=shlex.join(manifest["command"]),
        summary_rows=facts,
        tables=tables,
        figures=[picture for picture in figures if not (curves and picture.title == CURVES)],
        texts=texts,
        config_text=files.get("config.toml", ""),
        manifest=manifest,
        links=[*files, "history.csv", "best.safetensors", "last.safetensors", "manifest.json"],
        headline=headline(name, last, values, manifest),
        curves=curves,
    )


def headline(name: str, row: Mapping[str, Any], values: Mapping[str, Any], manifest: Mapping[str, Any]) -> Headline:
    """The metric that the page begins with, how sure it is, and what was trained.

    row: the scores of the last part, a metric each
    values: the same of each seed, with the metrics of each class
    """
    statistics, notes = row[name], []
    if statistics["mean"] is not None and name == "accuracy %":
        share, (count, noun) = statistics["mean"] / 100, _answers(row, values)
        error = 100 * math.sqrt(share * (1 - share) / count)
        notes.append(f"± {error:.2g} by chance, of {plural(count, noun)}")
    if statistics["sd"] is not None:
        low, high = (f"{statistics[key]:.4g}" for key in ("min", "max"))
        notes.append(f"{low} … {high} over {plural(len(manifest['seeds']), 'seed')}")
    unit = " %" if name.endswith(" %") else ""
    value = f"{statistics['mean']:.4g}" + unit if statistics["mean"] is not None else NOT_DEFINED
    label = axis_label(name.removesuffix(" %")).removesuffix(" (%)")
    return Headline(f"{row['part'].capitalize()} {label}", value, "; ".join(notes), story(manifest))


def _answers(row: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[int, str]:
    """How many answers an accuracy is a share of, and what one is: an example, or a node or pixel that has a class."""
    # With one class each, the classes' numbers of examples add up to the answers; fractional weights are no numbers.
    answers = sum(values["support_per_class"][0]) if "balanced_accuracy" in values else row["examples"]
    if answers == row["examples"] or not (answers > 0 and float(answers).is_integer()):
        return row["examples"], "example"
    return int(answers), "answer"


def story(manifest: Mapping[str, Any]) -> list[str]:
    """What was trained, in lines: the data, and of a config its net and its optimizer."""
    split = ", ".join(f"{size:,} {part}" for part, size in manifest["data"]["split"].items())
    lines = [f"Data: {manifest['data']['name']}" + (f" ({split} examples)" if split else "")]
    config = manifest.get("config")
    if config is None:
        return lines
    lines.append("Net: " + " → ".join(_layer_words(layer) for layer in config["net"][:MAX_LAYERS]))
    if len(config["net"]) > MAX_LAYERS:
        lines[-1] += f" → … ({len(config['net'])} layers)"
    optimizer, train = config["optimizer"], config["train"]
    rate = f", rate {optimizer['learning_rate']:g}" if "learning_rate" in optimizer else ""
    batch = f", batches of {train['batch_size']:,}" if "batch_size" in train else ", full batch"
    lines.append(f"Optimizer: {optimizer['name']}{rate}{batch}, {plural(train['epochs'], 'epoch')}")
    return lines


def _layer_words(layer: Mapping[str, Any]) -> str:
    size = next((layer[key] for key in ("units", "channels", "rate", "window") if key in layer), "")
    return f"{layer['layer']} {size}".strip()


def machine_name(devices: Sequence[str], platform: str) -> str:
    """A manifest's devices, such as "cpu:cpu" or "gpu:NVIDIA H100", and its operating system, in words."""
    kinds = Counter(device.partition(":")[2].replace("cpu", "CPU") for device in devices)
    return ", ".join([*(f"{kind} × {count}" for kind, count in kinds.items()), platform.partition("-")[0]])


def _table(title: str, rows: Sequence[Mapping[str, Any]], cell: Callable[[Any], str] = format_cell) -> Table:
    return Table(title, list(rows[0]), [[cell(value) for value in row.values()] for row in rows])
