"""`"classes"` and `"tokens"` in place of a layer's size: as many as the data have, such as the tokens of a text."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from jaxnn.config.from_signature import DATA_SIZES, SIZES
from jaxnn.data.dataset import Dataset
from jaxnn.errors import UserError

if TYPE_CHECKING:
    from jaxnn.config.layers import LayerTable
    from jaxnn.config.schema import Config


def needs_data_sizes(config: "Config") -> bool:
    """Whether a size of the net is known only with the data."""
    return _with_sizes(config.net, dict.fromkeys(DATA_SIZES, 2)) is not config.net


def with_sizes_of(config: "Config", dataset: Dataset) -> "Config":
    """The config with the numbers of the data in place of their words; the same object where no layer has a word.

    Raises `UserError` for data without classes or tokens.
    """
    net = _with_sizes(config.net, {"classes": len(dataset.classes), "tokens": dataset.tokens})
    return config if net is config.net else config.model_copy(update={"net": net})


def _with_sizes(tables: "tuple[LayerTable, ...]", sizes: Mapping[str, int]) -> "tuple[LayerTable, ...]":
    changed = tuple(_layer_with_sizes(table, sizes) for table in tables)
    return changed if any(new is not old for new, old in zip(changed, tables, strict=True)) else tables


def _layer_with_sizes(table: "LayerTable", sizes: Mapping[str, int]) -> "LayerTable":
    words = {key: getattr(table, key, None) for key in SIZES}
    update: dict[str, Any] = {key: sizes[word] for key, word in words.items() if isinstance(word, str)}
    if 0 in update.values():
        key, word = next((key, word) for key, word in words.items() if isinstance(word, str) and not sizes[word])
        raise UserError(f'net: expected data with {word} for {key} = "{word}", found none; give a number')
    inner = getattr(table, "layers", None)
    if isinstance(inner, tuple) and (new := _with_sizes(inner, sizes)) is not inner:
        update["layers"] = new
    return table.model_copy(update=update) if update else table
