"""The optimizer of the nets on sequences, for the libraries that take one of optax."""

import optax

from benchmarks.runner import Workload


def optimizer_of(workload: Workload) -> optax.GradientTransformation:
    """Adam; nanoGPT's AdamW and clipping for the GPT."""
    rate = workload.learning_rate
    if workload.net == "gpt":
        return optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, 0.9, 0.99, weight_decay=0.1))
    return optax.adam(rate)
