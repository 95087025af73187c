"""The examples of a part that the figures of a run are drawn from."""

from typing import Any

import jax

from jaxnn.data.rows import has_rows, read_rows, spread_rows
from jaxnn.experiment.definition import Experiment
from jaxnn.kernels.devices import copied_to_device
from jaxnn.kernels.xla_options import compiler_options
from jaxnn.layer import Batch

#: Bytes of the examples that are read for the figures, of a part that stays in its file.
FIGURE_BYTES = 64 << 20


def last_part(experiment: Experiment) -> tuple[str, tuple[Any, Any]] | None:
    """The test part, or the nearest thing to it, and its inputs with their targets; None without such a part."""
    part = next(reversed(experiment.parts()), None)
    examples = None if part is None else experiment.examples(part)
    return (part, examples) if part is not None and isinstance(examples, tuple) and len(examples) == 2 else None


def figured_examples(experiment: Experiment, part: str) -> Batch | None:
    """The first seed's examples of a part, in memory; of those in a file as many as fit, from everywhere in it."""
    examples = experiment.examples(part)
    if examples is None or not has_rows(examples):
        return examples
    leaves = jax.tree.leaves(examples)
    n, nbytes = len(leaves[0]), sum(leaf.nbytes for leaf in leaves)
    count = max(1, min(n, FIGURE_BYTES * n // max(1, nbytes)))
    return read_rows(examples, spread_rows(count, n), experiment.source.corrupt)


def prepared_examples(experiment: Experiment, examples: Batch) -> Batch:
    """Examples of the first seed as the model sees them, on the device, made by one program."""
    source = experiment.of_seed(0).source
    prepare = jax.jit(source.prepare, compiler_options=compiler_options())
    return prepare(source.stats, copied_to_device(examples))
