"""`"classes"` in place of a layer's size: as many as the data have classes, such as the tokens of a text."""

from typing import TYPE_CHECKING, Any

from jaxnn.config.from_signature import CLASS_SIZES, CLASSES
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.config.layers import LayerTable
    from jaxnn.config.schema import Config


def needs_class_count(config: "Config") -> bool:
    """Whether a size of the net is the number of classes, so that it is known only with the data."""
    return with_class_count(config, 2) is not config


def with_class_count(config: "Config", count: int) -> "Config":
    """The config with the number of classes in place of `"classes"`; the same object where no layer has the word.

    Raises `UserError` for data without classes.
    """
    net = _with_count(config.net, count)
    if net is config.net:
        return config
    if count < 2:
        raise UserError(
            f'net: expected data with classes for the size "{CLASSES}", found targets that are numbers; give the '
            "number of outputs"
        )
    return config.model_copy(update={"net": net})


def _with_count(tables: "tuple[LayerTable, ...]", count: int) -> "tuple[LayerTable, ...]":
    changed = tuple(_layer_with_count(table, count) for table in tables)
    return changed if any(new is not old for new, old in zip(changed, tables, strict=True)) else tables


def _layer_with_count(table: "LayerTable", count: int) -> "LayerTable":
    update: dict[str, Any] = {key: count for key in CLASS_SIZES if getattr(table, key, None) == CLASSES}
    inner = getattr(table, "layers", None)
    if isinstance(inner, tuple) and (new := _with_count(inner, count)) is not inner:
        update["layers"] = new
    return table.model_copy(update=update) if update else table
