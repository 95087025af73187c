"""The fields of a config that do not depend on a name, for a help text."""

from typing import Any, NamedTuple

from jaxnn.config.base import Table, described
from jaxnn.config.schema import CheckpointTable, Config, TrainTable
from jaxnn.config.sections import DataTable, LossTable, OptimizerTable, ScheduleTable

_TABLES: dict[str, type[Table]] = {
    "data": DataTable,
    "loss": LossTable,
    "optimizer": OptimizerTable,
    "optimizer.schedule": ScheduleTable,
    "train": TrainTable,
    "checkpoint": CheckpointTable,
}


class Described(NamedTuple):
    """A field by its dotted name; its default is None where it must be given or may be absent."""

    name: str
    type: str
    default: Any
    help: str


def fields() -> list[Described]:
    """The fields that every config has; data sets, layers, losses, optimizers and schedules have more of their own."""
    found = [_field(Config, "", "title"), _field(Config, "", "net")]
    for prefix, table in _TABLES.items():
        keys = [key for key in table.model_fields if f"{prefix}.{key}" not in _TABLES]
        found += [_field(table, f"{prefix}.", key) for key in keys]
    return found


def _field(table: type[Table], prefix: str, key: str) -> Described:
    field = table.model_fields[key]
    default = None if field.is_required() else field.default
    return Described(prefix + key, described(table, key), default, field.description or "")
