"""What no single key can tell: the keys that must fit each other."""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxnn.config.errors import Problem


def contradictions(tables: Mapping[str, Any]) -> Iterator[Problem]:
    """The rules that `tables`, as yet unchecked, break; a key of a wrong type breaks none."""
    data, optimizer, train = (
        table if isinstance(table := tables.get(key), Mapping) else {} for key in ("data", "optimizer", "train")
    )
    if isinstance(tables.get("optimizer"), Mapping):
        yield from _one_rate(optimizer)
    if isinstance(train.get("batch_size"), int) and _second_order(optimizer):
        message = f"{optimizer['name']} sees the whole training part in every step: expected full, found"
        yield Problem(("train", "batch_size"), f"{message} {train['batch_size']}")
    if isinstance(tables.get("data"), Mapping) and isinstance(tables.get("train"), Mapping):
        yield from _something_to_choose_by(data, train)
    examples, batch = data.get("train"), train.get("batch_size")
    if type(examples) is int and examples == 0:
        yield Problem(("data", "train"), "expected examples to train on, found 0")
    elif type(examples) is int and type(batch) is int and batch > examples > 0:
        yield Problem(
            ("train", "batch_size"), f"expected at most data.train, {examples}, found {batch}; full takes them all"
        )
    epochs, every = train.get("epochs"), train.get("eval_every")
    if type(epochs) is int and type(every) is int and epochs > 0 and every > 0 and epochs % every:
        yield Problem(("train", "eval_every"), f"expected a divisor of epochs, {epochs}, found {every}")


def _second_order(optimizer: Mapping[str, Any]) -> bool:
    from jaxnn.train.optimizers import needs_rate, optimizer_names

    name = optimizer.get("name")
    return isinstance(name, str) and name in optimizer_names() and not needs_rate(name)


def _one_rate(optimizer: Mapping[str, Any]) -> Iterator[Problem]:
    if _second_order(optimizer):
        message = f"{optimizer['name']} finds the size of its step by itself: expected none, found one"
        yield from (Problem(("optimizer", key), message) for key in ("learning_rate", "schedule") if key in optimizer)
        return
    if "learning_rate" in optimizer and "schedule" in optimizer:
        yield Problem(("optimizer", "learning_rate"), "expected learning_rate or schedule, found both")
    if "learning_rate" not in optimizer and "schedule" not in optimizer:
        message = "expected a number above 0, or the table [optimizer.schedule]; found none"
        yield Problem(("optimizer", "learning_rate"), message)


def _something_to_choose_by(data: Mapping[str, Any], train: Mapping[str, Any]) -> Iterator[Problem]:
    best = train.get("best", "validation.accuracy")
    if isinstance(best, str) and best.startswith("validation.") and data.get("validation", 0) in (0, None):
        yield Problem(
            ("train", "best"), f"{best} needs data.validation, found none; train.accuracy and train.loss need none"
        )
