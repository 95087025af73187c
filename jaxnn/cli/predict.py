"""`jaxnn predict RUN IMAGE…`."""

from jaxnn.cli.arguments import Predict
from jaxnn.cli.tables import print_table
from jaxnn.errors import UserError


def run(command: Predict) -> None:
    if not command.images:
        raise UserError("expected at least one image after the run's folder, found none")
    from jaxnn.runs.reopen import read

    found = read(command.run, command.device)
    import numpy as np

    from jaxnn.data.handwriting import read_image
    from jaxnn.experiment.results import predict, seed_params

    facts = found.manifest["data"]
    if len(facts["example"]) != 3 or not facts["classes"]:
        raise UserError(f"{command.run}: expected a run that classifies images, found one on {facts['name']}")
    height, width, channels = facts["example"]
    batch = np.concatenate([read_image(image, (height, width, channels), facts["white"]) for image in command.images])
    seeds = len(found.manifest["seeds"])
    of_each = [
        predict(found.config, seed_params(found.params, i), seed_params(found.stats, i % len(facts["sha256"])), batch)
        for i in range(seeds)
    ]
    probability = np.mean(of_each, axis=0)
    rows = []
    for image, p in zip(command.images, probability, strict=True):
        of_class = {name: float(q) for name, q in zip(facts["classes"], p, strict=True)}
        likeliest = facts["classes"][int(p.argmax())]
        rows.append({"image": str(image), "class": likeliest, "probability": of_class})
    of = "" if seeds == 1 else f", mean of {seeds} seeds"
    print_table(f"{found.config.title}: probability of each class{of}", rows, command.json)
