"""The collective operations of a compiled step."""

from jaxnn.engine.chunks import ChunkSchedule
from jaxnn.engine.program import Program
from jaxnn.experiment.definition import Experiment

NAMES = ("all-reduce", "all-gather", "all-to-all", "reduce-scatter", "collective-permute")


def count_collectives(experiment: Experiment) -> int:
    """How many operations of a compiled chunk of steps talk to other devices."""
    program = Program(experiment.job(), ChunkSchedule(10, experiment.source.steps))
    text = program._learn.call.as_text()
    return sum(text.count(f" {name}{suffix}(") for name in NAMES for suffix in ("", "-start"))
