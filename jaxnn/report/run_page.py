"""A run's folder as one HTML page."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxnn.config import Config, dump
from jaxnn.report import Picture, Table, write_report
from jaxnn.report.cells import format_cell


def write_page(folder: Path, config: Config, manifest: Mapping[str, Any], figures: Sequence[Picture]) -> None:
    """Writes report.html into a run's folder."""
    rows, seeds, seconds = manifest["scores"], manifest["seeds"], manifest["seconds"]
    last = rows[-1]
    name = "accuracy %" if "accuracy %" in last else "loss"
    facts = [
        (f"{last['part']} {name}", format_cell(last[name])),
        ("seeds", f"{len(seeds)}" if len(seeds) > 1 else f"seed {seeds[0]}"),
        ("best epoch", ", ".join(map(str, sorted(set(manifest["best_epoch"]))[:6]))),
        ("gradient", "hand-derived" if manifest["grad"] == "hand" else "autodiff"),
        ("training", f"{seconds['train']:.1f} s"),
        ("compiling", f"{seconds['compile']:.1f} s"),
    ]
    scores = Table("Best parameters", list(last), [[format_cell(value) for value in row.values()] for row in rows])
    write_report(
        folder / "report.html",
        title=config.title,
        command=shlex.join(manifest["command"]),
        summary_rows=facts,
        tables=[scores],
        figures=figures,
        config_text=dump(config),
        manifest=manifest,
    )
