"""`jaxnn summary CONFIG`."""

from collections.abc import Sequence
from typing import Any

from jaxnn.cli import device
from jaxnn.cli.library_arguments import Summary
from jaxnn.cli.tables import print_table


def shape_text(shape: tuple[Any, ...]) -> str:
    """The output of one example: its shape, or the shapes of all its arrays."""
    shapes = shape if shape and isinstance(shape[0], tuple) else (shape,)
    return " and ".join("×".join(map(str, inner[1:])) for inner in shapes)


def run(command: Summary, overrides: Sequence[str]) -> None:
    from jaxnn.config import load

    device.select_device("cpu")
    config = load(command.config, overrides)
    device.set_precision(config.train.precision)

    from jaxnn.config import build_model
    from jaxnn.config.experiment import example_input
    from jaxnn.config.loaded_data import with_data_sizes
    from jaxnn.summary import summary

    example = example_input(config, command.data_dir)
    model_summary = summary(build_model(with_data_sizes(config, command.data_dir)), example)
    rows = [
        {
            "layer": row.layer,
            "output": shape_text(row.output),
            "parameters": row.parameters,
            "residual bytes": row.residual_bytes,
            "FLOPs": row.flops,
        }
        for row in model_summary.rows
    ]
    total = {"layer": "total", "output": "", "parameters": model_summary.parameters}
    total |= {"residual bytes": model_summary.residual_bytes, "FLOPs": model_summary.flops}
    title = f"{config.title}: for one example, forward and backward"
    print_table(title, [*rows, total], command.json, facts={"parameters": model_summary.parameters})
