"""`jaxnn evaluate RUN`."""

from jaxnn.cli.arguments import Evaluate
from jaxnn.cli.scores import score_rows
from jaxnn.cli.tables import show


def run(command: Evaluate) -> None:
    from jaxnn.cli.again import reopen
    from jaxnn.results import scores

    found, experiment = reopen(command.run, command.data_dir, command.device)
    rows = score_rows(experiment, scores(experiment, found.params))
    show(f"{found.config.title}: best parameters of {command.run}", rows, command.json)
