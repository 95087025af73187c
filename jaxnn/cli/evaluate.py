"""`jaxnn evaluate RUN`."""

from collections.abc import Sequence

from jaxnn.cli.arguments import Evaluate
from jaxnn.cli.tables import print_table
from jaxnn.cli.terminal import print_warning


def run(command: Evaluate, overrides: Sequence[str]) -> None:
    from jaxnn.cli.reopened import open_run
    from jaxnn.experiment.scores import scores
    from jaxnn.report.score_table import score_rows
    from jaxnn.runs.reopen import evaluated_experiment

    run = open_run(command.run, command.device, command.experiment)
    assert run.folder is not None and run.manifest is not None
    experiment, warning = evaluated_experiment(
        run.folder, run.manifest, command.data_dir, command.experiment, overrides
    )
    if warning:
        print_warning(warning)
    rows = score_rows(experiment, scores(experiment, run.params))
    if experiment.parts() == ["test"]:
        rows[0]["part"] = "all"
    print_table(f"{run.experiment.title}: best parameters of {run.folder}", rows, command.json)
