"""The table, the figures and the comment on the best config of a sweep."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxnn import plots
from jaxnn.engine.snapshot import rows_of
from jaxnn.metric_labels import axis_label, is_share
from jaxnn.report import Table
from jaxnn.report.cells import format_cell, format_epochs, seed_statistics
from jaxnn.report.figure import Figure
from jaxnn.report.score_table import score_rows
from jaxnn.sweep import SweepResult, Trial

#: How many of the best members the learning curves show.
CURVES = 5


def member_rows(result: SweepResult) -> list[dict[str, Any]]:
    """A row for each member, best first; `scores` has the metric of each seed, None where the seed diverged."""
    unit = 100 if is_share(result.metric.split(".", 1)[1]) else 1
    metric = result.metric + (" %" if unit == 100 else "")
    names = _value_names(result)
    rows = []
    for rank, trial in enumerate(result.trials, start=1):
        scores = [None if np.isnan(score) else unit * float(score) for score in trial.score]
        row: dict[str, Any] = {"rank": rank}
        row |= {name: trial.member.values.get(name, "") for name in names}
        row[metric] = "diverged" if trial.diverged else seed_statistics(unit * np.asarray(trial.score, np.float64))
        row["best epoch"] = format_epochs([int(epoch) for epoch in trial.best_epoch])
        row["epochs"] = trial.epochs
        row["diverged seeds"] = trial.diverged
        row["member"] = trial.key if trial.key in result.kept else ""
        row["scores"] = scores
        rows.append(row)
    return rows


def summary(result: SweepResult) -> list[tuple[str, str]]:
    """The most important numbers of a sweep, as names and values."""
    rows = [("members", f"{len(result.trials):,}"), ("seeds", str(len(result.seeds)))]
    rows.append(("chosen by", f"{result.metric}, mean over the seeds"))
    if result.best is not None:
        rows += [(f"best {name.split('.')[-1]}", value) for name, value in result.best.member.values.items()]
    return [*rows, ("seconds", f"{result.seconds:.1f}")]


def head_comment(result: SweepResult, facts: Mapping[str, Any]) -> str:
    """The comment above the best config: the command that found it, its values and its scores."""
    assert result.best is not None
    lines = [f"The best of {len(result.trials)} members with {len(result.seeds)} seeds each, by {result.metric}."]
    lines += ["", f"Command:  {facts['command']}"]
    lines += [f"Values:   {name} = {value}" for name, value in result.best.member.values.items()]
    for row in score_rows(result.best.experiment, result.scores):
        numbers = ", ".join(f"{key} {format_cell(value)}" for key, value in row.items() if isinstance(value, dict))
        lines.append(f"Found:    {row['part']} {numbers}")
    return "".join(f"# {' '.join(line.split(chr(10)))}".rstrip() + "\n" for line in lines) + "\n"


def figures(result: SweepResult) -> list[Figure]:
    """The metric against each value, and the learning curves of the best members."""
    part, metric = result.metric.split(".", 1)
    unit = 100 if is_share(metric) else 1
    label = axis_label(metric)
    title = result.trials[0].experiment.title
    names = _value_names(result)
    values = {name: [trial.member.values.get(name, "") for trial in result.trials] for name in names}
    scores = unit * np.stack([trial.score for trial in result.trials])
    epochs = {trial.epochs for trial in result.trials}
    lengths = f": {min(epochs)} to {max(epochs)} epochs" if len(epochs) > 1 else ""
    drawn = [
        Figure(
            "sweep",
            "The metric against the values",
            plots.sweep(values, scores, ylabel=f"best {part} {label}", title=title + lengths),
            f"The best {part} {label} against {', '.join(names)}; {len(result.trials)} members.",
        )
    ]
    best = [t for t in result.trials if not t.diverged and t.history.train][:CURVES]
    if best:
        longest = max(best, key=lambda trial: rows_of(trial.history))
        rows = rows_of(longest.history)
        curves = {_label(trial): unit * _curve(trial, part, metric, rows) for trial in best}
        epoch = (np.arange(rows) + 1) * longest.experiment.plan.eval_every
        drawn.append(
            Figure(
                "learning_curves",
                "Learning curves of the best members",
                plots.sweep_curves(epoch, curves, f"{part} {label}", title=f"{title}: the best {len(best)}"),
                f"The {part} {label} of the best {len(best)} members against the epoch.",
            )
        )
    return drawn


def _value_names(result: SweepResult) -> list[str]:
    """The names that vary, in the order of their first appearance."""
    return list(dict.fromkeys(name for trial in result.trials for name in trial.member.values))


def _label(trial: Trial) -> str:
    return ", ".join(_shorten(value) for value in trial.member.values.values())


def _shorten(value: str) -> str:
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return value


def _curve(trial: Trial, part: str, metric: str, rows: int) -> np.ndarray:
    """A member's metric by evaluation, (seeds, rows), with NaN after its last evaluation."""
    curve = np.asarray(getattr(trial.history, part)[metric], np.float64)
    return np.pad(curve, ((0, 0), (0, rows - curve.shape[1])), constant_values=np.nan)


def score_table(title: str, rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(title, list(rows[0]), [[format_cell(value) for value in row.values()] for row in rows])


def csv_text(rows: Sequence[Mapping[str, Any]], seeds: int) -> str:
    """A line for each member: its values, the metric's mean and the metric of each seed; empty if a seed diverged."""
    text = io.StringIO()
    metric = next(
        key for key in rows[0] if key.split(" ")[0].startswith(("validation.", "train.")) and "scores" not in key
    )
    keys = [key for key in rows[0] if key not in ("scores", "best epoch")]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*keys, *(f"{metric}, seed {i + 1}" for i in range(seeds))])
    for row in rows:
        values = ["" if v == "diverged" else repr(v["mean"]) if isinstance(v, dict) else v for v in map(row.get, keys)]
        writer.writerow([*values, *("" if score is None else repr(score) for score in row["scores"])])
    return text.getvalue()
