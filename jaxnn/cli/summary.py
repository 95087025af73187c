"""`jaxnn summary CONFIG`."""

from collections.abc import Sequence

from jaxnn.cli import device
from jaxnn.cli.arguments import Summary
from jaxnn.cli.tables import show


def run(command: Summary, overrides: Sequence[str]) -> None:
    from jaxnn.config import load

    device.start("cpu")
    config = load(command.config, overrides)
    device.allow(config.train.precision)
    import jax

    from jaxnn.config import build_model
    from jaxnn.config.experiment import example_shape
    from jaxnn.summary import summary

    example = jax.ShapeDtypeStruct((1, *example_shape(config, command.data_dir)), config.train.precision)
    found = summary(build_model(config), example)
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
