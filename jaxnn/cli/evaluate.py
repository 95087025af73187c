"""`jaxnn evaluate RUN`."""

from jaxnn.cli.arguments import Evaluate
from jaxnn.cli.tables import print_table
from jaxnn.report.score_table import score_rows


def run(command: Evaluate) -> None:
    from jaxnn.experiment.results import scores
    from jaxnn.runs.reopen import reopen

    found, experiment = reopen(command.run, command.data_dir, command.device)
    rows = score_rows(experiment, scores(experiment, found.params))
    print_table(f"{found.config.title}: best parameters of {command.run}", rows, command.json)
