"""`[[net]]`: a layer, or a combination of layers, with its constructor's keyword arguments as keys."""

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainValidator, Strict, model_validator

from jaxnn.config.base import Says, Table, choose
from jaxnn.config.from_signature import derived, own_fields

if TYPE_CHECKING:
    from jaxnn.layer import Layer


class LayerTable(Table):
    """A layer by its name; what else it takes depends on that."""

    layer: str

    def build(self) -> "Layer":
        """The layer that the table stands for. Raises `UserError` for impossible numbers."""
        raise NotImplementedError  # not abstract: under an unknown name `choose` checks the other keys by this class


class _SimpleTable(LayerTable):
    @model_validator(mode="after")
    def _can_be_built(self) -> "_SimpleTable":
        self.build()
        return self

    def build(self) -> "Layer":
        from jaxnn.layers import LAYERS

        return LAYERS[self.layer](**self.options_beyond(LayerTable))


def _layer(table: Any) -> LayerTable:
    """The table of one layer, checked as the layer that it names."""
    from jaxnn.layers import LAYERS

    return choose(table, "layer", LayerTable, [*LAYERS, *_combinators()], _kind)


#: Layers in a row.
Layers = Annotated[
    tuple[Annotated[LayerTable, PlainValidator(_layer)], ...],
    Strict(False),  # TOML has lists only
    Field(min_length=1),
    Says("a list of tables, each with its layer"),
]


class _CombinedTable(LayerTable):
    layers: Layers

    def build(self) -> "Layer":
        own = self.options_beyond(_CombinedTable)
        return _combinators()[self.layer](*(layer.build() for layer in self.layers), **own)


@cache
def _kind(name: str) -> type[LayerTable]:
    from jaxnn.layers import LAYERS

    if name in LAYERS:
        return derived(_SimpleTable, name, own_fields(LAYERS[name]))
    return derived(_CombinedTable, name, own_fields(_combinators()[name]))


def _combinators() -> dict[str, Any]:
    from jaxnn.combine import parallel, residual, serial
    from jaxnn.layer import Layer

    def around(*layers: Layer) -> Layer:
        return residual(serial(*layers))

    return {"serial": serial, "parallel": parallel, "residual": around}
