"""`jaxnn evaluate RUN`."""

from jaxnn.cli.arguments import Evaluate
from jaxnn.cli.tables import print_table


def run(command: Evaluate) -> None:
    from jaxnn.cli.reopened import open_run_with_data
    from jaxnn.experiment.scores import scores
    from jaxnn.report.score_table import score_rows

    run = open_run_with_data(command.run, command.data_dir, command.device, command.experiment)
    rows = score_rows(run.experiment, scores(run.experiment, run.params))
    print_table(f"{run.experiment.title}: best parameters of {command.run}", rows, command.json)
