"""What `jaxnn sweep` prints at its end: the table of its members, and its best one."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxnn.cli.terminal import print_text
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.sweep import SweepResult
    from jaxnn.sweep.folder import Request

#: Members in the table on the screen.
MAX_SCREEN_ROWS = 20


def print_results(folder: Path, request: "Request", json: Path | None, best: str) -> None:
    """Prints the table of a finished sweep, and what is to say of its best member."""
    from jaxnn.cli.tables import print_table, write_json
    from jaxnn.sweep.folder import read_results

    facts = read_results(folder)
    title, rows = facts["title"], facts["rows"]
    more = f" (the first {MAX_SCREEN_ROWS} of {len(rows)})" if len(rows) > MAX_SCREEN_ROWS else ""
    print_table(f"{title}: by {facts['metric']}{more}", screen_rows(rows)[:MAX_SCREEN_ROWS])
    if json is not None:
        names = ("metric", "seeds", "seconds", "command", "device")
        write_json(json, {"title": title, "rows": rows, **{name: facts[name] for name in names}})
    if best:
        print_text(best)
    fewer = f" (of {request.trials} asked for: the space has no more)" if is_short(request, len(rows)) else ""
    counts = f"{len(rows)} members{fewer} × {len(facts['seeds'])} seeds in {facts['seconds']:.1f} s"
    print_text(f"{counts}\n{folder / 'report.html'}")
    if facts["best"] is None:
        raise UserError("every member diverged: expected one that does not; lower optimizer.learning_rate")


def is_short(request: "Request", members: int) -> bool:
    """Whether a search that draws members found fewer different ones than it was asked for."""
    return (request.search in ("random", "optuna") or bool(request.draw)) and members < request.trials


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
