"""`jaxnn rerun RUN`."""

import sys
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from rich.console import Console

from jaxnn.cli import device
from jaxnn.cli.arguments import Rerun
from jaxnn.cli.tables import print_table
from jaxnn.errors import UserError


def run(command: Rerun) -> None:
    from jaxnn.cli.progress import progress_bar
    from jaxnn.experiment import results
    from jaxnn.runs import folder as run_folder
    from jaxnn.runs.reopen import differences, experiment_of
    from jaxnn.storage import arrays as array_file
    from jaxnn.storage.arrays import named_arrays

    manifest = run_folder.read_manifest(command.run)
    if manifest["status"] != "finished":
        raise UserError(f"{command.run}: expected a finished run, found one that is not; `jaxnn resume` goes on")
    device.select_device(command.device, deterministic=bool(manifest.get("deterministic")))
    device.set_precision(manifest["precision"])
    for line in differences(manifest):
        print(f"jaxnn: warning: {line}", file=sys.stderr)
    experiment, same = experiment_of(command.run, manifest, command.data_dir)
    if not same:
        raise UserError(f"{command.run}: expected the data that it was trained on, found others; name their --data-dir")

    def arrays(name: str) -> dict[str, np.ndarray]:
        found = array_file.load_arrays(run_folder.check_file(command.run, manifest, f"{name}.safetensors"))
        return {key.removeprefix("params/"): array for key, array in found.items() if key.startswith("params/")}

    old = {name: arrays(name) for name in ("best", "last")}
    old["history"] = run_folder.read_history(run_folder.check_file(command.run, manifest, "history.csv").parent)
    console = Console()
    with progress_bar(console, experiment.plan.record_every) as report:
        outcome = results.run(experiment, grad=manifest["grad"], report=report).outcome
    new = {name: named_arrays(p) for name, p in (("best", outcome.state.best.params), ("last", outcome.state.params))}
    new["history"] = run_folder.as_read(run_folder.history_lines(experiment, outcome.history))
    rows = [row for name in old for row in compare(name, old[name], new[name])]
    equal = all(row["equal"] for row in rows)
    print_table(f"{command.run} and its repetition", rows, command.json, facts={"equal": equal})
    console.print("bit-equal" if equal else "not bit-equal", highlight=False)
    if not equal:
        sys.exit(1)


def compare(part: str, old: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """A row for each array of two runs: whether all bits are equal, and how far it is where not."""
    for name in sorted(old.keys() | new.keys()):
        a, b = old.get(name), new.get(name)
        row: dict[str, Any] = {"what": part, "array": name, "equal": False, "greatest difference": "another shape"}
        if a is not None and b is not None and a.shape == b.shape and a.dtype == b.dtype:
            row["equal"] = a.tobytes() == b.tobytes()
            with np.errstate(invalid="ignore"):
                gap = np.abs(a.astype(np.float64) - b.astype(np.float64))
            row["greatest difference"] = float(np.nanmax(gap, initial=0.0))
        yield row
