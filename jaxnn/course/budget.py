"""How much of the course a reproduction runs: all of it, or enough to show within half a minute that it works."""

from typing import NamedTuple

import numpy as np

from jaxnn.config import Config
from jaxnn.config.layers import LayerTable
from jaxnn.config.loaded_data import LoadedData
from jaxnn.data import Part, Splits
from jaxnn.data.dataset import map_arrays
from jaxnn.data.rows import spread_rows
from jaxnn.engine.parallel import SeedStrategy
from jaxnn.graph import Graph, subgraph


class Budget(NamedTuple):
    """Limits of a reproduction. None: no limit.

    seeds: seeds of each system, in place of the system's own number
    train_examples, test_examples: of the parts; the limit of the test part also holds for the validation part. The
        examples of a graph are its nodes
    windows: of a long sequence, such as a text, in a batch and in an epoch; they take the place of examples
    places: of a window of a text, of a generated sequence and of a text with a class
    blocks: of a transformer, and layers side by side in a `parallel`
    steps: of a run whose batch is the whole training part
    epochs: of a run in mini-batches
    optimizers: the names of the optimizers to compare
    surfaces: the configs whose optimizer paths are drawn over the loss surface
    deep_nets, gradient_examples: the nets of `studies.DEEP_NETS` whose gradient norms are measured; on how many digits
    figures: figures of each run
    strategy: how a program computes its seeds, as of `Experiment`
    note: why the numbers of a limited run differ from the course's; "" where there are no limits
    """

    seeds: int | None = None
    train_examples: int | None = None
    test_examples: int | None = None
    windows: int | None = None
    places: int | None = None
    blocks: int | None = None
    steps: int | None = None
    epochs: int | None = None
    optimizers: tuple[str, ...] | None = None
    surfaces: tuple[str, ...] | None = None
    deep_nets: tuple[str, ...] | None = None
    gradient_examples: int | None = None
    figures: int | None = None
    strategy: SeedStrategy | None = None
    note: str = ""


FULL = Budget()
#: Data set -> its option that limits the places of a sequence, 0 for no limit. The nets on them take shorter ones.
PLACES = {"text": "window", "adding": "length", "labelled_lines": "length"}
#: Runs every part of the program. Its numbers prove nothing. All parts have as many examples, so that one program
#: scores them all.
QUICK = Budget(
    seeds=2,
    train_examples=32,
    test_examples=32,
    windows=2,
    places=32,
    blocks=2,
    steps=10,
    epochs=2,
    optimizers=("adam", "bfgs"),
    surfaces=("optimizers_neuron",),
    deep_nets=("sigmoid, N(0, 1/n)", "relu, He"),
    gradient_examples=32,
    figures=1,
    strategy="one_device",
    note="a quick run",
)


def limit_config(config: Config, budget: Budget) -> Config:
    """The config with no more epochs, and no more examples where it sets their number, than the budget allows."""
    data, train = config.data, config.train
    most = budget.train_examples
    held_out = {part: budget.test_examples for part in ("validation", "test") if getattr(data, part)}
    if most is not None and isinstance(data.train, int) and data.train > most:
        data = data.model_copy(update={"train": most, **held_out})
    if most is not None and getattr(data, "n", 0) > 3 * most:  # examples that are generated, of three parts
        data = data.model_copy(update={"n": 3 * most, **held_out})
    if budget.places is not None and (option := PLACES.get(data.name)) is not None:
        data = data.model_copy(update={option: min(getattr(data, option) or budget.places, budget.places)})
    epochs = at_most(train.epochs, budget.steps if train.batch_size is None else budget.epochs)
    limits = {"epochs": epochs, "eval_every": min(train.eval_every, epochs)}
    if train.steps is not None:
        limits |= {"steps": at_most(train.steps, budget.windows)}
    net = tuple(limit_blocks(table, budget) for table in config.net)
    return config.model_copy(update={"data": data, "net": net, "train": train.model_copy(update=limits)})


def limit_blocks(table: LayerTable, budget: Budget) -> LayerTable:
    """The layer, a transformer or a `parallel` with no more blocks than the budget allows."""
    if table.layer not in ("transformer", "parallel"):
        return table
    layers = table.extra_options(LayerTable)["layers"]
    limited = layers[: budget.blocks] if table.layer == "parallel" else at_most(layers, budget.blocks)
    return table.model_copy(update={"layers": limited})


def limit_data(config: Config, data: LoadedData, budget: Budget) -> tuple[Config, LoadedData]:
    """The parts cut to what the budget allows, and the config with a batch that they fill.

    Of a long sequence its first places are left, of examples some that are spread over the part: its order may be that
    of the classes.
    """
    if budget.train_examples is None:
        return config, data
    window, batch_size = data.dataset.window, config.train.batch_size
    train, held_out = budget.train_examples, budget.test_examples
    if batch_size is not None:
        batch_size = at_most(batch_size, budget.windows if window else max(1, train // 2))  # two steps an epoch
        config = config.model_copy(update={"train": config.train.model_copy(update={"batch_size": batch_size})})
        if window:
            held_out = 2 * batch_size + 1  # as many as the training part has, so that one program scores all parts
            train = window * held_out

    if isinstance(data.dataset.train.x, Graph):
        return config, data._replace(splits=limit_nodes(data.splits, budget))

    def cut(part: Part | None, most: int | None, *, spread: bool = True) -> Part | None:
        if part is None or most is None or part.num_examples <= most:
            return part
        rows = spread_rows(most, part.num_examples if spread else most)
        return Part(*(map_arrays(lambda a: a[rows], arrays) for arrays in part))

    splits = tuple(
        Splits(
            cut(parts.train, train, spread=not window) or parts.train,
            cut(parts.validation, held_out),
            cut(parts.test, held_out),
        )
        for parts in data.splits
    )
    return config, data._replace(splits=splits)


def limit_nodes(splits: tuple[Splits, ...], budget: Budget) -> tuple[Splits, ...]:
    """The graph of as many nodes of each part as the budget allows, the same for all splits, with its parts."""

    def members(part: Part | None, most: int | None) -> np.ndarray:
        nodes = np.flatnonzero(part.y.weight[0] if part else ())
        return nodes[spread_rows(at_most(len(nodes), most), len(nodes))]

    limits = (budget.train_examples, budget.test_examples, budget.test_examples)
    chosen = [members(part, most) for parts in splits for part, most in zip(parts, limits, strict=True)]
    nodes = np.unique(np.concatenate(chosen))
    x = subgraph(splits[0].train.x, nodes)

    def cut(part: Part) -> Part:
        return Part(x, map_arrays(lambda a: a[:, nodes], part.y))

    return tuple(
        Splits(cut(train), validation and cut(validation), test and cut(test)) for train, validation, test in splits
    )


def at_most(number: int, limit: int | None) -> int:
    """The number, or the limit where the number exceeds it."""
    return number if limit is None else min(number, limit)


def allows(names: tuple[str, ...] | None, name: str) -> bool:
    """Whether a limit on names, None for no limit, allows a name."""
    return names is None or name in names
