"""The law of a batch that devices share, for `jaxnn certify CONFIG --devices N`."""

from collections.abc import Sequence
from typing import Any

from jaxnn.certify.finding import Finding
from jaxnn.certify.measurement import Measurement, compare, worst
from jaxnn.config.build import build_update
from jaxnn.config.schema import Config
from jaxnn.engine.driver import drive
from jaxnn.engine.job import Job
from jaxnn.engine.parallel import on_this_machine
from jaxnn.errors import UserError
from jaxnn.layer import Batch
from jaxnn.runs.checkpoints import named_leaves
from jaxnn.train.batches import in_memory
from jaxnn.train.check import check_update
from jaxnn.train.plan import Plan
from jaxnn.train.sharing import ORDERED_PARTS, Sharing

#: The number of the law, and its names.
NUMBER, SHARED, ORDERED = 10, "devices", "devices in order"
#: Examples of the training and of a batch: no number of devices divides either.
EXAMPLES, BATCH = 40, 13
#: Passes through them: 51 steps.
EPOCHS = 17
#: The largest relative difference of parameters that a sum in another order may make in float64.
BOUND = 1e-12


def device_counts(most: int) -> list[int]:
    """1, 2, 4, … devices, and the most."""
    powers = [2**i for i in range(most.bit_length()) if 2**i < most]
    return [*powers, most]


def devices_findings(name: str, config: Config, examples: Batch, most: int) -> tuple[Finding, ...]:
    """Whether a net learns the same on 1, 2, 4, … devices that share each batch; added in order, to the bit.

    examples: (x, target), `EXAMPLES` of them, in float64
    """
    update = build_update(config)
    source, plan = in_memory(*examples, batch_size=BATCH), Plan(EPOCHS, best="train.loss")

    def parameters(sharing: Sharing) -> Any:
        check_update(update, source, plan, sharing=sharing)
        job = Job(lambda hyperparameters: update, source, plan, (0,), sharing=on_this_machine(sharing))
        return drive(job).state.best.params

    findings, counts = [], device_counts(most)
    for law, parts, bound in ((SHARED, None, BOUND), (ORDERED, ORDERED_PARTS, 0.0)):
        case = f"{name} on {', '.join(map(str, counts))} devices"
        try:
            runs = [parameters(Sharing(count, parts)) for count in counts]
        except UserError as error:
            findings.append(Finding(NUMBER, law, case, None, str(error)))
            continue
        findings.append(Finding(NUMBER, law, case, _largest_difference(runs, counts, bound)))
    return tuple(findings)


def _largest_difference(runs: Sequence[Any], counts: Sequence[int], bound: float) -> Measurement:
    """The array of parameters that differs most from that of one device."""
    alone, *shared = (named_leaves(run) for run in runs)
    return worst(
        found._replace(leaf=f"{found.leaf} on {count} devices")
        for count, run in zip(counts[1:], shared, strict=True)
        for found in [compare(run, alone, bound)]
    )
