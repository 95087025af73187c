"""Every key that a config may have, with its values, its default and its meaning: the source of docs/config.md."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from jaxnn.config.base import Table, describe_field
from jaxnn.config.layers import LayerTable, combinators, layer_class
from jaxnn.config.optimizer_tables import GroupTable, OptimizerTable, ScheduleTable, optimizer_class, schedule_class
from jaxnn.config.schema import (
    AdversarialTable,
    AugmentTable,
    CheckpointTable,
    CompareTable,
    Config,
    PenaltyTable,
    TrainTable,
)
from jaxnn.config.sections import DataTable, LossTable, NoiseTable, data_class, loss_class, noise_class, noises


class FieldHelp(NamedTuple):
    """A key of a config by its dotted name. `default` is None for a key that may be absent and has no default."""

    name: str
    type: str
    default: Any
    help: str
    required: bool


_TABLES: dict[str, type[Table]] = {
    "data": DataTable,
    "loss": LossTable,
    "optimizer": OptimizerTable,
    "optimizer.schedule": ScheduleTable,
    "optimizer.groups": GroupTable,
    "train": TrainTable,
    "checkpoint": CheckpointTable,
    "augment": AugmentTable,
    "noise": NoiseTable,
    "adversarial": AdversarialTable,
    "adversarial.penalty": PenaltyTable,
    "compare": CompareTable,
}


def fields() -> list[FieldHelp]:
    """The keys that every config has. `variants` has those that a data set, a layer, a loss and so on add."""
    result = [_field_help(Config, "", "title"), _field_help(Config, "", "net")]
    for prefix, table in _TABLES.items():
        keys = [key for key in table.model_fields if f"{prefix}.{key}" not in _TABLES]
        result += [_field_help(table, f"{prefix}.", key) for key in keys]
    return result


def variants() -> dict[str, dict[str, list[FieldHelp]]]:
    """The keys that each data set, layer, loss, noise, optimizer and schedule adds to its table, by kind and name."""
    from jaxnn.data import DATASETS
    from jaxnn.layers import LAYERS
    from jaxnn.losses import LOSSES
    from jaxnn.train.optimizers import optimizer_names, schedule_names

    data_names = {("tfds:NAME" if name == "tfds" else name): None for name in DATASETS}
    return {
        "data": _added(data_names, DataTable, data_class),
        "layer": _added(LAYERS | combinators(), LayerTable, layer_class),
        "loss": _added(LOSSES, LossTable, loss_class),
        "noise": _added(noises(), NoiseTable, noise_class),
        "optimizer": _added(optimizer_names(), OptimizerTable, optimizer_class),
        "schedule": _added(schedule_names(), ScheduleTable, schedule_class),
    }


def _added(
    names: Mapping[str, Any], base: type[Table], variant: Callable[[str], type[Table]]
) -> dict[str, list[FieldHelp]]:
    return {
        name: [_field_help(table, "", key) for key in table.model_fields if key not in base.model_fields]
        for name, table in ((name, variant(name)) for name in names)
    }


def _field_help(table: type[Table], prefix: str, key: str) -> FieldHelp:
    field = table.model_fields[key]
    default = None if field.is_required() else field.default
    return FieldHelp(prefix + key, describe_field(table, key), default, field.description or "", field.is_required())
