"""How much of the course a reproduction runs: all of it, or enough to show within a minute that it works."""

from typing import NamedTuple

from jaxnn.config import Config


class Budget(NamedTuple):
    """Limits of a reproduction. None: no limit.

    seeds: seeds of each system, in place of the system's own number
    train_examples, test_examples: of configs that set the number of training examples; the limit of the test part also
        holds for the validation part
    steps: of a run whose batch is the whole training part
    epochs: of a run in mini-batches
    optimizers: the names of the optimizers to compare
    surfaces: the configs whose optimizer paths are drawn over the loss surface
    deep_nets, gradient_examples: the nets of `studies.DEEP_NETS` whose gradient norms are measured; on how many digits
    figures: figures of each run
    note: why the numbers of a limited run differ from the course's; "" where there are no limits
    """

    seeds: int | None = None
    train_examples: int | None = None
    test_examples: int | None = None
    steps: int | None = None
    epochs: int | None = None
    optimizers: tuple[str, ...] | None = None
    surfaces: tuple[str, ...] | None = None
    deep_nets: tuple[str, ...] | None = None
    gradient_examples: int | None = None
    figures: int | None = None
    note: str = ""


FULL = Budget()
#: Runs every part of the program. Its numbers prove nothing.
QUICK = Budget(
    seeds=2,
    train_examples=500,
    test_examples=200,
    steps=100,
    epochs=2,
    optimizers=("adam", "bfgs"),
    surfaces=("optimizers_neuron",),
    deep_nets=("sigmoid, N(0, 1/n)", "relu, He"),
    gradient_examples=200,
    figures=1,
    note="a quick run",
)


def limit_config(config: Config, budget: Budget) -> Config:
    """The config with no more examples and epochs than the budget allows."""
    data, train = config.data, config.train
    most = budget.train_examples
    if most is not None and isinstance(data.train, int) and data.train > most:
        validation = budget.test_examples if data.validation else data.validation
        data = data.model_copy(update={"train": most, "test": budget.test_examples, "validation": validation})
    epochs = at_most(train.epochs, budget.steps if train.batch_size is None else budget.epochs)
    eval_every = min(train.eval_every, epochs)
    return config.model_copy(
        update={"data": data, "train": train.model_copy(update={"epochs": epochs, "eval_every": eval_every})}
    )


def at_most(number: int, limit: int | None) -> int:
    """The number, or the limit where the number exceeds it."""
    return number if limit is None else min(number, limit)


def allows(names: tuple[str, ...] | None, name: str) -> bool:
    """Whether a limit on names, None for no limit, allows a name."""
    return names is None or name in names
