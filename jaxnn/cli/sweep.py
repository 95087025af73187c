"""`jaxnn sweep CONFIG`."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from jaxnn.cli import device
from jaxnn.cli.arguments import Sweep
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.engine.driver import Progress as Where
    from jaxnn.sweep import Swept

#: Members that the table on the screen shows.
SHOWN = 20


def run(command: Sweep, overrides: Sequence[str]) -> None:
    from jaxnn.config import load

    where = device.start(command.device, deterministic=command.deterministic)
    config = load(command.config, overrides)
    device.allow(config.train.precision)

    from jaxnn.cli.tables import show, write_json
    from jaxnn.sweep import parse_axes, sweep
    from jaxnn.sweep.folder import choose_folder, member_rows, write_folder

    folder = choose_folder(command.out, Path(command.config).stem, overwrite=command.overwrite)
    console = Console()
    console.print(f"{config.title}\n{command.search} search, {where}", highlight=False)
    with Progress(
        TextColumn("{task.fields[where]}"), BarColumn(bar_width=30), TextColumn("{task.fields[said]}"),
        console=console, transient=True,
    ) as bar:  # fmt: skip
        task = bar.add_task("sweep", total=None, where="compiling", said="")

        def report(at: str, now: "Where") -> None:
            bar.update(task, total=now.records, completed=now.done, where=at, said=f"{now.done:,}/{now.records:,}")

        swept = sweep(
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
            report=report,
        )
    rows = member_rows(swept)
    said = shlex.join(("jaxnn", *sys.argv[1:]))
    facts: dict[str, Any] = {"metric": swept.metric, "seeds": list(swept.seeds), "seconds": swept.seconds}
    write_folder(folder, swept, rows, facts | {"command": said, "device": where}, overwrite=command.overwrite)
    more = f" (the first {SHOWN} of {len(rows)})" if len(rows) > SHOWN else ""
    show(f"{config.title}: by {swept.metric}{more}", on_screen(rows)[:SHOWN])
    if command.json is not None:
        write_json(command.json, {"title": config.title, "rows": rows, **facts})
    console.print(chosen(swept), highlight=False)
    console.print(
        f"{len(rows)} members × {len(swept.seeds)} seeds in {swept.seconds:.1f} s\n{folder / 'report.html'}",
        highlight=False,
        soft_wrap=True,
    )
    if swept.best is None:
        raise UserError("every member diverged: expected one that does not; lower optimizer.learning_rate")


def on_screen(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as a screen has room for them: values by the last part of their names, mean ± standard deviation."""
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


def chosen(swept: "Swept") -> str:
    """The best member's values, and what it is worth on the test part, which chose nothing."""
    if swept.best is None:
        return "no member is sound"
    values = ", ".join(f"{name} = {value}" for name, value in swept.best.member.values.items())
    test = swept.scores.get("test")
    if test is None:
        return f"best: {values}"
    classes = swept.best.experiment.dataset.classes
    numbers = 100 * test.accuracy if classes else test.loss
    spread = f" ± {numbers.std(ddof=1):.2g}" if len(numbers) > 1 else ""
    return f"best: {values}; test {'accuracy %' if classes else 'loss'} {numbers.mean():.4g}{spread}"
