"""A sweep's folder: table, figures, report, and the best member as a config that can be trained."""

import csv
import io
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxnn import plots
from jaxnn.config import config_hash, dump
from jaxnn.engine.snapshot import rows_of
from jaxnn.report import Table, write_report
from jaxnn.report.cells import format_cell
from jaxnn.report.figures import Figure, save_figures
from jaxnn.report.score_table import score_rows
from jaxnn.runs.manifest import environment, git_state, now
from jaxnn.storage.files import atomic_directory, atomic_write, choose_folder
from jaxnn.sweep import SweepResult, Trial

TABLE = "sweep.json"
#: Members whose curves are drawn.
DRAWN = 5


def place(out: Path | None, name: str, *, overwrite: bool) -> Path:
    """Where the sweep of the config `name` goes; see `files.choose_folder`."""
    return choose_folder(out, f"{name}-sweep", kind="sweep", marker=TABLE, overwrite=overwrite)


def table(swept: SweepResult) -> list[dict[str, Any]]:
    """A row for each member, best first; `scores` has the metric of each seed."""
    unit = 100 if swept.metric.endswith("accuracy") else 1
    name = swept.metric + (" %" if unit == 100 else "")
    names = list(dict.fromkeys(key for trial in swept.trials for key in trial.member.values))
    rows = []
    for place, trial in enumerate(swept.trials, start=1):
        scores = [None if np.isnan(score) else unit * float(score) for score in trial.score]
        row: dict[str, Any] = {"place": place}
        row |= {key: trial.member.values.get(key, "") for key in names}
        row[name] = _spread([score for score in scores if score is not None]) if not trial.diverged else "diverged"
        row["best epoch"] = " ".join(str(epoch) for epoch in sorted({int(epoch) for epoch in trial.best_epoch})[:4])
        row["epochs"] = trial.epochs
        row["diverged seeds"] = trial.diverged
        row["scores"] = scores
        rows.append(row)
    return rows


def _spread(numbers: Sequence[float]) -> dict[str, Any]:
    a = np.array(numbers)
    sd = float(a.std(ddof=1)) if len(a) > 1 else None
    return {"mean": float(a.mean()), "sd": sd, "min": float(a.min()), "max": float(a.max())}


def write(
    folder: Path, swept: SweepResult, rows: Sequence[Mapping[str, Any]], facts: Mapping[str, Any], *, overwrite: bool
) -> None:
    """Writes the folder, whole or not at all."""
    folder = folder.absolute()
    old = folder.with_name(f".{folder.name}.{os.getpid()}.old")
    best = swept.best and swept.best.member.config
    made = {"git": git_state(), **environment(), "end": now()}
    title = swept.trials[0].experiment.title
    facts = {"title": title, **facts, **made, "best_sha256": None if best is None else config_hash(best)}
    with atomic_directory(folder) as beside:
        atomic_write(beside / TABLE, _json({**facts, "rows": list(rows)}))
        atomic_write(beside / "sweep.csv", _csv(rows, len(swept.seeds)).encode())
        pictures = save_figures(beside / "figures", iter(figures(swept)))
        text = "every member diverged" if swept.best is None else head(swept, facts)
        if best is not None:
            text = head(swept, facts) + dump(best)
            atomic_write(beside / "best.toml", text.encode())
        shown = [{key: value for key, value in row.items() if key != "scores"} for row in rows]
        tables = [
            Table("Members, best first", list(shown[0]), [[format_cell(v) for v in row.values()] for row in shown])
        ]
        worth = [] if swept.best is None else score_rows(swept.best.experiment, swept.scores)
        if worth:
            tables.insert(
                0, Table("The best member", list(worth[0]), [[format_cell(v) for v in row.values()] for row in worth])
            )
        write_report(
            beside / "report.html",
            title=f"Sweep: {title}",
            command=str(facts["command"]),
            summary_rows=summary(swept),
            tables=tables,
            figures=pictures,
            config_text=text,
            manifest=facts,
        )
        if folder.exists() and (overwrite or not any(folder.iterdir())):
            folder.rename(old)
    shutil.rmtree(old, ignore_errors=True)


def summary(swept: SweepResult) -> list[tuple[str, str]]:
    """The few numbers that a reader wants first."""
    found = [("members", f"{len(swept.trials):,}"), ("seeds", str(len(swept.seeds)))]
    found.append(("chosen by", f"{swept.metric}, mean over the seeds"))
    if swept.best is not None:
        found += [(f"best {name.split('.')[-1]}", value) for name, value in swept.best.member.values.items()][:4]
    return [*found, ("seconds", f"{swept.seconds:.1f}")]


def head(swept: SweepResult, facts: Mapping[str, Any]) -> str:
    """How the best config came about, as a comment."""
    assert swept.best is not None
    lines = [f"The best of {len(swept.trials)} members with {len(swept.seeds)} seeds each, by {swept.metric}."]
    lines += ["", f"Command:  {facts['command']}"]
    lines += [f"Values:   {name} = {value}" for name, value in swept.best.member.values.items()]
    for row in score_rows(swept.best.experiment, swept.scores):
        numbers = ", ".join(f"{key} {format_cell(value)}" for key, value in row.items() if isinstance(value, dict))
        lines.append(f"Found:    {row['part']} {numbers}")
    return "".join(f"# {' '.join(line.split(chr(10)))}".rstrip() + "\n" for line in lines) + "\n"


def figures(swept: SweepResult) -> list[Figure]:
    """The metric against each value, and the curves of the best members."""
    accuracy = swept.metric.endswith("accuracy")
    metric = swept.metric.split(".", 1)[1]
    unit, what = (100, "accuracy (%)") if accuracy else (1, "loss (mean per example)" if metric == "loss" else metric)
    part = swept.metric.split(".")[0]
    title = swept.trials[0].experiment.title
    names = list(dict.fromkeys(key for trial in swept.trials for key in trial.member.values))
    values = {name: [trial.member.values.get(name, "") for trial in swept.trials] for name in names}
    scores = unit * np.stack([trial.score for trial in swept.trials])
    epochs = {trial.epochs for trial in swept.trials}
    stopped = f": {min(epochs)} to {max(epochs)} epochs" if len(epochs) > 1 else ""
    found = [
        Figure(
            "sweep",
            "What the values do",
            plots.sweep(values, scores, ylabel=f"best {part} {what}", title=title + stopped),
            f"The best {part} {what} against {', '.join(names)}; {len(swept.trials)} members.",
        )
    ]
    sound = [trial for trial in swept.trials if not trial.diverged][:DRAWN]
    if sound:
        longest = max(sound, key=lambda trial: rows_of(trial.history))
        rows = rows_of(longest.history)
        curves = {_name(trial): unit * _curve(trial, part, swept.metric.split(".")[1], rows) for trial in sound}
        epoch = (np.arange(rows) + 1) * longest.experiment.plan.eval_every
        found.append(
            Figure(
                "learning_curves",
                "How the best learned",
                plots.sweep_curves(epoch, curves, f"{part} {what}", title=f"{title}: the best {len(sound)}"),
                f"The {part} {what} of the best {len(sound)} members against the epoch.",
            )
        )
    return found


def _name(trial: Trial) -> str:
    return ", ".join(_short(value) for value in trial.member.values.values())


def _short(value: str) -> str:
    try:
        return f"{float(value):.3g}"
    except ValueError:
        return value


def _curve(trial: Trial, part: str, metric: str, rows: int) -> np.ndarray:
    own = np.asarray(getattr(trial.history, part)[metric], np.float64)
    return np.pad(own, ((0, 0), (0, rows - own.shape[1])), constant_values=np.nan)


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n").encode()


def _csv(rows: Sequence[Mapping[str, Any]], seeds: int) -> str:
    """A line a member: its values, the metric's mean and that of each seed; empty where one diverged."""
    text = io.StringIO()
    skipped = {"scores", "best epoch"}
    name = next(
        key for key in rows[0] if key.split(" ")[0].startswith(("validation.", "train.")) and "scores" not in key
    )
    keys = [key for key in rows[0] if key not in skipped]
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*keys, *(f"{name}, seed {i + 1}" for i in range(seeds))])
    for row in rows:
        plain = ["" if v == "diverged" else repr(v["mean"]) if isinstance(v, dict) else v for v in map(row.get, keys)]
        writer.writerow([*plain, *("" if score is None else repr(score) for score in row["scores"])])
    return text.getvalue()
