"""Checks of keys that must fit each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxnn.config.errors import ConfigProblem, KeyPath
from jaxnn.config.output_checks import check_output


def cross_check(tables: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    """The contradictions between keys of `tables`, which need not be valid: a value of a wrong type is skipped."""
    for path, optimizer in _optimizers(tables):
        yield from _check_learning_rate(path, optimizer)
    if "loss" in tables and "adversarial" in tables:
        yield ConfigProblem(("loss",), "expected [loss] or [adversarial], found both; its players have their own")
    elif "loss" not in tables and "adversarial" not in tables:
        yield ConfigProblem(("loss",), "expected the table [loss], found none")
    for key in ("noise", "augment"):
        if key in tables and "adversarial" in tables:
            yield ConfigProblem((key,), f"expected no [{key}] beside [adversarial], found one; remove it")
    normal = _table(tables, "data").get("normal")
    if normal is not None and _table(tables, "train").get("target") != "input":
        yield ConfigProblem(("data", "normal"), 'expected train.target = "input" beside it, found another target')
    data, optimizer, train = (_table(tables, key) for key in ("data", "optimizer", "train"))
    if isinstance(train.get("batch_size"), int) and _is_second_order(optimizer):
        message = f"{optimizer['name']} uses the whole training set in every step: expected full, found"
        yield ConfigProblem(("train", "batch_size"), f"{message} {train['batch_size']}")
    if isinstance(tables.get("data"), Mapping) and isinstance(tables.get("train"), Mapping):
        yield from _check_best(data, train)
    examples, batch = data.get("train"), train.get("batch_size")
    if type(examples) is int and examples == 0:
        yield ConfigProblem(("data", "train"), "expected examples to train on, found 0")
    elif type(examples) is int and type(batch) is int and batch > examples > 0:
        message = f"expected at most data.train, {examples}, found {batch}; full takes them all"
        yield ConfigProblem(("train", "batch_size"), message)
    epochs, every = train.get("epochs"), train.get("eval_every")
    if type(epochs) is int and type(every) is int and epochs > 0 and every > 0 and epochs % every:
        yield ConfigProblem(("train", "eval_every"), f"expected a divisor of epochs, {epochs}, found {every}")
    yield from check_output(tables)


def _table(tables: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = tables.get(key)
    return table if isinstance(table, Mapping) else {}


def _optimizers(tables: Mapping[str, Any]) -> Iterator[tuple[KeyPath, Mapping[str, Any]]]:
    """The optimizer of the config and those of [[compare]]."""
    compare = tables.get("compare")
    entries = compare if isinstance(compare, list) else []
    places = [((), tables), *((("compare", i), entry) for i, entry in enumerate(entries) if isinstance(entry, Mapping))]
    for path, table in places:
        if isinstance(table.get("optimizer"), Mapping):
            yield (*path, "optimizer"), table["optimizer"]


def _is_second_order(optimizer: Mapping[str, Any]) -> bool:
    from jaxnn.train.optimizers import optimizer_names, takes_learning_rate

    name = optimizer.get("name")
    return isinstance(name, str) and name in optimizer_names() and not takes_learning_rate(name)


def _check_learning_rate(path: KeyPath, optimizer: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    if _is_second_order(optimizer):  # its table refuses both keys
        return
    if "learning_rate" in optimizer and "schedule" in optimizer:
        yield ConfigProblem((*path, "learning_rate"), "expected learning_rate or schedule, found both")
    if "learning_rate" not in optimizer and "schedule" not in optimizer:
        message = "expected a number above 0, or the table [optimizer.schedule]; found none"
        yield ConfigProblem((*path, "learning_rate"), message)


def _check_best(data: Mapping[str, Any], train: Mapping[str, Any]) -> Iterator[ConfigProblem]:
    best = train.get("best", "validation.accuracy")
    if isinstance(best, str) and best.startswith("validation.") and data.get("validation", 0) in (0, None):
        message = f"{best} needs data.validation, found none; train.accuracy and train.loss need none"
        yield ConfigProblem(("train", "best"), message)
