"""The folder of a sweep: its request, so that it can be resumed, and in the end its table, figures, report and runs.

SWEEP/sweep.json        the request, the status and the table, sealed
SWEEP/members/KEY/      the best members, each a run; see `jaxnn.sweep.store` for what is there while it trains
SWEEP/best.toml         the config of the best member
"""

import math
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt
from pydantic import BaseModel, StringConstraints

from jaxnn.config import config_hash, dump, load
from jaxnn.config.sections import is_path_option
from jaxnn.config.shipped import find
from jaxnn.errors import UserError
from jaxnn.report import write_report
from jaxnn.report.figures import save_figures
from jaxnn.report.score_table import metric_rows, score_rows
from jaxnn.runs import folder as run_folder
from jaxnn.runs.manifest import environment, git_state, machine_facts, now
from jaxnn.runs.manifest_schema import ExperimentFacts
from jaxnn.runs.python_file import is_python_target, load_experiment, same_file, typed_overrides
from jaxnn.runs.reopen import source_of_run
from jaxnn.storage.claims import Claims
from jaxnn.storage.files import (
    atomic_directory,
    atomic_write,
    one_line,
    read_checksummed_json,
    write_checksummed_json,
)
from jaxnn.storage.locks import claimed
from jaxnn.sweep import Search, SweepResult
from jaxnn.sweep.joined import CLAIMS, DATA, differences, make_or_join
from jaxnn.sweep.store import MEMBERS, TRIALS
from jaxnn.sweep.tables import csv_text, figures, head_comment, score_table, summary

#: The file by which a sweep's folder is recognized, and the config that its members change.
SWEEP_FILE, SOURCE = "sweep.json", "source.toml"
#: The version of a sweep's folder.
FORMAT = 1


class JoinedFacts(BaseModel):
    """What all workers of a sweep that several train have in common.

    part: members of a piece; silence: seconds after which a worker counts as gone; threads: that a CPU computes with,
    on whose number some sums depend in their last bits
    """

    part: Annotated[int, Ge(1)] | None
    silence: Annotated[float, Gt(0)]
    threads: Annotated[int, Ge(1)]


class Request(BaseModel):
    """What a sweep was asked for: all that its result depends on, besides the data and the config.

    source: FILE.py:NAME of an experiment in Python, else the name of the config
    """

    source: str
    overrides: list[str]
    over: list[str]
    draw: list[str]
    search: Search
    seeds: Annotated[int, Ge(1)] | None
    trials: int
    batch: int
    eta: int
    draw_seed: int
    grad: Literal["hand", "auto"]
    keep: int
    precision: Literal["float32", "float64", "bfloat16"]
    deterministic: bool
    command: list[str]
    experiment: ExperimentFacts | None = None
    joined: JoinedFacts | None = None

    def same_for_all(self) -> dict[str, Any]:
        """What must be the same for all workers of a sweep."""
        return {k: v for k, v in self.model_dump().items() if k not in ("command", "source")}


class Facts(BaseModel):
    """What is read of a sweep's file. best: the key of the best member; None where all diverged, or not yet known."""

    format: Literal[1]
    status: Literal["running", "finished"]
    request: Request
    best: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{12}$")] | None = None


def claimed_path(out: Path | None, name: str, *, overwrite: bool) -> AbstractContextManager[Path]:
    """The folder for a sweep of the config `name`, locked; see `locks.claimed`."""
    return claimed(out, f"{name}-sweep", kind="sweep", marker=SWEEP_FILE, overwrite=overwrite)


def is_sweep(folder: Path) -> bool:
    """Whether a folder is that of a sweep."""
    return (folder / SWEEP_FILE).is_file()


def read_facts(folder: Path) -> Facts:
    """What a sweep's file says. Raises `UserError` for damage."""
    file = folder / SWEEP_FILE
    try:
        return Facts.model_validate(read_checksummed_json(file), strict=True)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{file}: expected the sweep of this version, found another: {one_line(error)}") from error


def best_run(folder: Path) -> Path:
    """The folder of a sweep's best member, which is a run; any other folder is returned as it is.

    Raises `UserError` for a sweep that is not finished, and for one without a best member.
    """
    if not is_sweep(folder):
        return folder
    facts = read_facts(folder)
    if facts.status != "finished":
        raise UserError(
            f"{folder}: expected a finished sweep, found one that is not; `jaxnn resume {folder}` continues it"
        )
    if facts.best is None:
        raise UserError(f"{folder}: expected a sweep with a best member, found one whose members all diverged")
    run_folder.reject_symlink(folder / MEMBERS)
    run_folder.reject_symlink(folder / MEMBERS / facts.best)
    return folder / MEMBERS / facts.best


def resolve_source(source: str, overrides: Sequence[str]) -> tuple[str, list[str], dict[str, Any] | None]:
    """The file of a sweep's source, its overrides, and where an experiment in Python stands.

    A relative `data.path` is made absolute: the folder of the sweep has a copy of the config, but not of the data.
    """
    folder = Path(source)
    if (folder / run_folder.MANIFEST).is_file():
        source = source_of_run(folder, run_folder.read_manifest(folder))
    if is_python_target(source):
        experiment = load_experiment(source, *typed_overrides(overrides))
        return source, list(overrides), experiment.record.facts["experiment"]
    options = load(source, overrides).data.options
    absolute = [f"data.{k}={v}" for k, v in options.items() if is_path_option(k) and v and os.path.isabs(v)]
    return source, [*overrides, *absolute], None


def source_of(folder: Path, request: Request) -> str:
    """The source of a sweep that is resumed. Raises `UserError` for a Python file that has changed."""
    if request.experiment is not None:
        return same_file(folder, request.experiment.model_dump())
    return str(folder / SOURCE)


def begin(folder: Path, request: Request, *, overwrite: bool) -> None:
    """Makes the folder of a sweep that begins, which the caller has locked. Raises `UserError` where it cannot be."""
    with atomic_directory(folder, overwrite=overwrite) as temporary:
        if request.experiment is None:
            atomic_write(temporary / SOURCE, find(request.source).read_bytes())
        facts = {"format": FORMAT, "status": "running", "request": request.model_dump(), "start": now()}
        if request.joined is not None:
            facts["machine"] = machine_facts()
        write_checksummed_json(temporary / SWEEP_FILE, facts)


def join(folder: Path, request: Request) -> None:
    """Makes the folder of a sweep that several workers train, or joins the one that is there.

    Raises `UserError` for a folder with anything else, with another sweep, and where this machine has other versions or
    another kind of device, each difference by its name.
    """
    if not make_or_join(folder, SWEEP_FILE, lambda: begin(folder, request, overwrite=False), "sweep"):
        return
    facts = read_facts(folder)
    if facts.request.joined is None:
        raise UserError(f"{folder}: expected a sweep that workers join, found one that `jaxnn sweep --out` has begun")
    there, here = facts.request.same_for_all(), request.same_for_all()
    if request.experiment is None:
        same = (folder / SOURCE).read_bytes() == find(request.source).read_bytes()
        there, here = there | {"config": ""}, here | {"config": "" if same else "another text"}
    found = differences(there, here) + differences(
        read_checksummed_json(folder / SWEEP_FILE)["machine"], machine_facts()
    )
    if found:
        raise UserError(f"{folder}: expected the sweep that is there, found another: {'; '.join(found)}")


def remove_leftovers(folder: Path, before: float = math.inf) -> None:
    """Removes what a process that was killed left half-written; see `jaxnn.runs.folder.remove_leftovers`."""
    for place in (folder, folder / TRIALS, folder / MEMBERS, *sorted((folder / MEMBERS).glob("[!.]*"))):
        if not place.is_symlink():
            run_folder.remove_leftovers(place, before)


def end_sharing(folder: Path, claims: Claims) -> None:
    """Removes from a finished sweep what its workers needed while they shared it."""
    with suppress(OSError):  # another worker does the same
        remove_leftovers(folder, claims.now() - claims.silence)
    for name in (CLAIMS, DATA):
        shutil.rmtree(folder / name, ignore_errors=True)


def read_results(folder: Path) -> dict[str, Any]:
    """What the file of a finished sweep says: its table, the metric, the seeds, the time. Raises `UserError`."""
    return read_checksummed_json(folder / SWEEP_FILE)


def finish(folder: Path, result: SweepResult, rows: Sequence[Mapping[str, Any]], facts: Mapping[str, Any]) -> None:
    """Writes the results of a sweep, and last its file, which says that it has finished."""
    best = None if result.best is None else result.best.member.config
    title = result.trials[0].experiment.title
    facts = {**read_checksummed_json(folder / SWEEP_FILE), "title": title, **facts}
    facts |= {"git": git_state(), **environment(), "end": now(), "status": "finished"}
    facts |= {"best": result.kept[0] if result.kept else None}
    facts |= {"best_sha256": None if best is None else config_hash(best), "rows": list(rows)}
    atomic_write(folder / "sweep.csv", csv_text(rows, len(result.seeds)).encode())
    run_folder.reject_symlink(folder / "figures")
    pictures = save_figures(folder / "figures", iter(figures(result)))
    config_text = "every member diverged" if result.best is None else head_comment(result, facts)
    if best is not None:
        config_text += dump(best)
        atomic_write(folder / "best.toml", config_text.encode())
    hidden = ("scores",)
    tables = [score_table("Members, best first", [{k: v for k, v in row.items() if k not in hidden} for row in rows])]
    best_scores = [] if result.best is None else score_rows(result.best.experiment, result.scores)
    if best_scores:
        tables.insert(0, score_table("The best member", metric_rows(best_scores)))
    write_report(
        folder / "report.html",
        title=f"Sweep: {title}",
        command=str(facts["command"]),
        summary_rows=summary(result),
        tables=tables,
        figures=pictures,
        config_text=config_text,
        manifest=facts,
        links=[SWEEP_FILE, "sweep.csv", *([] if best is None else ["best.toml"])],
    )
    write_checksummed_json(folder / SWEEP_FILE, facts)
