"""`jaxnn summary CONFIG`."""

from collections.abc import Sequence

from jaxnn.cli import device
from jaxnn.cli.arguments import Summary
from jaxnn.cli.tables import show


def run(command: Summary, overrides: Sequence[str]) -> None:
    from jaxnn.config import load

    config = load(command.config, overrides)
    device.start("cpu", config.train.precision)
    import jax

    from jaxnn.experiment import make_experiment
    from jaxnn.summary import summary

    experiment = make_experiment(config, data_dir=command.data_dir)
    x = experiment.dataset.train.x
    example = jax.ShapeDtypeStruct((1, *x.shape[1:]), config.train.precision)
    found = summary(experiment.model, example)
    rows = [
        {
            "layer": row.layer,
            "output": "×".join(map(str, row.output[1:])),
            "parameters": row.parameters,
            "residual bytes": row.residual_bytes,
            "FLOPs": row.flops,
        }
        for row in found.rows
    ]
    total = {"layer": "total", "output": "", "parameters": found.parameters}
    total |= {"residual bytes": found.residual_bytes, "FLOPs": found.flops}
    title = f"{config.title}: for one example, forward and backward"
    show(title, [*rows, total], command.json, parameters=found.parameters)
