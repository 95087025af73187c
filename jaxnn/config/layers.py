"""`[[net]]`: a layer, or a combination of layers. The keys are the keyword arguments of its constructor."""

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainValidator, Strict, model_validator

from jaxnn.config.base import Expected, Table, select_variant
from jaxnn.config.from_signature import constructor_fields, table_class

if TYPE_CHECKING:
    from jaxnn.layer import Layer


class LayerTable(Table):
    """A layer by its name, which determines the other keys."""

    layer: str

    def build(self) -> "Layer":
        """The layer that the table describes. Raises `UserError` for impossible numbers."""
        raise NotImplementedError  # not abstract: `select_variant` validates with this class under an unknown name


class _SingleLayerTable(LayerTable):
    @model_validator(mode="after")
    def _check_build(self) -> "_SingleLayerTable":
        self.build()
        return self

    def build(self) -> "Layer":
        from jaxnn.layers import LAYERS

        return LAYERS[self.layer](**self.extra_options(LayerTable))


def _select_layer(table: Any) -> LayerTable:
    """The table of one layer, validated as the layer that it names."""
    from jaxnn.layers import LAYERS

    return select_variant(table, "layer", LayerTable, [*LAYERS, *_combinators()], _layer_class)


#: Layers that are applied one after the other.
Layers = Annotated[
    tuple[Annotated[LayerTable, PlainValidator(_select_layer)], ...],
    Strict(False),  # TOML has lists only
    Field(min_length=1),
    Expected("a list of tables, each with its layer"),
]


class _CombinatorTable(LayerTable):
    layers: Layers

    def build(self) -> "Layer":
        options = self.extra_options(_CombinatorTable)
        return _combinators()[self.layer](*(layer.build() for layer in self.layers), **options)


@cache
def _layer_class(name: str) -> type[LayerTable]:
    from jaxnn.layers import LAYERS

    if name in LAYERS:
        return table_class(_SingleLayerTable, name, constructor_fields(LAYERS[name]))
    return table_class(_CombinatorTable, name, constructor_fields(_combinators()[name]))


def _combinators() -> dict[str, Any]:
    from jaxnn.combine import parallel, residual, serial
    from jaxnn.layer import Layer

    def residual_of_serial(*layers: Layer) -> Layer:
        return residual(serial(*layers))

    return {"serial": serial, "parallel": parallel, "residual": residual_of_serial}
