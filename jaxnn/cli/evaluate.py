"""`jaxnn evaluate RUN`."""

from collections.abc import Sequence

from jaxnn.cli.run_arguments import Evaluate
from jaxnn.cli.tables import print_scores, print_table
from jaxnn.cli.terminal import print_warning

#: Classes that the screen shows one by one.
MAX_SCREEN_CLASSES = 30


def run(command: Evaluate, overrides: Sequence[str]) -> None:
    from jaxnn.cli.reopened import open_run
    from jaxnn.experiment.scores import scores
    from jaxnn.report.cells import short_cell
    from jaxnn.report.score_table import class_rows, output_names, score_rows
    from jaxnn.runs.reopen import evaluated_experiment

    run = open_run(command.run, command.device, command.experiment)
    assert run.folder is not None and run.manifest is not None
    experiment, warning = evaluated_experiment(
        run.folder, run.manifest, command.data_dir, command.experiment, overrides
    )
    if warning:
        print_warning(warning)
    measured = scores(experiment, run.params)
    rows = score_rows(experiment, measured)
    if experiment.parts() == ["test"]:
        rows[0]["part"] = "all"
    names = output_names(run.experiment.data)
    classes = {row["part"]: class_rows(metrics, names) for row, metrics in zip(rows, measured.values(), strict=True)}
    title = f"{run.experiment.title}: best parameters of {run.folder}"
    print_scores(title, rows, command.json, facts={"classes": classes})
    part, each = list(classes.items())[-1]
    if each:
        kind, shown = next(iter(each[0])), each[:MAX_SCREEN_CLASSES]
        more = f" (the first {len(shown)} of {len(each)}; --json has all)" if len(each) > len(shown) else ""
        print_table(f"Each {kind}, {part} part{more}", shown, cell=short_cell)
