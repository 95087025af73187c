"""`jaxnn sweep CONFIG`."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnn.cli import device
from jaxnn.cli.arguments import COMMAND_LINE, Sweep
from jaxnn.cli.progress import report
from jaxnn.cli.terminal import one_line, print_text, printable
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.engine.hooks import Progress as RunProgress
    from jaxnn.sweep import SweepResult

#: Members in the table on the screen.
MAX_SCREEN_ROWS = 20


def run(command: Sweep, overrides: Sequence[str]) -> None:
    where = device.select_device(command.device, deterministic=command.deterministic)
    set_precision_of(command.config, overrides)

    from jaxnn.cli.tables import print_table, write_json
    from jaxnn.runs.python_file import target_stem
    from jaxnn.sweep import parse_axes, sweep
    from jaxnn.sweep.folder import member_rows, sweep_path, write_folder
    from jaxnn.sweep.members import family

    title = family(command.config, overrides).title
    folder = sweep_path(command.out, target_stem(command.config), overwrite=command.overwrite)
    print_text(f"{one_line(title)}\n{command.search} search, {where}")

    def report_members(at: str, now: "RunProgress") -> None:
        report(f"{at}, {now.done:,} of {now.evaluations:,} evaluations", now.done / now.evaluations)

    report("compiling")
    result = sweep(
        command.config,
        parse_axes(command.over, command.draw),
        overrides,
        search=command.search,
        seeds=command.seeds,
        trials=command.trials,
        batch=command.batch,
        eta=command.eta,
        draw_seed=command.draw_seed,
        data_dir=command.data_dir,
        grad=command.grad,
        report=report_members,
    )
    report("writing figures and the report")
    rows = member_rows(result)
    typed = printable(shlex.join(COMMAND_LINE.get()))
    facts: dict[str, Any] = {"metric": result.metric, "seeds": list(result.seeds), "seconds": result.seconds}
    write_folder(folder, result, rows, facts | {"command": typed, "device": where}, overwrite=command.overwrite)
    more = f" (the first {MAX_SCREEN_ROWS} of {len(rows)})" if len(rows) > MAX_SCREEN_ROWS else ""
    print_table(f"{title}: by {result.metric}{more}", screen_rows(rows)[:MAX_SCREEN_ROWS])
    if command.json is not None:
        write_json(command.json, {"title": title, "rows": rows, **facts})
    print_text(best_member_text(result))
    print_text(f"{len(rows)} members × {len(result.seeds)} seeds in {result.seconds:.1f} s\n{folder / 'report.html'}")
    if result.best is None:
        raise UserError("every member diverged: expected one that does not; lower optimizer.learning_rate")


def set_precision_of(source: str, overrides: Sequence[str]) -> None:
    """Switches float64 on for a config, or a run of one, that computes in it."""
    from jaxnn.config import load
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.python_file import is_python_target

    if (Path(source) / run_folder.MANIFEST).is_file():
        device.set_precision(run_folder.read_manifest(Path(source))["precision"])
    elif not is_python_target(source):
        device.set_precision(load(source, overrides).train.precision)


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
    test = result.scores.get("test")
    if test is None:
        return f"best: {values}"
    name = "accuracy" if "accuracy" in test else next(iter(test))
    numbers = 100 * test[name] if name == "accuracy" else test[name]
    spread = f" ± {numbers.std(ddof=1):.2g}" if len(numbers) > 1 else ""
    return f"best: {values}; test {name}{' %' if name == 'accuracy' else ''} {numbers.mean():.4g}{spread}"
