"""`jaxnn sweep CONFIG`."""

import shlex
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnn.cli import device
from jaxnn.cli.command_line import COMMAND_LINE
from jaxnn.cli.interrupts import handle_signals
from jaxnn.cli.progress import report
from jaxnn.cli.terminal import one_line, print_text, printable
from jaxnn.cli.training_arguments import Sweep
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.engine.hooks import Progress as RunProgress
    from jaxnn.sweep import SweepResult
    from jaxnn.sweep.folder import Request

#: Members in the table on the screen.
MAX_SCREEN_ROWS = 20


def run(command: Sweep, overrides: Sequence[str]) -> None:
    where = device.select_device(command.device, deterministic=command.deterministic)
    precision = precision_of(command.config, overrides)
    device.set_precision(precision)
    from jaxnn.runs.python_file import target_stem
    from jaxnn.sweep import check_sweep, parse_axes
    from jaxnn.sweep.folder import Request, begin, claimed_path, resolve_source

    over, draw = list(command.over), list(command.draw)
    numbers = {
        name: getattr(command, name) for name in ("search", "seeds", "trials", "batch", "eta", "draw_seed", "keep")
    }
    check_sweep(command.config, parse_axes(over, draw), overrides, **numbers)
    source, overrides, experiment = resolve_source(command.config, overrides)
    facts = {
        "source": source,
        "overrides": list(overrides),
        "over": over,
        "draw": draw,
        "grad": command.grad,
        "precision": precision,
        "deterministic": command.deterministic,
        "command": [printable(word) for word in COMMAND_LINE.get()],
        "experiment": experiment,
    }
    request = Request.model_validate(facts | numbers, strict=True)
    with claimed_path(command.out, target_stem(command.config), overwrite=command.overwrite) as folder:
        begin(folder, request, overwrite=command.overwrite)
        complete(folder, request, source, where, command.data_dir, command.json)


def resume(folder: Path, data_dir: Path | None, where: str | None, json: Path | None) -> None:
    """Trains the members of a sweep that it has not trained, and writes its results."""
    from jaxnn.storage.locks import locked
    from jaxnn.sweep.folder import read_facts, source_of

    facts = read_facts(folder)
    if facts.status == "finished":
        print_text(f"{folder} has finished: nothing is left to do")
        return
    device_name = device.select_device(where, deterministic=facts.request.deterministic)
    device.set_precision(facts.request.precision)
    source = source_of(folder, facts.request)
    with locked(folder):
        complete(folder, facts.request, source, device_name, data_dir, json)


def complete(
    folder: Path, request: "Request", source: str, where: str, data_dir: Path | None, json: Path | None
) -> None:
    """Runs a sweep to its end in its folder, which is locked, and prints its table."""
    from jaxnn.cli.tables import print_table, write_json
    from jaxnn.runs.folder import remove_leftovers
    from jaxnn.storage.locks import remove_lock_file
    from jaxnn.sweep import parse_axes, sweep
    from jaxnn.sweep.folder import finish
    from jaxnn.sweep.members import family
    from jaxnn.sweep.store import TrialStore
    from jaxnn.sweep.tables import member_rows

    remove_leftovers(folder)
    title = family(source, request.overrides).title
    print_text(f"{one_line(title)}\n{request.search} search, {where}")

    def report_members(at: str, now: "RunProgress") -> None:
        report(f"{at}, {now.done:,} of {now.evaluations:,} evaluations", now.done / now.evaluations)

    report("compiling")
    message = f"interrupted; what was trained is kept, `jaxnn resume {folder}` continues"
    with handle_signals(message) as stop:
        stop.before_exit = partial(remove_lock_file, folder)
        result = sweep(
            source,
            parse_axes(request.over, request.draw),
            request.overrides,
            search=request.search,
            seeds=request.seeds,
            trials=request.trials,
            batch=request.batch,
            eta=request.eta,
            draw_seed=request.draw_seed,
            data_dir=data_dir,
            grad=request.grad,
            store=TrialStore(folder),
            keep=request.keep,
            command=request.command,
            report=report_members,
        )
        report("writing figures and the report")
        rows = member_rows(result)
        facts: dict[str, Any] = {"metric": result.metric, "seeds": list(result.seeds), "seconds": result.seconds}
        finish(folder, result, rows, facts | {"command": shlex.join(request.command), "device": where})
    more = f" (the first {MAX_SCREEN_ROWS} of {len(rows)})" if len(rows) > MAX_SCREEN_ROWS else ""
    print_table(f"{title}: by {result.metric}{more}", screen_rows(rows)[:MAX_SCREEN_ROWS])
    if json is not None:
        write_json(json, {"title": title, "rows": rows, **facts})
    print_text(best_member_text(result))
    fewer = f" (of {request.trials} asked for: the space has no more)" if is_short(request, len(rows)) else ""
    counts = f"{len(rows)} members{fewer} × {len(result.seeds)} seeds in {result.seconds:.1f} s"
    print_text(f"{counts}\n{folder / 'report.html'}")
    if result.best is None:
        raise UserError("every member diverged: expected one that does not; lower optimizer.learning_rate")


def is_short(request: "Request", members: int) -> bool:
    """Whether a search that draws members found fewer different ones than it was asked for."""
    return (request.search in ("random", "optuna") or bool(request.draw)) and members < request.trials


def precision_of(source: str, overrides: Sequence[str]) -> str:
    """The precision of a config, or of a run of one; that of an experiment in Python is float32."""
    from jaxnn.config import load
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.python_file import is_python_target

    if (Path(source) / run_folder.MANIFEST).is_file():
        return run_folder.read_manifest(Path(source))["precision"]
    return "float32" if is_python_target(source) else load(source, overrides).train.precision


def screen_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows in a form that fits a screen: short names, mean ± standard deviation."""
    names = [key.split(".")[-1] for key in rows[0] if "." in key]
    hidden = {"scores", *(key for key in ("epochs", "diverged seeds") if len({row[key] for row in rows}) == 1)}

    def short(key: str) -> str:
        last = key.split(".")[-1]
        return key if names.count(last) > 1 or key.startswith(("validation.", "train.")) else last

    def plain(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return f"{value['mean']:.4g}" + ("" if value["sd"] is None else f" ± {value['sd']:.2g}")

    return [{short(key): plain(value) for key, value in row.items() if key not in hidden} for row in rows]


def best_member_text(result: "SweepResult") -> str:
    """The best member's values and its score on the test part, which did not choose it."""
    if result.best is None:
        return "no member is finite"
    values = ", ".join(f"{name} = {value}" for name, value in result.best.member.values.items())
    from jaxnn.metric_labels import is_share
    from jaxnn.report.cells import format_cell, seed_statistics

    test = result.scores.get("test")
    if test is None:
        return f"best: {values}"
    name = next((name for name in ("accuracy", "r2") if name in test), next(iter(test)))
    numbers = seed_statistics((100 if is_share(name) else 1) * test[name])
    return f"best: {values}; test {name}{' %' if is_share(name) else ''} {format_cell(numbers)}"
